"""Several labellings of the same images: agreement, meetings and company against brute force, and the gallery over them."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from reidkit.diagnose.part_labels import COMPANY_COLUMNS, agreement_table, company_table, meeting_table
from reidkit.errors import DiagnosisError
from reidkit.show import PartGallery
from reidkit.show.thumbnails import VEIL, veiled
from tests.show_toys import records

NAMES = ("full", "upper", "lower")


def labels(seed: int, images: int = 40, parts: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 5, (images, parts))


def met_by(first: np.ndarray, second: np.ndarray, names: tuple[str, ...]) -> str:
    return "+".join(name for name, a, b in zip(names, first, second) if a == b and a != -1)


@pytest.mark.parametrize(("seed", "names"), [(0, NAMES), (1, NAMES), (2, NAMES[:2]), (3, (*NAMES, "feet"))])
def test_meetings_are_the_pairs_counted_one_by_one(seed: int, names: tuple[str, ...]) -> None:
    found, who = labels(seed, parts=len(names)), np.random.default_rng(seed).integers(0, 4, 40) * 10
    wanted: dict[str, list[int]] = {}
    for i, j in combinations(range(40), 2):
        if by := met_by(found[i], found[j], names):
            wanted.setdefault(by, [0, 0])
            wanted[by] = [wanted[by][0] + 1, wanted[by][1] + int(who[i] == who[j])]
    table = meeting_table(found, names, who)
    assert {name: [row.pairs, row.same] for name, row in zip(table.index, table.itertuples())} == wanted
    np.testing.assert_allclose(table["share"], table["same"] / table["pairs"])
    assert meeting_table(found, names)["pairs"].to_dict() == table["pairs"].to_dict()


def test_who_is_an_outlier_everywhere_meets_nobody() -> None:
    nobody = np.full((5, 3), -1)
    assert not len(meeting_table(nobody, NAMES, np.arange(5))) and not len(company_table(nobody, NAMES, 2))
    assert agreement_table(nobody, NAMES).loc["full"].isna().tolist() == [False, True, True]


def test_agreement_is_the_adjusted_rand_index_of_common_inliers() -> None:
    found = labels(4)
    table = agreement_table(found, NAMES)
    for a, b in combinations(range(3), 2):
        both = (found[:, [a, b]] >= 0).all(axis=1)
        assert table.iloc[a, b] == table.iloc[b, a] == pytest.approx(adjusted_rand_score(found[both, a], found[both, b]))
    np.testing.assert_array_equal(np.diag(table), 1.0)
    assert agreement_table(np.repeat(found[:, :1], 3, axis=1), NAMES).to_numpy().min() == 1.0


def test_company_lists_each_cluster_mate_once_a_part_those_met_by_fewest_parts_first() -> None:
    found = labels(5)
    for image in range(0, 40, 7):
        table = company_table(found, NAMES, image)
        assert list(table) == list(COMPANY_COLUMNS)
        for part, name in enumerate(NAMES):
            rows = table[table["part"] == name]
            mates = np.flatnonzero((found[:, part] == found[image, part]) & (found[:, part] != -1))
            assert set(rows["image"]) == set(mates.tolist()) - {image} and rows["parts"].is_monotonic_increasing
            assert rows["met_by"].tolist() == [met_by(found[image], found[i], NAMES) for i in rows["image"]]
            assert rows["parts"].tolist() == [by.count("+") + 1 for by in rows["met_by"]]


@pytest.mark.parametrize("wrong", [np.zeros(4, int), np.zeros((4, 2), int), np.zeros((0, 3), int)])
def test_labels_need_a_column_for_each_part(wrong: np.ndarray) -> None:
    for function in (agreement_table, meeting_table):
        with pytest.raises(DiagnosisError, match="one column a part"):
            function(wrong, NAMES)


def test_the_gallery_counts_what_the_table_lists() -> None:
    found, images = labels(6), records(np.repeat(np.arange(1, 11), 4), np.arange(40) % 3)
    found[3] = [2, -1, 2]
    view = PartGallery(found, images, names=NAMES, image=3)
    table = view.data()
    full = table[table["part"] == "full"]
    assert f"full: {len(full)} others, {int(full['same'].sum())} of the same person" in view.describe()
    assert "upper: an outlier" in view.describe() and view.static().alt == view.describe()
    assert table["same"].tolist() == [images.identity[i] == images.identity[3] for i in table["image"]]
    blind = PartGallery(found, images.blind(), names=NAMES, image=3)
    assert "same" not in blind.data() and "same person" not in blind.describe() and blind.static().png != view.static().png


def test_a_veil_leaves_one_stripe_as_it_is() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 9, 4, 3), np.uint8)
    np.testing.assert_array_equal(veiled(pictures, 0, 2), pictures)
    seen = veiled(pictures, 3, 3)
    np.testing.assert_array_equal(seen[:, 6:], pictures[:, 6:])
    assert (255 - seen[:, :6]).max() <= np.ceil((1 - VEIL) * 255) and (seen[:, :6] >= pictures[:, :6]).all()
    halves = [veiled(pictures, stripe, 2) for stripe in (1, 2)]
    np.testing.assert_array_equal(np.minimum(*halves), pictures)
