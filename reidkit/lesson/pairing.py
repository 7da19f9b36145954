"""From the source of a notebook (``NN_name.py``, percent cells) to the notebook that students open, always the same bytes.

``python -m reidkit.lesson.pairing notebooks/*.py`` writes the notebooks anew; with ``--check`` it only says which differ.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jupytext
import nbformat

from reidkit.storage import write_atomically

log = logging.getLogger(__name__)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
JUPYTEXT = {"formats": "ipynb,py:percent", "notebook_metadata_filter": "-jupytext.text_representation.jupytext_version"}


def notebook_text(source: str) -> str:
    """The text of the notebook made from a percent script: no outputs, and ids that depend on the cells alone.

    An id is a hash of its cell's text (and of how many equal cells came before), so a changed cell changes one id.
    """
    notebook = jupytext.reads(source, fmt="py:percent")
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        same = seen[cell.source] = seen.get(cell.source, -1) + 1
        cell["id"] = hashlib.sha256(f"{same}\n{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "jupytext": JUPYTEXT})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def differing(sources: Sequence[Path]) -> list[Path]:
    """The notebooks that are missing or not what their sources give."""
    pairs = [(source.with_suffix(".ipynb"), notebook_text(source.read_text(encoding="utf-8"))) for source in sources]
    return [path for path, text in pairs if not path.is_file() or path.read_text(encoding="utf-8") != text]


def write_notebooks(sources: Sequence[Path]) -> None:
    """Write each notebook beside its source."""
    for source in sources:
        text = notebook_text(source.read_text(encoding="utf-8"))
        write_atomically(source.with_suffix(".ipynb"), partial(Path.write_text, data=text, encoding="utf-8"))


def main(arguments: Sequence[str]) -> int:
    """Write the notebooks of the sources named, or check them."""
    sources = [Path(argument) for argument in arguments if not argument.startswith("-")]
    if "--check" not in arguments:
        write_notebooks(sources)
        return 0
    stale = differing(sources)
    for path in stale:
        log.error("%s is not what its source gives; run `python -m reidkit.lesson.pairing %s`", path, path.with_suffix(".py"))
    return int(bool(stale))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.exit(main(sys.argv[1:]))
