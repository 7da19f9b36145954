"""The numbered checks of SSG, MMT, CANU, Learn by Guessing and LF2 (clustering reference, sections 3 to 7)."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reidkit.errors import LabelsError, ModelError
from reidkit.labels import ClusterSettings, cluster
from reidkit.losses import all_pairs_triplet
from reidkit.method import Batch, follow, ramped
from reidkit.methods.canu import CANU
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.methods.learn_by_guessing import LearnByGuessing
from reidkit.methods.learn_by_guessing import Recipe as Guessing
from reidkit.methods.lf2 import LF2
from reidkit.methods.mmt import MMT
from reidkit.methods.ssg import SSG
from reidkit.models import (
    CameraDiscriminator,
    Embedder,
    FusionModule,
    StripeEmbedder,
    build_embedder,
    in_groups,
    reverse_gradient,
)
from reidkit.models.fusion import average, halves, largest
from reidkit.training import fit
from tests.contract.checks import SCHEDULE, Bench, first_batch, state

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


class TestSSG:
    def test_chk_3_1_and_3_2_the_whole_is_the_mean_of_its_stripes(self) -> None:
        network = StripeEmbedder(build_embedder("tiny", neck="relu")).eval()
        _, features = network(torch.randn(2, 3, 128, 64))
        torch.testing.assert_close(features[:, 0], features[:, 1:].mean(1))
        bare = StripeEmbedder(Embedder(_Maps(), bn_neck=False))
        _, features = bare(torch.arange(8.0).reshape(1, 1, 8, 1).repeat(1, 3, 1, 1))
        assert features[0, :, 0].tolist() == [3.5, 1.5, 5.5]

    def test_chk_3_3_an_image_trains_only_if_no_view_calls_it_an_outlier(self, bench: Bench) -> None:
        from reidkit.labels import PseudoLabels

        labels = PseudoLabels(np.array([[0, 1, -1], [0, 0, 0], [1, 1, 1], [-1, 0, 0], [1, 1, 0]]))
        assert labels.kept.tolist() == [False, True, True, False, True]

    def test_chk_3_4_positional_positives(self) -> None:
        features, part = torch.tensor([[0.0], [5.0], [6.0], [1.0]]), torch.tensor([0, 1, 1, 0])
        assert all_pairs_triplet(features, part, 0.5, positives="positional", instances=2).item() == pytest.approx(0.5)
        assert all_pairs_triplet(features, part, 0.5).item() == 0.0

    def test_chk_3_5_four_terms_of_weight_one(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        method, batch = first_batch(bench, SSG)
        z = torch.randn(len(batch.index), 256)
        monkeypatch.setattr(method.network, "forward", lambda images: (z, torch.stack([z] * 3, dim=1)))
        same = replace(batch, label=batch.label[:, :1].repeat(1, 3))
        loss = method.loss(same)
        single = all_pairs_triplet(z, same.label[:, 0], 0.5)
        assert len(loss.terms) == 4 and all(weight == 1 for weight, _ in loss.terms.values())
        torch.testing.assert_close(loss.total, 4 * single)

    @pytest.mark.parametrize(("test", "norm"), [("whole", 1.0), ("per-view", math.sqrt(3))])
    def test_chk_3_6_the_test_vector(self, bench: Bench, test: str, norm: float) -> None:
        method = bench.build(SSG).eval()
        method.recipe = replace(method.recipe, test=test)
        vector = method.embed_test(IMAGES)
        assert vector.shape == (8, 3 * 256)
        if test == "per-view":
            torch.testing.assert_close(vector.norm(dim=1), torch.full((8,), norm))

    def test_without_parts_there_is_one_view(self, bench: Bench, tmp_path: Path) -> None:
        method = bench.build(SSG)
        method = SSG(method.network, replace(method.recipe, label_views=("full",)))
        capsule = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)
        assert set(capsule.losses["term"]) == {"z", "full"}


class _Maps(nn.Module):
    """A backbone whose map is the image."""

    out_channels = 3

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class TestMMT:
    def test_chk_4_1_the_ramped_average(self) -> None:
        teacher, student = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        teacher.weight.data.fill_(100.0)
        values = []
        for step, value in enumerate((1.0, 2.0, 3.0, 6.0)):
            student.weight.data.fill_(value)
            follow(teacher, student, ramped(0.999, step))
            values.append(teacher.weight.item())
        assert values == pytest.approx([1.0, 1.5, 2.0, 3.0])
        for step, alpha in {0: 0.0, 1: 0.5, 9: 0.9, 998: 0.998999, 999: 0.999, 5000: 0.999}.items():
            assert ramped(0.999, step) == pytest.approx(alpha, abs=1e-6)

    def test_chk_4_5_weights(self, bench: Bench) -> None:
        method, batch = first_batch(bench, MMT)
        weights = {name: weight for name, (weight, _) in method.loss(batch).terms.items()}
        assert weights == pytest.approx({"identity": 0.5, "soft_identity": 0.5, "triplet": 0.2, "soft_triplet": 0.8})
        one = {"identity": 2.0, "soft_identity": 1.5, "triplet": 0.7, "soft_triplet": 0.6}
        assert sum(weights[name] * one[name] for name in one) == pytest.approx(2.37)

    def test_chk_4_6_each_teaches_the_other(self, bench: Bench) -> None:
        method, batch = first_batch(bench, MMT)
        method.eval()

        def gradients() -> list[torch.Tensor]:
            method.zero_grad()
            method.loss(batch).total.backward()
            return [branch.embedder.backbone.conv1.weight.grad.clone() for branch in method.students]

        before = gradients()
        for parameter in method.teachers[0].parameters():
            parameter.data.zero_()
        after = gradients()
        assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])

    def test_chk_4_8_classifiers_start_equal_and_statistics_are_not_averaged(self, bench: Bench) -> None:
        method, batch = first_batch(bench, MMT)
        rows = [branch.classifier.weight for branch in (*method.students, *method.teachers)]
        for weight in rows:
            assert torch.equal(weight, rows[0])
            torch.testing.assert_close(weight.norm(dim=1), torch.ones(len(weight)))
        statistics = method.teachers[0].embedder.neck.running_mean.clone()
        student = method.students[0].embedder.neck.running_mean
        student.add_(1.0)
        method.after_step(batch, method.loss(batch))
        moved = method.teachers[0].embedder.neck.running_mean - statistics
        assert moved.abs().max() < 0.5, "the teacher's statistics are its own"

    def test_groups_give_the_statistics_of_small_batches(self) -> None:
        network = build_embedder("tiny").train()
        alone = torch.cat([copy.deepcopy(network)(part)[1] for part in IMAGES.split(4)])
        together = in_groups(copy.deepcopy(network), IMAGES, 4)[1]
        torch.testing.assert_close(together, alone)
        assert not torch.allclose(together, network(IMAGES)[1])

    @pytest.mark.parametrize(
        "change",
        [
            {"soft_identity": 0.0, "soft_triplet": 0.0},
            {"momentum": 0.0},
            {"taught_by": "own"},
            {"clustering": "kmeans", "clusters": 8},
            {"evaluated": "both"},
            {"norm_group": 4},
        ],
        ids=lambda change: "-".join(change),
    )
    def test_ablations_run(self, bench: Bench, change: dict[str, object], tmp_path: Path) -> None:
        toy = bench.build(MMT)
        method = MMT([branch.embedder for branch in toy.students], replace(toy.recipe, **change))
        capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
        assert len(capsule.losses) and np.isfinite(capsule.losses["value"]).all()
        if change.get("momentum") == 0.0:
            for teacher, student in zip(method.teachers.parameters(), method.students.parameters()):
                assert torch.equal(teacher, student)

    def test_one_network_teaches_itself(self, bench: Bench, tmp_path: Path) -> None:
        recipe = replace(bench.build(MMT).recipe, taught_by="own")
        method = MMT([build_embedder("tiny")], recipe)
        capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
        assert np.isfinite(capsule.losses["value"]).all()


def canu_on(base: type, bench: Bench, mu: float = 0.1, **recipe: object) -> CANU:
    """CANU over a toy base, with every tap it has."""
    taps = {ClusterAndFinetune: ("f",), SSG: ("full", "upper", "lower"), MMT: ("network1", "network2")}[base]
    return CANU(bench.build(base), taps, 256, bench.target.num_cameras, mu, **recipe)


class TestCANU:
    def test_chk_5_1_gradient_reversal(self) -> None:
        theta, w = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
        (0.5 * (w * reverse_gradient(theta, 0.1) - 1) ** 2).backward()
        assert theta.grad.item() == pytest.approx(-1.0) and w.grad.item() == pytest.approx(15.0)

    @pytest.mark.parametrize(
        ("cameras", "join", "count"),
        [
            (6, "concatenate", 7358470),
            (8, "concatenate", 7360520),
            (15, "concatenate", 7367695),
            (6, "sum", 5258246),
            (8, "sum", 5260296),
            (15, "sum", 5267471),
            (6, "none", 4209670),
            (8, "none", 4211720),
            (15, "none", 4218895),
            (6, "zero", 7358470),
        ],
    )
    def test_chk_5_2_sizes(self, cameras: int, join: str, count: int) -> None:
        judge = CameraDiscriminator(2048, cameras, join=join)
        assert sum(p.numel() for p in judge.parameters()) == count

    def test_chk_5_2_the_inputs_are_not_interchangeable(self) -> None:
        judge = CameraDiscriminator(16, 3)
        nn.init.normal_(judge.rest[-1].weight)
        x, p = torch.randn(2, 4, 16)
        assert not torch.allclose(judge(x, p), judge(p, x))
        with pytest.raises(ModelError, match="join='product'"):
            CameraDiscriminator(16, 3, join="product")

    @pytest.mark.parametrize("base", [ClusterAndFinetune, SSG, MMT])
    @pytest.mark.parametrize("condition", ["centroid", "none"])
    def test_chk_5_3_mu_zero_is_the_base_bit_for_bit(self, bench: Bench, base: type, condition: str, tmp_path: Path) -> None:
        plain, wrapped = bench.build(base), canu_on(base, bench, 0.0, condition=condition)
        judge = wrapped.judges[0].rest[-1].weight.clone()
        for name, method in (("plain", plain), ("wrapped", wrapped)):
            fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path / name, progress=False)
        for name, tensor in state(plain).items():
            assert torch.equal(tensor, wrapped.base.state_dict()[name]), name
        assert not torch.equal(judge, wrapped.judges[0].rest[-1].weight), "the judge learns all the same"

    def test_chk_5_3_mu_matters(self, bench: Bench, tmp_path: Path) -> None:
        plain, wrapped = bench.build(ClusterAndFinetune), canu_on(ClusterAndFinetune, bench, 0.5)
        for name, method in (("plain", plain), ("wrapped", wrapped)):
            fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path / name, progress=False)
        assert any(not torch.equal(tensor, wrapped.base.state_dict()[name]) for name, tensor in state(plain).items())

    def test_chk_5_4_renumbering_clusters_changes_nothing(self, bench: Bench) -> None:
        method, batch = first_batch(bench, CANU)
        order = torch.randperm(len(method.centroids), generator=torch.Generator().manual_seed(1))
        nn.init.normal_(method.judges[0].rest[-1].weight)
        before = method.camera_loss({"f": torch.ones(len(batch.index), 256)}, batch)["camera_f"][1]
        method.centroids = method.centroids[order]
        renumbered = replace(batch, label=torch.argsort(order)[batch.label])
        after = method.camera_loss({"f": torch.ones(len(batch.index), 256)}, renumbered)["camera_f"][1]
        assert torch.equal(before, after)

    def test_chk_5_5_nothing_flows_through_the_condition(self) -> None:
        judge = CameraDiscriminator(16, 3)
        nn.init.normal_(judge.rest[-1].weight)
        given = torch.randn(6, 16, requires_grad=True)
        F.cross_entropy(judge(torch.randn(6, 16), given), torch.tensor([0, 1, 2, 0, 1, 2])).backward()
        assert given.grad is None
        assert judge.condition[0].weight.grad.abs().sum() > 0

    @pytest.mark.parametrize(("cameras", "nats"), [(6, 1.791759), (8, 2.079442), (15, 2.708050)])
    def test_chk_5_6_an_untrained_judge_is_uniform(self, cameras: int, nats: float) -> None:
        logits = CameraDiscriminator(16, cameras)(torch.randn(32, 16), torch.randn(32, 16))
        assert F.cross_entropy(logits, torch.arange(32) % cameras).item() == pytest.approx(nats, abs=1e-5)

    def test_chk_5_6_the_best_plain_judge(self) -> None:
        """phi = (0,0,0,1), cameras (0,0,1,1): the best camera loss is H(C) - I(phi; C)."""
        shares = np.array([[2, 1], [0, 1]]) / 4
        given = shares / shares.sum(1, keepdims=True)
        best = -(shares[shares > 0] * np.log(given[shares > 0])).sum()
        assert best == pytest.approx(0.477386, abs=1e-6)
        judge, optimiser = nn.Linear(1, 2), None
        optimiser = torch.optim.LBFGS(judge.parameters(), max_iter=200)
        phi, camera = torch.tensor([[0.0], [0.0], [0.0], [1.0]]), torch.tensor([0, 0, 1, 1])

        def closure() -> torch.Tensor:
            optimiser.zero_grad()
            loss = F.cross_entropy(judge(phi), camera)
            loss.backward()
            return loss

        optimiser.step(closure)
        assert closure().item() == pytest.approx(best, abs=1e-3)

    def test_chk_5_7_the_condition_spares_identities_bound_to_a_camera(self) -> None:
        """Two identities, each under its own camera: a conditional judge reads the camera off the condition."""
        torch.manual_seed(0)
        phi = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(16, 1)
        camera, pull = torch.arange(2).repeat(16), {}
        for join in ("concatenate", "none"):
            judge = CameraDiscriminator(2, 2, join=join, hidden=16)
            optimiser = torch.optim.Adam(judge.parameters(), lr=0.01)
            for _ in range(150):
                optimiser.zero_grad()
                mixed = phi + 0.7 * torch.randn(32, 2)
                F.cross_entropy(judge(mixed, phi), camera).backward()
                optimiser.step()
            feature = (phi + 0.7 * torch.randn(32, 2)).requires_grad_()
            F.cross_entropy(judge(feature, phi), camera).backward()
            pull[join] = feature.grad.norm().item()
        assert pull["concatenate"] < 0.1 * pull["none"]

    @pytest.mark.parametrize(
        "recipe", [{"play": "alternating"}, {"optimiser": "own"}, {"join": "sum"}, {"normalise_centroid": True}]
    )
    def test_options_run(self, bench: Bench, recipe: dict[str, object], tmp_path: Path) -> None:
        method = canu_on(MMT, bench, **recipe)
        capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
        cameras = capsule.losses[capsule.losses["term"].str.startswith("camera")]
        assert len(cameras) and np.isfinite(cameras["value"]).all()
        players = {"judges", "model"} if recipe.get("play") else {"model+judges"} if recipe.get("optimiser") else {"model"}
        assert set(capsule.losses["player"]) == players


class TestLearnByGuessing:
    def test_chk_6_3_test_features_know_no_camera(self, bench: Bench) -> None:
        method = bench.build(LearnByGuessing).eval()
        assert torch.equal(method.embed_test(IMAGES), method.embedder(IMAGES)[1])

    def test_chk_6_4_no_radius_of_this_size_clusters_z_scores(self) -> None:
        rows = np.random.default_rng(0).normal(size=(400, 2048)).astype(np.float32)
        from scipy.spatial.distance import pdist

        assert pdist(rows).min() > 59 and pdist(rows).max() < 68.5
        cosine = pdist(rows, "cosine")
        assert abs(cosine.mean() - 1) < 0.001 and cosine.std() == pytest.approx(0.022, abs=0.001)

    @pytest.mark.parametrize(("distance", "eps"), [("cosine", 0.42), ("l2", math.sqrt(0.84)), ("squared-l2", 0.84)])
    def test_the_three_readings_of_eps_are_one_order(self, distance: str, eps: float) -> None:
        rng = np.random.default_rng(0)
        rows = np.repeat(rng.normal(size=(5, 32)), 8, axis=0) + 0.6 * rng.normal(size=(40, 32))
        rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        from scipy.spatial.distance import cdist
        from sklearn.cluster import DBSCAN

        wanted = DBSCAN(eps=0.42, min_samples=4, metric="precomputed").fit(np.maximum(cdist(rows, rows, "cosine"), 0)).labels_
        made = cluster(rows, np.zeros(40, np.int64), ClusterSettings(distance=distance, eps=eps))
        assert made.num_clusters > 1 and np.array_equal(made.labels, wanted)

    def test_chk_6_6_and_6_7_the_body_is_frozen_first(self, bench: Bench, tmp_path: Path) -> None:
        recipe = Guessing(eps=0.6, min_size=2, frozen_epochs=1, epochs=1)
        method = LearnByGuessing(build_embedder("tiny"), recipe)
        body = {name: tensor.clone() for name, tensor in method.embedder.state_dict().items()}
        frozen = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
        assert all(torch.equal(tensor, method.embedder.state_dict()[name]) for name, tensor in body.items())
        assert method.classifier.classes == len(np.unique(frozen.labels[0][frozen.labels[0] >= 0]))
        allow = ("schedule.epochs",)
        run = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, allow=allow, progress=False)
        moved = [name for name, tensor in body.items() if not torch.equal(tensor, method.embedder.state_dict()[name])]
        assert any("running_mean" in name for name in moved) and any("conv" in name for name in moved)
        assert np.array_equal(run.labels[0], run.labels[1]), "labels stand still within a step"

    def test_the_schedule_begins_anew_when_the_body_thaws(self) -> None:
        method = LearnByGuessing(build_embedder("tiny"), Guessing(frozen_epochs=2, epochs=3))
        assert [method.clock(epoch) for epoch in range(7)] == [0, 1, 0, 1, 2, 0, 1]

    def test_portion_counts_outliers(self, bench: Bench, tmp_path: Path) -> None:
        method = bench.build(LearnByGuessing)
        capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
        assert capsule.history[0]["portion"] == pytest.approx(float((capsule.labels[0] >= 0).mean()))

    def test_kmeans_takes_its_k_from_the_images(self) -> None:
        rows = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
        made = cluster(rows, np.arange(64) % 2, ClusterSettings(clustering="kmeans", clusters=0))
        assert made.num_clusters == 64 // 15

    def test_unknown_options_are_refused(self) -> None:
        with pytest.raises(LabelsError, match="camera='normalized'"):
            Guessing(camera="normalized")


class TestLF2:
    def test_chk_7_1_where_the_sigmoid_stands(self) -> None:
        maps = torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1)
        for sigmoid, wanted in (("inside", (1.761594, 0.0)), ("outside", (0.982014, 0.5))):
            fusion = FusionModule(2, reduction=1, sigmoid=sigmoid)
            for layer in (fusion.attention[0][0], fusion.attention[0][2]):
                layer.weight.data = torch.eye(2)
            # One map of one pixel: average and maximum agree, so halving them gives MLP(F) and F of the check.
            gate = fusion.gate(maps / 2, 0)
            assert gate.flatten().tolist() == pytest.approx(wanted, abs=1e-5)

    def test_chk_7_2_the_released_attention_gets_no_gradient(self, bench: Bench) -> None:
        method, batch = first_batch(bench, LF2)
        method.loss(batch).total.backward()
        assert all(p.grad is None for p in method.fusion.parameters())
        for expert in (method.student.upper, method.student.lower):
            assert expert[0].weight.grad.abs().sum() > 0
        assert method.student.backbone.conv1.weight.grad.abs().sum() > 0

    def test_the_option_trains_the_attention_and_nothing_above_it(self, bench: Bench) -> None:
        toy = bench.build(LF2)
        method = LF2(toy.student, toy.fusion, replace(toy.recipe, fusion_loss="triplet"))
        _, batch = first_batch(bench, LF2)
        method.classifier.remake(8)
        method.train()
        loss = method.loss(batch)
        sum(weight * value for name, (weight, value) in loss.terms.items() if name.startswith("fused"))
        before = loss.total - sum(loss.terms[name][0] * loss.terms[name][1] for name in ("identity", "triplet", "upper", "lower"))
        assert before.item() > 0
        loss.total.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.fusion.attention.parameters())
        assert all(p.grad is None for p in method.teacher.parameters())

    def test_chk_7_3_halves(self) -> None:
        maps = torch.randn(2, 4, 16, 8)
        upper, lower = halves(maps)
        assert upper.shape == lower.shape == (2, 4, 8, 8)
        torch.testing.assert_close((average(upper) + average(lower)) / 2, average(maps))
        torch.testing.assert_close(torch.maximum(largest(upper), largest(lower)), largest(maps))

    def test_chk_7_4_each_view_has_its_own_batch_and_weight(self, bench: Bench) -> None:
        method, batch = first_batch(bench, LF2)
        assert len(batch.others) == 2
        weights = {name: weight for name, (weight, _) in method.loss(batch).terms.items()}
        assert weights == {"identity": 1.0, "triplet": 1.0, "upper": 0.5, "lower": 0.5}
        method.recipe = replace(method.recipe, gamma=0.0)
        method.eval()
        gradients = []
        for scale in (1.0, 3.0):
            method.zero_grad()
            others = tuple(replace(other, views=(other.views[0] * scale,)) for other in batch.others)
            method.loss(replace(batch, others=others)).total.backward()
            gradients.append(method.student.backbone.conv1.weight.grad.clone())
        assert torch.equal(*gradients)

    def test_chk_7_5_the_teacher_alone_is_tested(self, bench: Bench) -> None:
        method = bench.build(LF2).eval()
        before = method.embed_test(IMAGES)
        assert before.shape == (8, 3 * 256)
        torch.testing.assert_close(before.norm(dim=1), torch.ones(8))
        for parameter in method.student.parameters():
            parameter.data.add_(1.0)
        assert torch.equal(before, method.embed_test(IMAGES))

    @pytest.mark.parametrize("fusion", ["teacher-parts", "global"])
    def test_ablations_run(self, bench: Bench, fusion: str, tmp_path: Path) -> None:
        toy = bench.build(LF2)
        method = LF2(toy.student, toy.fusion, replace(toy.recipe, fusion=fusion))
        capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
        assert ("upper" in set(capsule.losses["term"])) == (fusion != "global")


def test_batches_move_whole() -> None:
    """`Batch.to` takes companions and further batches along."""
    batch = Batch((IMAGES,), torch.arange(8), torch.zeros(8, 1, dtype=torch.long), torch.zeros(8, dtype=torch.long))
    moved = replace(batch, companion=batch, others=(batch,)).to(torch.device("meta"))
    assert moved.others[0].index.is_meta and moved.companion.views[0].is_meta and moved.label.is_meta
