"""k-reciprocal encoding, the sparse Jaccard graph, re-ranking, and the dense teaching version that is their oracle."""

from reidkit.jaccard.build import jaccard_graph
from reidkit.jaccard.cameras import camera_jaccard_graph
from reidkit.jaccard.dense import DenseSteps, dense_jaccard, dense_rerank, dense_steps
from reidkit.jaccard.graph import VARIANTS, JaccardGraph, Variant
from reidkit.jaccard.rerank import rerank
from reidkit.jaccard.source import mix_source, source_proximity

__all__ = [
    "VARIANTS",
    "DenseSteps",
    "JaccardGraph",
    "Variant",
    "camera_jaccard_graph",
    "dense_jaccard",
    "dense_rerank",
    "dense_steps",
    "jaccard_graph",
    "mix_source",
    "rerank",
    "source_proximity",
]
