"""How a lesson puts something on the page: always a mime bundle with a plain-text twin, everything escaped."""

from __future__ import annotations

import ast
from html import escape

from IPython.display import display

from reidkit.show.palette import BLUE


def show_html(html: str, text: str) -> None:
    """Show `html`, with `text` for readers and programs that draw no HTML."""
    display({"text/html": html, "text/plain": text}, raw=True)


def panel(title: str, body: str, colour: str = BLUE) -> str:
    """A framed remark; `title` is escaped, `body` is HTML made by the caller."""
    style = f"border-left:4px solid {colour};padding:.5em .9em;margin:.4em 0;max-width:60em;line-height:1.45"
    return f'<div style="{style}" role="note"><strong>{escape(title)}</strong> {body}</div>'


def paragraphs(text: str) -> str:
    """Plain text as escaped HTML; an empty line starts a paragraph, text between backticks is set as code."""
    return "".join(f"<p style='margin:.3em 0'>{inline(part)}</p>" for part in text.split("\n\n") if part.strip())


def inline(text: str) -> str:
    """One run of plain text as escaped HTML; text between backticks is set as code."""
    pieces = escape(text.strip()).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def fold(summary: str, body: str) -> str:
    """A part that opens on Enter or a click, without a kernel; `body` is HTML made by the caller."""
    return f"<details style='margin:.3em 0'><summary>{escape(summary)}</summary>{body}</details>"


def highlighted(code: str) -> str:
    """Python code in colours that need no style sheet."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    formatter = HtmlFormatter(noclasses=True, nobackground=True, cssstyles="font-size:.86em;line-height:1.35;overflow-x:auto")
    return str(highlight(code, PythonLexer(), formatter))


def without_docstring(code: str) -> str:
    """The source of one function without its docstring, so that its few lines stand beside their equation."""
    body = ast.parse(code).body[0]
    assert isinstance(body, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    first = body.body[0]
    if len(body.body) == 1 or ast.get_docstring(body, clean=False) is None:
        return code
    lines = code.splitlines(keepends=True)
    return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])
