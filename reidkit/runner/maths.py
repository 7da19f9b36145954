"""LaTeX in Markdown as MathML, which browsers draw without a script and screen readers speak."""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer

UNKNOWN_COMMAND = re.compile(r"\\[A-Za-z]+")
SPELT_OTHERWISE = ((r"{aligned}", r"{align*}"), (r"{split}", r"{align*}"), (r"\arg", r"\operatorname{arg}"))


def to_mathml(latex: str, *, block: bool = False) -> str:
    """`latex` as a ``<math>`` element with its source as annotation; as code where it cannot be converted."""
    source = latex.strip()
    for ours, theirs in SPELT_OTHERWISE:
        source = re.sub(re.escape(ours) + r"(?![A-Za-z])", theirs.replace("\\", r"\\"), source)
    try:
        math = convert(source, display="block" if block else "inline")
        ElementTree.fromstring(math)
    except Exception:  # its errors share no base class, and a page is worth more than one formula
        math = ""
    if not math or UNKNOWN_COMMAND.search(math):
        return f'<code class="latex">{escape(latex.strip())}</code>'
    return math.replace("<math ", f'<math alttext="{escape(latex.strip(), quote=True)}" ', 1)


class MathRenderer(IPythonRenderer):  # type: ignore[misc]
    """nbconvert's Markdown renderer with MathML for formulas."""

    def block_math(self, body: str) -> str:
        return to_mathml(body, block=True)

    def inline_math(self, body: str) -> str:
        return to_mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        return to_mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)
