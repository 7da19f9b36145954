"""The shared epoch loop, its checkpoints and its guards."""

from reidkit.training.checkpoint import load_model
from reidkit.training.draw import Companion
from reidkit.training.fit import fit
from reidkit.training.judge import Judge, cosine_distance, judge_on, rank
from reidkit.training.schedule import Schedule

__all__ = ["Companion", "Judge", "Schedule", "cosine_distance", "fit", "judge_on", "load_model", "rank"]
