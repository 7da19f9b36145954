"""Who finds the candidates: torch on the CPU or a GPU, faiss on either. What they find is proven elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from reidkit.errors import LabelsError
from reidkit.neighbours.candidates import Candidates, rounding_margin

if TYPE_CHECKING:
    from torch import Tensor

    from reidkit.neighbours.processes import Processes

Found = tuple[Candidates, Candidates | None]
GPU_ROWS, GPU_COLUMNS = 8192, 65536


def available(backend: str) -> str:
    """The back end to use: what was asked for when it is there, the best for ``"auto"``."""
    if backend == "auto":
        return "torch-gpu" if _gpu() else "torch"
    missing = {
        "torch-gpu": not _gpu(),
        "faiss": find_spec("faiss") is None,
        "faiss-gpu": find_spec("faiss") is None or not _faiss_gpus(),
    }
    if missing.get(backend, False):
        raise LabelsError(
            f"Back end {backend!r} was asked for, but it is not there.",
            rule="A named back end needs its library, and a GPU when its name ends in gpu.",
            action="Use backend='auto', or run `reidkit doctor` to see which back ends work.",
        )
    return backend


def torch_cpu(queries: np.ndarray, database: np.ndarray | None, m: int, m_far: int, processes: Processes | None = None) -> Found:
    """Tiles of products on the CPU; several processes share them."""
    from reidkit.neighbours.tiles import candidates_from_tiles

    if processes is None:
        return candidates_from_tiles(queries, database, m, m_far)
    near, far = candidates_from_tiles(queries, database, m, m_far, share=(processes.rank, processes.count))
    return processes.merged(near), None if far is None else processes.merged(far)


def torch_gpu(queries: np.ndarray, database: np.ndarray | None, m: int, m_far: int, device: str = "cuda") -> Found:
    """Blocks of bf16 products and `topk` on a device."""
    import torch

    other = queries if database is None else database
    held, other_lost = _rounded(other, device)
    lost = other_lost if database is None else _rounded(queries, device)[1]
    results: list[tuple[tuple[Tensor, Tensor], ...]] = []
    for start in range(0, len(queries), GPU_ROWS):
        part = held[start : start + GPU_ROWS] if database is None else _rounded(queries[start : start + GPU_ROWS], device)[0]
        lists = [(torch.empty(len(part), 0, device=device), torch.empty(len(part), 0, dtype=torch.int32, device=device))] * 2
        for first in range(0, len(other), GPU_COLUMNS):
            scores = (part @ held[first : first + GPU_COLUMNS].T).float()
            mine = torch.arange(start, start + len(part), device=device) - first
            inside = ((mine >= 0) & (mine < scores.shape[1])).nonzero().ravel()
            for which, (sign, keep) in enumerate(((1, m), (-1, m_far))):
                if keep:
                    signed = sign * scores
                    if database is None:
                        signed[inside, mine[inside]] = -torch.inf
                    lists[which] = _merged(lists[which], signed, first, keep)
        results.append(tuple((values.cpu(), places.cpu()) for values, places in lists))
    margin = rounding_margin(queries, other, lost, other_lost)
    near, far = (
        Candidates(
            np.concatenate([r[w][0].numpy() for r in results]),
            np.concatenate([r[w][1].numpy() for r in results]),
            margin,
            2.0**-8,
        )
        for w in (0, 1)
    )
    return near, far if m_far else None


def faiss_cpu(queries: np.ndarray, database: np.ndarray | None, m: int, m_far: int, *, gpu: bool = False) -> Found:
    """faiss's flat inner-product index; asked for one row more when each row finds itself."""
    import faiss

    own, other = database is None, queries if database is None else database
    flat = faiss.IndexFlatIP(other.shape[1])
    index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, flat) if gpu else flat
    index.add(np.ascontiguousarray(other))
    margin, lists = rounding_margin(queries, other), []
    for sign, keep in ((1, m), (-1, m_far)):
        if keep == 0:
            continue
        values, places = index.search(np.ascontiguousarray(sign * queries), keep + own)
        if own:
            mine = places == np.arange(len(queries))[:, None]
            mine[~mine.any(axis=1), -1] = True
            values, places = (array[~mine].reshape(len(queries), keep) for array in (values, places))
        lists.append(Candidates(values, places.astype(np.int32), margin, 0.0))
    if not lists:
        lists = [Candidates(np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int32), margin, 0.0)]
    return lists[0], lists[1] if m_far else None


def faiss_gpu(queries: np.ndarray, database: np.ndarray | None, m: int, m_far: int) -> Found:
    """The same index on a GPU."""
    return faiss_cpu(queries, database, m, m_far, gpu=True)


CANDIDATES: dict[str, Callable[..., Found]] = {
    "torch": torch_cpu,
    "torch-gpu": torch_gpu,
    "faiss": faiss_cpu,
    "faiss-gpu": faiss_gpu,
}


def _gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _faiss_gpus() -> bool:
    import faiss

    return getattr(faiss, "get_num_gpus", lambda: 0)() > 0


def _rounded(rows: np.ndarray, device: str) -> tuple[Tensor, np.ndarray]:
    """bf16 rows on a device, and float64 (N,) the L2 norm of what rounding took from each."""
    import torch

    kept, lost = [], []
    for start in range(0, len(rows), GPU_ROWS):
        part = torch.from_numpy(np.require(rows[start : start + GPU_ROWS], requirements="W")).to(device)
        kept.append(part.bfloat16())
        lost.append((part - kept[-1].float()).norm(dim=1).cpu().numpy())
    return torch.cat(kept), np.concatenate(lost).astype(np.float64)


def _merged(best: tuple[Tensor, Tensor], scores: Tensor, first: int, keep: int) -> tuple[Tensor, Tensor]:
    """The `keep` largest of a list and of a block of scores whose columns start at `first`."""
    import torch

    top, at = scores.topk(min(keep, scores.shape[1]), dim=1)
    values, places = torch.cat([best[0], top], 1), torch.cat([best[1], (at + first).int()], 1)
    values, order = values.topk(min(keep, values.shape[1]), dim=1)
    return values, places.gather(1, order)
