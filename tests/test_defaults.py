"""docs/defaults.md is what the docstrings say, and a default without a source is found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest

from reidkit.errors import ReidkitError
from reidkit.labels import ClusterSettings
from reidkit.methods import all_methods, list_options
from reidkit.published import PUBLISHED

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "data_scripts"))
    import defaults_table as module  # type: ignore[import-not-found]

    return module


@dataclass(frozen=True)
class Silent(ClusterSettings):
    """A recipe that says too little.

    Args:
        told: has both. [paper: 3.1]
        half: has a sentence only.
    """

    told: int = 1
    half: int = 2
    untold: int = 3
    rho: float = 0.5


def test_the_page_is_what_the_code_says(script: ModuleType) -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run python data_scripts/defaults_table.py"
    assert "docs/defaults.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_default_has_a_source_and_a_decider(script: ModuleType) -> None:
    found = {rows[0].of: rows for rows in script.recipe_defaults()}
    assert set(found) == set(all_methods())
    for method, rows in found.items():
        assert [row.name for row in rows] == list(list_options(method).index)
        assert all(row.decided in ("paper", "code", "ours") and row.source and row.meaning for row in rows)
    runs = {rows[0].of: {row.name: row for row in rows} for rows in script.published_defaults()}
    assert set(runs) == set(PUBLISHED) and all(set(rows) == set(script.SETTINGS) for rows in runs.values())
    assert runs["CANU-MMT"]["backbone"].value == "'resnet50-ibn-a'" and runs["SSG"]["learning_rate"].value == "6e-05"
    assert runs["Learn by Guessing"]["learning_rate"].decided == "ours"


def test_undocumented_fields_fail_by_name(script: ModuleType) -> None:
    """A field without a line, one without a source, and one whose default was changed without a word."""
    with pytest.raises(ReidkitError) as caught:
        script.defaults_of("Silent", Silent())
    message = str(caught.value)
    assert all(f"Silent.{name}" in message for name in ("half", "untold", "rho"))
    assert "Silent.told" not in message and "ClusterSettings" not in message


def test_a_derived_recipe_may_say_its_own_source_of_what_it_inherits(script: ModuleType) -> None:
    @dataclass(frozen=True)
    class Said(ClusterSettings):
        """As above.

        Args:
            k1: again. [ours: here]
        """

    found = {row.name: row for row in script.defaults_of("Said", Said())}
    assert (found["k1"].source, found["k1"].value) == ("here", "20") and found["k2"].decided == "code"


def test_a_published_setting_without_a_source_fails(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = PUBLISHED["LF2"]
    lame = replace(entry, said={name: said for name, said in entry.said.items() if name != "epochs"})
    monkeypatch.setitem(PUBLISHED, "LF2", lame)
    with pytest.raises(ReidkitError, match="epochs of LF2"):
        list(script.published_defaults())


def test_one_line_serves_the_names_before_its_colon_and_runs_on(script: ModuleType) -> None:
    found = script.entries(ClusterSettings)
    assert found["k1"] == found["k2"] and found["distance"].endswith("]") and "readings of Learn by Guessing" in found["distance"]
    assert script.owner(Silent, "rho") is Silent and script.owner(Silent, "eps") is ClusterSettings
