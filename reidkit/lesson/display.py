"""How a lesson puts something on the page: always a mime bundle with a plain-text twin, everything escaped."""

from __future__ import annotations

import base64
import io
import os
from html import escape
from typing import TYPE_CHECKING

from IPython.display import display

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"  # Okabe and Ito: told apart by every eye


def headless() -> bool:
    """Whether nobody sits in front of this notebook: ``REIDKIT_HEADLESS`` is set to something other than 0."""
    return os.environ.get("REIDKIT_HEADLESS", "0") not in ("", "0")


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


def show_figure(figure: Figure, alt: str, *, dpi: int = 90) -> None:
    """Show a matplotlib figure as one PNG with a text description, then close it.

    Args:
        alt: what the picture shows, for those who cannot see it; it is also printed under the picture.
        dpi: dots per inch; 90 keeps a figure of 9 by 4 inches near 50 kB.
    """
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    caption = f"<figcaption style='font-size:.9em;max-width:60em'>{escape(alt)}</figcaption>"
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(alt, quote=True)}" style="max-width:100%">'
    show_html(f"<figure style='margin:.4em 0'>{image}{caption}</figure>", f"[figure] {alt}")
