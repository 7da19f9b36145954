"""From features and distances to pseudo-labels. Nothing here knows the truth."""

from reidkit.labels.all_eps import AllEps, all_eps
from reidkit.labels.cameras import normalise_by_camera
from reidkit.labels.clustering import ClusterSettings, cluster
from reidkit.labels.density import dbscan, eps_from_closest_pairs
from reidkit.labels.means import kmeans
from reidkit.labels.pseudo import OUTLIER, PseudoLabels, centroids, relabelled, select
from reidkit.labels.reliability import SelfPaced, self_paced
from reidkit.labels.weights import camera_entropy_weights, part_agreement

__all__ = [
    "OUTLIER",
    "AllEps",
    "ClusterSettings",
    "PseudoLabels",
    "SelfPaced",
    "all_eps",
    "camera_entropy_weights",
    "centroids",
    "cluster",
    "dbscan",
    "eps_from_closest_pairs",
    "kmeans",
    "normalise_by_camera",
    "part_agreement",
    "relabelled",
    "select",
    "self_paced",
]
