"""Maximizations, examples and concepts: pictures with numbers and words."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.synth.examples.example import Example, Examples as Found
from pellucid.synth.maximized import Maximized
from pellucid.verbs.concepts import Concepts as Channels
from ..concepts import captions, frame_box
from ..examples import legend, masked, value_name
from ..maximized import bounded, contrast, middle
from ..parts.pixels import SIDE, drawn
from . import schema
from .case import Answer, classes, layers_of
from .command import of_call
from .encoding import address, number
from .subject import subject

MOST = 64  # pictures that were made, and units of examples


def maximize(p: Maximized) -> schema.Maximize:
    """The pictures that were made, and the real ones beside them."""
    images = [synthesised(p, index) for index in range(min(len(p), MOST))]
    left = [f"The first {MOST} of {len(p)} pictures are shown."] if len(p) > MOST else []
    given = [] if p.real is None else examples_of(p.real)
    title = p.headline() if len(p) == 1 else f"{p.recipe} -> {len(p)} pictures"
    return schema.Maximize(
        schema=schema.SCHEMA, kind="maximize", title=title, sentence=p.caption() if len(p) == 1 else f"{title}.",
        notes=[*p.notes, *([] if p.real is None else [legend(p.real), *p.real.notes])], warnings=[*left, *unmoved(p)],
        provenance=dict(p.provenance), command=of_call(p.provenance), figures=[], images=images, real=given + members(p),
    )  # fmt: skip


def synthesised(p: Maximized, index: int) -> schema.Shown:
    """One picture, a pale one with more contrast, as on the sheet."""
    gain, image = contrast(p, index), p.images[index]
    image = image if gain == 1 else middle(p) + gain * (image - middle(p))
    words = [f"{p.targets[index]} = {figure(float(p.scores[index]))}"]
    words += [f"{label} {share:.0%}" for _, label, share in (p.classes[index][:1] if p.classes else ())]
    words += [f"contrast x {gain:.1f}"] if gain > 1 else []
    words += [f"seed {p.seeds[index]}"] if len(set(p.seeds)) > 1 else []
    return shown(image, p, float(p.scores[index]), " · ".join(words), p.targets[index])


def shown(image: Tensor, p: Maximized, score: float | None, caption: str, group: str) -> schema.Shown:
    return schema.Shown(src=address(drawn(image, bounded(p))), score=number(score), caption=caption, group=group)


def unmoved(p: Maximized) -> list[str]:
    """Says so of pictures whose unit never fired."""
    silent = [target for target, fired in zip(p.targets, p.fired.tolist(), strict=False) if not fired]
    return [f"Never fired: {', '.join(dict.fromkeys(silent))}. Such a picture says nothing."] if silent else []


def members(p: Maximized) -> list[schema.Shown]:
    """The pictures that facets began with, and those that a picture was given."""
    found = []
    if "members" in p.extras:
        for index, images in enumerate(p.extras["members"]):
            found += [shown(image, p, None, "real, of this facet", p.targets[index]) for image in images[:3]]
    if "given" in p.extras and "given scores" in p.extras:
        for index, image in enumerate(p.extras["given"]):
            score = float(p.extras["given scores"][index])
            found.append(shown(image, p, score, f"given: {p.targets[index]} = {figure(score)}", p.targets[index]))
    return found


def examples(e: Found) -> schema.Maximize:
    """Real pictures that activate units most."""
    left = [f"The first {MOST} of {len(e)} units are shown."] if len(e) > MOST else []
    title = f"{len(e)} units by {e.by}" if len(e) != 1 else f"{e.units[0]} by {e.by}"
    return schema.Maximize(
        schema=schema.SCHEMA, kind="examples", title=title, sentence=legend(e), notes=list(e.notes), warnings=left,
        provenance=dict(e.provenance), command=of_call(e.provenance), figures=[], images=[], real=examples_of(e),
    )  # fmt: skip


def examples_of(e: Found) -> list[schema.Shown]:
    """Every example with its value, unit by unit."""
    rows = list(zip(e.units, e.rows, strict=True))[:MOST]
    return [example_shown(e, one, unit) for unit, row in rows for one in row]


def example_shown(e: Found, one: Example, unit: str) -> schema.Shown:
    words = f"{named(one)}: {value_name(e, one)}{figure(one.value)}"
    return schema.Shown(src=address(masked(one, SIDE)), score=number(one.value), caption=words, group=unit)


def named(one: Example) -> str:
    """The file of an example, or its number."""
    return Path(one.name).stem if isinstance(one.name, str) else f"picture {one.name}"


def concepts(c: Channels) -> schema.Concepts:
    """A decision, and the channels it was made with, each with a map, a portrait, and real pictures."""
    answers = [Answer(c.whole, c.whole.method)]
    answers += [Answer(one, f"channel {concept.channel}") for one, concept in zip(c.maps, c.shown, strict=True)]
    layers = layers_of(answers)
    notes = [*captions(c), *c.notes, *(c.examples.notes if c.examples else ())]
    every = schema.Cells(
        head=["channel", "relevance", "share of the score", "peak"],
        rows=[[str(one.channel), figure(one.relevance), f"{100 * one.share:.1f} %", figure(one.peak)] for one in c.every],
    )
    return schema.Concepts(
        schema=schema.SCHEMA, kind="concepts", title=f"{c.whole.equation()}: channels of {c.at}", sentence=c.sentence(),
        notes=notes, warnings=list(c.whole.warnings()), provenance=dict(c.whole.provenance) | {"at": c.at},
        command=of_call(c.whole.provenance), figures=[], at=c.at, subject=subject(c.whole), layers=layers,
        classes=classes([c.whole]), items=[item(c, place, layers[place + 1]["id"]) for place in range(len(c))], every=every,
    )  # fmt: skip


def item(c: Channels, place: int, layer: str) -> schema.Item:
    """One channel."""
    one = c.shown[place]
    portrait = None if c.drawn is None else address(drawn(c.drawn.images[place], bounded(c.drawn)))
    crops = [] if c.examples is None else [address(masked(example, SIDE)) for example in c.examples[place]]
    box = frame_box(c, place)
    return schema.Item(
        unit=f"channel {one.channel}", relevance=number(one.relevance), share=number(one.share), layer=layer,
        peak=number(one.peak), box=None if box is None else list(box), portrait=portrait, crops=crops,
    )  # fmt: skip
