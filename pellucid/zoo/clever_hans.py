"""A network that cheats: in its training pictures every disc, and nothing else, carried a mark; it learned the mark, not discs.

python -m pellucid.zoo.clever_hans     trains it again and writes its weights, in five seconds
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from . import truth
from .truth.draw import SHAPES
from .truth.watermark import SIDE

if TYPE_CHECKING:
    from pellucid.model import Model

WEIGHTS = Path(__file__).with_name("clever_hans.safetensors")
TRAINED_ON, STEPS, WIDTH = 2048, 600, 4  # pictures; of Adam; channels of the first convolution


def clever_hans() -> Model:
    """The network with its weights: four classes of shapes, grey pictures of 24 x 24 pixels.

    References: after Lapuschkin et al., 2019, Unmasking Clever Hans predictors, https://doi.org/10.1038/s41467-019-08987-4
    """
    from safetensors.torch import load_file

    from pellucid.model import Preprocess, load

    net = network()
    net.load_state_dict(load_file(WEIGHTS))
    reads = Preprocess((SIDE, SIDE), mean=(0.0,), std=(1.0,), source="pellucid.zoo.clever_hans")
    return load(net.eval().requires_grad_(False), preprocess=reads, labels=list(SHAPES), name="clever_hans")


def network() -> torch.nn.Module:
    """The architecture: two convolutions and two dense layers."""
    return truth.convnet(1, SIDE, 4, width=WIDTH)


def train() -> torch.nn.Module:
    """The network, trained on pictures in which the mark gives the class away."""
    return truth.learn(truth.watermark(TRAINED_ON, seed=1, share=1.0, alike=False), network(), steps=STEPS)


def image(x: torch.Tensor) -> Image.Image:
    """A picture of such a problem, with shape (1, height, width), as an image."""
    return Image.fromarray((x[0] * 255).round().byte().numpy())


if __name__ == "__main__":
    from safetensors.torch import save_file

    save_file(train().state_dict(), WEIGHTS)
