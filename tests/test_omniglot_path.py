"""Real input all the way: archives, command line, records, features, evaluation, clusters, training, capsule, diagnosis."""

from __future__ import annotations

import copy
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from reidkit.capsule import Capsule
from reidkit.diagnose import diagnose
from reidkit.evaluate import PROTOCOLS
from reidkit.features import extract
from reidkit.formats import load
from reidkit.formats.omniglot import find_archives
from reidkit.images.decode import check_images, decode
from reidkit.jaccard import jaccard_graph
from reidkit.labels import dbscan
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.methods.cluster_finetune import Recipe as Clusters
from reidkit.methods.source_pretraining import Recipe, SourcePretraining
from reidkit.models import build_embedder
from reidkit.records import Records
from reidkit.training import Schedule, fit, judge_on, rank

ARCHIVES = find_archives()
SIZE = (32, 32)
ALPHABETS = ("Greek", "Latin", "Tagalog")
SCHEDULE = Schedule(epochs=2, steps=30, identities=8, instances=4, size=SIZE, learning_rate=3e-3, judge_every=2)
MARGIN = 0.08  # of mAP, over the untrained network; about half of what six seeds gained

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("omniglot"),
    pytest.mark.skipif(not ARCHIVES, reason="no Omniglot archives; set REIDKIT_OMNIGLOT to the folder that holds them"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archives, unpacked by the real command."""
    out = tmp_path_factory.mktemp("omniglot") / "unpacked"
    done = command(*[word for path in ARCHIVES for word in ("--archive", str(path))], "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert f"{len(drawings())} images, 20 cameras" in done.stdout
    return out


@pytest.fixture(scope="module")
def records(folder: Path) -> Records:
    """Three alphabets at the size that the network sees."""
    whole = load(folder)
    few = whole.take(whole.frame["alphabet"].isin(ALPHABETS).to_numpy())
    return replace(few, pixels=np.stack([np.asarray(decode(path).resize(SIZE)) for path in few.paths]))


@pytest.fixture(scope="module")
def untrained(records: Records) -> SourcePretraining:
    return SourcePretraining(build_embedder("tiny", seed=0), records.train.class_labels(), Recipe(view="weak", centre_weight=0.0))


@pytest.fixture(scope="module")
def trained(records: Records, untrained: SourcePretraining, tmp_path_factory: pytest.TempPathFactory) -> SourcePretraining:
    """The same network after 60 steps on the characters of the training split."""
    method, out = copy.deepcopy(untrained), tmp_path_factory.mktemp("supervised")
    capsule = fit(method, records.train, schedule=SCHEDULE, out=out, judge=judge_on(records, size=SIZE), progress=False)
    losses = capsule.losses[capsule.losses["term"] == "identity"]["value"]
    assert losses.tail(10).mean() < losses.head(10).mean()
    return method


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reidkit", "data", "omniglot", *words], capture_output=True, text=True, check=False
    )


def drawings() -> set[tuple[str, str, str]]:
    """(alphabet, character, file) of everything in the archives, each once: two of them share alphabets."""
    names = [PurePosixPath(name) for path in ARCHIVES for name in zipfile.ZipFile(path).namelist()]
    return {(path.parent.parent.name, path.parent.name, path.name) for path in names if path.suffix == ".png"}


def test_the_table_holds_what_the_archives_hold(folder: Path) -> None:
    whole = load(folder)
    parts = [PurePosixPath(path).parts for path in whole.frame["path"]]
    assert {part[-3:] for part in parts} == drawings() and len(parts) == len(drawings())
    assert whole.name == "Omniglot" and whole.num_cameras == 20 and whole.frame.attrs["unparsed"] == []
    assert [int(part[-1][5:7]) for part in parts] == (whole.camera + 1).tolist()
    characters = [part[-3:-1] for part in parts]
    assert len(set(characters)) == len(set(zip(characters, whole.identity))) == len(set(whole.identity))
    assert len(check_images(whole.take(slice_of(len(whole))), progress=False)) == 0


def slice_of(rows: int) -> np.ndarray:
    return np.arange(0, rows, 16)


def test_the_command_once_more_changes_nothing_and_refuses_what_is_no_archive(folder: Path, tmp_path: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    words = [word for path in ARCHIVES for word in ("--archive", str(path))]
    assert command(*words, "--out", str(folder)).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == stamps
    (tmp_path / "notes.zip").write_text("no archive")
    done = command("--archive", str(tmp_path / "notes.zip"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2 and "notes.zip" in done.stderr and "Rule:" in done.stderr and "Do:" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_short_training_ranks_unseen_characters_better(
    records: Records, untrained: SourcePretraining, trained: SourcePretraining
) -> None:
    before, after = ({p: rank(m.embed, records, size=SIZE, protocol=p) for p in PROTOCOLS} for m in (untrained, trained))
    chance = np.mean([np.mean(records.gallery.identity == who) for who in records.query.identity])
    assert chance < before["market"].mean_ap < after["market"].mean_ap - MARGIN
    assert all(scores.answered == len(records.query) for scores in after.values())
    assert after["market"].mean_ap == after["no-camera"].mean_ap  # a drawer drew each character once: nothing to remove
    assert after["literal-camera"].mean_ap > after["market"].mean_ap  # there the drawer's other characters are gone


def test_clusters_are_diagnosed(records: Records, trained: SourcePretraining, tmp_path: Path) -> None:
    train = records.train
    features = extract(trained.embed, train.blind(), size=SIZE, progress=False).unit()
    graph = jaccard_graph(features.matrix, k1=12, k2=4)
    labels = dbscan(graph, 0.5)
    found = diagnose(labels, train.camera, identities=train.identity, features=features.matrix, graph=graph)
    shuffled = diagnose(np.random.default_rng(0).permutation(labels), train.camera, identities=train.identity)
    across = [diagnosis.score("f1", pairs="cross-camera") for diagnosis in (found, shuffled)]
    assert across[0] > 0.3 > 5 * across[1]
    assert found.score("camera_floor") == pytest.approx(0.0, abs=1e-9)  # every drawer drew every character
    assert len(found.identities) == len(set(train.identity)) and len(found.images) == len(train)
    assert found.score("clusters") == labels.max() + 1 > 10 and "F " in found.describe()
    assert all(path.stat().st_size for path in found.to_csv(tmp_path))


def adapt(records: Records, trained: SourcePretraining, out: Path) -> Capsule:
    """Two epochs of clustering and fine-tuning on the training drawings, without a label."""
    recipe = Clusters(eps=0.5, k1=12, k2=4, variant="index")
    method = ClusterAndFinetune(copy.deepcopy(trained.embedder), recipe, seed=0)
    schedule = replace(SCHEDULE, steps=8, judge_every=1)
    return fit(method, records.train, schedule=schedule, out=out, judge=judge_on(records, size=SIZE), progress=False)


def test_the_capsule_is_whole_and_can_be_replayed(records: Records, trained: SourcePretraining, tmp_path: Path) -> None:
    train = records.train
    first = adapt(records, trained, tmp_path / "first")
    capsule = Capsule.open(tmp_path / "first")
    assert capsule.labels.shape == (2, len(train)) and capsule.epochs == 2 and len(capsule.scores) == 2
    assert capsule.frame["path"].tolist() == train.frame["path"].tolist()
    assert (capsule.frame["identity"] == train.identity).all() and (capsule.frame["camera"] == train.camera).all()
    assert set(capsule.losses["term"]) == {"identity", "triplet"} and len(capsule.losses) == 2 * 2 * 8
    for epoch in range(2):  # the labels follow from what is stored, by another program
        stored = capsule.graph(epoch)
        distance = np.ones(stored.shape, np.float32)
        distance[np.repeat(np.arange(len(train)), np.diff(stored.indptr)), stored.indices] = stored.data
        again = DBSCAN(eps=capsule.history[epoch]["eps"], min_samples=4, metric="precomputed").fit(distance).labels_
        assert (again == capsule.labels[epoch]).all()
        assert capsule.features(epoch).shape == (len(train), 64)
    assert not [path for path in capsule.folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    second = adapt(records, trained, tmp_path / "second")
    assert (second.labels == first.labels).all() and second.losses.equals(first.losses) and second.scores.equals(first.scores)
    found = [diagnose(labels, train.camera, identities=train.identity) for labels in capsule.labels]
    assert (first.labels[0] != first.labels[1]).any() and found[0].compare(found[1]) is not None
