"""The rescale rule: what the inputs of an operation changed by accounts for what its output changed by.

A multiplier m says how much of the change of the score one unit of change of a value stands for. Rules turn the multipliers of
what an operation made into those of what it read, such that

    sum over inputs of m_x (x - r) = sum over outputs of m_z (z - z_r)

where r and z_r are the values at the baseline. Then the contributions m (x - r) sum to f(x) - f(baseline) at every depth.

| operation | multiplier of the input, over that of the output |
|---|---|
| linear in what it reads | its weights |
| y_i = f(x_i) | (f(x) - f(r)) / (x - r); the derivative halfway where rounding leaves no digits of that |
| y_i = f(a_i, b_i, ...) | the mean derivative between both points; what is missing in proportion to (a - a_r)^2, (b - b_r)^2 |
| a b, as in gates and attention | the mean of the other factor over both passes |
| a / b, a times 1 / b | 1 / mean of b, and minus the mean of a / b over the mean of b |
| max, max-pooling | of the winner in the pass where it is greater: (z - z_r) / (x - r) there, between 0 and 1 |
| sort, top-k, median | of the entries chosen in either pass, in proportion to (x - r)^2 |
| softmax, log-softmax, logsumexp | see `normalised` |
| layer, group, instance, RMS norms, standard deviations, Euclidean norms | products and roots as above, in closed form |
| anything else | the mean derivative on the line between both points, at 16 points: complete up to that integral's error |

Where an operation reads something else that differs in both passes, though it does not descend from the input (a comparison, an
index), no multiplier can account for that: only entry-wise operations then stay complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from pellucid.tape import LocalOp, Ref, kinds
from pellucid.tape.local import trains
from .integrated import gauss_legendre
from .rescale_normalisation import NORMALISED
from .rescale_selection import SELECTED, extremum
from .two_passes import Carried, Pair

LINEAR = frozenset("convolution dense pool transform route scale shift sum".split())
# Of what it reads, nothing meets itself: exact at the point halfway.
BILINEAR = kinds.MATRIX_PRODUCTS | kinds.CONVOLUTIONS | frozenset("mul _trilinear linalg_cross dot var var_mean".split())
# y_i = f(a_i, b_i, ...), besides what is of kind "activation".
ENTRYWISE = kinds.CLAMPS | frozenset(
    """maximum minimum fmax fmin pow xlogy _prelu_kernel where masked_fill div atan2 hypot copysign remainder fmod i0 special_i0e
    erfinv lgamma digamma smooth_l1_loss huber_loss mse_loss""".split()
)
CLOSED = NORMALISED | SELECTED
POINTS = 16  # exact for polynomials up to degree 32

Shares = list[Tensor | None]


def rescale(pair: Pair, carried: Carried) -> Shares:
    """The multipliers of what an operation read, from those of what it made."""
    shares = _shares(pair, carried)
    return [m if m is None else m.to(x.dtype) for m, x in zip(shares, pair.here.xs, strict=True)]


def _shares(pair: Pair, carried: Carried) -> Shares:
    if linear(pair):
        return moved(pair, carried) if pair.constant else _switched(pair, carried)
    first = carried[pair.op.outs.index(pair.op.out)]
    alone = first is not None and sum(m is not None for m in carried) == 1
    shares = _closed_form(pair, first) if alone and first is not None else None
    return averaged(pair, carried, 1 if pair.op.name in BILINEAR else POINTS) if shares is None else shares


def _closed_form(pair: Pair, m: Tensor) -> Shares | None:
    """By a rule that is exactly complete, for operations that have one."""
    name, several = pair.op.name, len(pair.op.ins) > 1
    if name in CLOSED and not several:
        share = CLOSED[name](pair, m)
        return None if share is None else [share]
    if name == "glu":
        return [gated(pair, m)]
    if name in ("maximum", "minimum") and several:
        return extremum(pair, m)
    if name == "div" and several and not _rounds(pair):
        return divided(pair, m)
    if name == "mul" and any(_inverts(pair, place) for place in range(2)):
        return rooted(pair, m)
    return secants(pair, m) if entrywise(pair) else None


def linear(pair: Pair) -> bool:
    """Whether an operation is linear in what it reads, up to a constant."""
    op = pair.op
    if op.name in kinds.BATCH_NORMS:
        return len(op.ins) == 1 and not trains(op)
    if op.name == "div" and op.kind == "scale":
        return isinstance(op.args[0], Ref) and op.args[0].id == op.ins[0] and not _rounds(pair)
    return op.kind in LINEAR


def _rounds(pair: Pair) -> bool:
    return pair.op.kwargs.get("rounding_mode") is not None


def entrywise(pair: Pair) -> bool:
    """Whether every entry made depends on the entries at its own place alone."""
    op, values = pair.op, pair.here.tape.values
    reduces = prod(values[op.out].shape) < max(prod(values[i].shape) for i in op.ins)
    return not reduces and (op.kind in ("activation", "scale", "shift", "sum") or op.name in ENTRYWISE)


def moved(pair: Pair, carried: Carried) -> Shares:
    """Linear operations: the transpose of their weights. A detached change is still a change."""
    return list(carried) if pair.op.name in ("detach", "detach_copy") else pair.here.pull(*carried)


def _switched(pair: Pair, carried: Carried) -> Shares:
    """Operations that would be linear, were they the same function in both passes."""
    if entrywise(pair):
        return secants(pair, next(c for c in carried if c is not None))
    return averaged(pair, carried, 1)


# -- entry by entry -------------------------------------------------------------------------------------------------------


def secants(pair: Pair, m: Tensor) -> Shares:
    """y_i = f(a_i, b_i, ...): the slope of the line through both points."""
    (z, z_r), xs, rs = pair.z, pair.xs, pair.rs
    wide = [(x.expand(z.shape), r.expand(z.shape)) for x, r in zip(xs, rs, strict=True)]
    derivatives = mean_derivatives(pair, z.shape)
    return [(m * c).sum_to_size(x.shape) for c, x in zip(secant(z, z_r, wide, derivatives), xs, strict=True)]


def mean_derivatives(pair: Pair, shape: torch.Size) -> list[Tensor]:
    """The derivative by each operand, entry by entry, between both points: halfway for one operand, the mean for several."""
    total: list[Tensor] = []
    for t, weight in gauss_legendre(1 if len(pair.op.ins) == 1 else 8):
        points = [p.expand(shape) for p in pair.between(t)]
        for op in pair.functions:
            slopes = [d * (weight / len(pair.functions)) for d in derivatives(op, points)]
            total = [a + b for a, b in zip(total, slopes, strict=True)] if total else slopes
    return total


def derivatives(op: LocalOp, points: Sequence[Tensor]) -> list[Tensor]:
    """The derivative of an entry-wise operation by each operand, entry by entry."""
    if op.op.name == "relu":
        return [(points[0] > 0).to(points[0].dtype)]
    slot = op.op.outs.index(op.op.out)
    slopes = op.pull_at(points, (*[None] * slot, torch.ones_like(points[0])))
    return [torch.zeros_like(p) if d is None else d.nan_to_num(0.0, 0.0, 0.0) for d, p in zip(slopes, points, strict=True)]


def secant(z: Tensor, z_r: Tensor, points: Sequence[tuple[Tensor, Tensor]], derivatives: Sequence[Tensor]) -> list[Tensor]:
    """One coefficient per operand, so that coefficients times changes sum to z - z_r.

    For one operand it is the quotient, see `ratio`. For several, the slopes, and what those leave in proportion to the squares
    of the changes.

    Example:
        >>> here, there = torch.tensor([3.0, 1.0]), torch.tensor([-1.0, 1.0])
        >>> secant(here.relu(), there.relu(), [(here, there)], [(here + there > 0).float()])
        [tensor([0.7500, 1.0000])]
    """
    change = [x - r for x, r in points]
    size = z.abs() + z_r.abs()
    for d, (x, r) in zip(derivatives, points, strict=True):
        size = size + d.abs() * (x.abs() + r.abs())
    if len(points) == 1:
        return [ratio(z - z_r, change[0], derivatives[0], size)]
    left = z - z_r - torch.stack([d * dx for d, dx in zip(derivatives, change, strict=True)]).sum(0)
    square = torch.stack([dx.square() for dx in change]).sum(0)
    rest = torch.where((left.abs() <= noise(size)) | (square == 0), torch.zeros_like(left), left / square)
    return [d + rest * dx for d, dx in zip(derivatives, change, strict=True)]


def ratio(dz: Tensor, dx: Tensor, slope: Tensor, size: Tensor) -> Tensor:
    """dz / dx; or the slope, where that accounts for dz up to the rounding of numbers of that size: the quotient would only have
    fewer digits.
    """
    shares = (dx != 0) & dz.isfinite() & dx.isfinite()
    done = (dz - slope * dx).abs() <= noise(size)
    return torch.where(shares & ~done, dz / dx, slope)


def noise(size: Tensor) -> Tensor:
    """How far rounding moves what is made of numbers of that size."""
    return 4 * torch.finfo(size.dtype).eps * size


# -- several factors ------------------------------------------------------------------------------------------------------


def averaged(pair: Pair, carried: Carried, points: int) -> Shares:
    """The mean derivative on the straight line from the baseline to the input, of this operation alone.

    With one point this is exact where no operand meets itself: a b - a' b' = (a - a') (b + b') / 2 + (b - b') (a + a') / 2.
    """
    total: Shares = [None] * len(pair.op.ins)
    for t, weight in gauss_legendre(points):
        for op in pair.functions:
            for k, share in enumerate(op.pull_at(pair.between(t), carried)):
                if share is not None:
                    part = share * (weight / len(pair.functions))
                    kept = total[k]
                    total[k] = part if kept is None else kept + part
    return total


def divided(pair: Pair, m: Tensor) -> Shares:
    """a / b, see `quotient`."""
    (a, b), (a_r, b_r) = pair.xs, pair.rs
    by_a, by_b = quotient(a, b, a_r, b_r)
    return [(m * by_a).sum_to_size(a.shape), (m * by_b).sum_to_size(b.shape)]


def quotient(a: Tensor, b: Tensor, a_r: Tensor, b_r: Tensor) -> tuple[Tensor, Tensor]:
    """The coefficients of a and b in the change of z = a / b.

    From a = z b, with bars over the means of both passes: 1 / b_bar and -z_bar / b_bar, which stay bounded where b is all but
    zero in one pass. Where b changes its sign that has no meaning, and a times 1 / b is taken instead.
    """
    halfway, same = (b + b_r) / 2, b * b_r > 0
    by_a = torch.where(same, 1 / halfway, (1 / b + 1 / b_r) / 2)
    by_b = torch.where(same, -(a / b + a_r / b_r) / 2 / halfway, -(a + a_r) / 2 / (b * b_r))
    return by_a, by_b


def rooted(pair: Pair, m: Tensor) -> Shares:
    """a s, where s = 1 / sqrt(v) or 1 / v: the quotient a / (1 / s), in terms of s."""
    which = 1 if _inverts(pair, 1) else 0
    (s, a), (s_r, a_r) = ((t[which], t[1 - which]) for t in (pair.xs, pair.rs))
    by_a, by_b = quotient(a, 1 / s, a_r, 1 / s_r)
    shares: Shares = [(m * by_a).sum_to_size(a.shape), (m * -by_b / (s * s_r)).sum_to_size(s.shape)]
    return shares if which == 1 else shares[::-1]


def _inverts(pair: Pair, place: int) -> bool:
    """Whether an operand was made as one over something."""
    tape = pair.here.tape
    producer = tape.values[pair.op.ins[place]].producer
    return producer is not None and tape.ops_by_index[producer].name in ("rsqrt", "reciprocal")


def gated(pair: Pair, m: Tensor) -> Tensor:
    """a sigmoid(b), where a and b are halves of one tensor."""
    dim = pair.op.args[1] if len(pair.op.args) > 1 else -1
    (a, b), (a_r, b_r) = pair.xs[0].chunk(2, dim), pair.rs[0].chunk(2, dim)
    gate, gate_r, halfway = b.sigmoid(), b_r.sigmoid(), ((b + b_r) / 2).sigmoid()
    (slope,) = secant(gate, gate_r, [(b, b_r)], [halfway * (1 - halfway)])
    return torch.cat([m * (gate + gate_r) / 2, m * slope * (a + a_r) / 2], dim)
