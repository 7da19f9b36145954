"""Results that the file system refuses: said as a refusal, nothing half-written, and what stood there stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import Timeout

from reidkit.diagnose import diagnose
from reidkit.errors import ReidkitError, StorageError
from reidkit.storage import lock, write_json
from tests.faults import files_no_longer_than
from tests.toys import toy_records

TABLE = "label,camera\n" + "0,1\n0,2\n1,1\n1,2\n" * 100
COMMANDS = {
    "a report": ["diagnose", "labels.csv", "--out", "result"],
    "a world": ["data", "world", "twelve", "--out", "result"],
    "a record": ["bench", "ranking", "--quick", "--repeats", "1", "--out", "result"],
}


def reidkit(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reidkit", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["a report", "a world"])
def test_a_command_on_a_full_disk_says_so_and_leaves_nothing(what: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(TABLE, encoding="utf-8")
    with files_no_longer_than(2000):
        done = reidkit(COMMANDS[what], tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("reidkit: result cannot be written: File too large."), done.stderr
    assert "Free some room" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("what", COMMANDS)
def test_a_command_that_may_not_write_says_so(what: str, tmp_path: Path) -> None:
    """Below a file there is no folder, whoever asks: a refusal that root meets too."""
    (tmp_path / "labels.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "file").touch()
    done = reidkit([*COMMANDS[what][:-1], "file/result"], tmp_path)
    assert done.returncode == 2 and "cannot be written: a file stands where its folder should be." in done.stderr, done.stderr
    assert "Name a place that can be written to" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_where_a_report_should_be_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(StorageError, match=rf"{tmp_path.name} cannot be written: Is a directory"):
        diagnose([0, 0, 1], [0, 1, 0]).report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_what_stood_there_stays(tmp_path: Path) -> None:
    path, records = write_json(tmp_path / "a.json", {"kept": 1}), toy_records(people=2)
    before = path.read_bytes()
    table = records.write(tmp_path / "records.parquet").read_bytes()
    with files_no_longer_than(1000):
        with pytest.raises(StorageError, match=r"a\.json cannot be written(.|\n)*Free some room"):
            write_json(path, list(range(10_000)))
        with pytest.raises(StorageError, match=r"records\.parquet cannot"):
            records.write(tmp_path / "records.parquet")
    assert path.read_bytes() == before and (tmp_path / "records.parquet").read_bytes() == table
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.json", "records.parquet"]


def test_a_lock_is_one_process_at_a_time_or_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReidkitError, match="a file stands where"):
        lock(tmp_path / "file" / ".lock")
    with lock(tmp_path / "new" / ".lock"), pytest.raises(Timeout), lock(tmp_path / "new" / ".lock", wait=False):
        pass
