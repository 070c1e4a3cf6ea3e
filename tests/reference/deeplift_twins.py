"""DeepLIFT on dense networks once more, slowly: written from the paper, one number at a time.

A network is a list of layers `(W, b, f, slope)`: y = f(W x + b), f any function of one number, slope its derivative. Every value
is a float. Nothing here is fast, and nothing here knows the library.

Where a quotient would be 0 / 0 the derivative stands, as the paper says of the Rescale rule. Of the RevealCancel rule it does not
say; there it is what the quotient comes to as the part vanishes.

References: Learning important features through propagating activation differences (Shrikumar et al., 2017), Sections 3.3 to 3.5,
    https://doi.org/10.48550/arXiv.1704.02685
"""

from __future__ import annotations

from collections.abc import Callable

Number = Callable[[float], float]
Layer = tuple[list[list[float]], list[float], Number, Number]
Parts = tuple[float, float]


def before(layer: Layer, x: list[float]) -> list[float]:
    W, b, _, _ = layer
    return [sum(w * v for w, v in zip(row, x, strict=True)) + c for row, c in zip(W, b, strict=True)]


def rescale(layers: list[Layer], x: list[float], r: list[float], unit: int) -> list[float]:
    """The contributions of the entries of x to output `unit`, with reference r: the Linear and Rescale rules (3.5.1, 3.5.2)."""
    multipliers = _rescale_multipliers(layers, x, r, unit)
    return [m * (a - b) for m, a, b in zip(multipliers, x, r, strict=True)]


def _rescale_multipliers(layers: list[Layer], x: list[float], r: list[float], unit: int) -> list[float]:
    """m of every entry of x, by the chain rule for multipliers (Eq. 3), through all layers after it."""
    (W, _, f, slope), *rest = layers
    z, z_r = before(layers[0], x), before(layers[0], r)
    y, y_r = [f(v) for v in z], [f(v) for v in z_r]
    behind = _rescale_multipliers(rest, y, y_r, unit) if rest else [float(d == unit) for d in range(len(y))]
    through = [m * ((y[d] - y_r[d]) / (z[d] - z_r[d]) if z[d] != z_r[d] else slope(z[d])) for d, m in enumerate(behind)]
    return [sum(W[d][i] * through[d] for d in range(len(through))) for i in range(len(x))]


def reveal_cancel(layers: list[Layer], x: list[float], r: list[float], unit: int) -> list[float]:
    """The same by the Linear and RevealCancel rules (3.5.1, 3.5.3)."""
    parts = [(max(a - b, 0.0), min(a - b, 0.0)) for a, b in zip(x, r, strict=True)]
    multipliers = _reveal_multipliers(layers, x, r, unit)
    return [m_up * up + m_down * down for (m_up, m_down), (up, down) in zip(multipliers, parts, strict=True)]


def _reveal_multipliers(layers: list[Layer], x: list[float], r: list[float], unit: int) -> list[Parts]:
    """The multipliers of the positive and of the negative part of every entry of x."""
    (W, _, f, slope), *rest = layers
    z, z_r = before(layers[0], x), before(layers[0], r)
    parts = [_linear_parts(row, x, r) for row in W]
    y, y_r = [f(v) for v in z], [f(v) for v in z_r]
    behind = _reveal_multipliers(rest, y, y_r, unit) if rest else [(float(d == unit),) * 2 for d in range(len(y))]
    limits = [(slope(a) + slope(b)) / 2 for a, b in zip(z, z_r, strict=True)]
    through = [_through(f, *entry) for entry in zip(z_r, parts, behind, limits, strict=True)]
    found: list[Parts] = []
    for i in range(len(x)):
        up = down = 0.0
        for d, row in enumerate(W):
            if x[i] == r[i]:
                share = 0.5 * row[i] * (through[d][0] + through[d][1])
            else:
                share = row[i] * through[d][0 if row[i] * (x[i] - r[i]) > 0 else 1]
            up, down = up + share, down + share
        found.append((up, down))
    return found


def _linear_parts(row: list[float], x: list[float], r: list[float]) -> Parts:
    """The sums of the positive and of the negative contributions to one unit (3.5.1)."""
    terms = [w * (a - b) for w, a, b in zip(row, x, r, strict=True)]
    return sum(t for t in terms if t > 0), sum(t for t in terms if t < 0)


def _through(f: Number, z_r: float, parts: Parts, m: Parts, limit: float) -> Parts:
    """The multipliers of both parts of z from those of y = f(z): the increase first or last (3.5.3)."""
    up, down = parts
    y_up = ((f(z_r + up) - f(z_r)) + (f(z_r + down + up) - f(z_r + down))) / 2
    y_down = ((f(z_r + down) - f(z_r)) + (f(z_r + up + down) - f(z_r + up))) / 2
    return m[0] * (y_up / up if up else limit), m[1] * (y_down / down if down else limit)
