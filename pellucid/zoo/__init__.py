"""Built-in models and photographs; in truth/ problems with known answers. Other sources of models: `model.sources`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.model import Model

HERE = Path(__file__).parent

MODELS = {
    "efficientnet_lite0": "EfficientNet-Lite0, the 1000 classes of ImageNet, 4.7 million parameters (extra: demo)",
    "efficientnet_lite1": "EfficientNet-Lite1, the 1000 classes of ImageNet, 5.4 million (extra: zoo)",
    "efficientnet_lite2": "EfficientNet-Lite2, the 1000 classes of ImageNet, 6.1 million (extra: zoo)",
}


def efficientnet_lite0() -> Model:
    """EfficientNet-Lite0 with its ImageNet weights, in eval mode, with preprocessing and labels.

    Raises:
        MissingExtra: The package with the weights is not installed.
    """
    return _pretrained(0)


def efficientnet_lite1() -> Model:
    """The same with 240 pixels a side, a little deeper."""
    return _pretrained(1)


def efficientnet_lite2() -> Model:
    """The same with 260 pixels a side, deeper and wider."""
    return _pretrained(2)


def _pretrained(number: int) -> Model:
    from .efficientnet import pretrained  # here, because it brings torch

    return pretrained(number)


def pictures() -> dict[str, Path]:
    """Photographs with a clear class, by name: `chelsea`, an Egyptian cat, and `coffee`, an espresso.

    Example:
        >>> sorted(pictures())
        ['chelsea', 'coffee']
    """
    return {path.stem: path for path in sorted((HERE / "pictures").glob("*.jpg"))}


def patch_statistics() -> Path:
    """How the colours of neighbouring pixels go together in these photographs, at 224 x 224: a file for `pl.perturb`.

    `python -m pellucid.methods.perturb.imputers.photographs` makes it.
    """
    return HERE / "patches.safetensors"
