"""A spectrogram in a terminal: a line per band of frequencies, high ones above, on the colour of their evidence."""

from __future__ import annotations

import numpy as np

from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import TimeFrequency
from ...parts.cells import cut
from ...parts.map import Map
from ...parts.palette import INK, RESET, ink, paper
from ...parts.scale import Heat, each
from .chart import limits, strongest, values_of

SHADES = " ░▒▓█"
BANDS, NAME = 8, 17


def lines(e: Explanation, drawn: Map, width: int, colour: bool) -> list[str]:
    """Loudness in five shades on the colour of the evidence; without colour the signs of it stand in place of the shades."""
    subject = e.subject
    assert isinstance(subject, TimeFrequency)
    values, made, count = values_of(e), list[str](), max(8, width - NAME - 1)
    pooled = np.stack([pool(channel, BANDS, count) for channel in values])
    scale, (low, high) = each(pooled, percentile=100.0), limits(subject)
    for channel in strongest(values):
        shares = (pool(subject.levels[0, channel].double().numpy(), BANDS, count) - low) / (high - low or 1.0)
        strength = scale.strength(pooled[channel]) * (not drawn.empty)
        if len(values) > 1:
            made.append(cut(subject.names[channel], width))
        for row in reversed(range(len(shares))):
            shades = [SHADES[int(4.999 * min(1.0, max(0.0, share)))] for share in shares[row]]
            made.append(band(subject, row, len(shares)) + (tinted if colour else signs)(strength[row], shades, drawn))
    end = f"{subject.end_s:.4g} s"
    made.append(f"{'':<{NAME}}0 s{end:>{max(1, pooled.shape[2] - 3)}}")
    meaning = "# + for, = - against; shades: how loud" if drawn.signed else "# + how much; shades: how loud"
    return [*made, *([] if drawn.empty else [meaning if not colour else legend(drawn)])]


def pool(values: Heat, rows: int, columns: int) -> Heat:
    """Means over equally many places."""
    asked = zip(values.shape, (rows, columns), strict=True)
    edges = [np.linspace(0, size, min(size, most) + 1).round().astype(int) for size, most in asked]
    sums = np.add.reduceat(np.add.reduceat(values, edges[0][:-1], axis=0), edges[1][:-1], axis=1)
    means: Heat = sums / np.diff(edges[0])[:, None] / np.diff(edges[1])
    return means


def band(subject: TimeFrequency, row: int, rows: int) -> str:
    """The frequencies of one line."""
    edges = np.linspace(0, len(subject.hertz), rows + 1).round().astype(int)
    low, high = subject.band(int(edges[row]))[0], subject.band(int(edges[row + 1]) - 1)[1]
    return f"{low:.0f}-{high:.0f} Hz"[: NAME - 1].rjust(NAME - 1) + " "


def tinted(strength: Heat, shades: list[str], drawn: Map) -> str:
    """Shades on colours."""
    cells = (ink(INK) + paper(drawn.on_paper(0.75 * float(s))) + shade for s, shade in zip(strength, shades, strict=True))
    return "".join(cells) + RESET


def signs(strength: Heat, shades: list[str], drawn: Map) -> str:
    """Signs where there is evidence, else shades."""
    found = np.digitize(strength, (-0.6, -0.2, 0.2, 0.6))
    return "".join("=- +#"[sign] if sign != 2 else shade for sign, shade in zip(found, shades, strict=True))


def legend(drawn: Map) -> str:
    """What the colours mean."""
    ends = (f"{ink(INK)}{paper(drawn.on_paper(0.75 * level))}  {RESET} {text}" for level, text in drawn.ends(short=True))
    return "  ".join(ends) + " · shades: how loud"
