"""Parameters are read by syntax and checked before a kernel starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidkit.errors import RunnerError
from reidkit.runner.parameters import bind, read_parameters
from tests.tiny_notebooks import PARAMETERS, make_notebook

CELL = """
"A word about them."
profile: str = "demo"
seed: int = 0
eps: float = 0.6
flip: bool = False
steps = 40
names: list[str] = []
method: Literal["plain", "mmt"] = "plain"
limit: int | None = None
table: str = None
anything = None
"""


def declared(cell: str):
    return read_parameters(make_notebook([], parameters=cell), "lesson.ipynb")


def refusal(cell: str, **given_values: str) -> str:
    with pytest.raises(RunnerError) as caught:
        bind(declared(cell), given_values, "lesson.ipynb")
    return str(caught.value)


def test_declarations_are_read_without_running_anything():
    found = declared(CELL)
    assert {name: p.kind for name, p in found.items()} == {
        "profile": str,
        "seed": int,
        "eps": float,
        "flip": bool,
        "steps": int,
        "names": list,
        "method": str,
        "limit": int,
        "table": str,
        "anything": None,
    }
    assert [name for name, p in found.items() if p.required] == ["table", "anything"]
    assert found["method"].choices == ("plain", "mmt")


def test_values_are_parsed_to_the_declared_types():
    values = bind(
        declared(CELL),
        {
            "seed": "7",
            "eps": "1",
            "flip": "true",
            "steps": "80",
            "names": "['a', 'b']",
            "method": "mmt",
            "limit": "None",
            "table": "12",
            "anything": "{1: 2}",
        },
        "lesson.ipynb",
    )
    assert values == {
        "profile": "demo",
        "seed": 7,
        "eps": 1.0,
        "flip": True,
        "steps": 80,
        "names": ["a", "b"],
        "method": "mmt",
        "limit": None,
        "table": "12",
        "anything": {1: 2},
    }
    assert isinstance(values["eps"], float)
    assert values["table"] == "12"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed", "seven"),
        ("seed", "1.5"),
        ("steps", "true"),
        ("eps", "small"),
        ("flip", "1"),
        ("names", "a,b"),
        ("names", "(1,"),
        ("names", "{'a': 1}"),
        ("method", "canu"),
        ("limit", "few"),
    ],
)
def test_a_mistyped_value_is_refused_with_what_is_wanted(name, text):
    message = refusal(CELL, table="x", anything="1", **{name: text})
    assert f"parameter {name}={text!r} should be" in message and "lesson.ipynb" in message


def test_an_unknown_name_is_refused_with_the_nearest_ones():
    assert "parameter 'sede' is unknown. Did you mean 'seed'" in refusal(PARAMETERS, sede="1")
    assert "It has no parameters" in refusal("", seed="1")


def test_all_faults_are_named_at_once_and_missing_ones_too():
    message = refusal(CELL, sede="1", eps="small")
    assert all(
        part in message for part in ("'sede' is unknown", "eps='small'", "'table' has no value", "'anything' has no value")
    )


@pytest.mark.parametrize(
    "cell",
    ["import os", "seed = os.getpid()", "a = b = 1", "seed: int", "for x in []: pass", "x = [i for i in 'ab']", "a, b = 1, 2"],
)
def test_a_cell_that_is_not_literals_is_refused_by_line(cell):
    with pytest.raises(RunnerError, match=r"line 2 of the parameters cell"):
        declared("first = 1\n" + cell)


def test_two_parameters_cells_are_refused():
    notebook = make_notebook([], parameters="a = 1")
    notebook.cells += make_notebook([], parameters="b = 1").cells
    with pytest.raises(RunnerError, match="2 cells carry the tag"):
        read_parameters(notebook, "lesson.ipynb")


@given(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.text(),
        st.lists(st.integers() | st.text()),
    )
)
def test_any_literal_default_survives_and_its_own_text_parses_back(value):
    parameter = declared(f"x = {value!r}")["x"]
    assert parameter.default == value and type(parameter.default) is type(value)
    text = value if isinstance(value, str) else repr(value)
    assert parameter.parse(text) == value
