"""`reidkit bench labels`: from features to DBSCAN's labels, and to those for another eps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reidkit.bench import label_runs as runs
from reidkit.bench.contest import Contestant, Goal, Task
from reidkit.bench.generator import write_features
from reidkit.bench.yardstick import NAME as PRODUCT
from reidkit.bench.yardstick import yardstick

SIZES, QUICK, WIDE, NARROW, WIDEST = (3_000, 12_936, 32_621, 100_000), (400,), 2048, 256, 50_000
OURS_ONLY = 200_000  # images above which only ours takes part
OURS, FULL, GPU, CUT = "reidkit", "reidkit, variant full", "reidkit, search on the GPU", "reidkit, another eps"
INDEX, DENSE, GIVEN = "published form, index", "published form, dense", "published form, from given neighbours"
TAUGHT, PLAIN, SPARSE = "dense teaching version", "scikit-learn on the dense matrix", "scikit-learn on our graph, another eps"


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a size: 2048 columns up to 50,000 images, 256 above, where only ours fits."""
    return [_task(images) for images in (sizes or (QUICK if quick else SIZES))]


def make(images: int, columns: int, folder: Path) -> None:
    write_features(folder / "features.npy", images, columns)


def _task(images: int) -> Task:
    from reidkit.jaccard.estimate import estimate

    columns = WIDE if images < WIDEST else NARROW
    needed = estimate(images, columns, k1=runs.K1, max_distance=runs.EPS)
    longest = 1 if needed.seconds > 600 else 0
    contestants = [
        Contestant(OURS, runs.ours, runs.warm, memory=needed.memory, seconds=needed.seconds, repeats=longest),
        Contestant(GPU, runs.ours_gpu, runs.warm_gpu, memory=needed.memory, agrees_with=OURS, device="cuda"),
    ]
    if images <= OURS_ONLY:
        contestants += [yardstick(images, columns), *_others(images), *_cuts(needed.memory, needed.seconds)]
    return Task(
        f"labels of {images:,} x {columns}",
        partial(make, images, columns),
        contestants,
        compare={"labels": "labels", "near labels": "near-labels", "other labels": "labels"},
        goals=_goals(images),
        inputs_memory=4.0 * images * columns,
        about=f"synthetic features, k1 {runs.K1}, k2 {runs.K2}, eps {runs.EPS}, {runs.MIN_SAMPLES} samples",
    )


def _others(images: int) -> list[Contestant]:
    """The dense ways; memory as N x N arrays that stand at a time."""
    square, rows = 4.0 * images**2, 1.2e-3 * images * (images / 12_936) ** 0.6  # bytes; seconds of a loop over rows
    cube = 2e-9 * images**3
    by_index = partial(Contestant, agrees_with=OURS, memory=3 * square, seconds=rows)
    return [
        Contestant(FULL, runs.ours_full, runs.warm_full),
        by_index(INDEX, runs.index_form, runs.warm_index, package="faiss-cpu"),
        by_index(GIVEN, runs.index_form_given, runs.our_neighbours, package="faiss-cpu"),
        Contestant(DENSE, runs.dense_form, runs.warm_dense, agrees_with=FULL, memory=7 * square, seconds=3 * rows),
        Contestant(TAUGHT, runs.taught, runs.with_sklearn, agrees_with=OURS, memory=14 * square, seconds=cube, repeats=1),
        Contestant(PLAIN, runs.plain_dbscan, runs.dense_matrix, package="scikit-learn", agrees_with=OURS, memory=1.2 * square),
    ]


def _cuts(memory: int, seconds: float) -> list[Contestant]:
    """Labels for another eps, once the graph is there."""
    prepared = partial(Contestant, memory=memory, seconds=seconds)
    return [
        prepared(CUT, runs.cut, runs.every_eps),
        prepared(SPARSE, runs.sparse_dbscan, runs.graph_and_sklearn, package="scikit-learn", agrees_with=CUT),
    ]


def _goals(images: int) -> list[Goal]:
    """The goals of a size."""
    from reidkit.neighbours.tiles import fastest

    bf16 = fastest(True) == "bf16"
    if images == 12_936:
        product = 0.4 if bf16 else 1.0
        return [
            Goal(f"at most {product} x one product", OURS, against=PRODUCT, at_most=product),
            Goal("12 x faster than the index-based form", INDEX, against=OURS, at_least=12),
            Goal("35 x faster than the dense form", DENSE, against=FULL, at_least=35),
            Goal("at most 0.4 GB above the features", OURS, "memory", at_most=0.4e9),
        ]
    if images == 32_621:
        return [
            Goal("at most 0.3 x one product", OURS, against=PRODUCT, at_most=0.3),
            Goal("15 x faster than the index-based form", INDEX, against=OURS, at_least=15),
            Goal("at most 0.7 GB above the features", OURS, "memory", at_most=0.7e9),
            Goal("at most 0.6 s after the search", OURS, "seconds after the search", at_most=0.6),
            Goal("at most 0.05 s for another eps", CUT, at_most=0.05),
        ]
    if images == 100_000:
        return [Goal("at most 15 s", OURS, at_most=15), Goal("at most 1 GB", OURS, "memory", at_most=1e9)]
    if images > 1_000_000:
        return [
            Goal("within an hour", OURS, at_most=3600),
            Goal("at most 12 GB", OURS, "memory", at_most=12e9),
            Goal("at most 2 minutes after the search", OURS, "seconds after the search", at_most=120),
            Goal("under a minute of search on a GPU", GPU, "seconds search", at_most=60),
        ]
    return []
