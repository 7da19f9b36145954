"""Every row of the papers' tables is a named option: it builds, trains two epochs, and differs from its neighbours."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reidkit.errors import ReidkitError
from reidkit.method import Method
from reidkit.methods.canu import CANU
from reidkit.models import Embedder, build_embedder
from reidkit.published import ABLATIONS, Row, ablation, ablation_table
from reidkit.training import fit, judge_on
from tests.contract.checks import SCHEDULE, Bench
from tests.toys import toy_records

LINES = [(paper, name) for paper, rows in ABLATIONS.items() for name in rows]
SMALL = {
    "k1": 8,
    "k2": 2,
    "eps": 0.8,
    "clusters": 6,
    "min_size": 2,
    "min_samples": 2,
    "frozen_epochs": 0,
    "epochs": 1,
    "norm_group": 4,
}

EPS = {("jaccard", "as-is"): 0.8, ("cosine", "normalised"): 0.5, ("cosine", "as-is"): 0.04}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Cameras that differ little, so that raw clusters span several of them."""
    return Bench(toy_records(seed=1), toy_records(seed=2, tint=0.05))


def network(number: int, neck: str) -> Embedder:
    """A tiny network whose map has rows to split at 32 x 16 pixels."""
    return build_embedder("tiny", neck=neck, seed=number)


def small(row: Row, bench: Bench) -> Method:
    """The method of a row on a tiny network, with sizes cut to a few images and nothing else changed."""
    train = bench.source.train
    fresh = row.build(train.num_cameras, train.class_labels(), network)
    base = fresh.base if isinstance(fresh, CANU) else fresh
    given = asdict(base.recipe)
    sizes = {name: value for name, value in SMALL.items() if name in given and given[name] not in (None, 0)}
    if "eps" in given:
        sizes["eps"] = EPS[given["distance"], given["camera"]]
    return row.build(train.num_cameras, train.class_labels(), network, 0, **sizes)


@pytest.mark.parametrize(("paper", "name"), LINES, ids=[f"{paper}-{name}" for paper, name in LINES])
def test_each_row_builds_and_trains_two_epochs(bench: Bench, paper: str, name: str, tmp_path: Path) -> None:
    method = small(ablation(paper, name), bench)
    capsule = fit(method, bench.table(type(method)), schedule=replace(SCHEDULE, steps=1), out=tmp_path, progress=False)
    assert capsule.epochs == 2 and not capsule.meta["stopped"]
    assert len(capsule.losses) and np.isfinite(capsule.losses["value"]).all()


def test_rows_change_what_they_say_and_differ_from_each_other(bench: Bench) -> None:
    train = bench.source.train
    for paper, rows in ABLATIONS.items():
        seen = {}
        for name, row in rows.items():
            method = row.build(train.num_cameras, train.class_labels(), "tiny")
            recipe = asdict(method.recipe)
            for option, value in {**row.options, **row.options.get("adversary", {})}.items():
                assert option in ("adversary", "networks") or recipe[option] == value, f"{paper}, {name}: {option}"
            told = (type(method).__name__, str(recipe), row.backbone, row.rounds, row.length, row.distance)
            told += (row.options.get("networks"),)
            assert told not in seen or {name, seen[told]} in (
                {"+ camera normalisation", "DBSCAN"},
                {"CANU-SSG", "mu = 0.05"},
                {"CANU-MMT", "mu = 0.1"},
            ), f"{paper}: {name} is {seen[told]}"
            seen[told] = name
        assert all(row.source for row in rows.values())
    assert len(ablation_table()) == len(LINES)


def test_the_ladder_of_learn_by_guessing_climbs_one_option_at_a_time() -> None:
    names = ("+ progressive learning", "+ cluster selection", "+ camera normalisation")
    rows = [ablation("Learn by Guessing", name) for name in names]
    built = [asdict(row.build(3, np.arange(4), "tiny").recipe) for row in rows]
    changed = [{name for name in a if a[name] != b[name]} for a, b in pairwise(built)]
    assert changed == [{"min_size", "single_camera"}, {"camera"}]
    assert ablation("Learn by Guessing", "+ domain adaptation").rounds == 1


def test_unknown_rows_name_the_near_ones() -> None:
    with pytest.raises(ReidkitError, match="camera normalisation"):
        ablation("Learn by Guessing", "+ camera normalization")
    with pytest.raises(ReidkitError, match="SSG"):
        ablation("SGS", "SSG")


def test_reranking_at_test_is_an_option_of_the_judge() -> None:
    """Against the re-ranking of the kit on features taken by hand; the order without it is another."""
    from reidkit.evaluate import evaluate_ranking
    from reidkit.features import extract
    from reidkit.jaccard import rerank

    bench = Bench.standard()
    method = small(ablation("Learn by Guessing", "re-ranking"), bench)
    records, size = bench.target, SCHEDULE.size
    plain, again = (judge_on(records, size=size, distance=name)(method) for name in ("cosine", "k-reciprocal"))
    parts = records.query, records.gallery
    query, gallery = (extract(method.embed_test, part.blind(), size=size, progress=False).unit().matrix for part in parts)
    ids, cameras = [part.identity for part in parts], [part.camera for part in parts]
    wanted = evaluate_ranking(rerank(query, gallery, k1=20, k2=6, lambda_value=0.3), *ids, *cameras)
    assert again["mean_ap"] == pytest.approx(wanted.mean_ap) and again["mean_ap"] != plain["mean_ap"]
    with pytest.raises(ReidkitError, match="k-reciprocal"):
        judge_on(records, size=size, distance="reciprocal")(method)
