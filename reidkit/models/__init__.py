"""Networks: backbones by name, the embedder with its BN-neck, the classifier, and weights on disk."""

from reidkit.models.backbones import BACKBONES, build_backbone
from reidkit.models.build import build_embedder
from reidkit.models.embedder import Classifier, Embedder
from reidkit.models.resnet import resnet50_ibn_a
from reidkit.models.weights import LoadReport, load_weights, save_weights

__all__ = [
    "BACKBONES",
    "Classifier",
    "Embedder",
    "LoadReport",
    "build_backbone",
    "build_embedder",
    "load_weights",
    "resnet50_ibn_a",
    "save_weights",
]
