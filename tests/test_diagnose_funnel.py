"""The selection funnel: by hand, against the selection that methods use, and against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reidkit.diagnose import diagnose, selection_funnel
from reidkit.diagnose.funnel import COLUMNS, FATES, STAGES, cluster_fates
from reidkit.errors import DiagnosisError
from reidkit.labels import select

N = 24
columns = st.tuples(*(arrays(np.int64, N, elements=st.integers(low, high)) for low, high in ((-1, 5), (0, 2), (-1, 4))))


def test_chk_6_5_by_hand() -> None:
    """Four images of cameras 1, 1, 2, 2, five of camera 3, three of three cameras: the first cluster alone is left."""
    label = np.repeat([0, 1, 2], [4, 5, 3])
    camera = np.array([1, 1, 2, 2, 3, 3, 3, 3, 3, 1, 2, 3])
    identity = np.array([7, 7, 7, 8, 9, 9, 9, 9, 8, 8, 8, 8])
    found = diagnose(label, camera, identities=identity)
    assert cluster_fates(found.clusters).tolist() == [FATES[2], FATES[1], FATES[0]]
    table = selection_funnel(found).set_index("stage")
    assert list(table.reset_index()) == list(COLUMNS)
    assert table["images"].tolist() == [12, 12, 9, 4] and table["clusters"].tolist() == [0, 3, 2, 1]
    assert table.loc[STAGES[3], "portion"] == pytest.approx(4 / 12)
    assert table["identities"].tolist() == [3, 3, 3, 2]
    assert table["crossing"].tolist() == [2, 2, 1, 1], "8 crosses in the small cluster, 9 was seen by one camera"
    assert table["right"].tolist() == [0, 10, 7, 3]
    assert table["purity"].tolist()[1:] == pytest.approx([10 / 12, 7 / 9, 3 / 4])
    assert table["cluster_purity"].tolist()[1:] == pytest.approx([(3 / 4 + 4 / 5 + 1) / 3, (3 / 4 + 4 / 5) / 2, 3 / 4])
    assert table["lost_purity"].tolist()[2:] == pytest.approx([1.0, 4 / 5])
    assert table["lost_purity"].isna().tolist()[:2] == [True, True], "outliers have no cluster to be pure"


def test_one_camera_may_be_kept_as_clustering_does_where_there_is_only_one() -> None:
    found = diagnose(np.array([0] * 5 + [-1]), np.zeros(6, np.int64))
    assert selection_funnel(found)["images"].tolist() == [6, 5, 5, 0]
    assert selection_funnel(found, single_camera="keep")["images"].tolist() == [6, 5, 5, 5]
    assert "purity" not in selection_funnel(found) and "identities" not in selection_funnel(found)
    with pytest.raises(DiagnosisError, match="single_camera = 'maybe'"):
        selection_funnel(found, single_camera="maybe")


def test_nothing_but_outliers() -> None:
    table = selection_funnel(diagnose(np.full(4, -1), np.array([0, 1, 0, 1]), identities=np.array([1, 1, 2, 2])))
    assert table["images"].tolist() == [4, 0, 0, 0] and table["identities"].tolist() == [2, 0, 0, 0]
    assert table["purity"].isna().all() and table["crossing"].tolist() == [2, 0, 0, 0] and table["lost_purity"].isna().all()


@settings(max_examples=60, deadline=None)
@given(columns, st.integers(1, 6))
def test_the_last_stage_is_what_methods_train_on(given: tuple[np.ndarray, np.ndarray, np.ndarray], least: int) -> None:
    label, camera, identity = given
    label[0] = identity[0] = 0  # somebody is known
    label = np.unique(label, return_inverse=True)[1] - int((label == -1).any())
    table = selection_funnel(diagnose(label, camera, identities=identity, permutations=0), min_size=least).set_index("stage")
    stages = {STAGES[1]: label, STAGES[2]: select(label, camera, min_size=least)}
    stages[STAGES[3]] = select(label, camera, min_size=least, single_camera="drop")
    for stage, kept in stages.items():
        row, inside = table.loc[stage], kept >= 0
        assert (row["images"], row["clusters"]) == (inside.sum(), len(set(kept[inside])))
        known = inside & (identity >= 0)
        assert row["identities"] == len(set(identity[known]))
        most = [max(np.bincount(identity[known & (kept == k)]), default=0) for k in set(kept[inside])]
        assert row["right"] == sum(most)
        assert row["purity"] == pytest.approx(sum(most) / known.sum() if known.any() else np.nan, nan_ok=True)
        crossing = {
            i for i in set(identity[known]) for k in set(kept[inside]) if len(set(camera[(kept == k) & (identity == i)])) > 1
        }
        assert row["crossing"] == len(crossing)
