"""How much a cluster or an image may be trusted, from cameras and from parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import LabelsError
from reidkit.labels.pseudo import OUTLIER, one_of_each


def camera_entropy_weights(labels: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    """float64 (M,) weight of each cluster: M exp(H_m) / sum of exp(H), with H_m the entropy in bits of its cameras.

    The weights average to 1; clusters that many cameras see weigh more. With one camera all weigh 1.

    Source: "3C: Confidence-Guided Clustering and Contrastive Learning for Unsupervised Person Re-Identification" (2024),
    camera information entropy; the published code counts cameras within a batch, here within the cluster.

    Args:
        labels: int (N,), -1 = outlier, which counts nowhere.
        cameras: int (N,).
    """
    labels, cameras = one_of_each(labels, cameras)
    kept, clusters = labels != OUTLIER, int(labels.max(initial=OUTLIER)) + 1
    if clusters == 0:
        return np.empty(0)
    _, camera = np.unique(cameras, return_inverse=True)
    table = np.zeros((clusters, int(camera.max()) + 1))
    np.add.at(table, (labels[kept], camera[kept]), 1.0)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    entropy = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1)
    return clusters * np.exp(entropy) / np.exp(entropy).sum()


def part_agreement(whole: ArrayLike, parts: list[np.ndarray], k: int = 20) -> np.ndarray:
    """float64 (N, P) in 0..1: overlap |A and B| / |A or B| of the k nearest images of the whole and of each part.

    An image is not its own neighbour. With N <= k all other images are neighbours.

    Source: "Part-based Pseudo Label Refinement for Unsupervised Person Re-identification" (2022), equation 3, cross
    agreement score (k = 20).

    Args:
        whole: (N, D) unit features of the whole images.
        parts: P arrays (N, D_p), unit features of their parts.
        k: length of the lists.
    """
    from reidkit.neighbours import checked_rows, neighbour_lists

    rows = checked_rows(whole, "whole")
    near = min(k + 1, len(rows))
    first = np.sort(neighbour_lists(rows, near).index[:, 1:], axis=1)
    scores = []
    for part in parts:
        others = checked_rows(part, "part")
        if len(others) != len(rows):
            raise LabelsError(
                f"A part has {len(others)} rows, the whole {len(rows)}.", rule="One row an image.", action="Extract both."
            )
        both = np.concatenate([first, neighbour_lists(others, near).index[:, 1:]], axis=1)
        both.sort(axis=1)
        common = (both[:, 1:] == both[:, :-1]).sum(axis=1)
        scores.append(common / np.maximum(both.shape[1] - common, 1))
    return np.stack(scores, axis=1)
