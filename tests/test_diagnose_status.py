"""Status of identities and clusters: one planted case each, and the whole against plain loops."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reidkit.diagnose import diagnose
from reidkit.diagnose.identities import STATUS

N = 30
quick = settings(max_examples=30, deadline=None)


def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(label, identity, camera), one identity of each status."""
    rows = [
        *[(0, "kept", c) for c in (0, 0, 1, 1)],
        *[(1, "by camera", 0) for _ in range(6)],
        *[(2, "by camera", 1) for _ in range(4)],
        *[(3 + i % 2, "otherwise", i // 2 % 2) for i in range(8)],
        *[(0, "swallowed", 0), (1, "swallowed", 0), (-1, "swallowed", 1)],
        *[(-1, "unseen", c) for c in (0, 1, 1)],
    ]
    label, identity, camera = zip(*rows)
    return np.array(label), np.array(identity), np.array(camera)


def test_each_identity_status_is_found_where_it_was_planted() -> None:
    label, identity, camera = planted()
    found = diagnose(label, camera, identities=identity).identities.set_index("identity")
    expected = {
        "kept": "kept",
        "by camera": "split by camera",
        "otherwise": "split otherwise",
        "swallowed": "swallowed",
        "unseen": "unseen",
    }
    assert found["status"].to_dict() == expected
    assert found["lost"].to_dict() == {name: name in ("swallowed", "unseen") for name in expected}
    assert found.loc["by camera", ["own_clusters", "largest_cluster", "largest_share"]].tolist() == [2, 1, 0.6]
    assert found.loc["unseen", ["clusters", "largest_cluster", "largest_share"]].tolist() == [0, -1, 0.0]


def test_lost_in_both_readings() -> None:
    label, identity, camera = planted()
    found = diagnose(label, camera, identities=identity)
    assert found.score("unseen") == 1 and found.score("lost") == 2
    assert sum(found.score(s.replace(" ", "_")) for s in STATUS) == found.score("identities") == 5


def test_each_cluster_status_is_found_where_it_was_planted() -> None:
    rows = [
        *[(10, 0, c) for c in (0, 0, 1, 1)],  # whole identity 0: clean
        *[(11, 1, 0) for _ in range(5)],  # half of identity 1, one camera
        *[(12, 1, 1) for _ in range(5)],
        *[(13, 2, 0), (13, 2, 1), (13, 2, 0), (13, 3, 0), (13, 3, 1)],  # two owners
        *[(14, 4, 0), (14, 4, 1), (14, 4, 0), (14, 4, 1)],  # four of the nine images of identity 4
        *[(-1, 4, 0) for _ in range(5)],
        *[(15, 5, 0), (15, 5, 1)],  # two images
        *[(16, 6, 0) for _ in range(4)],  # whole identity 6, which one camera alone saw
        *[(17, 7 + i, 0) for i in range(4)],  # nobody holds more than half
    ]
    label, identity, camera = (np.array(column) for column in zip(*rows))
    found = diagnose(label, camera, identities=identity).clusters.set_index("cluster")["status"].to_dict()
    assert found == {
        10: "clean",
        11: "single-camera",
        12: "single-camera",
        13: "merged",
        14: "fragment",
        15: "too small",
        16: "clean",
        17: "merged",
    }
    blind = diagnose(label, camera).clusters.set_index("cluster")["status"].to_dict()
    assert blind[10] == "cross-camera" and blind[15] == "too small" and blind[16] == "single-camera"


def _status(label: np.ndarray, identity: np.ndarray, camera: np.ndarray, who: int) -> str:
    mine = identity == who
    own = [k for k in set(label[mine]) - {-1} if 2 * (mine & (label == k)).sum() > (label == k).sum()]
    if (label[mine] == -1).all():
        return "unseen"
    if not own:
        return "swallowed"
    views = [set(camera[mine & (label == k)]) for k in own]
    if len(own) > 1 and not any(a & b for a, b in itertools.combinations(views, 2)):
        return "split by camera"
    most = max((mine & (label == k)).sum() for k in own)
    return "kept" if 2 * most > mine.sum() else "split otherwise"


CASE = st.tuples(*(arrays(np.int64, N, elements=st.integers(low, high)) for low, high in ((-1, 6), (0, 5), (0, 2))))


@quick
@given(CASE)
def test_identity_table_equals_plain_loops(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    label, identity, camera = case
    found = diagnose(label, camera, identities=identity, permutations=0).identities
    assert found["identity"].tolist() == sorted(set(identity.tolist()))
    for row in found.itertuples():
        mine = identity == row.identity
        assert row.images == mine.sum() and row.inliers == (label[mine] >= 0).sum()
        assert row.cameras == len(set(camera[mine])) and row.clusters == len(set(label[mine]) - {-1})
        assert row.status == _status(label, identity, camera, row.identity)
        if row.clusters:
            counts = {k: (label[mine] == k).sum() for k in sorted(set(label[mine]) - {-1})}
            assert row.largest_cluster == max(counts, key=lambda k: counts[k])


@quick
@given(CASE)
def test_cluster_and_image_tables_equal_plain_loops(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    label, identity, camera = case
    found = diagnose(label, camera, identities=identity, permutations=0)
    assert found.clusters["cluster"].tolist() == sorted(set(label.tolist()) - {-1})
    for row in found.clusters.itertuples():
        here = label == row.cluster
        who, many = np.unique(identity[here], return_counts=True)
        assert (row.images, row.identities) == (here.sum(), len(who))
        assert row.main_identity == who[np.argmax(many)] and row.purity == pytest.approx(many.max() / here.sum())
        assert row.recall == pytest.approx(many.max() / (identity == row.main_identity).sum())
        share = np.unique(camera[here], return_counts=True)[1] / here.sum()
        assert row.camera_entropy == pytest.approx(-(share * np.log(share)).sum(), abs=1e-12)
    for row in found.images.itertuples():
        mates, kin = label == row.label, identity == row.identity
        if row.label >= 0:
            assert row.cluster_precision == pytest.approx((mates & kin).sum() / mates.sum())
            assert row.status == ("right" if 2 * (mates & kin).sum() > mates.sum() else "wrong")
        else:
            assert row.status == "outlier" and np.isnan(row.cluster_precision) and row.cluster_images == 0


def test_rows_follow_the_input_and_keep_its_names() -> None:
    found = diagnose([3, 3, -1], ["cam b", "cam a", "cam b"], identities=["x", "y", None], paths=["1.png", "2.png", "3.png"])
    assert found.images["path"].tolist() == ["1.png", "2.png", "3.png"]
    assert found.images["label"].tolist() == [3, 3, -1] and found.images["camera"].tolist() == ["cam b", "cam a", "cam b"]
    assert found.images["identity"].tolist()[:2] == ["x", "y"] and pd.isna(found.images["identity"][2])
    assert found.images["status"].tolist() == ["wrong", "wrong", "outlier"]
