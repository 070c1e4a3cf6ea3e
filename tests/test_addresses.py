"""Layers are named by paths and by the modules themselves, and their channels are found where they stand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import TargetError, WhereError


def kept(net: nn.Module, layer: nn.Module, x: Tensor) -> Tensor:
    """What a module returns, by a hook."""
    found: list[Tensor] = []
    hook = layer.register_forward_hook(
        lambda m, i, out: found.append((out[0] if isinstance(out, tuple) else out).detach().clone())
    )
    net(x)
    hook.remove()
    return found[-1]


class Rows(nn.Module):
    """Tokens, with channels on the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.act, self.recurrent, self.out = (
            nn.Linear(4, 9),
            nn.GELU(),
            nn.LSTM(9, 5, batch_first=True),
            nn.Linear(5, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.recurrent(self.act(self.embed(x)))[0][:, -1])
        return out


class Maps(nn.Module):
    """Maps with channels last inside, as ConvNeXt and Swin have them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.wide, self.act = nn.Conv2d(3, 6, 2, 2), nn.LayerNorm(6), nn.Linear(6, 7), nn.GELU()
        self.back, self.out = nn.Conv2d(7, 4, 1), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.wide(self.norm(self.stem(x).permute(0, 2, 3, 1))))
        out: Tensor = self.out(self.back(x.permute(0, 3, 1, 2)).mean((2, 3)))
        return out


def first(n: int = 0) -> nn.Module:
    torch.manual_seed(n)
    return nn.Sequential(nn.Conv1d(2, 6, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(36, 2)).eval()


CASES: list[tuple[type[nn.Module] | Any, tuple[int, ...], dict[str, int]]] = [
    (Rows, (2, 7, 4), {"embed": -1, "act": -1, "recurrent": -1}),
    (Maps, (2, 3, 8, 8), {"stem": 1, "norm": -1, "wide": -1, "act": -1, "back": 1}),
    (first, (2, 2, 14), {"0": 1, "1": 1, "2": 1}),
]


@pytest.mark.parametrize("make, shape, layers", CASES)
def test_a_channel_is_a_channel_wherever_it_stands(make: Any, shape: tuple[int, ...], layers: dict[str, int]) -> None:
    torch.manual_seed(0)
    net, x = make().eval(), torch.randn(shape)
    for path, axis in layers.items():
        module = net.get_submodule(path)
        means = kept(net, module, x).movedim(axis, 1)[:, 3].flatten(1).mean(1)
        for at in (path, module):
            for method in ("gradient_x_input", "shapley" if len(shape) < 4 and path == "act" else "lrp"):
                e = pl.explain(net, x, pl.channel(at, 3), method)
                torch.testing.assert_close(e.output, means, atol=1e-5, rtol=1e-4)
        p = pl.maximize(net, f"{path}:3", "simonyan2013", shape=shape[1:], bounds=(0, 1), steps=1)
        there = kept(net, module, p.images).movedim(axis, 1)[:, 3].flatten(1).mean(1)
        torch.testing.assert_close(p.scores, there, atol=1e-5, rtol=1e-4)
        assert f"channel 3 of {path}" in p.targets[0]


def test_the_other_axis_can_be_asked_for_and_errors_count_channels() -> None:
    net, x = Rows().eval(), torch.randn(1, 7, 4)
    value = kept(net, net.act, x)  # type: ignore[arg-type]
    torch.testing.assert_close(pl.explain(net, x, pl.channel("act", 3, axis=1), "gradient_x_input").output, value[:, 3].mean(1))
    with pytest.raises(TargetError, match="channels run 0-8 along the last axis"):
        pl.explain(net, x, pl.channel("act", 9), "gradient_x_input")


def test_modules_are_addresses_everywhere() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2)).eval()
    x = torch.rand(1, 3, 8, 8)
    pairs = [
        (pl.explain(net, x, 0, at=net[1]), pl.explain(net, x, 0, at="1")),
        (pl.explain(net, x, 0, at=net[1], only=pl.channels(2)), pl.explain(net, x, 0, at="1", only=pl.channels(2))),
        (pl.explain(net, x, 0, only={net[1]: pl.channels(2)}), pl.explain(net, x, 0, only={"1": pl.channels(2)})),
        (pl.explain(net, x, 0, pl.cam.GradCAM(layer=net[1])), pl.explain(net, x, 0, pl.cam.GradCAM(layer="1"))),
        (pl.explain(net, x, pl.energy(net[3])), pl.explain(net, x, pl.energy("3"))),
        (pl.compare(net, x, ["gradient"], 0, at=net[1])["gradient"], pl.compare(net, x, ["gradient"], 0, at="1")["gradient"]),
    ]
    for by_module, by_path in pairs:
        assert torch.equal(by_module.values, by_path.values) and by_module.caption() == by_path.caption()
    how: dict[str, Any] = {"recipe": "deepdream", "shape": (3, 8, 8), "bounds": (0, 1), "steps": 2}
    assert torch.equal(pl.maximize(net, net[1], **how).images, pl.maximize(net, pl.energy("1"), **how).images)
    assert pl.examples(net, pl.channel(net[1], 2), torch.cat([x, 0 * x]), top=1)[0][0].index in (0, 1)
    for stranger in (nn.ReLU(), net):
        with pytest.raises(WhereError, match="given as a module"):
            pl.explain(net, x, 0, at=stranger)
