"""Whole runs with real kernels: every way in which a notebook can end is told apart, and nothing is left behind."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest

from reidkit.errors import RunnerError
from reidkit.runner import plan
from reidkit.runner.plan import make_limits
from reidkit.runner.processes import MARK, child_environment
from reidkit.runner.run import run_notebooks
from tests.tiny_notebooks import PARAMETERS, write_notebook

FIGURE = """
from pathlib import Path
from IPython.display import display
Path(out).mkdir(parents=True)
(Path(out) / "seed.txt").write_text(str(seed))
figure = {"name": "map", "value": seed / 4, "unit": "fraction"}
display({"application/vnd.reidkit.metric+json": figure, "text/plain": "map"}, raw=True)
"""
FACTS = "import os, sys\nprint(profile, sys.executable, os.environ['REIDKIT_HEADLESS'], os.environ['OMP_NUM_THREADS'])"
SWALLOWS = """
import asyncio, threading
import ipywidgets
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
widget = ipywidgets.Output()
with widget:
    raise ValueError("in a widget")
async def lost():
    raise LookupError("in a task")
task = asyncio.ensure_future(lost())
"""
PRINTS = """
import ipywidgets
sliders = [ipywidgets.IntSlider(value=i) for i in range(5)]
shown = [ipywidgets.interactive_output(lambda x: print("value", x), {"x": slider}) for slider in sliders]
for slider in sliders:
    slider.value = 7
"""
ENDLESS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
while True:
    pass
"""
KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


def reidkit(*words: object, cwd: Path) -> subprocess.Popen[str]:
    """`reidkit …` as a process, with a home that does not exist."""
    environment = dict(os.environ, HOME=str(cwd / "no home"), PYTHONPATH=str(Path(__file__).parent.parent), TZ="Asia/Kathmandu")
    command = [sys.executable, "-m", "reidkit", *map(str, words)]
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def descendants_of(out: Path) -> list[psutil.Process]:
    """Processes that notebooks of this run started and that are still there."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(out) in process.environ().get("IPYTHONDIR", "") and MARK in process.environ():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run over notebooks that end in every way but the limit."""
    folder = tmp_path_factory.mktemp("a run {with} späces")
    notebooks = folder / "notebooks"
    write_notebook(notebooks / "good.ipynb", FACTS, FIGURE, parameters=PARAMETERS, markdown="# Good\n\n$$\n\\frac{1}{2}\n$$")
    write_notebook(notebooks / "fails.ipynb", "x = 1", "print(undefined)", "print('never')")
    write_notebook(notebooks / "leaves.ipynb", "import sys\nsys.exit(0)", "print('never')")
    write_notebook(notebooks / "swallows.ipynb", SWALLOWS, "await asyncio.sleep(0.1)")
    write_notebook(notebooks / "prints.ipynb", *[PRINTS] * 8)
    write_notebook(notebooks / "killed.ipynb", "x = 1", KILLED, "print('never')")
    process = reidkit("run", "--jobs", 2, "--time-limit", 240, cwd=folder)
    told, warned = process.communicate(timeout=300)
    out = folder / "runs" / "smoke"
    records = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/record.json")}
    return SimpleNamespace(folder=folder, out=out, code=process.returncode, told=told, warned=warned, records=records)


@pytest.mark.slow
def test_each_way_to_end_has_its_verdict(finished):
    verdicts = {name: record["verdict"] for name, record in finished.records.items()}
    assert verdicts == {
        "good": "passed",
        "prints": "passed",
        "fails": "failed",
        "leaves": "failed",
        "swallows": "swallowed",
        "killed": "died",
    }


@pytest.mark.slow
def test_the_exit_code_is_that_of_the_worst_and_the_last_line_says_where_to_look(finished):
    assert finished.code == 138
    lines = finished.told.splitlines()
    assert lines[0].split()[:3] == ["notebook", "verdict", "seconds"]
    assert lines[-1] == f"Results: {finished.out.resolve() / 'index.html'}"
    assert "good: started" in finished.warned and "good: passed after" in finished.warned
    assert "Traceback" not in finished.warned


@pytest.mark.slow
def test_reasons_name_the_cell_and_the_exception(finished):
    reasons = {name: record["reason"] for name, record in finished.records.items()}
    assert reasons["fails"].startswith("cell 2: NameError: name 'undefined' is not defined")
    assert "SystemExit" in reasons["leaves"]
    assert "in cell 2 (`import os, signal`)" in reasons["killed"]


@pytest.mark.slow
def test_every_swallowed_exception_is_found(finished):
    found = {(row["type"], row["where"].split()[0]) for row in finished.records["swallows"]["swallowed"]}
    assert {("ZeroDivisionError", "thread"), ("ValueError", "Output"), ("LookupError", "asyncio")} <= found


@pytest.mark.slow
def test_the_record_says_what_ran_on_what_and_what_came_out(finished):
    record = finished.records["good"]
    assert record["parameters"] == {"profile": "smoke", "seed": 0} and record["seed"] == 0
    assert record["metrics"] == [{"name": "map", "value": 0.0, "unit": "fraction"}]
    assert [cell["cell"] for cell in record["cells"]] == [2, 3, 4] and all(cell["seconds"] >= 0 for cell in record["cells"])
    assert record["device"] == "cpu" and record["peak_memory_mib"] > 10 and record["seconds"] > 0
    assert record["versions"]["papermill"] and record["started"].endswith("+00:00") and record["warnings"] == []
    assert len(record["source_sha256"]) == 64
    assert finished.records["killed"]["device"] is None


@pytest.mark.slow
def test_the_executed_notebook_ran_headless_in_this_interpreter_and_keeps_no_path_of_ours(finished):
    notebook = nbformat.read(finished.out / "good" / "good.ipynb", as_version=4)
    printed = notebook.cells[3].outputs[0].text
    assert printed.split()[0] == "smoke" and sys.executable in printed and printed.split()[2] == "1"
    assert "input_path" not in notebook.metadata.papermill and "reidkit" not in notebook.metadata
    assert notebook.cells[2].source == '# Parameters\nprofile = "smoke"\nout = "../runs/smoke/good/files"\n'
    assert (finished.out / "good" / "files" / "seed.txt").read_text() == "0"


@pytest.mark.slow
def test_what_ran_before_the_end_is_readable(finished):
    killed = nbformat.read(finished.out / "killed" / "killed.ipynb", as_version=4)
    assert killed.cells[0].execution_count == 1
    assert "never" in (finished.out / "fails" / "fails.html").read_text()
    index = (finished.out / "index.html").read_text()
    assert "2 of 6 notebooks passed" in index and 'href="good/good.html"' in index


@pytest.mark.slow
def test_nothing_half_written_and_nobody_is_left(finished):
    assert not list(finished.out.rglob("*.partial")) and not list(finished.out.rglob(".work"))
    assert descendants_of(finished.out) == []


@pytest.mark.slow
def test_a_second_run_replaces_the_first_and_passes_on_parameters(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    stale = finished.out / "good" / "files" / "stale.txt"
    stale.write_text("old")
    report = run_notebooks([Path("notebooks/good.ipynb")], parameters={"seed": "3"})
    assert report.exit_code == 0 and report.records[0]["metrics"][0]["value"] == 0.75
    assert report.records[0]["parameters"]["seed"] == 3 and not stale.exists()


@pytest.mark.slow
def test_a_time_limit_ends_the_notebook_its_kernel_and_what_it_started(tmp_path):
    write_notebook(tmp_path / "endless.ipynb", "x = 1", ENDLESS)
    process = reidkit("run", "endless.ipynb", "--time-limit", 12, "--out", "o", cwd=tmp_path)
    told, _ = process.communicate(timeout=120)
    record = json.loads((tmp_path / "o" / "endless" / "record.json").read_text())
    assert process.returncode == 124 and record["verdict"] == "timeout" and record["reason"].startswith("over its limit of 12 s")
    assert "timeout" in told and descendants_of(tmp_path / "o") == []


@pytest.mark.slow
def test_an_interrupt_ends_everything_and_leaves_a_report_of_what_ran(tmp_path):
    for name in ("a", "b"):
        write_notebook(tmp_path / f"{name}.ipynb", "open('begun', 'w').close()\n" + ENDLESS)
    process = reidkit("run", ".", "--jobs", 1, "--out", "o", cwd=tmp_path)
    give_up = time.monotonic() + 90
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < give_up and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    told, warned = process.communicate(timeout=180)
    assert process.returncode == 130 and "Traceback" not in warned
    assert told.splitlines()[2].split()[:2] == ["a", "interrupted"] and told.splitlines()[3].split() == ["b", "not", "run"]
    assert json.loads((tmp_path / "o" / "a" / "record.json").read_text())["verdict"] == "interrupted"
    assert "0 of 2 notebooks passed" in (tmp_path / "o" / "index.html").read_text()
    assert descendants_of(tmp_path / "o") == []


@pytest.mark.slow
def test_a_killed_runner_takes_its_notebooks_with_it(tmp_path):
    write_notebook(tmp_path / "a.ipynb", "open('begun', 'w').close()\nwhile True:\n    pass")
    process = reidkit("run", "a.ipynb", "--out", "o", cwd=tmp_path)
    give_up = time.monotonic() + 90
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < give_up and process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.communicate(timeout=30)
    give_up = time.monotonic() + 20
    while descendants_of(tmp_path / "o"):
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_nothing_starts_before_all_parameters_are_right(tmp_path):
    write_notebook(tmp_path / "a.ipynb", "1", parameters=PARAMETERS)
    write_notebook(tmp_path / "b.ipynb", "1")
    with pytest.raises(RunnerError, match=r"b.ipynb: parameter 'seed' is unknown"):
        run_notebooks([tmp_path], out=tmp_path / "o", parameters={"seed": "1"})
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"profile": "huge"}, "Profile 'huge'"),
        ({"parameters": {"out": "x"}}, "Use --out"),
        ({"parameters": {"profile": "demo"}}, "Use --profile"),
        ({"jobs": 0}, "--jobs 0"),
        ({"time_limit": -1.0}, "--time-limit -1"),
    ],
)
def test_usage_that_cannot_be_meant_is_refused(tmp_path, change, message):
    notebook = write_notebook(tmp_path / "a.ipynb", "1", parameters=PARAMETERS)
    with pytest.raises(RunnerError, match=message):
        run_notebooks([notebook], out=tmp_path / "o", **change)


def test_what_is_no_notebook_is_refused_with_the_nearest_name(tmp_path):
    write_notebook(tmp_path / "01_task.ipynb", "1")
    with pytest.raises(RunnerError, match=r"Did you mean '01_task.ipynb'"):
        run_notebooks([tmp_path / "01_tsk.ipynb"])
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(RunnerError, match=r"broken.ipynb cannot be read"):
        run_notebooks([tmp_path / "broken.ipynb"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunnerError, match="No notebook in"):
        run_notebooks([tmp_path / "empty"])
    write_notebook(tmp_path / "again" / "01_task.ipynb", "1")
    with pytest.raises(RunnerError, match="Given twice: '01_task'"):
        run_notebooks([tmp_path / "01_task.ipynb", tmp_path / "again"])


def test_a_folder_that_holds_something_else_is_never_cleared(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "1")
    precious = tmp_path / "o" / "a" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    with pytest.raises(RunnerError, match="holds no results of a run"):
        run_notebooks([notebook], out=tmp_path / "o")
    assert precious.read_text() == "years of work"


def test_a_full_disk_and_an_unwritable_folder_are_refused_before_anything_starts(tmp_path, monkeypatch):
    notebook = write_notebook(tmp_path / "a.ipynb", "1")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunnerError, match="Choose another folder with --out"):
        run_notebooks([notebook], out=tmp_path / "file" / "o")
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    with pytest.raises(RunnerError, match="1 MiB free"):
        run_notebooks([notebook], out=tmp_path / "o")


def test_two_runs_do_not_share_a_folder(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "1")
    (tmp_path / "o").mkdir()
    hold = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "o" / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline().strip() == "held"
        with pytest.raises(RunnerError, match="Another run writes into"):
            run_notebooks([notebook], out=tmp_path / "o")
        other.communicate()


def test_threads_depend_on_the_machine_and_not_on_how_many_run(monkeypatch):
    monkeypatch.setattr(plan, "usable_cores", lambda: 2)
    assert make_limits("smoke", 5, None, None) == plan.Limits(600.0, 2, 1)
    assert make_limits("smoke", 1, None, None) == plan.Limits(600.0, 1, 1)
    assert make_limits("smoke", 5, 0.0, 1) == plan.Limits(0.0, 1, 1)
    assert make_limits("full", 5, None, None) == plan.Limits(0.0, 1, 2)
    monkeypatch.setattr(plan, "usable_cores", lambda: 1)
    assert make_limits("demo", 5, None, None) == plan.Limits(1800.0, 1, 1)


def test_the_environment_of_a_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = child_environment(
        {"PATH": "p", "REIDKIT_HEADLESS": "0", "REIDKIT_DATA": "data", "IPYTHONDIR": "mine"}, tmp_path / "w", 3
    )
    assert made["REIDKIT_HEADLESS"] == "1" and made["OMP_NUM_THREADS"] == "3" and made["OMP_WAIT_POLICY"] == "passive"
    assert made["REIDKIT_DATA"] == str(tmp_path / "data") and made["IPYTHONDIR"] == str(tmp_path / "w" / "ipython")
    assert child_environment({"OMP_NUM_THREADS": "5"}, tmp_path, 3)["OMP_NUM_THREADS"] == "5"


class TestPatience:
    """The client that cannot miss a wake-up (jupyter/nbclient issue 312)."""

    @staticmethod
    def channel(answers):
        """A `get_msg` that answers, or lets its own time pass and reports nothing; it never waits for ever."""
        asked = []

        async def get_msg(timeout=None):
            asked.append(timeout)
            assert timeout is not None, "waiting without an end is what loses the wake-up"
            answer = answers.pop(0) if answers else None
            if answer is None:
                time.sleep(min(timeout, 0.01))
                raise queue.Empty
            return answer

        return get_msg, asked

    def test_it_looks_again_until_the_message_is_there(self):
        from reidkit.runner.engine import SLICE, patiently

        get, asked = self.channel([None, None, None, "reply"])
        assert asyncio.run(patiently(get)(timeout=None)) == "reply"
        assert asked == [SLICE] * 4

    def test_its_own_time_limit_holds(self):
        from reidkit.runner.engine import patiently

        get, asked = self.channel([])
        with pytest.raises(queue.Empty):
            asyncio.run(patiently(get)(timeout=0.05))
        assert 2 <= len(asked) <= 20 and max(asked) <= 0.05

    def test_papermill_starts_kernels_through_it(self, monkeypatch):
        from papermill.clientwrap import PapermillNotebookClient

        from reidkit.runner.engine import PatientClient

        get, asked = self.channel([None, "reply"])
        stub = SimpleNamespace(shell_channel=SimpleNamespace(get_msg=get))

        async def start(self):
            return stub

        monkeypatch.setattr(PapermillNotebookClient, "async_start_new_kernel_client", start)
        client = PatientClient(SimpleNamespace(nb=nbformat.v4.new_notebook()))
        started = client.start_new_kernel_client()
        assert asyncio.run(started.shell_channel.get_msg()) == "reply" and len(asked) == 2
