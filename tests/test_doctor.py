"""The doctor: what it says is tried and true, and its one command repairs."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from reidkit import doctor, environment
from reidkit.doctor import Finding

ROOT = Path(__file__).parent.parent


def of(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


@pytest.mark.slow
def test_here_everything_needed_works():
    findings = doctor.examine()
    assert [finding for finding in findings if finding.state == "bad"] == []
    assert {finding.area for finding in findings} == {"python", "packages", "accelerators", "neighbours", "notebooks", "data"}
    assert "a search works" in of(findings, "faiss on cpu").detail and "bf16 works" in of(findings, "torch on cpu").detail
    report = doctor.to_text(findings, doctor.repair_command(findings))
    assert "Everything needed is there." in report and "Repair" not in report


def test_missing_and_old_packages_are_bad_and_one_command_installs_them(monkeypatch):
    wanted = {"": ["numpy>=1.0", "pandas>=999", "no-such-package>=2"], "dev": ["no-such-tool>=1"]}
    monkeypatch.setattr(doctor, "requirements", lambda extra="": [Requirement(line) for line in wanted[extra]])
    findings = doctor._packages()
    assert [finding.state for finding in findings] == ["ok", "bad", "bad", "note"]
    command = doctor.repair_command(findings)
    assert command == f"{sys.executable} -m pip install 'no-such-package>=2' 'pandas>=999'"
    assert f"Repair: {command}" in doctor.to_text(findings, command)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV"),
        ("raise ImportError('libcudart.so: cannot open')", "ImportError: libcudart.so: cannot open"),
        ("import time\ntime.sleep(60)", "no answer in 3 s"),
    ],
)
def test_a_back_end_that_crashes_fails_or_hangs_is_a_finding(tmp_path, monkeypatch, module, said):
    (tmp_path / "faiss.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.setattr(doctor, "PATIENCE", 3 if "sleep" in module else 60)
    findings = doctor._in_process("faiss")
    assert [(finding.area, finding.state) for finding in findings] == [("neighbours", "bad")]
    assert said in findings[0].detail
    assert "--force-reinstall --no-deps faiss-" in doctor.repair_command(findings)


def test_wrong_numbers_are_bad():
    assert doctor._tried("torch", "torch on cpu", False, "CPU; bf16").state == "bad"


def test_data_and_cache_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path / "not yet" / "cache"))
    monkeypatch.delenv("REIDKIT_DATA", raising=False)
    assert of(doctor._data(), "REIDKIT_DATA").state == "note"
    monkeypatch.setenv("REIDKIT_DATA", str(tmp_path / "missing"))
    assert of(doctor._data(), "REIDKIT_DATA").state == "bad"
    (tmp_path / "data" / "market1501").mkdir(parents=True)
    monkeypatch.setenv("REIDKIT_DATA", str(tmp_path / "data"))
    findings = doctor._data()
    assert of(findings, "REIDKIT_DATA").state == "ok" and "market1501" in of(findings, "REIDKIT_DATA").detail
    assert str(tmp_path / "not yet" / "cache") in of(findings, "cache").detail
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert of(doctor._data(), "cache").state == "bad"
    monkeypatch.undo()
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    assert of(doctor._data(), "cache").state == "note"


def test_requirements_come_from_the_checkout_and_fit_this_machine():
    names = {wanted.name for wanted in environment.requirements()}
    assert "torch" in names and len(names & {"faiss-gpu", "faiss-cpu"}) == 1
    assert {wanted.name for wanted in environment.requirements("dev")} >= {"pytest", "ruff"}


def test_faiss_is_known_by_each_of_its_names(monkeypatch):
    def version(name):
        if name == "faiss":
            return "1.12.0"
        raise environment.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.metadata, "version", version)
    assert environment.installed_version("faiss-gpu") == "1.12.0"
    assert environment.installed_version("torch") is None


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_the_commit_of_a_checkout_and_of_no_checkout(tmp_path):
    import subprocess

    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path / "repo"), *identity, *words], check=True, capture_output=True)

    (tmp_path / "repo").mkdir()
    git("init", "-q")
    (tmp_path / "repo" / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "first")
    found = environment.git_commit(tmp_path / "repo")
    assert found is not None and len(str(found["commit"])) == 40 and found["clean"] is True
    (tmp_path / "repo" / "a").write_text("2")
    changed = environment.git_commit(tmp_path / "repo")
    assert changed is not None and changed["clean"] is False
    assert environment.git_commit(tmp_path) is None
