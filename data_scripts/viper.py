"""VIPeR: unpack and verify a copy that you hold.

python data_scripts/viper.py                                     # the card
python data_scripts/viper.py --root FOLDER --accept-terms
python data_scripts/viper.py --archive FILE --out FOLDER --accept-terms
"""

import sys

from prepare import prepare

if __name__ == "__main__":
    sys.exit(prepare("viper"))
