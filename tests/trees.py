"""Tiny data sets with the exact folder and file names of the published ones; every picture is drawn noise."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

MARKET = {
    "bounding_box_train": ["0002_c1s1_000451_03.jpg", "0002_c3s1_000551_01.jpg", "0007_c6s3_077419_02.jpg"],
    "query": ["0001_c1s1_001051_00.jpg", "0003_c4s2_000001_00.jpg"],
    "bounding_box_test": [
        "-1_c1s1_000401_03.jpg",
        "0000_c2s1_000151_01.jpg",
        "0001_c3s1_000551_00.jpg",
        "0003_c1s6_015971_04.jpg",
        "Thumbs.db",
    ],
}
DUKE = {
    "bounding_box_train": ["0001_c2_f0046182.jpg", "0001_c5_f0051341.jpg"],
    "query": ["0005_c2_f0046985.jpg"],
    "bounding_box_test": ["0005_c5_f0051781.jpg", "0008_c8_f0000001.jpg"],
}
CUHK03_NP = {
    "bounding_box_train": ["0001_c1_1.png", "0001_c2_6.png"],
    "query": ["0003_c1_22.png", "0003_c2_27.png"],
    "bounding_box_test": ["0003_c1_21.png", "0003_c2_26.png"],
}
PERSONX = {
    "bounding_box_train": ["0001_c3s1_33.jpg", "0001_c4s1_34.jpg"],
    "query": ["0002_c3s1_01.jpg"],
    "bounding_box_test": ["0002_c4s1_02.jpg", "0002_c8s1_36.jpg"],
}
MSMT17_LISTS = {
    "train": ["0000/0000_000_01_0303morning_0008_0.jpg 0", "0001/0001_001_15_0302noon_1011_0_ex.jpg 1"],
    "val": ["0000/0000_045_10_0114afternoon_1398_1.jpg 0"],
    "query": ["0000/0000_000_01_0303morning_0030_0.jpg 0"],
    "gallery": ["0000/0000_003_07_0303morning_0033_1.jpg 0", "0001/0001_004_01_0303morning_0033_2.jpg 1"],
}


@cache
def picture(seed: int = 0) -> bytes:
    """A small JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def fill(folder: Path, names: Iterable[str], *, first: int = 0) -> Path:
    """Write a different picture under each name."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(first + number))
    return folder


def three_folders(root: Path, names: dict[str, list[str]]) -> Path:
    for number, (folder, files) in enumerate(names.items()):
        fill(root / folder, files, first=100 * number)
    return root


def msmt17(root: Path, version: int = 1) -> Path:
    folders = {1: ("train", "test"), 2: ("mask_train_v2", "mask_test_v2")}[version]
    for name, lines in MSMT17_LISTS.items():
        (root / f"list_{name}.txt").parent.mkdir(parents=True, exist_ok=True)
        (root / f"list_{name}.txt").write_text("\n".join(lines) + "\n")
        fill(root / folders[name in ("query", "gallery")], [line.split()[0] for line in lines])
    return root


def mars(root: Path) -> Path:
    """Two training tracklets; a query, its answer in another camera, a distractor, a junk box and a query without an answer."""
    train = ["0001C1T0001F001.jpg", "0001C1T0001F002.jpg", "0003C2T0001F001.jpg"]
    test = [
        *("00-1C1T0001F001.jpg", "0000C1T0001F001.jpg", "0002C1T0001F001.jpg", "0002C1T0001F002.jpg"),
        *("0002C4T0001F001.jpg", "0006C3T0002F016.jpg"),
    ]
    for part, names in (("train", train), ("test", test)):
        fill(root / f"bbox_{part}", [f"{name[:4]}/{name}" for name in names])
    info = root / "info"
    info.mkdir()
    (info / "train_name.txt").write_text("\n".join(train) + "\n")
    (info / "test_name.txt").write_text("\n".join(test) + "\n")
    savemat(info / "tracks_train_info.mat", {"track_train_info": np.array([[1, 2, 1, 1], [3, 3, 3, 2]])})
    rows = [[1, 1, -1, 1], [2, 2, 0, 1], [3, 4, 2, 1], [5, 5, 2, 4], [6, 6, 6, 3]]
    savemat(info / "tracks_test_info.mat", {"track_test_info": np.array(rows)})
    savemat(info / "query_IDX.mat", {"query_IDX": np.array([[3, 5]])})
    return root


def cuhk03_mat(root: Path) -> Path:
    """Exported pictures and the protocol's files, indices counted from 1."""
    names = ["1_001_1_01.png", "1_001_2_06.png", "1_002_1_01.png", "1_002_2_06.png", "5_010_2_07.png", "5_010_1_01.png"]
    for number, boxes in enumerate(("detected", "labeled")):
        fill(root / f"images_{boxes}", names, first=50 * number)
        cells = np.empty((len(names), 1), object)
        cells[:, 0] = names
        config = {"labels": np.array([[1], [1], [2], [2], [1400], [1400]]), "filelist": cells}
        config |= {"train_idx": np.array([[1], [2]]), "query_idx": np.array([[3], [6]]), "gallery_idx": np.array([[4], [5]])}
        savemat(root / f"cuhk03_new_protocol_config_{boxes}.mat", config)
    return root


def personx_v1(root: Path) -> Path:
    for background in (1, 4):
        names = {folder: [name.replace("c3", f"c{background}") for name in files] for folder, files in PERSONX.items()}
        three_folders(root / str(background), names)
    return root


def unrealperson(root: Path, *, listed: bool) -> Path:
    names = [
        f"unreal_v{x}.{y}/images/333_c00{c}_{f}.jpg" for x, y, c, f in ((3, 1, 1, 78), (3, 2, 1, 5), (1, 1, 1, 9), (1, 1, 2, 9))
    ]
    fill(root, names)
    if listed:
        lines = [f"/somewhere/else/{names[0]} 0 0 ", f"{names[2]} 0 1", f"{names[3]} 0 2"]
        (root / "list_unreal_train.txt").write_text("\n".join(lines))
    return root


def viper(root: Path) -> Path:
    people = ["000", "001", "005", "872"]
    fill(root / "cam_a", [f"{person}_45.bmp" for person in people])
    fill(root / "cam_b", [f"{person}_90.bmp" for person in people], first=10)
    return root


def prid(root: Path) -> Path:
    fill(root / "single_shot" / "cam_a", [f"person_{n:04d}.png" for n in (1, 2, 3, 200, 201, 385)])
    fill(root / "single_shot" / "cam_b", [f"person_{n:04d}.png" for n in (1, 2, 3, 200, 201, 749)], first=10)
    return root


def grid(root: Path) -> Path:
    base = root / "underground_reid"
    fill(base / "probe", [f"000{n}_1_25008_169_19_94_252.jpeg" for n in (1, 2, 3, 4)])
    fill(base / "gallery", [f"000{n}_{n + 2}_25023_116_12_93_250.jpeg" for n in (1, 2, 3, 4)], first=10)
    fill(base / "gallery", ["0000_6_25008_1_2_3_4.jpeg", "0000_8_25008_5_6_7_8.jpeg"], first=20)
    partitions = np.empty((1, 10), object)
    for number in range(10):
        learnt = np.array([[1, 4]]) if number % 2 == 0 else np.array([[2, 3]])
        partitions[0, number] = {"first": np.zeros((1, 2)), "second": np.zeros((1, 2)), "third": learnt}
    savemat(base / "features_and_partitions.mat", {"trainIdxAll": partitions})
    return root


def cuhk01(root: Path) -> Path:
    return fill(root / "campus", [f"{person:04d}{image:03d}.png" for person in (1, 2, 3, 971) for image in (1, 2, 3, 4)]).parent


def omniglot(root: Path, alphabets: Iterable[str] = ("Greek", "Latin"), characters: int = 5, drawers: int = 4) -> Path:
    number = 0
    for alphabet in alphabets:
        for character in range(1, characters + 1):
            number += 1
            names = [f"{number:04d}_{drawer:02d}.png" for drawer in range(1, drawers + 1)]
            fill(root / alphabet / f"character{character:02d}", names, first=1000 * number)
    return root
