"""What is wrong with a set of pseudo-labels, from contingency counts and sparse graphs; NumPy, pandas, SciPy, scikit-learn."""

from reidkit.diagnose.audit import audit_result, audit_sample
from reidkit.diagnose.autopsy import autopsy
from reidkit.diagnose.calibrate import Case, calibrate_gauges
from reidkit.diagnose.compare import Comparison
from reidkit.diagnose.diagnosis import Diagnosis, diagnose
from reidkit.diagnose.files import diagnose_files
from reidkit.diagnose.funnel import selection_funnel
from reidkit.diagnose.genealogy import fate_table, flow_table, identity_fates
from reidkit.diagnose.history import epoch_table
from reidkit.diagnose.information import Information, mutual_information
from reidkit.diagnose.kept_maps import keep_maps, kept_maps
from reidkit.diagnose.ladder import oracle_ladder
from reidkit.diagnose.map_quality import map_quality
from reidkit.diagnose.panel import panel, reliability
from reidkit.diagnose.part_labels import agreement_table, company_table, meeting_table
from reidkit.diagnose.radii import eps_curve
from reidkit.diagnose.ranking import rank_query
from reidkit.diagnose.records_summary import RecordsSummary, records_summary
from reidkit.diagnose.threshold import Calibration, calibrate_threshold

__all__ = [
    "Calibration",
    "Case",
    "Comparison",
    "Diagnosis",
    "Information",
    "RecordsSummary",
    "agreement_table",
    "audit_result",
    "audit_sample",
    "autopsy",
    "calibrate_gauges",
    "calibrate_threshold",
    "company_table",
    "diagnose",
    "diagnose_files",
    "epoch_table",
    "eps_curve",
    "fate_table",
    "flow_table",
    "identity_fates",
    "keep_maps",
    "kept_maps",
    "map_quality",
    "meeting_table",
    "mutual_information",
    "oracle_ladder",
    "panel",
    "rank_query",
    "records_summary",
    "reliability",
    "selection_funnel",
]
