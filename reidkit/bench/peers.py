"""The forms in which the Jaccard distance is usually published, written here from their descriptions, to be measured against.

They keep N x N arrays and loop over rows. `index_form` asks an index for k1 neighbours (the form of SpCL, CAP and ICE);
`dense_form` ranks whole rows (that of the paper, of UDAP and of MMT) and also serves re-ranking.
"""

from __future__ import annotations

import numpy as np


def index_form(features: np.ndarray, rank: np.ndarray, k1: int, k2: int) -> np.ndarray:
    """(N, D) unit rows and their (N, k1) neighbours, themselves first -> (N, N) float32 Jaccard distance."""
    images = len(features)
    whole, half = mutual_neighbours(rank, k1), mutual_neighbours(rank, round(k1 / 2) + 1)
    encoding = np.zeros((images, images), np.float32)
    for i in range(images):
        members = grown(whole[i], half)
        closeness = np.exp(2.0 * (features[members] @ features[i]) - 2.0)
        encoding[i, members] = closeness / closeness.sum()
    return pairwise_overlap(averaged(encoding, rank, k2), images)


def dense_form(squared: np.ndarray, k1: int, k2: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) squared distances -> Jaccard distance (queries, N), and the distances divided by their column's largest."""
    distance = (squared / squared.max(axis=0)).T
    rank = np.argsort(distance, axis=1)
    whole, half = mutual_neighbours(rank, k1 + 1), mutual_neighbours(rank, round(k1 / 2) + 1)
    encoding = np.zeros_like(distance)
    for i in range(len(distance)):
        members = grown(whole[i], half)
        closeness = np.exp(-distance[i, members])
        encoding[i, members] = closeness / closeness.sum()
    return pairwise_overlap(averaged(encoding, rank, k2), queries), distance


def squared_distances(features: np.ndarray) -> np.ndarray:
    """(N, N) float32 squared Euclidean distances, as usually computed: |x|^2 + |y|^2 - 2 x y."""
    import torch

    rows = torch.from_numpy(features)
    norms = (rows**2).sum(dim=1)
    return torch.addmm(norms[:, None] + norms[None, :], rows, rows.T, alpha=-2.0).clamp_(min=0.0).numpy()


def mutual_neighbours(rank: np.ndarray, columns: int) -> list[np.ndarray]:
    """For each row, those of its first neighbours that have it among theirs."""
    lists = rank[:, :columns]
    return [mine[(lists[mine] == i).any(axis=1)] for i, mine in enumerate(lists)]


def grown(members: np.ndarray, half: list[np.ndarray]) -> np.ndarray:
    """A mutual set with the half-size sets that share more than two thirds of themselves with it."""
    close = [half[j] for j in members if len(np.intersect1d(half[j], members)) > 2 / 3 * len(half[j])]
    return np.unique(np.concatenate([members, *close])) if close else members


def averaged(encoding: np.ndarray, rank: np.ndarray, k2: int) -> np.ndarray:
    """Query expansion: each row the mean of its first k2 neighbours' rows."""
    if k2 == 1:
        return encoding
    result = np.empty_like(encoding)
    for i, nearest in enumerate(rank[:, :k2]):
        result[i] = encoding[nearest].mean(axis=0)
    return result


def pairwise_overlap(encoding: np.ndarray, rows: int) -> np.ndarray:
    """Jaccard distance of the first `rows` rows to all, through the rows that use each column."""
    users = [np.flatnonzero(column) for column in encoding.T]
    distance = np.empty((rows, len(encoding)), np.float32)
    for i in range(rows):
        shared = np.zeros(len(encoding), np.float32)
        for c in np.flatnonzero(encoding[i]):
            shared[users[c]] += np.minimum(encoding[i, c], encoding[users[c], c])
        distance[i] = 1.0 - shared / (2.0 - shared)
    return np.maximum(distance, 0.0, out=distance)
