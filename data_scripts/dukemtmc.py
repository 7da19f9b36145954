"""DukeMTMC-reID: verify a copy that you already hold. There is no download, and nothing uses the set by default.

python data_scripts/dukemtmc.py                                     # the card
python data_scripts/dukemtmc.py --root FOLDER --accept-terms
"""

import sys

from prepare import prepare

if __name__ == "__main__":
    sys.exit(prepare("dukemtmc"))
