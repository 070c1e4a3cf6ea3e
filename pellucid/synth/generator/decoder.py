"""Decoder: a network from codes to pictures, and the critic that distinguishes these from real ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from pellucid.errors import MethodError
from ..canvas.latent import RESIZE

N = TypeVar("N", bound=nn.Module)
CONV: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
LEAST, MOST = 4, 512  # places a side at the start of a decoder; channels of a map
HIDDEN = 4096  # the width of the published dense layers, which ours have at most


@dataclass(frozen=True)
class Architecture:
    """The shapes that a decoder is built from.

    Arguments:
        code: The shape of a code: (features,), or a map (channel, height, width), (channel, length).
        picture: The shape of a picture: (channel, height, width), (channel, length), (features,).
        width: Channels of its finest maps; they double with each halving of the sides, up to 512.
        bounded: Whether pictures lie in [0, 1].

    Raises:
        MethodError: no decoder leads from such codes to such pictures.
    """

    code: tuple[int, ...]
    picture: tuple[int, ...]
    width: int = 32
    bounded: bool = True

    def __post_init__(self) -> None:
        vector, alike = len(self.code) == 1, len(self.code) == len(self.picture)
        if not (vector or alike) or min(*self.code, *self.picture) < 1 or len(self.picture) > 4 or self.width < 1:
            found = f"codes of shape {self.code}, pictures of shape {self.picture}, width {self.width}"
            raise MethodError(
                "A decoder", found, "codes are vectors, or maps with as many axes as pictures have",
                "Choose a layer that returns such a value: at=..., and a width of 1 or more.",
            )  # fmt: skip

    @property
    def start(self) -> tuple[int, ...]:
        """The sides of its first maps: those of the code, or the smallest that double to the picture's."""
        if len(self.code) > 1:
            return self.code[1:]
        return tuple(math.ceil(side / 2 ** max(0, int(math.log2(side / LEAST)))) for side in self.picture[1:])

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """By stage: which sides double. Long sides start doubling first."""
        pairs = zip(self.start, self.picture[1:], strict=True)
        doublings = [max(0, round(math.log2(side / start))) for start, side in pairs]
        stages = max(doublings, default=0)
        return tuple(tuple(2 if stage >= stages - n else 1 for n in doublings) for stage in range(stages))

    def channels(self, stage: int) -> int:
        """Of the maps that go into a stage; the last number is that of the finest maps."""
        return min(MOST, self.width << (len(self.strides) - stage))


class Decoder(nn.Module):
    """Pictures from codes, after DeePSiM: dense layers, then maps that double and are smoothed, leaky units between them.

        standardised code -> hidden dense layers -> first maps -> (convolution 3 x 3, doubled, convolution 3 x 3)*
        picture = sum over all maps, the first to the finest, of what a convolution 1 x 1 makes of them, enlarged

    References: Dosovitskiy and Brox, 2016, Generating images with perceptual similarity metrics based on deep networks,
        https://doi.org/10.48550/arXiv.1602.02644. Departures: (1) Codes are standardised first. (2) As many stages as the picture
        needs, of any number of axes; a side that no doubling reaches is resized to. (3) The output is squashed to [0, 1] where
        pictures have bounds. (4) Maps are doubled by interpolation, since theirs, by strided up-convolutions,
        leave the pattern of a checkerboard (Odena et al., 2016, https://doi.org/10.23915/distill.00003). (5) The picture is a sum
        over sizes, as in Karras et al., 2020, https://doi.org/10.48550/arXiv.1912.04958, so that colours and places are learned
        in the first hundred steps, and fine lines after them.

    Arguments:
        plan: The shapes.
        rng: Where its first weights come from; no other generator is touched.
    """

    center: Tensor
    spread: Tensor
    level: Tensor
    contrast: Tensor

    def __init__(self, plan: Architecture, rng: torch.Generator) -> None:
        nn.Module.__init__(self)
        self.plan = plan
        with torch.device("meta"):  # the usual initialisation would draw from the user's generator
            self.head, self.stages, self.tints = head(plan), stages(plan), tints(plan)
        initialised(self, rng)
        channels = (plan.picture[0], *[1] * (len(plan.picture) - 1))
        self.register_buffer("center", torch.zeros(plan.code[0], *[1] * (len(plan.code) - 1)))
        self.register_buffer("spread", torch.ones_like(self.center))
        self.register_buffer("level", torch.zeros(channels))
        self.register_buffer("contrast", torch.ones(channels))
        with torch.no_grad():
            for tint in self.tints:
                tint.get_parameter("weight").zero_()  # it begins with the mean colour of the data, whatever the code

    def forward(self, codes: Tensor) -> Tensor:
        maps = self.head((codes - self.center) / self.spread)
        picture = self.tints[0](maps)
        for stage, tint in zip(self.stages, self.tints[1:], strict=True):
            maps = stage(maps)
            picture = resize(picture, maps.shape[2:]) + tint(maps)
        picture = self.level + self.contrast * resize(picture, self.plan.picture[1:])
        return torch.sigmoid(picture) if self.plan.bounded else picture


def resize(maps: Tensor, sides: Sequence[int]) -> Tensor:
    """Maps of other sides, smooth between their entries."""
    if tuple(maps.shape[2:]) == tuple(sides):
        return maps
    return nn.functional.interpolate(maps, tuple(sides), mode=RESIZE[len(sides)], align_corners=False)


def head(plan: Architecture) -> nn.Sequential:
    """From codes to the first maps."""
    first = (plan.channels(0), *plan.start)
    if len(plan.code) > 1:
        conv, act = CONV[len(plan.start)], nn.LeakyReLU(0.3)
        layers = [conv(plan.code[0] if i == 0 else first[0], first[0], 3, padding=1) for i in range(2)]
        return nn.Sequential(layers[0], act, layers[1], act)
    hidden = min(HIDDEN, 2 * max(64, plan.code[0]))
    sizes = (plan.code[0], hidden, hidden, math.prod(first))
    dense = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.LeakyReLU(0.3))]
    return nn.Sequential(*dense, *([nn.Unflatten(1, first)] if plan.start else []))


def stages(plan: Architecture) -> nn.ModuleList:
    """From maps to maps of twice the sides."""
    conv, doublings = CONV[len(plan.start)], nn.ModuleList()
    for stage, strides in enumerate(plan.strides):
        into, out = plan.channels(stage), plan.channels(stage + 1)
        narrow, smooth = conv(into, out, 3, padding=1), conv(out, out, 3, padding=1)
        doubled = nn.Upsample(scale_factor=strides, mode=RESIZE[len(strides)], align_corners=False)
        doublings.append(nn.Sequential(narrow, nn.LeakyReLU(0.3), doubled, smooth, nn.LeakyReLU(0.3)))
    return doublings


def tints(plan: Architecture) -> nn.ModuleList:
    """From the maps of each size to their part of the picture, before it is squashed."""
    sizes = [plan.channels(stage) for stage in range(len(plan.strides) + 1)]
    if not plan.start:
        return nn.ModuleList([nn.Linear(size, plan.picture[0]) for size in sizes])
    return nn.ModuleList([CONV[len(plan.start)](size, plan.picture[0], 1) for size in sizes])


def critic(plan: Architecture, rng: torch.Generator) -> nn.Module:
    """A small network that scores how real pictures look: strided convolutions, then one dense layer."""
    channels, sides, width = plan.picture[0], plan.picture[1:], max(16, plan.width // 2)
    parts: list[nn.Module] = []
    with torch.device("meta"):
        while sides and max(sides) > LEAST:
            parts += [CONV[len(sides)](channels, width, 4, stride=2, padding=1 + (min(sides) < 2)), nn.LeakyReLU(0.2)]
            sides = tuple((side + 2 * (1 + (min(sides) < 2)) - 4) // 2 + 1 for side in sides)
            channels, width = width, min(MOST // 2, 2 * width)
        size = channels * math.prod(sides)
        parts += [nn.Flatten()] if sides else [nn.Linear(size, 4 * width), nn.LeakyReLU(0.2)]
        net = nn.Sequential(*parts, nn.Linear(size if sides else 4 * width, 1))
    return initialised(net, rng)


def channels_last(net: N) -> N:
    """The network with convolutions in channels-last layout, which saves a third of the time on a CPU."""
    for weight in net.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return net


def initialised(net: nn.Module, rng: torch.Generator) -> nn.Module:
    """The network on the CPU, its weights drawn from `rng`: normal, of the variance that leaky units keep; its offsets zero."""
    net.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in net.parameters():
            fan = math.prod(parameter.shape[1:]) if parameter.dim() > 1 else 0  # the entries a weight sums over; no offset does
            parameter.normal_(0, math.sqrt(2 / (1 + 0.3**2) / fan), generator=rng) if fan else parameter.zero_()
    return net
