"""All scores of a labelling in one long table: each twice (outliers dropped, outliers as singletons), and by kind of pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from reidkit.diagnose.bcubed import bcubed
from reidkit.diagnose.chance import adjusted_information
from reidkit.diagnose.counts import as_singletons, cells, renumbered
from reidkit.diagnose.identities import status_counts
from reidkit.diagnose.information import Information, entropy, information
from reidkit.diagnose.inputs import Labelling
from reidkit.diagnose.meanings import MEANING, Meaning
from reidkit.diagnose.pairwise import count_pairs
from reidkit.diagnose.partition import partition_scores

CONVENTIONS = ("dropped", "singletons")


Row = tuple[str, str, str, float]


def score_table(labelling: Labelling, identities: pd.DataFrame, *, permutations: int = 20, seed: int = 0) -> pd.DataFrame:
    """All scores: score, outliers (convention, empty when it plays no part), pairs (all, same-camera, cross-camera), value,
    unit, better, meaning. Undefined values are NaN. `identities` is empty when no truth is known."""
    rows: list[Row] = [(name, "", "", float(value)) for name, value in sizes(labelling).items()]
    rows += [(name, "", "", value) for name, value in camera_scores(labelling, permutations, seed).items()]
    if len(identities):
        rows.append(("identities", "", "", float(len(identities))))
        rows += [(status.replace(" ", "_"), "", "", float(n)) for status, n in status_counts(identities).items()]
        rows.append(("lost", "", "", float(identities["lost"].sum())))
        rows += list(_with_truth(labelling))
    frame = pd.DataFrame(rows, columns=["score", "outliers", "pairs", "value"])
    explained = pd.DataFrame([MEANING[name] for name in frame["score"]], columns=list(Meaning._fields))
    return pd.concat([frame, explained], axis=1)


def sizes(labelling: Labelling) -> dict[str, int | float]:
    """Counts that need no truth."""
    label = labelling.label[labelling.inlier]
    clusters, largest = len(labelling.cluster_names), int(np.bincount(label).max(initial=0))
    cameras = np.bincount(cells(label, labelling.camera[labelling.inlier])[0][0])
    return {
        "images": len(labelling),
        "judged_images": int(labelling.known.sum()),
        "cameras": len(labelling.camera_names),
        "clusters": clusters,
        "outliers": int((~labelling.inlier).sum()),
        "coverage": float(labelling.inlier.mean()),
        "largest_cluster_share": largest / len(labelling),
        "single_camera_clusters": float((cameras == 1).mean()) if clusters else float("nan"),
    }


def camera_scores(labelling: Labelling, permutations: int = 20, seed: int = 0) -> dict[str, float]:
    """What the labels tell about the camera: level, chance, homogeneity, and with truth the floor."""
    kept, bits = labelling.inlier, float(np.log(2.0))
    label, camera = labelling.label[kept], labelling.camera[kept]
    found = information(label, camera, permutations=permutations, seed=seed) if len(label) else Information(*[float("nan")] * 3)
    spread = entropy(camera)
    values = {
        "camera_information": float(found),
        "camera_information_bits": found.bits,
        "camera_information_chance": found.chance,
        "camera_information_chance_sd": found.chance_sd,
        "excess_leakage": found.excess / bits,
        "camera_homogeneity": float(found) / spread if spread > 0 else float("nan"),
        "camera_ami": adjusted_information(label, camera) if spread > 0 else float("nan"),
        "camera_entropy": entropy(labelling.camera),
    }
    known = labelling.known
    if labelling.identity is not None and known.any():
        both = known & kept
        floor = information(labelling.identity[known], labelling.camera[known], permutations=permutations, seed=seed)
        values["camera_floor"] = float(floor)
        values["camera_floor_kept"] = float(information(labelling.identity[both], labelling.camera[both]))
        values["camera_floor_chance"] = floor.chance
        values["excess_leakage_floor"] = floor.excess / bits
    return values


def _with_truth(labelling: Labelling) -> Iterator[Row]:
    assert labelling.identity is not None
    for convention in CONVENTIONS:
        kept = labelling.known & (labelling.inlier if convention == "dropped" else True)
        cluster = as_singletons(labelling.label)[kept]
        yield from _compared(renumbered(cluster), labelling.identity[kept], labelling.camera[kept], convention)


def _compared(cluster: np.ndarray, identity: np.ndarray, camera: np.ndarray, convention: str) -> Iterator[Row]:
    for kind, counted in count_pairs(cluster, identity, camera).items():
        for name in ("precision", "recall", "f1", "ari"):
            yield name, convention, kind, float(getattr(counted, name))
    for kind, shares in bcubed(cluster, identity, camera).items():
        for name, value in zip(("bcubed_precision", "bcubed_recall", "bcubed_f1"), shares):
            yield name, convention, kind, value
    for kind, found in partition_scores(cluster, identity, camera).items():
        for name, value in found.items():
            yield name, convention, kind, value
