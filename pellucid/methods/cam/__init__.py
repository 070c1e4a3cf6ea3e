"""Class activation maps: where, in one layer of a network, the evidence for a class lies; and maps of attention weights."""

from .ablationcam import AblationCAM
from .base import CAM
from .chefer import Chefer
from .eigencam import EigenCAM
from .gradcam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from .rollout import AttentionRollout
from .scorecam import ScoreCAM

__all__ = [
    "CAM",
    "AblationCAM",
    "AttentionRollout",
    "Chefer",
    "EigenCAM",
    "GradCAM",
    "GradCAMPlusPlus",
    "HiResCAM",
    "LayerCAM",
    "ScoreCAM",
    "XGradCAM",
]
