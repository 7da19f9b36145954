"""Archives, run after run: repeated, interrupted, killed and at once; `out` is complete or absent."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from reidkit.errors import FormatError
from reidkit.formats import archives
from reidkit.formats.archives import extract
from tests.test_formats_archives import GOOD, content, zipped


def test_again_is_a_no_op_and_other_content_is_not_overwritten(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", GOOD)
    out = extract([path], tmp_path / "out")
    before = (out / "set/b.txt").stat().st_mtime_ns
    extract([path], out)
    assert (out / "set/b.txt").stat().st_mtime_ns == before
    other = zipped(tmp_path / "y.zip", {"z": b"z"})
    with pytest.raises(FormatError, match="exists and was not extracted"):
        extract([other], out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(FormatError, match="exists"):
        extract([path], tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
    (tmp_path / "empty").mkdir()
    assert content(extract([path], tmp_path / "empty")) == GOOD


def test_what_an_interrupted_run_left_is_replaced(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", GOOD)
    (tmp_path / "out.incomplete").mkdir()
    (tmp_path / "out.incomplete" / "half").write_text("x")
    assert content(extract([path], tmp_path / "out")) == GOOD


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", GOOD)
    calls = iter(range(10))
    real = archives._write

    def interrupted(*arguments: object) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(archives, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract([path], tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.lock", "x.zip"]
    monkeypatch.setattr(archives, "_write", real)
    assert content(extract([path], tmp_path / "out")) == GOOD


def _slowly(path: Path, out: Path) -> None:
    """Extract with a pause at each file."""
    real = archives._write
    archives._write = lambda *a: (time.sleep(0.05), real(*a))  # type: ignore[assignment]
    extract([path], out)


@pytest.mark.slow
def test_killed_and_concurrent_runs_end_complete(tmp_path: Path) -> None:
    members = {f"{i}.txt": os.urandom(50) for i in range(60)}
    path, out = zipped(tmp_path / "x.zip", members), tmp_path / "out"
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=_slowly, args=(path, out))
    victim.start()
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out.incomplete/*.txt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.kill()
    victim.join()
    assert not out.exists() and (tmp_path / "out.incomplete").exists()
    pair = [context.Process(target=_slowly, args=(path, out)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(120)
    assert [process.exitcode for process in pair] == [0, 0]
    assert content(out) == members
    assert not (tmp_path / "out.incomplete").exists()
