"""Pages that open without a kernel and without a network: an executed notebook as HTML, and the index of a run.

No script runs in them and nothing is fetched: scripts are taken out, a content security policy forbids the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from nbconvert.exporters.html import HTMLExporter
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from reidkit.runner.maths import MathRenderer

ACTIVE = ("script", "link", "base", "iframe", "object", "embed", "meta", "noscript")
SHOWN_FIRST = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")
SYMBOLS = {"passed": "✓", "interrupted": "–"}  # a second sign beside the colour; everything else is a cross


class LessonExporter(HTMLExporter):  # type: ignore[misc]
    """nbconvert's body of a notebook, with formulas as MathML and pictures embedded."""

    @property
    def default_config(self) -> Config:
        """The stock settings; live widgets have no place on a page without a kernel, so their twins are shown."""
        config = Config(
            {
                "NbConvertBase": {"display_data_priority": list(SHOWN_FIRST)},
                "TemplateExporter": {"exclude_input_prompt": True},
                "HTMLExporter": {"template_name": "basic", "embed_images": True, "exclude_anchor_links": True},
            }
        )
        config.merge(super().default_config)
        config.NbConvertBase.display_data_priority = list(SHOWN_FIRST)
        return config

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Markdown with formulas as MathML."""
        path = context.get("resources", {}).get("metadata", {}).get("path", "")
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = MathRenderer(escape=False, attachments=attachments, embed_images=True, path=path, exclude_anchor_links=True)
        return str(MarkdownWithMath(renderer=renderer).render(source))


def notebook_page(notebook: NotebookNode, record: Mapping[str, Any], source: Path) -> str:
    """An executed notebook as one self-contained page.

    Args:
        record: the record of the run, for the head of the page.
        source: the notebook in the repository; pictures in its Markdown are found beside it.
    """
    resources = {"metadata": {"path": str(source.parent), "name": source.stem}}
    body, _ = LessonExporter().from_notebook_node(notebook, resources=resources)
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    return _template("notebook.html.j2").render(record=record, body=without_scripts(body), colours=colours, symbols=SYMBOLS)


def index_page(records: Sequence[Mapping[str, Any]], waiting: Sequence[str]) -> str:
    """The table of a run, with links to each notebook's page, executed copy and record.

    Args:
        records: one for each notebook that ran, in the order of the table.
        waiting: names of notebooks that have not run.
    """
    return _template("index.html.j2").render(records=records, waiting=waiting, symbols=SYMBOLS)


def without_scripts(html: str) -> str:
    """`html` without elements that run or fetch something and without handlers; folded parts and style stay."""
    soup = BeautifulSoup(html, "html.parser")
    for element in soup(ACTIVE):
        element.decompose()
    for element in soup(True):
        for name in [name for name in element.attrs if name.lower().startswith("on")]:
            del element.attrs[name]
        for name in ("href", "src", "action", "formaction"):
            if str(element.attrs.get(name, "")).strip().lower().startswith("javascript:"):
                del element.attrs[name]
    return str(soup)


def _template(name: str) -> Any:
    pages = Environment(
        loader=PackageLoader("reidkit.runner", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(name)
