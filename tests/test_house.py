"""The rules of the house: arrows between rooms, budgets, leftovers, and lists that must not drift apart."""

import ast
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from reidkit import __version__
from reidkit.environment import FAISS
from reidkit.runner.record import EXIT_CODES, VERDICTS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LIBRARY = sorted((ROOT / "reidkit").rglob("*.py"))
BUILT, SHOWN = {"runs", "artifacts", "build", "dist", "__pycache__", "reidkit.egg-info"}, {".ci", ".gitignore"}
TEXT = {".py", ".md", ".toml", ".yml", ".cff", ".lock", ".ipynb", ".j2", ".css", ".js", ".csv", ".json", ""}

BUDGETS = {  # the first pattern that fits counts
    "reidkit/methods/*.py": 150,
    "reidkit/training/loop.py": 120,
    "reidkit/diagnose/*.py": 150,
    "*.py": 400,
}
WIDGET_BUDGET = 80
CONDA_NAMES = {"torch": "pytorch-gpu", "playwright": "playwright-python", "openTSNE": "opentsne"}  # else as here
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
PLACES = re.compile(r"(?<![\w./~-])/(" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "t" + "mp", "Us" + "ers")) + r")/")
HOSTS = re.compile("|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "anaconda" + r"\.(org|com)", r"reg" + r"istry\.npm")))


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text file that belongs to the repository."""
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT)
        ours = all(part in SHOWN or (part not in BUILT and not part.startswith(".")) for part in name.parts)
        if ours and path.is_file() and path.suffix in TEXT:
            yield name.as_posix(), path.read_text(encoding="utf-8")


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """``file:line`` wherever `pattern` occurs, this file excepted."""
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        if name != "tests/test_house.py"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over the package in `folder`, with our contracts."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    words = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    return subprocess.run(
        [*command, *words], cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )


# --- rooms -----------------------------------------------------------------------------------------------------------


def test_arrows_between_rooms_hold():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("records.py", "from reidkit import capsule", "A room imports"),
        ("diagnose/text.py", "import torch", "without torch"),
        ("errors.py", "import torch", "without torch"),
        ("methods/cluster_finetune.py", "from reidkit.methods import source_pretraining", "do not know each other"),
        ("methods/cluster_finetune.py", "import reidkit.training.loop", "handed in"),
        ("upstairs.py", "", "A room imports"),
    ],
)
def test_every_contract_can_break(tmp_path, file, line, broken):
    shutil.copytree(ROOT / "reidkit", tmp_path / "reidkit", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "reidkit" / file).open("a", encoding="utf-8") as handle:
        handle.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    states = re.findall(r"(.*?) (KEPT|BROKEN)", " ".join(done.stdout.split()))
    assert [state for name, state in states if broken in name] == ["BROKEN"], done.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["reidkit", "reidkit.diagnose", "reidkit.capsule", "reidkit.records", "reidkit.evaluate", "reidkit.cli"]
)
def test_rooms_that_must_be_light_load_no_torch(module):
    code = f"import sys, {module}; sys.exit(sum(name in sys.modules for name in ('torch', 'torchvision', 'faiss')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --- style -----------------------------------------------------------------------------------------------------------


def test_files_keep_their_budgets():
    over = []
    for path in [*LIBRARY, *sorted((ROOT / "tests").rglob("*.py"))]:
        name, count = path.relative_to(ROOT).as_posix(), len(path.read_text(encoding="utf-8").splitlines())
        budget = next(limit for pattern, limit in BUDGETS.items() if fnmatch.fnmatch(name, pattern))
        over += [f"{name}: {count} lines of {budget}"] if count > budget else []
    assert over == []


def test_widgets_keep_theirs():
    """A widget is a class that has the four faces; it counts with everything in its file."""
    found, over = 0, []
    for path in sorted((ROOT / "reidkit" / "show").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        if any(ast.unparse(base) == "View" for node in classes for base in node.bases):
            found += 1
            over += [f"{path.name}: {len(text.splitlines())} lines"] if len(text.splitlines()) > WIDGET_BUDGET else []
    assert found > 0 and over == []


def test_the_library_never_prints_and_has_no_drawer_for_odds_and_ends():
    for path in LIBRARY:
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path
        assert path.stem not in ("utils", "util", "helpers", "misc", "common"), path


def test_every_module_says_what_it_is():
    silent = [str(path) for path in LIBRARY if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_nothing_was_left_behind():
    assert lines_with(LEFTOVERS) == []


def test_no_path_of_a_machine_and_no_registry_host_is_named():
    assert lines_with(PLACES) == []
    assert lines_with(HOSTS) == []


def test_the_patterns_find_what_they_look_for():
    assert LEFTOVERS.search("# TO" + "DO: later") and not LEFTOVERS.search("todo")
    assert PLACES.search("see /wo" + "rk/main") and PLACES.search('"/t' + 'mp/x"') and not PLACES.search("data/wo" + "rk/x")
    assert HOSTS.search("https://py" + "pi.org/simple")


# --- lists that must not drift apart ---------------------------------------------------------------------------------


def declared() -> dict[str, Requirement]:
    """Name -> requirement of pyproject.toml, the extra `dev` included; faiss once, as on Linux."""
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    return {r.name: r for r in map(Requirement, lines) if r.name != "faiss-cpu"}


def lower_bound(specifier: SpecifierSet) -> str:
    return next(part.version for part in specifier if part.operator == ">=")


def test_conda_and_pip_ask_for_the_same():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    there = {r.name: lower_bound(r.specifier) for r in map(Requirement, conda) if r.specifier}
    here = {CONDA_NAMES.get(name, name): lower_bound(r.specifier) for name, r in declared().items()}
    python = lower_bound(SpecifierSet(PROJECT["project"]["requires-python"]))
    assert there == here | {"python": python}


def test_both_builds_of_faiss_have_one_bound():
    bounds = {r.name: lower_bound(r.specifier) for r in map(Requirement, PROJECT["project"]["dependencies"]) if r.name in FAISS}
    assert len(bounds) == 2 and len(set(bounds.values())) == 1


def locked() -> dict[str, Version]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!_-]+)", line) for line in lines if line and not line.startswith("#")]
    assert all(pins), "the lock holds names and versions only: no path, no host, no range"
    return {canonicalize_name(pin[1]): Version(pin[2]) for pin in pins if pin}


def test_the_lock_fits_what_is_declared():
    pins = locked()
    missing = [name for name in declared() if canonicalize_name(name) not in pins]
    wrong = [name for name, r in declared().items() if name not in missing and pins[canonicalize_name(name)] not in r.specifier]
    assert missing == [] and wrong == []


def test_the_lock_is_complete():
    """Whatever a locked package needs on this machine is locked as well."""
    pins, open_ends = locked(), []
    for name in pins:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and canonicalize_name(need.name) not in pins:
                open_ends.append(f"{name} needs {need.name}")
    assert open_ends == []


def test_one_version_everywhere():
    assert PROJECT["project"]["version"] == __version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == __version__
    newest = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", (ROOT / "CHANGES.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None and newest[1] == __version__


def test_the_runner_page_names_every_verdict_with_its_exit_code():
    page = (ROOT / "docs" / "runner.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (\d+) \|$", page, re.MULTILINE))
    assert {name: int(code) for name, code in rows.items()} == EXIT_CODES and set(rows) == set(VERDICTS)


# --- what documents promise ------------------------------------------------------------------------------------------

DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]


def blocks(language: str) -> list[tuple[str, str]]:
    """Fenced blocks of the documents; one after ``<!-- not run: reason -->`` is left out."""
    fence = re.compile(r"(<!-- not run: [^\n]+ -->\n)?```" + language + r"\n(.*?)^```", re.DOTALL | re.MULTILINE)
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        found += [(f"{path.name}:{text[: m.start()].count(chr(10)) + 1}", m[2]) for m in fence.finditer(text) if not m[1]]
    return found


@pytest.mark.slow
def test_code_in_documents_runs(tmp_path):
    for place, code in blocks("python"):
        environment = dict(os.environ, PYTHONPATH=str(ROOT), MPLBACKEND="agg")
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{place}\n{done.stderr[-2000:]}"


def test_commands_in_documents_exist():
    import typer

    from reidkit.cli import app

    group = typer.main.get_command(app)
    known = set(group.commands) | {f"data {name}" for name in group.commands["data"].commands}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    documents = [
        path.read_text(encoding="utf-8") for path in [*DOCUMENTS, *sorted((ROOT / "docs").glob("*.md"))] if path.is_file()
    ]
    said_make = {
        name for text in documents for name in re.findall(r"`make ([a-z]+)|^make ([a-z]+)", text, re.MULTILINE) for name in name
    }
    assert said_make - {""} <= targets
    said = {name for text in documents for name in re.findall(r"(?:`|^|\$ )reidkit (data [a-z]+|[a-z]+)", text, re.MULTILINE)}
    assert said and said <= known


@pytest.mark.parametrize(
    ("broken", "called", "status"), [("", ["test", "run"], 0), ("test", ["test"], 3), ("run", ["test", "run"], 3)]
)
def test_the_gate_runs_the_tests_then_the_notebooks_and_fails_with_either(tmp_path, broken, called, status):
    calls = tmp_path / "calls"
    for tool in ("make", "git", "apt-get"):
        path = tmp_path / tool
        path.write_text(f'#!/bin/sh\nif [ {tool} = make ]; then echo "$1" >> "{calls}"; [ "$1" != "{broken}" ] || exit 3; fi\n')
        path.chmod(0o755)
    environment = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")
    done = subprocess.run([str(ROOT / ".ci" / "run")], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, calls.read_text().split()) == (status, called)


def test_make_looks_for_room_before_it_installs(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    command = ["env", "--unset=MAKEFLAGS", "make", "install", f"PYTHON={sys.executable}", "ROOM=1000000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and re.search(r"takes 1000000 GB .* \d+ GB are free here", done.stdout)
    assert not (tmp_path / ".venv").exists()


def test_what_is_locked_installs_on_the_oldest_python() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
    names = [line.partition("==")[0] for line in lines]
    asked = {name: metadata.metadata(name)["Requires-Python"] for name in names if _installed(name)}
    assert len(asked) > 100
    assert [name for name, python in asked.items() if not SpecifierSet(python or "").contains("3.11.0")] == []


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
