"""CMC, mAP and mINP under named protocols. Exact; imports no torch."""

from reidkit.evaluate.protocols import JUNK, PROTOCOLS
from reidkit.evaluate.ranking import RankingScores, camera_pair_scores, evaluate_features, evaluate_ranking

__all__ = ["JUNK", "PROTOCOLS", "RankingScores", "camera_pair_scores", "evaluate_features", "evaluate_ranking"]
