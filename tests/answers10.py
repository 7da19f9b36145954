"""Answers to the exercises of lesson 10, written in other ways than the library's, and wrong ones that people give."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

# ------------------------------------------------------------------------------------------------- 10-warmup: cameras


def normalised_by_groups(features, cameras, min_images):
    frame = pd.DataFrame(features)
    by_camera = frame.groupby(cameras)
    enough = by_camera.transform("size").to_numpy()[:, None] >= min_images
    mean = np.where(enough, by_camera.transform("mean"), frame.mean())
    deviation = np.where(enough, by_camera.transform(lambda column: column.std(ddof=0)), frame.std(ddof=0))
    return (features - mean) / np.clip(deviation, 1e-6, None)


def normalised_by_sums(features, cameras, min_images):
    member = (cameras[:, None] == cameras[None]).astype(float)
    member[member.sum(1) < min_images] = 1.0
    member /= member.sum(1, keepdims=True)
    mean = member @ features
    variance = np.einsum("ij,ijd->id", member, (features[None] - mean[:, None]) ** 2)
    return ((features - mean) / np.maximum(np.sqrt(variance), 1e-6)).tolist()


def normalised_by_scaler(features, cameras, min_images):
    """scikit-learn leaves constant columns undivided, camera by camera; no way out for a rare camera."""
    result = np.empty_like(features)
    for camera in set(cameras.tolist()):
        result[cameras == camera] = StandardScaler().fit_transform(features[cameras == camera])
    return result


def normalised_globally(features, cameras, min_images):
    return (features - features.mean(0)) / np.maximum(features.std(0), 1e-6)


def normalised_over_dimensions(features, cameras, min_images):
    result = np.empty_like(features)
    for camera in np.unique(cameras):
        rows = cameras == camera
        known = features[rows] if rows.sum() >= min_images else features
        result[rows] = (features[rows] - known.mean()) / max(known.std(), 1e-6)
    return result


def normalised_by_variance(features, cameras, min_images):
    result = np.empty_like(features)
    for camera in np.unique(cameras):
        rows = cameras == camera
        known = features[rows] if rows.sum() >= min_images else features
        result[rows] = (features[rows] - known.mean(0)) / np.maximum(known.var(0), 1e-6)
    return result


# ------------------------------------------------------------------------------------------------- 10-core: selection


def selected_by_counting(labels, cameras, min_size):
    images = Counter(labels.tolist())
    views = Counter(label for label, _ in set(zip(labels.tolist(), cameras.tolist())))
    kept = sorted(label for label in images if label >= 0 and images[label] >= min_size and views[label] > 1)
    return [kept.index(label) if label in kept else -1 for label in labels.tolist()]


def selected_by_frame(labels, cameras, min_size):
    frame = pd.DataFrame({"label": labels, "camera": cameras})
    by_label = frame.groupby("label")["camera"]
    fit = (by_label.transform("size") >= min_size) & (by_label.transform("nunique") > 1) & (labels != -1)
    chosen = pd.Series(np.where(fit, labels, -1))
    names = {old: new for new, old in enumerate(sorted(set(chosen) - {-1}))}
    return chosen.map(names).fillna(-1).astype(int).to_numpy()


def selected_without_renaming(labels, cameras, min_size):
    kept = [k for k in set(labels.tolist()) - {-1} if (labels == k).sum() >= min_size and len(set(cameras[labels == k])) > 1]
    return np.where(np.isin(labels, kept), labels, -1)


def selected_by_size(labels, cameras, min_size):
    return selected_by_counting(labels, np.arange(len(labels)), min_size)


def selected_by_cameras_in_size(labels, cameras, min_size):
    """`min_size` different cameras are asked for."""
    kept = sorted(k for k in set(labels.tolist()) - {-1} if len(set(cameras[labels == k])) >= min_size)
    return np.array([kept.index(k) if k in kept else -1 for k in labels.tolist()])


def selected_either_way(labels, cameras, min_size):
    """Large enough *or* seen by two cameras."""
    kept = [k for k in set(labels.tolist()) - {-1} if (labels == k).sum() >= min_size or len(set(cameras[labels == k])) > 1]
    return np.array([sorted(kept).index(k) if k in kept else -1 for k in labels.tolist()])


# ------------------------------------------------------------------------------------------------- 10-stretch: stopping


def _rand_index(before, after):
    """Adjusted, from pairs; 1 for two trivial groupings that agree."""
    pairs = list(combinations(range(len(before)), 2))
    a = np.array([before[i] == before[j] for i, j in pairs])
    b = np.array([after[i] == after[j] for i, j in pairs])
    expected, largest = a.sum() * b.sum() / max(len(pairs), 1), (a.sum() + b.sum()) / 2
    return 1.0 if largest == expected else ((a & b).sum() - expected) / (largest - expected)


def _still(before, after, agreement, share=0.01):
    both = [i for i in range(len(before)) if before[i] >= 0 and after[i] >= 0]
    if not both or abs(sum(after >= 0) - sum(before >= 0)) > share * len(before):
        return False
    return _rand_index(before[both], after[both]) >= agreement


def trained_by_pairs(labelings, patience, agreement):
    row = ["x" if _still(before, after, agreement) else "." for before, after in pairwise(labelings)]
    at = "".join(row).find("x" * patience)
    return len(labelings) if at < 0 else at + patience + 1


def trained_by_recursion(labelings, patience, agreement, still=0):
    if still == patience or len(labelings) == 1:
        return 1
    still = still + 1 if _still(labelings[0], labelings[1], agreement) else 0
    return 1 + trained_by_recursion(labelings[1:], patience, agreement, still)


def trained_by_total(labelings, patience, agreement):
    still = 0
    for step, (before, after) in enumerate(pairwise(labelings), 1):
        still += _still(before, after, agreement)
        if still >= patience:
            return step + 1
    return len(labelings)


def trained_by_equality(labelings, patience, agreement):
    row = "".join("x" if (before == after).all() else "." for before, after in pairwise(labelings))
    at = row.find("x" * patience)
    return len(labelings) if at < 0 else at + patience + 1


def trained_whatever_is_kept(labelings, patience, agreement):
    row = "".join("x" if _still(before, after, agreement, share=1.0) else "." for before, after in pairwise(labelings))
    at = row.find("x" * patience)
    return len(labelings) if at < 0 else at + patience + 1


RIGHT = {
    "10-warmup": (normalised_by_groups, normalised_by_sums),
    "10-core": (selected_by_counting, selected_by_frame),
    "10-stretch": (trained_by_pairs, trained_by_recursion),
}
WRONG = {
    "10-warmup": (normalised_by_scaler, normalised_globally, normalised_over_dimensions, normalised_by_variance),
    "10-core": (selected_without_renaming, selected_by_size, selected_by_cameras_in_size, selected_either_way),
    "10-stretch": (trained_by_total, trained_by_equality, trained_whatever_is_kept),
}
