"""The lesson room: card, predictions, progress, records, and the object that a notebook talks to."""

import json
import tomllib
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from reidkit.errors import LessonError, StorageError
from reidkit.lesson import Lesson
from reidkit.lesson.card import card_html, card_text, machine_time
from reidkit.lesson.catalogue import Entry, entries, find_entry
from reidkit.lesson.checks import judge
from reidkit.lesson.display import without_docstring
from reidkit.lesson.predictions import Question, control, reveal_html
from reidkit.lesson.progress import Progress
from reidkit.lesson.record import METRIC_MIME, metric
from reidkit.lesson.recorded import recorded_seconds, take_in
from reidkit.show.picture import Picture, new_figure
from reidkit.show.widget import View
from tests.faults import files_no_longer_than

CHOICE = Question("which", "Which?", ("up", "down"))
NUMBER = Question("how", "How much?", between=(0.0, 100.0), unit="%")


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, as mime bundles or objects."""
    seen = []

    def keep(thing, raw=False):
        seen.append(thing)

    for module in ("display", "lesson", "record"):
        monkeypatch.setattr(f"reidkit.lesson.{module}.display", keep)
    return seen


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    monkeypatch.setenv("REIDKIT_PROGRESS", str(tmp_path / "mine" / "progress.json"))
    monkeypatch.delenv("REIDKIT_HEADLESS", raising=False)
    return Lesson.open("01", profile="smoke", seed=3, out=tmp_path / "out")


# --------------------------------------------------------------------------------------------------------- catalogue


def test_catalogue_keeps_the_standard_of_a_lesson():
    raw = tomllib.loads((files("reidkit.lesson") / "catalogue.toml").read_text())
    assert list(raw) == [entry.slug for entry in entries()]
    for entry in entries():
        assert 1 <= len(entry.objectives) <= 4 and entry.promise.endswith(".") and entry.reading_minutes > 0
        assert all(objective[0].islower() and " " in objective for objective in entry.objectives)
        assert entry.papers and set(entry.slow) == {"smoke", "demo", "full"}


@pytest.mark.parametrize("name", [1, "01", "01_task_metrics_traps"])
def test_a_lesson_is_found_by_number_or_slug(name):
    assert find_entry(name).slug == "01_task_metrics_traps"


def test_an_unknown_lesson_names_the_nearest():
    with pytest.raises(LessonError, match="01_task_metrics_traps"):
        find_entry("01_task_metric_trap")
    with pytest.raises(LessonError, match="profile"):
        Lesson.open("01", profile="demonstration")


# -------------------------------------------------------------------------------------------------------------- card


def test_card_escapes_everything():
    evil = "<img src=x onerror=alert(1)>"
    entry = Entry(f"99_{evil}", evil, evil, (evil,), (evil,), 5, ((evil, 2020),), {})
    html = card_html(entry, {})
    assert "<img" not in html and html.count("&lt;img") >= 5


def test_card_says_what_is_and_is_not_recorded():
    assert machine_time({"smoke": 12.4}) == "smoke 12 s · demo not yet recorded · full not yet recorded"
    text = card_text(find_entry("06"), {})
    assert "not yet recorded" in text and "Direct" not in text and find_entry("06").title in text


def test_recorded_seconds_come_from_runs_that_passed(tmp_path):
    file = tmp_path / "recorded.json"
    assert recorded_seconds("01_a", file) == {}
    for name, verdict, seconds in (("01_a", "passed", 12.345), ("02_b", "failed", 3.0)):
        folder = tmp_path / "run" / name
        folder.mkdir(parents=True)
        record = {"notebook": f"{name}.ipynb", "profile": "smoke", "verdict": verdict, "seconds": seconds}
        (folder / "record.json").write_text(json.dumps(record))
    take_in([tmp_path / "run"], file)
    record = {"notebook": "01_a.ipynb", "profile": "demo", "verdict": "passed", "seconds": 99.0}
    (tmp_path / "run" / "01_a" / "record.json").write_text(json.dumps(record))
    take_in([tmp_path / "run"], file)
    assert json.loads(file.read_text()) == {"01_a": {"smoke": 12.3, "demo": 99.0}}
    assert recorded_seconds("01_a", file) == {"smoke": 12.3, "demo": 99.0}


# ------------------------------------------------------------------------------------------------------- predictions


@pytest.mark.parametrize("bad", [{"choices": ("one",)}, {"choices": ("a", "a")}, {"between": (1.0, 1.0)}, {}])
def test_a_question_offers_something(bad):
    with pytest.raises(LessonError, match="offers"):
        Question("k", "?", **bad)


def test_a_choice_is_kept_when_it_is_made():
    kept = []
    box = control(CHOICE, None, kept.append)
    assert "Not answered" in box.children[2].value and box.children[1].value is None
    box.children[1].value = "down"
    assert kept == ["down"] and "Kept: down" in box.children[2].value


def test_a_number_is_kept_on_the_button():
    kept = []
    box = control(NUMBER, 20.0, kept.append)
    field, button = box.children[1].children
    field.value = 55
    assert kept == []
    button.click()
    assert kept == [55.0] and "55" in box.children[2].value


def test_a_failing_store_is_told_in_the_widget():
    def fail(_):
        raise OSError("disk <full>")

    box = control(CHOICE, None, fail)
    with pytest.raises(OSError, match="full"):
        box.children[1].value = "up"
    assert "Not kept: disk &lt;full&gt;" in box.children[2].value


@pytest.mark.parametrize(
    ("question", "answer", "outcome", "says"),
    [
        (CHOICE, "up", "up", "As predicted."),
        (CHOICE, "up", "down", "Not as predicted."),
        (CHOICE, None, "down", "No prediction."),
        (NUMBER, 41.0, 45.0, "Close."),
        (NUMBER, 10.0, 45.0, "Not as predicted."),
        (NUMBER, 10.0, 145.0, "Not as predicted."),
        (NUMBER, None, 45.0, "No prediction."),
    ],
)
def test_reveal_is_honest(question, answer, outcome, says):
    html, text = reveal_html(question, answer, outcome, "Because & so.")
    assert text.startswith(says) and question.say(outcome) in text and "Because &amp; so." in html


def test_reveal_refuses_an_outcome_that_was_never_offered():
    for question, outcome in ((CHOICE, "sideways"), (CHOICE, 1.0), (NUMBER, "up")):
        with pytest.raises(LessonError, match="came out as"):
            reveal_html(question, None, outcome, "")


def test_predict_run_reveal_with_the_students_own_file(lesson, shown, tmp_path):
    lesson.predict("which", "Which?", choices=["up", "down"])
    shown[0].children[1].value = "up"
    lesson.reveal("which", "down", tell="Gravity.")
    assert shown[1]["text/plain"].startswith("Not as predicted. You predicted: up.")
    stored = json.loads((tmp_path / "mine" / "progress.json").read_text())["lessons"]["01"]["predict:which"]
    assert (stored["answer"], stored["outcome"], stored["profile"], stored["seed"]) == ("up", "down", "smoke", 3)
    again = Lesson.open("01", profile="smoke")
    again.predict("which", "Which?", choices=["up", "down"])
    assert shown[-1].children[1].value == "up"
    again.predict("which", "Which now?", choices=["left", "right"])
    assert shown[-1].children[1].value is None


def test_headless_asks_nothing_and_leaves_the_students_file_alone(tmp_path, monkeypatch, shown):
    monkeypatch.setenv("REIDKIT_HEADLESS", "1")
    monkeypatch.setenv("REIDKIT_PROGRESS", str(tmp_path / "progress.json"))
    lesson = Lesson.open("01", profile="smoke")
    lesson.predict("how", "How <much>?", between=(0, 1))
    lesson.reveal("how", np.float32(0.25))
    lesson.attempt("01-warmup", lambda correct: None)
    assert "no prediction" in shown[0]["text/plain"] and "&lt;much&gt;" in shown[0]["text/html"]
    assert shown[1]["text/plain"] == "No prediction. It came out as: 0.25."
    assert list(tmp_path.iterdir()) == []


def test_reveal_needs_its_question(lesson):
    with pytest.raises(LessonError, match="predict comes before reveal"):
        lesson.reveal("never-asked", "up")


# ---------------------------------------------------------------------------------------------------------- progress


def test_progress_survives_and_merges(tmp_path):
    path = tmp_path / "deep" / "progress.json"
    Progress(path).put("01", "a", answer=1)
    Progress(path).put("01", "a", outcome=2)
    Progress(path).put("06", "b", answer="x")
    entry = Progress(path).get("01", "a")
    assert entry.pop("when") and entry == {"answer": 1, "outcome": 2}
    Progress(path).forget("01")
    assert Progress(path).get("01", "a") == {} and Progress(path).get("06", "b")["answer"] == "x"


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99, "lessons": {}}', '{"version": 1, "lessons": []}'])
def test_a_damaged_file_is_kept_aside(tmp_path, text, caplog):
    path = tmp_path / "progress.json"
    path.write_text(text)
    Progress(path).put("01", "a", answer=1)
    assert Progress(path).get("01", "a")["answer"] == 1
    assert (tmp_path / "progress.damaged.json").read_text() == text and "cannot be read" in caplog.text


def test_a_failing_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "progress.json"
    progress = Progress(path)
    progress.put("01", "a", answer=1)
    before = path.read_text()
    with files_no_longer_than(50), pytest.raises(StorageError, match=r"progress\.json cannot be written"):
        progress.put("01", "a", answer="x" * 50)
    assert path.read_text() == before and not list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*partial"))


# ----------------------------------------------------------------------------------------------------------- records


def test_a_figure_is_plain_json():
    assert metric("map", np.float32(0.5), "fraction", "higher") == {
        "name": "map",
        "value": 0.5,
        "unit": "fraction",
        "direction": "higher",
    }
    assert metric("n", np.int64(7), "images") == {"name": "n", "value": 7, "unit": "images"}
    assert metric("n", True, "yes")["value"] == 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", None, np.array([1.0, 2.0])])
def test_a_figure_is_a_finite_number(value):
    with pytest.raises(LessonError, match="finite number"):
        metric("x", value, "u")


def test_an_unknown_direction_is_refused():
    with pytest.raises(LessonError, match="direction"):
        metric("x", 1.0, "u", "up")


def test_record_shows_the_mime_type_that_the_runner_reads(lesson, shown):
    lesson.record("map_target", 0.25, "fraction", "higher")
    assert shown[0][METRIC_MIME] == {"name": "map_target", "value": 0.25, "unit": "fraction", "direction": "higher"}
    assert shown[0]["text/plain"] == "recorded: map_target = 0.25 fraction"
    assert lesson.figures["map_target"]["value"] == 0.25


# ------------------------------------------------------------------------------------------------- exercises and page


def test_attempt_returns_the_students_function_only_when_it_is_right(lesson, shown):
    def right(correct):
        found = [(n + 1) / r for n, r in enumerate(np.flatnonzero(correct) + 1)]
        return sum(found) / len(found) if found else float("nan")

    def wrong(correct):
        return 1.0

    assert lesson.attempt("01-warmup", right) is right and "✔" in shown[-1]["text/html"]
    library = lesson.attempt("01-warmup", wrong)
    assert library is not wrong and judge(lesson.exercises()[0], library).passed
    assert "goes on with the library's function" in shown[-1]["text/plain"]
    assert lesson.attempt("01-warmup", lambda correct: ...) is library
    assert lesson.progress.get("01", "exercise:01-warmup")["state"] == "wrong"


def test_an_unknown_exercise_names_the_nearest(lesson):
    with pytest.raises(LessonError, match="01-core"):
        lesson.exercise("01-cor")


def test_exercise_and_solution_are_folded(lesson, shown):
    lesson.exercise("01-core")
    lesson.solution("01-core")
    assert shown[0]["text/html"].count("<details") == 3 and "core, about 15 minutes" in shown[0]["text/plain"]
    assert shown[1]["text/html"].count("<details") == 1 and "def query_average_precision" in shown[1]["text/plain"]


def test_source_shows_the_very_code(lesson, shown):
    lesson.source(metric)
    assert "def metric(" in shown[0]["text/plain"] and "reidkit.lesson.record.metric" in shown[0]["text/html"]


def test_a_docstring_is_left_out_and_nothing_else():
    code = 'def f(x):\n    """Words\n    and more."""\n    # why\n    return "a" + x\n'
    assert without_docstring(code) == 'def f(x):\n    # why\n    return "a" + x\n'
    assert without_docstring('def f():\n    """Only words."""\n') == 'def f():\n    """Only words."""\n'
    assert without_docstring("def f():\n    return 1\n") == "def f():\n    return 1\n"


def test_a_figure_has_a_text_description(lesson, shown):
    figure = new_figure(2.0, 1.0)
    figure.subplots().plot([0, 1])
    lesson.figure(figure, 'A rising "line" <here>.')
    html = shown[0]._repr_mimebundle_()["text/html"]
    assert 'alt="A rising &quot;line&quot; &lt;here&gt;."' in html and "data:image/png;base64," in html


class Dial(View):
    """A widget with the faces that a lesson asks for."""

    def controls(self):
        return {}

    def data(self):
        return pd.DataFrame({"x": [3]})

    def static(self):
        return Picture(new_figure(1.0, 1.0), "A dial.")

    def describe(self):
        return "It stands at 3 < 4."


def test_a_widget_shows_its_twin_and_a_sentence_where_nobody_can_turn_it(lesson, shown, monkeypatch):
    monkeypatch.setenv("REIDKIT_HEADLESS", "1")
    lesson.show(Dial())
    assert isinstance(shown[0], Picture) and "3 &lt; 4" in shown[1]["text/html"]


def test_a_live_widget_says_its_sentence_itself(lesson, shown):
    lesson.show(Dial())
    assert len(shown) == 1 and any("3 &lt; 4" in getattr(child, "value", "") for child in shown[0].children)


def test_setup_twice_is_setup_once(lesson, shown):
    lesson.setup()
    first = np.random.random()
    lesson.setup()
    assert np.random.random() == first
    assert len(shown[0]["text/plain"].splitlines()) == 4 and "profile smoke · seed 3" in shown[0]["text/plain"]


def test_card_is_shown(lesson, shown):
    lesson.card()
    assert "Title card" in shown[0]["text/html"] and lesson.entry.title in shown[0]["text/plain"]


def test_the_run_folder_has_a_default():
    lesson = Lesson.open(6, profile="smoke", seed=2)
    assert lesson.out.parts == ("runs", "06_first_adaptation", "smoke-2")
