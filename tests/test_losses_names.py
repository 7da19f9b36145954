"""Labels by other names, images at other places: value, gradient and memory; and float32 against loops in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reidkit import losses
from reidkit.models import Centres
from tests.test_losses import _all_pairs, _batch_hard, _contrast, _distance, _softmax_triplet

SIZE, WIDTH, CLASSES = 12, 5, 4
ORDER = torch.randperm(SIZE, generator=torch.Generator().manual_seed(1))
NAMES = torch.tensor([2, 0, 3, 1])  # label l is called NAMES[l]
ROWS = torch.argsort(NAMES)  # row r of what has a row a class, in the new order


def drawn(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


LABELS = torch.arange(SIZE) // 3
OTHER, CENTRES = drawn((SIZE, WIDTH), 2), drawn((CLASSES, WIDTH), 3)
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
OF_FEATURES: dict[str, Loss] = {  # (features, labels, features of the teacher or of the second view)
    "batch-hard": lambda f, y, t: losses.batch_hard_triplet(f, y, 2.0),
    "softmax": lambda f, y, t: losses.softmax_triplet(f, y),
    "taught": lambda f, y, t: losses.softmax_triplet(f, y, teacher_features=t),
    "all-pairs": lambda f, y, t: losses.all_pairs_triplet(f, y, 2.0),
    "contrast": lambda f, y, t: losses.hard_instance_contrast(f, t, y, 0.5),
}
every_loss = pytest.mark.parametrize("loss", OF_FEATURES.values(), ids=list(OF_FEATURES))


def value_and_gradient(loss: Callable[[Tensor], Tensor], features: Tensor) -> tuple[float, Tensor]:
    leaf = features.clone().requires_grad_()
    total = loss(leaf)
    total.backward()
    assert leaf.grad is not None and leaf.grad.abs().max() > 0
    return total.item(), leaf.grad


@every_loss
def test_renumbered_identities_change_nothing(loss: Loss) -> None:
    features = drawn((SIZE, WIDTH), 0)
    before = value_and_gradient(lambda f: loss(f, LABELS, OTHER), features)
    after = value_and_gradient(lambda f: loss(f, NAMES[LABELS], OTHER), features)
    assert before[0] == after[0] and torch.equal(before[1], after[1])


@every_loss
def test_permuted_images_permute_the_gradient(loss: Loss) -> None:
    """The value stays and each image keeps its own gradient; all-pairs looks from the first of a pair and must change."""
    features = drawn((SIZE, WIDTH), 0)
    value, gradient = value_and_gradient(lambda f: loss(f, LABELS, OTHER), features)
    again, moved = value_and_gradient(lambda f: loss(f, LABELS[ORDER], OTHER[ORDER]), features[ORDER])
    if loss is OF_FEATURES["all-pairs"]:
        labels = LABELS[ORDER].tolist()
        assert again != pytest.approx(value) and again == pytest.approx(
            _all_pairs(features[ORDER].tolist(), labels, 2.0, labels)[0]
        )
        return
    assert again == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(moved, gradient[ORDER], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("soft", [False, True], ids=["smoothed", "soft"])
def test_renumbered_classes_take_their_columns_along(soft: bool) -> None:
    logits, teacher = drawn((SIZE, CLASSES), 4), drawn((SIZE, CLASSES), 5)

    def loss(found: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
        return losses.soft_cross_entropy(found, taught) if soft else losses.smoothed_cross_entropy(found, labels)

    value, gradient = value_and_gradient(lambda x: loss(x, teacher, LABELS), logits)
    again, moved = value_and_gradient(lambda x: loss(x, teacher[:, ROWS], NAMES[LABELS]), logits[:, ROWS])
    assert again == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(moved, gradient[:, ROWS], rtol=1e-10, atol=1e-12)
    again, moved = value_and_gradient(lambda x: loss(x, teacher[ORDER], LABELS[ORDER]), logits[ORDER])
    assert again == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(moved, gradient[ORDER], rtol=1e-10, atol=1e-12)


def test_centres_follow_their_names_and_forget_the_order() -> None:
    features = drawn((SIZE, WIDTH), 0)
    memories = []
    for order, names, rows in (
        (torch.arange(SIZE), torch.arange(CLASSES), torch.arange(CLASSES)),
        (ORDER, NAMES, ROWS),
    ):
        centres = Centres(WIDTH, CLASSES)
        centres.keep(CENTRES[rows].float())
        f, y = features[order], names[LABELS[order]]
        value, gradient = value_and_gradient(lambda x, c=centres, y=y: losses.centre_loss(x, y, c.value.double()), f)
        centres.step(f.float(), y, 0.5)
        memories.append((value, gradient[torch.argsort(order)], centres.value[torch.argsort(rows)]))
    assert memories[0][0] == pytest.approx(memories[1][0], rel=1e-12)
    torch.testing.assert_close(memories[0][1], memories[1][1], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(memories[0][2], memories[1][2], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
def test_float32_agrees_with_loops_in_float64_to_five_digits(seed: int, scale: float) -> None:
    """The loops know nothing of torch; they are given the float32 numbers."""
    f, t = (drawn((SIZE, 64), 10 * seed + part, torch.float32) * scale for part in (0, 1))
    x, u, y = f.double().tolist(), t.double().tolist(), LABELS.tolist()
    wanted = {
        "batch-hard": _batch_hard(x, y, 2.0),
        "softmax": _softmax_triplet(x, y, None, 0.0),
        "taught": _softmax_triplet(x, y, u, 0.0),
        "all-pairs": _all_pairs(x, y, 2.0, y)[0],
        "contrast": _contrast(x, u, y, 0.5),
    }
    for name, loss in OF_FEATURES.items():
        assert loss(f, LABELS, t).item() == pytest.approx(wanted[name], rel=1e-5, abs=1e-6), name
    centres = t[:CLASSES]
    wanted_pull = sum(_distance(x[i], u[k]) ** 2 for i, k in enumerate(y)) / SIZE
    assert losses.centre_loss(f, LABELS, centres).item() == pytest.approx(wanted_pull, rel=1e-5)
