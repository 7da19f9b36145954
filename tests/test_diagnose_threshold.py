"""A calibrated threshold: against scikit-learn's curve, against sets that were really redrawn, and on new identities."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from reidkit.diagnose import calibrate_threshold
from reidkit.errors import DiagnosisError


def sample(seed, people=40, each=4, noise=0.6):
    """Distances between pictures of people whose pictures scatter each to its own degree."""
    draw = np.random.default_rng(seed)
    identity = np.repeat(np.arange(1, people + 1), each)
    scatter = noise * draw.lognormal(0, 0.5, people)[identity - 1]
    rows = draw.normal(size=(people, 16))[identity - 1] + scatter[:, None] * draw.normal(size=(len(identity), 16))
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    return distance, identity, np.tile(np.arange(each), people)


def error_rates(distance, same, counted, threshold):
    """Both rates at one threshold, by counting."""
    strangers, mates = distance[counted & ~same], distance[counted & same]
    return (strangers <= threshold).sum() / len(strangers), (mates > threshold).sum() / len(mates)


def test_the_rates_are_those_of_scikit_learns_curve():
    distance, who, where = sample(0)
    found = calibrate_threshold(distance, who, who, where, where, draws=5)
    across = where[:, None] != where[None]
    same = (who[:, None] == who[None])[across]
    false, true, cut = roc_curve(same, -distance[across], drop_intermediate=False)
    for row in found.rates.iloc[::17].itertuples():
        reached = np.flatnonzero(-cut[1:] <= row.threshold)
        expected = (false[reached[-1] + 1], 1 - true[reached[-1] + 1]) if len(reached) else (0.0, 1.0)
        assert (row.false_match, row.false_non_match) == pytest.approx(expected)
        assert error_rates(distance, who[:, None] == who[None], across, row.threshold) == pytest.approx(expected)
    assert (found.identities, found.mates, found.strangers) == (40, 40 * 12, int((~same).sum()))


def test_the_choice_is_the_largest_that_keeps_to_what_is_allowed():
    distance, who, where = sample(1)
    found = calibrate_threshold(distance, who, who, where, where, allowed=0.02)
    rates = found.rates.set_index("threshold")["false_match"]
    assert rates[found.threshold] <= 0.02 < rates[rates.index > found.threshold].iloc[0]
    careful = calibrate_threshold(distance, who, who, where, where, allowed=0.02, bound="upper")
    assert careful.threshold < found.threshold and careful.at(careful.threshold)["false_match_high"] <= 0.02
    strict = calibrate_threshold(distance, who, who, where, where, allowed=0.0)
    strangers = distance[(who[:, None] != who[None]) & (where[:, None] != where[None])]
    assert strict.threshold < strangers.min()


def test_the_band_is_that_of_sets_really_redrawn():
    """Copies of an identity that is drawn twice are other identities to nobody: pairs within it are counted once a copy."""
    distance, who, where = sample(2, people=8, each=3)
    found = calibrate_threshold(distance, who, who, where, where, draws=400, seed=3, steps=40)
    draws = []
    for drawn in np.random.default_rng(3).integers(8, size=(400, 8)):
        rows = np.concatenate([np.flatnonzero(who == w + 1) for w in drawn])
        copy = np.repeat(np.arange(8), 3)
        apart = (who[rows][:, None] != who[rows][None]) & (where[rows][:, None] != where[rows][None])
        own = (copy[:, None] == copy[None]) & (where[rows][:, None] != where[rows][None])
        part = distance[np.ix_(rows, rows)]
        row = found.rates["threshold"].iloc[15]
        draws.append(((part[apart] <= row).mean() if apart.any() else np.nan, (part[own] > row).mean()))
    low, high = np.nanquantile(np.array(draws), [0.025, 0.975], axis=0)
    line = found.rates.iloc[15]
    assert (line["false_match_low"], line["false_non_match_low"]) == pytest.approx(low)
    assert (line["false_match_high"], line["false_non_match_high"]) == pytest.approx(high)


def test_on_new_identities_the_band_holds_and_one_over_pairs_would_not():
    inside, by_pairs = 0, 0
    for seed in range(20):
        distance, who, where = sample(seed, people=120)
        half = who <= 60
        sides = who[half], who[half], where[half], where[half]
        found = calibrate_threshold(distance[np.ix_(half, half)], *sides, allowed=0.05, draws=100, steps=80)
        row = found.at(found.threshold)
        rest, across = distance[np.ix_(~half, ~half)], where[~half][:, None] != where[~half][None]
        _, missed = error_rates(rest, who[~half][:, None] == who[~half][None], across, found.threshold)
        inside += row["false_non_match_low"] <= missed <= row["false_non_match_high"]
        rate = row["false_non_match"]
        by_pairs += abs(missed - rate) <= 1.96 * np.sqrt(rate * (1 - rate) / found.mates)
    assert inside >= 15 > by_pairs


def test_distractors_and_pairs_of_one_camera_play_no_part():
    distance, who, where = sample(4, people=10)
    plain = calibrate_threshold(distance, who, who, where, where, draws=20)
    spoilt = distance.copy()
    spoilt[where[:, None] == where[None]] = 1e3
    more = np.c_[spoilt, np.zeros((len(who), 3))]
    found = calibrate_threshold(more, who, np.r_[who, 0, -1, 0], where, np.r_[where, 9, 9, 9], draws=20)
    assert found.threshold == plain.threshold and found.rates.equals(plain.rates)
    assert "false match" in found.describe() and "10 identities" in found.describe()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"allowed": 1.5}, "allowed=1.5"),
        ({"bound": "lower"}, "lower"),
        ({"gallery_cameras": None}, "one side"),
        ({"query_ids": np.ones(8, int), "gallery_ids": np.ones(8, int)}, "0 pairs of two identities"),
    ],
)
def test_what_does_not_fit_is_refused(change, says):
    distance, who, where = sample(5, people=2)
    sides = {"query_ids": who, "gallery_ids": who, "query_cameras": where, "gallery_cameras": where}
    with pytest.raises(DiagnosisError, match=says):
        calibrate_threshold(distance, **{**sides, **change})


def test_distances_that_are_not_finite_are_refused():
    distance, who, where = sample(6, people=3)
    distance[0, 1] = np.nan
    with pytest.raises(DiagnosisError, match="finite"):
        calibrate_threshold(distance, who, who, where, where)
