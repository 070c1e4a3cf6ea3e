"""The choice between a plan, where its outputs are exact and come sooner, and the whole network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.tape.forward import Readout, varied_value
from .plan import Plan

T = TypeVar("T")
FEW = 24  # a plan costs two forward passes, its trial five or more
LITTLE = 0.1
EXACT = 1e-4  # relative to the outputs, and to how much a window changes them
ROUNDING = 100  # times the precision of the type: what deep networks add up to


@dataclass(frozen=True, eq=False)
class Choice:
    """The way to compute outputs for many windows.

    Arguments:
        plan: What computes them; None: the whole network.
        reason: Why, in a sentence.
        gain: How many times as fast the plan was in a trial; 0 where there was none.
    """

    plan: Plan | None
    reason: str
    gain: float = 0.0

    def rebased(self, x: Tensor) -> Choice:
        """The same choice for another picture of the same shape, without another trial.

        Arguments:
            x: What windows lie in: one picture, or what the module at `readout.at` makes of it.
        """
        return self if self.plan is None else replace(self, plan=self.plan.rebased(x))


@torch.no_grad()
def accelerate(
    readout: Readout,
    row: int,
    size: Sequence[int],
    corners: Tensor,
    *,
    copies: int = 1,
    measure: bool = True,
    few: int = FEW,
    least: float = LITTLE,
) -> Choice:
    """The faster of two exact ways to compute outputs for windows of one sample.

    The plan is tried on windows at the corners, in the middle and at random, with content far from that of the picture, against
    the network itself: it has to agree to 1e-4 of the largest change that a window makes, and of the outputs, rounding aside.
    Then the two are timed on those windows; which one wins by little may differ from one run to the next, and with it rounding.

    Arguments:
        readout: The model, the target, and where the windows lie.
        row: Which sample of the readout's batch.
        size: The lengths of a window.
        corners: All corners that outputs are needed for, one row each.
        copies: How many variants each corner gets.
        measure: Whether the two are timed; otherwise the plan is chosen wherever it is right.
        few: The number of windows that are worth a plan.
        least: The share of multiply-adds that a plan has to save.
    """
    count = len(corners) * copies
    if count < few:
        return _refused(f"{count} windows are too few to prepare for")
    value = varied_value(readout)[row : row + 1]
    reads = tuple(dict.fromkeys((*readout.target.addresses, None)))
    try:
        plan = Plan.build(readout.model, readout.x[row : row + 1], size, corners=corners, reads=reads, at=readout.at)
        if plan.saves < least:
            return _refused(f"a plan would save {max(plan.saves, 0):.0%} of its multiply-adds")
        return _compare(plan, readout, row, value, _trial_corners(corners, count), measure, count)
    except PellucidError as error:
        return _refused(error.found)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:  # it does not take what a plan gives it
        return _refused(f"a plan for it fails ({str(error).splitlines()[0]})")


def _compare(plan: Plan, readout: Readout, row: int, value: Tensor, corners: Tensor, measure: bool, count: int) -> Choice:
    """The plan, if it is exact, and no slower where that matters."""
    variants, patches = _trial_windows(plan, value, corners)
    rows = [row] * len(variants)
    dense, seconds_dense = _time(lambda: readout.values(variants, rows), value.device)
    quick, seconds_quick = _time(lambda: plan.values(patches, corners), value.device)
    wrong = next((at for at, own in dense.items() if at in quick and not _agree(quick[at], own)), "")
    if wrong != "":
        return _refused(f"a plan for it differs at {wrong or 'the output'}")
    if measure and count > 16 * len(variants):  # the first time, both also paid for what is set up once
        seconds_dense = min(seconds_dense, _time(lambda: readout.values(variants, rows), value.device)[1])
        seconds_quick = min(seconds_quick, _time(lambda: plan.values(patches, corners), value.device)[1])
    gain = (seconds_dense / len(variants)) / (seconds_quick / len(patches))
    if measure and gain < 1:
        return _refused(f"it is {1 / gain:.1f} times as fast as a plan", gain)
    return Choice(plan, f"only what each window reaches was computed again: {gain:.1f} times as fast as the whole network", gain)


def _refused(reason: str, gain: float = 0.0) -> Choice:
    return Choice(None, f"the whole network was run: {reason}", gain)


def _trial_corners(corners: Tensor, count: int) -> Tensor:
    """Corners to try: the outermost, the one nearest the middle, and a few at random."""
    rng = torch.Generator().manual_seed(0)
    signs = torch.cartesian_prod(*[torch.tensor([-1, 1])] * corners.shape[1]).reshape(-1, corners.shape[1])
    outermost = (corners.cpu() @ signs.t()).argmax(0)
    centred = (corners.cpu() - corners.cpu().double().mean(0)).abs().sum(1).argmin()
    some = torch.randint(len(corners), (min(3, count // 48),), generator=rng)
    return corners[torch.unique(torch.cat([outermost, centred[None], some])).to(corners.device)]


def _trial_windows(plan: Plan, value: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures with windows of foreign content, and the picture itself as the last; and the windows alone."""
    rng = torch.Generator().manual_seed(0)
    variants = value.repeat(len(corners) + 1, *[1] * (value.dim() - 1))
    mean, spread = value.mean(), value.std() if value.numel() > 1 else value.new_ones(())
    patches = []
    for variant, corner in zip(variants, corners.tolist(), strict=False):
        place = (slice(None), *(slice(c, c + s) for c, s in zip(corner, plan.windows.size, strict=True)))
        noise = torch.randn(variant[place].shape, generator=rng).to(value)
        variant[place] = 2 * mean - variant[place] + 2 * spread * noise
        patches.append(variant[place])
    return variants, torch.stack(patches)


def _agree(quick: Tensor, dense: Tensor) -> bool:
    """Whether the plan's outputs are the network's: the last of those is for the picture itself."""
    if quick.shape[1:] != dense.shape[1:] or quick.shape[0] != dense.shape[0] - 1:
        return False
    precision = torch.finfo(dense.dtype).eps
    size, change = dense.abs().amax(), (dense[:-1] - dense[-1:]).abs().amax()
    allowed = max(EXACT, precision) * torch.minimum(size, change) + ROUNDING * precision * size
    return bool((quick - dense[:-1]).abs().amax() <= allowed)


def _time(work: Callable[[], T], device: torch.device) -> tuple[T, float]:
    begin = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - begin
