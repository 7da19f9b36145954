"""Losses against loops in float64, gradients, published check values, precision and edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from reidkit import losses
from reidkit.errors import LabelsError, ReidkitError

TRIPLET_FEATURES, TRIPLET_LABELS = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])


def _distance(a: list[float], b: list[float]) -> float:
    return math.sqrt(max(sum((x - y) ** 2 for x, y in zip(a, b)), 1e-12))


def _mined(f: list[list[float]], y: list[int]) -> list[tuple[int, int]]:
    """(farthest positive, nearest negative) of each anchor, the first among equals."""
    rows = range(len(f))
    return [
        (
            max((j for j in rows if y[j] == y[i]), key=lambda j: _distance(f[i], f[j])),
            min((j for j in rows if y[j] != y[i]), key=lambda j: _distance(f[i], f[j])),
        )
        for i in rows
    ]


def _batch_hard(f: list[list[float]], y: list[int], margin: float) -> float:
    terms = [max(0.0, _distance(f[i], f[p]) - _distance(f[i], f[n]) + margin) for i, (p, n) in enumerate(_mined(f, y))]
    return sum(terms) / len(terms)


def _log_shares(p: float, n: float) -> tuple[float, float]:
    total = math.log(math.exp(p) + math.exp(n))
    return p - total, n - total


def _softmax_triplet(f: list[list[float]], y: list[int], teacher: list[list[float]] | None, margin: float) -> float:
    terms = []
    for i, (p, n) in enumerate(_mined(f, y)):
        log_p, log_n = _log_shares(_distance(f[i], f[p]), _distance(f[i], f[n]))
        target = (margin, 1 - margin)
        if teacher is not None:
            target = tuple(map(math.exp, _log_shares(_distance(teacher[i], teacher[p]), _distance(teacher[i], teacher[n]))))
        terms.append(-(target[0] * log_p + target[1] * log_n))
    return sum(terms) / len(terms)


def _all_pairs(f: list[list[float]], y: list[int], margin: float, group: list[int]) -> tuple[float, int]:
    terms = []
    for a in range(len(f)):
        for p in range(a + 1, len(f)):
            if group[a] == group[p]:
                nearest = min(_distance(f[a], f[n]) for n in range(len(f)) if y[n] != y[a])
                terms.append(max(0.0, _distance(f[a], f[p]) - nearest + margin))
    return sum(terms) / len(terms), len(terms)


def _contrast(f: list[list[float]], m: list[list[float]], y: list[int], temperature: float) -> float:
    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * z for x, z in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(z * z for z in b))

    terms = []
    for i in range(len(f)):
        s = [math.exp(cosine(f[i], m[j]) / temperature) for j in range(len(f))]
        positive = min(s[j] for j in range(len(f)) if y[j] == y[i])
        terms.append(-math.log(positive / (positive + sum(s[j] for j in range(len(f)) if y[j] != y[i]))))
    return sum(terms) / len(terms)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """(features, second features, labels) in float64 with two or more labels; labels in any order, some alone."""
    size = draw(st.integers(3, 9))
    labels = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size).filter(lambda found: len(set(found)) > 1))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale = draw(st.sampled_from([0.1, 1.0, 5.0]))
    f, g = (torch.randn(size, 4, generator=generator, dtype=torch.float64) * scale for _ in range(2))
    return f, g, torch.tensor(labels)


def _every_loss(features: Tensor, labels: Tensor) -> list[Tensor]:
    other = features.flip(1)
    return [
        losses.batch_hard_triplet(features, labels, 0.3),
        losses.softmax_triplet(features, labels, teacher_features=other),
        losses.all_pairs_triplet(features, labels, 0.3),
        losses.smoothed_cross_entropy(features, labels),
        losses.soft_cross_entropy(features, other),
        losses.centre_loss(features, labels, other),
        losses.hard_instance_contrast(features, other, labels, 0.1),
    ]


few = settings(max_examples=40, deadline=None)


@few
@given(batches(), st.floats(0, 2))
def test_batch_hard_equals_loops(batch: tuple[Tensor, Tensor, Tensor], margin: float) -> None:
    f, _, y = batch
    assert losses.batch_hard_triplet(f, y, margin).item() == pytest.approx(_batch_hard(f.tolist(), y.tolist(), margin), rel=1e-9)


@few
@given(batches(), st.booleans(), st.sampled_from([0.0, 0.3]))
def test_softmax_triplet_equals_loops(batch: tuple[Tensor, Tensor, Tensor], taught: bool, margin: float) -> None:
    f, g, y = batch
    teacher, margin = (g, 0.0) if taught else (None, margin)
    found = losses.softmax_triplet(f, y, teacher_features=teacher, margin=margin).item()
    expected = _softmax_triplet(f.tolist(), y.tolist(), g.tolist() if taught else None, margin)
    assert found == pytest.approx(expected, rel=1e-9)


@few
@given(batches())
def test_all_pairs_equals_loops(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    f, _, y = batch
    if len(set(y.tolist())) == len(y):
        assert losses.all_pairs_triplet(f, y, 0.5).item() == 0
        return
    expected, _ = _all_pairs(f.tolist(), y.tolist(), 0.5, y.tolist())
    assert losses.all_pairs_triplet(f, y, 0.5).item() == pytest.approx(expected, rel=1e-9)


@few
@given(batches(), st.sampled_from([0.1, 0.5]))
def test_contrast_equals_loops(batch: tuple[Tensor, Tensor, Tensor], temperature: float) -> None:
    f, g, y = batch
    expected = _contrast(f.tolist(), g.tolist(), y.tolist(), temperature)
    assert losses.hard_instance_contrast(f, g, y, temperature).item() == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_cross_entropies_equal_loops() -> None:
    generator = torch.Generator().manual_seed(3)
    logits, teacher = (torch.randn(5, 7, generator=generator, dtype=torch.float64) * 3 for _ in range(2))
    labels = torch.tensor([0, 6, 2, 2, 5])
    hard, soft = [], []
    for row, taught, label in zip(logits.tolist(), teacher.tolist(), labels.tolist()):
        log_p = [v - math.log(sum(map(math.exp, row))) for v in row]
        mass = [math.exp(v) / sum(map(math.exp, taught)) for v in taught]
        hard.append(-sum((0.8 * (k == label) + 0.2 / 7) * log_p[k] for k in range(7)))
        soft.append(-sum(mass[k] * log_p[k] for k in range(7)))
    assert losses.smoothed_cross_entropy(logits, labels, 0.2).item() == pytest.approx(sum(hard) / 5)
    assert losses.soft_cross_entropy(logits, teacher).item() == pytest.approx(sum(soft) / 5)


def test_distances_equal_loops_and_are_clamped() -> None:
    generator = torch.Generator().manual_seed(4)
    x, y = (
        torch.randn(4, 3, generator=generator, dtype=torch.float64),
        torch.randn(5, 3, generator=generator, dtype=torch.float64),
    )
    y[2] = x[1]
    found = losses.pairwise_distances(x, y)
    assert np.allclose(found, [[_distance(a, b) for b in y.tolist()] for a in x.tolist()], rtol=1e-12, atol=0)
    assert found[1, 2].item() == 1e-6


def test_float32_distances_of_long_close_features_keep_their_digits() -> None:
    base = torch.full((1, 2048), 30.0)
    near = base.clone()
    near[0, 0] += 0.01
    assert losses.pairwise_distances(base, near).item() == pytest.approx(0.01, rel=1e-3)


def test_chk_1_2_label_smoothing() -> None:
    logits, label = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([0])
    assert losses.smoothed_cross_entropy(logits, label).item() == pytest.approx(0.490753, abs=1e-6)
    assert losses.smoothed_cross_entropy(logits, label, 0.0).item() == pytest.approx(0.340753, abs=1e-6)
    assert losses.smoothed_cross_entropy(torch.zeros(1, 9), label).item() == pytest.approx(math.log(9))
    three = torch.tensor([[2.0, 0, 0]])  # CHK-SHARED-10
    assert losses.smoothed_cross_entropy(three, label, 0.0).item() == pytest.approx(0.239545, abs=1e-6)
    assert losses.smoothed_cross_entropy(three, label).item() == pytest.approx(0.372878, abs=1e-6)


def test_chk_1_5_batch_hard() -> None:
    assert losses.batch_hard_triplet(TRIPLET_FEATURES, TRIPLET_LABELS, 0.3).item() == pytest.approx(0.575, abs=1e-5)
    assert losses.batch_hard_triplet(TRIPLET_FEATURES, TRIPLET_LABELS, 0.5).item() == pytest.approx(0.625, abs=1e-5)
    assert losses.softmax_triplet(TRIPLET_FEATURES, TRIPLET_LABELS).item() == pytest.approx(0.673511, abs=1e-5)


def test_chk_1_6_centre_loss() -> None:
    f, y, centres = torch.tensor([[1.0, 2.0]]), torch.tensor([0]), torch.zeros(1, 2)
    assert losses.centre_loss(f, y, centres).item() == 5.0


def test_centre_loss_equals_loops_and_pulls_both_ways() -> None:
    generator = torch.Generator().manual_seed(7)
    f = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    centres = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 2, 2, 1, 0])
    loss = losses.centre_loss(f, y, centres)
    expected = sum(_distance(f[i].tolist(), centres[k].tolist()) ** 2 for i, k in enumerate(y.tolist())) / 5
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert f.grad is not None and torch.allclose(f.grad, 2 / 5 * (f - centres[y]).detach())
    pull = torch.stack([(2 / 5 * (centres[k] - f[y == k]).sum(0)).detach() for k in range(4)])
    assert centres.grad is not None and torch.allclose(centres.grad, pull) and not centres.grad[3].any()


def test_chk_2_6_all_pairs() -> None:
    assert losses.all_pairs_triplet(TRIPLET_FEATURES, TRIPLET_LABELS, 0.5).item() == pytest.approx(1.25, abs=1e-5)


def test_chk_2_6_number_of_terms() -> None:
    """Eight groups of four, 100 apart. One image sticks out by 60: at margin 41 three terms are 1 and all others 0."""
    labels = torch.arange(32) // 4
    features = (100.0 * labels)[:, None]
    features[3] = -60.0
    assert 3 / losses.all_pairs_triplet(features, labels, 41.0).item() == pytest.approx(48, rel=1e-5)
    assert 3 / losses.batch_hard_triplet(features, labels, 41.0).item() == pytest.approx(32, rel=1e-5)


def _rectangle(d_ap: float, d_an: float) -> Tensor:
    """Two pairs on opposite sides: every one of the four anchors sees (d_ap, d_an)."""
    return torch.tensor([[0, 0], [d_ap, 0], [0, d_an], [d_ap, d_an]], dtype=torch.float64)


@pytest.mark.parametrize(("pair", "value"), [((1, 2), 0.313262), ((1, 1), 0.693147), ((2, 1), 1.313262)])
def test_chk_4_2_softmax_triplet(pair: tuple[float, float], value: float) -> None:
    assert losses.softmax_triplet(_rectangle(*pair), TRIPLET_LABELS).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("teacher", "value"), [((1, 1), 0.813262), ((1, 2), 0.582203)])
def test_chk_4_3_soft_triplet(teacher: tuple[float, float], value: float) -> None:
    loss = losses.softmax_triplet(_rectangle(1, 2), TRIPLET_LABELS, teacher_features=_rectangle(*teacher))
    assert loss.item() == pytest.approx(value, abs=1e-6)


def test_chk_4_4_soft_cross_entropy() -> None:
    student, teacher = torch.zeros(1, 2, requires_grad=True), torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = losses.soft_cross_entropy(student, teacher)
    assert loss.item() == pytest.approx(0.693147, abs=1e-6)
    loss.backward()
    assert teacher.grad is None and student.grad is not None and student.grad.abs().sum() > 0
    assert losses.soft_cross_entropy(teacher, teacher).item() == pytest.approx(0.582203, abs=1e-6)


def test_chk_4_7_teacher_is_read_where_the_student_looks() -> None:
    student, labels = torch.tensor([[0.0], [1.0], [5.0], [2.0]]), torch.tensor([0, 0, 1, 2])
    teacher = torch.tensor([[0.0], [1.0], [0.5], [9.0]], requires_grad=True)  # its own nearest negative of 0 is item 2
    found = losses.softmax_triplet(student, labels, teacher_features=teacher).item()
    assert found == pytest.approx(_softmax_triplet(student.tolist(), labels.tolist(), teacher.tolist(), 0.0), rel=1e-5)
    moved = teacher.detach().clone()
    moved[3] += 1  # item 3 is anchor 0's negative under the student: the loss must move with it
    assert losses.softmax_triplet(student, labels, teacher_features=moved).item() != pytest.approx(found)


def test_chk_ice_3_hard_instance_contrast() -> None:
    similarity = np.array([[0.9, 0.6, 0.3, 0.2], [0.7, 0.8, 0.1, 0.4], [0.2, 0.3, 0.95, 0.5], [0.1, 0.2, 0.85, 0.9]])
    gram = np.full((4, 4), 0.2) + 0.4 * np.kron(np.eye(2), np.ones((2, 2))) + 0.4 * np.eye(4)
    momentum = np.linalg.cholesky(gram)  # unit rows
    inside = similarity @ np.linalg.inv(momentum.T)
    online = np.hstack([inside, np.diag(np.sqrt(1 - (inside**2).sum(axis=1)))])  # unit rows with the wanted similarities
    momentum = np.hstack([momentum, np.zeros((4, 4))])
    assert np.allclose(online @ momentum.T, similarity)
    labels = torch.tensor([0, 0, 1, 1])
    loss = losses.hard_instance_contrast(torch.from_numpy(3 * online), torch.from_numpy(7 * momentum), labels, 0.1)
    assert loss.item() == pytest.approx(0.072183, abs=1e-6)


# Gradients.

OTHER = torch.randn(8, 3, generator=torch.Generator().manual_seed(12), dtype=torch.float64)


def _tie_free(size: int = 8, width: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    features = torch.randn(size, width, generator=generator, dtype=torch.float64, requires_grad=True)
    return features, torch.arange(size) // 2


@pytest.mark.parametrize(
    "loss",
    [
        lambda f, y: losses.batch_hard_triplet(f, y, 5.0),
        losses.softmax_triplet,
        lambda f, y: losses.softmax_triplet(f, y, margin=0.3),
        lambda f, y: losses.softmax_triplet(f, y, teacher_features=OTHER),
        lambda f, y: losses.all_pairs_triplet(f, y, 5.0),
        lambda f, y: losses.smoothed_cross_entropy(f, y % 3),
        lambda f, y: losses.soft_cross_entropy(f, OTHER),
        lambda f, y: losses.centre_loss(f, y, OTHER),
        lambda f, y: losses.hard_instance_contrast(f, OTHER, y, 0.5),
    ],
)
def test_gradients_are_those_of_finite_differences(loss) -> None:
    features, labels = _tie_free()
    assert gradcheck(lambda f: loss(f, labels), (features,))


def test_no_gradient_reaches_teachers() -> None:
    features, labels = _tie_free()
    teacher = features.detach().clone().requires_grad_()
    total = losses.softmax_triplet(features, labels, teacher_features=teacher)
    total = total + losses.hard_instance_contrast(features, teacher, labels, 0.1)
    total.backward()
    assert teacher.grad is None and features.grad is not None


def test_equal_features_give_finite_gradients() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    losses.batch_hard_triplet(features, TRIPLET_LABELS, 0.3).backward()
    assert features.grad is not None and torch.isfinite(features.grad).all()


# Invariances and edges.


def test_order_and_names_of_labels_do_not_matter() -> None:
    features, labels = torch.randn(8, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64), torch.arange(8) // 2
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    before, after = _every_loss(features, labels), _every_loss(features[order], 7 - labels[order])
    for index in (0, 1, 6):  # the others have classes, or order
        assert after[index].item() == pytest.approx(before[index].item(), rel=1e-12)


def test_distances_move_with_the_features_not_with_their_norm() -> None:
    features, labels = _tie_free()
    loss = losses.batch_hard_triplet(features, labels, 0.0)
    assert losses.batch_hard_triplet(features + 100, labels, 0.0).item() == pytest.approx(loss.item(), rel=1e-9)
    assert losses.batch_hard_triplet(features * 10, labels, 0.0).item() == pytest.approx(10 * loss.item(), rel=1e-9)


def test_positional_positives_keep_the_released_quirk() -> None:
    """Positions decide the positives and labels the negatives, so that a pair can be both."""
    features = torch.tensor([[0.0], [2.0], [5.0], [9.0]])
    labels = torch.tensor([0, 1, 1, 1])
    found = losses.all_pairs_triplet(features, labels, 0.5, positives="positional", instances=2).item()
    expected, terms = _all_pairs(features.tolist(), labels.tolist(), 0.5, [0, 0, 1, 1])
    assert terms == 2 and found == pytest.approx(expected)
    assert found != pytest.approx(losses.all_pairs_triplet(features, labels, 0.5).item())


def test_positional_equals_label_on_grouped_batches() -> None:
    features, labels = _tie_free()
    positional = losses.all_pairs_triplet(features, labels, 0.5, positives="positional", instances=2)
    assert torch.equal(positional, losses.all_pairs_triplet(features, labels, 0.5))


@pytest.mark.parametrize(
    "call",
    [
        lambda f, y: losses.batch_hard_triplet(f, y, 0.3),
        losses.softmax_triplet,
        lambda f, y: losses.softmax_triplet(f, y, teacher_features=f.detach()),
        lambda f, y: losses.all_pairs_triplet(f, y, 0.3),
        lambda f, y: losses.hard_instance_contrast(f, f.detach(), y, 0.1),
    ],
)
def test_a_batch_of_one_label_gives_zero_and_no_nan(call) -> None:
    features = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = call(features, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert features.grad is not None and features.grad.abs().max() < 1e-6


@pytest.mark.parametrize("loss", [losses.batch_hard_triplet, losses.all_pairs_triplet])
def test_outliers_are_refused(loss) -> None:
    with pytest.raises(LabelsError, match="2 of 4 images"):
        loss(TRIPLET_FEATURES, torch.tensor([0, -1, 1, -1]), 0.3)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ReidkitError, match="teacher"):
        losses.softmax_triplet(TRIPLET_FEATURES, TRIPLET_LABELS, teacher_features=TRIPLET_FEATURES, margin=0.3)
    for instances in (None, 0, 3):
        with pytest.raises(ReidkitError, match="groups"):
            losses.all_pairs_triplet(TRIPLET_FEATURES, TRIPLET_LABELS, 0.3, positives="positional", instances=instances)


# Precision.


@pytest.mark.parametrize("inside", [True, False])
def test_bf16_features_are_raised_before_any_loss(inside: bool) -> None:
    features, labels = torch.randn(8, 64, generator=torch.Generator().manual_seed(5)).bfloat16(), torch.arange(8) // 2
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=inside):
        found = _every_loss(features, labels)
    for ours, exact in zip(found, _every_loss(features.double(), labels), strict=True):
        assert ours.dtype == torch.float32 and ours.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_losses() -> None:
    features, labels = torch.randn(64, 256, generator=torch.Generator().manual_seed(6)), torch.arange(64) // 4
    for cpu, gpu in zip(_every_loss(features, labels), _every_loss(features.cuda(), labels.cuda()), strict=True):
        assert gpu.item() == pytest.approx(cpu.item(), rel=1e-4)
