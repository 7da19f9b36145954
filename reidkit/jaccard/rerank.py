"""k-reciprocal re-ranking of a gallery for queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import LabelsError
from reidkit.jaccard.encoding import encodings, ranks
from reidkit.jaccard.estimate import MANY, check_estimate
from reidkit.jaccard.graph import checked_settings
from reidkit.neighbours import checked_rows
from reidkit.threads import in_threads

BLOCK = 256


def rerank(
    query: ArrayLike, gallery: ArrayLike, *, k1: int = 20, k2: int = 6, lambda_value: float = 0.3, backend: str = "auto"
) -> np.ndarray:
    """(Q, D), (G, D) -> (Q, G) float32 distances: (1 - lambda) * Jaccard + lambda * row-normalised squared distance.

    Queries and gallery are one set of Q + G images for the encoding; the result is the only dense array.

    Args:
        query, gallery: float32, L2-normalised.
        k1, k2: as in `jaccard_graph` (variant ``"full"``).
        lambda_value: 0 for the Jaccard distance alone, 1 for the order of the original distance.
        backend: who finds the neighbours.

    Source: "Re-ranking Person Re-identification with k-reciprocal Encoding" (2017), equation 12. The published rank-list
    code squares the distance it is given; handing it a squared one, as some do, squares twice. Here it is squared once.
    """
    from reidkit.jaccard.kernels import mix_rows
    from reidkit.neighbours.tiles import ENGINES, fastest

    checked_settings(k1, k2, "full")
    if not 0.0 <= lambda_value <= 1.0:
        raise LabelsError(f"lambda_value = {lambda_value}.", rule="0 <= lambda <= 1.", action="Use 0.3.")
    asked, other = checked_rows(query, "query"), checked_rows(gallery, "gallery")
    cut, images = len(asked), len(asked) + len(other)
    if images >= MANY:
        check_estimate(images, asked.shape[1], k1=k1, max_distance=0.0, dense=cut * len(other) + images * asked.shape[1])
    rows = np.concatenate([asked, other])
    known = ranks(rows, k1, k2, "full", backend=backend)
    encoding = encodings(rows, known, k1, k2)
    columns = encoding.tocsc()
    index = encoding.indptr, encoding.indices, encoding.data, columns.indptr, columns.indices, columns.data
    squared = (
        np.einsum("nd,nd->n", rows, rows, dtype=np.float64).astype(np.float32)
        if not known.unit
        else np.ones(len(rows), np.float32)
    )
    result = np.empty((cut, len(rows) - cut), np.float32)
    product = ENGINES[fastest(False) if result.size > BLOCK**2 else "float32"][1]

    def work(start: int) -> None:
        import torch

        stop = min(start + BLOCK, cut)
        products = product(torch.from_numpy(rows[start:stop]), torch.from_numpy(rows[cut:])).numpy()
        mix_rows(*index, products, squared, known.scale, np.float64(lambda_value), start, cut, result)

    in_threads(work, range(0, cut, BLOCK))
    return result
