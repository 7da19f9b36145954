"""What is wrong with a set of pseudo-labels, from contingency counts and sparse graphs; NumPy, pandas, SciPy, scikit-learn."""

from reidkit.diagnose.audit import audit_result, audit_sample
from reidkit.diagnose.autopsy import autopsy
from reidkit.diagnose.calibrate import Case, calibrate_gauges
from reidkit.diagnose.compare import Comparison
from reidkit.diagnose.diagnosis import Diagnosis, diagnose
from reidkit.diagnose.files import diagnose_files
from reidkit.diagnose.genealogy import fate_table, flow_table, identity_fates
from reidkit.diagnose.history import epoch_table
from reidkit.diagnose.information import Information, mutual_information
from reidkit.diagnose.ladder import oracle_ladder
from reidkit.diagnose.map_quality import map_quality
from reidkit.diagnose.panel import panel, reliability
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
    "audit_result",
    "audit_sample",
    "autopsy",
    "calibrate_gauges",
    "calibrate_threshold",
    "diagnose",
    "diagnose_files",
    "epoch_table",
    "eps_curve",
    "fate_table",
    "flow_table",
    "identity_fates",
    "map_quality",
    "mutual_information",
    "oracle_ladder",
    "panel",
    "rank_query",
    "records_summary",
    "reliability",
]
