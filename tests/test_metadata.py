"""What is said of a model and does not fit it: other numbers of channels, builders of what is whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.errors import ModelError, PictureError


def network(channels: int) -> nn.Module:
    """As timm leaves a network that was made for other channels than its configuration says."""
    net = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    size = {"input_size": (3, 12, 12), "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}
    net.pretrained_cfg = {**size, "first_conv": "0", "architecture": "small", "crop_pct": 1.0}  # type: ignore[assignment]
    return net


@pytest.mark.parametrize("channels", [1, 16])
def test_a_scale_of_other_channels_is_left_out_and_told(channels: int) -> None:
    net, x = network(channels), torch.rand(1, channels, 12, 12)
    for method in ("lrp", "lrp.epsilon_gamma_box", "deep_taylor", "occlusion"):
        e = pl.explain(net, x, 1, method)
        assert e.values.shape == x.shape and "its scale is left out" in e.caption()
    assert pl.maximize(net, 1, "simonyan2013", steps=1).images.shape == (1, channels, 12, 12)
    assert pl.load(network(3)).preprocess is not None


def test_a_preprocessing_of_ones_own_may_have_any_channels() -> None:
    how = pl.Preprocess((12, 12), mean=(0.5,) * 16, std=(0.25,) * 16)
    x = torch.rand(1, 16, 12, 12)
    assert pl.explain(pl.load(network(16), preprocess=how), x, 1, "lrp.epsilon_gamma_box").values.shape == x.shape
    with pytest.raises(PictureError, match="16 channels"):
        pl.load(network(16), preprocess=how).read(torch.zeros(20, 20, 3, dtype=torch.uint8).numpy())
    three = pl.Preprocess((12, 12), mean=(0.5,) * 3, std=(0.25,) * 3)
    assert "preprocessing 3" in pl.explain(pl.load(network(16), preprocess=three), x, 1, "deep_taylor").caption()


@pytest.mark.parametrize("source", ["efficientnet_lite0", "timm:resnet10t?random", nn.Linear(2, 2)])
def test_a_builder_for_what_is_whole_is_refused(source: object) -> None:
    with pytest.raises(ModelError, match="which is whole"):
        pl.load(source, builder=lambda: nn.Linear(2, 2))  # type: ignore[arg-type]
