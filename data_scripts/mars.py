"""MARS: verify a copy that you hold.

python data_scripts/mars.py                                     # the card
python data_scripts/mars.py --root FOLDER --accept-terms
python data_scripts/mars.py --archive FILE --out FOLDER --accept-terms
"""

import sys

from prepare import prepare

if __name__ == "__main__":
    sys.exit(prepare("mars"))
