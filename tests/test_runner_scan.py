"""What an executed notebook says about its run: nothing may pass for success that was none."""

import nbformat
import pytest

from reidkit.lesson.record import METRIC_MIME as LESSON_MIME
from reidkit.runner.plan import Job, Limits
from reidkit.runner.processes import Ended
from reidkit.runner.record import judge
from reidkit.runner.scan import LARGE_SCRIPT, METRIC_MIME, WIDGET_STATE, read_outcome, strip_notebook
from tests.tiny_notebooks import make_notebook

TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\nValueError: lost\n'
LIMITS = Limits(seconds=5.0, jobs=1, threads=1)


def executed(*cells: str, markdown: str = "# Title"):
    """A notebook in which every cell ran."""
    notebook = make_notebook(cells, markdown=markdown)
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        cell.execution_count = number + 1
        cell.metadata["papermill"] = {"status": "completed", "duration": 0.5, "start_time": "2026-01-01T00:00:00+00:00"}
    return notebook


def error(name: str = "ValueError", text: str = "wrong"):
    return nbformat.v4.new_output("error", ename=name, evalue=text, traceback=[])


def figure(**content):
    return nbformat.v4.new_output("display_data", data={METRIC_MIME: content, "text/plain": "recorded"})


def widget_state(notebook, **models):
    states = {key: {"model_name": name, "state": state} for key, (name, state) in models.items()}
    notebook.metadata["widgets"] = {WIDGET_STATE: {"state": states}}
    return notebook


def verdict(notebook, tmp_path, status: int | None = 0, stopped: str = "", log: str = ""):
    ended = Ended(Job(tmp_path / "n.ipynb", tmp_path, {}, ()), status, stopped, 1.0, 0.0, tmp_path / "e.ipynb", log)
    return judge(ended, read_outcome(notebook), LIMITS)


def test_the_mime_type_is_the_one_that_lessons_use():
    assert METRIC_MIME == LESSON_MIME


def test_a_clean_run_passes(tmp_path):
    assert verdict(executed("1", "2"), tmp_path).verdict == "passed"


def test_an_error_in_a_cell_fails_and_is_named_by_its_number_in_the_source(tmp_path):
    notebook = executed("1", "2")
    injected = nbformat.v4.new_code_cell("# Parameters", metadata={"tags": ["injected-parameters"]}, execution_count=1)
    notebook.cells.insert(1, injected)
    notebook.cells[3].outputs = [error(text="\x1b[31mwrong\x1b[0m")]
    said = verdict(notebook, tmp_path, status=1)
    assert (said.verdict, said.reason) == ("failed", "cell 3: ValueError: wrong")


def test_a_cell_that_never_ran_fails_although_papermill_is_content(tmp_path):
    notebook = executed("1", "2")
    notebook.cells[2].execution_count = None
    notebook.cells[2].metadata["papermill"]["status"] = "pending"
    said = verdict(notebook, tmp_path)
    assert said.verdict == "failed" and "cell 3 never ran" in said.reason


def test_an_empty_cell_need_not_run(tmp_path):
    notebook = executed("1", "")
    notebook.cells[2].execution_count = None
    assert verdict(notebook, tmp_path).verdict == "passed"


@pytest.mark.parametrize(
    "outputs",
    [
        [{"output_type": "error", "ename": "ValueError", "evalue": "lost", "traceback": []}],
        [{"output_type": "stream", "name": "stderr", "text": TRACE}],
    ],
)
def test_an_error_in_an_output_widget_is_swallowed(tmp_path, outputs):
    notebook = widget_state(executed("1"), a=("OutputModel", {"outputs": outputs}), b=("IntSliderModel", {"value": 3}))
    said = verdict(notebook, tmp_path)
    assert (said.verdict, said.reason) == ("swallowed", "Output widget: ValueError: lost")


def test_a_traceback_on_standard_error_is_swallowed_and_on_standard_output_it_is_teaching(tmp_path):
    notebook = executed("1")
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", name="stderr", text="Exception in thread T:\n" + TRACE)]
    assert verdict(notebook, tmp_path).reason == "standard error of cell 2: ValueError: lost"
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=TRACE)]
    assert verdict(notebook, tmp_path).verdict == "passed"


def test_what_the_kernel_caught_counts_once(tmp_path):
    notebook = executed("1")
    notebook.metadata["reidkit"] = {
        "swallowed": [{"where": "thread T", "type": "ValueError", "message": "lost"}],
        "device": "cpu",
    }
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", name="stderr", text=TRACE)]
    assert [str(f) for f in read_outcome(notebook).swallowed] == ["thread T: ValueError: lost"]
    assert verdict(notebook, tmp_path).verdict == "swallowed"


@pytest.mark.parametrize(
    ("status", "stopped", "expected"),
    [(138, "", "died"), (-9, "", "died"), (None, "timeout", "timeout"), (None, "interrupted", "interrupted"), (70, "", "failed")],
)
def test_the_end_of_the_process_decides_before_the_file_does(tmp_path, status, stopped, expected):
    notebook = executed("train()", "2")
    notebook.cells[1].metadata["papermill"]["status"] = "running"
    notebook.cells[2].metadata["papermill"]["start_time"] = None
    said = verdict(notebook, tmp_path, status, stopped, log="first\nNo space left on device")
    assert said.verdict == expected
    assert ("No space left" if status == 70 else "in cell 2 (`train()`)") in said.reason


def test_figures_are_read_and_unreadable_ones_complained_about():
    notebook = executed("1", "2")
    notebook.cells[1].outputs = [figure(name="map", value=0.5, unit="fraction"), figure(name="map", value=0.9, unit="fraction")]
    notebook.cells[2].outputs = [figure(value=1), figure(name="x", value="high"), figure(name="y", value=float("nan"))]
    reading = read_outcome(notebook)
    assert [dict(metric) for metric in reading.metrics] == [{"name": "map", "value": 0.5, "unit": "fraction"}]
    assert len(reading.complaints) == 4


def test_stripping_takes_script_copies_and_paths_and_leaves_the_rest():
    notebook = widget_state(
        executed("1"), a=("AnyModel", {"_esm": "x" * (LARGE_SCRIPT + 1), "value": 3}), b=("AnyModel", {"_esm": "y"})
    )
    notebook.metadata["papermill"] = {"input_path": "somewhere", "output_path": "there", "version": "2"}
    strip_notebook(notebook)
    states = notebook.metadata["widgets"][WIDGET_STATE]["state"]
    assert states["a"]["state"] == {"_esm": "", "value": 3} and states["b"]["state"]["_esm"] == "y"
    assert notebook.metadata["papermill"] == {"version": "2"}
