"""Decoding: content decides, damage is refused with the file's name, and every colour mode has one stated meaning."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile

from reidkit.errors import ImageError
from reidkit.images.decode import check_images, decode
from reidkit.records import make_records


def noise(height: int = 64, width: int = 32, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def stored(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def refusal(source: str | Path | bytes, **options: int) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    assert caught.value.rule and caught.value.action
    return caught.value


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".txt", ""])
def test_content_decides_not_the_suffix(tmp_path: Path, format: str, suffix: str) -> None:
    path = tmp_path / f"bild ä{suffix}"
    path.write_bytes(stored(noise(), format))
    image = decode(path)
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.asarray(noise()))


def test_a_jpeg_called_png_is_read(tmp_path: Path) -> None:
    data = stored(noise(), "JPEG", quality=95)
    path = tmp_path / "x.png"
    path.write_bytes(data)
    assert np.array_equal(np.asarray(decode(path)), np.asarray(Image.open(io.BytesIO(data))))
    assert np.array_equal(np.asarray(decode(str(path))), np.asarray(decode(data)))


CUTS = [
    (format, options, part)
    for format, options in (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("WEBP", {}),
        ("PPM", {}),
    )
    for part in (0.02, 0.1, 0.5, 0.9)
]


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize(("format", "options", "part"), CUTS)
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, format: str, options: dict[str, bool], part: float) -> None:
    data = stored(noise(), format, **options)
    path = tmp_path / "half.img"
    path.write_bytes(data[: int(len(data) * part)])
    assert "half.img" in refusal(path).what


def test_a_jpeg_whose_tail_is_zeros_is_truncated() -> None:
    data = stored(noise(), "JPEG")
    assert "end marker" in refusal(data[: len(data) // 2] + bytes(len(data) // 2)).what


def test_a_jpeg_with_something_after_its_end_is_whole() -> None:
    data = stored(noise(), "JPEG")
    assert decode(data + bytes(9000)).tobytes() == decode(data).tobytes()


def test_an_end_marker_in_the_thumbnail_does_not_excuse_a_torn_picture() -> None:
    thumbnail = stored(noise(8, 8), "JPEG")
    whole = stored(noise(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Thumb\0" + thumbnail
    data = whole[:2] + segment + whole[2:]
    assert decode(data).size == (32, 64)
    refusal(data[: len(data) // 2 + 300] + bytes(500))


def test_loading_truncated_files_is_never_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert "LOAD_TRUNCATED_IMAGES" in refusal(stored(noise(), "PNG")).what


@pytest.mark.parametrize(
    "content", [b"", b"hello, world", b"\xff\xd8", b"%PDF-1.4 ...", b"<svg xmlns='x'/>", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note.jpg"
    path.write_bytes(content)
    assert "note.jpg" in refusal(path).what


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "nowhere.jpg" in refusal(tmp_path / "nowhere.jpg").what
    assert tmp_path.name in refusal(tmp_path).what


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8001, 10_000, 30_000])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    error = refusal(png_that_claims(side, side))
    assert "too large" in error.what
    assert "64,000,000" in error.rule


def test_the_limit_is_an_argument() -> None:
    data = stored(noise(64, 32), "PNG")
    assert "32 x 64 pixels" in refusal(data, most_pixels=64 * 32 - 1).what
    assert decode(data, most_pixels=64 * 32).size == (32, 64)


@pytest.mark.parametrize("side", [1, 20, 4000])
def test_any_size_up_to_the_limit(side: int) -> None:
    assert decode(stored(Image.new("RGB", (side, 20), "red"), "PNG")).size == (side, 20)


def test_grey_black_and_white_and_palette_are_widened() -> None:
    grey = noise().convert("L")
    for image in (grey, grey.convert("1"), noise().quantize(16)):
        assert np.array_equal(np.asarray(decode(stored(image, "PNG"))), np.asarray(image.convert("RGB")))


def test_sixteen_bit_grey_is_scaled_over_its_whole_range() -> None:
    values = np.array([[0, 256, 257, 32768, 65535, 40000]], np.uint16)
    for format in ("PNG", "TIFF"):
        seen = np.asarray(decode(stored(Image.fromarray(values), format)))
        assert seen[0, :, 0].tolist() == np.round(values[0].astype(float) * 255 / 65535).astype(int).tolist()
        assert (seen[..., 0] == seen[..., 1]).all() and (seen[..., 0] == seen[..., 2]).all()


@pytest.mark.parametrize("values", [np.array([[0.5, 1.5]], np.float32), np.array([[-1, 70000]], np.int32)])
def test_float_and_32_bit_pictures_have_no_agreed_meaning(values: np.ndarray) -> None:
    assert "mode" in refusal(stored(Image.fromarray(values), "TIFF")).what


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(10, 20, 30, 255), (10, 20, 30, 0), (0, 0, 0, 128)])
    for candidate in (image, image.convert("LA")):
        white = np.asarray(decode(stored(candidate, "PNG")))
        assert white[0, 1].tolist() == [255, 255, 255]
        assert abs(int(white[0, 2, 0]) - 127) <= 1
    assert np.asarray(decode(stored(image, "PNG")))[0, 0].tolist() == [10, 20, 30]
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])
    assert np.asarray(decode(stored(palette, "PNG", transparency=0))).tolist() == [[[255, 255, 255], [0, 0, 255]]]


def test_cmyk_becomes_the_colour_it_stands_for() -> None:
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    for format in ("JPEG", "TIFF"):
        red = np.asarray(decode(stored(image, format))).reshape(-1, 3).mean(0)
        assert red[0] > 250 and red[1] < 5 and red[2] < 5


def test_a_picture_is_turned_as_its_exif_tag_says() -> None:
    image = noise(4, 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.asarray(decode(stored(image, "PNG", exif=exif)))
    assert np.array_equal(turned, np.rot90(np.asarray(image), -1))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_matter() -> None:
    image = noise(16, 16)
    assert decode(stored(image, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff rubbish")).size == (16, 16)


@pytest.mark.parametrize("format", ["GIF", "TIFF", "WEBP", "PNG"])
def test_animations_and_pages_are_refused(format: str) -> None:
    data = stored(noise(), format, save_all=True, append_images=[noise(seed=1)])
    assert "several pages" in refusal(data).what


def test_a_single_gif_is_read() -> None:
    assert decode(stored(noise().quantize(32), "GIF")).size == (32, 64)


def a_folder(tmp_path: Path) -> list[str]:
    """Two whole files and three kinds of damage."""
    jpeg = stored(noise(seed=3), "JPEG", quality=90)
    contents = {
        "a.jpg": jpeg,
        "b.png": stored(noise(), "PNG"),
        "empty.jpg": b"",
        "half.jpg": jpeg[: len(jpeg) // 2],
        "patched.jpg": jpeg[: len(jpeg) // 2] + b"\xff\xd9",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return list(contents)


def test_checking_lists_every_damaged_file(tmp_path: Path) -> None:
    names = a_folder(tmp_path)
    table = make_records(pd.DataFrame({"path": names, "identity": range(1, 6)}), root=tmp_path).blind()
    found = check_images(table, strict=False, progress=False)
    assert found["row"].tolist() == [2, 3, 4]
    assert [Path(p).name for p in found["path"]] == ["empty.jpg", "half.jpg", "patched.jpg"]
    with pytest.raises(ImageError, match="3 of 5 files") as caught:
        check_images(table, progress=False)
    assert "half.jpg" in str(caught.value)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("quality", [30, 95])
def test_checking_passes_whole_jpegs_of_every_kind(tmp_path: Path, progressive: bool, subsampling: int, quality: int) -> None:
    for number, image in enumerate((noise(), Image.new("RGB", (17, 33), "grey"), noise(9, 50).convert("L"))):
        options = {"progressive": progressive, "quality": quality}
        options |= {} if image.mode == "L" else {"subsampling": subsampling}
        (tmp_path / f"{number}.jpg").write_bytes(stored(image, "JPEG", **options))
    table = make_records(pd.DataFrame({"path": ["0.jpg", "1.jpg", "2.jpg"], "identity": [1, 2, 3]}), root=tmp_path)
    assert check_images(table, progress=False).empty


def test_pictures_in_memory_need_no_check() -> None:
    pixels = np.zeros((2, 4, 2, 3), np.uint8)
    table = make_records(pd.DataFrame({"path": ["a", "b"], "identity": [1, 2]}), pixels=pixels)
    assert check_images(table, progress=False).empty
