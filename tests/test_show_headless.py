"""Widgets in a headless run, by the real runner: twins are stored, and a callback that raises fails the notebook."""

import json
from pathlib import Path

import nbformat
import pytest

from reidkit.runner.run import run_notebooks
from tests.tiny_notebooks import PARAMETERS, write_notebook

VIEW = """
from reidkit.diagnose import diagnose
from reidkit.show import TableBrowser
class Broken(TableBrowser):
    def drawn(self):
        if self.page > 1:
            raise ValueError("no second page")
        return super().drawn()
view = Broken(diagnose([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]), rows=1)
"""
TURN = """
def pages(box):
    return next(c for c in box.children[0].children if c.description == "page")
pages(view.live()).value = 2
"""


@pytest.mark.slow
def test_a_callback_that_raises_fails_a_headless_run_and_the_twin_needs_no_kernel(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "notebooks" / "turned.ipynb", VIEW, TURN, parameters=PARAMETERS)
    write_notebook(tmp_path / "notebooks" / "shown.ipynb", VIEW, "view.show()", parameters=PARAMETERS)
    out = tmp_path / "o"
    run_notebooks([tmp_path / "notebooks"], out=out)
    records = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/record.json")}
    assert {name: record["verdict"] for name, record in records.items()} == {"shown": "passed", "turned": "failed"}
    assert "no second page" in records["turned"]["reason"]
    (executed,) = (out / "shown").glob("*.ipynb")
    stored = nbformat.read(executed, 4).cells[-1].outputs[-1]["data"]
    assert "application/vnd.jupyter.widget-view+json" not in stored and "data:image/png" in stored["text/html"]
