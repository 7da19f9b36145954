"""UDAP's source term: target images close to a source image come closer to everything.

Source: "Unsupervised Domain Adaptive Re-Identification: Theory and Practice" (2018); SSG and ABMT use it as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from reidkit.errors import LabelsError
from reidkit.jaccard.graph import JaccardGraph
from reidkit.neighbours.rows import checked_rows


def source_proximity(features: np.ndarray, source: np.ndarray) -> np.ndarray:
    """v (N,) float64: min over source images of 1 - exp(-||f_i - f_s||^2), divided by its largest value; 0..1.

    Args:
        features: (N, D) target features; normalise them first (SSG), or the term saturates (UDAP's own code).
        source: (S, D) source features of the same network.
    """
    target, source = checked_rows(features, "features"), checked_rows(source, "source")
    smallest = np.empty(len(target))
    for start in range(0, len(target), 1024):
        part = target[start : start + 1024].astype(np.float64)
        best = np.full(len(part), np.inf)
        for first in range(0, len(source), 4096):
            other = source[first : first + 4096].astype(np.float64)
            squared = (part**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2.0 * part @ other.T
            best = np.minimum(best, squared.min(axis=1))
        smallest[start : start + 1024] = 1.0 - np.exp(-np.maximum(best, 0.0))
    largest = smallest.max()
    return smallest / largest if largest > 0 else smallest


def mix_source(
    graph: JaccardGraph, proximity: np.ndarray, lambda_value: float = 0.1, *, zero_diagonal: bool = True
) -> JaccardGraph:
    """d(i, j) = (1 - lambda) * d_J(i, j) + lambda * (v_i + v_j), 0..1 + lambda.

    A pair that the graph does not store has (1 - lambda) + lambda * (v_i + v_j), which can be below 1: the result keeps
    that rule, and `dbscan`, `toarray` and `eps_from_closest_pairs` follow it.

    Args:
        graph: a graph that keeps every pair with an overlap (``max_distance=1.0``).
        proximity: v (N,), from `source_proximity`.
        lambda_value: weight of the source term, 0..1.
        zero_diagonal: whether an image keeps distance 0 to itself. The published code leaves 2 * lambda * v_i there, so
            that a point can fail its own eps test.
    """
    if graph.max_distance < 1.0:
        raise LabelsError(
            f"The graph stores pairs up to {graph.max_distance} only.",
            rule="A source term needs every pair with an overlap.",
            action="Build the graph with max_distance=1.0.",
        )
    if graph.offset is not None:
        raise LabelsError("The graph has a source term already.", rule="It is mixed in once.", action="Start from jaccard_graph.")
    v = np.asarray(proximity, dtype=np.float64)
    if v.shape != (len(graph),) or not np.isfinite(v).all() or not 0.0 <= lambda_value <= 1.0:
        raise LabelsError(
            f"Source proximity of shape {v.shape} for {len(graph)} images, lambda = {lambda_value}.",
            rule="One finite value an image, 0 <= lambda <= 1.",
            action="Pass what source_proximity returns.",
        )
    offset = lambda_value * v
    matrix = graph.matrix
    rows = np.repeat(np.arange(len(graph)), np.diff(matrix.indptr))
    data = (1.0 - lambda_value) * matrix.data.astype(np.float64) + (offset[rows] + offset[matrix.indices])
    if zero_diagonal:
        data[rows == matrix.indices] = 0.0
    mixed = sparse.csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    return replace(graph, matrix=mixed, absent=1.0 - lambda_value, offset=offset)
