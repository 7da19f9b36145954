"""Pictures: strict decoding, the papers' views, samplers and batches."""

from reidkit.images.batches import iterate_batches, load_batch
from reidkit.images.decode import check_images, decode
from reidkit.images.samplers import SAMPLERS, sampler
from reidkit.images.views import MEAN, STD, VIEWS, View, make_view

__all__ = [
    "MEAN",
    "SAMPLERS",
    "STD",
    "VIEWS",
    "View",
    "check_images",
    "decode",
    "iterate_batches",
    "load_batch",
    "make_view",
    "sampler",
]
