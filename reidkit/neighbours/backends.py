"""Who finds the candidates: torch on the CPU or a GPU, faiss on either. What they find is proven elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from reidkit.errors import LabelsError
from reidkit.neighbours.candidates import Candidates, rounding_margin

Found = tuple[Candidates, np.ndarray | None]
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


def torch_cpu(queries: np.ndarray, database: np.ndarray | None, m: int, farthest: bool) -> Found:
    """Tiles of products on the CPU."""
    from reidkit.neighbours.tiles import candidates_from_tiles

    return candidates_from_tiles(queries, database, m, farthest=farthest)


def torch_gpu(queries: np.ndarray, database: np.ndarray | None, m: int, farthest: bool, device: str = "cuda") -> Found:
    """Blocks of bf16 products and `topk` on a device; the farthest row needs float32 products."""
    import torch

    other = queries if database is None else database
    dtype = torch.float32 if farthest else torch.bfloat16
    right = torch.from_numpy(np.require(other, requirements="W")).to(device)
    held = right.to(dtype)
    values, places, far = [], [], []
    for start in range(0, len(queries), GPU_ROWS):
        part = torch.from_numpy(np.require(queries[start : start + GPU_ROWS], requirements="W")).to(device).to(dtype)
        best, where = torch.empty(len(part), 0, device=device), torch.empty(len(part), 0, dtype=torch.long, device=device)
        low, low_at = torch.full((len(part),), torch.inf, device=device), torch.zeros(len(part), dtype=torch.long, device=device)
        for first in range(0, len(other), GPU_COLUMNS):
            scores = (part @ held[first : first + GPU_COLUMNS].T).float()
            if farthest:
                smallest, at = scores.min(dim=1)
                low_at = torch.where(smallest < low, at + first, low_at)
                low = torch.minimum(low, smallest)
            if database is None:
                mine = torch.arange(start, start + len(part), device=device) - first
                inside = ((mine >= 0) & (mine < scores.shape[1])).nonzero().ravel()
                scores[inside, mine[inside]] = -torch.inf
            top, at = scores.topk(min(m, scores.shape[1]), dim=1)
            best, where = torch.cat([best, top], 1), torch.cat([where, at + first], 1)
            best, keep = best.topk(min(m, best.shape[1]), dim=1)
            where = where.gather(1, keep)
        values.append(best.cpu().numpy())
        places.append(where.int().cpu().numpy())
        far.append(low_at.int().cpu().numpy())
    lost = [None, None]
    if not farthest:
        lost = [_bf16_residuals(queries, device), _bf16_residuals(other, device)]
    margin = rounding_margin(queries, other, *lost)
    found = Candidates(np.concatenate(values), np.concatenate(places), margin, 0.0 if farthest else 2.0**-8)
    return found, np.concatenate(far) if farthest else None


def faiss_cpu(queries: np.ndarray, database: np.ndarray | None, m: int, farthest: bool, *, gpu: bool = False) -> Found:
    """faiss's flat inner-product index; asked for one row more when each row finds itself."""
    import faiss

    own, other = database is None, queries if database is None else database
    index = faiss.IndexFlatIP(other.shape[1])
    if gpu:
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    index.add(np.ascontiguousarray(other))
    values, places = index.search(np.ascontiguousarray(queries), m + own)
    if own:
        mine = places == np.arange(len(queries))[:, None]
        mine[~mine.any(axis=1), -1] = True
        values, places = (array[~mine].reshape(len(queries), m) for array in (values, places))
    far = None
    if farthest:
        far = index.search(np.ascontiguousarray(-queries), 1)[1][:, 0].astype(np.int32)
    return Candidates(values, places.astype(np.int32), rounding_margin(queries, other), 0.0), far


def faiss_gpu(queries: np.ndarray, database: np.ndarray | None, m: int, farthest: bool) -> Found:
    """The same index on a GPU."""
    return faiss_cpu(queries, database, m, farthest, gpu=True)


CANDIDATES: dict[str, Callable[[np.ndarray, np.ndarray | None, int, bool], Found]] = {
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


def _bf16_residuals(rows: np.ndarray, device: str) -> np.ndarray:
    """float64 (N,) L2 norm of what rounding to bf16 takes from each row."""
    import torch

    parts = []
    for start in range(0, len(rows), GPU_ROWS):
        part = torch.from_numpy(np.require(rows[start : start + GPU_ROWS], requirements="W")).to(device)
        parts.append((part - part.bfloat16().float()).norm(dim=1).cpu().numpy())
    return np.concatenate(parts).astype(np.float64)
