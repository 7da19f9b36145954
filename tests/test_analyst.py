"""The analyst's application without a browser: which parts a table gives, what is refused, what reaches the kernel."""

from __future__ import annotations

import os
import shlex
import subprocess
from importlib.resources import files
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import sparse
from typer.testing import CliRunner

from reidkit.analyst import Application, Source, open_application
from reidkit.analyst.serve import arguments
from reidkit.analyst.source import VARIABLE
from reidkit.cli import app
from reidkit.errors import DiagnosisError, RecordsError
from tests.browser import scene

TITLES = {"Map", "Tables", "Clusters", "Radius", "Lost identities", "Cameras", "Scores"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table with file names, features beside it, and its pictures, which nobody calls drawn."""
    images = scene.images()
    frame = pd.DataFrame({"label": scene.labels(), "camid": images.camera, "pid": images.identity, "path": images.frame["path"]})
    frame.to_csv(tmp_path / "labels.csv", index=False)
    np.save(tmp_path / "features.npy", scene.features())
    for name, picture in zip(images.frame["path"], images.pixels):
        Image.fromarray(picture).save(tmp_path / name)
    return tmp_path


def test_every_part_opens_when_every_file_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REIDKIT_PHOTOGRAPHS", raising=False)
    source = Source.of(folder / "labels.csv", columns={}, features=folder / "features.npy", images=folder)
    monkeypatch.setenv(VARIABLE, source.environment()[VARIABLE])
    found = open_application()
    assert set(found.views) == TITLES and not found.missing
    assert len({id(view.selection) for view in found.views.values()}) == 1
    found.views["Tables"].chosen = "3"
    assert "1 cluster" in found.views["Clusters"].describe() and "of 1 cluster " in found.views["Map"].describe()
    assert "REIDKIT_PHOTOGRAPHS=1" in found.views["Clusters"].static().alt
    assert "48 images" in found.summary().value


def test_make_starts_the_same_command_and_asks_for_a_table() -> None:
    root = Path(__file__).parent.parent

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        # These tests run below `make test`, whose own flags and depth would change what an inner make prints.
        clean = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
        return subprocess.run(["make", "analyst", *words], cwd=root, env=clean, capture_output=True, text=True, check=False)

    told = make("--dry-run", "FILE=my labels.csv", "ARGS=--features f.npy").stdout.splitlines()[-1]
    assert shlex.split(told) == [".venv/bin/reidkit", "analyst", "my labels.csv", "--features", "f.npy"]
    if (root / ".venv" / ".installed").exists():
        refused = make("--assume-old=.venv/.installed")
        assert refused.returncode == 2 and "make analyst FILE=labels.csv" in refused.stdout


def test_a_bare_table_says_what_each_missing_part_needs(folder: Path) -> None:
    pd.read_csv(folder / "labels.csv")[["label", "camid"]].to_csv(folder / "bare.csv", index=False)
    found = open_application(Source(str(folder / "bare.csv")))
    assert set(found.views) == {"Tables", "Cameras", "Scores"} and set(found.missing) == TITLES - set(found.views)
    assert "--features" in found.part("Map").value and "true identities" in found.part("Lost identities").value


def test_a_stored_graph_gives_the_radius_its_labels(folder: Path) -> None:
    own = scene.distances() / 3
    near = sparse.csr_array(np.where(own < 0.5, own, 0))
    sparse.save_npz(folder / "graph.npz", near)
    view = open_application(Source(str(folder / "labels.csv"), graph=str(folder / "graph.npz"))).views["Radius"]
    from sklearn.cluster import DBSCAN

    for eps in (0.05, 0.2):
        wanted = DBSCAN(eps=eps, min_samples=4, metric="precomputed").fit(np.where(own < 0.5, own, 1)).labels_
        np.testing.assert_array_equal(view.set(eps=eps).labels, wanted)


def test_bad_tables_and_missing_pictures_are_refused_before_anything_is_served(folder: Path) -> None:
    (folder / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DiagnosisError, match="nothing that is known"):
        CliRunner().invoke(app, ["analyst", str(folder / "bad.csv")], catch_exceptions=False)
    with pytest.raises(DiagnosisError, match="is not there"):
        CliRunner().invoke(app, ["analyst", str(folder / "none.csv")], catch_exceptions=False)
    (folder / scene.images().frame["path"].iloc[0]).unlink()
    with pytest.raises(RecordsError, match="Every path is a file"):
        open_application(Source(str(folder / "labels.csv"), images=str(folder)))


def test_a_kernel_without_a_table_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DiagnosisError, match="reidkit analyst TABLE"):
        open_application()


def test_hostile_names_are_text(folder: Path) -> None:
    frame = pd.read_csv(folder / "labels.csv").assign(camid=np.array(["<script>", "b", "c"])[scene.images().camera])
    frame.to_csv(folder / "labels.csv", index=False)
    found: Application = open_application(Source(str(folder / "labels.csv")))
    found.views["Tables"].set(table="camera_pairs")
    assert "<script" not in found.views["Tables"].drawn() and "&lt;script&gt;" in found.views["Tables"].drawn()


def test_the_notebook_is_clean_shows_every_part_and_is_served_on_this_machine_only() -> None:
    notebook = nbformat.read(str(files("reidkit.analyst").joinpath("analyst.ipynb")), as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert {cell.source for cell in code if "part(" in cell.source} == {f'application.part("{title}")' for title in TITLES}
    words = arguments(port=9, browser=False)
    assert "--Voila.ip=127.0.0.1" in words and "--Voila.auto_token=True" in words and "--no-browser" in words
