"""`BatchNormGroups`, and the shares of the spread that it shows: exact at both ends of the slider."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidkit.diagnose.batch_groups import SOURCES, common_plane, group_table, spread_shares
from reidkit.errors import DiagnosisError
from reidkit.show import BatchNormGroups

LABELS = np.repeat(np.arange(8), 4)


def forwarded(size: int, companies: int = 5) -> np.ndarray:
    """(companies, 32, 6): 32 images of 8 labels through one batch norm, whole labels shuffled between groups."""
    generator = np.random.default_rng(0)
    images = (generator.normal(size=(8, 6))[LABELS] + generator.normal(size=(32, 6))).astype(np.float32)
    norm = torch.nn.BatchNorm1d(6, affine=False).train()
    found = np.empty((companies, 32, 6), np.float32)
    for company in found:
        order = generator.permutation(8)[:, None] * 4 + np.arange(4)
        parts = torch.from_numpy(images[order.ravel()]).split(size)
        company[order.ravel()] = torch.cat([norm(part) for part in parts])
    return found


BY_SIZE = {size: forwarded(size) for size in (4, 8, 12, 16, 20, 24, 28, 32)}


def test_shares_agree_with_a_loop_and_add_up() -> None:
    features, labels = np.random.default_rng(1).normal(size=(3, 10, 4)), np.array(list("aabbbccccc"))
    found = spread_shares(features, labels)
    whole, sums = features.mean((0, 1)), dict.fromkeys(SOURCES, 0.0)
    for s in range(3):
        for i in range(10):
            picture, label = features[:, i].mean(0), features[:, labels == labels[i]].mean((0, 1))
            sums["company"] += ((features[s, i] - picture) ** 2).sum()
            sums["picture"] += ((picture - label) ** 2).sum()
            sums["label"] += ((label - whole) ** 2).sum()
    assert found == pytest.approx({name: value / ((features - whole) ** 2).sum() for name, value in sums.items()})
    assert sum(found.values()) == pytest.approx(1.0)
    assert found == pytest.approx(spread_shares(features[:, ::-1], labels[::-1]))


def test_a_group_of_one_label_tells_no_label_and_the_whole_batch_no_company() -> None:
    table = group_table(BY_SIZE, LABELS).set_index("size")
    assert table.loc[4, "label"] == pytest.approx(0.0, abs=1e-9) and table.loc[4, "company"] == pytest.approx(0.0, abs=1e-9)
    assert table.loc[32, "company"] == pytest.approx(0.0, abs=1e-9) and table.loc[32, "label"] > 0.3
    assert (table.loc[[8, 12, 16], "company"] > 0.01).all() and table.loc[8, "label"] < table.loc[16, "label"]


def test_no_spread_has_no_shares() -> None:
    assert all(np.isnan(value) for value in spread_shares(np.ones((2, 4, 3)), np.arange(4)).values())


@pytest.mark.parametrize(
    ("by_size", "labels"),
    [
        ({4: BY_SIZE[4]}, LABELS),
        ({4: BY_SIZE[4], 8: BY_SIZE[8][:, :16]}, LABELS),
        ({4: BY_SIZE[4], 8: BY_SIZE[8]}, LABELS[:16]),
    ],
)
def test_what_does_not_fit_together_is_refused(by_size: dict[int, np.ndarray], labels: np.ndarray) -> None:
    with pytest.raises(DiagnosisError, match="of the same labelled images"):
        group_table(by_size, labels)


def test_the_plane_is_that_of_the_singular_vectors() -> None:
    centre, axes = common_plane(BY_SIZE[32])
    rows = BY_SIZE[32].reshape(-1, 6).astype(float)
    np.testing.assert_allclose(centre, rows.mean(0))
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-9)
    kept = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1][:2]
    np.testing.assert_allclose(((rows - centre) @ axes).var(0), kept)


def test_the_slider_shows_the_size_that_it_says() -> None:
    view = BatchNormGroups(BY_SIZE, LABELS, size=15)
    slider = view.controls()["size"]
    assert (slider.value, slider.min, slider.max, slider.step) == (16, 4, 32, 4)
    assert "Groups of 4 (32 images on 8 GPUs): a feature's spread tells 0% whose label" in view.set(size=4).describe()
    assert "Groups of 32 (32 images on 1 GPU)" in view.set(size=32).describe() and "0% in whose company" in view.describe()
    assert view.row()["size"] == 32 and view.describe() in view.static().alt
    assert view.set(size=4).static().png != view.set(size=8).static().png
    assert view.data()["size"].tolist() == sorted(BY_SIZE)
