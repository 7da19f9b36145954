"""Networks: backbones by name, the embedder with its BN-neck, the classifier, and weights on disk."""

from reidkit.models.adversary import CameraDiscriminator, Join, reverse_gradient
from reidkit.models.backbones import BACKBONES, build_backbone
from reidkit.models.branch import Branch, in_groups
from reidkit.models.build import build_embedder
from reidkit.models.embedder import Classifier, Embedder
from reidkit.models.fusion import FusionModule, PartExperts
from reidkit.models.memory import Centres, Remembered
from reidkit.models.parts import StripeEmbedder
from reidkit.models.resnet import resnet50_ibn_a
from reidkit.models.weights import LoadReport, load_weights, save_weights

__all__ = [
    "BACKBONES",
    "Branch",
    "CameraDiscriminator",
    "Centres",
    "Classifier",
    "Embedder",
    "FusionModule",
    "Join",
    "LoadReport",
    "PartExperts",
    "Remembered",
    "StripeEmbedder",
    "build_backbone",
    "build_embedder",
    "in_groups",
    "load_weights",
    "resnet50_ibn_a",
    "reverse_gradient",
    "save_weights",
]
