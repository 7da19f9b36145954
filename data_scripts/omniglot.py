"""Omniglot: unpack the published archives and verify them.

python data_scripts/omniglot.py                                     # the card
python data_scripts/omniglot.py --root FOLDER
python data_scripts/omniglot.py --archive FILE --out FOLDER
"""

import sys

from prepare import prepare

if __name__ == "__main__":
    sys.exit(prepare("omniglot"))
