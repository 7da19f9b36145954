"""Pictures: `figures` are static, widgets are live views over the same tables; what they show is computed in `diagnose`."""

from reidkit.show.callback import ERRORS, strict
from reidkit.show.cluster_gallery import ClusterGallery
from reidkit.show.figures import camera_histogram, cmc_curve, contact_sheet, epoch_curves
from reidkit.show.galleries import cluster_gallery, ranking_gallery
from reidkit.show.picture import Picture
from reidkit.show.query_explorer import QueryExplorer
from reidkit.show.run_history import RunHistory
from reidkit.show.widget import View, headless

__all__ = [
    "ERRORS",
    "ClusterGallery",
    "Picture",
    "QueryExplorer",
    "RunHistory",
    "View",
    "camera_histogram",
    "cluster_gallery",
    "cmc_curve",
    "contact_sheet",
    "epoch_curves",
    "headless",
    "ranking_gallery",
    "strict",
]
