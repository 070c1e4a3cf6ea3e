"""Robust: random transformations of pictures (shift, scale, rotation, crop, flip, colour, noise), in one resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.errors import MethodError
from .protocols import Draws
from .random import exact, normal, uniform

EDGES = ("border", "reflect", "wrap")


@dataclass(frozen=True)
class Robust:
    """Each view is the picture jittered, scaled, rotated, cropped and mirrored at random, recoloured and with noise.

    All of the geometry is one affine map per view, and all views of all pictures are resampled at once, with bilinear
    interpolation. Lengths are shares of the sides, so that 28 pixels and 1024 are treated alike; jitter is rounded to whole
    pixels, and alone moves pictures without blurring them. Signals along one axis are moved, scaled and mirrored along it;
    volumes are rotated in the plane of their last two axes; the columns of a table have no place, and only get noise.

    References: Olah et al., 2017, Feature visualization, https://doi.org/10.23915/distill.00007 (jitter, scale, rotate); Fel et
        al., 2023, https://doi.org/10.48550/arXiv.2306.06805 (crops, noise); Ghiasi et al., 2022, Plug-in inversion,
        https://doi.org/10.48550/arXiv.2201.12961 (colour shifts)

    Arguments:
        views: How many versions of a picture are scored in each step.
        jitter: The largest shift, as a share of each side, up and down.
        scale: The least and the greatest magnification.
        rotate: The largest angle, in degrees, either way.
        crop: The side of the box that is kept, as a share of the picture's, enlarged to fill the view: one number, or the
            first and the last of a straight line over `over` steps. 1: the whole picture.
        crop_spread: The standard deviation of a crop's relative side, and, `centre_spread`, of where its centre lies.
        flip: Whether half of the views are mirrored left to right.
        colour: m and s: channels become (x - mean) / std, the mean uniform in [-m, m], the logarithm of std in [-s, s].
        noise: The standard deviation of normal noise on each entry, in the picture's units; two numbers as in `crop`.
        tint: The same for noise that is one number per view and channel.
        over: How many steps the lines of `crop`, `noise` and `tint` take; after that they stay at their ends.
        edge: What lies beyond the picture: "border" repeats its edge, "reflect" mirrors it, "wrap" repeats the picture, and a
            number is a uniform colour.

    Raises:
        MethodError: a setting outside what it can be.

    Example:
        >>> from pellucid.synth.random import generators
        >>> Robust(views=2, jitter=0.25, edge="wrap")(torch.eye(4)[None, None], generators([1]), step=0)[:, 0, 0]
        tensor([[0., 0., 1., 0.],
                [1., 0., 0., 0.]])
    """

    views: int = 1
    jitter: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    rotate: float = 0.0
    crop: float | tuple[float, float] = 1.0
    crop_spread: float = 0.0
    centre_spread: float = 0.0
    flip: bool = False
    colour: tuple[float, float] = (0.0, 0.0)
    noise: float | tuple[float, float] = 0.0
    tint: float | tuple[float, float] = 0.0
    over: int = 1
    edge: float | str = 0.5
    name: ClassVar[str] = "robust"

    def __post_init__(self) -> None:
        rules = {
            "views": (self.views >= 1, "there is one at least"),
            "over": (self.over >= 1, "a line takes one step at least"),
            "jitter": (0 <= self.jitter <= 1, "it is a share of a side, from 0 to 1"),
            "crop": (all(0 < side <= 1 for side in _pair(self.crop)), "it is a share of a side, above 0 and at most 1"),
            "scale": (0.5 <= self.scale[0] <= self.scale[1], "it runs from the least, 0.5 or more, to the greatest"),
            "edge": (not isinstance(self.edge, str) or self.edge in EDGES, f"it is a number or one of {', '.join(EDGES)}"),
        }
        for name, (valid, why) in rules.items():
            if not valid:
                raise MethodError("Robust", f"{name}={getattr(self, name)!r}", why, "Correct it, or take Robust.standard().")

    @classmethod
    def standard(cls, views: int = 1) -> Robust:
        """Lucid's: jitter of 8 and 4 of 128 pixels, scales of 0.9 to 1.1, angles up to 10 degrees, grey beyond the picture."""
        return cls(views, jitter=12 / 128, scale=(0.9, 1.1), rotate=10.0)

    @classmethod
    def none(cls) -> Robust:
        """The picture as it is."""
        return cls()

    @property
    def moves(self) -> bool:
        """Whether there is any geometry."""
        return self.flip or (self.jitter, self.scale, self.rotate, _pair(self.crop)) != (0, (1, 1), 0, (1, 1))

    def __call__(self, pictures: Tensor, draws: Draws, step: int) -> Tensor:
        """Transformed versions (n * views, *shape), those of one picture adjacent; differentiable."""
        views = pictures.repeat_interleave(self.views, 0)
        if self.moves and pictures.dim() > 2:
            views = sample_views(pictures, self._maps(pictures, draws, step), self.edge)
        return self._recoloured(views, draws, step)

    def _maps(self, pictures: Tensor, draws: Draws, step: int) -> Tensor:
        """Affine maps from pixels of a view to those of the picture, both counted from the middle: (n, views, axes, axes + 1)."""
        sides = torch.tensor(pictures.shape[2:], dtype=torch.float32)
        d = len(sides)
        u = uniform(draws, (self.views, 2 * d + 6))
        shift, spot, (zoom, angle, size, flip) = u[..., :d], u[..., d : 2 * d], u[..., 2 * d : 2 * d + 4].unbind(-1)
        reach = (self.jitter * sides).round()
        shift = (shift * (2 * reach + 1)).floor().clamp(max=2 * reach) - reach
        box = (_at(self.crop, step, self.over) + self.crop_spread * _bell(size)).clamp(0.05, 1.0)
        low, high = self.scale
        gain = (box / (low + (high - low) * zoom))[..., None, None] * torch.eye(d)
        mirror = torch.ones(*u.shape[:2], d)
        if self.flip:
            mirror[..., -1] = torch.where(flip < 0.5, -1.0, 1.0)
        turn = _turns(math.radians(self.rotate) * (2 * angle - 1), d)
        centre = (_bell(spot) * self.centre_spread).clamp(-0.5, 0.5) * sides if self.centre_spread else torch.zeros(d)
        room = (1 - box)[..., None] * sides / 2  # crops lie within the picture
        centre = torch.maximum(torch.minimum(centre, room), -room) if self.centre_spread else (2 * spot - 1) * room
        return torch.cat([(turn @ gain) * mirror[..., None, :], (shift + centre)[..., None]], -1)

    def _recoloured(self, views: Tensor, draws: Draws, step: int) -> Tensor:
        exactly, shape, each = exact(views.dtype), tuple(views.shape[1:]), (self.views, views.shape[1])
        spread = (*views.shape[:2], *[1] * (views.dim() - 2))
        if any(self.colour):
            u = 2 * uniform(draws, (2, *each)).to(views.device, exactly).movedim(1, 0) - 1
            mean, log_std = (self.colour[0] * u[0]).reshape(spread), (self.colour[1] * u[1]).reshape(spread)
            views = ((views - mean) * (-log_std).exp()).to(views.dtype)
        tint, noise = _at(self.tint, step, self.over), _at(self.noise, step, self.over)
        if tint:
            views = views + (tint * normal(draws, each)).reshape(spread).to(views)
        if noise:
            views = views + (noise * normal(draws, (self.views, *shape))).flatten(0, 1).to(views)
        return views


def sample_views(pictures: Tensor, maps: Tensor, edge: float | str) -> Tensor:
    """Views of pictures through affine maps in pixels from the middle, all in one call: shape (n * views, *shape).

    The views of a picture stand one above the other in one grid, so that the picture is neither copied nor its gradient gathered
    more than once.
    """
    n, channels, *sides = pictures.shape
    flat = len(sides) == 1
    if flat:  # sampling knows planes and volumes
        pictures, maps = pictures[:, :, None], _planar(maps)
    spatial, views = pictures.shape[2:], maps.shape[1]
    if edge == "wrap":
        pictures = functional.pad(pictures, [1] * (2 * len(spatial)), mode="circular")
    ground = 0.0 if isinstance(edge, str) else float(edge)
    mode = {"border": "border", "reflect": "reflection"}.get(str(edge), "zeros")
    grid = _grid(maps.to(pictures.device, exact(pictures.dtype)), spatial, edge == "wrap")
    stacked = grid.reshape(n, views * spatial[0], *spatial[1:], len(spatial)).to(pictures.dtype)
    sampled = functional.grid_sample(pictures - ground, stacked, "bilinear", mode, align_corners=False) + ground
    return sampled.reshape(n, channels, views, *spatial).movedim(2, 1).reshape(n * views, channels, *sides)


def _grid(maps: Tensor, spatial: torch.Size, wrap: bool) -> Tensor:
    """Where each pixel of each view is read, in the units of grid_sample: -1 to 1 from edge to edge, the last axis first."""
    axes = [torch.arange(side, device=maps.device, dtype=maps.dtype) - (side - 1) / 2 for side in spatial]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    sides = torch.tensor(spatial, device=maps.device, dtype=maps.dtype)
    at = torch.einsum("nvij,...j->nv...i", maps[..., :-1], places)
    at = at + maps[..., -1].reshape(*maps.shape[:2], *[1] * len(spatial), len(spatial))
    if wrap:
        at, sides = (at + sides / 2).remainder(sides) - sides / 2, sides + 2
    return (2 * at / sides).flip(-1)


def _planar(maps: Tensor) -> Tensor:
    """Maps of a line as maps of a plane of one row."""
    planar = torch.zeros(*maps.shape[:2], 2, 3, dtype=maps.dtype, device=maps.device)
    planar[..., 1, 1], planar[..., 1, 2] = maps[..., 0, 0], maps[..., 0, 1]
    return planar


def _turns(angle: Tensor, axes: int) -> Tensor:
    """Rotations in the plane of the last two axes; of a line, none."""
    turn = torch.eye(axes).repeat(*angle.shape, 1, 1)
    if axes > 1:
        turn[..., -2, -2] = turn[..., -1, -1] = angle.cos()
        turn[..., -2, -1], turn[..., -1, -2] = -angle.sin(), angle.sin()
    return turn


def _bell(u: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones."""
    bell: Tensor = torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6))
    return bell


def _pair(line: float | tuple[float, float]) -> tuple[float, float]:
    return line if isinstance(line, tuple) else (line, line)


def _at(line: float | tuple[float, float], step: int, over: int) -> float:
    """The value of a linear schedule over so many steps."""
    first, last = _pair(line)
    return first + (last - first) * min(1.0, step / max(1, over - 1))
