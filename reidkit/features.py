"""Features: one row an image, and how a network's features of a whole table are extracted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from tqdm.auto import tqdm

from reidkit.compute import Compute, device_of, memory_for
from reidkit.errors import ModelError, RecordsError, shown
from reidkit.images.batches import iterate_batches
from reidkit.images.views import make_view
from reidkit.models.forms import Embed, module_of
from reidkit.models.probe import PROBED, Choice, fastest_form, named_form
from reidkit.records import ImageTable


@dataclass(frozen=True, eq=False)
class Features:
    """A matrix of features with the images they belong to; never normalised behind the caller's back.

    Attributes:
        matrix: float32 (N, D), row i belongs to row i of `records`.
        records: the images.
        parts: how many features of equal length D / parts stand side by side in a row (1: a single one).
        precision: how the network computed them, by a name that `extract` takes; "" when that is not known.

    Raises:
        RecordsError: if rows and images differ in number, or D is not a multiple of `parts`.
    """

    matrix: Float32[np.ndarray, "n d"]
    records: ImageTable
    parts: int = 1
    precision: str = ""

    def __post_init__(self) -> None:
        if len(self.matrix) != len(self.records):
            raise RecordsError(
                f"{len(self.matrix)} features for the {len(self.records)} images of {self.records.name!r}.",
                rule="Features are stored row by row with their images.",
                action="Pass the table that the features were extracted from.",
            )
        if self.parts < 1 or self.matrix.shape[1] % self.parts:
            raise RecordsError(
                f"Features of length {self.matrix.shape[1]} cannot be cut in {self.parts} parts.",
                rule="Parts are of equal length.",
                action="Correct `parts`.",
            )

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def dimension(self) -> int:
        """D, the length of a row (all parts)."""
        return int(self.matrix.shape[1])

    @property
    def camera(self) -> np.ndarray:
        """int64 (N,), camera index of each row."""
        return self.records.camera

    def part(self, index: int) -> Features:
        """The features of one part, (N, D / parts); negative numbers count from the last."""
        if not -self.parts <= index < self.parts:
            raise RecordsError(
                f"Part {index} of {self.parts}.", rule="Parts are numbered from 0.", action=f"Use 0 to {self.parts - 1}."
            )
        return replace(self, matrix=np.split(self.matrix, self.parts, axis=1)[index], parts=1)

    def unit(self) -> Features:
        """The same with every part of every row divided by its Euclidean norm (a part of zeros stays zero)."""
        cut = self.matrix.reshape(len(self), self.parts, -1)
        norms = np.linalg.norm(cut, axis=2, keepdims=True)
        return replace(self, matrix=(cut / np.maximum(norms, np.float32(1e-12))).reshape(self.matrix.shape))

    def take(self, rows: np.ndarray | Sequence[int]) -> Features:
        """The given rows (indices or a mask), with their images."""
        return replace(self, matrix=self.matrix[np.asarray(rows)], records=self.records.take(rows))


def extract(
    embed: Embed,
    table: ImageTable,
    *,
    size: tuple[int, int],
    view: str = "none",
    batch: int = 128,
    flip: bool = False,
    parts: int = 1,
    device: str | torch.device | None = None,
    precision: str = "float32",
    progress: bool = True,
    workers: int = 0,
    seed: int = 0,
) -> Features:
    """The features of every image of a table, in its order.

    The network is put in evaluation mode (where `embed` is a module or the method of one) and given back as it was; no
    gradient is kept. One batch of images is in memory at a time.

    Args:
        embed: images (B, 3, H, W) -> features (B, D): a module, or a bound method of one such as ``method.embed``. A
            lambda around a network hides it: then evaluation mode is up to the caller.
        table: the images.
        size: (H, W) in pixels that they are resized to.
        view: how images are prepared, by name (see `reidkit.images.views`); ``"none"`` resizes and normalises.
        batch: images at a time.
        flip: add the features of the mirrored image (a sum, not normalised).
        parts: how many features stand side by side in a row of what `embed` returns.
        device: where to compute; the module's own device when None. The module is not moved.
        precision: how the network computes (the result is float32 either way). ``"float32"`` gives the same bytes again on
            one machine. ``"auto"`` tries faster forms on a few images, where the table is large enough for that to pay, and
            takes the fastest whose features have a cosine of 0.9999 or more to those of float32; it is logged, shown in the
            bar and kept in ``Features.precision``. Any of `reidkit.models.forms.FORMS` by name repeats such a choice.
        progress: whether to show a progress bar.
        workers: threads that read images ahead; the result does not depend on it.
        seed: for views that draw at random.

    Raises:
        ModelError: if `embed` returns something else than one finite row an image (naming the images), or the module is
            not on the device asked for.
        RecordsError: if the table is empty.
        ReidkitError: if a batch does not fit into memory.
    """
    if not len(table):
        raise RecordsError(
            f"{table.name}: no image to extract features from.", rule="A table has at least one row.", action="Check the split."
        )
    module = module_of(embed)
    place = _device(device, module)
    rows_of_batches = np.array_split(np.arange(len(table)), range(batch, len(table), batch))
    batches = iterate_batches(table, rows_of_batches, [make_view(view, size)], seed=(seed, "extract"), workers=workers)
    matrix: np.ndarray | None = None
    chosen: Choice | None = None
    memory = memory_for(f"features of {table.name}", less=f"Lower batch={batch} or size={size}.")
    with _evaluating(module), memory, torch.no_grad(), tqdm(total=len(table), unit="image", disable=not progress) as bar:
        for rows, (images,) in batches:
            images = images.to(place)
            if chosen is None:
                chosen = _choose(embed, precision, images, len(table), parts)
                bar.set_description(chosen.form, refresh=False)
            rows_out = _embed_once(chosen, images, flip, min(batch, len(table)))
            if matrix is None:
                matrix = np.empty((len(table), rows_out.shape[1]), np.float32)
            matrix[rows] = rows_out
            _refuse_non_finite(matrix[rows], table, rows)
            bar.update(len(rows))
    assert matrix is not None and chosen is not None  # the table has at least one batch
    return Features(matrix, table, parts, chosen.form)


def _choose(embed: Embed, precision: str, images: Float[Tensor, "b 3 h w"], count: int, parts: int) -> Choice:
    """The form that was asked for, or that a probe on some of the first batch finds."""
    if precision != "float32":
        _checked(embed(images[:PROBED]), images[:PROBED])
    if precision != "auto":
        return named_form(embed, precision, images, parts)
    return fastest_form(embed, images, count, batch=len(images), parts=parts)


def _embed_once(chosen: Choice, images: Float[Tensor, "b 3 h w"], flip: bool, batch: int) -> Float32[np.ndarray, "b d"]:
    """Features of one batch on the CPU, the mirror's added when `flip`; compiled code gets a last batch of full size."""
    count = len(images)
    if chosen.form.endswith("compiled") and count < batch:
        images = torch.cat([images, images[:1].expand(batch - count, -1, -1, -1)])
    features = _checked(chosen.embed(images), images).float()
    if flip:
        features = features + chosen.embed(images.flip(-1)).float()
    return features[:count].cpu().numpy()


def _checked(features: object, images: Tensor) -> Tensor:
    """What `embed` returned, if it is one row an image."""
    if isinstance(features, Tensor) and features.ndim == 2 and len(features) == len(images):
        return features
    found = f"shape {tuple(features.shape)}" if isinstance(features, Tensor) else type(features).__name__
    raise ModelError(
        f"`embed` returned {found} for {len(images)} images.",
        rule="`embed` returns one matrix (B, D).",
        action="Pass a method of the network that returns one, such as `embedder.embed`.",
    )


def _refuse_non_finite(features: np.ndarray, table: ImageTable, rows: np.ndarray) -> None:
    """Stop at NaN or infinity, naming the images: distances and clusters of such rows mean nothing."""
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        names = [table.frame["path"].iloc[rows[i]] for i in wrong]
        raise ModelError(
            f"{table.name}: the network gave NaN or infinity for {shown(names)}.",
            rule="Features are finite.",
            action="If it is every image, the weights diverged: load an earlier checkpoint. If it is one, look at the file.",
        )


def _device(device: str | torch.device | None, module: nn.Module | None) -> torch.device:
    """The device asked for, else the one that the module is on."""
    own = device_of(module) if module is not None else None
    if device is None:
        return own or torch.device("cpu")
    place = Compute(str(device)).torch_device
    if own is not None and (own.type, own.index or 0) != (place.type, place.index or 0):
        raise ModelError(
            f"The network is on {own}, but device={str(device)!r} was asked for.",
            rule="Extraction does not move a network.",
            action="Move it first with `Compute(device).place(network)`, or leave out `device`.",
        )
    return place


@contextmanager
def _evaluating(module: nn.Module | None) -> Iterator[None]:
    """Evaluation mode inside; afterwards every submodule is in the mode that it had."""
    modes = [] if module is None else [(part, part.training) for part in module.modules()]
    if module is not None:
        module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
