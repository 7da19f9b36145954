"""A misspelt option, or a misspelt value of one, is refused where it is given: it never counts as the default."""

import dataclasses

import jaxtyping
import numpy as np
import pytest

from reidkit.errors import ReidkitError
from reidkit.methods import all_methods, list_options, recipe
from reidkit.methods.canu import CANU
from reidkit.methods.ssg import SSG
from reidkit.published import PUBLISHED
from tests.toys import toy_records

NAMED_ELSEWHERE = {"draw", "view"}  # samplers and views, which their own rooms refuse by name
FIELDS = [(method, name) for method in all_methods() for name in type(recipe(method)).choices()]


@pytest.fixture(autouse=True)
def as_a_user_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the type checks that only tests have, which would refuse first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("method", all_methods())
def test_every_option_that_is_a_word_names_its_words(method: str) -> None:
    made = recipe(method)
    words = {field.name for field in dataclasses.fields(made) if isinstance(field.default, str)}
    assert words - NAMED_ELSEWHERE <= set(made.choices())


@pytest.mark.parametrize(("method", "name"), FIELDS)
def test_a_misspelt_value_is_refused_and_the_near_one_named(method: str, name: str) -> None:
    known, many = type(recipe(method)).choices()[name], isinstance(getattr(recipe(method), name), tuple)
    for value in known:
        assert getattr(recipe(method, **{name: (value,) if many else value}), name) == ((value,) if many else value)
    wrong = f"{known[-1]}x"
    with pytest.raises(ReidkitError, match=rf"{name}='{wrong}'(.|\n)*{name} is one of(.|\n)*{known[-1]}"):
        recipe(method, **{name: (known[0], wrong) if many else wrong})


def test_a_misspelt_option_is_refused_wherever_a_method_is_made() -> None:
    with pytest.raises(ReidkitError, match=r"'clusterin'(.|\n)*'clustering'"):
        recipe("MMT", clusterin="kmeans")
    records = toy_records(people=4)
    with pytest.raises(ReidkitError, match=r"'condishion'(.|\n)*'condition'"):
        CANU(SSG.toy(records, records.train.blind()), ("full",), 256, 3, condishion="none")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_run_refuses_a_misspelt_option(name: str) -> None:
    with pytest.raises(ReidkitError, match="no option 'klusters'"):
        PUBLISHED[name].build(3, np.arange(4), "tiny", 0, klusters=3)


def test_the_table_of_options_has_their_values() -> None:
    table = list_options("CANU")
    assert table.loc["condition", "choices"] == "'centroid', 'none', 'feature'" and table.loc["mu", "choices"] == ""
