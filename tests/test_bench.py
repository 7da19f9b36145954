"""The measurements measured: faults are planted, and every command runs for real at a few hundred images."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reidkit import cli
from reidkit.bench import arena, child, peers
from reidkit.bench.agreement import agree
from reidkit.bench.arena import Entry, compete
from reidkit.bench.contest import Contestant, Goal, Task, store
from reidkit.bench.generator import DISTRACTOR, JUNK, make_cast, make_features, make_query_gallery, write_features
from reidkit.bench.record import add_to_record, read_record, record_path, task_record, verdict
from reidkit.bench.run import bench, summary, tasks_of
from reidkit.bench.table import BEGIN, END, figure, in_readme, performance_table
from reidkit.errors import BenchError
from reidkit.evaluate import evaluate_features
from reidkit.jaccard import dense_jaccard, dense_rerank
from reidkit.neighbours import neighbour_lists
from tests import bench_toys as toys

ROOT = Path(__file__).parent.parent


def silent(line):
    """A listener that does not listen."""


def toy_task(*contestants, **options):
    features = np.random.default_rng(0).random((64, 16)).astype(np.float32)
    return Task("toy", lambda folder: store(folder, features=features), contestants, **options)


def entries_of(**walls):
    return {name: Entry(runs=[{"wall": wall} for wall in runs]) for name, runs in walls.items()}


# --- features --------------------------------------------------------------------------------------------------------


def test_generated_features_have_the_stated_statistics():
    matrix, cast = make_features(3000, 2048, seed=1)
    assert matrix.dtype == np.float32 and np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
    pairs = np.random.default_rng(0).integers(0, 3000, (60_000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    same = cast.identity[pairs[:, 0]] == cast.identity[pairs[:, 1]]
    close = np.array([matrix[a] @ matrix[b] for a, b in pairs[same]]).mean()
    apart = np.array([matrix[a] @ matrix[b] for a, b in pairs[~same][:3000]]).mean()
    assert close == pytest.approx(0.65, abs=0.02) and apart == pytest.approx(0.38, abs=0.02)
    centred = matrix[:1200] - matrix[:1200].mean(axis=0)
    variance = np.linalg.eigvalsh(centred @ centred.T)
    assert variance[-256:].sum() / variance.sum() == pytest.approx(0.96, abs=0.02)
    split = make_query_gallery(400, 1900, 256, seed=1)
    who = split.query_ids, split.gallery_ids, split.query_cameras, split.gallery_cameras
    assert 0.3 < evaluate_features(split.query, split.gallery, *who).mean_ap < 0.55


def test_generated_identities_cameras_and_tracklets():
    cast = make_cast(20_000, seed=2)
    sizes = np.bincount(cast.identity)[1:]
    assert sizes[:-1].min() >= 4 and sizes.max() <= 72 and sizes.mean() == pytest.approx(17, abs=1)
    seen = np.array([len(np.unique(cast.camera[cast.identity == one])) for one in range(1, 200)])
    assert seen.min() >= 2 and seen.max() <= 6 and 3.5 < seen.mean() < 4.5
    for inner, outer in ((cast.tracklet, cast.meeting), (cast.meeting, cast.identity), (cast.meeting, cast.camera)):
        assert len(np.unique(np.stack([inner, outer]), axis=1).T) == len(np.unique(inner))
    assert 3 < np.bincount(cast.tracklet).mean() < 5
    assert np.abs(np.diff(cast.identity)).mean() > 300, "rows are not shuffled"


def test_features_repeat_and_a_file_holds_the_same(tmp_path):
    matrix, cast = make_features(9000, 32, seed=3)
    again = write_features(tmp_path / "f.npy", 9000, 32, seed=3)
    assert (np.load(tmp_path / "f.npy") == matrix).all() and (again.identity == cast.identity).all()
    assert (make_features(9000, 32, seed=4)[0] != matrix).any()


def test_queries_are_one_of_each_identity_and_camera():
    split = make_query_gallery(300, 1700, 32)
    assert len(split.query) == 300 and len(split.gallery) == 1700
    both = np.stack([split.query_ids, split.query_cameras])
    assert len(np.unique(both, axis=1).T) == 300 and split.query_ids.min() > 0
    assert (split.gallery_ids == DISTRACTOR).any() and (split.gallery_ids == JUNK).any()
    assert set(split.gallery_ids) - {DISTRACTOR, JUNK} <= set(split.query_ids)


# --- peers -----------------------------------------------------------------------------------------------------------


def test_published_forms_are_the_same_distance_as_the_teaching_version():
    matrix = make_features(300, 64, seed=5)[0]
    rank = neighbour_lists(matrix, 20).index
    assert np.abs(peers.index_form(matrix, rank, 20, 6) - dense_jaccard(matrix, k1=20, k2=6)).max() < 1e-5
    squared = peers.squared_distances(matrix)
    np.fill_diagonal(squared, 0)
    dense, distance = peers.dense_form(squared, 20, 6, 60)
    assert np.abs(dense - dense_jaccard(matrix, k1=20, k2=6, variant="full")[:60]).max() < 1e-5
    wanted = dense_rerank(matrix[:60], matrix[60:], k1=20, k2=6)
    assert np.abs((0.7 * dense + 0.3 * distance[:60])[:, 60:] - wanted).max() < 1e-5


# --- the arena -------------------------------------------------------------------------------------------------------


def test_faults_are_seen_and_the_others_go_on():
    same = {"agrees_with": "honest"}
    task = toy_task(
        Contestant("vandal", toys.vandal),
        Contestant("honest", toys.honest),
        Contestant("wrong", toys.wrong, **same),
        Contestant("short", toys.too_few, **same),
        Contestant("broken", toys.broken, **same),
        Contestant("absent", toys.honest, package="no-such-package"),
        Contestant("huge", toys.honest, memory=1e15),
        Contestant("slow", toys.honest, seconds=1e6),
        Contestant("prepared", toys.light, toys.heavy_preparation, toys.sum_afterwards),
        compare={"labels": "labels"},
        goals=[Goal("quick", "honest", against="wrong", at_most=1e9), Goal("small", "honest", "memory", at_most=1)],
    )
    said = []
    found = compete(task, repeats=2, limit=300, say=said.append)
    assert [len(entry.runs) for entry in found.values()] == [2, 2, 2, 2, 0, 0, 0, 0, 2]
    assert found["wrong"].agreement["labels"]["agrees"] is False
    assert found["wrong"].agreement["labels"]["value"] == pytest.approx(63 / 64)
    assert found["short"].agreement["labels"] == {**found["short"].agreement["labels"], "agrees": False, "value": None}
    assert "ValueError: this one never works" in found["broken"].skipped
    assert "no-such-package is not installed" in found["absent"].skipped
    assert "needs about" in found["huge"].skipped and "smaller --size" in found["huge"].skipped
    assert "--most-seconds" in found["slow"].skipped
    turns = [line.split(": ")[1] for line in said if ", run " in line]
    order = [turn.split(",")[0] for turn in turns]
    assert order[:5] == ["vandal", "honest", "wrong", "short", "broken"] and order[6:10] == ["vandal", "honest", "wrong", "short"]
    honest, prepared = found["honest"].runs[0], found["prepared"].runs[0]
    assert 190e6 < honest["memory"] < 260e6 and honest["cpu"] > 0 and honest["seconds of a part"] == 1.0
    assert prepared["memory"] < 50e6 and prepared["wall"] < 0.4 and prepared["total"] > 64
    entry = task_record(task, found)
    assert [goal["met"] for goal in entry["goals"]] == [False, False], "outputs that disagree meet no goal"
    assert entry["goals"][0]["disagreeing"] == ["wrong: labels"]
    text = summary("toy", json.loads(json.dumps(entry)))
    assert "98.438% of labels equal DISAGREES" in text and "skipped: no-such-package" in text and "NOT MET" in text


def test_a_run_over_its_limit_is_ended():
    found = compete(toy_task(Contestant("endless", toys.endless)), repeats=3, limit=1, say=silent)
    assert not found["endless"].runs and "ended after 1 s" in found["endless"].skipped


def test_a_machine_out_of_memory_ends_the_run(monkeypatch):
    monkeypatch.setattr(arena, "LEAST_FREE", 1e15)
    monkeypatch.setattr(arena, "_obstacle", lambda one, limit: "")
    found = compete(toy_task(Contestant("endless", toys.endless)), repeats=1, limit=60, say=silent)
    assert "taken all memory" in found["endless"].skipped


def test_verdicts_use_medians_and_ratios():
    figures = {"a": {"wall": 2.0}, "b": {"wall": 8.0}, "none": {}}
    entries = entries_of(a=[1, 2, 90], b=[8, 8, 8], none=[])
    assert arena.medians(entries["a"].runs) == {"wall": 2.0}
    assert verdict(Goal("", "a", at_most=2), figures, entries)["met"] is True
    assert verdict(Goal("", "a", at_most=1.9), figures, entries)["met"] is False
    ratio = verdict(Goal("", "b", against="a", at_least=4), figures, entries)
    assert ratio["met"] is True and ratio["value"] == 4 and ratio["medians"] == [8.0, 2.0]
    assert verdict(Goal("", "a", against="none", at_most=2), figures, entries)["met"] is None
    lower = verdict(Goal("", "a", against="b", as_="difference", at_least=0), figures, entries)
    assert (lower["value"], lower["met"]) == (-6, False)
    assert verdict(Goal("", "none", at_most=2), figures, entries)["met"] is None


@pytest.mark.parametrize(
    ("measure", "near", "far"),
    [
        ("labels", [1, 2, 3, 4], [1, 2, 3, 5]),
        ("near-labels", [5, 5, 7, 8], [5, 5, 5, 8]),
        ("distance", [1.000001, 1, 3, 4], [1.0001, 1, 3, 4]),
        ("score", [1.000001, 1, 3, 4], [1.0001, 1, 3, 4]),
        ("near-distance", [1.000001, 1, 3, 4], [1.1, 1, 3, 4]),
    ],
)
def test_agreement_knows_near_from_far(measure, near, far):
    wanted = np.array([1, 2, 3, 4] if measure == "labels" else [1, 1, 3, 4])
    assert agree(measure, np.array(near), wanted)["agrees"] and not agree(measure, np.array(far), wanted)["agrees"]


def test_agreement_of_rows_and_of_nothing():
    rows = np.eye(3)
    assert agree("cosine", 2 * rows, rows)["agrees"] and not agree("cosine", rows + 0.1, rows)["agrees"]
    gaps = np.array([1.0, np.nan])
    assert agree("score", gaps, gaps)["agrees"] and not agree("score", gaps, np.ones(2))["agrees"]


def test_a_task_names_only_who_takes_part():
    with pytest.raises(BenchError, match="unique"):
        toy_task(Contestant("a", toys.light), Contestant("a", toys.light))
    with pytest.raises(BenchError, match="nobody"):
        toy_task(Contestant("a", toys.light, agrees_with="nobody"))


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["labels", "rerank", "kmeans", "diagnosis"])
def test_commands_at_a_few_hundred_images(name, tmp_path, monkeypatch):
    """Everybody runs and agrees; in this process, which spares the imports of a dozen."""

    def here(order, limit, *, loud):
        child.main(child.Order(**json.loads(order.read_text())))
        return ""

    monkeypatch.setattr(arena, "_run_child", here)
    bench(name, sizes=[], quick=True, repeats=1, limit=300, out=tmp_path, say=silent)
    (entry,) = read_record(record_path(tmp_path, name))["tasks"].values()
    compared = [said for one in entry["contestants"].values() for said in one["agreement"].values()]
    assert compared and all(said["agrees"] for said in compared)
    for one in entry["contestants"].values():
        assert one["runs"] or "not installed" in one["skipped"] or "GPU" in one["skipped"], one
    if name == "labels":
        ours = entry["contestants"]["reidkit"]["runs"][0]
        assert 0 < ours["seconds search"] + ours["seconds after the search"] <= ours["wall"]


@pytest.mark.slow
def test_the_command_in_processes_of_its_own(tmp_path):
    words = ["bench", "ranking", "--size", "400", "--repeats", "1", "--out", str(tmp_path)]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "reidkit", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "bench_ranking.json" in done.stdout and "reidkit, from distances, run 1" in done.stderr
    entry = read_record(record_path(tmp_path, "ranking"))["tasks"]["ranking of 85 x 400"]
    loop = entry["contestants"]["Python loop as usually published"]
    assert len(loop["runs"]) == 1 and all(said["agrees"] for said in loop["agreement"].values())
    assert {"wall", "cpu", "memory", "load", "mAP", "mINP"} <= set(loop["runs"][0])
    assert entry["machine"]["processor"] and entry["machine"]["versions"]["torch"] and "float32" in entry["machine"]["engines"]


def test_goals_of_the_full_sizes_name_their_contestants():
    """Building the tasks checks the names; the limits are those that were promised."""
    texts = {goal.text for name in ("labels", "ranking", "rerank", "kmeans") for task in tasks_of(name) for goal in task.goals}
    assert {"at most 0.3 x one product", "at most 0.25 s from distances", "at most 0.6 GB"} <= texts
    (million,) = tasks_of("labels", [1_400_000])
    assert {goal.text for goal in million.goals} >= {"within an hour", "at most 12 GB"}
    assert [one.name for one in million.contestants if one.device == "cpu"] == ["reidkit"]
    for name in ("labels", "ranking", "rerank", "kmeans", "diagnosis", "explorer"):
        for one in tasks_of(name, [32_621])[0].contestants:
            for function in (one.run, one.prepare, one.finish):
                assert getattr(importlib.import_module(function.__module__), function.__qualname__) is function


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(BenchError, match="kmeans"):
        tasks_of("kmean")
    with pytest.raises(BenchError, match="At least 100"):
        tasks_of("labels", [5])


# --- record and table ------------------------------------------------------------------------------------------------


def recorded(folder, task, goals):
    machine = {"processor": "CPU", "threads": 2, "bf16": True, "device": "cpu"}
    return add_to_record(record_path(folder, "labels"), task, {"goals": goals, "machine": machine})


def test_a_record_keeps_other_tasks_and_replaces_its_own(tmp_path):
    goal = {"text": "fast", "quantity": "wall", "against": "", "medians": [1.0], "value": 1.0, "met": True}
    recorded(tmp_path, "labels of 32,621 x 2048", [goal])
    recorded(tmp_path, "labels of 3,000 x 2048", [goal])
    recorded(tmp_path, "labels of 32,621 x 2048", [goal | {"met": False, "medians": [2.0], "value": 2.0}])
    rows = performance_table(tmp_path).splitlines()
    assert rows[-2:] == ["| labels of 3,000 x 2048 | fast | 1 s | yes |", "| labels of 32,621 x 2048 | fast | 2 s | **no** |"]


def test_frames_of_the_map_stand_in_the_table(tmp_path):
    goals = [{"points": 33_000, "goal": 30.0, "slowest": 41.5, "reached": True}]
    goals += [{"points": 100_000, "goal": 10.0, "slowest": 4.0, "not_judged": "the machine was busy"}]
    assert performance_table(tmp_path).startswith("No measurement")
    (tmp_path / "map_fps.json").write_text(json.dumps({"software_rendering": True, "renderer": "x", "goals": goals}))
    rows = performance_table(tmp_path).splitlines()
    assert rows[-2].startswith("| embedding map of 33,000 images | at least 30 frames a second") and rows[-2].endswith(
        "| 41.5 | yes |"
    )
    assert rows[-1].endswith("| 4 | the machine was busy |")


def test_figures_have_the_unit_of_their_goal():
    goal = {"quantity": "wall", "against": "", "medians": [0.1234], "value": 0.1234}
    assert figure(goal) == "0.123 s"
    assert figure(goal | {"quantity": "memory", "medians": [2.5e8], "value": 2.5e8}) == "0.25 GB"
    ratio = goal | {"against": "x", "as": "ratio", "medians": [70.6, 4.28], "value": 16.5}
    assert figure(ratio) == "16.5 x (70.6 s / 4.28 s)"
    lower = {"quantity": "kept", "against": "x", "as": "difference", "medians": [0.4, 0.5], "value": -0.1}
    assert figure(lower) == "-0.1 (0.4 - 0.5)"
    assert figure(goal | {"medians": [None], "value": None}) == ""


def test_the_readme_says_what_the_records_say():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    wanted = in_readme(readme, performance_table(ROOT / "docs" / "records"))
    assert wanted == readme, "run `reidkit bench table`"


def test_the_table_command_writes_between_the_markers(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}old{END}\nafter\n")
    words = ["bench", "table", "--out", str(tmp_path), "--readme", str(readme)]
    done = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    assert done.exit_code == 0 and "written" in done.stdout
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text and "No measurement" in text
    assert "as it should be" in CliRunner().invoke(cli.app, words, catch_exceptions=False).stdout
    with pytest.raises(BenchError, match="no place"):
        in_readme("nothing", "table")
