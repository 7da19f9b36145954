"""Published networks at their size: what 256 x 128 pixels become, in the map and in the vector that is tested."""

from __future__ import annotations

import numpy as np
import pytest

from reidkit.features import extract
from reidkit.models.resnet import IBN
from reidkit.published import PUBLISHED, published
from tests.toys import toy_records

PARTS = {"SSG": 3, "CANU-SSG": 3, "LF2": 3}  # views side by side; one for the others
STRIDE_TWO = {"UDAP", "SSG", "CANU-SSG"}  # as torchvision has it
NETWORKS = {"MMT-500": 4, "MMT-DBSCAN": 4, "CANU-MMT": 4, "LF2": 2}  # with their averages


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_full_size_has_the_papers_shapes(name: str) -> None:
    """ResNet-50 (IBN-a where the paper has it), maps of 16 x 8 or 8 x 4 places, test vectors of CHK-3.6 and CHK-7.5."""
    entry, records = published(name), toy_records(people=1, cameras=1, shots=2, test_people=0).blind()
    method = entry.build(6, np.arange(4), entry.backbone, 0)
    maps: list[tuple[int, ...]] = []
    backbones = [part for path, part in method.named_modules() if path.endswith("backbone")]
    assert len(backbones) == NETWORKS.get(name, 1)
    for backbone in backbones:
        backbone.register_forward_hook(lambda part, given, made: maps.append(tuple(made.shape[1:])))
    norms = sum(isinstance(part, IBN) for part in backbones[0].modules())
    assert norms == (13 if entry.backbone.endswith("ibn-a") else 0)
    features = extract(method.embed_test, records, size=entry.schedule.size, flip=method.flip, progress=False)
    assert set(maps) == {(2048, 8, 4) if name in STRIDE_TWO else (2048, 16, 8)}
    assert features.dimension == 2048 * PARTS.get(name, 1)
    np.testing.assert_allclose(np.linalg.norm(features.unit().matrix, axis=1), 1, rtol=1e-5)
    assert all(sum(p.numel() for p in backbone.parameters()) == 23_508_032 for backbone in backbones)
    judges = [part for part in method.modules() if type(part).__name__ == "CameraDiscriminator"]
    assert len(judges) == {"CANU-SSG": 3, "CANU-MMT": 2}.get(name, 0)
    assert all(sum(p.numel() for p in judge.parameters()) == 7_358_470 for judge in judges)
