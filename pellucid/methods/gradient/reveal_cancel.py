"""The reveal-cancel rule: increases and decreases of a value propagate separately, so that those that cancel still count."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from pellucid.tape import kinds
from .rescale import Shares, derivatives, entrywise, linear, mean_derivatives, moved, ratio, rescale
from .two_passes import Carried, Pair

WEIGHTED = ("convolution", "dense")
# Linear with one factor per entry: a scale per channel, a sum, a batch norm.
SCALED = frozenset("scale shift sum norm".split())


class RevealCancel:
    """The multipliers of both parts of every value, and the parts themselves.

    The change of a value is the sum of an increase D+ >= 0 and a decrease D- <= 0. Each has a multiplier of its own, and

        y = sum of w_i x_i:   D+ of y is the sum of the w_i (x_i - r_i) that are positive, D- that of those that are negative;
                              both multipliers of x_i are w_i times that of the part that it went to, w_i times the mean where
                              x_i did not change
        y = f(x):   D+ of y = ((f(r + D+) - f(r)) + (f(r + D- + D+) - f(r + D-))) / 2, the increase come first or last; D- alike.
                    The multiplier of each part of x is the quotient of the two, times that of the same part of y; of a part that
                    is zero, what the quotient comes to as it vanishes (of which the paper does not say; the authors' code has 0)

    That is the paper's, for dense layers, convolutions, and activations. The paper has no more; we add: what has one factor per
    entry (sums, scales, batch norms) hands both parts on, exchanged where the factor is negative, as if it were folded into the
    layer before it; poolings by mean, and what only moves entries, hand both on; all others (products, softmax, norms, maxima)
    follow the rescale rule, and the change of what they made is one part, by its sign; so does f where it has no value at one
    part alone (a root below zero). Sums are as complete as there.

    References: Shrikumar et al., 2017, Learning important features through propagating activation differences, Sections 3.5.1 and
        3.5.3, https://doi.org/10.48550/arXiv.1704.02685. The authors' own code shares a layer's parts by the signs of weights and
        parts, w_i+ D_i+ + w_i- D_i- instead; we follow the text.
    """

    def __init__(self, sides: Iterable[Pair]) -> None:
        self.parts: dict[int, Tensor] = {}  # increase and decrease of a value, side by side, where its sign does not tell them
        with torch.no_grad():
            for pair in sides:
                self._learn(pair)

    def seed(self, slope: Tensor) -> Tensor:
        return torch.stack([slope, slope])

    def step(self, pair: Pair, carried: Carried) -> Shares:
        """One operation backwards; multipliers of increases and decreases lie side by side on a first axis of their own."""
        kind, op = _kind(pair), pair.op
        both = next(m for m in carried if m is not None)
        if kind == "weighted":
            return [self._weighted(pair, both)]
        if kind == "scaled":
            return self._scaled(pair, both)
        if kind == "moved":
            ups, downs = (moved(pair, [None if m is None else m[part] for m in carried]) for part in (0, 1))
            return [None if u is None or d is None else torch.stack([u, d]) for u, d in zip(ups, downs, strict=True)]
        if kind == "curved":
            return [self._curved(pair, both)]
        single = [None if m is None or o is None else self._net(pair, o, m) for o, m in zip(op.outs, carried, strict=True)]
        return [None if m is None else torch.stack([m, m]) for m in rescale(pair, tuple(single))]

    def weigh(self, change: Tensor, value: int, m: Tensor) -> Tensor:
        """Contributions: each part of the change times its multiplier."""
        parts = self.parts.get(value, signs(change))
        return torch.where(m == 0, torch.zeros_like(m), m * parts).sum(0)

    # -- the parts, forwards ----------------------------------------------------------------------------------------------

    def read(self, pair: Pair) -> list[Tensor]:
        """The parts of everything an operation reads."""
        return [self.parts[i] if i in self.parts else signs(dx) for i, dx in zip(pair.op.ins, pair.dxs, strict=True)]

    def _learn(self, pair: Pair) -> None:
        """The parts of what an operation made, where they do not follow from the sign of its change."""
        kind = _kind(pair)
        if kind == "weighted":
            (up, down), weights = signs(pair.dxs[0]).to(pair.here.x.dtype), pair.here.linear
            self.parts[pair.op.out] = torch.stack(
                [
                    weights.forward(up, weights.positive) + weights.forward(down, weights.negative),
                    weights.forward(up, weights.negative) + weights.forward(down, weights.positive),
                ]
            )
        if kind == "scaled":
            both = zip(mean_derivatives(pair, pair.z[0].shape), self.read(pair), strict=True)
            self.parts[pair.op.out] = torch.stack([c * torch.where(c >= 0, part, part.flip(0)) for c, part in both]).sum(0)
        if kind == "curved":
            self.parts[pair.op.out] = self._shifted(pair)[0]
        if kind == "moved":
            self._pass(pair)

    def _pass(self, pair: Pair) -> None:
        """What is linear without weights of either sign hands both parts on."""
        read, still = self.read(pair), pair.made_there(pair.rs)
        up, down = (pair.made_there([r + p[part] for r, p in zip(pair.rs, read, strict=True)]) for part in (0, 1))
        for out, u, d, s in zip(pair.op.outs, up, down, still, strict=True):
            if out is not None:
                self.parts[out] = torch.stack([u - s, d - s])

    def _shifted(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """By how much y = f(x) moves with the increase of x, and with its decrease; and the size of what that is taken from."""
        ((plus, minus),), (r,), (z, z_r) = self.read(pair), pair.rs, pair.z
        slot = pair.op.outs.index(pair.op.out)
        up, down = pair.made_there([r + plus])[slot], pair.made_there([r + minus])[slot]
        parts = torch.stack([((up - z_r) + (z - down)) / 2, ((down - z_r) + (z - up)) / 2])
        size = up.abs() + down.abs() + z.abs() + z_r.abs()
        known = size.isfinite()  # one part alone may lie where there is no value: below zero for a root or a logarithm
        return torch.where(known, parts, signs(z - z_r)), torch.where(known, size, z.abs() + z_r.abs())

    # -- the multipliers, backwards ---------------------------------------------------------------------------------------

    def _weighted(self, pair: Pair, m: Tensor) -> Tensor:
        (dx,), weights = pair.dxs, pair.here.linear
        same, other = (
            weights.backward(m[a], weights.positive) + weights.backward(m[b], weights.negative) for a, b in ((0, 1), (1, 0))
        )
        share = torch.where(dx > 0, same, torch.where(dx < 0, other, (same + other) / 2))
        return torch.stack([share, share])

    def _scaled(self, pair: Pair, m: Tensor) -> Shares:
        exchanged = m.flip(0)
        return [
            torch.stack([(c * part).sum_to_size(x.shape) for part in torch.where(c >= 0, m, exchanged)]).to(m.dtype)
            for c, x in zip(mean_derivatives(pair, m[0].shape), pair.xs, strict=True)
        ]

    def _curved(self, pair: Pair, m: Tensor) -> Tensor:
        (parts,), (made, size) = self.read(pair), self._shifted(pair)
        (a,), (b,) = derivatives(pair.here, pair.xs), derivatives(pair.there, pair.rs)
        slope = (a + b) / 2  # what the quotient comes to as one part vanishes
        return (m * ratio(made, parts, slope, size + slope.abs() * parts.abs().sum(0))).to(m.dtype)

    def _net(self, pair: Pair, out: int, m: Tensor) -> Tensor:
        """The multiplier of a change that is one part, by its sign."""
        dz = pair.here.tape.value(out) - pair.there.tape.value(out)
        return torch.where(dz > 0, m[0], torch.where(dz < 0, m[1], (m[0] + m[1]) / 2))


def signs(change: Tensor) -> Tensor:
    """A change as increase and decrease, side by side."""
    return torch.stack([change.clamp(min=0), change.clamp(max=0)])


def _kind(pair: Pair) -> str | None:
    """How an operation treats the two parts; None: as one."""
    op, values = pair.op, pair.here.tape.values
    if all(o is None for o in op.outs):
        return None
    if op.kind == "route" and not entrywise(pair):
        return "moved" if pair.steered else None
    if not pair.constant:
        return None
    if op.kind in WEIGHTED and len(op.ins) == 1:
        return "weighted"
    if linear(pair):
        return "scaled" if op.kind in SCALED or op.name in kinds.BATCH_NORMS else "moved"
    if len(op.ins) == 1 and entrywise(pair) and values[op.out].shape == values[op.ins[0]].shape:
        return "curved"
    return None
