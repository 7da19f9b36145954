"""The lessons as files: stripped, paired with their sources, short cells, one cell of literal parameters."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode

from reidkit.errors import RunnerError
from reidkit.runner.parameters import TAG, read_parameters
from tests.tiny_notebooks import PARAMETERS, make_notebook

FOLDER = Path(__file__).parent.parent / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
MOST_LINES = 25
EVERY_LESSON_HAS = {"profile": str, "seed": int, "out": str}
KEPT_METADATA = {"kernelspec", "jupytext", "language_info"}
KEPT_CELL_METADATA = {"tags", "lines_to_next_cell"}  # the second one is how jupytext remembers blank lines


def faults_of(path: Path, notebook: NotebookNode, paired: NotebookNode | None) -> list[str]:
    """Every rule that a lesson breaks, in words; empty for a good one."""
    return [
        *_name(path),
        *_outputs(notebook),
        *_cells(notebook),
        *_parameters(path, notebook),
        *_magics(notebook),
        *_pair(notebook, paired),
    ]


def _name(path: Path) -> list[str]:
    return [] if re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", path.name) else ["its name is not NN_name.ipynb"]


def _outputs(notebook: NotebookNode) -> list[str]:
    faults = [f"metadata {key!r}" for key in notebook.metadata if key not in KEPT_METADATA]
    kernel = notebook.metadata.get("kernelspec", {})
    if (kernel.get("name"), kernel.get("language")) != ("python3", "python"):
        faults.append("its kernel is not python3 with language python")
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            faults.append(f"cell {number} has outputs")
        if set(cell.metadata) - KEPT_CELL_METADATA:
            faults.append(f"cell {number} has metadata {sorted(set(cell.metadata) - {'tags'})}")
    return faults


def _cells(notebook: NotebookNode) -> list[str]:
    long = [(number, len(cell.source.splitlines())) for number, cell in enumerate(notebook.cells, 1)]
    empty = [f"cell {number} is empty" for number, cell in enumerate(notebook.cells, 1) if not cell.source.strip()]
    return [f"cell {number} has {count} lines" for number, count in long if count > MOST_LINES] + empty


def _parameters(path: Path, notebook: NotebookNode) -> list[str]:
    try:
        declared = read_parameters(notebook, path.name)
    except RunnerError as error:
        return [error.what]
    kinds = {name: declared[name].kind for name in EVERY_LESSON_HAS if name in declared}
    faults = [] if kinds == EVERY_LESSON_HAS else [f"its parameters are not {EVERY_LESSON_HAS}: {kinds}"]
    return faults + [f"parameter {name} has no value" for name, parameter in declared.items() if parameter.required]


def _magics(notebook: NotebookNode) -> list[str]:
    """Code that is not Python: magics and shell commands."""
    faults = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            try:
                ast.parse(cell.source)
            except SyntaxError:
                faults.append(f"cell {number} is not plain Python")
    return faults


def _pair(notebook: NotebookNode, paired: NotebookNode | None) -> list[str]:
    if paired is None:
        return ["there is no .py beside it"]
    ours, theirs = [[_content(cell) for cell in one.cells] for one in (notebook, paired)]
    differing = [number for number, (a, b) in enumerate(zip(ours, theirs), 1) if a != b]
    if len(ours) != len(theirs) or differing:
        first = differing[0] if differing else min(len(ours), len(theirs)) + 1
        return [f"cell {first} differs from the .py; run `make sync`"]
    return []


def _content(cell: NotebookNode) -> tuple[str, str, tuple[str, ...]]:
    return cell.cell_type, cell.source.strip(), tuple(cell.metadata.get("tags", []))


def _read_pair(path: Path) -> NotebookNode | None:
    source = path.with_suffix(".py")
    return jupytext.read(source, fmt="py:percent") if source.is_file() else None


def test_there_are_lessons_and_no_source_without_one():
    assert len(LESSONS) >= 2
    assert {path.stem for path in FOLDER.glob("*.py")} == {path.stem for path in LESSONS}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_keeps_the_rules(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert faults_of(path, notebook, _read_pair(path)) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_its_source_says_how_it_is_paired(path):
    text = path.with_suffix(".py").read_text(encoding="utf-8")
    header = jupytext.read(path.with_suffix(".py")).metadata["jupytext"]
    assert header["text_representation"]["format_name"] == "percent" and "ipynb,py:percent" in text


def test_lessons_are_clean_to_ruff():
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *words, str(FOLDER)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]


class TestTheRules:
    """Each rule catches its fault."""

    @staticmethod
    def good() -> NotebookNode:
        notebook = make_notebook(["x = 1"], parameters=PARAMETERS, markdown="# Title")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        return notebook

    def faults(self, change) -> list[str]:
        notebook = self.good()
        path = change(notebook) or FOLDER / "07_some_lesson.ipynb"
        return faults_of(path, notebook, jupytext.reads(jupytext.writes(notebook, fmt="py:percent"), fmt="py:percent"))

    def test_a_good_lesson_has_no_fault(self):
        assert self.faults(lambda notebook: None) == []

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda n: FOLDER / "lesson.ipynb", "NN_name"),
            (lambda n: n.cells[2].update(execution_count=1), "cell 3 has outputs"),
            (lambda n: n.cells[2].outputs.append(nbformat.v4.new_output("stream", text="x")), "cell 3 has outputs"),
            (lambda n: n.metadata.update(widgets={}), "metadata 'widgets'"),
            (lambda n: n.cells[2].metadata.update(papermill={}), "cell 3 has metadata"),
            (lambda n: n.metadata.pop("kernelspec") and None, "kernel"),
            (lambda n: n.cells[2].update(source="x = 1\n" * 26), "cell 3 has 26 lines"),
            (lambda n: n.cells[2].update(source=""), "cell 3 is empty"),
            (lambda n: n.cells[1].metadata.update(tags=[]), "parameters are not"),
            (lambda n: n.cells[1].update(source=PARAMETERS + "\nimport os"), "is not `name = literal`"),
            (lambda n: n.cells[1].update(source=PARAMETERS.replace("int = 0", "str = '0'")), "parameters are not"),
            (lambda n: n.cells[1].update(source=PARAMETERS + "\nlimit: int = None"), "limit has no value"),
            (lambda n: n.cells[2].metadata.update(tags=[TAG]), "2 cells carry"),
            (lambda n: n.cells[2].update(source="!pip install x"), "not plain Python"),
            (lambda n: n.cells[2].update(source="%matplotlib inline"), "not plain Python"),
        ],
    )
    def test_a_planted_fault_is_named(self, change, fault):
        assert [said for said in self.faults(change) if fault in said]

    def test_a_source_out_of_step_or_missing_is_named(self):
        notebook, other = self.good(), self.good()
        other.cells[2].source = "x = 2"
        assert "cell 3 differs" in faults_of(FOLDER / "07_a.ipynb", notebook, other)[0]
        other = self.good()
        other.cells.append(nbformat.v4.new_code_cell("more = 1"))
        assert "cell 4 differs" in faults_of(FOLDER / "07_a.ipynb", notebook, other)[0]
        assert "no .py" in faults_of(FOLDER / "07_a.ipynb", notebook, None)[0]
