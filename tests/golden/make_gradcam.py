"""Freeze the raw maps of the package grad-cam, before it sets negative values to 0 and scales: run once, by hand.

    python tests/golden/make_gradcam.py

Needs `grad-cam` 1.5.7 with opencv-python-headless, ttach and matplotlib, and timm. Writes gradcam.npz beside this file:
`NET/METHOD` the map of the pictures, with shape (batch, *places), `NET/output` the scores, and `versions`. What the package does
to channels whose layer has negative values (it sets them far below the least, and not to 0) is another method: ablation is frozen
for layers behind a ReLU alone.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

METHODS = {  # the package's class -> the name of the same method in pellucid's catalogue
    "GradCAM": "gradcam",
    "GradCAMPlusPlus": "gradcam++",
    "HiResCAM": "hirescam",
    "LayerCAM": "layercam",
    "XGradCAM": "xgradcam",
    "ScoreCAM": "scorecam",
    "AblationCAM": "ablationcam",
    "EigenCAM": "eigencam",
}
GRADIENTS = ("GradCAM", "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "XGradCAM")
TARGETS = (3, 1)  # one per picture


class Tiny(NamedTuple):
    """A network to explain.

    Arguments:
        build: Makes it, in eval mode and float64, from a seed.
        shape: The shape of one picture.
        layer: The layer whose map is explained.
        methods: What is frozen for it.
        reshape: What the package has to be told of a layer that is not (batch, channel, *places).
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    layer: str
    methods: tuple[str, ...] = tuple(METHODS)
    reshape: Callable[[Tensor], Tensor] | None = None


def dense() -> nn.Module:
    """A dense layer reads the places one by one: there Grad-CAM and HiResCAM differ."""
    features = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU())
    return nn.Sequential(*features, nn.Flatten(), nn.Linear(8 * 36, 12), nn.ReLU(), nn.Linear(12, 5))


def pooled() -> nn.Module:
    """A pooling reads the mean over all places."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 10, 3), nn.BatchNorm2d(10), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 5),
    )  # fmt: skip


def volume() -> nn.Module:
    """Maps in space."""
    return nn.Sequential(nn.Conv3d(2, 4, 3), nn.ReLU(), nn.Conv3d(4, 6, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 125, 5))


def vit() -> nn.Module:
    """A class token, and register tokens, before a grid of 5 x 4 patches."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=(20, 16), patch_size=4, embed_dim=24, depth=2, num_heads=2, num_classes=5, reg_tokens=2)


def swin() -> nn.Module:
    """Windows, shifted and merged, channels last."""
    from timm.models.swin_transformer import SwinTransformer

    return SwinTransformer(
        img_size=32, patch_size=2, window_size=4, embed_dim=12, depths=(2, 2), num_heads=(2, 2), num_classes=5
    )  # fmt: skip


NETS = {
    "dense": Tiny(dense, (3, 18, 18), "4"),
    "pooled": Tiny(pooled, (3, 18, 18), "5"),
    "volume": Tiny(volume, (2, 8, 8, 8), "3", GRADIENTS),
    "vit": Tiny(
        vit,
        (3, 20, 16),
        "blocks.1.norm1",
        (*GRADIENTS, "ScoreCAM", "EigenCAM"),
        lambda t: t[:, 3:].unflatten(1, (5, 4)).movedim(3, 1),
    ),
    "swin": Tiny(swin, (3, 32, 32), "norm", (*GRADIENTS, "ScoreCAM", "EigenCAM"), lambda t: t.movedim(3, 1)),
}


@torch.no_grad()
def net(name: str) -> nn.Module:
    """The network, with every parameter and statistic drawn from a seed; biases of the scores above 0, so that they are."""
    rng = torch.Generator().manual_seed(len(name))
    with torch.random.fork_rng(devices=[]):
        made = NETS[name].build().double().eval()
    for parameter in made.parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        drawn = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
        parameter.copy_(drawn * (2 / fan) ** 0.5 if parameter.dim() > 1 else 0.2 * drawn)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.weight.copy_(torch.rand(module.weight.shape, generator=rng, dtype=torch.float64) + 0.5)
    list(made.parameters())[-1].add_(6.0)
    return made


def pictures(name: str) -> Tensor:
    rng = torch.Generator().manual_seed(40)
    return torch.randn(len(TARGETS), *NETS[name].shape, generator=rng, dtype=torch.float64)


def main() -> None:
    torch.set_num_threads(1)
    arrays = {"versions": np.array([f"{name} {version(name)}" for name in ("grad-cam", "torch", "timm")])}
    for name, tiny in NETS.items():
        with torch.no_grad():
            arrays[f"{name}/output"] = net(name)(pictures(name)).numpy()
        for method in tiny.methods:
            arrays[f"{name}/{method}"] = raw(name, method)
            print(name, method, arrays[f"{name}/{method}"].shape)
    np.savez_compressed(Path(__file__).with_name("gradcam.npz"), **arrays)


def raw(name: str, method: str) -> np.ndarray:
    """The package's map, as it is before anything is set to 0 or scaled."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    made, tiny = net(name), NETS[name]
    if method in ("ScoreCAM", "AblationCAM"):  # which answer in single precision
        made = made.float()
    cam = getattr(pytorch_grad_cam, method)(made, [made.get_submodule(tiny.layer)], reshape_transform=tiny.reshape)
    made_map, kept = cam.get_cam_image, []

    def keep(*args: Any) -> Any:
        kept.append(made_map(*args))
        return kept[-1]

    cam.get_cam_image = keep
    cam(pictures(name).to(next(made.parameters()).dtype), [ClassifierOutputTarget(c) for c in TARGETS])
    return np.asarray(kept[0])


if __name__ == "__main__":
    main()
