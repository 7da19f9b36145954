"""The eps scrubber at the size of a whole data set, and its curves against the diagnosis of each radius."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from reidkit.diagnose import diagnose
from reidkit.jaccard import JaccardGraph
from reidkit.labels import dbscan
from reidkit.records import make_records
from reidkit.show import EpsExplorer

MSMT17, SECONDS = 32_621, 0.5


def ring_graph(images: int, size: int = 16, seed: int = 0) -> tuple[JaccardGraph, np.ndarray, np.ndarray]:
    """People of `size` images, each image joined with the 8 next ones at random distances, some of them of the next person."""
    generator = np.random.default_rng(seed)
    rows = np.repeat(np.arange(images), 8)
    columns = (rows + np.tile(np.arange(1, 9), images)) % images
    same = rows // size == columns // size
    data = np.where(same, generator.uniform(0.05, 0.95, len(rows)), generator.uniform(0.6, 0.99, len(rows))).astype(np.float32)
    half = sparse.coo_array((data, (rows, columns)), shape=(images, images)).tocsr()
    whole = sparse.csr_array(half + half.T)
    diagonal = sparse.coo_array((np.zeros(images, np.float32), (np.arange(images),) * 2), shape=whole.shape)
    coo = whole.tocoo()
    place = tuple(np.r_[a, b] for a, b in zip(coo.coords, diagonal.coords))
    matrix = sparse.csr_array((np.r_[coo.data, diagonal.data], place), shape=whole.shape)
    matrix.sort_indices()
    return JaccardGraph(matrix), generator.integers(0, 6, images), np.arange(images) // size


def test_a_step_takes_half_a_second_at_the_size_of_msmt17() -> None:
    """CPU seconds of the process, which other work on the machine does not lengthen much; the best of four steps."""
    graph, cameras, people = ring_graph(MSMT17)
    pixels = np.random.default_rng(0).integers(0, 256, (MSMT17, 16, 8, 3), np.uint8)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(MSMT17)], "identity": people + 1, "camera": cameras})
    table = make_records(frame, pixels=pixels, check_paths=False)
    live = EpsExplorer(graph, cameras, people, table=table).live()
    slider, taken = live.children[0].children[0], []
    for eps in (0.3, 0.4, 0.5, 0.7):
        began = time.process_time()
        slider.value = eps
        taken.append(time.process_time() - began)
        assert f"At eps {eps:.2f}" in live.children[2].value and live.children[3].value == ""
    assert min(taken) < SECONDS


def test_curves_are_the_diagnosis_of_each_radius() -> None:
    graph, cameras, people = ring_graph(480)
    curve = EpsExplorer(graph, cameras, people).curve
    assert list(curve.columns) == ["eps", "clusters", "outliers", "camera_homogeneity", "f1", "lost"]
    assert np.allclose(np.diff(curve["eps"]), 0.01)
    for row in curve.iloc[::12].itertuples():
        label = dbscan(graph, row.eps)
        wanted = diagnose(label, cameras, identities=people, permutations=0)
        assert (row.clusters, row.outliers, row.lost) == (label.max() + 1, (label < 0).sum(), wanted.score("lost"))
        assert row.f1 == pytest.approx(wanted.score("f1", outliers="singletons"))
        if (label >= 0).any():
            assert row.camera_homogeneity == pytest.approx(wanted.score("camera_homogeneity"))


def test_without_truth_the_curves_and_the_words_name_none() -> None:
    graph, cameras, _ = ring_graph(160)
    view = EpsExplorer(graph, cameras)
    assert "f1" not in view.curve and "lost" not in view.curve
    assert "pairwise F" not in view.static().alt and "lost" not in view.describe()
    assert EpsExplorer(graph, cameras, cameras).static().png != view.static().png
