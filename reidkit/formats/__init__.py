"""From data sets as they lie on disk to `Records`: one file a layout, detection, and refusals that say what to do."""

from __future__ import annotations

import inspect
from pathlib import Path

from reidkit.errors import FormatError, nearest_name, shown
from reidkit.formats import cuhk03, duke, folder, market, mars, msmt17, omniglot, personx, table, two_views, unrealperson
from reidkit.formats.counts import warn_of_counts
from reidkit.formats.layout import Layout
from reidkit.formats.listing import folders_in, names_in
from reidkit.records import Records

__all__ = ["LAYOUTS", "Layout", "detect", "load", "omniglot"]

# In the order of detection: the particular before the general.
_ORDER: tuple[Layout, ...] = (
    *(module.LAYOUT for module in (table, msmt17, mars, cuhk03, personx, unrealperson, duke, market)),
    *two_views.LAYOUTS,
    omniglot.LAYOUT,
    folder.LAYOUT,
)
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in _ORDER}
MOST_CHILDREN = 50


def load(root: str | Path, layout: str = "auto", **options: object) -> Records:
    """Read a data set.

    Args:
        root: its folder, or a CSV or Parquet table. The folder may also be one level above, when it holds no other set.
        layout: a name from `LAYOUTS`, or ``"auto"``.
        options: further arguments of the layout's own ``read``.

    Returns:
        Records; names left out because they do not parse (at most 1 %) are in ``frame.attrs["unparsed"]``.

    Raises:
        FormatError: nothing there, no layout fits, too many names do not parse, or an option that the layout does not have.
    """
    root = Path(root)
    if not root.exists():
        raise FormatError(f"{root} does not exist.", rule="A data set is a folder or a table.", action="Check the path.")
    if layout == "auto":
        chosen, root = detect(root)
    elif layout in LAYOUTS:
        chosen, root = LAYOUTS[layout], _own_folder(root, LAYOUTS[layout])
    else:
        raise FormatError(
            f"No layout is called {layout!r}.", rule=f"Layouts are {', '.join(LAYOUTS)}.", action=nearest_name(layout, LAYOUTS)
        )
    known = list(inspect.signature(chosen.read).parameters)[1:]
    wrong = [option for option in options if option not in known]
    if wrong:
        raise FormatError(
            f"Layout {chosen.name!r} has no option {shown(wrong)}.",
            rule=f"Its options are {shown(known, 20) or 'none'}.",
            action=nearest_name(wrong[0], known) if known else "Leave it out.",
        )
    records = chosen.read(root, **options)
    warn_of_counts(records)
    return records


def _own_folder(root: Path, layout: Layout) -> Path:
    """`root`, or the only sub-folder that fits the layout where `root` itself does not."""
    if layout.recognises(root) or not root.is_dir():
        return root
    fitting = [root / name for name in folders_in(root)[:MOST_CHILDREN] if layout.recognises(root / name)]
    return fitting[0] if len(fitting) == 1 else root


def detect(root: Path) -> tuple[Layout, Path]:
    """The layout of a folder, and the folder it applies to: `root` itself or the only one of its sub-folders that fits.

    Raises:
        FormatError: none fits, or several sub-folders do.
    """
    for layout in LAYOUTS.values():
        if layout.name != "folder" and layout.recognises(root):
            return layout, root
    children = [root / name for name in folders_in(root)[:MOST_CHILDREN]] if root.is_dir() else []
    fitting = [
        (layout, child)
        for child in children
        for layout in [next((known for known in LAYOUTS.values() if known.name != "folder" and known.recognises(child)), None)]
        if layout is not None
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise FormatError(
            f"{root} holds several data sets: {shown(child.name for _, child in fitting)}.",
            rule="One call reads one data set.",
            action="Point to one of these folders.",
        )
    if LAYOUTS["folder"].recognises(root):
        return LAYOUTS["folder"], root
    found = shown(names_in(root), 8) if root.is_dir() else repr(root.suffix)
    raise FormatError(
        f"{root}: no known layout; found {found or 'an empty folder'}.",
        rule=f"Layouts are {', '.join(LAYOUTS)}.",
        action="Point to the data set's own folder, or name the layout to learn what it misses.",
    )
