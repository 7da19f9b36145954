"""Archives: unsafe ones are refused as a whole, and interrupted or repeated runs leave nothing half-made."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from reidkit.errors import FormatError
from reidkit.formats import archives
from reidkit.formats.archives import Limits, extract

GOOD = {"set/a/1.png": b"one", "set/a/2.png": b"two" * 50, "set/b.txt": b""}


def zipped(path: Path, members: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[arg-type]
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            info.compress_type = archive.compression
            archive.writestr(info, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != archives.STAMP
    }


def refused(tmp_path: Path, *paths: Path, limits: Limits | None = None) -> FormatError:
    """The refusal of archives, after which nothing of them may be left anywhere."""
    out = tmp_path / "out"
    with pytest.raises(FormatError) as caught:
        extract(list(paths), out, limits=limits)
    assert caught.value.rule and caught.value.action
    assert not out.exists() and not (tmp_path / "out.incomplete").exists()
    assert paths[-1].name in caught.value.what
    return caught.value


@pytest.mark.parametrize("make", [zipped, tarred])
def test_good_archives(tmp_path: Path, make) -> None:
    out = extract([make(tmp_path / "x", GOOD)], tmp_path / "deep" / "out")
    assert content(out) == GOOD
    assert sorted(p.name for p in out.parent.iterdir()) == ["out", "out.lock"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_content_not_suffix_decides(tmp_path: Path, mode: str) -> None:
    assert content(extract([tarred(tmp_path / "x.zip", GOOD, mode)], tmp_path / "out")) == GOOD


def test_tar_folders_and_leading_dots(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name in (".", "./set", "./set/empty"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        info = tarfile.TarInfo("./set/a.txt")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    assert content(extract([path], tmp_path / "out")) == {"set/a.txt": b"x"}


NAMES = [
    "../evil",
    "a/../../evil",
    "a/..",
    "/etc/evil",
    "//host/share",
    "C:/evil",
    "c:evil",
    "a\\..\\evil",
    "..\\evil",
    "a/./b",
    "a//b",
    "~/evil",
    "name:stream",
    "tab\tname",
    "line\nname",
    "bell\x07",
    "trailing. ",
    "trailing.",
    "http://x/y",
]


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_away_refuses_the_whole_archive(tmp_path: Path, make, name: str) -> None:
    refused(tmp_path, make(tmp_path / "bad", GOOD | {name: b"x"}))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad", "out.lock"]


def test_a_folder_that_leads_away(tmp_path: Path) -> None:
    refused(tmp_path, zipped(tmp_path / "bad", GOOD | {"../evil/": b""}))


def test_a_name_cut_by_a_zero_byte(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", {"good_name.pngX.exe": b"x"})
    path.write_bytes(path.read_bytes().replace(b"good_name.pngX.exe", b"good_name.png\0.exe"))
    refused(tmp_path, path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_in_zip(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", b"x")
        info = zipfile.ZipInfo("link")
        info.create_system = 3
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "links and devices" in refused(tmp_path, path).rule


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert "links and devices" in refused(tmp_path, path).rule


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize(
    "members",
    [
        {"a/X.png": b"1", "a/x.PNG": b"2"},
        {"A/1.png": b"1", "a/2.png": b"2"},
        {"a": b"1", "a/b": b"2"},
        {"é": b"1", "e\u0301": b"2"},
    ],
)
def test_names_that_are_one_elsewhere(tmp_path: Path, make, members: dict[str, bytes]) -> None:
    refused(tmp_path, make(tmp_path / "bad", members))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", b"1")
        archive.writestr("a.txt", b"2")
    assert "twice" in refused(tmp_path, path).rule


def test_two_archives_may_not_write_one_file(tmp_path: Path) -> None:
    refused(tmp_path, zipped(tmp_path / "one.zip", {"a/x": b"1"}), zipped(tmp_path / "two.zip", {"a/X": b"2"}))


def test_two_archives_stand_side_by_side(tmp_path: Path) -> None:
    out = extract([zipped(tmp_path / "one.zip", {"a/x": b"1"}), tarred(tmp_path / "two.tar", {"b/x": b"2"})], tmp_path / "out")
    assert content(out) == {"a/x": b"1", "b/x": b"2"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_bomb(tmp_path: Path, kind: str) -> None:
    zeros = {"zeros": bytes(3_000_000)}
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        zipped(path, zeros, compression=zipfile.ZIP_DEFLATED)
    else:
        tarred(path, zeros, f"w:{kind[4:]}")
    error = refused(tmp_path, path)
    assert "200 times" in error.rule


def test_a_bomb_within_one_that_looks_small_stays_packed(tmp_path: Path) -> None:
    """An archive in an archive is a file like any other: nothing is unpacked that was not asked for."""
    zipped(tmp_path / "inner.zip", {"zeros": bytes(3_000_000)}, compression=zipfile.ZIP_DEFLATED)
    inner = (tmp_path / "inner.zip").read_bytes()
    out = extract([zipped(tmp_path / "outer.zip", GOOD | {"inner.zip": inner})], tmp_path / "out")
    assert content(out) == GOOD | {"inner.zip": inner}


@pytest.mark.parametrize(
    "limits",
    [Limits(files=2), Limits(file_bytes=100), Limits(total_bytes=100), Limits(ratio=0.1)],
    ids=["files", "file", "all", "ratio"],
)
def test_each_limit(tmp_path: Path, limits: Limits) -> None:
    refused(tmp_path, zipped(tmp_path / "x.zip", GOOD), limits=limits)


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    assert "only 10 are free" in refused(tmp_path, zipped(tmp_path / "x.zip", GOOD)).what


def test_encrypted(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", GOOD)
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in refused(tmp_path, path).rule


def test_a_wrong_checksum_inside(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a": b"hello world"})
    path.write_bytes(path.read_bytes().replace(b"hello world", b"hellO world"))
    assert "damaged" in refused(tmp_path, path).what


def test_a_size_that_lies(tmp_path: Path) -> None:
    """The directory promises 3 bytes of a stream that holds thousands."""
    path = zipped(tmp_path / "x.zip", {"a": bytes(5000)}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 3)
    path.write_bytes(data)
    refused(tmp_path, path)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_truncated_archive(tmp_path: Path, make, part: float) -> None:
    path = make(tmp_path / "x", {f"{i}.bin": os.urandom(900) for i in range(20)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    refused(tmp_path, path)


def test_no_archive(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"hello")
    assert "neither" in refused(tmp_path, tmp_path / "x.zip").what
    refused(tmp_path, tmp_path / "none.zip")
    with pytest.raises(FormatError, match="No archive"):
        extract([], tmp_path / "out")
