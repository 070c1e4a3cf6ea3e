"""Class activation maps of one layer's feature map (`base.py`), and maps of attention weights (`attention_flow.py`).

Which layer is chosen when none is named: `methods/layer_choice.py`.
"""

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
