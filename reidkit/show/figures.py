"""Static pictures from tables: contact sheet, CMC curve, curves over epochs, cameras, camera pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from reidkit.diagnose.text import counted, pictured
from reidkit.errors import ReidkitError, nearest_name
from reidkit.records import ImageTable, Records
from reidkit.show.palette import BLUE, ORANGE, style
from reidkit.show.picture import Picture, new_figure
from reidkit.show.privacy import hidden_note
from reidkit.show.thumbnails import thumbnails
from reidkit.show.tiles import Tile, draw_tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def contact_sheet(
    table: ImageTable, rows: Sequence[int] | np.ndarray | None = None, *, columns: int = 12, captions: Sequence[str] | None = None
) -> Picture:
    """Some pictures of a set, side by side; under each its camera, and its identity when the table knows it.

    Args:
        rows: row numbers, at most 400; None takes up to four rows of pictures, evenly spread over the table.
        columns: pictures in a row.
        captions: other words under each picture.
    """
    wanted = min(len(table), 4 * columns)
    index = np.asarray(rows if rows is not None else np.linspace(0, len(table) - 1, wanted).round(), np.int64)
    if captions is None:
        captions = [_caption(table, int(row)) for row in index]
    tiles = [Tile(place, caption=str(captions[place])) for place in range(len(index))]
    cut = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    figure = draw_tiles(thumbnails(table, index, height=80), cut)
    people = f" of {counted(len(set(table.identity[index])), 'identity')}" if isinstance(table, Records) else ""
    whole = f"{counted(len(index), 'picture')}{people} from {counted(len(set(table.camera[index])), 'camera')}"
    return Picture(figure, f"Contact sheet of {whole} of {table.name!r}." + hidden_note(table))


def cmc_curve(curves: Mapping[str, object], *, max_rank: int = 20) -> Picture:
    """Cumulative matching characteristic: share of queries with a right answer among the first k.

    Args:
        curves: name -> array (max_rank,) of shares, or an object with `.cmc` and `.mean_ap` (`evaluate_ranking`).
    """
    figure = new_figure(5.2, 3.4)
    axes = figure.subplots()
    words = []
    for place, (name, scores) in enumerate(curves.items()):
        cmc = np.asarray(getattr(scores, "cmc", scores), np.float64)[:max_rank]
        mean_ap = getattr(scores, "mean_ap", None)
        label = name if mean_ap is None else f"{name} (mAP {float(mean_ap):.1%})"
        colour, marker, line = style(place)
        axes.plot(np.arange(1, len(cmc) + 1), cmc, color=colour, marker=marker, ls=line, ms=4, label=pictured(label))
        words.append(f"{label}: rank-1 {cmc[0]:.1%}, rank-{len(cmc)} {cmc[-1]:.1%}")
    axes.set(xlabel="rank k", ylabel="share of queries matched by rank k", ylim=(0, 1.02), title="CMC curve")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    return Picture(figure, "CMC curve. " + "; ".join(words) + ".")


def epoch_curves(
    table: pd.DataFrame, columns: Sequence[str], *, unit: str = "", title: str = "", mark: int | None = None
) -> Picture:
    """Some columns of a table over its column `epoch`.

    Args:
        columns: which ones; all share the vertical axis.
        unit: of that axis.
        mark: an epoch to point at.
    """
    for name in columns:
        if name not in table:
            raise ReidkitError(
                f"No column {name!r}. {nearest_name(name, map(str, table.columns))}",
                rule="Curves are columns.",
                action="Rename it.",
            )
    figure = new_figure(5.6, 3.2)
    plot_epochs(figure.subplots(), table, {name: name for name in columns}, unit=unit, title=title, mark=mark)
    ends = [_ends(table, name) for name in columns]
    return Picture(figure, f"{title or 'Curves over epochs'}. " + "; ".join(ends) + ".")


def plot_epochs(
    axes: Axes, table: pd.DataFrame, columns: Mapping[str, str], *, unit: str, title: str, mark: int | None = None
) -> None:
    """Draw columns (column -> label) over epochs into `axes`; what is undefined leaves a gap."""
    for place, (name, label) in enumerate(columns.items()):
        colour, marker, line = style(place)
        known = table[table[name].notna()]
        axes.plot(known["epoch"], known[name], color=colour, marker=marker, ls=line, ms=4, label=label)
    if mark is not None:
        axes.axvline(mark, color="black", lw=1, ls=":")
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit)
    axes.set_title(title, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    values = table[list(columns)].to_numpy(np.float64)
    axes.yaxis.set_major_locator(
        MaxNLocator("auto", integer=bool((np.nan_to_num(values) % 1 == 0).all()), steps=[1, 2, 2.5, 5, 10])
    )
    low = float(np.nanmin(values, initial=0.0))
    flat = float(np.nanmax(values, initial=0.0)) <= low  # nothing but zeros
    axes.set_ylim(bottom=min(low, 0.0), top=1.0 if flat else None)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.6, borderaxespad=0.3)


def camera_histogram(table: ImageTable) -> Picture:
    """Images of each camera; with identities also how many cameras saw an identity."""
    counts = np.bincount(table.camera, minlength=table.num_cameras)
    people = table.frame[table.frame["identity"] > 0] if isinstance(table, Records) else table.frame.head(0)
    figure = new_figure(7.2 if len(people) else 4.2, 2.8)
    panels = figure.subplots(1, 2 if len(people) else 1, squeeze=False)[0]
    _bars(panels[0], list(table.camera_names), counts, BLUE, "camera", "images")
    words = f"Images of each camera of {table.name!r}: " + ", ".join(f"{n} {c}" for n, c in zip(table.camera_names, counts))
    if len(people):
        seen = np.bincount(people.groupby("identity")["camera"].nunique(), minlength=2)[1:]
        _bars(panels[1], [str(n + 1) for n in range(len(seen))], seen, ORANGE, "cameras that saw it", "identities")
        words += ". Identities seen by n cameras: " + ", ".join(f"{n + 1}: {count}" for n, count in enumerate(seen))
    return Picture(figure, words + ".")


def _bars(axes: Axes, names: list[str], counts: np.ndarray, colour: str, x: str, y: str) -> None:
    bars = axes.bar(range(len(names)), counts, color=colour)
    axes.bar_label(bars, fontsize=7)
    axes.set(xlabel=x, ylabel=y)
    axes.set_xticks(range(len(names)), [pictured(name, 16) for name in names], fontsize=8)


def _caption(table: ImageTable, row: int) -> str:
    camera = table.camera_names[int(table.camera[row])]
    return f"{int(table.identity[row])} · c{camera}" if isinstance(table, Records) else f"c{camera}"


def _ends(table: pd.DataFrame, name: str) -> str:
    known = table[table[name].notna()]
    if not len(known):
        return f"{name} is undefined"
    first, last = known.iloc[0], known.iloc[-1]
    return f"{name} from {first[name]:.4g} (epoch {int(first['epoch'])}) to {last[name]:.4g} (epoch {int(last['epoch'])})"
