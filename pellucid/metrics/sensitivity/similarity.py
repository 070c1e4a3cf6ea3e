"""Similarity of two maps: Spearman, SSIM and cosine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from pellucid.core.statistics import spearman
from pellucid.errors import MethodError

Similarity = Literal["spearman", "ssim", "cosine"]


def map_similarity(one: Tensor, other: Tensor, how: Similarity, *, absolute: bool = False) -> float:
    """How alike two maps are: 1 for the same; NaN where one of them says nothing, or is not finite.

    Arguments:
        one, other: With shape (channel, *places), or (places,).
        how: "spearman", correlation of ranks, over all entries; "ssim", structural similarity of the channel sums, each divided
            by its largest size; "cosine" of the angle between them.
        absolute: Whether signs are left out.

    Example:
        >>> a = torch.tensor([[1.0, -2.0, 3.0]])
        >>> round(map_similarity(a, -a, "cosine"), 6), round(map_similarity(a, -a, "spearman", absolute=True), 6)
        (-1.0, 1.0)
    """
    one, other = one.double().cpu(), other.double().cpu()
    if not (one.isfinite().all() and other.isfinite().all()):
        return torch.nan
    return WAYS[how](*((one.abs(), other.abs()) if absolute else (one, other)))


def check_similarity(name: str, how: str) -> None:
    """Refuse a similarity that is not known.

    Raises:
        MethodError: there is none of that name.
    """
    if how not in WAYS:
        raise MethodError(
            f"{name} with similarity={how!r}", f"{len(WAYS)} similarities, none of that name", "maps are compared",
            f"Choose one of {', '.join(WAYS)}.",
        )  # fmt: skip


def cosine(one: Tensor, other: Tensor) -> float:
    """The cosine of the angle between two maps; NaN where one is zero everywhere."""
    a, b = one.flatten(), other.flatten()
    return float((a @ b / (a.norm() * b.norm())).clamp(-1, 1))


def ssim(one: Tensor, other: Tensor, side: int = 7) -> float:
    """The mean structural similarity over windows, of maps divided by their largest size; NaN where one is zero everywhere.

        (2 m_a m_b + c1) (2 s_ab + c2) / ((m_a^2 + m_b^2 + c1) (s_a^2 + s_b^2 + c2)),   c1 = (0.01 L)^2, c2 = (0.03 L)^2

    L = 2, the range of maps in [-1, 1]. Windows are squares of 7 x 7 places with equal weights, all that lie within the map, or
    smaller where it is; (co)variances are divided by the number of places less one. Maps of signals have windows of their axis.

    References: Wang et al., 2004, Image quality assessment, https://doi.org/10.1109/TIP.2003.819861
    """
    heats = [values.sum(0) if values.dim() > 1 else values for values in (one, other)]
    sides = heats[0].shape
    window = [min(side, length) for length in sides]
    places = int(torch.tensor(window).prod())
    if min(float(heat.abs().max()) for heat in heats) == 0 or places < 2:
        return torch.nan

    def mean(values: Tensor) -> Tensor:
        for axis, length in enumerate(window):
            values = values.unfold(axis, length, 1).mean(-1)
        return values

    a, b = (heat / heat.abs().max() for heat in heats)
    m_a, m_b, bias = mean(a), mean(b), places / (places - 1)
    s_aa, s_bb, s_ab = (bias * (mean(p * q) - mean(p) * mean(q)) for p, q in ((a, a), (b, b), (a, b)))
    c1, c2 = 0.02**2, 0.06**2
    return float((((2 * m_a * m_b + c1) * (2 * s_ab + c2)) / ((m_a**2 + m_b**2 + c1) * (s_aa + s_bb + c2))).mean())


WAYS: dict[str, Callable[[Tensor, Tensor], float]] = {
    "spearman": lambda one, other: spearman(one.flatten(), other.flatten()),
    "ssim": ssim,
    "cosine": cosine,
}
