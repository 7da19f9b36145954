"""CMC, mAP and mINP under named protocols. Exact; imports no torch."""

from reidkit.evaluate.protocols import JUNK, PROTOCOLS
from reidkit.evaluate.ranking import RankingScores, camera_pair_scores, evaluate_features, evaluate_ranking
from reidkit.evaluate.single_gallery_shot import CMC_PROTOCOLS, CmcScores, evaluate_cmc
from reidkit.evaluate.tracklets import CONVENTIONS, Tracklets, evaluate_tracklets, pool_tracklets

__all__ = [
    "CMC_PROTOCOLS",
    "CONVENTIONS",
    "JUNK",
    "PROTOCOLS",
    "CmcScores",
    "RankingScores",
    "Tracklets",
    "camera_pair_scores",
    "evaluate_cmc",
    "evaluate_features",
    "evaluate_ranking",
    "evaluate_tracklets",
    "pool_tracklets",
]
