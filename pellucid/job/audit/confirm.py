"""Confirm: does the network use the mark of a cluster? It is taken away from members, and pasted on pictures of other classes.

Both are compared with controls of the same size: windows elsewhere in the same picture, and the strongest windows of pictures of
the same class outside the cluster. A mark is a shortcut where pasting it makes other pictures look like the class by far more
than the class's own evidence does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor

from pellucid.core.blur import blurred
from pellucid.core.progress import report_progress
from pellucid.core.random import stream
from pellucid.methods.perturb.imputers.noisy_linear import smooth_fill
from pellucid.metrics.report.interval import interval

MOST = 64  # pictures of each kind
DRAWS = 4  # controls of each picture
REMOVAL = 0.05  # of the probability: by so much more than its controls, removing the mark has to lower it, at the lower end
PASTING = 0.2  # by so much more than both controls, pasting has to raise it
CLEARLY = 0.4  # or by so much more than windows of the class in their own places

Shares = Callable[[Tensor], Tensor]
"""From pictures to the probability of every class, (n, classes)."""


@dataclass(frozen=True)
class Effect:
    """A change of the probability of the class, and the same of the controls, in means over pictures.

    Arguments:
        low, high: The 95 % interval of the effect.
        more_low, more_high: The 95 % interval of the effect less that of the controls, picture by picture.
        flips: Predictions that changed: away from the class where the mark was taken away, to it where it was pasted.
    """

    effect: float
    control: float
    low: float
    high: float
    more_low: float
    more_high: float
    flips: int
    control_flips: float
    n: int
    imputer: str = ""

    def text(self) -> str:
        change = f"{self.effect:.2f} [{self.low:.2f}, {self.high:.2f}], controls {self.control:.2f}"
        return f"{change}; {self.flips} of {self.n}"


@dataclass(frozen=True)
class Verdict:
    """What the counter-test says.

    Arguments:
        confirmed: Whether pasting the mark moves the network by far more than the class's own evidence does.
        removed: The effect of taking it away, by the imputer with which that does least.
        pasted: The effect of pasting it on other classes.
        class_there: The effect of pasting the class's own strongest windows where the mark stands: where that is large too, the
            network takes anything at that place as a sign of the class.
    """

    confirmed: bool
    removed: Effect
    pasted: Effect
    class_there: float

    def sentence(self) -> str:
        removal = f"removing it lowers the score by {self.removed.text()} predictions flip"
        paste = f"pasting it on other classes raises it by {self.pasted.text()} flip"
        if self.confirmed:
            told = f"confirmed by intervention: {removal}; {paste}. It is an artefact."
            alike = f" At its place the class's own evidence raises it by {self.class_there:.2f}: anything there may count."
            return told + alike if self.class_there > self.pasted.effect / 2 > self.pasted.control else told
        return f"only a pattern: {removal}; {paste}."

    def document(self) -> dict[str, Any]:
        return {
            "confirmed": self.confirmed,
            "sentence": self.sentence(),
            "removed": asdict(self.removed),
            "pasted": asdict(self.pasted),
            "class_there": self.class_there,
        }


@dataclass(frozen=True, eq=False)
class Windows:
    """Square parts of pictures, in pixels.

    Arguments:
        corners: Row and column of the first pixel, (picture, 2).
        size: Height and width.
    """

    corners: Tensor
    size: tuple[int, int]

    @staticmethod
    def of_cells(corners: Tensor, side: int, grid: Sequence[int], picture: Sequence[int]) -> Windows:
        """Windows that were said in cells of a pooled map."""
        scale = torch.tensor([picture[0] / grid[0], picture[1] / grid[1]])
        size = [max(1, round(min(side, cells) * float(s))) for cells, s in zip(grid, scale, strict=True)]
        most = torch.tensor([picture[0] - size[0], picture[1] - size[1]])
        return Windows(torch.minimum((corners * scale).round().long(), most), (size[0], size[1]))

    def masks(self, shape: Sequence[int]) -> Tensor:
        """True inside, (picture, 1, height, width)."""
        y, x = torch.arange(shape[0])[None, :, None], torch.arange(shape[1])[None, None, :]
        top, left = self.corners[:, 0, None, None], self.corners[:, 1, None, None]
        inside = (y >= top) & (y < top + self.size[0]) & (x >= left) & (x < left + self.size[1])
        return inside[:, None]

    def cut(self, x: Tensor) -> Tensor:
        """What is inside, (picture, channel, height, width)."""
        pairs = zip(as_pictures(x), self.corners.tolist(), strict=True)
        return torch.stack([one[:, r : r + self.size[0], c : c + self.size[1]] for one, (r, c) in pairs])

    def paste(self, x: Tensor, patches: Tensor) -> Tensor:
        """The pictures with a patch each."""
        made = as_pictures(x).clone()
        for one, patch, (r, c) in zip(made, patches, self.corners.tolist(), strict=True):
            one[:, r : r + self.size[0], c : c + self.size[1]] = patch
        return made.view_as(x)

    def fill(self, x: Tensor, imputer: str) -> Tensor:
        """The pictures with what is inside made up from the rest."""
        return IMPUTERS[imputer](as_pictures(x), self.masks(extent(x))).view_as(x)

    def elsewhere(self, shape: Sequence[int], rng: torch.Generator) -> Windows:
        """Windows of the same size at random, away from these where there is room."""
        corners = []
        for corner in self.corners:
            for _ in range(20):
                other = torch.tensor(
                    [int(torch.randint(0, n - s + 1, (), generator=rng)) for n, s in zip(shape, self.size, strict=True)]
                )
                if bool(((other - corner).abs() >= torch.tensor(self.size)).any()):
                    break
            corners.append(other)
        return Windows(torch.stack(corners), self.size)


def as_pictures(x: Tensor) -> Tensor:
    """Series, (series, channel, time), as pictures of one row; pictures as they are."""
    return x[:, :, None] if x.dim() == 3 else x


def extent(x: Tensor) -> tuple[int, int]:
    """Height and width of pictures; 1 and the length of series."""
    height, width = as_pictures(x).shape[2:]
    return height, width


def mean_fill(x: Tensor, gone: Tensor) -> Tensor:
    mean = (x * ~gone).sum((2, 3), keepdim=True) / (~gone).sum((2, 3), keepdim=True).clamp_min(1)
    return torch.where(gone, mean, x)


def blur_fill(x: Tensor, gone: Tensor) -> Tensor:
    return torch.where(gone, blurred(x, min(side for side in x.shape[2:] if side > 1) / 8), x)


def linear_fill(x: Tensor, gone: Tensor) -> Tensor:
    return torch.cat([smooth_fill(one[None], hole[None], 1e-5) for one, hole in zip(x, gone, strict=True)])


IMPUTERS = {"mean": mean_fill, "blur": blur_fill, "linear": linear_fill}


def confirm(
    shares: Shares, target: int, members: Tensor, windows: Windows, others: Tensor, mates: Tensor, mates_windows: Windows, *,
    fixed: bool, seed: int = 0,
) -> Verdict:  # fmt: skip
    """Test the mark of a cluster.

    Arguments:
        shares: The network.
        members: Pictures of the cluster.
        windows: Where its mark is in them.
        others: Pictures of other classes.
        mates: Pictures of the same class outside the cluster, and where their evidence is strongest.
        fixed: Whether the mark always stands in one place, and is pasted there.
    """
    shares = followed(shares)
    removed = min((removal(shares, target, members, windows, name, seed) for name in IMPUTERS), key=lambda effect: effect.effect)
    pasted, there = pasting(shares, target, members, windows, others, mates, mates_windows, fixed=fixed, seed=seed)
    enough = min(pasted.more_low, there.more_low) > PASTING or pasted.more_low > CLEARLY
    return Verdict(enough and removed.more_low > REMOVAL, removed, pasted, there.control)


def followed(shares: Shares) -> Shares:
    """The network, which tells how much of a test is done."""
    total, done = (len(IMPUTERS) + 1) * (2 + DRAWS) + DRAWS, count(1)

    def told(x: Tensor) -> Tensor:
        found = shares(x)
        report_progress(next(done), total, "passes over the pictures")
        return found

    return told


def removal(shares: Shares, target: int, x: Tensor, windows: Windows, imputer: str, seed: int) -> Effect:
    rng = stream("removal", seed)
    before = shares(x)
    after = shares(windows.fill(x, imputer))
    drop = before[:, target] - after[:, target]
    controls = [shares(windows.elsewhere(extent(x), rng).fill(x, imputer)) for _ in range(DRAWS)]
    control = torch.stack([before[:, target] - other[:, target] for other in controls]).mean(0)
    was = before.argmax(1) == target
    flips = [(was & (other.argmax(1) != target)).sum() for other in (after, *controls)]
    return effect(drop, control, int(flips[0]), float(sum(flips[1:])) / DRAWS, seed, imputer)


def pasting(
    shares: Shares, target: int, members: Tensor, windows: Windows, others: Tensor, mates: Tensor, mates_windows: Windows, *,
    fixed: bool, seed: int,
) -> tuple[Effect, Effect]:  # fmt: skip
    """Marks pasted on pictures of other classes; controls are the strongest windows of class mates.

    A mark that stays is pasted in its place, and controls in theirs; one that moves is pasted anywhere, and so are controls.

    Returns:
        The effect beside windows of class mates in their own places, and beside the same where the mark stands.
    """
    rng, n = stream("pasting", seed), len(others)
    donors = torch.arange(n) % len(members)
    at = Windows(windows.corners[donors], windows.size)
    at = at if fixed else at.elsewhere(extent(others), rng)
    before = shares(others)
    after = shares(at.paste(others, windows.cut(members)[donors]))
    own: list[Tensor] = []
    there: list[Tensor] = []
    for draw in range(DRAWS if len(mates) else 0):
        rows = (torch.arange(n) * DRAWS + draw) % len(mates)
        patches, places = mates_windows.cut(mates)[rows], Windows(mates_windows.corners[rows], mates_windows.size)
        there.append(shares(at.paste(others, patches)))
        own.append(shares(places.paste(others, patches)) if fixed else there[-1])

    def beyond(controls: list[Tensor]) -> Effect:
        rise = after[:, target] - before[:, target]
        changes = [other[:, target] - before[:, target] for other in controls]
        control = torch.stack(changes).mean(0) if changes else torch.zeros(n)
        was = before.argmax(1) != target
        flips = [(was & (other.argmax(1) == target)).sum() for other in (after, *controls)]
        return effect(rise, control, int(flips[0]), float(sum(flips[1:])) / max(1, len(controls)), seed)

    return beyond(own), beyond(there)


def effect(change: Tensor, control: Tensor, flips: int, control_flips: float, seed: int, imputer: str = "") -> Effect:
    low, high = interval(change, seed=seed)
    more = interval(change - control, seed=seed)
    means = float(change.double().mean()), float(control.double().mean())
    return Effect(*means, low, high, *more, flips, control_flips, len(change), imputer)
