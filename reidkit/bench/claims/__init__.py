"""`reidkit bench claims`: what the papers of the clustering family say, asked of the synthetic worlds."""

from reidkit.bench.claims.data import CLAIMS, NOT_ASKED, Claim
from reidkit.bench.claims.run import run_claims
from reidkit.bench.claims.verdict import Verdict, judge_claim, verdicts

__all__ = ["CLAIMS", "NOT_ASKED", "Claim", "Verdict", "judge_claim", "run_claims", "verdicts"]
