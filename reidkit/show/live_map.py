"""The embedding map in a notebook: controls, the map, what it says, and the pictures of what was selected."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from reidkit.diagnose.text import plain
from reidkit.show.callback import strict
from reidkit.show.figures import contact_sheet
from reidkit.show.map_widget import MapWidget
from reidkit.show.privacy import shows_pictures
from reidkit.show.thumbnails import sprite, thumbnails

if TYPE_CHECKING:
    from reidkit.show.embedding_map import EmbeddingMap

SHOWN, SHEET = 36, 4_000  # pictures under the map, and in the sheet that it hovers


def live_map(view: EmbeddingMap) -> ipywidgets.VBox:
    """A `VBox` of controls, map, sentence, gallery and status, all following `view` and each other."""
    chart, controls = MapWidget(), view.controls()
    status, sentence, gallery = (ipywidgets.HTML() for _ in range(3))

    def words() -> None:
        sentence.value = f'<div aria-live="polite" style="max-width:60em">{escape(plain(view.words()))}</div>'

    @strict(status)
    def place() -> None:
        made, names = view.made(), view.diagnosis.labelling
        chart.codes = {name: code.astype("<i4").tobytes() for name, code in view.codes().items()}
        chart.names = {
            "cluster": [plain(n) for n in names.cluster_names],
            "camera": [plain(n) for n in names.camera_names],
            "identity": [plain(n) for n in names.identity_names],
        }
        chart.labels, chart.alt = list(made.axes), view.static().alt
        chart.place(made.points, made.rows)
        chart.colour(view.codes()[view.colour])
        if view.table is not None and shows_pictures(view.table):
            drawn = np.unique(np.linspace(0, len(made.rows) - 1, min(SHEET, len(made.rows))).astype(np.int64))
            tiles = thumbnails(view.table, made.rows[drawn], height=64, most=SHEET)
            sheet, across = sprite(tiles)
            where = np.full(len(made.rows), -1)
            where[drawn] = np.arange(len(drawn))
            chart.picture(sheet, (tiles.shape[2], tiles.shape[1], across), where)
        marked()

    @strict(status)
    def turned(name: str, value: object) -> None:
        setattr(view, name, value)
        if name == "colour":
            chart.colour(view.codes()[view.colour])
            words()
        else:
            place()

    @strict(status)
    def selected(change: dict) -> None:
        rows = np.sort(view.made().rows[np.frombuffer(change["new"], "<i4")])
        if not np.array_equal(rows, np.intersect1d(view.selection.rows, view.made().rows)):
            view.selection.select(rows)

    @strict(status)
    def marked(change: object = None) -> None:
        chart.selected = np.flatnonzero(np.isin(view.made().rows, view.selection.rows)).astype("<i4").tobytes()
        shown = view.selection.rows[:SHOWN]
        gallery.value = contact_sheet(view.table, shown).html() if view.table is not None and len(shown) else ""
        words()

    for name, control in controls.items():
        control.observe(lambda change, name=name: turned(name, change["new"]), names="value")
    chart.observe(selected, names="selected")
    view.selection.observe(marked, names="rows")
    place()
    bar = ipywidgets.HBox(list(controls.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
    return ipywidgets.VBox([bar, chart, sentence, gallery, status])
