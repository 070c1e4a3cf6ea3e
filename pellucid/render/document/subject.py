"""What a case is about: the picture, text, row, series, spectrogram or several inputs that were explained."""

from __future__ import annotations

import math

import numpy as np

from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Generated, MultiInput, Series, Table as Rows, TimeFrequency, Tokens
from pellucid.model.modality.tokens import PADDING
from ..modality.series.chart import strongest
from ..modality.spectrogram.chart import strongest as strongest_levels, values_of
from ..parts.scale import Heat
from . import schema
from .encoding import address, averaged, deflated, number, numbers

MOST_POINTS = 2000  # of a curve
MOST_PLACES = 60_000  # of a spectrogram


def subject(e: Explanation) -> schema.Subject:
    """What one sample is, or all rows of one generated text."""
    what = e.subject
    if isinstance(what, MultiInput):
        return schema.Inputs(kind="inputs", parts=[part(e, name) for name in what.names])
    return single(e)


def part(e: Explanation, name: str) -> schema.Part:
    """One of several inputs, with its share of all values."""
    return schema.Part(name=name, subject=single(e.part(name)), share=share(e, name))  # type: ignore[typeddict-item]


def share(e: Explanation, name: str) -> schema.Number:
    """The size of what one input has, of the sizes of all of them."""
    assert isinstance(e.subject, MultiInput)
    sizes = {one: abs(float(e.subject.cut(e.values.double(), one).sum())) for one in e.subject.names}
    whole = sum(sizes.values())
    return number(sizes[name] / whole) if whole else None


def single(e: Explanation) -> schema.Subject:
    """The subject of an explanation of one input."""
    what = e.subject
    if isinstance(what, Generated):
        return generated(what)
    if isinstance(what, Tokens):
        return text(what)
    if isinstance(what, Rows):
        return table(what)
    if isinstance(what, Series):
        return curves(what, shown_channels(e))
    if isinstance(what, TimeFrequency):
        return spectrogram(what, shown_bands(e))
    return picture(e)


def picture(e: Explanation) -> schema.Picture | schema.Values:
    """The pixels, or what is known of a tensor without any: its size."""
    pixels = e.photograph()
    height, width = e.heat().shape
    if pixels is None and height == 1:
        return schema.Values(kind="values", length=width)
    height, width = (height, width) if pixels is None else pixels.shape[:2]
    src = None if pixels is None else address(pixels)
    return schema.Picture(kind="picture", src=src, width=int(width), height=int(height))


def real(what: Tokens) -> list[int]:
    """The positions of tokens that are no padding."""
    return [place for place, kind in enumerate(what.kinds[0]) if kind != PADDING]


def tokens(what: Tokens) -> list[schema.Token]:
    """Every token but padding, with the word and the sentence it belongs to, by their numbers."""
    named = {by: {place: n for n, (_, group) in enumerate(what.groups(by, 0)) for place in group} for by in ("word", "sentence")}
    made = []
    for place in real(what):
        start, end = what.spans[0][place]
        kind = what.kinds[0][place]
        shown = what.texts[0][start:end] if start < end and kind != "special" else what.pieces[0][place]
        made.append(
            schema.Token(
                text=shown, kind=kind, start=start, end=end,  # type: ignore[typeddict-item]
                word=named["word"].get(place), sentence=named["sentence"].get(place),
            )
        )  # fmt: skip
    return made


def text(what: Tokens) -> schema.Text:
    return schema.Text(kind="tokens", text=what.texts[0], tokens=tokens(what))


def generated(what: Generated) -> schema.Generated:
    """A prompt and its continuation, and which tokens are new."""
    order = {place: n for n, place in enumerate(real(what))}
    new = [order[place] for place in what.places]
    return schema.Generated(
        kind="generated", text=what.texts[0], tokens=tokens(what), prompt=min(new), source=what.sources[0], new=new
    )


def table(what: Rows) -> schema.Table:
    cells = zip(what.names, what.cells[0], strict=True)
    return schema.Table(kind="table", columns=[schema.Column(name=name, value=cell, baseline=None) for name, cell in cells])


def shown_channels(e: Explanation) -> list[int]:
    """The channels of a series that are shown: of many those that say most, as in a picture of it."""
    return strongest(e.values[0].detach().cpu().double().abs().numpy())


def curves(what: Series, shown: list[int]) -> schema.Curves:
    """The curves; of long ones, the lowest and the highest point of every stretch, in the order of time."""
    series: Heat = what.curves[0].double().numpy()
    channels = [schema.Channel(name=what.names[n], values=drawn(series[n])) for n in shown]
    return schema.Curves(
        kind="curves", channels=channels, length=series.shape[1], unit=what.unit, step=1 / what.rate,
        omitted=len(series) - len(shown),
    )  # fmt: skip


def drawn(curve: Heat) -> list[schema.Number]:
    """A curve in no more points than can be seen, two for every stretch of a long one."""
    if len(curve) <= MOST_POINTS:
        return numbers(curve)
    made: list[float] = []
    for stretch in np.array_split(curve, MOST_POINTS // 2):
        low, high = int(stretch.argmin()), int(stretch.argmax())
        made += [float(stretch[at]) for at in sorted((low, high))]
    return numbers(np.array(made))


def shown_bands(e: Explanation) -> list[int]:
    """The channels of a spectrogram that are shown."""
    return strongest_levels(values_of(e))


def spectrogram(what: TimeFrequency, shown: list[int]) -> schema.Spectrogram:
    """The levels of every channel below one another, in steps of a 255th from the lowest to the highest."""
    levels = np.concatenate([pooled(what.levels[0, n].double().numpy()) for n in shown])
    rows, columns = strides(*what.levels.shape[2:])
    low, high = float(levels.min()), float(levels.max())
    q = np.rint((levels - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    hertz = [float(np.mean(part)) for part in cut(np.array(what.hertz), rows)]
    times = [what.seconds(float(np.mean(part))) for part in cut(np.arange(what.levels.shape[3], dtype=float), columns)]
    return schema.Spectrogram(
        kind="spectrogram", channels=[what.names[n] for n in shown], height=len(hertz), width=len(times),
        frequencies=[float(f"{one:.6g}") for one in hertz], times=[float(f"{one:.6g}") for one in times],
        duration=what.end_s, unit=what.unit, levels=deflated(q), low=low, high=high, omitted=len(what.names) - len(shown),
    )  # fmt: skip


def strides(height: int, width: int) -> tuple[int, int]:
    """How many rows and columns of a spectrogram become one, so that there are not more than `MOST_PLACES`."""
    rows = max(1, math.ceil(height / 256))
    return rows, max(1, math.ceil(math.ceil(height / rows) * width / MOST_PLACES))


def pooled(values: Heat) -> Heat:
    """One channel with neighbouring rows and columns averaged, where there are more than a document holds."""
    return averaged(values, *strides(*values.shape))


def cut(values: Heat, stride: int) -> list[Heat]:
    """Neighbours that become one."""
    return [values[at : at + stride] for at in range(0, len(values), stride)]
