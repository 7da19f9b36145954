"""Notebooks of a few lines, written by tests into folders of their own."""

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

PARAMETERS = 'profile: str = "demo"\nseed: int = 0\nout: str = ""'


def make_notebook(cells: Sequence[str], *, parameters: str | None = None, markdown: str = "") -> NotebookNode:
    """Code cells, with a parameters cell before them and a Markdown cell before that, where given."""
    notebook = nbformat.v4.new_notebook()
    if markdown:
        notebook.cells.append(nbformat.v4.new_markdown_cell(markdown))
    if parameters is not None:
        notebook.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    return notebook


def write_notebook(path: Path, *cells: str, parameters: str | None = None, markdown: str = "") -> Path:
    """The same, as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(make_notebook(cells, parameters=parameters, markdown=markdown), path)
    return path
