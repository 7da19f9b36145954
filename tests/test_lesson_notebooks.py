"""The lessons as lessons: what every notebook offers to the one who learns from it, read from its cells alone."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from reidkit.lesson.catalogue import entries, find_entry
from reidkit.lesson.exercises import exercises_of
from reidkit.lesson.pairing import differing, main, notebook_text

FOLDER = Path(__file__).parent.parent / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
MOST_SECTIONS = 7
SOURCE = """# %% [markdown]
# # Title

# %% tags=["parameters"]
profile: str = "demo"

# %%
x = 1

# %%
x = 1
"""


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return Cells(request.param)


class Cells:
    """A notebook's code and text, and the calls of ``lesson.*`` in order."""

    def __init__(self, path):
        self.path = path
        cells = nbformat.read(path, as_version=4).cells
        self.text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        self.code = "\n\n".join(cell.source for cell in cells if cell.cell_type == "code")
        nodes = [node for node in ast.walk(ast.parse(self.code)) if isinstance(node, ast.Call)]
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
        self.calls = [(node.func.attr, node) for node in nodes if _of_lesson(node.func)]

    def keys(self, name):
        """First arguments of the calls of ``lesson.<name>``, where they are literal."""
        firsts = [node.args[0] for called, node in self.calls if called == name and node.args]
        return [first.value for first in firsts if isinstance(first, ast.Constant)]

    def count(self, name):
        return sum(called == name for called, _ in self.calls)


def _of_lesson(function):
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "lesson"


def test_every_lesson_has_an_entry_and_every_entry_a_lesson():
    assert [path.stem for path in LESSONS] == [entry.slug for entry in entries()]


def test_title_and_set_up(lesson):
    entry = find_entry(lesson.path.stem)
    assert lesson.text.startswith(f"# {entry.number} · {entry.title}")
    assert re.search(rf'Lesson\.open\("{entry.number}", profile=profile, seed=seed, out=out\)', lesson.code)
    assert [name for name, _ in lesson.calls[:2]] == ["setup", "card"]


def test_sections(lesson):
    sections = re.findall(r"^## (.+)$", lesson.text, re.MULTILINE)
    assert 3 <= len(sections) <= MOST_SECTIONS
    assert any("Where it breaks" in section for section in sections)


def test_what_is_predicted_is_revealed(lesson):
    predicted, revealed = lesson.keys("predict"), lesson.keys("reveal")
    assert len(predicted) >= 2 and predicted == revealed


def test_three_exercises_each_with_hints_an_attempt_and_a_solution(lesson):
    wanted = {exercise.key for exercise in exercises_of(lesson.path.stem[:2])}
    assert len(wanted) == 3
    for name in ("exercise", "attempt", "solution"):
        assert sorted(lesson.keys(name)) == sorted(wanted), name


def test_stubs_are_empty(lesson):
    """Nobody finds a solution in the notebook."""
    stubs = [node for node in ast.parse(lesson.code).body if isinstance(node, ast.FunctionDef) and node.name.startswith("my_")]
    assert len(stubs) == 3
    assert all(isinstance(line, ast.Expr | ast.Raise) for stub in stubs for line in stub.body)


def test_summary_and_four_folded_questions(lesson):
    last = lesson.text.split("\n## ")[-1]
    assert len(re.findall(r"^\d\. ", last, re.MULTILINE)) == 5
    assert last.count("<details><summary>") == last.count("</details>") == 4


def test_widget_source_and_figures(lesson):
    assert lesson.count("show") >= 1 and lesson.count("record") >= 3
    assert lesson.count("source") >= 1 or "$$" not in lesson.text  # a displayed equation stands beside its code
    assert "pyplot" not in lesson.code and "plt." not in lesson.code


def test_every_figure_has_words(lesson):
    for name, node in lesson.calls:
        assert name != "figure" or len(node.args) == 2


def test_a_record_name_is_a_word(lesson):
    for name in lesson.keys("record"):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name


def test_links_between_lessons_lead_somewhere(lesson):
    for target in re.findall(r"\]\((\d\d_[^)#]+)", lesson.text):
        assert (FOLDER / target).is_file(), target


# ----------------------------------------------------------------------------------------------------------- pairing


def test_notebooks_are_what_their_sources_give():
    assert differing(sorted(FOLDER.glob("[0-9][0-9]_*.py"))) == []


def test_the_same_source_gives_the_same_bytes_and_unequal_ids():
    text = notebook_text(SOURCE)
    assert text == notebook_text(SOURCE)
    notebook = nbformat.reads(text, as_version=4)
    assert len({cell["id"] for cell in notebook.cells}) == 4
    assert notebook.cells[1].metadata["tags"] == ["parameters"] and notebook.metadata.kernelspec.language == "python"


def test_a_changed_cell_changes_one_id():
    before, after = (nbformat.reads(notebook_text(s), as_version=4) for s in (SOURCE, SOURCE.replace("# # Title", "# # Other")))
    assert [a["id"] == b["id"] for a, b in zip(before.cells, after.cells)] == [False, True, True, True]


def test_check_says_which_notebook_is_stale(tmp_path, caplog):
    source = tmp_path / "07_a.py"
    source.write_text(SOURCE)
    assert main(["--check", str(source)]) == 1 and "07_a.ipynb" in caplog.text
    assert main([str(source)]) == 0
    assert main(["--check", str(source)]) == 0
    source.write_text(SOURCE + "\n# %%\ny = 2\n")
    assert main(["--check", str(source)]) == 1
