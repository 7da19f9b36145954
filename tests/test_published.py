"""Every method at its published size: the paper's shapes and hyper-parameters, two steps on a CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.errors import ReidkitError
from reidkit.published import PUBLISHED, published
from reidkit.training import fit
from tests.toys import toy_records


def test_schedules_are_the_papers() -> None:
    """CANU V-A, MMT scripts, SSG selftraining.py, LF2 target_train.py, Learn by Guessing 3.6."""
    for name in ("MMT-500", "MMT-DBSCAN", "CANU-MMT"):
        run = published(name).schedule
        assert (run.epochs, run.steps, run.optimiser, run.learning_rate, run.weight_decay) == (40, 400, "adam", 3.5e-4, 5e-4)
        assert run.identities * run.instances == 64 and run.renew_optimiser and published(name).backbone == "resnet50-ibn-a"
    for name in ("SSG", "CANU-SSG", "UDAP"):
        run = published(name).schedule
        assert (run.epochs, run.passes, run.steps, run.optimiser, run.learning_rate) == (30, 70, None, "sgd", 6e-5)
        assert run.identities * run.instances == 128
    assert published("LF2").schedule.epochs == 80
    assert all(entry.schedule.size == (256, 128) for entry in PUBLISHED.values())
    with pytest.raises(ReidkitError, match="CANU-MMT"):
        published("CANU-MTM")


def test_recipes_are_the_papers() -> None:
    labels = np.arange(4)
    canu = {name: published(name).build(6, labels, "tiny", 0).recipe.mu for name in ("CANU-MMT", "CANU-SSG")}
    assert canu == {"CANU-MMT": 0.1, "CANU-SSG": 0.05}
    guess = published("Learn by Guessing").build(6, labels, "tiny", 0).recipe
    assert (guess.frozen_epochs, guess.epochs, guess.centre_weight, guess.min_size, guess.eps) == (20, 90, 0.005, 4, 0.42)
    mutual = published("MMT-500").build(6, labels, "tiny", 0).recipe
    assert (mutual.soft_identity, mutual.soft_triplet, mutual.momentum, mutual.norm_group, mutual.clusters) == (
        0.5,
        0.8,
        0.999,
        16,
        500,
    )


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_what_is_drawn_comes_from_the_seed(name: str) -> None:
    """Whatever was drawn before: the same seed gives the same weights, another seed others."""
    states = []
    for ambient, seed in ((1, 0), (2, 0), (1, 5)):
        torch.manual_seed(ambient)
        states.append(published(name).build(3, np.arange(4), "tiny", seed).state_dict())
    first, again, other = states
    exactly = {"rtol": 0.0, "atol": 0.0, "equal_nan": True}
    assert all(torch.allclose(value, again[key], **exactly) for key, value in first.items()), name
    assert not all(torch.allclose(value, other[key], **exactly) for key, value in first.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_two_steps_at_full_size(name: str, tmp_path: Path) -> None:
    records = toy_records(people=4, cameras=2, shots=2, test_people=1)
    entry = published(name)
    method = entry.build(2, records.train.class_labels(), entry.backbone, 0)
    labels = ("eps" in vars(method.recipe)) and {"eps": 0.95, "k1": 6, "k2": 1}
    base = getattr(method, "base", method)
    changes = {**(labels or {}), "clustering": "kmeans", "clusters": 4, "min_size": 0, "single_camera": "keep"}
    known = {key: value for key, value in changes.items() if hasattr(base.recipe, key)}
    base.recipe = replace(base.recipe, **known) if not name.startswith("BoT") else base.recipe
    schedule = replace(entry.schedule, epochs=1, steps=2, identities=2, instances=2, extraction_batch=8)
    capsule = fit(method, records.train, schedule=schedule, out=tmp_path, progress=False)
    assert set(capsule.losses["step"]) == {0, 1} and np.isfinite(capsule.losses["value"]).all()
