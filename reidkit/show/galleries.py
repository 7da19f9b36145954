"""Galleries drawn from tables of a diagnosis: one ranking, or rows of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.faults import members, sort_clusters
from reidkit.diagnose.inputs import Labelling
from reidkit.diagnose.text import counted
from reidkit.records import ImageTable, Records
from reidkit.show.picture import Picture
from reidkit.show.privacy import hidden_note
from reidkit.show.thumbnails import MOST, thumbnails
from reidkit.show.tiles import Tile, draw_tiles


def ranking_gallery(query: ImageTable, row: int, gallery: ImageTable, ranking: pd.DataFrame, *, height: int = 96) -> Picture:
    """A query and gallery images, each with rank, camera and distance, its border and sign saying what it is.

    Args:
        ranking: rows of `diagnose.ranking.rank_query`, all of them shown.
    """
    names = gallery.camera_names
    sheet = [thumbnails(query, [row], height=height), thumbnails(gallery, ranking["image"].to_numpy(), height=height)]
    tiles = [Tile(0, "query", f"query\nc{query.camera_names[int(query.camera[row])]}")]
    for place, hit in enumerate(ranking.itertuples(), start=1):
        rank = f"#{hit.rank}" if hit.rank else "out"
        tiles.append(Tile(place, str(hit.mark), f"{rank} c{names[int(hit.camera)]}\n{hit.distance:.3g}"))
    alt = f"A query picture and its {len(ranking)} nearest gallery pictures with rank, camera and distance: "
    return Picture(draw_tiles(np.concatenate(sheet), [tiles]), alt + ", ".join(ranking["mark"]) + "." + hidden_note(gallery))


def cluster_gallery(diagnosis: Diagnosis, table: ImageTable, *, fault: str = "largest", **options: int) -> Picture:
    """One row a cluster, the worst of a chosen fault first; under each picture its camera.

    Args:
        table: the images that were diagnosed, row by row.
        fault: see `diagnose.faults.FAULTS`.
        options: first (clusters skipped), rows, across and height, as in `draw_clusters`.
    """
    return draw_clusters(diagnosis.labelling, sort_clusters(diagnosis.clusters, fault), table, words=f"{fault} first", **options)


def draw_clusters(
    labelling: Labelling,
    clusters: pd.DataFrame,
    table: ImageTable,
    *,
    words: str = "",
    first: int = 0,
    rows: int = 6,
    across: int = 12,
    height: int = 64,
) -> Picture:
    """Clusters in the order given, from the row `first` on.

    Args:
        words: how they are ordered, for the description.
        rows, across: clusters, and pictures of each; at most 400 pictures together.
        height: of a picture, in pixels.
    """
    across = min(across, MOST // max(rows, 1))
    images: list[int] = []
    tiles: list[list[Tile]] = []
    titles: list[str] = []
    for cluster in clusters.iloc[first : first + rows].itertuples():
        shown = members(labelling, cluster.cluster, across)
        start = len(images)
        images += shown["image"].tolist()
        cameras = [table.camera_names[int(c)] for c in table.camera[shown["image"]]]
        tiles.append([Tile(start + i, str(mark), f"c{c}") for i, (mark, c) in enumerate(zip(shown["mark"], cameras))])
        titles.append(cluster_title(cluster._asdict()))
    figure = draw_tiles(thumbnails(table, images, height=height), tiles, titles=titles)
    whole = f"Pictures of {counted(len(titles), 'cluster')}{', ' * bool(words)}{words}"
    return Picture(figure, ". ".join([whole, "; ".join(titles)]) + "." + hidden_note(table))


def draw_people(diagnosis: Diagnosis, people: pd.DataFrame, table: ImageTable, *, across: int = 12, height: int = 64) -> Picture:
    """One row an identity of `people` (rows of `Diagnosis.identities`, perhaps with a `cause`): where each image of it is."""
    labelling, own = diagnosis.labelling, diagnosis.images["status"].to_numpy() == "right"
    images: list[int] = []
    tiles: list[list[Tile]] = []
    titles: list[str] = []
    for person in people.to_dict("records"):
        assert labelling.identity is not None
        rows = np.flatnonzero(labelling.identity == labelling.identity_names.index(person["identity"]))[:across]
        marks = ["kept" if own[row] else "outlier" if labelling.label[row] < 0 else "taken" for row in rows]
        cameras = [table.camera_names[int(c)] for c in table.camera[rows]]
        tiles.append([Tile(len(images) + i, mark, f"c{c}") for i, (mark, c) in enumerate(zip(marks, cameras))])
        images += rows.tolist()
        size = f"{counted(person['images'], 'image')}, {person['inliers']} in clusters"
        title = f"identity {person['identity']}: {size}, {person['status']}"
        titles.append(title + (f", {person['cause']}" if isinstance(person.get("cause"), str) else ""))
    figure = draw_tiles(thumbnails(table, images[:MOST], height=height), tiles, titles=titles)
    return Picture(figure, ("; ".join(titles) or "No such identity") + "." + hidden_note(table))


def draw_groups(table: ImageTable, groups: Mapping[str, np.ndarray], *, across: int = 12, height: int = 64) -> Picture:
    """One row a group (title -> its rows of `table`): up to `across` of its pictures, evenly spread over it."""
    cut = [m[np.linspace(0, len(m) - 1, min(across, len(m))).round().astype(np.int64)] for m in groups.values()]
    images = np.concatenate(cut) if cut else np.zeros(0, np.int64)
    who = [f"\n#{i}" for i in table.identity[images]] if isinstance(table, Records) else [""] * len(images)
    tiles = iter(Tile(n, "plain", f"c{table.camera_names[c]}{who[n]}") for n, c in enumerate(table.camera[images]))
    titles, small = list(groups), thumbnails(table, images, height=height)
    figure = draw_tiles(small, [[next(tiles) for _ in part] for part in cut], titles=titles)
    return Picture(figure, f"Pictures of {table.name!r}. " + ("; ".join(titles) or "None") + "." + hidden_note(table))


def cluster_title(cluster: dict[str, Any]) -> str:
    """One cluster in a few words."""
    text = f"cluster {cluster['cluster']}: {counted(cluster['images'], 'image')}, {counted(cluster['cameras'], 'camera')}"
    purity = cluster.get("purity")
    if isinstance(purity, float) and purity == purity:
        text += f", purity {purity:.2f}, {counted(cluster['identities'], 'identity')}"
    return f"{text}, {cluster['status']}"
