"""Synthetic features with identities, cameras and tracklets, spread as those of a network in its first unsupervised epochs.

In 256 latent directions of falling variance an image is the sum of its identity, its camera's bias, a shift of its own for
each (identity, camera), noise that a tracklet shares, and noise of its own. One image in ten is bad: little of its identity is
left. A random orthonormal map leads to D columns; a mean direction, common to all, and isotropic noise are added; rows are
divided by their length and shuffled, which is the worst case for the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

LATENT, DECAY = 256, 0.95  # the variance of latent direction d falls as d ** -DECAY
SIZE, SHAPE, SMALLEST, LARGEST = 17.0, 1.6, 4, 72  # images of an identity: gamma
TRACKLET, CAMERAS_OF_ONE = 4, (2, 6)
CAMERA, SHIFT, TRACK, IMAGE, ISOTROPIC, MEAN = 0.55, 0.52, 0.45, 0.68, 0.35, 1.12  # lengths; an identity's is 1
BAD_SHARE, BAD_SIGNAL = 0.10, (0.15, 0.6)
CHUNK = 8192
DISTRACTOR, JUNK = 0, -1


@dataclass(frozen=True, eq=False)
class Cast:
    """Who is where, before any feature is made.

    Attributes:
        identity: int64 (N,), from 1.
        camera: int64 (N,), from 0.
        meeting: int64 (N,), number of the (identity, camera).
        tracklet: int64 (N,).
    """

    identity: np.ndarray
    camera: np.ndarray
    meeting: np.ndarray
    tracklet: np.ndarray


@dataclass(frozen=True, eq=False)
class Split:
    """Queries and a gallery; `Cast` says which image is who.

    Attributes:
        query, gallery: float32 (Q, D), (G, D), unit rows.
        query_ids, gallery_ids, query_cameras, gallery_cameras: int64. Distractors are 0, junk is -1.
    """

    query: np.ndarray
    gallery: np.ndarray
    query_ids: np.ndarray
    gallery_ids: np.ndarray
    query_cameras: np.ndarray
    gallery_cameras: np.ndarray


def make_cast(images: int, *, cameras: int = 6, seed: int = 0) -> Cast:
    """Identities of 4 to 72 images (17 on average), each seen by 2 to 6 of the cameras, in tracklets of about 4; shuffled."""
    generator = np.random.default_rng([seed, 0])
    identity = _identities(images, generator)
    first = np.flatnonzero(np.diff(identity, prepend=-1))
    count = np.diff(np.append(first, images))
    low, high = CAMERAS_OF_ONE
    seen = np.minimum(generator.integers(low, min(high, cameras) + 1, len(first)), np.maximum(count, 1))
    orders = generator.random((len(first), cameras)).argsort(axis=1)
    within = np.arange(images) - first[identity]
    place = within * seen[identity] // count[identity]  # images of one camera stand together, as they were taken
    camera = orders[identity, place]
    meeting = np.unique(identity * cameras + camera, return_inverse=True)[1]
    by_meeting, sizes = np.argsort(meeting, kind="stable"), np.bincount(meeting)
    pieces = np.maximum(1, np.rint(sizes / TRACKLET)).astype(np.int64)
    place = np.empty(images, np.int64)
    place[by_meeting] = np.arange(images) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within the meeting
    tracklet = (np.cumsum(pieces) - pieces)[meeting] + place * pieces[meeting] // sizes[meeting]
    order = generator.permutation(images)
    return Cast(identity[order] + 1, camera[order], meeting[order], tracklet[order])


def make_features(images: int, columns: int = 2048, *, cameras: int = 6, seed: int = 0) -> tuple[np.ndarray, Cast]:
    """float32 (N, D) unit rows, and who they are. Equal seeds give equal features."""
    cast = make_cast(images, cameras=cameras, seed=seed)
    matrix = np.empty((images, columns), np.float32)
    for rows, part in feature_chunks(cast, columns, seed=seed):
        matrix[rows] = part
    return matrix, cast


def write_features(path: Path, images: int, columns: int, *, cameras: int = 6, seed: int = 0) -> Cast:
    """The same as a .npy file, a chunk of rows in memory at a time, with a bar."""
    from tqdm import tqdm

    cast = make_cast(images, cameras=cameras, seed=seed)
    matrix = open_memmap(path, mode="w+", dtype=np.float32, shape=(images, columns))
    for rows, part in tqdm(feature_chunks(cast, columns, seed=seed), "features", total=-(-images // CHUNK), disable=None):
        matrix[rows] = part
    matrix.flush()
    return cast


def feature_chunks(cast: Cast, columns: int, *, seed: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
    """Consecutive rows and their features."""
    generator = np.random.default_rng([seed, 1])
    latent = min(LATENT, columns)
    spread = np.arange(1, latent + 1) ** (-DECAY / 2)
    spread = (spread / np.linalg.norm(spread)).astype(np.float32)
    basis = np.linalg.qr(generator.standard_normal((columns, latent)))[0].T.astype(np.float32)
    mean = generator.standard_normal(columns)
    mean = (MEAN * mean / np.linalg.norm(mean)).astype(np.float32)

    def draw(count: int) -> np.ndarray:
        return generator.standard_normal((count, latent), dtype=np.float32) * spread

    people = draw(int(cast.identity.max()) + 1)
    biases, shifts = CAMERA * draw(int(cast.camera.max()) + 1), SHIFT * draw(int(cast.meeting.max()) + 1)
    tracks = TRACK * draw(int(cast.tracklet.max()) + 1)
    for start in range(0, len(cast.identity), CHUNK):
        rows = slice(start, min(start + CHUNK, len(cast.identity)))
        size = rows.stop - rows.start
        signal = np.where(generator.random(size) < BAD_SHARE, generator.uniform(*BAD_SIGNAL, size), 1.0).astype(np.float32)
        inner = signal[:, None] * people[cast.identity[rows]] + biases[cast.camera[rows]] + shifts[cast.meeting[rows]]
        inner += tracks[cast.tracklet[rows]] + IMAGE * draw(size)
        part = inner @ basis + mean
        part += generator.standard_normal(part.shape, dtype=np.float32) * np.float32(ISOTROPIC / columns**0.5)
        yield rows, part / np.linalg.norm(part, axis=1, keepdims=True)


def make_query_gallery(queries: int, gallery: int, columns: int = 2048, *, cameras: int = 6, seed: int = 0) -> Split:
    """A test split: one image of each (identity, camera) is a query, until there are enough; of the identities that are not
    asked for, two in three become distractors (0) and the others junk (-1), whole."""
    matrix, cast = make_features(queries + gallery, columns, cameras=cameras, seed=seed)
    firsts = np.unique(cast.meeting, return_index=True)[1]  # meetings are numbered by identity
    asked = np.sort(firsts[:queries])
    others = np.setdiff1d(np.arange(queries + gallery), asked)
    ids = cast.identity.copy()
    beyond = ids > ids[firsts[min(queries, len(firsts)) - 1]]
    ids[beyond] = np.where(ids[beyond] % 3 == 0, JUNK, DISTRACTOR)
    parts = matrix[asked], matrix[others], ids[asked], ids[others], cast.camera[asked], cast.camera[others]
    return Split(*parts)


def _identities(images: int, generator: np.random.Generator) -> np.ndarray:
    """int64 (N,) ascending identities from 0; the last one takes what is left."""
    expected = int(images / SIZE * 1.3) + 10
    sizes = np.clip(generator.gamma(SHAPE, SIZE / SHAPE, expected).round(), SMALLEST, LARGEST).astype(np.int64)
    return np.repeat(np.arange(expected), sizes)[:images]
