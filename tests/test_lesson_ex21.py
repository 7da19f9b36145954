"""The solutions of lesson 21 against independent oracles: SciPy, scikit-learn, and the door that every table goes through."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_curve

from reidkit.errors import RecordsError
from reidkit.lesson.exercises.ex21 import error_rates, faulty_rows, wilson_interval
from reidkit.records import make_records

Z95 = 1.959963984540054


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400), st.data())
def test_the_interval_is_scipys(judged, data):
    right = data.draw(st.integers(0, judged))
    theirs = binomtest(right, judged).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right, judged, Z95) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_the_interval_keeps_its_promise():
    draw = np.random.default_rng(0)
    counts = draw.binomial(60, 0.93, 4000)
    inside = [low <= 0.93 <= high for low, high in (wilson_interval(int(k), 60, Z95) for k in counts)]
    assert 0.93 < np.mean(inside) < 0.98


def test_error_rates_are_the_roc_curve_of_scikit_learn():
    draw = np.random.default_rng(1)
    same, distance = draw.random(400) < 0.3, np.round(draw.random(400), 2)
    false_match, matched, thresholds = roc_curve(same, -distance, drop_intermediate=False)
    ours = [error_rates(distance, same, np.zeros(400, bool), -t) for t in thresholds[1:]]
    assert ours == pytest.approx(np.stack([false_match[1:], 1 - matched[1:]], axis=1))


ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "x", "y", "z"]), st.sampled_from(["train", "query", "gallery"])),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=80)
@given(ROWS)
def test_faulty_rows_are_those_that_records_refuse(rows):
    paths, names, splits = map(list, zip(*rows))
    frame = pd.DataFrame({"path": paths, "identity": [name or None for name in names], "split": splits})
    if len(faulty_rows(paths, names, splits)):
        with pytest.raises(RecordsError):
            make_records(frame, check_paths=False)
    else:
        assert len(make_records(frame, check_paths=False)) == len(rows)
