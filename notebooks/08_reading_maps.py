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
# # 08 · Reading embedding maps honestly
#
# Nearly every paper on this subject ends with a map: each image a dot, each colour a person, and clusters that drift apart as
# the method gets better. The dots are real. What the eye makes of them, that a group is wide, that two are far apart, that there
# *are* groups, often is not.
#
# You will make such maps yourself, measure how far each may be believed, and then make them show what is not there.

# %% tags=["parameters"]
profile: str = "demo"  # "smoke" (seconds), "demo" (minutes), "full" (a GPU)
seed: int = 0  # of the network, the draws and the maps
out: str = ""  # folder for files; empty: runs/08_reading_maps/...
most: int = 0  # images on a map; 0: by profile
perplexities: list = [5, 15, 100]  # t-SNE's dial in section 5
dimensions: list = [2, 4, 8, 16, 32]  # the dial of section 6

# %%
import numpy as np
import pandas as pd
import umap
from IPython.display import display
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from reidkit import stages
from reidkit.diagnose import diagnose, map_quality
from reidkit.diagnose.camera_map import camera_pair_map
from reidkit.diagnose.projection import project
from reidkit.features import extract
from reidkit.jaccard import jaccard_graph
from reidkit.labels import dbscan
from reidkit.lesson import Lesson
from reidkit.show import EmbeddingMap, contact_sheet
from reidkit.show.palette import BLACK, BLUE, GREY, style
from reidkit.show.picture import new_figure

most = most or {"smoke": 138, "demo": 600, "full": 3000}[profile]
lesson = Lesson.open("08", profile=profile, seed=seed, out=out)
lesson.setup()
lesson.card()

# %% [markdown]
# ## 1 · Five neighbours, twice
#
# Winter's training images, as the summer network sees them (lesson 06), and the simplest map: the two directions in which
# they differ most. Below: one image, its five nearest in the features, and its five nearest *on the map*.

# %%
size = stages.profile(profile).size
train = stages.shared_world(profile, "winter").train
train = train.take(np.sort(np.random.default_rng(seed).permutation(len(train))[:most]))
network = stages.pretrained(profile, "summer", seed)
features = extract(network.embed, train.blind(), size=size, progress=False).unit().matrix
points, share = project(features)


def around(rows, k):
    """(N, k): each image's k nearest others."""
    square = (rows**2).sum(1)
    distance = square[:, None] + square[None] - 2 * rows @ rows.T
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1, kind="stable")[:, :k]


near, shown = around(features, 10), around(points, 10)
row = int(np.argsort([len(np.intersect1d(a, b)) for a, b in zip(near, shown)])[len(near) // 4])
captions = ["this one", *["features"] * 5, *["map"] * 5]
display(contact_sheet(train, np.r_[row, near[row, :5], shown[row, :5]], columns=11, captions=captions))

# %%
question = "Of the ten nearest in the features, how many are among the ten nearest on the map, on average?"
lesson.predict("kept", question, between=(0, 10))

# %% [markdown]
# **Exercise 08-warmup.** Count them, as a share.

# %%
lesson.exercise("08-warmup")


def my_kept(near, shown) -> float:
    """Share of each image's neighbours in the features that are neighbours on the map."""
    # your lines here


kept = lesson.attempt("08-warmup", my_kept)
assert np.isclose(
    kept(near, shown), map_quality(features, points)["kept"], atol=0.02
)  # ties may fall either way

# %%
lesson.solution("08-warmup")

# %%
chance = 10 / (len(train) - 1)
why = f"{kept(near, shown):.0%}, where a random map keeps {chance:.0%}. The two axes carry {share:.0%} of the variance."
lesson.reveal("kept", 10 * kept(near, shown), tell=why)
lesson.record("pca_neighbours_kept", kept(near, shown), "fraction", "higher")
lesson.record("pca_variance", share, "fraction")

# %% [markdown]
# ## 2 · What a PCA map may tell
#
# PCA is a shadow: straight, the same every time, and its distances are never longer than the true ones. So what is **apart on
# the map is apart**; what overlaps may be apart in all the other directions. Colour the same dots by camera, then by person:
# the eye finds camera groups or it finds person groups, whichever it was offered.

# %%
graph = jaccard_graph(features, k1=8 if profile == "smoke" else 20, k2=3 if profile == "smoke" else 6)
labels = dbscan(graph, 0.5)
diagnosis = diagnose(labels, train.camera, identities=train.truth(), features=features, paths=train.paths)
lesson.show(EmbeddingMap(diagnosis, train).set(colour="camera"))

# %%
lesson.show(EmbeddingMap(diagnosis, train).set(colour="identity"))

# %% [markdown]
# In Lab: point at a dot, draw around some, and look at what you caught. Without a kernel you see the same dots, still.

# %%
question = "Two cameras overlap on their PCA map. A straight line through all dimensions tells an image's camera right in ... percent"
lesson.predict("overlap", question, between=(50, 100), unit="%")

# %%
rows = []
for a in range(train.num_cameras):
    for b in range(a):
        _, numbers = camera_pair_map(features, train.camera, a, b, seed=seed)
        rows.append({"cameras": f"{b + 1} and {a + 1}", **numbers})
pairs = pd.DataFrame(rows).set_index("cameras")
least = pairs["map_accuracy"].idxmin()
why = f"Cameras {least}: {pairs.loc[least, 'map_accuracy']:.0%} on their map (half is a guess). "
why += f"Over all pairs {pairs['map_accuracy'].mean():.0%} on the map, {pairs['full_accuracy'].mean():.0%} in the features."
lesson.reveal("overlap", 100 * pairs.loc[least, "full_accuracy"], tell=why)
lesson.record("camera_accuracy_on_map", pairs["map_accuracy"].mean(), "fraction")
lesson.record("camera_accuracy_in_features", pairs["full_accuracy"].mean(), "fraction")
pairs.sort_values("map_accuracy").head(4).round(3)

# %% [markdown]
# ## 3 · A number beside the map
#
# A curved map (t-SNE, UMAP) gives distances up to keep neighbours. Whether it did is a question with an answer.
# **Trustworthiness** looks at the false neighbours, $j$ among the $k$ nearest of $i$ on the map, $U_k(i)$, but not in the
# features; each costs by how strange it is, its rank $r(i, j)$ in the features:
#
# $$T(k) = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in U_k(i)} \bigl(r(i, j) - k\bigr)$$
#
# **Continuity** is the same with features and map exchanged: it counts neighbours that the map tore apart.
#
# **Exercise 08-core.** Trustworthiness, from features and points.

# %%
lesson.source(map_quality)
lesson.exercise("08-core")


def my_trust(features, points, k) -> float:
    """1 for a map without false neighbours; Euclidean distances."""
    # your lines here


trust = lesson.attempt("08-core", my_trust)
assert np.isclose(
    trust(features[:100], points[:100], 5), map_quality(features[:100], points[:100], 5)["trustworthiness"]
)

# %%
lesson.solution("08-core")

# %%
question = "Which map has the highest trustworthiness with ten neighbours?"
lesson.predict("trust", question, choices=["PCA", "t-SNE", "UMAP"])


# %%
def tsne(rows, perplexity=30, seed=seed):
    """t-SNE, begun from PCA."""
    width = min(float(perplexity), (len(rows) - 1) / 3)
    begin = project(rows)[0] * 1e-4 / project(rows)[0][:, 0].std()
    return TSNE(2, perplexity=width, init=begin, random_state=seed, max_iter=500).fit_transform(rows)


def umap_of(rows, neighbours=15, seed=seed):
    """UMAP with one thread: the same map each time."""
    return umap.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(rows)


maps = {"PCA": points, "t-SNE": tsne(features), "UMAP": umap_of(features)}
scores = pd.DataFrame({name: map_quality(features, where) for name, where in maps.items()}).T
figure = new_figure(10.2, 3.5)
for axes, (name, where) in zip(figure.subplots(1, 3), maps.items()):
    for camera in range(train.num_cameras):
        colour, marker, _ = style(camera)
        part = train.camera == camera
        axes.scatter(*where[part].T, s=7, c=colour, marker=marker, lw=0, label=f"camera {camera + 1}")
    axes.set(title=f"{name}, trustworthiness {scores.loc[name, 'trustworthiness']:.2f}", xlabel=f"{name} 1")
    axes.set(ylabel=f"{name} 2", xticks=[], yticks=[])
axes.legend(fontsize=6, loc="best")
said = "; ".join(f"{n} keeps {s['kept']:.0%} of ten neighbours" for n, s in scores.iterrows())
lesson.figure(figure, f"Three maps of the same {len(train)} images, coloured by camera: {said}.")

# %%
why = "A high number allows one sentence: who is near on this map is near. It says nothing about gaps and sizes."
lesson.reveal("trust", scores["trustworthiness"].idxmax(), tell=why)
for name in maps:
    lesson.record(
        f"trust_{name.lower().replace('-', '')}", scores.loc[name, "trustworthiness"], "fraction", "higher"
    )
scores.round(3)

# %% [markdown]
# One warning. `EmbeddingMap` can start from the **graph that the labels were made from**. Then the map and the clusters have
# one parent, and of course they agree. The silhouette of the clusters, in three places:

# %%
own = diagnose(labels, train.camera, identities=train.truth(), features=features, graph=graph)
view = EmbeddingMap(own, train, projection="t-SNE").set(colour="cluster")
inlier = labels >= 0
places = {"features": features, "t-SNE of features": maps["t-SNE"], "t-SNE of the graph": view.made().points}
tight = {name: silhouette_score(where[inlier], labels[inlier]) for name, where in places.items()}
for name, value in tight.items():
    lesson.record("clusters_in_" + name.lower().replace("-", "").replace(" ", "_"), value, "silhouette")
lesson.show(view)

# %% [markdown]
# ## 4 · Sizes and gaps
#
# Now a world whose truth is written in one line: three groups in 32 dimensions. The second is **ten times as wide** as the
# first. The third is as tight as the first, and stands **four times as far** from it as the second does.

# %%
draw = np.random.default_rng(seed)
each, wide = (60 if profile == "smoke" else 200), (1.0, 10.0, 1.0)
centres = np.zeros((3, 32))
centres[1, 0], centres[2, 1] = 100.0, 400.0
planted = np.concatenate([c + w * draw.normal(size=(each, 32)) for c, w in zip(centres, wide)])
group = np.repeat(range(3), each)


def measure(where) -> dict[str, float]:
    """How wide the second group looks beside the first, and how far the third stands beside the second."""
    middle = np.array([where[group == g].mean(0) for g in range(3)])
    spread = [np.linalg.norm(where[group == g] - middle[g], axis=1).mean() for g in range(3)]
    gap = np.linalg.norm(middle - middle[0], axis=1)
    return {"second / first, width": spread[1] / spread[0], "third / second, distance": gap[2] / gap[1]}


question = "On the t-SNE map the second group looks ... times as wide as the first (planted: 10)"
lesson.predict("width", question, between=(0, 12), unit="times")

# %%
drawn = {"PCA": project(planted)[0], "t-SNE": tsne(planted), "UMAP": umap_of(planted)}
seen = pd.DataFrame({"planted": measure(planted)} | {name: measure(where) for name, where in drawn.items()}).T
figure = new_figure(10.2, 3.2)
for axes, (name, where) in zip(figure.subplots(1, 3), drawn.items()):
    for g, words in enumerate(("first", "second: ten times as wide", "third: four times as far")):
        colour, marker, _ = style(g)
        axes.scatter(*where[group == g].T, s=7, c=colour, marker=marker, lw=0, label=words)
    axes.set(title=name, xlabel=f"{name} 1", ylabel=f"{name} 2", aspect="equal")
axes.legend(fontsize=6)
said = "; ".join(
    f"{n}: {r.iloc[0]:.1f} times as wide, {r.iloc[1]:.1f} times as far" for n, r in seen.iterrows()
)
lesson.figure(figure, f"Three planted groups on three maps. {said}.")

# %%
why = "t-SNE and UMAP give every image about as much room as its neighbours need: widths come out alike, and gaps are whatever is left."
lesson.reveal("width", seen.loc["t-SNE"].iloc[0], tell=why)
for name in ("t-SNE", "UMAP"):
    key = name.lower().replace("-", "")
    lesson.record(f"width_on_{key}", seen.loc[name].iloc[0], "times")
    lesson.record(f"gap_on_{key}", seen.loc[name].iloc[1], "times")
seen.round(2)

# %% [markdown]
# ## 5 · The knobs
#
# Two maps of one method are compared only after one has been **laid upon** the other: moved, turned or mirrored, scaled.
#
# **Exercise 08-stretch.** Do that.

# %%
lesson.exercise("08-stretch")


def my_laying(reference, points) -> np.ndarray:
    """`points` moved, turned or mirrored, and scaled onto `reference`, by least squares."""
    # your lines here


lay = lesson.attempt("08-stretch", my_laying)

# %%
lesson.solution("08-stretch")


# %%
def moved(reference, where) -> float:
    """How far an image lies from itself on two maps, as a share of the first map's spread."""
    away = np.linalg.norm(lay(reference, where) - reference, axis=1)
    return float(away.mean() / np.linalg.norm(reference - reference.mean(0), axis=1).mean())


question = "UMAP again with another seed, laid upon the first. How far did an image move, in percent of the map's spread?"
lesson.predict("seeds", question, between=(0, 100), unit="%")

# %%
base = maps["UMAP"]
turned = {"UMAP, another seed": (base, umap_of(features, seed=seed + 1))}
turned["UMAP, 5 neighbours"] = base, umap_of(features, neighbours=5)
for perplexity in perplexities[:: 2 if profile == "smoke" else 1]:
    turned[f"t-SNE, perplexity {perplexity}"] = maps["t-SNE"], tsne(features, perplexity)
rows = {name: {"moved": moved(*two), **map_quality(features, two[1])} for name, two in turned.items()}
turned_scores = pd.DataFrame(rows).T
figure = new_figure(3.1 * len(turned), 3.0)
for axes, (name, (_, where)) in zip(figure.subplots(1, len(turned)), turned.items()):
    axes.scatter(*where.T, s=5, c=BLUE, lw=0)
    axes.set(xlabel=f"{name.split(',')[0]} 1", ylabel=f"{name.split(',')[0]} 2", xticks=[], yticks=[])
    axes.set_title(name, fontsize=9)
low, high = turned_scores["trustworthiness"].min(), turned_scores["trustworthiness"].max()
alt = f"The same images with other seeds and knobs; trustworthiness from {low:.2f} to {high:.2f}, "
lesson.figure(
    figure,
    f"{alt}and images move by {turned_scores['moved'].min():.0%} to {turned_scores['moved'].max():.0%}.",
)

# %%
moved_by = turned_scores.loc["UMAP, another seed", "moved"]
why = "The numbers of all these maps are nearly alike: each is as right as the others, so only what they share can be read."
lesson.reveal("seeds", 100 * moved_by, tell=why)
lesson.record("moved_by_another_seed", moved_by, "fraction")
lesson.record("trust_spread_over_knobs", high - low, "fraction", "lower")
turned_scores.round(3)

# %% [markdown]
# ## 6 · Where it breaks
#
# Take features with **nothing in them**: noise, every image as near to every other as chance has it. Turn the number of
# directions up. Two questions at each turn: how far may the map be believed, and how many *clusters* would a reader count?

# %%
question = "Noise in 32 directions: the trustworthiness of its t-SNE map, in percent?"
lesson.predict("noise", question, between=(50, 100), unit="%")


# %%
def clumps(where) -> float:
    """The best silhouette of two to eight k-means groups: what an eye that looks for groups would find."""
    groups = (KMeans(k, n_init=3, random_state=seed).fit_predict(where) for k in range(2, 9))
    return max(silhouette_score(where, found) for found in groups)


rows, pictures = [], {}
amount = 150 if profile == "smoke" else 500
for dimension in dimensions[:: 2 if profile == "smoke" else 1]:
    noise = np.random.default_rng(seed).normal(size=(amount, dimension)).astype(np.float32)
    made = {"PCA": project(noise)[0], "t-SNE": tsne(noise, 5), "UMAP": umap_of(noise, 5)}
    pictures[dimension] = made
    for name, where in made.items():
        quality = map_quality(noise, where)
        rows.append(
            {
                "dimensions": dimension,
                "map": name,
                "clumps": clumps(where),
                "in truth": clumps(noise),
                **quality,
            }
        )
dial = pd.DataFrame(rows)
dial.pivot(index="dimensions", columns="map", values=["trustworthiness", "clumps"]).round(2)

# %%
figure = new_figure(10.4, 3.1)
left, middle, right = figure.subplots(1, 3)
turns = range(dial["dimensions"].nunique())
for (name, part), (colour, marker, line) in zip(dial.groupby("map"), (style(i) for i in range(3))):
    left.plot(turns, part["trustworthiness"], color=colour, marker=marker, ls=line, label=name)
    middle.plot(turns, part["clumps"], color=colour, marker=marker, ls=line, label=name)
middle.plot(turns, part["in truth"], color=BLACK, lw=1, label="in the noise itself")
right.scatter(*pictures[dial["dimensions"].max()]["t-SNE"].T, s=6, c=GREY, lw=0)
left.set(ylabel="trustworthiness", ylim=(0.4, 1.02))
middle.set(ylabel="best silhouette of groups")
for axes in (left, middle):
    axes.set_xticks(turns, dial["dimensions"].unique())
    axes.set_xlabel("directions of the noise (dial)")
right.set(xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[], title="noise, on a map")
left.legend(fontsize=7), middle.legend(fontsize=7)

# %%
last = dial[dial["dimensions"] == dial["dimensions"].max()].set_index("map")
alt = f"Noise in {dial['dimensions'].max()} directions: trustworthiness of PCA {last.loc['PCA', 'trustworthiness']:.2f}, t-SNE "
alt += f"{last.loc['t-SNE', 'trustworthiness']:.2f}, UMAP {last.loc['UMAP', 'trustworthiness']:.2f}; groups found on the maps have "
alt += (
    f"silhouettes up to {last['clumps'].max():.2f}, those in the noise itself {last['in truth'].iloc[0]:.2f}."
)
lesson.figure(figure, alt)

# %%
why = "The map must put everybody somewhere, so it makes neighbours, and groups, that are not there. "
why += "Before you point at groups, make the same map of noise with as many images and directions."
lesson.reveal("noise", 100 * last.loc["t-SNE", "trustworthiness"], tell=why)
lesson.record("trust_of_noise_on_tsne", last.loc["t-SNE", "trustworthiness"], "fraction")
lesson.record("clumps_of_noise_on_maps", last["clumps"].max(), "silhouette")
lesson.record("clumps_in_noise", last["in truth"].iloc[0], "silhouette")

# %% [markdown]
# ## 7 · What to keep
#
# 1. A map is a claim about neighbours. Write its trustworthiness, its share of kept neighbours and its knobs beside it.
# 2. PCA: what is apart is apart; what overlaps may not be. Ask a classifier in all dimensions, not the eye.
# 3. t-SNE and UMAP: widths of groups, gaps between them and their order on the page mean nothing.
# 4. Turn the seed and the knobs; only what every map shows may be said.
# 5. Colours suggest. Show cameras and persons side by side, and make the same map of noise.
#
# **Four questions.** Answer before you open.
#
# <details><summary>1. After training, the groups on a t-SNE map stand further apart. Has the network learnt to separate people?</summary>
# Perhaps, but the map does not say so: gaps mean nothing. Compare distances, F or mAP in the features of both networks.</details>
#
# <details><summary>2. Two cameras lie on top of each other on a PCA map. Are the features free of the camera?</summary>
# No. Two directions show no difference; the other dimensions may tell the camera at once, as a linear classifier shows.</details>
#
# <details><summary>3. A map has trustworthiness 0.98 and keeps 60 % of ten neighbours. How can both be?</summary>
# A false neighbour costs by its rank: strangers that were 12th to 30th of thousands cost next to nothing. Report both.</details>
#
# <details><summary>4. A UMAP shows a small island of 20 images. What do you do before you write about it?</summary>
# Other seeds and knobs: is it there again? Then look at the images (lasso), their camera, and their neighbours in the features.</details>

# %% [markdown]
# A curved map of many images takes its time. `reidkit.diagnose.keep_maps(capsule, epoch)` makes the maps of a run once and
# keeps them in its capsule; `EmbeddingMap.from_capsule(capsule, epoch)` then opens them at once, the same for everybody.
#
# Back: [07 · Diagnosing pseudo-labels](07_diagnosing_pseudo_labels.ipynb). Maps of your own features:
# [21 · Bring your own data](21_bring_your_own_data.ipynb).
