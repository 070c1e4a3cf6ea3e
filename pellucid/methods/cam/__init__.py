"""Class activation maps: where, in one layer of a network, the evidence for a class lies; and maps of attention weights."""

from .ablationcam import AblationCAM as AblationCAM
from .base import CAM as CAM
from .chefer import Chefer as Chefer
from .eigencam import EigenCAM as EigenCAM
from .gradcam import (
    GradCAM as GradCAM,
    GradCAMPlusPlus as GradCAMPlusPlus,
    HiResCAM as HiResCAM,
    LayerCAM as LayerCAM,
    XGradCAM as XGradCAM,
)
from .rollout import AttentionRollout as AttentionRollout
from .scorecam import ScoreCAM as ScoreCAM
