"""Whether a map shows evidence: whether its values exceed rounding and their standard errors."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.core.numbers import figure

LEAST, BEYOND = 0.5, 2.0  # reliability, and standard errors from zero, that a map needs to be shown as evidence


def nothing(heat: Tensor, values: Tensor, seed: float, what: str) -> str:
    """Why there is no evidence to show, where a map is zero, rounding, or no numbers; "" where there is some.

    Arguments:
        heat: The map of one sample.
        values: The sample's values, of which the map is the sum over channels.
        seed: Relevance that could have reached it; 0 where that is not known.
        what: What the seed is, in words.
    """
    heat = heat.double()
    broken, size, largest = int((~heat.isfinite()).sum()), float(heat.abs().sum()), float(heat.abs().max())
    if broken:
        return f"{broken:,} of {heat.numel():,} values are not finite (NaN or infinite)."
    if size == 0:
        return "At every place the channels cancel one another." if values.any() else "Every value is exactly zero."
    if size < 1e-6 * seed:
        return f"All absolute values together are {size:.1e}, less than a millionth of {what} {figure(seed)}."
    return f"The largest absolute value is {largest:.1e}: rounding, not evidence." if largest < 1e-12 else ""


def reliability(heat: Tensor, error: Tensor, *, signed: bool) -> float:
    """How far the same map is to be expected again from another seed, as a correlation in [0, 1].

        rho = 1 - sum(error^2) / sum(value^2),   or 0 where noise is the larger sum

    What is seen is signal plus noise, and E[value^2] = signal^2 + error^2; two maps that share the signal and not the noise
    correlate at signal^2 / (signal^2 + error^2), which is what this estimates. Signed values count from zero, where they turn
    from for to against; unsigned ones from their mean, since they only rank places: a map that is high everywhere, with noise on
    top, tells no place from another.

    References: Spearman, 1904, The proof and measurement of association between two things, https://doi.org/10.2307/1412159

    Example:
        >>> heat = torch.tensor([3.0, -4.0, 0.0, 0.0])
        >>> reliability(heat, torch.tensor([0.5, 0.5, 0.5, 0.5]), signed=True)
        0.96
        >>> reliability(heat + 100, torch.full((4,), 5.0), signed=False)
        0.0
    """
    noise = float(error.double().square().sum())
    power = float(centred(heat, signed=signed).square().sum())
    if not noise:
        return 1.0
    return max(0.0, 1.0 - noise / power) if power > 0 and noise < torch.inf else 0.0


def centred(heat: Tensor, *, signed: bool) -> Tensor:
    """Values from where they count: signed ones from zero, unsigned ones from their mean."""
    return heat.double() if signed or heat.numel() == 1 else heat.double() - heat.double().mean()


def doubt(heat: Tensor, error: Tensor, *, signed: bool, forwards: int = 0) -> str:
    """Says so where a map is under-sampled: nothing of it may be read as evidence; "" of sound maps.

    It is where noise has more than half of what is seen (`reliability` below one half), or where no value lies two standard
    errors from where values count. The first finds noise in maps of many places, where some lie far out by chance alone: of
    50,000 places without any signal the largest is some 4.5 standard errors from zero. The second finds it in maps of a few.

    Arguments:
        forwards: How many forward passes it took; 0 where nobody counted.
    """
    if not error.any():
        return ""
    rho = reliability(heat, error, signed=signed)
    far = bool((centred(heat, signed=signed).abs() >= BEYOND * error.double()).logical_and(heat != 0).any())
    if rho >= LEAST and far:
        return ""
    places = len(set(heat.flatten().tolist()))  # places that were removed together have one value
    what = "1 value" if places == 1 else f"{places:,} values"
    cost = f"{forwards:,} forward passes for {what}" if forwards else f"too few samples for {what}"
    why = "no value is two standard errors from zero" if signed else "no value is two standard errors from the others"
    if rho < LEAST:
        why = f"a map from another seed would correlate with this one by {rho:.2f} only"
    return f"Under-sampled: {cost}; {why}. Take more samples, or fewer and larger regions."


def sentence(heat: Tensor, error: Tensor) -> str:
    """The standard errors in words, and what they are of the map's largest value; "" where nothing was left to chance.

    Example:
        >>> sentence(torch.tensor([3.0, -4.0]), torch.tensor([0.375, 0.5]))
        'Standard error at most 0.500, 12 % of the largest value; typically 0.375.'
    """
    if not error.any():
        return ""
    if not error.isfinite().all():
        return "The standard error is not known everywhere."
    most, largest = float(error.max()), float(heat.abs().max())
    of_it = f", {100 * most / largest:.2g} % of the largest value" if 0 < largest < torch.inf and most < 10 * largest else ""
    return f"Standard error at most {figure(most)}{of_it}; typically {figure(float(error.median()))}."
