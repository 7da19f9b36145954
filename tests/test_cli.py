"""The command line: one function a command, refusals as messages, exit codes that mean something."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from reidkit import cli
from reidkit.errors import RunnerError
from reidkit.formats import load
from reidkit.runner import run as runner

ROOT = Path(__file__).parent.parent


def call(*words: object):
    """Exit code and standard output of a command, in this process."""
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def process(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, through `main`."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "reidkit", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def picture_folder(root: Path, broken: bool = False) -> Path:
    """Two identities with two pictures each, one a folder; one of them cut short when `broken`."""
    random = np.random.default_rng(0)
    for identity in ("anna", "berta"):
        for number in range(2):
            path = root / identity / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (40, 20, 3), dtype=np.uint8)).save(path)
    if broken:
        path.write_bytes(path.read_bytes()[:200])
    return root


@pytest.fixture
def recorded_run(monkeypatch):
    """`run_notebooks` replaced by one that notes its arguments and reports what the test wants."""
    seen = SimpleNamespace(report=runner.Report(Path("index.html")))

    def run_notebooks(notebooks, **options):
        seen.notebooks, seen.options = notebooks, options
        return seen.report

    monkeypatch.setattr(runner, "run_notebooks", run_notebooks)
    monkeypatch.setattr(signal, "signal", lambda number, handler: setattr(seen, "handler", (number, handler)))
    return seen


def test_run_hands_everything_on(recorded_run):
    words = [
        "a.ipynb",
        "b.ipynb",
        "--profile",
        "demo",
        "--out",
        "o",
        "-p",
        "seed=3",
        "-p",
        "note=a=b",
        "--jobs",
        1,
        "--time-limit",
        9,
    ]
    assert call("run", *words).exit_code == 0
    assert recorded_run.notebooks == [Path("a.ipynb"), Path("b.ipynb")]
    options = {name: value for name, value in recorded_run.options.items() if name != "listen"}
    given = {"seed": "3", "note": "a=b"}
    assert options == {"profile": "demo", "out": Path("o"), "parameters": given, "jobs": 1, "time_limit": 9.0}


def test_a_polite_end_is_treated_as_an_interrupt(recorded_run):
    call("run")
    assert recorded_run.handler == (signal.SIGTERM, signal.default_int_handler)


@pytest.mark.parametrize(
    ("verdicts", "not_run", "code"),
    [
        ([], [], 0),
        (["passed", "passed"], [], 0),
        (["passed", "failed"], [], 1),
        (["swallowed"], [], 1),
        (["failed", "timeout"], [], 124),
        (["timeout", "died", "failed"], [], 138),
        (["died", "interrupted"], [], 130),
        (["passed"], ["next"], 130),
    ],
)
def test_the_worst_verdict_is_the_exit_code(recorded_run, verdicts, not_run, code):
    rows = [{"notebook": "a.ipynb", "verdict": v, "reason": "", "seconds": 1.0, "metrics": []} for v in verdicts]
    recorded_run.report = runner.Report(Path("index.html"), rows, not_run)
    assert call("run").exit_code == code


@pytest.mark.parametrize("given", [["seed"], ["=3"], ["a b=3"], ["seed=1", "seed=2"]])
def test_parameters_that_are_no_pairs_are_refused(given):
    with pytest.raises(RunnerError, match="-p "):
        cli._split_parameters(given)


@pytest.mark.slow
def test_a_refusal_is_its_message_and_exit_status_2_without_a_traceback(tmp_path):
    done = process("run", "nothing.ipynb", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("reidkit: nothing.ipynb is no notebook") and "Do: " in done.stderr
    assert "Traceback" not in done.stderr
    assert process("run", "--profile", "huge", cwd=tmp_path).returncode == 2


@pytest.mark.slow
def test_asking_for_help_loads_nothing_heavy(tmp_path):
    code = (
        "import sys; from reidkit.cli import app; from typer.testing import CliRunner; r = CliRunner().invoke(app, ['--help']); "
    )
    code += "print(r.exit_code, sorted({'torch', 'numpy', 'nbconvert', 'faiss', 'pandas'} & set(sys.modules)))"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0 []" and time.monotonic() - begun < 30


def test_check_passes_a_sound_data_set(tmp_path):
    done = call("data", "check", picture_folder(tmp_path / "set"))
    assert done.exit_code == 0 and "0 of 4 pictures cannot be read." in done.output and "4 images" in done.output


def test_check_lists_what_cannot_be_read_and_fails(tmp_path):
    done = call("data", "check", picture_folder(tmp_path / "set", broken=True))
    assert done.exit_code == 1 and "1 of 4 pictures cannot be read." in done.output and "1.jpg" in done.output


def test_world_writes_what_the_reader_reads(tmp_path):
    done = call("data", "world", "summer", "--out", tmp_path / "w", "--size", "XS", "--seed", 1)
    records = load(tmp_path / "w")
    assert done.exit_code == 0 and f"{len(records)} images, {records.num_cameras} cameras" in done.output
    assert (tmp_path / "w" / "world.parquet").is_file()


def test_doctor_speaks_json_and_fails_when_something_needed_is_missing(monkeypatch):
    from reidkit import doctor

    good = doctor.Finding("packages", "torch", "ok", "2.15 (wanted >=2.11)")
    bad = doctor.Finding("packages", "faiss-gpu", "bad", "not installed", "faiss-gpu>=1.12")
    monkeypatch.setattr(doctor, "examine", lambda: [good])
    assert call("doctor").exit_code == 0
    monkeypatch.setattr(doctor, "examine", lambda: [good, bad])
    done = call("doctor", "--json")
    said = json.loads(done.output)
    assert done.exit_code == 1 and said["healthy"] is False and "pip install 'faiss-gpu>=1.12'" in said["repair"]
    assert [row["name"] for row in said["findings"]] == ["torch", "faiss-gpu"]


def test_diagnose_writes_a_report(tmp_path: Path) -> None:
    table, features = tmp_path / "labels.csv", tmp_path / "f.npy"
    rows = ["0,0,1", "0,1,1", "1,0,2", "1,1,2", "-1,0,3", "1,1,3"]
    table.write_text("y_hat,camera,identity\n" + "\n".join(rows) + "\n")
    np.save(features, np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    report = tmp_path / "report.html"
    done = call("diagnose", table, "--features", features, "--column", "labels=y_hat", "--out", report)
    assert done.exit_code == 0 and str(report) in done.output
    assert "<table" in report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_diagnose_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("camera\n0\n1\n")
    done = process("diagnose", "labels.csv", cwd=tmp_path)
    assert done.returncode == 2 and "has no labels; found camera (as cameras)" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_stages_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds and the network of a profile go to the cache; the second call finds them there."""
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path))
    assert call("data", "networks", "--profile", "smoke").exit_code == 0
    made = sorted(path for kind in ("worlds", "pretrained") for path in (tmp_path / kind).glob("*/.done"))
    before = [path.stat().st_mtime_ns for path in made]
    assert len(made) == 2 and call("data", "networks", "--profile", "smoke").exit_code == 0
    assert [path.stat().st_mtime_ns for path in made] == before
