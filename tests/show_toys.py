"""Small tables of noise pictures, and a view over them."""

import numpy as np
import pandas as pd

from reidkit.records import Records, make_records
from reidkit.show import QueryExplorer


def records(identity: np.ndarray, camera: np.ndarray, seed: int = 0) -> Records:
    pixels = np.random.default_rng(seed).integers(0, 256, (len(identity), 16, 8, 3), np.uint8)
    frame = pd.DataFrame({"path": [f"{seed}-{i}.png" for i in range(len(identity))], "identity": identity, "camera": camera})
    return make_records(frame, pixels=pixels, drawn=True, check_paths=False)


def explorer(case: int = 0, **options: object) -> QueryExplorer:
    generator = np.random.default_rng(case)
    query = records(generator.integers(1, 5, 8), np.r_[0, 1, 2, generator.integers(0, 3, 5)])
    gallery = records(generator.integers(-1, 4, 30), np.r_[0, 1, 2, generator.integers(0, 3, 27)], seed=1)
    return QueryExplorer(generator.random((8, 30)), query, gallery, **options)
