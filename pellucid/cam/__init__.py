"""Class activation maps: where, in one layer of a network, the evidence for a class lies."""

from .ablationcam import AblationCAM
from .cam import CAM
from .eigencam import EigenCAM
from .gradcam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from .scorecam import ScoreCAM

__all__ = ["CAM", "AblationCAM", "EigenCAM", "GradCAM", "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "ScoreCAM", "XGradCAM"]
