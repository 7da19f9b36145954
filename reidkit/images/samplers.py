"""Samplers: which images meet in a batch, by name.

One call gives one pass: an iterator over arrays of B = P x K row numbers; a last batch that would be smaller is dropped.
Images labelled -1 are never drawn. Rules: clustering family 0.5 and thesis family 1.4 of the method references.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Int

from reidkit.errors import LabelsError, nearest_name

SINGLES = ("repeat", "as-published")
Members = list[np.ndarray]


def sampler(
    name: str,
    labels: Int[np.ndarray, " n"],
    cameras: Int[np.ndarray, " _n"],
    *,
    identities: int,
    instances: int,
    generator: np.random.Generator,
    single: str = "repeat",
) -> Iterator[np.ndarray]:
    """One pass of batches over the labelled images.

    Args:
        name: ``"identity"`` (MMT, ABMT, SpCL: an anchor, the others from other cameras), ``"plain"`` (UDAP, SSG, SCR:
            K images whatever the camera), ``"exhaustive"`` (BoT: nearly every image once), ``"more-camera"`` (ICE: one from
            each camera first), ``"proxy"`` (CAP: the class is the pair of label and camera) or ``"shuffle"`` (every labelled
            image once, in random order).
        labels: (N,) identities or pseudo-labels; -1 is left out.
        cameras: (N,) camera indices.
        identities: P, classes in a batch.
        instances: K, images of each.
        generator: the only source of randomness.
        single: for ``"identity"``, what an identity of one image gives: ``"repeat"`` K times that image, or
            ``"as-published"`` once, after which batches are no longer aligned to K (as in the released code).

    Yields:
        int64 (P * K,) row numbers.

    Raises:
        LabelsError: for an unknown name, or fewer classes than P.
    """
    _check(name, single, identities, instances)
    labels, cameras = np.asarray(labels, np.int64), np.asarray(cameras, np.int64)
    if labels.shape != cameras.shape:
        raise LabelsError(
            f"{labels.size} labels but {cameras.size} cameras.", rule="Both are row by row.", action="Pass both of one table."
        )
    rows = np.flatnonzero(labels >= 0)
    batch = identities * instances
    if name == "shuffle":
        _enough(rows.size, batch, "images")
        return _cut(generator.permutation(rows), batch)
    classes = labels[rows] * (int(cameras.max(initial=0)) + 1) + cameras[rows] if name == "proxy" else labels[rows]
    members = _members(rows, classes)
    _enough(len(members), identities, "proxies" if name == "proxy" else "identities")
    if name == "exhaustive":
        return _exhaustive(members, identities, instances, generator)
    draw = {"identity": _other_cameras, "more-camera": _every_camera}.get(name, _any)
    drawn = [draw(members[i], cameras, instances, generator) for i in generator.permutation(len(members))]
    if single == "repeat":
        drawn = [np.resize(part, instances) for part in drawn]
    return _cut(np.concatenate(drawn), batch)


SAMPLERS = ("identity", "plain", "exhaustive", "more-camera", "proxy", "shuffle")
Draw = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]


def _any(members: np.ndarray, cameras: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """K images, each once when there are K, else with repetition."""
    return generator.choice(members, k, replace=len(members) < k)


def _other_cameras(members: np.ndarray, cameras: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """An anchor and K - 1 images from cameras other than its own, or from its only camera; a lone image by itself.

    The released code draws without repetition only when K (not K - 1) candidates exist; kept.
    """
    anchor = int(generator.integers(len(members)))
    others = members[cameras[members] != cameras[members[anchor]]]
    if not others.size:
        others = np.delete(members, anchor)
    if not others.size:
        return members[[anchor]]
    more = generator.choice(others, k - 1, replace=len(others) < k)
    return np.concatenate([members[[anchor]], more])


def _every_camera(members: np.ndarray, cameras: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """One random image of each camera, cut to K or filled from the identity's remaining images."""
    groups = _members(members, cameras[members])
    picks = np.array([generator.choice(group) for group in groups], np.int64)
    if len(picks) >= k:
        return generator.choice(picks, k, replace=False)
    rest = np.setdiff1d(members, picks)
    pool = rest if rest.size else picks
    more = generator.choice(pool, k - len(picks), replace=len(pool) < k - len(picks))
    return np.concatenate([picks, more])


def _exhaustive(members: Members, p: int, k: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Shuffle each identity, cut it into chunks of K, and draw P identities that still have chunks until there are fewer."""
    chunks = []
    for rows in members:
        rows = generator.permutation(rows) if len(rows) >= k else generator.choice(rows, k, replace=True)
        chunks.append([rows[i : i + k] for i in range(0, len(rows) - k + 1, k)])
    left = list(range(len(members)))
    while len(left) >= p:
        chosen = [left[i] for i in generator.choice(len(left), p, replace=False)]
        yield np.concatenate([chunks[i].pop(0) for i in chosen])
        left = [i for i in left if chunks[i]]


def _members(rows: np.ndarray, classes: np.ndarray) -> Members:
    """Row numbers of each class, classes in order of their first row: what they are called must not change a draw."""
    if not rows.size:
        return []
    order = np.argsort(classes, kind="stable")
    groups = np.split(rows[order], np.flatnonzero(np.diff(classes[order])) + 1)
    return sorted(groups, key=lambda group: int(group[0]))


def _cut(rows: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """Whole batches only."""
    return iter([rows[i : i + batch] for i in range(0, len(rows) - batch + 1, batch)])


def _check(name: str, single: str, identities: int, instances: int) -> None:
    if name not in SAMPLERS:
        raise LabelsError(
            f"No sampler is called {name!r}.", rule=f"Samplers are {', '.join(SAMPLERS)}.", action=nearest_name(name, SAMPLERS)
        )
    if single not in SINGLES:
        raise LabelsError(f"single={single!r} is unknown.", rule=f"It is one of {SINGLES}.", action=nearest_name(single, SINGLES))
    if identities < 1 or instances < 1:
        raise LabelsError(
            f"A batch of {identities} identities with {instances} images each.", rule="Both are at least 1.", action="Raise them."
        )


def _enough(found: int, needed: int, what: str) -> None:
    """An empty pass would train nothing and say nothing."""
    if found < needed:
        raise LabelsError(
            f"A batch needs {needed} {what}, but only {found} have a label.",
            rule="A pass has at least one whole batch.",
            action="Lower the number of identities per batch, or make labels that keep more clusters (a larger eps).",
        )
