"""Pages: readable offline, nothing runs in them, everything from outside is escaped."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import nbformat
import pytest

from reidkit.runner.maths import to_mathml
from reidkit.runner.page import index_page, notebook_page, without_scripts
from reidkit.runner.table import result_table
from tests.tiny_notebooks import make_notebook

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


class Elements(HTMLParser):
    """Every element with its attributes, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


def record(**changes):
    return {
        "notebook": "01_task.ipynb",
        "verdict": "passed",
        "reason": "",
        "profile": "smoke",
        "seconds": 1.5,
        "device": "cpu",
        "warnings": [],
        "metrics": [{"name": "map", "value": 0.51234, "unit": "fraction"}],
        "versions": {"reidkit": "0.1.0"},
        "python": "3.11.7",
        "platform": "linux-x86_64",
        "git": {"commit": "0123456789abcdef", "clean": False},
        "pages": {kind: f"a b/{kind}" for kind in ("html", "notebook", "record", "log")},
    } | changes


def assert_inert(html: str) -> Elements:
    """Nothing runs and nothing is fetched."""
    elements = Elements(html)
    assert not elements.named("script") and not elements.named("link") and not elements.named("iframe")
    for _, attrs in elements.found:
        assert not [name for name in attrs if name.startswith("on")]
        assert (attrs.get("src") or "data:").startswith("data:")
        assert not (attrs.get("href") or "").startswith("javascript:")
    policy = [meta["content"] for meta in elements.named("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1 and "default-src 'none'" in policy[0] and "script-src" not in policy[0]
    return elements


def test_a_page_shows_text_figures_and_tables_without_a_script(tmp_path):
    notebook = make_notebook(["print('hello')"], markdown="# A title\n\nSee $x < y$ and\n\n$$\n\\frac{a}{b}\n$$\n")
    notebook.cells[1].outputs = [
        nbformat.v4.new_output("stream", text="hello\n"),
        nbformat.v4.new_output("display_data", data={"image/png": PIXEL, "text/plain": "a dot"}),
        nbformat.v4.new_output(
            "display_data", data={"text/html": "<details><summary>More</summary>folded</details><script>bad()</script>"}
        ),
        nbformat.v4.new_output(
            "display_data",
            data={"application/vnd.jupyter.widget-view+json": {"model_id": "7"}, "text/plain": "IntSlider(value=7)"},
        ),
        nbformat.v4.new_output("display_data", data={"application/javascript": "bad()", "text/plain": "a script"}),
    ]
    html = notebook_page(notebook, record(), tmp_path / "01_task.ipynb")
    elements = assert_inert(html)
    assert [attrs["src"] for attrs in elements.named("img")] == [f"data:image/png;base64,{PIXEL}"]
    assert len(elements.named("math")) == 2 and elements.named("details") and elements.named("h1")
    assert "IntSlider(value=7)" in html and "a script" in html and "bad()" not in html
    assert "require" not in html and "mathjax" not in html.lower() and "cdn" not in html.lower()


def test_what_comes_from_outside_is_escaped(tmp_path):
    notebook = make_notebook(["1"])
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("error", ename="ValueError", evalue=HOSTILE, traceback=[HOSTILE]),
        nbformat.v4.new_output("stream", text=HOSTILE),
    ]
    hostile = record(reason=HOSTILE, warnings=[HOSTILE], notebook=HOSTILE, verdict="failed")
    html = notebook_page(notebook, hostile, tmp_path / "01_task.ipynb")
    assert_inert(html)
    assert "&lt;script&gt;alert(1)" in html


def test_the_index_escapes_names_reasons_and_figures_and_says_what_did_not_run():
    metric = {"name": HOSTILE, "value": 1, "unit": HOSTILE}
    hostile = record(notebook=HOSTILE, reason=HOSTILE, verdict="failed", warnings=[HOSTILE], metrics=[metric])
    html = index_page([record(), hostile], ["20_later"])
    elements = assert_inert(html)
    assert "1 of 3 notebooks passed" in html and "not run" in html and "map = 0.5123 fraction" in html
    assert "commit 0123456789, with changes" in html
    assert elements.named("html") == [{"lang": "en"}] and elements.named("caption") is not None
    assert {attrs.get("scope") for attrs in elements.named("th")} == {"col", "row"}
    assert "a%20b/html" in html


def test_an_index_before_anything_ran_is_a_page_too():
    assert_inert(index_page([], ["01_task"]))


def test_handlers_and_script_links_are_taken_out():
    cleaned = without_scripts(
        '<a href=" JavaScript:x()" onclick="y()">a</a><base href="//h"><svg onload="z()"></svg><p style="color:red">b</p>'
    )
    assert_inert("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">" + cleaned)
    assert 'style="color:red"' in cleaned


@pytest.mark.parametrize(
    "latex",
    [
        r"\mathcal{L} = -\log \frac{e^{\|f_a - f_n\|}}{e^{\|f_a - f_p\|} + e^{\|f_a - f_n\|}}",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\underset{j}{\arg\min}\ d(i, j)",
        r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    ],
)
def test_formulas_become_mathml_with_their_source_as_alternative(latex):
    math = ElementTree.fromstring(to_mathml(latex, block=True))
    assert math.tag.endswith("math") and math.attrib["alttext"] == latex and math.attrib["display"] == "block"
    assert "\\" not in "".join(math.itertext())


@pytest.mark.parametrize("latex", [r"\left( x", r"\unknowncommand{x}", r"\text{a < b}"])
def test_a_formula_that_cannot_be_converted_stands_as_escaped_source(latex):
    html = to_mathml(latex)
    assert html.startswith('<code class="latex">') and html.count("<") == 2


def test_the_table_has_a_column_of_figures_or_reasons():
    lines = result_table(
        [record(), record(notebook="02_data.ipynb", verdict="died", reason="the kernel died")], ["03_next"]
    ).splitlines()
    assert lines[0].split() == ["notebook", "verdict", "seconds", "main", "figures"]
    assert "passed" in lines[2] and "map 0.5123" in lines[2]
    assert "died" in lines[3] and "the kernel died" in lines[3]
    assert lines[4].split() == ["03_next", "not", "run"]
