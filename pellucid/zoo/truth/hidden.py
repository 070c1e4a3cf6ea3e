"""Hidden parts: pictures of four parts, some behind occluders that carry no evidence."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from pellucid.errors import MethodError
from .learn import convnet, fit
from .problem import Change, Problem, choose, generator

CLASSES, SLOTS, SIDE, SIZE = 4, 4, 8, 24
CORNERS = ((2, 2), (2, 14), (14, 2), (14, 14))
OCCLUDERS = ("grey", "noise", "zero")
_KINDS = ("zero", "grey", "noise")
GREY, SHADES = 0.5, (0.4, 0.6)


def hidden(n: int = 256, *, seed: int = 0, occluder: str | None = None, visible: int | None = None, world: int = 0) -> Problem:
    """Pictures of a class's four parts, each a binary template of 8 x 8 pixels or an occluder in its place.

    Occluders say nothing of the class, yet taking them away would raise its score. The truth is what is visible. `changes`: what
    lies behind is "revealed", occluders are "drawn anew" (grey ones in another shade), "nothing visible" covers the rest, too.

    References: the argument of Samek et al., 2017, Sec. II, https://doi.org/10.1109/TNNLS.2016.2599820

    Arguments:
        occluder: "zero" (black, as the absence of input), "grey", "noise"; None: one of them for each part anew.
        visible: How many parts are seen; None: between one and all.
        world: The seed of the templates; `hidden_net(world)` has learned them.

    Example:
        >>> p = hidden(8, occluder="grey", visible=1)
        >>> p.masks.flatten(1).sum(1).unique(), p.parts["hidden"].flatten(1).sum(1).unique()
        (tensor([64]), tensor([192]))
    """
    if occluder not in (None, *OCCLUDERS):
        known, do = f"there are {len(OCCLUDERS)}", f"Choose one of {', '.join(OCCLUDERS)}."
        raise MethodError(f"hidden parts behind {occluder!r}", "no such occluder", known, do)
    rng = generator(1_000_003 * (seed + 1) + world)
    labels, seen, fills, ground, shown = _drawn(n, rng, occluder, visible, world)
    own = _templates(world)[labels]
    x = _placed(ground, torch.where(seen, own, fills))[:, None]
    block = torch.ones(n, SLOTS, SIDE, SIDE, dtype=torch.bool)
    nothing = torch.zeros(n, SIZE, SIZE, dtype=torch.bool)
    masks, behind = _placed(nothing, block & seen), _placed(nothing, block & ~seen)
    revealed, covered = _placed(ground, own)[:, None], _placed(ground, fills)[:, None]
    anew = _placed(ground, torch.where(seen, own, _anew(n, occluder, rng)))[:, None]
    changes: dict[str, Change] = {
        "revealed": lambda x: torch.where(behind[:, None], revealed, x),
        "drawn anew": lambda x: torch.where(behind[:, None], anew, x),
        "nothing visible": lambda x: torch.where(masks[:, None], covered, x),
    }
    name, names = f"hidden.{occluder or 'mixed'}", tuple(f"class {i}" for i in range(CLASSES))
    return Problem(name, x, labels, masks, names, parts={"hidden": behind}, changes=changes, also={"visible": shown})


def hidden_net(world: int = 0, *, steps: int = 700) -> nn.Module:
    """A small network that names the class of `hidden(world=world)` whichever parts are hidden."""

    def batch(rng: Generator) -> tuple[Tensor, Tensor]:
        labels, seen, fills, ground, _ = _drawn(64, rng, None, None, world)
        return _placed(ground, torch.where(seen, templates[labels], fills))[:, None], labels

    with torch.inference_mode(False):  # parameters made under it could not learn
        templates = _templates(world)
        return fit(convnet(1, SIZE, CLASSES, seed=world), batch, seed=world, steps=steps)


def _templates(world: int) -> Tensor:
    """With shape (class, slot, SIDE, SIDE)."""
    return (torch.rand(CLASSES, SLOTS, SIDE, SIDE, generator=generator(world)) > 0.5).float()


def _drawn(n: int, rng: Generator, occluder: str | None, visible: int | None, world: int) -> tuple[Tensor, ...]:
    """Classes, which slots are seen, what stands before the others, the ground, and how many are seen."""
    labels = choose(CLASSES, n, rng)
    shown = 1 + choose(SLOTS, n, rng) if visible is None else torch.full((n,), visible)
    seen = torch.rand(n, SLOTS, generator=rng).argsort(1) < shown[:, None]
    fills = _fills(n, occluder, rng)
    ground = 0.1 * torch.rand(n, SIZE, SIZE, generator=rng)
    return labels, seen[:, :, None, None], fills, ground, shown


def _fills(n: int, occluder: str | None, rng: Generator) -> Tensor:
    """What stands in front of each part, with shape (picture, SLOTS, SIDE, SIDE)."""
    shape = (n, SLOTS, SIDE, SIDE)
    kinds = torch.stack([torch.zeros(shape), torch.full(shape, GREY), torch.rand(shape, generator=rng)])
    if occluder is None:
        which = torch.randint(len(_KINDS), (n, SLOTS), generator=rng)
    else:
        which = torch.full((n, SLOTS), _KINDS.index(occluder))
    return kinds.gather(0, which[None, :, :, None, None].expand(1, *shape))[0]


def _anew(n: int, occluder: str | None, rng: Generator) -> Tensor:
    """Occluders of the same kind that say as little: other noise, another shade of grey; there is but one black."""
    fills = _fills(n, occluder, rng)
    shades = SHADES[0] + (SHADES[1] - SHADES[0]) * torch.rand(n, SLOTS, 1, 1, generator=rng)
    return torch.where(fills == GREY, shades, fills)


def _placed(canvas: Tensor, slots: Tensor) -> Tensor:
    """The canvas with the blocks at their corners."""
    canvas = canvas.clone()
    for slot, (row, column) in enumerate(CORNERS):
        canvas[:, row : row + SIDE, column : column + SIDE] = slots[:, slot]
    return canvas
