"""CUHK01: unpack and verify a copy that you hold.

python data_scripts/cuhk01.py                                     # the card
python data_scripts/cuhk01.py --root FOLDER --accept-terms
python data_scripts/cuhk01.py --archive FILE --out FOLDER --accept-terms
"""

import sys

from prepare import prepare

if __name__ == "__main__":
    sys.exit(prepare("cuhk01"))
