# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 21 · Bring your own data
#
# You have a folder, a table or an archive of pictures. This lesson takes it all the way: records, a search across cameras,
# one threshold, clusters without labels and what is wrong with them, a run that others can replay, and the card that must
# lie beside the data.
#
# The example is **Omniglot**: handwritten characters, each drawn once by 20 people. It is real input and shows nobody's
# face. The *identity* is the character, the *camera* is the drawer. Its archives are published at
# [github.com/brendenlake/omniglot](https://github.com/brendenlake/omniglot) (folder `python`, MIT licence); put
# `images_background_small1.zip` and `..._small2.zip` into `data/omniglot` of this project, or name their folder in the
# environment variable `REIDKIT_OMNIGLOT`. Without them the lesson goes on with a folder of rendered people that it makes
# itself.
#
# To use **your own** pictures, set `data` below. Photographs of people stay blank in every figure unless the environment says
# `REIDKIT_PHOTOGRAPHS=1`: a notebook keeps what it showed, so think first of who will open it.

# %% tags=["parameters"]
profile: str = "demo"  # "smoke" (seconds), "demo" (minutes), "full" (all of it)
seed: int = 0  # of the split, the networks and every draw
out: str = ""  # folder for files and runs; empty: runs/21_bring_your_own_data/...
data: str = ""  # your folder of identities, known layout, CSV or Parquet table; empty: see above
camera_pattern: str = ""  # for a folder: where the camera stands in a file name, for example "_c([0-9]+)"
view: str = "weak"  # augmentation while training: "none", "weak" (mirror, shift) or "strong" (and erase)
eps: float = 0.5  # radius of the clusters in section 5

# %%
import copy
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from scipy.io import savemat

from reidkit import stages
from reidkit.errors import ReidkitError
from reidkit.formats import load, omniglot
from reidkit.formats.splits import split_identities
from reidkit.images.decode import check_images, decode
from reidkit.lesson import Lesson

chosen = {"smoke": (3, 32, 2, 15), "demo": (5, 48, 5, 30), "full": (50, 64, 10, 100)}

# %%
from reidkit.show import (
    ClusterGallery,
    EmbeddingMap,
    EpsExplorer,
    QueryExplorer,
    RunHistory,
    camera_histogram,
    contact_sheet,
)
from reidkit.show.palette import BLACK, BLUE, GREY, ORANGE, VERMILLION
from reidkit.show.picture import new_figure

alphabets, side, epochs, steps = chosen[profile]

# %%
from reidkit.diagnose import (
    audit_result,
    audit_sample,
    calibrate_threshold,
    diagnose,
    diagnose_files,
    mutual_information,
)
from reidkit.evaluate import PROTOCOLS, evaluate_ranking
from reidkit.features import extract
from reidkit.jaccard import jaccard_graph
from reidkit.labels import dbscan
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.methods.cluster_finetune import Recipe as Clusters
from reidkit.methods.source_pretraining import Recipe as Supervised
from reidkit.methods.source_pretraining import SourcePretraining
from reidkit.models import build_embedder
from reidkit.training import Schedule, cosine_distance, fit, judge_on

# %%
lesson = Lesson.open("21", profile=profile, seed=seed, out=out)
lesson.setup()
lesson.card()

# %% [markdown]
# ## 1 · From files to a table, and what is refused
#
# Everything begins with one table: a row an image, with its `path`, `identity`, `camera` and `split`. A *reader* makes it
# from what lies on the disk: an archive (checked as a whole before a byte is written), a folder of identities
# (`person/picture.jpg`, the camera somewhere in the name), a published layout, or a CSV file.


# %%
def rendered_people(folder: Path) -> Path:
    """The synthetic people of the other lessons, as a plain folder: split/identity/number_cCAMERA.jpg."""
    world = stages.shared_world(profile, "summer")
    people = world.take(world.identity > 0)
    for path, row in zip(people.paths, people.frame.itertuples()):
        home = folder / row.split / f"person{row.identity:04d}"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, home / f"{row.Index:06d}_c{row.camera + 1}{Path(path).suffix}")
    return folder


archives = [] if data else omniglot.find_archives()
if archives:
    records = omniglot.unpack(archives, stages.cache_folder() / "omniglot", seed=seed)
    kept = sorted(set(records.frame["alphabet"]))[:alphabets]
    records = records.take(records.frame["alphabet"].isin(kept).to_numpy())
elif data:
    records = load(data, **({"camera": camera_pattern} if camera_pattern else {}))
else:
    print("No archive of Omniglot here (see above for where it is published): rendered people instead.")
    records = load(rendered_people(lesson.out / "people"), "folder", camera=r"_c([0-9]+)")
    records = replace(records, drawn=True)  # drawn people are no photographs: they may be shown

# %%
one_camera = records.num_cameras == 1
protocol = "no-camera" if one_camera else "market"
if set(records.frame["split"]) == {"train"}:  # your set came without a test: hold some identities back
    ways = records.frame.groupby("identity").cumcount() if one_camera else records.frame["camera"]
    splits = split_identities(records.frame.assign(camera=ways), seed=seed)
    records = replace(records, frame=records.frame.assign(split=splits))
print(f"{records.name}: {len(records)} pictures, {records.num_cameras} cameras, protocol {protocol}")
columns = [c for c in ("path", "identity", "identity_name", "camera", "split") if c in records.frame]
display(records.summary(), records.frame[columns].sample(4, random_state=0))

# %% [markdown]
# The same set as a **table**. A CSV file names what a folder cannot say: any split, any camera, any further column. Yours
# will call its columns something else; `columns=` maps our names to them.

# %%
lesson.out.mkdir(parents=True, exist_ok=True)
name = "identity_name" if "identity_name" in records.frame else "identity"
manifest = pd.DataFrame({"file": records.frame["path"], "who": records.frame[name]})
manifest["where"] = [f"camera {records.camera_names[c]}" for c in records.camera]
manifest["split"] = records.frame["split"]
manifest.to_csv(lesson.out / "manifest.csv", index=False)

ours = {"path": "file", "identity": "who", "camera": "where"}
again = load(lesson.out / "manifest.csv", images=records.root, columns=ours)
same = (np.unique(again.identity, return_inverse=True)[1] == records.class_labels()).all()
print(f"read back: {len(again)} rows, the same identities: {same}, cameras: {again.num_cameras}")
manifest.sample(4, random_state=0)

# %% [markdown]
# Now spoil it, at the three doors that every set goes through: the archive, the table, the picture. A refusal names what
# was found, the rule, and what to do. Nothing is repaired in silence: a guess that is wrong would be your result.


# %%
def refused(attempt, *arguments, **options) -> None:
    """Try something that must not work, and print what is said."""
    try:
        attempt(*arguments, **options)
    except ReidkitError as error:
        print(f"{type(error).__name__}: {error}\n")
    else:
        raise AssertionError("This should have been refused.")


with zipfile.ZipFile(lesson.out / "odd.zip", "w") as archive:
    archive.writestr("../outside/character01/0001_01.png", b"a file that wants to lie elsewhere")
refused(omniglot.unpack, [lesson.out / "odd.zip"], lesson.out / "odd")

leak = manifest.copy()
leak.loc[leak["split"].eq("train").idxmax(), "split"] = "query"
leak.to_csv(lesson.out / "leak.csv", index=False)
refused(load, lesson.out / "leak.csv", images=records.root, columns=ours)

# %%
whole = Path(records.paths[0])
torn = lesson.out / f"torn{whole.suffix}"
torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
pd.DataFrame({"path": [torn.name], "identity": ["x"]}).to_csv(lesson.out / "torn.csv", index=False)
refused(check_images, load(lesson.out / "torn.csv"), progress=False)
print(
    "and the set itself:",
    len(check_images(replace(records, pixels=None), strict=False, progress=False)),
    "pictures cannot be read",
)

# %% [markdown]
# **Exercise 21-warmup.** Three of the rules of a table, by hand: which rows of a manifest must be refused?

# %%
lesson.exercise("21-warmup")


def my_faulty_rows(paths, identities, splits):
    """Row numbers: a path twice, no identity, or an identity on both sides of the split."""
    # your lines here


faulty_rows = lesson.attempt("21-warmup", my_faulty_rows)
faulty_rows(leak["file"].tolist(), leak["who"].tolist(), leak["split"].tolist())[:5]

# %%
lesson.solution("21-warmup")

# %% [markdown]
# ## 2 · What is an identity here, and what is a camera?
#
# Look first. Each row below is one identity, each column one camera.

# %%
train = records.train
some = np.unique(train.identity)[:: max(1, len(np.unique(train.identity)) // 5)][:5]
rows = [np.flatnonzero(train.identity == who)[:10] for who in some]
display(contact_sheet(train, np.concatenate(rows), columns=10))
camera_histogram(records)

# %% [markdown]
# An **identity** is what must be found again: two pictures either share it or not. A **camera** is the circumstance that
# makes pictures alike *although they show something else*: a lens and its place, a drawer's hand, a scanner, a day, a
# clinic. Both are decisions, not facts. Three questions show when the answer makes no sense:
#
# 1. *Is every identity seen by several cameras?* If not, a search across cameras has no answer for it.
# 2. *Do identity and camera hang together?* $I(\mathrm{identity};\mathrm{camera})$ says how much one tells about the other, 0 if nothing. Then a network may
#    learn the camera and look as if it knew the identity.
# 3. *Are cameras of one name one thing?* Drawer 03 of one alphabet is **not** drawer 03 of the next: other people drew it.
#    Two sites whose cameras are both numbered from 1 are the same trap.

# %%
question = "Name cameras by site and number, not by number alone. What does I(identity; camera) do?"
lesson.predict("sites", question, choices=["it falls", "it stays", "it rises"])

# %%
frame = records.frame[records.identity > 0]
site = frame["alphabet"] if "alphabet" in frame else (frame["identity"] % 2).map("site {}".format)
named = {
    "number alone": frame["camera"].astype(str),
    "site and number": site + "/" + frame["camera"].astype(str),
}
rows = []
for cameras in named.values():
    seen = cameras.groupby(frame["identity"]).nunique()
    told = mutual_information(frame["identity"], cameras)
    row = {"cameras": cameras.nunique(), "identities seen by one camera only": int((seen == 1).sum())}
    row["pictures of an identity in a camera"] = Counter(zip(frame["identity"], cameras)).most_common(1)[0][1]
    rows.append(row | {"I(identity; camera), nats": float(told), "by chance": told.chance})
told = pd.DataFrame(rows, index=list(named))
told.round(2)

# %%
change = told["I(identity; camera), nats"].diff().iloc[-1]
outcome = "it rises" if change > 0.01 else "it falls" if change < -0.01 else "it stays"
why = f"by {change:.2f} nats; ln({site.nunique()} sites) = {np.log(site.nunique()):.2f}. An identity lives at one site, so a true camera name tells the site. "
why += "A gauge of camera information is read against this floor, never against zero."
lesson.reveal("sites", outcome, tell=why)
floors = told["I(identity; camera), nats"].round(6)
lesson.record("camera_floor_number", floors.iloc[0], "nats")
lesson.record("camera_floor_site_and_number", floors.iloc[1], "nats")

# %% [markdown]
# If there is **no** circumstance that repeats (every picture from another phone), there is no camera: leave the column out,
# use protocol `no-camera`, and say so. Do not invent one camera a picture: it would make every removal empty and every
# leakage gauge perfect.

# %% [markdown]
# ## 3 · Features, a short training, and a search across cameras
#
# The pictures go into memory at the size that the network sees. A quarter of the training identities keeps its labels; the
# others will be used without them in section 5.

# %%
size = (side, side) if archives else stages.profile(profile).size


def at_size(path: str) -> np.ndarray:
    """uint8 (H, W, 3): one picture, resized."""
    return np.asarray(decode(path).resize(size[::-1], resample=3))


small = replace(records, pixels=np.stack([at_size(path) for path in records.paths]))
train, query, gallery = small.train, small.query, small.gallery
people = np.random.default_rng(seed).permutation(np.unique(train.identity[train.identity > 0]))
known = people[: max(8, len(people) // 4)]
labelled = train.take(np.isin(train.identity, known))
print(
    f"{len(labelled)} of {len(train)} training pictures are labelled: {len(known)} of {len(people)} identities"
)

# %% [markdown]
# An untrained network is the honest zero: whatever it finds, a random function of pixels finds. Then the shortest training
# there is: identity loss and triplet loss (lesson 03) on the labelled quarter. It writes a **capsule**, a folder with all
# that happened and no picture in it. One choice is about *your* pictures: the view `weak` mirrors half of them. A mirrored
# person is that person; a mirrored letter may be another letter. Run it once with `view = "none"`.

# %%
schedule = Schedule(epochs=epochs, steps=steps, identities=8, instances=4, size=size, learning_rate=3e-3)
schedule = replace(schedule, milestones=(3 * epochs // 5,) if epochs > 2 else ())
runs = lesson.out / "runs" / records.name.replace(" ", "_")
supervised = SourcePretraining(
    build_embedder("tiny", seed=seed),
    labelled.class_labels(),
    Supervised(view=view, centre_weight=0.0),
    seed=seed,
)
untrained = copy.deepcopy(supervised.embedder)
judge = judge_on(small, size=size, protocol=protocol)
first_run = fit(
    supervised,
    labelled,
    schedule=schedule,
    out=runs / f"supervised-{view}",
    seed=seed,
    judge=judge,
    progress=False,
)
first_run.scores[["epoch", "mean_ap", "rank1", "mean_inp"]].round(3)


# %%
def search(network, asked=query, among=gallery) -> np.ndarray:
    """(Q, G), 1 - cosine of the features."""
    sides = (extract(network.embed, part.blind(), size=size, progress=False) for part in (asked, among))
    return cosine_distance(*sides)


def scores(distance, protocol=protocol, asked=query, among=gallery):
    """The ranking's scores under a named protocol."""
    truth = asked.identity, among.identity, asked.camera, among.camera
    return evaluate_ranking(distance, *truth, protocol=protocol)


# %%
question = "`market` removes the query's identity in the query's camera. Against `no-camera`, its mAP here is"
lesson.predict("protocol", question, choices=["lower", "equal", "higher"])

# %%
networks = {"untrained": untrained, "a quarter labelled": supervised.embedder}
distances = {name: search(network) for name, network in networks.items()}
table = {
    (name, protocol): pd.Series({"mAP": found.mean_ap, "rank-1": found.rank(1), "queries": found.answered})
    for name, d in distances.items()
    for protocol in PROTOCOLS
    for found in [scores(d, protocol)]
}
table = pd.DataFrame(table).T
table.round(3)

# %%
trained = table.loc["a quarter labelled"]["mAP"]
gap = trained["no-camera"] - trained["market"]
outcome = "equal" if abs(gap) < 1e-9 else "higher" if gap < 0 else "lower"
twice = Counter(zip(gallery.identity, gallery.camera))
removable = sum((who, camera) in twice for who, camera in zip(query.identity, query.camera))
why = f"{removable} of {len(query)} queries have a picture to remove. "
why += "Where a camera sees an identity once, the two protocols are one; where it films, `no-camera` counts the next frame."
lesson.reveal("protocol", outcome, tell=why)
for name in networks:
    lesson.record("map_" + name.replace(" ", "_"), table.loc[name, protocol]["mAP"], "fraction", "higher")
if not one_camera:
    lesson.record("protocol_gap_map", gap, "fraction")

# %% [markdown]
# Look at single searches, the worst first. What do the wrong answers share with the query: the identity's shape, or the
# camera's hand?

# %%
distance = distances["a quarter labelled"]
lesson.show(QueryExplorer(distance, records.query, records.gallery, protocol=protocol, top=9))

# %% [markdown]
# ## 4 · One threshold
#
# A ranking always has a first place, even when nobody in the gallery is the one. To *decide*, you need a threshold $t$: at
# most $t$ apart means "the same". It errs in two ways, each with its own group of pairs, all across cameras:
#
# * **false match rate** $\mathrm{FMR}(t)$: the share of pairs of *different* identities that are called the same;
# * **false non-match rate** $\mathrm{FNMR}(t)$: the share of pairs of *one* identity that are not.
#
# In a gallery of $G$ strangers, one search raises $G \cdot \mathrm{FMR}$ false alarms: 1 % of 10,000 is a hundred people.
#
# **Exercise 21-core.** Both rates at one threshold.

# %%
lesson.exercise("21-core")


def my_error_rates(distance, same_identity, same_camera, threshold):
    """(false match rate, false non-match rate), pairs of one camera left out."""
    # your lines here


error_rates = lesson.attempt("21-core", my_error_rates)

# %%
lesson.solution("21-core")

# %% [markdown]
# Choose $t$ on **half** of the test identities and look at it on the **other half**: a threshold that is judged by the pairs
# it was chosen from flatters itself. `calibrate_threshold` takes what you have, distances, identities and cameras, and
# returns the largest threshold that keeps to the false match rate you allow.

# %%
tested = np.random.default_rng(seed).permutation(np.unique(query.identity[query.identity > 0]))
halves = dict(zip(("chosen on", "checked on"), np.array_split(tested, 2)))
allowed = 0.01


def calibrated(names):
    """The calibration on these identities alone."""
    q, g = np.isin(query.identity, names), np.isin(gallery.identity, names)
    cameras = () if one_camera else (query.camera[q], gallery.camera[g])
    sides = query.identity[q], gallery.identity[g], *cameras
    return calibrate_threshold(distance[np.ix_(q, g)], *sides, allowed=allowed, seed=seed)


found = {half: calibrated(names) for half, names in halves.items()}
chosen_on = found["chosen on"]
print(chosen_on.describe())

# %% [markdown]
# Does your own function agree? The same half, the same threshold, one pair after the other.

# %%
q, g = (np.isin(side.identity, halves["chosen on"]) for side in (query, gallery))
same = query.identity[q][:, None] == gallery.identity[g]
camera = (query.camera[q][:, None] == gallery.camera[g]) & (not one_camera)
by_hand = error_rates(
    distance[np.ix_(q, g)].ravel(), same.ravel(), camera.ravel(), float(chosen_on.threshold)
)
here = chosen_on.at(chosen_on.threshold)
assert np.allclose(by_hand, here[["false_match", "false_non_match"]].astype(float))
dict(zip(("false match", "false non-match"), np.round(by_hand, 4).tolist()))

# %%
question = (
    f"False matches were held to 1 % on {len(halves['chosen on'])} identities. And on the others, in percent?"
)
lesson.predict("others", question, between=(0, 5), unit="%")

# %% [markdown]
# How sure is such a curve? Not as sure as the number of pairs suggests: all pairs of one identity stand and fall together.
# So **identities** are drawn with repetition, not pairs, and the curve of each draw is computed. The band holds 95 % of them.


# %%
def draw_rates(axes) -> None:
    """Both errors over the threshold, with their bands."""
    rates = chosen_on.rates
    kinds = (("false_match", VERMILLION, "--"), ("false_non_match", BLUE, "-"))
    for kind, colour, line in kinds:
        low, high = rates[f"{kind}_low"], rates[f"{kind}_high"]
        axes.fill_between(rates["threshold"], low, high, color=colour, alpha=0.25, lw=0)
        axes.plot(rates["threshold"], rates[kind], color=colour, ls=line, label=kind.replace("_", " "))
    axes.axvline(chosen_on.threshold, color=BLACK, lw=1, ls=":", label="chosen threshold")
    axes.set(xlabel="threshold t on the distance", ylabel="error rate")
    axes.set(title="half of the identities, 95 % band")
    axes.legend(fontsize=8)


# %%
def draw_trade(axes) -> None:
    """One error against the other, on both halves."""
    for half, colour, line in (("chosen on", BLACK, "-"), ("checked on", ORANGE, "--")):
        rates = found[half].rates
        axes.plot(
            rates["false_match"],
            rates["false_non_match"],
            color=colour,
            ls=line,
            label=f"identities it was {half}",
        )
    axes.axvline(allowed, color=GREY, lw=1, ls=":")
    axes.set(xscale="log", xlabel="false match rate", ylabel="false non-match rate", ylim=(0, 1.02))
    axes.set(title="the trade", xlim=(2e-3, 1))
    axes.legend(fontsize=8, loc="lower left")


# %%
figure = new_figure(9.2, 3.4)
for axes, draw in zip(figure.subplots(1, 2), (draw_rates, draw_trade)):
    draw(axes)
there = found["checked on"].at(chosen_on.threshold)
fm, fnm = there["false_match"], there["false_non_match"]
alt = f"Error rates against the threshold, and against each other. At t = {chosen_on.threshold:.3f}: false match "
alt += f"{here['false_match']:.1%} and false non-match {here['false_non_match']:.0%} on the identities it was chosen on, "
lesson.figure(figure, f"{alt}{fm:.1%} and {fnm:.0%} on the others.")

# %%
low, high = here["false_match_low"], here["false_match_high"]
by_pairs = 2 * 1.96 * np.sqrt(allowed * (1 - allowed) / chosen_on.strangers)
wider = (high - low) / by_pairs
why = f"The band over identities went from {low:.1%} to {high:.1%} ({'it holds' if low <= fm <= high else 'outside'}); "
why += f"it is {wider:.1f} times as wide as one that takes every pair for a new observation. "
why += "Being safe costs: bound='upper' chooses t where the upper end of the band meets what you allow."
lesson.reveal("others", 100 * fm, tell=why)
lesson.record("threshold", chosen_on.threshold, "cosine distance")
lesson.record("false_match_other_half", fm, "fraction", "lower")
lesson.record("false_non_match_other_half", fnm, "fraction", "lower")
lesson.record("band_over_identities_against_pairs", wider, "times")

# %% [markdown]
# ## 5 · Without labels: clusters, their diagnosis, a run
#
# Now forget the labels of all training pictures. The graph of reciprocal neighbours (lesson 05) is cut into clusters
# (lesson 06); `diagnose` reads them. *Lost* and *F* need the truth, which you will not have at home; the others do not. An
# alarm is a reason to look, no verdict: *fewer clusters than twice the cameras* was made for a few cameras, and twenty
# drawers let it ring on labels that are perfect. Camera information may lie *below* chance, too: where every drawer drew
# every character once, good clusters mix the drawers more evenly than chance does.

# %%
features = extract(supervised.embedder.embed, train.blind(), size=size, progress=False).unit()
graph = jaccard_graph(features.matrix, k1=12, k2=4)
rows = {}
for radius in (0.3, 0.4, 0.5, 0.6, 0.7):
    found = diagnose(dbscan(graph, radius), train.camera, identities=train.identity, permutations=5)
    ring = found.alarms.loc[found.alarms["rings"], "alarm"]
    row = {name: int(found.score(name)) for name in ("clusters", "outliers", "lost")}
    row["camera information above chance, bits"] = found.score("excess_leakage")
    row["F across cameras"] = found.score("f1", pairs="all" if one_camera else "cross-camera")
    rows[radius] = row | {"alarms": "; ".join(ring) or "none"}
pd.DataFrame(rows).T.rename_axis("eps")

# %% [markdown]
# In Lab, turn the radius yourself: labels, counts and pictures follow.

# %%
lesson.show(EpsExplorer(graph, train.camera, train.identity, table=records.train, eps=eps))

# %%
question = f"At eps {eps}: how many pairs of a cluster, from two cameras, show one identity? In percent."
lesson.predict("precision", question, between=(0, 100), unit="%")

# %%
labels = dbscan(graph, eps)
diagnosis = diagnose(labels, train.camera, identities=train.identity, features=features.matrix, graph=graph)
print(diagnosis.describe())
lesson.show(ClusterGallery(diagnosis, records.train, rows=3, across=12))
diagnosis.alarms[["alarm", "rings", "found"]]

# %%
lesson.show(EmbeddingMap(diagnosis, records.train).set(colour="camera"))

# %% [markdown]
# **Labels of another code base** need no network of ours. People have features in a `.mat` (as layumi's `gallery_f`), an
# `.npy` or a `.pth`, and labels in a table with names of its own. `diagnose_files`, or `reidkit diagnose` on the command line,
# reads them, says which column it took for what, and refuses what does not fit. Here the same labels go out and come back.

# %%
dump = {"gallery_f": features.matrix, "gallery_label": train.identity, "gallery_cam": train.camera}
savemat(lesson.out / "features.mat", dump)
theirs = pd.DataFrame({"img_path": train.paths, "y_hat": labels, "lens": train.camera})
theirs.to_csv(lesson.out / "labels.csv", index=False)
names = {"labels": "y_hat", "cameras": "lens"}
read = diagnose_files(lesson.out / "labels.csv", features=lesson.out / "features.mat", columns=names)
assert np.array_equal(read.labelling.label, diagnosis.labelling.label)
refused(diagnose_files, lesson.out / "labels.csv", columns={"labels": "yhat", "cameras": "lens"})
page = read.report(lesson.out / "report.html", title=f"{records.name}: labels of another code base")
print(read.describe())
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB, one page that opens without a network")

# %% [markdown]
# At home you have no truth, but you have eyes. An **audit**: draw pairs that a cluster put together, within and across
# cameras, and judge them one by one. Here are the first across cameras; then the truth plays your eyes for all of them.

# %%
sample = audit_sample(diagnosis, 90, seed=seed)
seen_same = train.identity[sample["image_a"]] == train.identity[sample["image_b"]]
stratum = "same-camera" if one_camera else "cross-camera"
asked = (sample["stratum"] == stratum).to_numpy()
audited, right = int(asked.sum()), int(seen_same[asked].sum())
shown = sample.loc[asked, ["image_a", "image_b"]].to_numpy()[:12].ravel()
captions = [f"pair {n // 2 + 1}{'ab'[n % 2]}" for n in range(len(shown))]
display(contact_sheet(records.train, shown, columns=12, captions=captions))
print(f"{right} of {audited} audited pairs ({stratum}) show one identity")
audit_result(sample, seen_same).round(3)

# %% [markdown]
# **Exercise 21-stretch.** A sample of pairs is not all pairs. Give the audit an interval that is right even when every pair was.

# %%
lesson.exercise("21-stretch")


def my_interval(right, judged, z):
    """(low, high): the shares p for which (right / judged - p)^2 <= z^2 p (1 - p) / judged."""
    # your lines here


interval = lesson.attempt("21-stretch", my_interval)
low_end, high_end = interval(right, audited, 1.96)
print(f"the precision lies between {low_end:.0%} and {high_end:.0%}, says the audit")

# %%
lesson.solution("21-stretch")

# %%
exact = diagnosis.score("precision", pairs="all" if one_camera else "cross-camera")
why = f"The audit said {low_end:.0%} to {high_end:.0%}, from {audited} pairs and no label."
lesson.reveal("precision", 100 * exact, tell=why)
lesson.record("audit_low", low_end, "fraction")
lesson.record("audit_high", high_end, "fraction")
lesson.record("pair_precision_across_cameras", exact, "fraction", "higher")
lesson.record("clusters", diagnosis.score("clusters"), "clusters")
lesson.record("identities_lost", diagnosis.score("lost"), "identities", "lower")

# %% [markdown]
# Good enough to learn from? Train on the clusters, label again, train again: the loop of lesson 06, on every training
# picture and none of their labels.

# %%
question = "After training on its own clusters, mAP on the test identities is"
lesson.predict("adapt", question, choices=["lower", "within one point", "higher"])

# %%
recipe = Clusters(eps=eps, k1=12, k2=4, variant="index")
adapted = ClusterAndFinetune(copy.deepcopy(supervised.embedder), recipe, seed=seed)
adapted.views = (view,)
more = replace(
    schedule,
    epochs=max(2, epochs - 1),
    steps=steps,
    identities=8 if profile == "smoke" else 16,
    milestones=(),
)
capsule = fit(
    adapted, train, schedule=more, out=runs / f"adapted-{view}-{eps}", seed=seed, judge=judge, progress=False
)
lesson.show(RunHistory.from_capsule(capsule))

# %%
before, after = trained[protocol], float(capsule.scores["mean_ap"].iloc[-1])
outcome = "higher" if after > before + 0.01 else "lower" if after < before - 0.01 else "within one point"
why = f"{before:.3f} before, {after:.3f} after. New pictures help and wrong clusters hurt; which of them wins on your data, "
why += "only a labelled test set can say."
lesson.reveal("adapt", outcome, tell=why)
lesson.record("map_adapted", after, "fraction", "higher")
stored = [
    path for path in sorted(capsule.folder.rglob("*.*")) if path.suffix in (".json", ".npz", ".parquet")
]
stored = [path for path in stored if "checkpoints" not in path.parts]
sizes = pd.Series(
    {str(path.relative_to(capsule.folder)): path.stat().st_size for path in stored}, name="bytes"
)
lesson.record("capsule_kilobytes", round(sizes.sum() / 1000), "kB")
sizes.to_frame()

# %% [markdown]
# ## 6 · Where it breaks
#
# Nothing crashes in this section. Three dials are turned, each a thing that happens in real folders, and the numbers go
# wrong without a word:
#
# * **confused order**: features were stored in *text* order (`1, 10, 100, 11, …`), the table is in number order;
# * **second shots**: a share of the queries has a near-copy by its own camera in the gallery, and the camera column is lost;
# * **cameras merged**: several cameras share one number, at last all of them.

# %%
question = "The gallery's features are joined in text order. How much of mAP is left, in percent of before?"
lesson.predict("order", question, between=(0, 100), unit="%")


# %%
def confused(rows: int) -> float:
    """mAP when the first `rows` features of a shuffled gallery were stored by their names, sorted as text."""
    mixed = np.random.default_rng(seed).permutation(len(gallery))
    by_name = np.array(sorted(range(rows), key=lambda row: str(row + 1)), int)
    taken = mixed.copy()
    taken[:rows] = mixed[by_name]
    return scores(distance[:, taken], among=gallery.take(mixed)).mean_ap


counts = sorted({9, 15, 40, 100, len(gallery) // 4, len(gallery) // 2, len(gallery)})
order = pd.Series({n / len(gallery): confused(n) for n in counts if n <= len(gallery)})

noise = np.random.default_rng(seed).normal(0, 5, query.pixels.shape)  # the same picture with other noise
shot = replace(query, pixels=np.clip(query.pixels + noise, 0, 255).astype(np.uint8))
copies = search(supervised.embedder, query, shot)


# %%
def with_second_shots(share: float) -> dict[str, float]:
    """Rank-1 under two protocols when a share of the queries has a near-copy in the gallery, by its own camera."""
    extra = np.random.default_rng(seed).permutation(len(query))[: round(share * len(query))]
    who = np.concatenate([gallery.identity, query.identity[extra]])
    where = np.concatenate([gallery.camera, query.camera[extra]])
    joined = np.concatenate([distance, copies[:, extra]], axis=1)
    sides = query.identity, who, query.camera, where
    ways = ("market", "no-camera")
    return {way: evaluate_ranking(joined, *sides, protocol=way).rank(1) for way in ways}


# %%
def with_merged_cameras(numbers: int) -> dict[str, float]:
    """Scores by `market` when cameras share so many numbers."""
    sides = query.identity, gallery.identity, query.camera % numbers, gallery.camera % numbers
    found = evaluate_ranking(distance, *sides)
    return {"mAP of those": found.mean_ap, "queries answered": found.answered / len(query)}


second = pd.DataFrame({share: with_second_shots(share) for share in (0.0, 0.1, 0.25, 0.5, 1.0)}).T
left_over = sorted({n for n in (small.num_cameras, 10, 5, 3, 2, 1) if n <= small.num_cameras}, reverse=True)
merged = pd.DataFrame({numbers: with_merged_cameras(numbers) for numbers in left_over}).T
display(order.round(3).rename_axis("share confused").to_frame("mAP").T)
display(second.rename_axis("share shot twice").round(3).T, merged.rename_axis("camera numbers").round(3).T)

# %%
figure = new_figure(10.5, 3.1)
panels = figure.subplots(1, 3)
panels[0].plot(order.index, order, color=VERMILLION, marker="o")
panels[0].set(
    xlabel="share of the gallery in text order", ylabel="mAP", title="confused order", ylim=(0, None)
)
kinds = ((second, ("no-camera", "market")), (merged, ("queries answered", "mAP of those")))
for axes, (dial, names) in zip(panels[1:], kinds):
    for name, colour, line, marker in zip(names, (VERMILLION, BLUE), ("--", "-"), "so"):
        axes.plot(range(len(dial)), dial[name], color=colour, ls=line, marker=marker, label=name)
    axes.set_xticks(range(len(dial)), [f"{value:g}" for value in dial.index])
    axes.set_ylim(-0.02, 1.05)
    axes.legend(fontsize=8, loc=(0.03, 0.62))
panels[1].set(xlabel="share of queries with a second shot", ylabel="rank-1", title="second shots")
panels[2].set(xlabel="camera numbers left", title="cameras merged")
alt = f"mAP falls from {order.iloc[0]:.2f} to {order.iloc[-1]:.2f} as the order is confused. With second shots and no camera "
alt += f"known, rank-1 goes from {second['no-camera'].iloc[0]:.2f} to {second['no-camera'].iloc[-1]:.2f}. With one camera "
alt += f"number, {merged['queries answered'].iloc[-1]:.0%} of the queries can be answered."
lesson.figure(figure, alt)

# %%
rest = 100 * order.iloc[-1] / order.iloc[0]
why = "Half confused looks like a mediocre network, and nobody looks for a bug in a mediocre network. "
why += "Join by name, never by row."
lesson.reveal("order", rest, tell=why)
gained = second["no-camera"].iloc[-1] - second["no-camera"].iloc[0]
lesson.record("map_left_after_confused_order", rest / 100, "fraction")
lesson.record("rank1_gained_by_second_shots", gained, "fraction")
lesson.record("queries_answered_with_one_camera", merged["queries answered"].iloc[-1], "fraction")

# %% [markdown]
# ## 7 · The card, the checklist, and what to keep
#
# A data set without a card is a rumour. What a program can count, it writes; what only a person can say is left open, and
# the number of open lines is part of the result.

# %%
many = ", ".join(f"{count:,} {split}" for split, count in records.frame["split"].value_counts().items())
FACTS = {
    "Pictures": f"{len(records):,} ({many}); every file was decoded",
    "Identities": f"{len(set(records.identity[records.identity > 0]))}; train and test share none",
    "Cameras": f"{records.num_cameras}; I(identity; camera) {told['I(identity; camera), nats'].iloc[0]:.2f} nats",
    "Protocol": f"{protocol}; {removable} of {len(query)} queries have something to remove",
    "Baseline": f"mAP {table.loc['untrained', protocol]['mAP']:.3f} untrained, {before:.3f} with a quarter labelled",
}
ASKED = """Who made it, when, and what for
What is an identity, what is a camera, and who decided
Did those who are in it, or made it, agree, and to what
Licence, and whether the owner still offers it
Who or what is missing from it
What it must not be used for
How somebody is taken out, and who is asked
Where it lies, who may read it, and when it is deleted""".splitlines()

# %%
KNOWN = {
    0: "Lake, Salakhutdinov and Tenenbaum, 2015, for learning characters from one example",
    1: "the character and its drawer; drawer numbers begin anew in each alphabet (this lesson)",
    3: "MIT, at github.com/brendenlake/omniglot; look whether it is still there",
}
said = KNOWN if archives else {}
lines = [f"# {records.name}", *(f"* **{key}**: {value}" for key, value in FACTS.items())]
lines += [f"* **{key}?** {said.get(number, '(open)')}" for number, key in enumerate(ASKED)]
(lesson.out / "DATA_CARD.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
lesson.record("card_lines_open", sum("(open)" in line for line in lines), "lines", "lower")
Markdown("\n".join(lines))

# %% [markdown]
# **May I use this data?** Go down the list and stop at the first *no*.
#
# | question | if not |
# |---|---|
# | Is it still offered by its owner, under terms that I have read? | Stop. A mirror is no permission; DukeMTMC was withdrawn, whatever can still be found. |
# | Did the people in it know, and agree to *this* purpose? | Stop, or ask them. That a street is public does not make a gait or a face free. |
# | Is it needed: would rendered people, or no people at all, not do as well? | Use those. |
# | Can somebody be taken out again, features and runs included? | Plan that first; embeddings are personal data as well. |
# | Do I know who sees pictures, tables and notebooks of it? | Keep `REIDKIT_PHOTOGRAPHS` off, and the outputs out of the repository. |
# | Would a false match be harmless? | Report rates *by camera pair and by group*, and let no threshold decide alone. |
# | Is the card written? | Write it before the first result leaves the room. |
#
# **What to keep**
#
# 1. One table, checked once at the door; a refusal names the row, the rule and the next action.
# 2. Identity and camera are decisions. Ask who is seen by one camera only, and how much one tells about the other.
# 3. `market` needs a camera column that is true; without one say `no-camera`, and look for second shots first.
# 4. Choose a threshold on some identities, check it on others, and draw the band over identities, not over pairs.
# 5. Without truth you still have alarms, an audit with an interval, and a capsule that others can replay.

# %% [markdown]
# **Four questions.** Answer before you open.
#
# <details><summary>1. All pictures come from one camera. Which protocol, and what may you claim?</summary>
# `no-camera`, after near-copies are gone; you may claim nothing about a search across cameras.</details>
#
# <details><summary>2. FMR is 0.1 % and the gallery holds 50,000 strangers. How many false alarms does a search raise?</summary>
# About 50. A threshold that sounds strict is not, when the gallery is large.</details>
#
# <details><summary>3. An audit found 30 of 30 pairs right. Is the precision 100 %?</summary>
# Wilson's interval at 95 % reaches down to about 89 %: one wrong pair in nine would still be no surprise.</details>
#
# <details><summary>4. A colleague's mAP on your table is exactly chance. Where do you look first?</summary>
# At the join of features and table: names sorted as text, a list shuffled on one side only, or a missing file.</details>

# %% [markdown]
# Back to [06 · From graph to pseudo-labels](06_first_adaptation.ipynb) with your own records in hand: every cell there
# takes them.
