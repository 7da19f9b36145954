"""Two runs over the same images, and tables on disk."""

import csv

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from reidkit.diagnose import diagnose
from reidkit.diagnose.counts import as_singletons
from reidkit.diagnose.text import plain
from reidkit.errors import DiagnosisError

IDENTITY = np.repeat([1, 2, 3, 4], 4)
CAMERA = np.tile([0, 1], 8)
BEFORE = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, -1, -1, -1, 2, 2, 2, 2])
AFTER = np.array([5, 5, 5, 5, -1, -1, -1, -1, 6, 6, 6, 6, 7, 7, 8, 8])
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a\nb\x07.png",
    '"quoted", comma',
    "\u202egnp.exe",
    "-1+1",
    "\udcff.png",
    "@x",
]


def test_gained_lost_moved_and_same_identities() -> None:
    found = diagnose(BEFORE, CAMERA, identities=IDENTITY).compare(diagnose(AFTER, CAMERA, identities=IDENTITY))
    people = found.identities.set_index("identity")
    assert people["change"].to_dict() == {3: "gained", 2: "lost", 4: "moved", 1: "same"}
    assert people["overlap"].to_dict() == {1: 1.0, 2: 0.0, 3: 0.0, 4: 0.5}
    assert people.loc[3, "examples"] == "8, 9, 10, 11"
    assert found.identities["identity"].tolist() == [3, 2, 4, 1]
    assert found.images["change"].tolist() == [""] * 4 + ["lost its cluster"] * 4 + ["gained a cluster"] * 4 + [""] * 4
    assert "1 identities gained" in found.describe()


def test_scores_of_a_comparison_are_differences_with_a_direction() -> None:
    first, second = diagnose(BEFORE, CAMERA, identities=IDENTITY), diagnose(AFTER, CAMERA, identities=IDENTITY)
    scores = first.compare(second).scores.set_index(["score", "outliers", "pairs"])
    recall = scores.loc[("recall", "dropped", "all")]
    assert recall["before"] == 1.0 and recall["after"] == pytest.approx(first.score("recall") + recall["change"])
    assert recall["improved"] is False
    assert scores.loc[("images", "", ""), "improved"] is None
    assert scores.loc[("precision", "dropped", "all"), "improved"] is None  # 1.0 before and after


def test_agreement_equals_scikit_learn() -> None:
    found = diagnose(BEFORE, CAMERA).compare(diagnose(AFTER, CAMERA))
    a, b = as_singletons(BEFORE), as_singletons(AFTER)
    assert found.agreement["ari"] == pytest.approx(adjusted_rand_score(a, b))
    assert found.agreement["ami"] == pytest.approx(adjusted_mutual_info_score(a, b))


def test_other_images_are_refused() -> None:
    first = diagnose([0, 0, 1], [0, 1, 0], paths=["a", "b", "c"])
    with pytest.raises(DiagnosisError, match="3 images before, 2 after"):
        first.compare(diagnose([0, 0], [0, 1]))
    with pytest.raises(DiagnosisError, match=r"Row 1 is 'b' before and 'x' after"):
        first.compare(diagnose([0, 0, 1], [0, 1, 0], paths=["a", "x", "c"]))


def test_csv_shows_hostile_names_as_text(tmp_path) -> None:
    found = diagnose(np.zeros(len(HOSTILE), int), HOSTILE, identities=HOSTILE, paths=HOSTILE)
    for path in found.to_csv(tmp_path / "tables with spaces"):
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.reader(handle):
                for cell in row:
                    assert not any(ord(c) < 32 or c == "\u202e" for c in cell)
                    assert not cell.startswith(("=", "+", "@")) and (not cell.startswith("-") or float(cell) < 0)
    images = pd.read_csv(tmp_path / "tables with spaces" / "images.csv")
    assert images["path"].tolist()[:2] == ["'=cmd|' /C calc'!A0", "<script>alert(1)</script>"]
    assert images["path"][3] == '"quoted", comma'


def test_parquet_and_csv_hold_every_table(tmp_path) -> None:
    found = diagnose(BEFORE, CAMERA, identities=[*HOSTILE, *HOSTILE], paths=[f"{i}{name}" for i, name in enumerate(HOSTILE * 2)])
    written = {p.name for p in found.to_csv(tmp_path)} | {p.name for p in found.to_parquet(tmp_path)}
    names = ("scores", "alarms", "clusters", "identities", "images", "camera_pairs")
    assert written == {f"{name}.{kind}" for name in names for kind in ("csv", "parquet")}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(written)
    assert pd.read_parquet(tmp_path / "images.parquet")["label"].tolist() == BEFORE.tolist()
    assert (tmp_path / "scores.csv").read_bytes() == (diagnose_again(tmp_path) / "scores.csv").read_bytes()


def diagnose_again(folder):
    again = diagnose(BEFORE, CAMERA, identities=[*HOSTILE, *HOSTILE], paths=[f"{i}{name}" for i, name in enumerate(HOSTILE * 2)])
    again.to_csv(folder / "again")
    return folder / "again"


def test_plain_text_escapes_what_cannot_be_seen_and_nothing_else() -> None:
    assert plain("tab\tbell\x07") == "tab\\x09bell\\x07"
    assert plain("\u202eabc\udcff\U000e0001") == "\\u202eabc\\udcff\\U000e0001"
    assert plain("Zoë 王 <b>&amp;</b>") == "Zoë 王 <b>&amp;</b>"
