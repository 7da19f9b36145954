"""Names that are formulas, markup or endless, in every widget that shows names: drawn letter by letter, nothing else happens."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.text import pictured
from reidkit.jaccard import jaccard_graph
from reidkit.records import Records, make_records
from reidkit.show import (
    CameraInformation,
    CameraPairMap,
    ClusterGallery,
    EmbeddingMap,
    EpsExplorer,
    LostIdentities,
    QueryExplorer,
    RecordsBrowser,
    RunHistory,
    TableBrowser,
    View,
    camera_histogram,
    contact_sheet,
)

CAMERAS = [r"$\frac{1}$", "<b>$x^$</b>\x07", "$\\nosuch$" + "a" * 5_000]
N = 48


def scene() -> tuple[Diagnosis, Records, np.ndarray]:
    generator = np.random.default_rng(0)
    people, camera = np.arange(N) // 4, np.array([CAMERAS[k % 3] for k in range(N)])
    frame = pd.DataFrame({"path": [rf"$\frac{k}$.png" for k in range(N)], "identity": people + 1, "camera": camera})
    pixels = generator.integers(0, 255, (N, 32, 16, 3), np.uint8)
    table = make_records(frame, pixels=pixels, drawn=True, check_paths=False, name=r"$\bad$")
    features = generator.normal(size=(N, 6)).astype(np.float32)
    label = np.where(generator.random(N) < 0.3, -1, people // 2)
    names = [rf"$\bad{k}$" for k in people]
    return diagnose(label, camera, identities=names, features=features, paths=table.paths), table, features


def radius(found: Diagnosis, table: Records, features: np.ndarray) -> EpsExplorer:
    graph = jaccard_graph(found.space.features, k1=6, k2=2)
    return EpsExplorer(graph, [CAMERAS[k % 3] for k in range(N)], [rf"$\bad{k // 4}$" for k in range(N)], table=table)


VIEWS: dict[str, Callable[..., View]] = {
    "CameraInformation": lambda found, table, features: CameraInformation(found),
    "CameraPairMap": lambda found, table, features: CameraPairMap(features, table.camera, CAMERAS),
    "ClusterGallery": lambda found, table, features: ClusterGallery(found, table),
    "EmbeddingMap": lambda found, table, features: EmbeddingMap(found, table).set(colour="camera"),
    "EpsExplorer": radius,
    "LostIdentities": lambda found, table, features: LostIdentities(found, table),
    "QueryExplorer": lambda found, table, features: QueryExplorer(1 - features @ features.T, table, table),
    "RecordsBrowser": lambda found, table, features: RecordsBrowser(table),
    "RunHistory": lambda found, table, features: RunHistory(np.stack([found.labelling.label] * 2), table.camera, table=table),
    "TableBrowser": lambda found, table, features: TableBrowser(found, table="identities"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_names_that_look_like_formulas_are_drawn_letter_by_letter(name: str) -> None:
    view = VIEWS[name](*scene())
    shown = view.static()
    assert shown.png[:4] == b"\x89PNG" and max(shown.figure.get_size_inches()) < 40
    live = view.live()
    assert live.children[3 if name != "EmbeddingMap" else 4].value == "" and "\x07" not in shown.html()


def test_what_is_drawn_is_the_name() -> None:
    found, table, features = scene()
    figure = VIEWS["CameraPairMap"](found, table, features).static().figure
    figure.canvas.draw()
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words == [f"camera {pictured(CAMERAS[0])}", f"camera {pictured(CAMERAS[1])}"]
    assert pictured(CAMERAS[0]) == r"\$\frac{1}\$" and len(pictured(CAMERAS[2])) < 70 and "\x07" not in pictured(CAMERAS[1])
    sheet, counts = contact_sheet(table, [0, 1, 2]), camera_histogram(table)
    assert sheet.png and counts.png
