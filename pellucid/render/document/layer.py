"""A layer of a case: what one method answered for one target, place by place, with all that is said about it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pellucid.catalogue.methods import claim
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.regions import Region
from pellucid.model.modality import Generated, MultiInput, Piece, Series, Table, TimeFrequency, Tokens
from ..modality.generated import words
from ..modality.generated.layout import Layout, layout
from ..modality.series.chart import strips
from ..modality.spectrogram.chart import values_of as spectrogram_values
from ..parts.map import prepare, sinks_of
from ..parts.region_table import region_rows
from ..parts.scale import Heat, Scale, each
from ..parts.steps import bars, rises, waterfall
from . import schema
from .command import command
from .encoding import LARGEST, LEVELS, averaged, exact, number, quantised, runs
from .ledger import ledger
from .subject import pooled, real, share, shown_bands, shown_channels

MOST_EXACT, MOST_EXACT_ROW = 1024, 4096  # places of a map and of a row whose values are kept exactly
MOST_STRIPS = 1000  # of time
MOST_STEPS = 40  # columns of a table that stand in the waterfall


class Values(NamedTuple):
    """What is encoded of a sample: its values, the scale, those that the scale is made for, and the sentence about it."""

    heat: NDArray[Any]
    scale: Scale
    scaled: Heat
    sentence: str = ""
    pool: int = 1
    shared: bool = False


def layer(
    e: Explanation, id: str, name: str | None = None, seconds: float | None = None, scale: Scale | None = None
) -> schema.Layer:
    """One sample of an explanation, or all rows of one generated text.

    Arguments:
        name: What the user calls the method.
        scale: One that several samples share; None: its own.
    """
    rows, single = generated_rows(e), e[0]
    facts = {
        "id": id, "name": name or e.method, "method": e.method, "claim": claim(e.method), "target": single.target,
        "output": number(float(single.output)), "equation": title(e),
        "at": e.at, "signed": e.signed, "adds": e.signed and e.adds, "forwards": e.forwards,
        "seconds": number(seconds), "sentence": sentence(e), "warnings": warnings(e), "notes": list(e.notes),
        "nothing": None if rows else single.nothing() or None, "doubt": None if rows else single.doubt() or None,
        "ledger": None if e.ledger is None or rows else ledger(e.ledger, e.sinks()), "rows": rows, "parts": parts(e),
        "contrast": [list(side) for side in e.contrast[0]] if e.contrast and not rows else None, "command": command(e),
    }  # fmt: skip
    return cast(schema.Layer, facts | values(e, scale) | told(e))


def title(e: Explanation) -> str:
    """Target and value; of a generated text, how many tokens of it are explained."""
    return e.equation() if len(e) == 1 else f"{len(e)} new tokens"


def sentence(e: Explanation) -> str:
    """The headline and what belongs to it."""
    return e.sentence() if len(e) == 1 else " ".join(words.sentences(e))


def warnings(e: Explanation) -> list[str]:
    """What makes the map less than it seems."""
    return e.warnings() if len(e) == 1 else words.warnings(e)


# -- values -------------------------------------------------------------------------------------------------------------------


def encoded(one: schema.Layer, e: Explanation, scale: Scale | None, levels: int) -> schema.Layer:
    """A layer with its maps in other steps."""
    inside = [part | values(e.part(part["name"]), None, levels) for part in one["parts"]]
    return cast(schema.Layer, one | values(e, scale, levels) | {"parts": inside})


def values(e: Explanation, shared: Scale | None = None, levels: int = LEVELS[0]) -> dict[str, Any]:
    """The values as they travel, exact where they are few, and their scale."""
    made = values_of(e, shared)
    heat, scale = made.heat, made.scale
    finite = bool(np.isfinite(heat).all())
    few = heat.size <= (MOST_EXACT if len(heat) > 1 else MOST_EXACT_ROW)
    packed, beyond = (None, None) if few or not finite else quantised(heat, scale.limit, levels)
    return {
        "shape": list(heat.shape), "pool": made.pool, "map": packed, "levels": levels, "beyond": beyond,
        "values": exact(heat) if few else None,
        "scale": schema.Scale(
            mode="shared" if made.shared else "each", limit=scale.limit, origin=scale.origin,
            clipped=float((np.abs(made.scaled) > scale.limit).mean()) if finite else 0.0,
            peak=float(np.abs(heat).max()) if finite else 0.0, sentence=made.sentence if finite else "",
        ),
    }  # fmt: skip


def values_of(e: Explanation, shared: Scale | None) -> Values:
    """The values of one sample as its kind of input is shown: per place, per channel and time, per frequency and time."""
    if isinstance(e.subject, MultiInput):
        return sums(e)
    if isinstance(e.subject, Generated) and len(e) > 1:
        return matrix(layout(e))
    if isinstance(e.subject, Series):
        drawn = strips(e, MOST_STRIPS)
        return with_sentence(drawn.values[shown_channels(e)], drawn.scale, signed=e.signed)
    if isinstance(e.subject, TimeFrequency):
        kept = np.concatenate([pooled(spectrogram_values(e)[n]) for n in shown_bands(e)])
        return with_sentence(kept, scale_of(kept), signed=e.signed)
    return of_places(e, shared)


def of_places(e: Explanation, shared: Scale | None) -> Values:
    """The map of one sample as it is painted; where it shows no evidence, with the scale that it would have."""
    drawn = prepare(e, scale=shared or "each")
    scale = scale_of(drawn.heat) if drawn.empty and shared is None else drawn.scale
    heat = drawn.heat[:, real(e.subject)] if isinstance(e.subject, Tokens) else drawn.heat
    exactly: NDArray[Any] = heat if str(e.values.dtype) == "torch.float64" else heat.astype(np.float32)
    pool = pool_of(e)
    exactly = averaged(exactly, pool, pool) if pool > 1 else exactly
    return Values(exactly, scale, drawn.scaled, "" if drawn.empty else drawn.sentence(), pool, shared is not None)


def pool_of(e: Explanation) -> int:
    """How many rows and columns of a map become one: more than one where it is finer than its picture is shown."""
    height, width = e.heat().shape
    return math.ceil(max(height, width) / LARGEST) if height > 1 else 1


def with_sentence(heat: Heat, scale: Scale, *, signed: bool) -> Values:
    return Values(heat, scale, heat, scale.sentence(heat, signed=signed) if np.isfinite(heat).all() else "")


def scale_of(heat: Heat) -> Scale:
    """The scale of a map by itself; of one that is not finite none is known."""
    return each(heat) if np.isfinite(heat).all() else Scale(1.0, "no scale: some values are not finite")


def sums(e: Explanation) -> Values:
    """The sum of each of several inputs."""
    assert isinstance(e.subject, MultiInput)
    row = np.array([[float(e.subject.cut(e.values.double(), name).sum()) for name in e.subject.names]])
    return Values(row.astype(np.float32), scale_of(row), row)


def matrix(shown: Layout) -> Values:
    """What every new token got from every token, a row for each new one."""
    heat = shown.heat.astype(np.float32)
    return Values(heat, shown.scale, shown.rest, shown.scale.sentence(shown.rest[None], signed=shown.signed))


# -- what is said of the values -----------------------------------------------------------------------------------------------


def told(e: Explanation) -> dict[str, Any]:
    """What is said of parts of the input: regions, words, columns; of several inputs each has its own."""
    if isinstance(e.subject, MultiInput) or len(e) > 1:
        apart = list(layout(e).sinks) if len(e) > 1 else []
        return {"regions": [], "words": [], "sentences": [], "sinks": apart, "columns": None}
    return {
        "regions": regions(e), "words": pieces(e, "word"), "sentences": pieces(e, "sentence"), "sinks": sink_places(e),
        "columns": columns(e),
    }  # fmt: skip


def regions(e: Explanation) -> list[schema.Region]:
    """Where evidence lies together on a picture, or in a row of numbers; of texts there are words, of tables columns."""
    if isinstance(e.subject, Tokens | Table | Series | TimeFrequency):
        return []
    found, pool = e.regions(), pool_of(e)
    names = [line[1] for line in region_rows(found)]
    return [region(one, f"r{n}", name, pool) for n, (one, name) in enumerate(zip(found, names, strict=True), 1)]


def region(one: Region, id: str, place: str, pool: int) -> schema.Region:
    """A region, its mask and box in places of the map that is encoded."""
    mask = one.mask.numpy() if pool == 1 else averaged(one.mask.double().numpy(), pool, pool) >= 0.5
    top, left, bottom, right = one.box
    box = [top // pool, left // pool, math.ceil(bottom / pool), math.ceil(right / pool)]
    return schema.Region(
        id=id, sign="against" if one.against else "for", share=one.share, area=one.area, evidence=one.evidence, parts=one.parts,
        box=box, rle=runs(mask), place=place,
    )  # fmt: skip


def pieces(e: Explanation, by: str) -> list[schema.Piece]:
    """Words or sentences of a text, each with its value and its share of all that has the same sign."""
    if not isinstance(e.subject, Tokens):
        return []
    order = {place: n for n, place in enumerate(real(e.subject))}
    apart = set(sinks_of(e))
    made = e.words() if by == "word" else e.sentences()
    kept = [one for one in made if not apart.issuperset(one.positions)]
    return [piece(one, order, 0.0 if one not in kept else sum_of_sign(kept, one.value)) for one in made]


def piece(one: Piece, order: dict[int, int], whole: float) -> schema.Piece:
    share = number(abs(one.value) / whole) if whole else None
    tokens = [order[place] for place in one.positions]
    return schema.Piece(text=one.text, value=number(one.value), share=share, tokens=tokens)


def sum_of_sign(made: list[Piece], value: float) -> float:
    """The size of all values with the sign of one."""
    return sum(abs(one.value) for one in made if one.value * value > 0)


def sink_places(e: Explanation) -> list[int]:
    """Tokens that are kept off the scale, by their numbers among those that are no padding."""
    if not isinstance(e.subject, Tokens):
        return []
    order = {place: n for n, place in enumerate(real(e.subject))}
    return [order[place] for place in sinks_of(e)]


def columns(e: Explanation) -> schema.Steps | None:
    """The columns of a row as steps to the score, or as bars where they do not add up."""
    if not isinstance(e.subject, Table) or e.nothing():
        return None
    made = waterfall(e, MOST_STEPS) if rises(e) else bars(e, MOST_STEPS)
    lines = [
        schema.Step(name=one.name, value=one.cell, start=number(one.start), stop=number(one.stop), kind=one.kind)  # type: ignore[typeddict-item]
        for one in made
    ]
    return schema.Steps(rising=rises(e), steps=lines)


def generated_rows(e: Explanation) -> list[schema.Row]:
    """The new tokens of a generated text that are explained; none where there is no matrix."""
    subject = e.subject
    if not isinstance(subject, Generated) or len(e) < 2:
        return []
    order = {place: n for n, place in enumerate(real(subject))}
    return [
        schema.Row(token=order[place], target=one.target, output=number(float(one.output)), equation=one.equation())
        for place, one in zip(subject.places, e, strict=True)
    ]


def parts(e: Explanation) -> list[schema.LayerPart]:
    """Each of several inputs with a map of its own, on a scale of its own."""
    inside = ((name, e.part(name)) for name in e.parts)
    return [cast(schema.LayerPart, {"name": name, "share": share(e, name)} | values(one) | told(one)) for name, one in inside]
