"""The loop's schedule, checkpoints, guards and locks; a run that is killed for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.capsule import Capsule
from reidkit.errors import CapsuleError, ReidkitError, StorageError, TrainingError
from reidkit.method import Batch, weigh
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.methods.source_pretraining import BOT, MMT, UDAP, Recipe, SourcePretraining
from reidkit.models import build_embedder
from reidkit.training import Companion, Schedule, fit, judge_on, load_model
from reidkit.training.checkpoint import load_checkpoint, save_checkpoint
from tests.contract.checks import SCHEDULE, Bench, assert_same_run, first_batch, state, trained
from tests.faults import files_no_longer_than
from tests.toys import toy_records


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def test_chk_1_1_warm_up_and_milestones() -> None:
    schedule = Schedule(warmup_epochs=10, milestones=(40, 70))
    wanted = {0: 3.5e-6, 5: 1.7675e-4, 9: 3.1535e-4, 10: 3.5e-4, 39: 3.5e-4, 40: 3.5e-5, 70: 3.5e-6}
    for epoch, rate in wanted.items():
        assert schedule.rate(epoch) == pytest.approx(rate, rel=1e-9)


def test_chk_shared_9_warm_up_of_ice() -> None:
    schedule = Schedule(warmup_epochs=10, warmup_factor=0.1)
    wanted = {0: 3.5e-5, 1: 6.65e-5, 5: 1.925e-4, 9: 3.185e-4, 10: 3.5e-4, 60: 3.5e-4}
    for epoch, rate in wanted.items():
        assert schedule.rate(epoch) == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize("change", [{"epochs": 0}, {"optimiser": "lamb"}, {"identities": 0}])
def test_schedule_refuses(change: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match=next(iter(change))):
        Schedule(**change)


def test_chk_1_6_the_centre_step_ignores_the_loss_weight(bench: Bench) -> None:
    """c <- c + rate * (2/B) * (f - c), and the same for any weight of the centre loss."""
    centres = []
    for weight in (0.0005, 5.0):
        method = SourcePretraining(build_embedder("tiny"), np.arange(4), Recipe(centre_weight=weight))
        before = method.centres.value.clone()
        f, y = torch.full((2, 256), 2.0), torch.tensor([1, 1])
        batch = Batch((torch.zeros(2, 3, 32, 16),), y, y, y)
        method.after_step(batch, weigh(any=(1.0, torch.tensor(0.0))).keeping(f=f))
        torch.testing.assert_close(method.centres.value[1], before[1] + 0.5 * 2 / 2 * 2 * (2.0 - before[1]))
        assert torch.equal(method.centres.value[[0, 2, 3]], before[[0, 2, 3]])
        centres.append(method.centres.value)
    assert torch.equal(*centres)


@pytest.mark.parametrize(("recipe", "neck"), [(BOT, "bn"), (MMT, "bn"), (UDAP, "relu")], ids=["bot", "mmt", "udap"])
def test_source_recipes_learn(bench: Bench, recipe: Recipe, neck: str, tmp_path: Path) -> None:
    """Each published recipe ranks people it has not seen better than an untrained network does."""
    source = bench.source
    method = SourcePretraining(build_embedder("tiny", neck=neck), source.train.class_labels(), recipe)
    judge = judge_on(source, size=(32, 16))
    before = judge(method)["mean_ap"]
    schedule = replace(SCHEDULE, epochs=3, steps=15, judge_every=3)
    capsule = fit(method, source.train, schedule=schedule, out=tmp_path, judge=judge, progress=False)
    first, last = (capsule.losses.query("epoch == @e").groupby("term")["value"].mean() for e in (0, 2))
    assert last["triplet"] < first["triplet"] and last["identity"] < first["identity"]
    assert capsule.scores.iloc[-1]["mean_ap"] > before


def test_target_forward_moves_batch_norm_statistics_only(bench: Bench) -> None:
    """MMT's source stage forwards target images and throws them away: statistics change, the loss does not."""
    outcomes = []
    for companion in (None, Companion(bench.target.train.blind())):
        method, batch = first_batch(bench, SourcePretraining)
        if companion is not None:
            other = torch.randn(batch.views[0].shape, generator=torch.Generator().manual_seed(0))
            batch = replace(batch, companion=replace(batch, views=(other,)))
        outcomes.append((method.loss(batch).total.item(), method.embedder.neck.running_mean.clone()))
    assert outcomes[0][0] == outcomes[1][0]
    assert not torch.equal(outcomes[0][1], outcomes[1][1])


def test_a_companion_reaches_labels_and_steps(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UDAP's source term: source features reach `prepare_epoch`, labelled source images reach the batches."""
    from reidkit.methods.cluster_finetune import Recipe as Finetune

    source, sizes, met = bench.source.train, [], []
    honest = ClusterAndFinetune.prepare_epoch, ClusterAndFinetune.loss

    def prepare_epoch(self, features, epoch, companion=None):
        sizes.append(len(companion))
        return honest[0](self, features, epoch, companion)

    def loss(self, batch):
        met.append(batch.companion)
        return honest[1](self, batch)

    monkeypatch.setattr(ClusterAndFinetune, "prepare_epoch", prepare_epoch)
    monkeypatch.setattr(ClusterAndFinetune, "loss", loss)
    method = ClusterAndFinetune(build_embedder("tiny"), Finetune(clustering="kmeans", clusters=8, source_weight=0.1))
    companion = Companion(source.blind(), source.class_labels())
    fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, companion=companion, progress=False)
    assert sizes == [len(source)] * 2 and len(met) == 2 * SCHEDULE.steps
    for batch in met:
        assert torch.equal(batch.label, torch.from_numpy(source.class_labels())[batch.index])


def test_the_source_term_enters_the_distance(bench: Bench) -> None:
    from reidkit.jaccard import jaccard_graph, mix_source, source_proximity
    from reidkit.labels import ClusterSettings, cluster

    rng = np.random.default_rng(0)
    target, source = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, 40, 8)).astype(np.float32)
    )
    how = ClusterSettings(k1=8, k2=2, eps=0.7, source_weight=0.3)
    wanted = mix_source(jaccard_graph(target, k1=8, k2=2, variant="full"), source_proximity(target, source), 0.3)
    made = cluster(target, np.zeros(40, np.int64), how, source=source)
    assert np.array_equal(made.graph.toarray(), wanted.toarray())


def test_eps_from_the_closest_pairs_is_frozen(bench: Bench, tmp_path: Path) -> None:
    """CHK-2.5: the first epoch's eps is kept, also over a resume."""
    from reidkit.methods.cluster_finetune import Recipe as Finetune

    def method() -> ClusterAndFinetune:
        return ClusterAndFinetune(build_embedder("tiny"), Finetune(k1=8, k2=2, rho=0.02))

    for epochs in (2, 3):
        schedule = replace(SCHEDULE, epochs=epochs)
        capsule = fit(method(), bench.target.train, schedule=schedule, out=tmp_path, allow=("schedule.epochs",), progress=False)
    eps = [entry["eps"] for entry in capsule.history]
    assert len(eps) == 3 and len(set(eps)) == 1 and 0 < eps[0] < 1


@pytest.mark.parametrize(
    "changes",
    [
        {"clustering": "kmeans", "clusters": 8},
        {"camera": "normalised"},
        {"teacher": 0.9},
        {"loss": "all-pairs"},
        {"variant": "index"},
    ],
    ids=lambda changes: "-".join(str(v) for v in changes.values()),
)
def test_options_of_the_baseline_run(bench: Bench, changes: dict[str, object], tmp_path: Path) -> None:
    from reidkit.methods.cluster_finetune import Recipe as Finetune

    recipe = Finetune(**{"eps": 0.8, "k1": 8, "k2": 2} | changes)
    method = ClusterAndFinetune(build_embedder("tiny", neck="relu" if recipe.loss == "all-pairs" else "bn"), recipe)
    student = method.embedder.state_dict()["backbone.conv1.weight"].clone()
    capsule = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)
    assert len(capsule.losses) and np.isfinite(capsule.losses["value"]).all()
    assert not torch.equal(student, method.embedder.state_dict()["backbone.conv1.weight"])


def test_a_run_of_other_settings_is_refused(bench: Bench, tmp_path: Path) -> None:
    trained(bench, ClusterAndFinetune, tmp_path)
    with pytest.raises(TrainingError, match=r"schedule\.learning_rate: was 0.001, now 0.5"):
        trained(bench, ClusterAndFinetune, tmp_path, learning_rate=0.5)


def test_other_images_are_refused(bench: Bench, tmp_path: Path) -> None:
    trained(bench, ClusterAndFinetune, tmp_path)
    with pytest.raises(TrainingError, match=r"data\.fingerprint"):
        trained(Bench(bench.source, toy_records(seed=5)), ClusterAndFinetune, tmp_path)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_checkpoint_falls_back_to_the_one_before(bench: Bench, keep: float, tmp_path: Path) -> None:
    straight = trained(bench, ClusterAndFinetune, tmp_path / "straight", epochs=3)
    trained(bench, ClusterAndFinetune, tmp_path / "cut", epochs=3)
    weights = tmp_path / "cut/checkpoints/epoch_002/model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: int(keep * len(content))])
    again = trained(bench, ClusterAndFinetune, tmp_path / "cut", epochs=3)
    assert_same_run(straight, again)


def test_a_failed_save_leaves_the_one_before(bench: Bench, tmp_path: Path) -> None:
    method, _ = trained(bench, ClusterAndFinetune, tmp_path)
    before = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    with files_no_longer_than(10_000), pytest.raises(StorageError, match="epoch_007 cannot be written"):
        save_checkpoint(tmp_path / "checkpoints", method, {}, epoch=7, idle=0, settings={})
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == before


def test_a_batch_beyond_memory_is_told_with_what_would_need_less(bench: Bench, tmp_path: Path) -> None:
    (method, _), two = trained(bench, ClusterAndFinetune, tmp_path, epochs=1), replace(SCHEDULE, epochs=2)
    method.loss = lambda batch: torch.empty(1 << 55)  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ReidkitError, match=r"No memory for the run in(.|\n)*Lower the schedule's identities"):
        fit(method, bench.target.train, schedule=two, out=tmp_path, allow=("schedule.epochs",), progress=False)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch_000"]


def test_two_checkpoints_are_kept(bench: Bench, tmp_path: Path) -> None:
    trained(bench, ClusterAndFinetune, tmp_path, epochs=4)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["epoch_002", "epoch_003"]


def test_a_checkpoint_is_never_unpickled(bench: Bench, tmp_path: Path) -> None:
    """A file that would run code when unpickled is refused, whatever its checksum says."""
    import json

    from reidkit.storage import sha256

    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "marker",))

    method, _ = trained(bench, ClusterAndFinetune, tmp_path / "run")
    folder = tmp_path / "run/checkpoints/epoch_001"
    torch.save({"model": Payload()}, folder / "optimisers.pt")
    note = json.loads((folder / "state.json").read_text())
    note["sha256"]["optimisers.pt"] = sha256(folder / "optimisers.pt")
    (folder / "state.json").write_text(json.dumps(note))
    with pytest.raises(TrainingError, match=r"optimisers\.pt"):
        load_checkpoint(folder.parent, method, settings=note["settings"])
    assert not (tmp_path / "marker").exists()


def test_load_model_gives_the_last_weights(bench: Bench, tmp_path: Path) -> None:
    method, _ = trained(bench, ClusterAndFinetune, tmp_path)
    fresh = load_model(tmp_path, bench.build(ClusterAndFinetune))
    for name, tensor in state(method).items():
        assert torch.equal(tensor, state(fresh)[name])
    with pytest.raises(TrainingError, match="no sound checkpoint"):
        load_model(tmp_path / "nowhere", fresh)


def test_a_loss_that_is_not_a_number_stops_the_run(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    honest, steps = ClusterAndFinetune.loss, []

    def loss(self, batch):
        steps.append(1)
        made = honest(self, batch)
        return replace(made, total=made.total * float("nan")) if len(steps) == 5 else made

    monkeypatch.setattr(ClusterAndFinetune, "loss", loss)
    with pytest.raises(TrainingError, match="epoch 1, step 1"):
        trained(bench, ClusterAndFinetune, tmp_path)
    note = json.loads((tmp_path / "crash.json").read_text())
    assert note["epoch"] == 1 and len(note["paths"]) == SCHEDULE.identities * SCHEDULE.instances
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch_000"]


def test_two_runs_cannot_share_a_folder(bench: Bench, tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(TrainingError, match="in use"):
        trained(bench, ClusterAndFinetune, tmp_path)


def test_capsule_refuses_what_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(CapsuleError, match="not a run capsule"):
        Capsule.open(tmp_path)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(CapsuleError, match="damaged"):
        Capsule.open(tmp_path)
    (tmp_path / "meta.json").write_text('{"format": "reidkit-capsule", "version": 99}')
    with pytest.raises(CapsuleError, match="version 99"):
        Capsule.open(tmp_path)


def test_large_features_keep_their_shape_in_a_capsule(tmp_path: Path) -> None:
    import pandas as pd

    from reidkit.capsule import CapsuleWriter

    rows = np.random.default_rng(0).normal(size=(20, 4))
    stored = []
    for name, scale in (("small", 1.0), ("large", 1e7)):
        writer = CapsuleWriter.create(tmp_path / name, pd.DataFrame({"path": ["x"] * 20, "camera": 0}), {})
        writer.add_features(0, rows * scale)
        stored.append(writer.features(0).astype(np.float64))
    assert np.isfinite(stored[1]).all()
    ratio = stored[1] / stored[0]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=0.01)


def test_the_oracle_is_named_as_such(bench: Bench, tmp_path: Path) -> None:
    import json

    method = bench.build(ClusterAndFinetune)
    scripted = iter([0.9, 0.2])
    judge = lambda method: {"mean_ap": next(scripted)}  # noqa: E731
    fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, judge=judge, progress=False)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["last"]["mean_ap"] == 0.2 and scores["last"]["epoch"] == 1
    assert scores["oracle"]["mean_ap"] == 0.9 and "test labels" in scores["oracle"]["note"]


KILLED = """
import sys
from pathlib import Path
import reidkit.training.checkpoint as checkpoint
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from tests.contract.checks import Bench, trained
if sys.argv[2] == "in-save":
    honest = checkpoint.write_json
    def slow(path, content):
        if content["epoch"] == 1:
            print("saving", flush=True)
            import time; time.sleep(60)
        return honest(path, content)
    checkpoint.write_json = slow
trained(Bench.standard(), ClusterAndFinetune, Path(sys.argv[1]), epochs=3, steps=int(sys.argv[3]))
print("done", flush=True)
"""


def hear_interrupts() -> None:
    """Ctrl-C works in a child even where the tests themselves were started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "how"), [("in-save", signal.SIGKILL), ("in-training", signal.SIGKILL), ("in-training", signal.SIGINT)]
)
def test_a_stopped_run_resumes_bit_for_bit(bench: Bench, moment: str, how: signal.Signals, tmp_path: Path) -> None:
    """Stopped in the middle of a checkpoint or of an epoch; then the run goes on and equals one never stopped."""
    steps, folder = 6, tmp_path / "killed"
    straight = trained(bench, ClusterAndFinetune, tmp_path / "straight", epochs=3, steps=steps)
    command = [sys.executable, "-c", KILLED, str(folder), moment, str(steps)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, preexec_fn=hear_interrupts
    )
    if moment == "in-save":
        assert process.stdout is not None and process.stdout.readline() == b"saving\n"
    else:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoints/epoch_000").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -how
    assert (b"killed: interrupted; the same call goes on" in said) == (how == signal.SIGINT)
    stored = [path.name for path in (folder / "checkpoints").glob("epoch_*")]
    assert stored == ["epoch_000"]
    again = trained(bench, ClusterAndFinetune, folder, epochs=3, steps=steps)
    assert_same_run(straight, again)
    assert [path.name for path in sorted((folder / "checkpoints").glob("epoch_*"))] == ["epoch_001", "epoch_002"]
