"""PersonX: unpack and verify a copy.

python data_scripts/personx.py                                     # the card
python data_scripts/personx.py --root FOLDER --accept-terms
python data_scripts/personx.py --archive FILE --out FOLDER --accept-terms
"""

import sys

from prepare import prepare

if __name__ == "__main__":
    sys.exit(prepare("personx"))
