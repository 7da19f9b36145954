"""The battery: every method found in reidkit.methods, and the planted faults that prove each check can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.compute import Compute
from reidkit.errors import ReidkitError
from reidkit.labels import PseudoLabels
from reidkit.losses import softmax_triplet
from reidkit.method import weigh
from reidkit.methods import all_methods
from reidkit.training import fit
from tests.contract import checks, names
from tests.contract.checks import Bench
from tests.toys import toy_records

METHODS = sorted(all_methods().items())
every_method = pytest.mark.parametrize("cls", [cls for _, cls in METHODS], ids=[name for name, _ in METHODS])


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def test_methods_are_discovered() -> None:
    assert {"SourcePretraining", "ClusterAndFinetune"} <= set(all_methods())


@every_method
def test_methods_say_where_they_come_from(cls: type) -> None:
    from reidkit.methods import list_methods, list_options, recipe

    row = list_methods().loc[cls.__name__]
    assert row["paper"].endswith(")") and row["lesson"][:2].isdigit()
    documented = vars(__import__(cls.__module__, fromlist=["Recipe"]))["Recipe"]
    text = " ".join((base.__doc__ or "") for base in documented.__mro__)
    undocumented = [name for name in list_options(cls.__name__).index if name not in text]
    assert not undocumented, f"options without a word: {undocumented}"
    assert recipe(cls.__name__) == documented()
    with pytest.raises(ReidkitError, match="Did you mean"):
        recipe(cls.__name__, **{list_options(cls.__name__).index[0] + "x": 1})


@every_method
def test_firewall(bench: Bench, cls: type, tmp_path: Path) -> None:
    checks.check_firewall(bench, cls, tmp_path)


@every_method
def test_cameras(bench: Bench, cls: type, tmp_path: Path) -> None:
    checks.check_cameras(bench, cls, tmp_path)


@every_method
def test_renumbering(bench: Bench, cls: type) -> None:
    names.check_renumbering(bench, cls)


@every_method
def test_order(bench: Bench, cls: type) -> None:
    names.check_order(bench, cls)


@every_method
def test_purity(bench: Bench, cls: type) -> None:
    checks.check_purity(bench, cls)


@every_method
def test_gradients(bench: Bench, cls: type) -> None:
    checks.check_gradients(bench, cls)


@every_method
def test_descent(bench: Bench, cls: type) -> None:
    checks.check_descent(bench, cls)


@every_method
def test_resume(bench: Bench, cls: type, tmp_path: Path) -> None:
    checks.check_resume(bench, cls, tmp_path)


@every_method
def test_teacher_follows(bench: Bench, cls: type) -> None:
    checks.check_teacher_follows(bench, cls)


@every_method
def test_no_device(cls: type) -> None:
    checks.check_no_device(cls)


@every_method
def test_same_seed_same_run(bench: Bench, cls: type, tmp_path: Path) -> None:
    checks.assert_same_run(checks.trained(bench, cls, tmp_path / "a"), checks.trained(bench, cls, tmp_path / "b"))


@every_method
def test_bf16_stays_finite(bench: Bench, cls: type, tmp_path: Path) -> None:
    _, capsule = checks.trained(bench, cls, tmp_path, compute=Compute("cpu", "bf16"), epochs=1, size=checks.BF16_SIZE)
    assert len(capsule.losses) and np.isfinite(capsule.losses["value"]).all()


@every_method
def test_one_camera(cls: type, tmp_path: Path) -> None:
    """Every method trains; `tests/methods` says of each part that looks at cameras what it becomes."""
    one = toy_records(cameras=1, shots=4)
    _, capsule = checks.trained(Bench(one, one), cls, tmp_path)
    assert len(capsule.losses) and np.isfinite(capsule.losses["value"]).all()


@every_method
def test_an_identity_with_one_image(cls: type, tmp_path: Path) -> None:
    records = toy_records()
    train = np.flatnonzero(records.frame["split"] == "train")
    few = records.take(np.r_[train[:1], train[6:], np.flatnonzero(records.frame["split"] != "train")])
    _, capsule = checks.trained(Bench(few, few), cls, tmp_path)
    assert np.isfinite(capsule.losses["value"]).all()


@every_method
@pytest.mark.parametrize("clusters", [0, 1], ids=["all-outliers", "one-cluster"])
def test_degenerate_labels(bench: Bench, cls: type, clusters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to learn: the run says so for each epoch, stops after two of them, and keeps what it has."""
    made = np.full(len(bench.table(cls)), clusters - 1)
    monkeypatch.setattr(cls, "prepare_epoch", lambda self, features, epoch, companion=None: PseudoLabels(made))
    _, capsule = checks.trained(bench, cls, tmp_path, epochs=4)
    assert capsule.epochs == 2
    assert "no usable cluster" in capsule.meta["stopped"]
    assert all(entry["note"].startswith("no cluster" if clusters == 0 else "one cluster") for entry in capsule.history)
    assert capsule.losses.empty


@pytest.mark.parametrize("cls", [cls for _, cls in METHODS if cls.clusters], ids=[name for name, c in METHODS if c.clusters])
@pytest.mark.parametrize("features", ["all-equal", "far-apart"])
def test_degenerate_features(bench: Bench, cls: type, features: str, tmp_path: Path) -> None:
    """The method's own clustering of features that are all one point, or of which none has a neighbour within eps."""
    method = bench.build(cls)
    clusters = getattr(method, "base", method)
    if features == "far-apart":
        if clusters.recipe.clustering == "kmeans":
            pytest.skip("k-means has no outliers")
        clusters.recipe = replace(clusters.recipe, eps=1e-9)
    else:
        honest = clusters.embed
        clusters.embed = lambda images: torch.ones_like(honest(images))
    schedule = replace(checks.SCHEDULE, epochs=4)
    capsule = fit(method, bench.table(cls), schedule=schedule, out=tmp_path, compute=Compute("cpu"), progress=False)
    assert capsule.epochs == 2 and "no usable cluster" in capsule.meta["stopped"] and capsule.losses.empty
    begins = "no cluster: all" if features == "far-apart" else "one cluster"
    assert all(entry["note"].startswith(begins) for entry in capsule.history)


@every_method
def test_capsule_is_complete(bench: Bench, cls: type, tmp_path: Path) -> None:
    method, capsule = checks.trained(bench, cls, tmp_path)
    images = len(bench.table(cls))
    assert capsule.labels.shape == (2, images) and len(capsule.frame) == images
    assert set(capsule.losses.columns) == {"epoch", "step", "player", "term", "weight", "value"}
    assert capsule.meta["method"] == cls.__name__ and capsule.meta["recipe"]
    assert {"reidkit", "torch"} <= set(capsule.meta["versions"])
    if method.clusters:
        assert capsule.features(0).shape[0] == images and capsule.features(0).dtype == np.float16


# Planted faults: each must be caught by the check that claims it.

Finetune = all_methods()["ClusterAndFinetune"]


class MemoryMovedInLoss(Finetune):
    """A buffer that moves inside the loss."""

    def loss(self, batch):
        self.eps.add_(0.001)
        return super().loss(batch)


class LossThatRemembers(Finetune):
    """A loss whose value depends on how often it was asked."""

    calls = 0

    def loss(self, batch):
        self.calls += 1
        loss = super().loss(batch)
        return replace(loss, total=loss.total * self.calls)


class TrainableTeacher(Finetune):
    """A teacher that an optimiser moves."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.second_teacher = torch.nn.Linear(2, 2)


class StandingTeacher(Finetune):
    """A teacher that never follows."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.second_teacher = torch.nn.Linear(2, 2).requires_grad_(False)

    def after_step(self, batch, loss):
        pass


class CutGradient(Finetune):
    """A loss that never reaches the classifier."""

    def loss(self, batch):
        return weigh(triplet=(1.0, softmax_triplet(self.embedder(batch.views[0])[0], batch.label)))


class UphillLoss(Finetune):
    """The right value with the wrong sign of gradient."""

    def loss(self, batch):
        loss = super().loss(batch)
        return replace(loss, total=2 * loss.total.detach() - loss.total)


class PeeksAtIdentities(Finetune):
    """Labels from the truth, where it can be reached."""

    def prepare_epoch(self, features, epoch, companion=None):
        truth = features.records.frame["identity"].to_numpy()
        labels = PseudoLabels(np.unique(truth, return_inverse=True)[1])
        self.classifier.remake(labels.num_clusters)
        return labels


class UsesCameraNumbers(Finetune):
    """Camera numbers as if they meant something."""

    def prepare_epoch(self, features, epoch, companion=None):
        labels = PseudoLabels(features.camera.copy())
        self.classifier.remake(labels.num_clusters)
        return labels


class CountsLabels(Finetune):
    """A loss in which the number of a label means something."""

    def loss(self, batch):
        loss = super().loss(batch)
        return replace(loss, total=loss.total * (1 + batch.label.float().mean()))


class LikesTheFirst(Finetune):
    """A loss in which the first place of a batch means something."""

    def loss(self, batch):
        loss = super().loss(batch)
        return replace(loss, total=loss.total + batch.views[0][0].mean())


class ForgetsOnResume(Finetune):
    """State that no checkpoint holds."""

    weight = 1.0

    def loss(self, batch):
        self.weight *= 0.5
        loss = super().loss(batch)
        return replace(loss, total=loss.total * self.weight)


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (checks.check_purity, MemoryMovedInLoss),
        (checks.check_purity, LossThatRemembers),
        (checks.check_gradients, TrainableTeacher),
        (checks.check_teacher_follows, StandingTeacher),
        (checks.check_gradients, CutGradient),
        (checks.check_descent, UphillLoss),
        (names.check_renumbering, CountsLabels),
        (names.check_order, LikesTheFirst),
    ],
    ids=lambda item: item.__name__,
)
def test_planted_fault_is_caught(bench: Bench, check, fault: type) -> None:
    with pytest.raises(AssertionError):
        check(bench, fault)


def test_planted_peek_is_caught(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the blindfold in place the peek cannot happen at all; without it, the firewall check sees it."""
    with pytest.raises(KeyError, match="identity"):
        checks.trained(bench, PeeksAtIdentities, tmp_path / "blind")
    monkeypatch.setattr("reidkit.records.Records.blind", lambda self: self)
    with pytest.raises(AssertionError):
        checks.check_firewall(bench, PeeksAtIdentities, tmp_path)


@pytest.mark.parametrize(
    ("check", "fault"),
    [(checks.check_cameras, UsesCameraNumbers), (checks.check_resume, ForgetsOnResume)],
    ids=lambda item: item.__name__,
)
def test_planted_fault_in_a_run_is_caught(bench: Bench, check, fault: type, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        check(bench, fault, tmp_path)
