"""Each method as its paper ran it: network, recipe, schedule, and the rows of its ablation tables."""

from reidkit.published.ablations import ABLATIONS, Row, ablation, ablation_table
from reidkit.published.settings import PUBLISHED, Published, published

__all__ = ["ABLATIONS", "PUBLISHED", "Published", "Row", "ablation", "ablation_table", "published"]
