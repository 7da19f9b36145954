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
# # 13 · CANU: a camera adversary that is told the person
#
# Lesson 06 ended with clusters that were half people and half cameras. CANU-ReID answers with a game. A *judge* looks at a
# feature and says which camera took the picture; the network is trained to leave the judge guessing. Played plainly, the game
# may cost what we want to keep, since whoever knows the person often knows the camera. So CANU tells the judge the person
# beforehand: what is left to find then is the camera alone.
#
# You will compute what each judge can win at best, turn the dial that says how hard the game is played, and set the paper's
# figures beside ours. Not all of them come out the same way.

# %% tags=["parameters"]
profile: str = "demo"  # "smoke" (seconds), "demo" (minutes), "full" (a GPU)
seed: int = 0  # of worlds, networks and runs
out: str = ""  # folder for the runs; empty: runs/13_canu/...
leans: list = [0.5, 0.7, 0.9, 0.97]  # section 3: how much a person keeps to a camera
mus: list = [0.05, 1.8, 50.0]  # section 6: how hard the game is played in a network
dependences: list = [0.0, 0.8, 1.0]  # section 4: the visiting graph
strengths: list = [0.1, 1.0, 5.0]  # section 4: how hard the game is played
camera_gaps: list = [0.3, 0.6, 1.0]  # section 6: how much cameras differ

# %%
import json
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import display

from reidkit import stages
from reidkit.bench.claims.recorded import record_path, recorded_claims
from reidkit.diagnose import diagnose, epoch_table, mutual_information
from reidkit.diagnose.camera_map import camera_pair_map
from reidkit.diagnose.projection import project

# %%
from reidkit.features import extract
from reidkit.labels import ClusterSettings, centroids, cluster
from reidkit.lesson import Lesson
from reidkit.methods.canu import CANU
from reidkit.models import CameraDiscriminator, reverse_gradient
from reidkit.show import CameraPairMap, ClusterGallery
from reidkit.show.palette import BLACK, BLUE, GREY, LINES, ORANGE, VERMILLION, style
from reidkit.show.picture import new_figure
from reidkit.trials import RHO, networks, target_of, trial
from reidkit.world import PRESETS, make_world

# %%
small = profile == "smoke"
labelling = (
    {"k1": 8, "k2": 3, "rho": 0.03} if small else {"rho": RHO[profile]}
)  # 150 pictures: fewer neighbours
if small:  # the ends of each dial
    dependences, camera_gaps = (sorted({dial[0], dial[-1]}) for dial in (dependences, camera_gaps))
    strengths = [1.0]
lesson = Lesson.open("13", profile=profile, seed=seed, out=out)
lesson.setup()
lesson.card()


def said(values, digits: int = 2) -> str:
    """``name value, name value`` for a sentence."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in dict(values).items())


# %% [markdown]
# ## 1 · A cluster that is a camera
#
# The summer network looks at winter and clusters it for the first time. Each row is a cluster; shown are those that fewest
# cameras see. A tick is the cluster's main person, a cross is somebody else.

# %%
size = stages.profile(profile).size
world = target_of(profile, "standard", seed)
train, truth = world.train.blind(), world.train.truth()
network = networks(profile, "standard", seed)(seed, "bn")
features = extract(network.embed, train, size=size, progress=False).unit()
first = cluster(features.matrix, train.camera, ClusterSettings(**labelling))
found = diagnose(first.labels, train.camera, identities=truth, paths=train.paths)
lesson.show(ClusterGallery(found, world.train, fault="fewest cameras", rows=3, across=12))

# %% [markdown]
# People who never met share a wall, a lamp and a tint. How much of that does a feature carry? Take the pictures of two cameras
# and let a straight line through the feature space tell them apart: half is guessing, all is a camera that can be read off.
# (This network was trained on people. Nobody asked it for cameras.)

# %%
question = "With what balanced accuracy, in percent, does a line tell two of winter's cameras apart?"
lesson.predict("line", question, between=(50, 100), unit="%")


# %%
def apart(matrix, cameras) -> float:
    """Balanced accuracy of a line between two cameras in 64 components, mean over pairs (0.5: full overlap)."""
    numbers, compact = np.unique(cameras), project(matrix, 64)[0]
    pairs = zip(numbers, np.roll(numbers, -1))
    return float(np.nanmean([camera_pair_map(compact, cameras, a, b)[1]["full_accuracy"] for a, b in pairs]))


before = apart(features.matrix, train.camera)
lesson.show(CameraPairMap(features.matrix, train.camera))

# %%
why = "On the map, two of many dimensions, cameras may overlap; in all of them there is nearly always a way between them."
lesson.reveal("line", 100 * before, tell=why)
lesson.record("line_between_cameras_before", before, "fraction", "lower")

# %% [markdown]
# ## 2 · A judge, and what it cannot know
#
# The judge $D$ is a small network that is paid for naming the camera $c$ of a feature $\phi(x)$ (CANU-ReID, equations 5 and 8):
#
# $$L_{\mathrm{CAM}} = -\,\mathbb{E} \log D(\phi(x))_c, \qquad L_{\mathrm{C\text{-}CAM}} = -\,\mathbb{E} \log D(\phi(x), \phi_p)_c$$
#
# The second one is told the person as $\phi_p$, the **centroid** of the picture's cluster. (A number would not do: it means
# nothing once clusters are renumbered.) Each input has a first layer of its own; then the two are laid side by side,
# `"concatenate"`, or added, `"sum"`: of the ways to read the paper's list of layers, the first is the one in which all sizes
# fit. What comes from the centroid is detached: the game may change features, not the hint.

# %%
lesson.source(CameraDiscriminator.forward)

# %%
hint = torch.randn(4, 8, requires_grad=True)
F.cross_entropy(CameraDiscriminator(8, 3)(torch.randn(4, 8), hint), torch.tensor([0, 1, 2, 0])).backward()
assert hint.grad is None  # nothing flows back through the centroid
readings = {
    "concatenate": "CANU",
    "sum": "CANU, the other reading",
    "none": "+Adv",
    "zero": "+Adv, as large as CANU",
}
sizes = {
    join: sum(p.numel() for p in CameraDiscriminator(2048, 6, join=join).parameters()) for join in readings
}
pd.DataFrame({"used as": readings, "parameters for 2048 inputs, 6 cameras": sizes})

# %% [markdown]
# The network plays against the judge: what lowers the judge's loss, it undoes, $\mu$ times as hard. One line does it, a **gradient
# reversal** between feature and judge: nothing happens on the way in, and on the way back the gradient is multiplied by $-\mu$.
#
# **Exercise 13-warmup.** Do it by hand, for one feature, one weight and a squared error.

# %%
lesson.exercise("13-warmup")


def my_gradients(feature, weight, target, mu):
    """(what arrives at the feature, what arrives at the weight) of (weight * feature - target)^2 / 2."""
    # your lines here


gradients = lesson.attempt("13-warmup", my_gradients)
feature, weight = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
(0.5 * (weight * reverse_gradient(feature, 0.1) - 1) ** 2).backward()
assert np.allclose(gradients(3.0, 2.0, 1.0, 0.1), [feature.grad, weight.grad])
f"at the feature {feature.grad:.1f} (without reversal +10), at the judge's weight {weight.grad:.1f}"

# %%
lesson.solution("13-warmup")

# %% [markdown]
# How badly must a judge do when features tell nothing? Untrained, it loses $\ln C$. Then it learns which cameras are busy, and
# loses $H(C)$. One who is told the person knows where that person goes, and loses $H(C \mid P)$. The distance between the two
# **ceilings** is what people tell about cameras: $H(C) - H(C \mid P) = I(P; C)$, the floor of lesson 06.
#
# **Exercise 13-core.** Both ceilings, from a table of people by cameras.

# %%
lesson.exercise("13-core")


def my_ceilings(counts):
    """(H(C), H(C | P)) in nats, from the images (P, C) of each person by each camera."""
    # your lines here


ceilings = lesson.attempt("13-core", my_ceilings)


# %%
def ceilings_of(labels, cameras) -> tuple[float, float]:
    """Both ceilings, with the person as a label says it."""
    return ceilings(pd.crosstab(labels, cameras).to_numpy())


rows = {}
for pair in ("standard", "dependent"):
    other = target_of(profile, pair, seed).train
    plain, told = ceilings_of(other.truth(), other.camera)
    rows[pair] = {
        "ln C": np.log(other.num_cameras),
        "H(C)": plain,
        "H(C | person)": told,
        "gap": plain - told,
    }
    lesson.record(f"ceiling_plain_{pair}", plain, "nats")
    lesson.record(f"ceiling_told_{pair}", told, "nats")
table = pd.DataFrame(rows).T
table.round(3)

# %%
lesson.solution("13-core")

# %% [markdown]
# On the training part of Market-1501 the two are 1.73 and 1.42 nats: there as well, people do not go everywhere alike. The
# *dependent* pair is made of people who keep to a few neighbouring cameras, and its gap is wide.
#
# In training nobody knows the person; the judge is told the *cluster*. Its ceiling is then $H(C \mid \hat Y) = H(C) - I(\hat Y; C)$,
# and we have seen clusters that are cameras. Let judges loose on the features as they are: one half of the clustered
# pictures teaches them, the other half examines them. The third is told the cluster and sees no feature at all.

# %%
question = "Which judge loses more on pictures that it did not learn from?"
lesson.predict("judges", question, choices=["sees the feature only", "is told the cluster only"])

# %%
inlier = np.flatnonzero(first.labels >= 0)
x = torch.from_numpy(features.matrix[inlier])
given = torch.from_numpy(centroids(features.matrix, first.labels, unit_rows=False)[first.labels[inlier]])
c = torch.from_numpy(train.camera[inlier])
order = torch.randperm(len(c), generator=torch.Generator().manual_seed(seed))
teach, exam = order[::2], order[1::2]


def judge_learns(feature, join, steps=60 if small else 300) -> list[float]:
    """Loss of a judge in the examination, after every ten steps."""
    judge = CameraDiscriminator(x.shape[1], world.num_cameras, join=join, hidden=64, seed=seed)
    optimiser, losses = torch.optim.Adam(judge.parameters(), 1e-3), []
    for step in range(1, steps + 1):
        rows = teach[torch.randint(len(teach), (64,), generator=torch.Generator().manual_seed(step))]
        optimiser.zero_grad()
        F.cross_entropy(judge.train()(feature[rows], given[rows]), c[rows]).backward()
        optimiser.step()
        if step % 10 == 0:
            with torch.no_grad():
                losses.append(F.cross_entropy(judge.eval()(feature[exam], given[exam]), c[exam]).item())
    return losses


# %%
judges = {
    "sees the feature only": judge_learns(x, "none"),
    "is told the cluster only": judge_learns(torch.zeros_like(x), "concatenate"),
    "both": judge_learns(x, "concatenate"),
}
plain, told = ceilings_of(first.labels[inlier], c.numpy())
levels = {"H(C)": plain, "H(C | cluster)": told}
levels["H(C | person)"] = ceilings_of(truth[inlier], c.numpy())[1]

# %%
figure = new_figure(6.6, 3.4)
axes = figure.subplots()
for place, ((name, losses), colour) in enumerate(zip(judges.items(), (BLUE, ORANGE, VERMILLION))):
    axes.plot(np.arange(1, len(losses) + 1) * 10, losses, color=colour, ls=LINES[place], label=name)
for name, level in levels.items():
    axes.axhline(level, color=GREY, lw=0.8, ls=":")
    axes.annotate(name, (1.01, level), xycoords=("axes fraction", "data"), fontsize=7, va="center")
axes.set(xlabel="step", ylabel="loss in the examination (nats)", ylim=(0, None))
axes.legend(fontsize=7)
best = {name: min(losses) for name, losses in judges.items()}
lesson.figure(figure, f"Lowest loss of three judges in nats: {said(best)}. Levels: {said(levels)}.")

# %%
worse = max(list(judges)[:2], key=best.get)
left = levels["H(C | cluster)"] / levels["H(C)"]
why = f"The cluster leaves {left:.0%} of H(C) open: so much is there to play for when the judge is told the cluster. "
why += "Where a cluster is a camera, it needs no feature, and then no gradient comes back either."
lesson.reveal("judges", worse, tell=why)
lesson.record("open_after_the_first_clusters", left, "fraction", "higher")
for name, loss in zip(("plain", "hint", "both"), best.values()):
    lesson.record(f"judge_{name}", loss, "nats")

# %% [markdown]
# ## 3 · What the plain game may cost, exactly
#
# Two people, two cameras, four kinds of picture. A feature is now simply a **code** $K$ that a kind of picture gets. Three
# players look at it, each as good as can be: a classifier of the person loses $H(P \mid K)$, the plain judge $H(C \mid K)$, the
# judge who is told the person $H(C \mid K, P)$. The network chooses the code, and minimises
#
# $$H(P \mid K) - \mu\, H(C \mid K) \quad\text{(plain, equation 4)} \qquad\text{or}\qquad H(P \mid K) - \mu\, H(C \mid K, P) \quad\text{(CANU, equation 9)}$$
#
# **Exercise 13-stretch.** The three losses, from the share of each kind of picture and the code that it gets.

# %%
lesson.exercise("13-stretch")


def my_players(share, coding):
    """(H(P|K), H(C|K), H(C|K,P)) in nats, from shares (P, C) and the codes' probabilities (P, C, K)."""
    # your lines here


players = lesson.attempt("13-stretch", my_players)
lean = np.array([[0.9, 0.1], [0.1, 0.9]]) / 2  # nine of ten pictures before the own camera
codes = {"the person": [[0, 0], [1, 1]], "the camera": [[0, 1], [0, 1]], "nothing": [[0, 0], [0, 0]]}
columns = ["H(person | code)", "H(camera | code)", "H(camera | code, person)"]
by_hand = {name: players(lean, np.eye(2)[np.array(code)]) for name, code in codes.items()}
pd.DataFrame(by_hand, index=columns).T.rename_axis("the code tells").round(3)

# %%
lesson.solution("13-stretch")

# %% [markdown]
# Read the table with the two sums above. Telling *nothing* raises the plain judge's loss above what telling the person leaves
# it, so at some $\mu$ it pays to forget who is who. For the judge who knows the person anyway, the two rows are equal: forgetting
# wins nothing, ever. That is the paper's argument (its equations 6 and 7) without a network.

# %%
question = (
    "Nine of ten pictures of each before one camera. From which mu on does the plain game pay for forgetting?"
)
lesson.predict("price", question, between=(0, 5))


# %%
def played(lean, mu, told):
    """What the classifier loses at the best of all codings: four kinds of picture, up to four codes."""
    share = np.array([[lean, 1 - lean], [1 - lean, lean]]) / 2
    ways = [
        way
        for way in product(range(4), repeat=4)
        if all(k <= max(way[:i], default=-1) + 1 for i, k in enumerate(way))
    ]
    found = [players(share, np.eye(4)[np.reshape(way, (2, 2))]) for way in ways]
    return min(found, key=lambda lost: (round(lost[0] - mu * lost[2 if told else 1], 9), lost[0]))[0]


def price(share) -> float:
    """H(P) / I(P; C): the mu from which on the plain game pays for forgetting everybody."""
    people, (plain, told) = ceilings(share.T)[0], ceilings(share)
    return people / (plain - told) if plain - told > 1e-9 else np.inf


grid = np.geomspace(0.1, 20, 25)
prices = {lean: price(np.array([[lean, 1 - lean], [1 - lean, lean]])) for lean in leans}
kept = {lean: [1 - played(lean, mu, False) / np.log(2) for mu in grid] for lean in leans}
told = min(1 - played(lean, mu, True) / np.log(2) for lean in leans for mu in grid)

# %%
figure = new_figure(6.0, 3.2)
axes = figure.subplots()
for place, (lean, curve) in enumerate(kept.items()):
    colour, marker, _ = style(place)
    axes.plot(
        grid,
        np.array(curve) - 0.012 * place,
        color=colour,
        marker=marker,
        ms=4,
        ls="--",
        label=f"plain, lean {lean:g}",
    )
axes.axhline(told + 0.02, color=BLACK, lw=1.2, label="told the person, any lean")
axes.set(xscale="log", xlabel="mu", ylabel="share of the identity that is kept", ylim=(-0.06, 1.08))
axes.legend(fontsize=7, loc="center left")
text = said({f"lean {lean:g}": value for lean, value in prices.items() if np.isfinite(value)})
alt = f"The best of all codings keeps the identity whole or not at all. Plain game, kept up to mu: {text}"
lesson.figure(figure, f"{alt}. Told the person it keeps {told:.0%} at least, whatever mu.")

# %%
why = "Forgetting both people costs H(P) and wins mu times I(P; C), so the price is H(P) / I(P; C). "
prices_here = {}
for pair in rows:
    there = target_of(profile, pair, seed).train
    prices_here[pair] = price(pd.crosstab(there.truth(), there.camera).to_numpy())
    lesson.record(f"price_of_forgetting_{pair}", prices_here[pair], "mu")
why += f"For the people of our pairs it is: {said(prices_here, 1)}."
lesson.reveal("price", price(np.array([[0.9, 0.1], [0.1, 0.9]])), tell=why)

# %% [markdown]
# More holds, for any features and any worlds. What the plain judge can be robbed of by forgetting is what the person tells it
# beyond the code, and that is at most what the classifier then lacks:
#
# $$H(C \mid K) - H(C \mid K, P) = I(C; P \mid K) \le H(P \mid K)$$
#
# So for $\mu < 1$ forgetting **never** pays in this exact game, and the paper plays with 0.05 and 0.1. Its equation 6 is the
# limit of a large $\mu$. If a plain adversary does harm people in practice, then because the game is not exact: labels are wrong,
# the loss on the training people is soon near zero and defends nothing, the judge lags behind. Whether it does is a question
# to measurements. The other half of the argument stands at any $\mu$: told the *true* person, the judge's ceiling is reached by
# features that tell the whole identity.

# %% [markdown]
# ## 4 · In a laboratory: the visiting graph as a dial
#
# Features of real pictures instead of four kinds, and players that have to learn. The summer network's features of winter stay
# as they are; on top comes one linear layer $\phi$, a classifier of the **true** person and a judge, all trained together with the
# reversal between. Half of the pictures teach, the other half examine. The world's dial says how much people keep to a few
# cameras: 0, everybody walks everywhere; 1, hardly anybody leaves their corner.

# %%
crowd = replace(PRESETS["winter"], height=size[0], width=size[1], test_identities=0)
crowd = replace(crowd, train_identities=24 if small else 60)
sites = {dial: make_world(replace(crowd, dependence=dial), seed=seed).train for dial in dependences}
figure = new_figure(8.4, 2.6)
for axes, (dial, site) in zip(figure.subplots(1, len(sites)), sites.items()):
    visits = pd.crosstab(site.truth(), site.camera)
    order = np.argsort((visits.to_numpy() * np.arange(visits.shape[1])).sum(1) / visits.to_numpy().sum(1))
    axes.imshow(visits.to_numpy()[order].T, cmap="cividis", aspect="auto")
    axes.set(xlabel="people, by their mean camera", ylabel="camera", title=f"dependence {dial:g}")
    axes.set_yticks(range(visits.shape[1]), [str(camera + 1) for camera in visits.columns])
gaps = {dial: mutual_information(site.truth(), site.camera) for dial, site in sites.items()}
words = ", ".join(f"{float(told):.2f} nats at dependence {dial:g}" for dial, told in gaps.items())
lesson.figure(figure, f"Who passes which camera, bright is often. People tell about cameras: {words}.")

# %%
question = (
    "mu = 1, dependence at its largest: which judge lets the classifier keep more people in the examination?"
)
lesson.predict("visiting", question, choices=["the plain one", "the one who is told the person"])


# %%
def examined(x, person, camera, mu, join, seed, steps=60 if small else 200) -> float:
    """Share of the pictures kept back whose person is named right, after the game on the other half."""
    torch.manual_seed(seed)
    people, draw = int(person.max()) + 1, torch.Generator().manual_seed(seed)
    phi, head = torch.nn.Linear(x.shape[1], 64), torch.nn.Linear(64, people)
    judge = CameraDiscriminator(64, int(camera.max()) + 1, join=join, hidden=64, seed=seed)
    optimiser = torch.optim.Adam([*phi.parameters(), *head.parameters(), *judge.parameters()], 1e-3)
    order = torch.randperm(len(x), generator=draw)
    teach, exam = order[::2], order[1::2]
    member = F.one_hot(person[teach], people).float()
    for step in range(steps):
        if step % 25 == 0:  # as at a clustering: centroids stand until the next one
            given = (member.T @ phi(x[teach]).detach()) / member.sum(0)[:, None].clamp(min=1)
        rows = teach[torch.randint(len(teach), (64,), generator=draw)]
        f = phi(x[rows])
        camera_loss = F.cross_entropy(judge(reverse_gradient(f, mu), given[person[rows]]), camera[rows])
        optimiser.zero_grad()
        (F.cross_entropy(head(f), person[rows]) + camera_loss).backward()
        optimiser.step()
    return float((head(phi(x[exam])).argmax(1) == person[exam]).float().mean())


# %%
kinds = {"plain": "none", "plain, as large": "zero", "told": "concatenate"}
seeds = range(seed, seed + stages.profile(profile).seeds)
games = [(dial, 1.0) for dial in dependences] + [(dependences[-1], mu) for mu in strengths if mu != 1.0]
lab = []
for dial, site in sites.items():
    seen = extract(network.embed, site.blind(), size=size, progress=False).unit().matrix
    x = torch.from_numpy((seen - seen.mean(0)) / (seen.std(0) + 1e-6))
    codes = [np.unique(column, return_inverse=True)[1] for column in (site.truth(), site.camera)]
    played = [("no game", "none", 0.0)]
    played += [(name, join, mu) for at, mu in games if at == dial for name, join in kinds.items()]
    for name, join, mu in played:
        for each in seeds:
            right = examined(x, *map(torch.from_numpy, codes), mu, join, each)
            lab.append({"dependence": dial, "judge": name, "mu": mu, "seed": each, "right": right})
lab = pd.DataFrame(lab)
mean = lab.pivot_table(index=["dependence", "mu"], columns="judge", values="right").round(3)
mean

# %%
figure = new_figure(8.8, 3.2)
shown = {"dependence": lab[lab["mu"].isin([0.0, 1.0])], "mu": lab[lab["dependence"] == dependences[-1]]}
for axes, (across, part) in zip(figure.subplots(1, 2, sharey=True), shown.items()):
    for place, name in enumerate(kinds if across == "mu" else ["no game", *kinds]):
        colour, marker, _ = style(place + (across == "mu"))
        of = part[part["judge"] == name].groupby(across)["right"]
        error = of.std().fillna(0)
        axes.errorbar(of.mean().index, of.mean(), error, color=colour, marker=marker, capsize=3, label=name)
    axes.set(xlabel=across, ylabel="share of people named right")
axes.set(xscale="log", title=f"dependence {dependences[-1]:g}")
axes.axhline(mean["no game"].loc[dependences[-1], 0.0], color=BLUE, lw=1, ls=":", label="no game")
figure.axes[0].set(title="mu = 1")
figure.axes[0].legend(fontsize=7)
end = mean.loc[(dependences[-1], 1.0)].dropna()
lesson.figure(
    figure,
    f"Named right, mean and deviation over seeds. Dependence {dependences[-1]:g}, mu 1: {said(end, 3)}.",
)

# %%
gap = lab[(lab["dependence"] == dependences[-1]) & (lab["mu"] == 1)].pivot(
    index="seed", columns="judge", values="right"
)
wins = int((gap["told"] > gap["plain"]).sum())
kept = "the one who is told the person" if end["told"] > end["plain"] else "the plain one"
start, none = mean.loc[(dependences[0], 1.0)], mean["no game"].xs(0.0, level="mu")
why = f"{end['told']:.3f} told, {end['plain']:.3f} plain (told ahead in {wins} of {len(gap)} seeds), {none.iloc[-1]:.3f} without a game; "
why += f"at dependence {dependences[0]:g}: {start['told']:.3f}, {start['plain']:.3f}, {none.iloc[0]:.3f}."
lesson.reveal("visiting", kept, tell=why)
for name in ("plain", "told"):
    lesson.record(f"given_up_by_{name}_when_dependent", none.iloc[-1] - end[name], "fraction", "lower")

# %% [markdown]
# Two things in this laboratory are kinder than life. The judge was told the *true* person, and so was the classifier. In
# training both hear the cluster.
#
# ## 5 · The add-on, and the paper's figures
#
# CANU stands on any method that hands out its features ("taps"): one judge a tap, three on SSG, two on MMT. It adds the
# judges' losses behind a reversal, and nothing else.

# %%
lesson.source(CANU.camera_loss)
lesson.source(CANU.loss)

# %% [markdown]
# The reversal leaves the forward pass alone, so $\mu = 0$ must be the method below to the last bit, while its judges learn all
# the same. With `play="alternating"` there are two steps instead: the judges' on detached features, then the network's on its
# loss minus $\mu$ times the judges'.

# %%
lesson.source(CANU.steps)


# %%
def run_of(row, mu=None):
    """A row of the paper's tables on SSG, on the standard pair; with another mu when one is given."""
    changed = (labelling if small else {}) | ({} if mu is None else {"adversary": {"mu": mu}})
    return trial(profile, "standard", "CANU on SSG", row, seed=seed, **changed)


base, zero = run_of("SSG"), run_of("CANU-SSG", 0.0)
twin = zero.method.base.state_dict()
assert all(torch.equal(value, twin[name]) for name, value in base.method.state_dict().items())
assert np.array_equal(base.capsule.part_labels, zero.capsule.part_labels)
losses = zero.capsule.losses
heard = losses[losses["term"] == "camera_full"]["value"]
print(
    f"mu = 0: {len(twin)} tensors equal bit for bit. The judge of the whole body loses {heard.head(1).mean():.2f} nats",
    end=" ",
)
print(f"at first, {heard.tail(10).mean():.2f} at last: it has learned, and nobody noticed.")

# %% [markdown]
# Now the paper's runs on SSG, from the same network on the standard pair (profile `full`: your own pair of data sets): SSG,
# SSG with a plain judge (+Adv), CANU-SSG, both at the published $\mu = 0.05$, and CANU-SSG at 1.8, the largest of the paper's
# grid. Its Figures 5 and 6 follow two numbers over the clustering steps: $I(\hat Y; C)$, and the people of whom no picture is in
# a cluster. A raw curve may fall because there are fewer clusters, so the level by chance is drawn and taken off as well.

# %%
names = {"SSG": "SSG", "SSG+Adv": "SSG+Adv", "CANU-SSG": "CANU-SSG", "CANU-SSG, mu 1.8": "mu = 1.8"}
question = "After the last clustering, which run's clusters tell least about the camera, chance taken off?"
lesson.predict("least", question, choices=[*names, "all within 0.03 nats"])

# %%
runs = {name: run_of(row) for name, row in names.items()}
tables = {}
for name, run in runs.items():
    labels, scores = run.capsule.labels, run.capsule.scores
    table = epoch_table(labels, train.camera, identities=truth, scores=scores).set_index("epoch")
    table["excess"] = table["camera_information"] - table["camera_information_chance"]
    tables[name] = table[["camera_information", "excess", "clusters", "unseen", "lost", "f1", "mean_ap"]]
chance = table["camera_information_chance"]
floor = mutual_information(truth, train.camera)
pd.concat(tables, names=["run"]).round(3)

# %%
panels = {
    "camera_information": ("nats", "I(label; camera), as in Fig. 5", float(floor)),
    "excess": ("nats", "the same above chance", floor.excess),
    "unseen": ("people", "no picture in a cluster, as in Fig. 6", None),
    "mean_ap": ("mAP", "after the training that followed", None),
}
figure = new_figure(9.0, 5.4)
for axes, (column, (unit, title, level)) in zip(figure.subplots(2, 2).flat, panels.items()):
    for place, (name, table) in enumerate(tables.items()):
        colour, marker, _ = style(place)
        axes.plot(table.index, table[column], color=colour, marker=marker, ls=LINES[place], label=name)
    if level is not None:
        axes.axhline(level, color=BLACK, ls=":", lw=1, label="true identities")
    if column == "camera_information":
        axes.plot(chance.index, chance, color=GREY, ls=":", marker="x", label="last run by chance")
    axes.set(xlabel="clustering step", ylabel=unit, title=title, ylim=(0, None), xticks=table.index)
figure.axes[0].legend(fontsize=6, loc="center right")
last = {name: table["excess"].iloc[-1] for name, table in tables.items()}
text = f"first {tables['SSG']['excess'].iloc[0]:.2f}, last {said(last)}; true identities {floor.excess:.2f}"
lesson.figure(figure, f"Four curves of four runs. Camera information above chance, in nats: {text}.")

# %%
least = min(last, key=last.get)
close = max(last.values()) - min(last.values()) <= 0.03
why = f"One seed: {said(last)} nats. mAP at the end: {said({n: t['mean_ap'].iloc[-1] for n, t in tables.items()}, 3)}. "
why += "An anecdote; several seeds follow."
lesson.reveal("least", "all within 0.03 nats" if close else least, tell=why)
for name, table in tables.items():
    key = "_".join(re.findall(r"[a-z0-9]+", name.lower()))
    lesson.record(f"excess_last_{key}", table["excess"].iloc[-1], "nats", "lower")
    lesson.record(f"map_last_{key}", table["mean_ap"].iloc[-1], "fraction", "higher")

# %% [markdown]
# For MMT, Figures 3 and 4, and for verdicts we read the record of `reidkit bench claims`: the same rows over several seeds. There
# the effect of a claim is a contrast of runs from the same networks on the same world, positive where the claim goes; it *holds*
# when the whole 90 % interval over the seeds does. (In the paper's own Table IV the conditional judge is ahead in three cells of
# four at most: on SSG, Duke to Market, the plain one is.)

# %%
path = record_path()
kept = json.loads(path.read_text(encoding="utf-8"))["runs"].get("standard", {}) if path else {}
rows = {"MMT": "mmt", "MMT+Adv": "adv mmt", "CANU-MMT": "canu mmt"}
columns = {
    "excess": "I(label; camera) above chance, nats",
    "lost": "majority of no cluster, people",
    "map": "mAP",
}
ends = {}

# %%
figure = new_figure(9.6, 2.9)
for axes, (column, title) in zip(figure.subplots(1, 3), columns.items()):
    for place, (name, row) in enumerate(rows.items()):
        curves = np.array([runs_of[row][column] for runs_of in kept.values() if row in runs_of], dtype=float)
        colour, marker, _ = style(place)
        if len(curves):
            spread = curves.std(0, ddof=1) if len(curves) > 1 else None
            axes.errorbar(
                np.arange(curves.shape[1]),
                curves.mean(0),
                spread,
                color=colour,
                marker=marker,
                label=name,
                capsize=2,
            )
            ends[f"{name}, {column}"] = curves.mean(0)[-1]
            axes.legend(fontsize=6)
    axes.set(xlabel="clustering step", ylim=(0, None))
    axes.set_title(title, fontsize=9)
text = f"seeds {len(kept)}; at last {said(ends)}" if ends else "nothing is recorded yet"
lesson.figure(figure, f"Recorded curves of three runs on MMT, mean and deviation over seeds: {text}.")

# %%
ids = "C-11a C-11b C-11c C-13a C-13b C-14a C-14b C-14c C-14d C-16a C-16b C-17 "
ids += "C-18a C-18b C-18c C-19 C-20 C-21a C-21b C-22a C-22b C-22c"
claims = recorded_claims(*ids.split())
words = ", ".join(f"{word}: {count}" for word, count in claims["verdict"].value_counts().items())
print(words or "No claim of CANU is recorded here yet: run `reidkit bench claims`.")
with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
    display(claims[["sentence", "effect", "spread", "seeds", "verdict"]].round(3))

# %% [markdown]
# The paper's Figure 7 maps two cameras on the principal components of their images. Each map has axes of its own, so only what
# overlaps *within* a map counts; the number beside it can be compared.

# %%
question = "And now: with what accuracy, in percent, does a line tell two cameras apart in the features of CANU-SSG at mu 1.8?"
lesson.predict("after", question, between=(50, 100), unit="%")


# %%
def final(run):
    """Features of the training images at the end of a run, as they are tested."""
    method = run.method
    return extract(method.embed_test, train, size=size, flip=method.flip, progress=False).matrix


after = {name: final(run) for name, run in runs.items()}
pair = (2, 5) if world.num_cameras > 5 else (0, 1)  # the paper shows cameras 3 and 6
figure = new_figure(10.4, 3.0)
for axes, (name, matrix) in zip(figure.subplots(1, len(after)), after.items()):
    points, numbers = camera_pair_map(matrix, train.camera, *pair)
    for place, (camera, part) in enumerate(points.groupby("camera")):
        colour, marker, _ = style(place)
        axes.scatter(
            part["x"], part["y"], s=8, c=colour, marker=marker, alpha=0.6, lw=0, label=f"camera {camera + 1}"
        )
    axes.set(xlabel="first component", title=f"{name}\nline on this map: {numbers['map_accuracy']:.2f}")
    axes.title.set_size(8)
figure.axes[0].legend(fontsize=6)
lines = {name: apart(matrix, train.camera) for name, matrix in after.items()}
lesson.figure(
    figure,
    f"Two cameras on two components, four runs. A line in 64 dimensions, mean of camera pairs: {said(lines)}; before {before:.2f}.",
)

# %%
why = f"Before adaptation it was {100 * before:.0f} %; the others: {said({n: 100 * v for n, v in lines.items()}, 0)} %."
lesson.reveal("after", 100 * lines["CANU-SSG, mu 1.8"], tell=why)
for name, value in lines.items():
    key = "_".join(re.findall(r"[a-z0-9]+", name.lower()))
    lesson.record(f"line_between_cameras_{key}", value, "fraction", "lower")
lesson.show(CameraPairMap(after["CANU-SSG, mu 1.8"], train.camera))

# %% [markdown]
# ## 6 · Where it breaks
#
# **Too large a $\mu$.** The paper's Table III: 1.8 ruins SSG and leaves MMT unharmed; its best values, 0.05 and 0.1, were chosen by
# the target's test scores. Here, one seed: the score, the judge's loss between its ceilings, and what a line still reads.

# %%
question = "Which mu is the first at which the told judge costs SSG a fifth of its mAP or more?"
lesson.predict("dial", question, choices=[*(f"{mu:g}" for mu in mus), "none of these"])


# %%
def state(judge, mu, run) -> dict:
    """The end of a run: score, loss of the judge of the whole body, its ceilings, and what the features are like."""
    labels, losses = run.capsule.labels[-1], run.capsule.losses
    plain, told = ceilings_of(labels[labels >= 0], train.camera[labels >= 0])
    heard = losses[losses["term"] == "camera_full"]["value"]
    matrix = final(run)
    spectrum = np.linalg.svd(matrix - matrix.mean(0), compute_uv=False) ** 2
    row = {
        "judge": judge,
        "mu": mu,
        "mAP": run.capsule.scores["mean_ap"].iloc[-1],
        "loss": heard.tail(10).mean(),
    }
    row |= {"H(C)": plain, "H(C | cluster)": told, "line": apart(matrix, train.camera)}
    return row | {"directions": spectrum.sum() ** 2 / (spectrum**2).sum()}


known = {("told", 0.0): zero, ("told", 0.05): runs["CANU-SSG"], ("told", 1.8): runs["CANU-SSG, mu 1.8"]}
known |= {("plain", 0.05): runs["SSG+Adv"], ("plain", 1.8): run_of("SSG+Adv", 1.8)}
known |= {("told", mu): run_of("CANU-SSG", mu) for mu in mus if ("told", mu) not in known}
dial = pd.DataFrame([state(judge, mu, run) for (judge, mu), run in known.items()]).sort_values(
    ["judge", "mu"]
)
dial.set_index(["judge", "mu"]).round(3)

# %%
figure = new_figure(10.0, 3.0)
views = {"mAP": "the score", "loss": "the judge's loss, nats", "line": "can a line read cameras off?"}
values = sorted(set(dial["mu"]))
for axes, (column, title) in zip(figure.subplots(1, 3), views.items()):
    for (kind, part), colour, marker in zip(dial.groupby("judge"), (BLUE, VERMILLION), "os"):
        at = [values.index(mu) for mu in part["mu"]]
        axes.plot(at, part[column], color=colour, marker=marker, label=f"{kind} judge")
        if column == "loss" and kind == "told":
            axes.plot(at, part["H(C)"], color=BLACK, ls=":", label="H(C)")
            axes.plot(at, part["H(C | cluster)"], color=GREY, ls="--", label="H(C | cluster)")
    axes.set_xticks(range(len(values)), [f"{mu:g}" for mu in values])
    axes.set(xlabel="mu", ylabel=column, title=title, ylim=(0.45, 1.02) if column == "line" else (0, None))
    axes.legend(fontsize=6, loc="lower left")
by = dial.set_index(["judge", "mu"])
ends = by.loc["told"].iloc[-1]
lesson.figure(
    figure,
    f"Score, judge's loss, cameras read by a line, over mu. Told judge at mu {values[-1]:g}: {said(ends)}.",
)

# %%
score = by.loc["told", "mAP"]
broken = [f"{mu:g}" for mu in mus if score[mu] <= 0.8 * score[0.0]]
why = f"mAP by mu: {said({f'{mu:g}:': value for mu, value in score.items()}, 3)}. "
fooled = by.loc[("plain", 1.8)]
why += f"The plain judge at 1.8 ends at {fooled['loss']:.2f} nats (H(C) of the clustered pictures: {fooled['H(C)']:.2f}), and a fresh "
why += f"line still reads cameras with {fooled['line']:.2f}: a judge that fails does not prove that the camera is gone."
lesson.reveal("dial", broken[0] if broken else "none of these", tell=why)
lesson.record("map_told_at_the_largest_mu", ends["mAP"], "fraction", "higher")
lesson.record("line_while_the_plain_judge_is_fooled", fooled["line"], "fraction", "lower")

# %% [markdown]
# **Clusters that are cameras.** The judge hears the cluster. Let winter's cameras differ more and more, and look at what is
# left to play for: $H(C \mid \hat Y)$, the ceiling of the judge who is told the first clusters.

# %%
question = "At the largest camera gap, how much of H(C) is still open to a judge who is told the cluster, in percent?"
lesson.predict("open", question, between=(0, 100), unit="%")

# %%
open_at = []
for gap in camera_gaps:
    site = make_world(replace(crowd, camera_gap=gap), seed=seed).train
    seen = extract(network.embed, site.blind(), size=size, progress=False).unit().matrix
    labels = cluster(seen, site.camera, ClusterSettings(**labelling)).labels
    plain, told = ceilings_of(labels[labels >= 0], site.camera[labels >= 0])
    person = ceilings_of(site.truth(), site.camera)[1]
    open_at.append({"camera gap": gap, "H(C)": plain, "H(C | person)": person, "H(C | cluster)": told})
open_at = pd.DataFrame(open_at).set_index("camera gap")
figure = new_figure(5.4, 3.0)
axes = figure.subplots()
for place, name in enumerate(open_at):
    colour, marker, _ = style(place)
    axes.plot(open_at.index, open_at[name], color=colour, marker=marker, ls=LINES[place], label=name)
axes.set(xlabel="camera gap of winter (dial)", ylabel="nats", ylim=(0, None))
axes.legend(fontsize=8)
end = open_at.iloc[-1]
lesson.figure(figure, f"Ceilings of judges as cameras grow apart, in nats. At gap {end.name:g}: {said(end)}.")

# %%
share = end["H(C | cluster)"] / end["H(C)"]
why = "Told a cluster that is a camera, the judge needs no feature, and no gradient comes back: CANU is weakest where cameras hurt most. "
why += f"The plain judge still has {end['H(C)']:.2f} nats to play for."
lesson.reveal("open", 100 * share, tell=why)
lesson.record("open_at_the_largest_gap", share, "fraction", "higher")

# %% [markdown]
# ## 7 · What to keep
#
# 1. Reversal: the judge learns as always, the feature gets that gradient times $-\mu$; $\mu = 0$ is the base bit for bit.
# 2. A judge's loss is read between ceilings, $H(C)$ or $H(C \mid \hat Y)$; a fooled judge is no proof, so ask a fresh one.
# 3. Forgetting people never pays below $\mu = 1$ in the exact game; told the true person it never pays at all.
# 4. In a laboratory with true persons the told judge spares them where people keep to cameras; in training it hears clusters.
# 5. Where clusters are cameras, the told judge has nothing to ask; look at $H(C \mid \hat Y)$ before you believe in an adversary.
#
# **Four questions.** Answer before you open.
#
# <details><summary>1. Six equally busy cameras; your plain judge's loss stands at 1.79 from the first step to the last. Success?</summary>
# Perhaps, or it does not learn: ln 6 = 1.79 is also the loss of an untrained judge. Train a fresh one on the features.</details>
#
# <details><summary>2. You write the loss as L - mu * L_CAM and hand all parameters to one optimiser. What happens?</summary>
# The judge maximises its own loss: it learns to be wrong, and its gradient tells the network nothing. Reverse between the two.</details>
#
# <details><summary>3. Why is the judge told a centroid instead of the cluster's number?</summary>
# Numbers are drawn anew at each clustering and so is their count. A centroid means the same after renumbering, and its length is fixed.</details>
#
# <details><summary>4. Two runs have I(label; camera) = 0.60 and 0.50 nats; the second has half as many clusters. Who knows less about cameras?</summary>
# Unknown: chance grows with the number of clusters. Take each one's permutation level away first, as in section 5.</details>

# %% [markdown]
# Back: [06 · From graph to pseudo-labels](06_first_adaptation.ipynb), where the clusters came from;
# [07 · Diagnosing pseudo-labels](07_diagnosing_pseudo_labels.ipynb), for what else they tell.
