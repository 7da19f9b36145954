"""What is wrong with a set of pseudo-labels, from contingency counts and sparse graphs; NumPy, pandas, SciPy, scikit-learn."""

from reidkit.diagnose.compare import Comparison
from reidkit.diagnose.diagnosis import Diagnosis, diagnose
from reidkit.diagnose.information import Information, mutual_information

__all__ = ["Comparison", "Diagnosis", "Information", "diagnose", "mutual_information"]
