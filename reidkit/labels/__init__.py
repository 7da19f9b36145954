"""From features and distances to pseudo-labels. Nothing here knows the truth."""

from reidkit.labels.all_eps import AllEps, all_eps
from reidkit.labels.cameras import normalise_by_camera
from reidkit.labels.clustering import ClusterSettings, Distance, cluster
from reidkit.labels.density import dbscan, eps_from_closest_pairs
from reidkit.labels.means import kmeans
from reidkit.labels.pseudo import OUTLIER, PseudoLabels, SingleCamera, centroids, relabelled, select, view_centroids
from reidkit.labels.reliability import SelfPaced, self_paced
from reidkit.labels.steps import GridSearch, LabelChange, cluster_step, label_change, search_eps
from reidkit.labels.weights import camera_entropy_weights, part_agreement

__all__ = [
    "OUTLIER",
    "AllEps",
    "ClusterSettings",
    "Distance",
    "GridSearch",
    "LabelChange",
    "PseudoLabels",
    "SelfPaced",
    "SingleCamera",
    "all_eps",
    "camera_entropy_weights",
    "centroids",
    "cluster",
    "cluster_step",
    "dbscan",
    "eps_from_closest_pairs",
    "kmeans",
    "label_change",
    "normalise_by_camera",
    "part_agreement",
    "relabelled",
    "search_eps",
    "select",
    "self_paced",
    "view_centroids",
]
