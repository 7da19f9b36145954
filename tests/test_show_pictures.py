"""Pictures, thumbnails, galleries and curves: what is drawn where, in words as well as in colours."""

import base64
import io
import re
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reidkit.diagnose import diagnose
from reidkit.diagnose.faults import FAULTS, members, sort_clusters
from reidkit.diagnose.text import counted
from reidkit.errors import DiagnosisError, ImageError, ReidkitError
from reidkit.records import Records, make_records
from reidkit.show import Picture, RunHistory, camera_histogram, cluster_gallery, cmc_curve, contact_sheet, epoch_curves
from reidkit.show.history_figure import history_curves
from reidkit.show.palette import COLOURS, MARKS, style
from reidkit.show.picture import DPI, new_figure
from reidkit.show.thumbnails import MOST, sprite, thumbnails
from reidkit.show.tiles import Tile, draw_tiles

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


def records(images: int = 24, *, size: tuple[int, int] = (32, 16), seed: int = 0) -> Records:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(images)], "identity": np.arange(images) // 4 + 1})
    frame["camera"] = np.arange(images) % 3 + 1
    return make_records(
        frame, pixels=generator.integers(0, 256, (images, *size, 3), np.uint8), drawn=True, check_paths=False, name="toy"
    )


def pixels(picture: Picture) -> np.ndarray:
    picture.figure.set_dpi(DPI)
    picture.figure.canvas.draw()
    return np.asarray(picture.figure.canvas.buffer_rgba())[..., :3]


def test_colours_are_okabe_ito_and_never_the_only_channel() -> None:
    assert set(COLOURS) | {mark.colour for mark in MARKS.values()} <= OKABE_ITO | {"#767676", "none"}
    ranking = [MARKS[name] for name in ("query", "match", "mismatch", "junk", "same camera")]
    for channel in ("colour", "sign", "meaning"):
        assert len({getattr(mark, channel) for mark in ranking}) == len(ranking)
    assert len({(mark.line, mark.sign) for mark in ranking}) == len(ranking)
    assert len({style(place) for place in range(32)}) == 32
    assert len({style(place)[1] for place in range(8)}) == 8


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_picture_is_stored_with_its_words_and_hostile_words_stay_text() -> None:
    words = 'cluster "><script>alert(1)</script> \x07 \u202e'
    bundle = Picture(new_figure(1.0, 1.0), words)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    parser = _Tags()
    parser.feed(bundle["text/html"])
    assert [tag for tag, _ in parser.tags] == ["figure", "img", "figcaption"]
    image = dict(parser.tags)["img"]
    assert image["alt"] == 'cluster "><script>alert(1)</script> \\x07 \\u202e'
    assert base64.b64decode(image["src"].split(",")[1]).startswith(b"\x89PNG")
    assert bundle["text/plain"].startswith("[figure] cluster")


def test_pictures_are_deterministic_and_leave_no_open_figure(tmp_path) -> None:
    first, second = contact_sheet(records()), contact_sheet(records())
    assert first.png == second.png
    assert first.save(tmp_path / "a.png").read_bytes() == first.png
    assert "matplotlib.pyplot" not in sys.modules or not mpl.pyplot.get_fignums()


def test_thumbnails_fit_without_stretching_and_agree_with_pillow() -> None:
    upright, square = thumbnails(records(), [3, 1], height=64), thumbnails(records(size=(20, 20)), [0], height=64)
    assert upright.shape == (2, 64, 32, 3) and square.shape == (1, 64, 64, 3)
    wanted = Image.fromarray(records().pixels[3]).resize((32, 64), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(upright[0], np.asarray(wanted))
    wide = thumbnails(records(size=(10, 20)), [0], height=20, width=20)[0]
    assert (wide[:5] == 255).all() and (wide[15:] == 255).all() and not (wide[5:15] == 255).all()


def test_thumbnails_from_files_equal_those_from_memory_and_damage_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("REIDKIT_PHOTOGRAPHS", "1")
    table = records(4)
    for row, name in enumerate(table.frame["path"]):
        Image.fromarray(table.pixels[row]).save(tmp_path / name)
    stored = make_records(table.frame, root=tmp_path)
    np.testing.assert_array_equal(thumbnails(stored, range(4)), thumbnails(table, range(4)))
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:40])
    with pytest.raises(ImageError, match=r"2\.png"):
        thumbnails(stored, [2])


def test_a_few_thumbnails_of_very_many_images_cost_what_a_few_do(tmp_path, monkeypatch) -> None:
    table = records(6)
    for row, name in enumerate(table.frame["path"]):
        Image.fromarray(table.pixels[row]).save(tmp_path / name)
    stored = make_records(table.frame, root=tmp_path)
    monkeypatch.setenv("REIDKIT_PHOTOGRAPHS", "1")
    monkeypatch.setattr(Records, "paths", property(lambda self: pytest.fail("all paths were made")))
    np.testing.assert_array_equal(thumbnails(stored, [4, 1], height=32), thumbnails(table, [4, 1], height=32))


def test_no_view_takes_more_than_four_hundred_thumbnails() -> None:
    table = records(MOST + 1, size=(4, 2))
    assert len(thumbnails(table, range(MOST), height=4)) == MOST
    with pytest.raises(ReidkitError, match="at most 400"):
        thumbnails(table, range(MOST + 1))
    crowded = diagnose(np.arange(MOST + 1) // 2, table.camera)
    assert "40 clusters" in cluster_gallery(crowded, table, rows=40, across=99).alt


@pytest.mark.parametrize("n", [0, 1, 5, 12])
def test_a_sprite_holds_every_picture_at_its_place(n: int) -> None:
    tiles = thumbnails(records(12), range(n), height=8)
    sheet, across = sprite(tiles, columns=5)
    assert across == 5
    for i in range(n):
        top, left = i // 5 * 8, i % 5 * 4
        np.testing.assert_array_equal(sheet[top : top + 8, left : left + 4], tiles[i])


def test_tiles_draw_pictures_one_to_one_with_a_border_in_the_colour_of_the_mark() -> None:
    flat = np.stack([np.full((40, 20, 3), value, np.uint8) for value in (40, 200)])
    drawn = pixels(Picture(draw_tiles(flat, [[Tile(0, "match"), Tile(1, "mismatch")]]), ""))
    np.testing.assert_array_equal(drawn[25:40, 10:20], 40)
    np.testing.assert_array_equal(drawn[25:40, 38:48], 200)
    green, vermillion = (tuple(bytes.fromhex(MARKS[name].colour[1:])) for name in ("match", "mismatch"))
    edge = drawn[10:40, 1:5].reshape(-1, 3).astype(int)
    assert (np.abs(edge - green).sum(axis=1) < 20).mean() > 0.3
    assert (np.abs(drawn[10:40, 29:33].reshape(-1, 3).astype(int) - vermillion).sum(axis=1) < 20).any()


def test_empty_galleries_are_drawn_and_say_so() -> None:
    table = records(8)
    nothing = cluster_gallery(diagnose([-1] * 8, table.camera), table)
    assert nothing.alt.startswith("Pictures of 0 clusters") and nothing.png


def test_a_figure_that_is_one_sheet_of_pixels_is_stored_as_it_would_be_drawn() -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
    figure = new_figure(70 / DPI, 40 / DPI)
    figure.figimage(sheet)
    for words in ("", "words"):  # with words on it, it has to be drawn
        figure.text(0.1, 0.5, words) if words else None
        stored = np.asarray(Image.open(io.BytesIO(Picture(figure, "").png)).convert("RGB"))
        np.testing.assert_array_equal(stored, pixels(Picture(figure, "")))
        assert np.array_equal(stored, sheet) == (not words)


def test_contact_sheet_says_what_it_shows() -> None:
    table = records()
    assert contact_sheet(table, [0, 1, 4]).alt == "Contact sheet of 3 pictures of 2 identities from 2 cameras of 'toy'."
    assert contact_sheet(table.blind(), [0, 1]).alt == "Contact sheet of 2 pictures from 2 cameras of 'toy'."


def test_curves_name_their_values_axes_and_marks() -> None:
    curve = cmc_curve({"before": np.array([0.25, 0.5]), "after": np.array([0.5, 1.0])})
    assert "before: rank-1 25.0%, rank-2 50.0%; after: rank-1 50.0%, rank-2 100.0%" in curve.alt
    axes = curve.figure.axes[0]
    assert all(float(rank).is_integer() for rank in axes.get_xticks())
    assert axes.get_xlabel() == "rank k" and "share" in axes.get_ylabel()
    table = pd.DataFrame({"epoch": [0, 1, 2], "f1": [0.1, np.nan, 0.4]})
    epochs = epoch_curves(table, ["f1"], unit="share", title="Quality", mark=1)
    assert "f1 from 0.1 (epoch 0) to 0.4 (epoch 2)" in epochs.alt
    assert epochs.figure.axes[0].get_ylabel() == "share"
    with pytest.raises(ReidkitError, match="Known: 'epoch', 'f1'"):
        epoch_curves(table, ["f2"])


@pytest.mark.parametrize("epochs", [2, 30])
def test_no_legend_covers_a_curve_and_none_is_cut(epochs: int) -> None:
    label, camera = np.random.default_rng(0).integers(-1, 4, (epochs, 24)), np.arange(24) % 3
    scores = pd.DataFrame({"epoch": [0], "mean_ap": [0.5]})
    view = RunHistory(label, camera, np.arange(24) // 4, scores=scores)
    history = history_curves(view.epochs, view.epoch).figure
    assert len(history.axes) == 4
    table = pd.DataFrame({"epoch": [0, 1], "a rather long name of a column": [0.1, 0.4]})
    for figure in (history, epoch_curves(table, list(table)[1:]).figure):
        figure.canvas.draw()
        for axes in figure.axes:
            legend = axes.get_legend().get_window_extent()
            assert not legend.overlaps(axes.get_window_extent()), axes.get_title()
            assert not any(legend.overlaps(other.get_tightbbox()) for other in figure.axes if other is not axes)
            assert legend.x0 > 0 and legend.x1 < figure.bbox.x1, axes.get_title()


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [(1, "identity", "1 identity"), (2, "identity", "2 identities"), (1.0, "camera", "1 camera"), (0, "match", "0 matches")],
)
def test_one_of_a_thing_is_singular(count: float, noun: str, words: str) -> None:
    assert counted(count, noun) == words


def test_camera_histogram_counts_images_and_identities() -> None:
    table = records(24)
    picture = camera_histogram(table)
    assert "1 8, 2 8, 3 8" in picture.alt and "1: 0, 2: 0, 3: 6" in picture.alt
    heights = [patch.get_height() for patch in picture.figure.axes[0].patches]
    assert heights == np.bincount(table.camera).tolist()
    assert "Identities" not in camera_histogram(table.blind()).alt


def test_clusters_are_sorted_by_every_fault() -> None:
    generator = np.random.default_rng(0)
    label, identity = generator.integers(-1, 6, 60), generator.integers(0, 5, 60)
    clusters = diagnose(
        label, generator.integers(0, 3, 60), identities=identity, features=generator.normal(size=(60, 4))
    ).clusters
    for fault, (column, ascending) in FAULTS.items():
        if column in clusters:
            values = sort_clusters(clusters, fault)[column]
            assert values.is_monotonic_increasing if ascending else values.is_monotonic_decreasing
    with pytest.raises(DiagnosisError, match="needs its column"):
        sort_clusters(clusters, "lowest silhouette")


def test_members_show_the_main_identity_first_and_intruders_too() -> None:
    label, identity = np.array([0] * 20 + [-1]), np.array([1] * 12 + [2] * 8 + [1])
    found = members(diagnose(label, np.zeros(21), identities=identity).labelling, 0, 8)
    assert found["mark"].tolist() == ["main"] * 5 + ["other"] * 3
    assert all((identity[row] == 1) == (mark == "main") for row, mark in zip(found["image"], found["mark"]))
    assert set(members(diagnose(label, np.zeros(21)).labelling, 0, 8)["mark"]) == {"unknown"}


def test_gallery_titles_and_captions_use_the_names_of_the_table() -> None:
    table = records(8)
    picture = cluster_gallery(diagnose(np.repeat([5, 9], 4), table.camera, identities=table.identity), table, fault="by number")
    assert re.search(r"cluster 5: 4 images, 3 cameras, purity 1\.00, 1 identity, clean; cluster 9", picture.alt)
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert {"c1", "c2", "c3"} <= set(texts) and "c0" not in texts
