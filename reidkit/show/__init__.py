"""Pictures: `figures` are static, widgets are live views over the same tables; what they show is computed in `diagnose`."""

from reidkit.show.batch_norm_groups import BatchNormGroups
from reidkit.show.callback import ERRORS, strict
from reidkit.show.camera_information import CameraInformation
from reidkit.show.camera_pair_map import CameraPairMap
from reidkit.show.cluster_gallery import ClusterGallery
from reidkit.show.embedding_map import EmbeddingMap
from reidkit.show.eps_explorer import EpsExplorer
from reidkit.show.feature_looks import FeatureLooks
from reidkit.show.figures import camera_histogram, cmc_curve, contact_sheet, epoch_curves
from reidkit.show.galleries import cluster_gallery, ranking_gallery
from reidkit.show.jaccard_steps import JaccardSteps
from reidkit.show.lost_identities import LostIdentities
from reidkit.show.pair_cam import PairCam
from reidkit.show.part_gallery import PartGallery
from reidkit.show.picture import Picture
from reidkit.show.query_explorer import QueryExplorer
from reidkit.show.records_browser import RecordsBrowser
from reidkit.show.run_history import RunHistory
from reidkit.show.selection import Selection, link
from reidkit.show.table_browser import TableBrowser
from reidkit.show.widget import View, headless

__all__ = [
    "ERRORS",
    "BatchNormGroups",
    "CameraInformation",
    "CameraPairMap",
    "ClusterGallery",
    "EmbeddingMap",
    "EpsExplorer",
    "FeatureLooks",
    "JaccardSteps",
    "LostIdentities",
    "PairCam",
    "PartGallery",
    "Picture",
    "QueryExplorer",
    "RecordsBrowser",
    "RunHistory",
    "Selection",
    "TableBrowser",
    "View",
    "camera_histogram",
    "cluster_gallery",
    "cmc_curve",
    "contact_sheet",
    "epoch_curves",
    "headless",
    "link",
    "ranking_gallery",
    "strict",
]
