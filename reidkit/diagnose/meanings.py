"""The name, unit, direction and meaning of every score."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """Unit, which way is better (``higher``, ``lower`` or empty), and what a score says."""

    unit: str
    better: str
    meaning: str


MEANING: dict[str, Meaning] = {
    "images": Meaning("images", "", "images diagnosed"),
    "judged_images": Meaning("images", "", "images of known identity; scores with truth use these"),
    "cameras": Meaning("cameras", "", "cameras"),
    "clusters": Meaning("clusters", "", "clusters, outliers not counted"),
    "outliers": Meaning("images", "lower", "images without a cluster"),
    "coverage": Meaning("share", "higher", "share of images with a cluster"),
    "largest_cluster_share": Meaning("share", "", "share of all images in the largest cluster"),
    "single_camera_clusters": Meaning("share", "lower", "share of clusters with images of one camera only"),
    "camera_information": Meaning("nats", "lower", "I(label; camera) over images with a cluster"),
    "camera_information_bits": Meaning("bits", "lower", "the same in bits"),
    "camera_information_chance": Meaning("nats", "", "its mean when labels are permuted within the same cluster sizes"),
    "camera_information_chance_sd": Meaning("nats", "", "standard deviation of those permuted values"),
    "excess_leakage": Meaning("bits", "lower", "I(label; camera) minus its permuted mean, bits an image"),
    "camera_homogeneity": Meaning("share", "lower", "I(label; camera) / H(camera); 1: the cluster gives the camera away"),
    "camera_ami": Meaning("share", "lower", "adjusted mutual information of label and camera"),
    "camera_entropy": Meaning("nats", "", "H(camera) over all images"),
    "camera_floor": Meaning("nats", "", "I(identity; camera): people do not visit all cameras; all judged images"),
    "camera_floor_kept": Meaning("nats", "", "the same over judged images with a cluster"),
    "camera_floor_chance": Meaning("nats", "", "its mean when identities are permuted"),
    "excess_leakage_floor": Meaning("bits", "", "I(identity; camera) minus its permuted mean: the excess of perfect labels"),
    "identities": Meaning("identities", "", "true identities"),
    "kept": Meaning("identities", "higher", "one of its own clusters holds more than half of its images"),
    "split_by_camera": Meaning("identities", "lower", "several own clusters with disjoint cameras"),
    "split_otherwise": Meaning("identities", "lower", "own clusters, but none holds more than half of its images"),
    "swallowed": Meaning("identities", "lower", "in clusters, but the majority of none"),
    "unseen": Meaning("identities", "lower", "every image an outlier: lost as CANU-ReID counts"),
    "lost": Meaning("identities", "lower", "swallowed or unseen"),
    "precision": Meaning("share", "higher", "pairs in one cluster that are of one identity"),
    "recall": Meaning("share", "higher", "pairs of one identity that are in one cluster"),
    "f1": Meaning("share", "higher", "harmonic mean of pairwise precision and recall"),
    "ari": Meaning("share", "higher", "adjusted Rand index (for a kind of pairs: from the confusion of those pairs)"),
    "bcubed_precision": Meaning("share", "higher", "mean share of an image's cluster that has its identity"),
    "bcubed_recall": Meaning("share", "higher", "mean share of an image's identity that is in its cluster"),
    "bcubed_f1": Meaning("share", "higher", "harmonic mean of the two"),
    "purity": Meaning(
        "share", "higher", "images of the main identity of their cluster (see `partition` for what kinds of pairs mean)"
    ),
    "inverse_purity": Meaning("share", "higher", "images in the main cluster of their identity"),
    "purity_f1": Meaning("share", "higher", "harmonic mean of the two"),
    "homogeneity": Meaning("share", "higher", "1 - H(identity | cluster) / H(identity)"),
    "completeness": Meaning("share", "higher", "1 - H(cluster | identity) / H(cluster)"),
    "v_measure": Meaning("share", "higher", "harmonic mean of homogeneity and completeness"),
    "nmi": Meaning("share", "higher", "normalised mutual information, arithmetic mean (equals V; rises with the clusters)"),
    "ami": Meaning("share", "higher", "adjusted mutual information: NMI corrected for chance"),
    "silhouette": Meaning("share", "higher", "mean silhouette in the graph, outliers as one group, -1 to 1"),
    "silhouette_clustered": Meaning("share", "", "the same over images with a cluster only: misleading, likes strict radii"),
}
