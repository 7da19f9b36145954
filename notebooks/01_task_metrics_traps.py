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
# # 01 · The task, its metrics and its traps
#
# A camera saw somebody. Which of the other cameras' pictures show the same person? That is **person re-identification**:
# a search, by a picture, among pictures of people that the system was never trained on.
#
# In this lesson you do such a search by hand, turn it into numbers, and then watch the numbers lie in four ways.
# Run the cells from top to bottom; nothing is downloaded and every person here is synthetic.

# %% tags=["parameters"]
profile: str = "demo"  # "smoke" (seconds), "demo" (minutes), "full" (a GPU)
seed: int = 0  # which trained network section 5 uses
out: str = ""  # folder for files; empty: runs/01_task_metrics_traps/...
camera_gaps: list = [0.0, 0.5, 1.0, 2.0]  # the dial of section 6

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from reidkit import stages
from reidkit.diagnose import ranking
from reidkit.evaluate import PROTOCOLS, camera_pair_scores, evaluate_ranking
from reidkit.features import extract
from reidkit.lesson import Lesson
from reidkit.show import QueryExplorer, cmc_curve, contact_sheet
from reidkit.show.palette import BLUE, GREY, VERMILLION
from reidkit.show.picture import new_figure
from reidkit.world import PRESETS, make_world

lesson = Lesson.open("01", profile=profile, seed=seed, out=out)
lesson.setup()
lesson.card()

# %% [markdown]
# ## 1 · A search that fits on one page
#
# Four people walk past three cameras. Each camera keeps two pictures of each passage: one becomes a **query** (what you
# search with), the other goes into the **gallery** (what you search in), and so does everything else that the detector
# cut out. Under each picture stands *identity · camera*. Two identities are special: **0** is a *distractor*, somebody
# nobody asks for; **-1** is *junk*, a box so bad that it should count neither for nor against anyone.

# %%
few = replace(PRESETS["twelve"], frames=2, visits=2.0, distractors=0.2, junk=0.15)
page = make_world(few, seed=0)
query, gallery = page.query, page.gallery
display(contact_sheet(page, np.arange(len(page)), columns=12))
page.summary().drop(index="train")

# %% [markdown]
# To search, each picture becomes a vector, its **embedding**, and pictures are compared by the distance of their vectors.
# Any function from pictures to vectors will do. Here is one without any learning: the mean colour of eight horizontal
# stripes, which says "red above, blue below" and nothing else.


# %%
def stripes(images: torch.Tensor, bands: int = 8) -> torch.Tensor:
    """(B, 3, H, W) -> (B, 3 * bands): the mean colour of each horizontal band."""
    return torch.nn.functional.adaptive_avg_pool2d(images, (bands, 1)).flatten(1)


def distances(embed, query, gallery, size=(64, 32)):
    """(Q, G), 1 - cosine of the embeddings of two tables: 0 is the same direction, 2 the opposite."""
    sides = (extract(embed, t.blind(), size=size, progress=False) for t in (query, gallery))
    q, g = (features.unit().matrix for features in sides)
    return 1 - q @ g.T


distance = distances(stripes, query, gallery)
distance.shape

# %%
answers = ["same person, same camera", "same person, another camera"]
answers += ["somebody else, same camera", "somebody else, another camera"]
question = "The first query is person 1. By colours alone, who is nearest to it in the gallery?"
lesson.predict("nearest", question, choices=answers)

# %%
lesson.show(QueryExplorer(distance, query, gallery, protocol="no-camera", order="as given", top=9))

# %%
first = np.argmin(distance[0])
person = gallery.identity[first] == query.identity[0]
camera = gallery.camera[first] == query.camera[0]
why = "Two pictures of one passage share light, wall and pose; colours see all of that."
lesson.reveal("nearest", answers[(0 if camera else 1) + (0 if person else 2)], tell=why)

# %% [markdown]
# ## 2 · From a ranking to a number
#
# Sort the gallery by distance, cross out what must not count (section 3), and mark each entry right or wrong. Let
# $R = \{r_1 < r_2 < \dots < r_n\}$ be the ranks, from 1, of the $n$ right ones.
#
# * **CMC at rank k**: is there a right one among the first $k$, that is $r_1 \le k$? Averaged over queries: rank-1, rank-5, …
# * **Average precision**: $\mathrm{AP} = \frac{1}{n} \sum_{j=1}^{n} \frac{j}{r_j}$, the precision at each right entry, averaged. Its mean over queries is **mAP**.
# * **Inverse negative penalty**: $\mathrm{INP} = \frac{n}{r_n}$. How far must you read to find *all* of them? Its mean is **mINP**.
#
# By hand: after crossing out, a ranking reads *wrong, right, right, wrong*. So $R = \{2, 3\}$, rank-1 is 0, rank-2 is 1,
# $\mathrm{AP} = \frac{1}{2}(\frac{1}{2} + \frac{2}{3}) = \frac{7}{12} \approx 0.583$ and $\mathrm{INP} = \frac{2}{3}$.

# %%
correct = np.array([False, True, True, False])
precision = np.cumsum(correct) / np.arange(1, 5)
figure = new_figure(4.6, 2.4)
axes = figure.subplots()
axes.bar(np.arange(1, 5), precision, color=[BLUE if right else GREY for right in correct])
axes.axhline(precision[correct].mean(), color=VERMILLION, ls="--", label="AP, the mean of the blue bars")
axes.set(xlabel="rank", ylabel="precision so far", xticks=range(1, 5), ylim=(0, 1))
axes.legend(fontsize=8)
alt = "Precision after each rank of the ranking wrong, right, right, wrong: 0, 1/2, 2/3, 1/2. "
lesson.figure(figure, alt + "AP is the mean at the two right ranks, 0.583.")

# %% [markdown]
# **Exercise 01-warmup.** Write it: from a ranking (True where right) to its AP. A ranking without a right entry has no AP;
# return `nan`. You may also leave it: the lesson then goes on with the library's function.

# %%
lesson.exercise("01-warmup")


def my_average_precision(correct: np.ndarray) -> float:
    """Precision at each right rank, averaged; nan without a right entry."""
    # your lines here


average_precision = lesson.attempt("01-warmup", my_average_precision)
average_precision(correct)

# %%
lesson.solution("01-warmup")

# %% [markdown]
# All three figures from one ranking (the hardest query of our page), and below the same sum in the library. For large
# galleries `evaluate_ranking` counts instead of sorting; the cell checks that it agrees.


# %%
def figures_of(correct: np.ndarray) -> dict:
    """CMC at rank 1, AP and INP of one ranking with a right entry."""
    ranks = np.flatnonzero(correct) + 1
    j = np.arange(1, len(ranks) + 1)
    return {
        "rank-1": float(ranks[0] <= 1),
        "AP": float(np.mean(j / ranks)),
        "INP": float(len(ranks) / ranks[-1]),
    }


lesson.source(ranking.average_precision)
everything = evaluate_ranking(distance, query.identity, gallery.identity, protocol="no-camera")
counted = gallery.identity != -1  # junk is crossed out under every protocol
hardest = int(np.argmin(everything.average_precision))
order = np.argsort(distance[hardest][counted], kind="stable")
by_hand = figures_of((gallery.identity[counted] == query.identity[hardest])[order])
assert np.isclose(by_hand["AP"], everything.average_precision[hardest])
by_hand

# %% [markdown]
# ## 3 · The easiest match of all
#
# In the ranking above, one image is almost a copy of the query: the same person a second later in the same camera.
# Finding it proves nothing, since re-identification is about *other* cameras. So the **Market-1501 protocol** crosses out
# gallery images that show the query's person in the query's camera. Distractors stay, junk goes. What if you forget?

# %%
question = "Nothing but junk is crossed out. What is rank-1 on our page, in percent?"
lesson.predict("forget", question, between=(0, 100), unit="%")


# %%
def scores(distance, query, gallery, **options):
    """The four figures of a search."""
    sides = query.identity, gallery.identity, query.camera, gallery.camera
    found = evaluate_ranking(distance, *sides, **options)
    four = found.rank(1), found.mean_ap, found.mean_inp, found.answered
    return pd.Series(four, ["rank-1", "mAP", "mINP", "queries"])


table = pd.DataFrame({name: scores(distance, query, gallery, protocol=name) for name in PROTOCOLS})
table.T.astype({"queries": int}).round(3)

# %%
why = f"The copy from the query's own camera wins. By `market`: {table['market']['rank-1']:.0%}."
lesson.reveal("forget", 100 * table["no-camera"]["rank-1"], tell=why)
lesson.record("page_rank1_market", table["market"]["rank-1"], "fraction")
lesson.record("page_rank1_no_camera", table["no-camera"]["rank-1"], "fraction")

# %% [markdown]
# Three named protocols, three different numbers from the same distances:
#
# | protocol | crossed out besides junk | where you meet it |
# |---|---|---|
# | `market` | the query's person in the query's camera | the public programs behind most tables |
# | `literal-camera` | everybody in the query's camera | what some papers' text says |
# | `no-camera` | nothing | data without camera numbers, and bugs |
#
# By hand (CHK-0.2): the query is person 1 in camera 0, the gallery in order *(1,0) (3,0) (1,1) (2,1) (1,2)*, each (person, camera).
# `market` crosses out the first: wrong, right, wrong, right, so AP = (1/2 + 2/4) / 2 = **0.5**, rank-1 = 0.
# `literal-camera` also crosses out *(3,0)*: right, wrong, right, so AP = (1 + 2/3) / 2 = **0.833**, rank-1 = 1.
# A stranger who stands before the same wall as the query is the hardest wrong answer, and one protocol throws it away.
# **Two scores may be compared only under the same protocol.**

# %%
lesson.source(ranking.rank_query)

# %% [markdown]
# **Exercise 01-core.** One query under the Market protocol: from distances, ids and cameras to its AP.

# %%
lesson.exercise("01-core")


def my_query_ap(distance, gallery_ids, gallery_cameras, query_id, query_camera) -> float:
    """Cross out, sort, mark right or wrong, and use average_precision."""
    # your lines here


query_ap = lesson.attempt("01-core", my_query_ap)
sides = gallery.identity, gallery.camera
[round(query_ap(distance[q], *sides, query.identity[q], query.camera[q]), 3) for q in range(len(query))]

# %%
lesson.solution("01-core")

# %% [markdown]
# ## 4 · Distractors, junk, and questions without an answer
#
# Three more choices move a score without any change to the embedding: whether **distractors** stay in the gallery, whether
# **junk** is crossed out or counted as wrong, and what happens to a query whose person **no other camera** has seen. Such a
# query has no right answer: the protocol leaves it out; counted as zero it would blame the network for an empty gallery.
# A page is too small to see this, so here is a small crowd, in which every third person never reaches another camera.

# %%
lesson.predict(
    "zero",
    "Queries without an answer are counted as AP = 0 instead of being left out: what does mAP do?",
    choices=["it rises", "it stays", "it falls"],
)

# %%
people = 12 if profile == "smoke" else 40
crowd = replace(PRESETS["summer"], train_identities=0, test_identities=people, height=64, width=32)
made = make_world(replace(crowd, distractors=0.25, junk=0.1), seed=0)
asked = made.query
home = dict(zip(asked.identity, asked.camera))  # one camera of each person
stays = [
    who < 1 or who % 3 != 0 or home.get(who) == c
    for who, c in zip(made.gallery.identity, made.gallery.camera)
]
shelf = made.gallery.take(np.array(stays))
crowd_distance = distances(stripes, asked, shelf)
asked.frame["identity"].nunique(), len(asked), len(shelf)

# %%
honest = scores(crowd_distance, asked, shelf)
known, junk = shelf.identity != 0, shelf.identity == -1
as_wrong = replace(shelf, frame=shelf.frame.assign(identity=np.where(junk, 0, shelf.identity)))
as_zero = honest * honest["queries"] / len(asked)
as_zero["queries"] = len(asked)
variants = {
    "by the protocol": honest,
    "distractors taken out": scores(crowd_distance[:, known], asked, shelf.take(known)),
    "junk counted as wrong": scores(crowd_distance, asked, as_wrong),
    "no answer counted as 0": as_zero,
}
pd.DataFrame(variants).T.astype({"queries": int}).round(3)

# %%
change = variants["no answer counted as 0"]["mAP"] - honest["mAP"]
outcome = "it falls" if change < 0 else "it rises" if change > 0 else "it stays"
lesson.reveal(
    "zero",
    outcome,
    tell="The embedding is the same; the question is not. Always say how many queries counted.",
)
lesson.record("crowd_unanswerable", len(asked) - honest["queries"], "queries")
for name, row in variants.items():
    lesson.record("crowd_map_" + name.replace(" ", "_"), row["mAP"], "fraction")

# %% [markdown]
# **Exercise 01-stretch.** The evaluator below runs, and its numbers look fine. Three of its lines break the Market protocol.
# Mend it: return `(mAP, rank-1)`.

# %%
from reidkit.lesson.exercises.ex01 import flawed_evaluation

lesson.source(flawed_evaluation)
lesson.exercise("01-stretch")


def my_evaluation(distance, query_ids, gallery_ids, query_cameras, gallery_cameras):
    """(mAP, rank-1), mended."""
    # your lines here


evaluation = lesson.attempt("01-stretch", my_evaluation)
arguments = (crowd_distance, asked.identity, shelf.identity, asked.camera, shelf.camera)
both = {"flawed": flawed_evaluation(*arguments), "mended": evaluation(*arguments)}
pd.DataFrame(both, index=["mAP", "rank-1"]).T.round(3)

# %%
lesson.solution("01-stretch")

# %% [markdown]
# ## 5 · A whole camera network
#
# Now the same on a synthetic world of six cameras, with people that no network has trained on. Two embeddings compete: our
# stripes, and a small network trained with the identities of *other* people of this world (lesson 03 shows how).

# %%
question = "Which embedding gains more rank-1 when the query's own camera is not crossed out?"
lesson.predict("who", question, choices=["stripes", "network"])

# %%
world = stages.shared_world(profile, "summer")
network = stages.pretrained(profile, "summer", seed)
size = stages.profile(profile).size
searches = {
    "stripes": distances(stripes, world.query, world.gallery, size),
    "network": distances(network.embed, world.query, world.gallery, size),
    "chance": np.random.default_rng(seed).random((len(world.query), len(world.gallery))),
}
results = pd.DataFrame(
    {
        (name, protocol): scores(d, world.query, world.gallery, protocol=protocol)
        for name, d in searches.items()
        for protocol in PROTOCOLS
    }
)
results.T.astype({"queries": int}).round(3)

# %%
gain = {n: results[n, "no-camera"]["rank-1"] - results[n, "market"]["rank-1"] for n in searches}
why = f"stripes {gain['stripes']:+.0%}, network {gain['network']:+.0%}, chance {gain['chance']:+.0%}. "
why += "The shortcut flatters whatever sees the camera better than the person."
lesson.reveal("who", max(("stripes", "network"), key=gain.get), tell=why)
for name in searches:
    lesson.record(f"world_map_{name}", results[name, "market"]["mAP"], "fraction")
    lesson.record(f"world_rank1_gain_{name}", gain[name], "fraction")

# %%
sides = world.query.identity, world.gallery.identity, world.query.camera, world.gallery.camera
display(cmc_curve({name: evaluate_ranking(d, *sides) for name, d in searches.items()}))

# %% [markdown]
# Look at single searches, worst first: what do the wrong answers share with the query? Turn *taken out* to see what the
# protocol hides.

# %%
lesson.show(QueryExplorer(searches["network"], world.query, world.gallery, order="worst first", top=10))

# %% [markdown]
# One mean hides thirty numbers. With a single query camera against a single gallery camera, the network is good at some
# pairs and poorer at others. If your cameras are a poor pair, the mean is not your number. (One camera's gallery is smaller,
# which lifts every score: compare the cells with each other, not with the mean above.)

# %%
pairs = camera_pair_scores(searches["network"], *sides)
grid = pairs.pivot(index="query_camera", columns="gallery_camera", values="mean_ap").to_numpy()
known = pairs.dropna().sort_values("mean_ap")
figure = new_figure(4.8, 3.6)
axes = figure.subplots()
figure.colorbar(axes.imshow(grid, cmap="cividis", vmin=0, vmax=1), label="mAP")
for (row, column), value in np.ndenumerate(grid):
    ink, words = "white" if value < 0.6 else "black", "–" if np.isnan(value) else f"{value:.2f}"
    axes.text(column, row, words, ha="center", va="center", color=ink)
places = range(len(grid))
names = [int(place) + 1 for place in places]
axes.set(xlabel="gallery camera", ylabel="query camera", xticks=places, xticklabels=names)
axes.set(yticks=places, yticklabels=names)
worst, best = (
    f"{p.query_camera + 1} to {p.gallery_camera + 1} ({p.mean_ap:.2f})"
    for p in known.iloc[[0, -1]].itertuples()
)
alt = "mAP of the network for each pair of query and gallery camera. "
lesson.figure(figure, f"{alt}Poorest: camera {worst}; best: camera {best}.")
lesson.record("camera_pair_map_worst", known["mean_ap"].iloc[0], "fraction")
lesson.record("camera_pair_map_best", known["mean_ap"].iloc[-1], "fraction")

# %% [markdown]
# ## 6 · Where it breaks
#
# Turn one dial of the world: how much the cameras differ (light, colour, ground, sharpness). The people and their ways
# stay the same. The embedding is the stripes; each search is scored twice, with and without the removal.

# %%
question = "As the cameras grow apart, what does the dishonest rank-1, without removal, do?"
lesson.predict("dial", question, choices=["it falls as far as the honest one", "it hardly moves"])

# %%
turned, faces = [], []
for gap in camera_gaps[:: 3 if profile == "smoke" else 1]:
    made = make_world(replace(crowd, camera_gap=gap), seed=0)
    d = distances(stripes, made.query, made.gallery)
    market, free = (scores(d, made.query, made.gallery, protocol=p) for p in ("market", "no-camera"))
    turned.append({"camera gap": gap, "Market protocol": market["rank-1"], "no removal": free["rank-1"]})
    faces.append(contact_sheet(made, np.flatnonzero(made.identity == 1)[:10], columns=10))
turned = pd.DataFrame(turned)
display(faces[0], faces[-1], turned.round(3))

# %%
figure = new_figure(4.8, 2.8)
axes = figure.subplots()
axes.plot(
    turned["camera gap"], turned["no removal"], color=VERMILLION, marker="s", ls="--", label="no removal"
)
axes.plot(turned["camera gap"], turned["Market protocol"], color=BLUE, marker="o", label="Market protocol")
axes.set(xlabel="camera gap of the world (dial)", ylabel="rank-1", ylim=(0, 1.05))
axes.legend(fontsize=8)
ends = [
    f"{side}: {turned[side].iloc[0]:.2f} to {turned[side].iloc[-1]:.2f}"
    for side in ("Market protocol", "no removal")
]
lesson.figure(figure, "Rank-1 of the stripes as the cameras grow apart. " + "; ".join(ends) + ".")

# %%
drop = turned.iloc[0] - turned.iloc[-1]
hardly = drop["no removal"] < drop["Market protocol"] / 2
why = "A camera's look is the shortcut: the more cameras differ, the less this score says about people."
lesson.reveal("dial", "it hardly moves" if hardly else "it falls as far as the honest one", tell=why)
lesson.record("dial_rank1_drop_market", drop["Market protocol"], "fraction")
lesson.record("dial_rank1_drop_no_removal", drop["no removal"], "fraction")

# %% [markdown]
# ## 7 · What to keep
#
# 1. Re-identification ranks a gallery for each query; the people tested were never trained on.
# 2. AP averages precision over the right ranks, CMC asks for the first right one, mINP for the last.
# 3. The protocol is part of the number: the query's own camera, junk and distractors decide as much as the network.
# 4. A query without an answer is left out, and you say how many were.
# 5. A mean hides camera pairs, and a shortcut through the camera hides in a good mean.
#
# **Four questions.** Answer before you open.
#
# <details><summary>1. A ranking reads right, wrong, wrong, right. Rank-1, AP, INP?</summary>
# Rank-1 is 1, AP = (1/1 + 2/4) / 2 = 0.75, INP = 2/4 = 0.5.</details>
#
# <details><summary>2. A paper removes all gallery images of the query's camera. Is its mAP higher or lower than Market's?</summary>
# Usually higher: besides the trivial matches it drops strangers before the same background, the hardest wrong answers.</details>
#
# <details><summary>3. You delete all distractors from the gallery and mAP rises by five points. Is your network better?</summary>
# No. Wrong answers were taken away; compare on the same gallery only.</details>
#
# <details><summary>4. Two systems have equal mAP, one has a much lower mINP. Which do you give to somebody who must find every picture of a person?</summary>
# The one with the higher mINP: the other leaves at least one right picture far down the list.</details>

# %% [markdown]
# Next: [06 · From graph to pseudo-labels](06_first_adaptation.ipynb) takes a trained network to cameras it
# has never seen, where all of this gets worse, and mends it without a single label.
