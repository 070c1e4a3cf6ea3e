"""A contact sheet: what a maximization found, picture by picture, each over its target, its score and what the network says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.synth.examples.receptive_field import Box
from pellucid.synth.maximized import Maximized
from pellucid.synth.trust.trust import Trust
from .examples import example_cell, legend, no_example
from .image import encoded, framed, model_words
from .parts.grid import per_row
from .parts.palette import AMBER, FAINT, INK, PAPER
from .parts.pixels import GAP, SIDE, drawn, fitted, painted
from .parts.text import boxes_said, line, paragraph, side_by_side, stack

BESIDE = 4  # pictures that were made, in one row with real ones
FAINTEST = 1.5  # how much paler than full contrast a picture is before it is shown with more
OUTLIERS = 0.995  # share of the entries that full contrast is measured by
MEMBERS = 3  # real pictures of a facet that are shown


def contact_sheet(p: Maximized, across: int | None = None, trust: Trust | None = None) -> Image.Image:
    """All pictures in rows of `across`, their words below them; the seeds of one target share a row where they can. Pale ones are
    shown with more contrast, and how much is said.

    Where there are real pictures to be shown, each target has rows of its own, and they stand behind those that were made; behind
    that of a facet stand the picture it began with and real ones of its kind. A picture that was given stands before what was
    made of it.
    """
    wide = max(SIDE, *(drawn(image, bounded(p)).width for image in p.images[:1]))
    cells = [cell(p, index, wide, trust) for index in range(len(p))]
    if p.real is None and "members" in p.extras:
        rows = with_members(p, cells, wide)
    elif p.real is None and "given scores" in p.extras:
        rows = with_given(p, cells, wide, across or BESIDE)
    elif p.real is None:
        across = across or columns(len(p), len(set(p.seeds)))
        rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    else:
        rows = with_real(p, cells, wide, across or BESIDE)
    single = len(rows) == 1 and len(rows[0]) == 1
    body = beside(p, trust) if single else stack([side_by_side(row, wide, GAP) for row in rows], GAP)
    room = max(body.width, 2 * SIDE)
    notes = [paragraph(note, 14, room, AMBER) for note in p.notes]
    if p.real is not None:
        notes += [paragraph(note, 14, room, AMBER) for note in p.real.notes] + [paragraph(legend(p.real), 14, room, FAINT)]
    notes += [paragraph(note, 14, room, AMBER) for note in (trust.notes if trust else ())]
    said = (*p.targets, *(label for best in p.classes for _, label, _ in best))
    return framed(stack([heading(p, room), body, *notes, *boxes_said(said, room)], GAP))


def with_real(p: Maximized, cells: Sequence[Image.Image], wide: int, across: int) -> list[list[Image.Image]]:
    """For each target the pictures that were made, in rows of `across`, and real ones behind the first of these."""
    assert p.real is not None
    rows: list[list[Image.Image]] = []
    for target in dict.fromkeys(p.targets):
        own = [index for index in range(len(p)) if p.targets[index] == target]
        made = [[cells[index] for index in own[start : start + across]] for start in range(0, len(own), across)]
        real = [example_cell(p.real, example, wide) for example in p.examples(own[0])]
        made[0] += real or [no_example(p.real.seen, wide)]
        rows += made
    return rows


def with_members(p: Maximized, cells: Sequence[Image.Image], wide: int) -> list[list[Image.Image]]:
    """For each facet the picture that was made, the one it began with, and the real ones nearest to the facet's middle."""
    listed = [(facet, len(found)) for found in p.provenance["facets"] for facet in found]
    rows: list[list[Image.Image]] = []
    for index, (facet, count) in enumerate(listed):
        kind = f"one of {count} kinds, of {facet['pictures']} pictures" if count > 1 else f"{facet['pictures']} pictures"
        shown = [(p.extras["starts"][index], "where it began", kind)]
        for image, name in zip(p.extras["members"][index][:MEMBERS], facet["members"], strict=False):
            shown.append((image, "real", Path(name).stem if isinstance(name, str) else f"picture {name}"))
        rows.append([cells[index], *(captioned(image, bounded(p), wide, *words) for image, *words in shown)])
    return rows


def with_given(p: Maximized, cells: Sequence[Image.Image], wide: int, across: int) -> list[list[Image.Image]]:
    """Each picture that was given, before those that were made of it, in rows of `across` of these."""
    given, rows = p.extras["given"], list[list[Image.Image]]()
    for index, made in enumerate(cells):
        same = index > 0 and p.targets[index] == p.targets[index - 1] and bool((given[index] == given[index - 1]).all())
        if same and len(rows[-1]) <= across:
            rows[-1].append(made)
        else:
            words = f"{p.targets[index]} = {figure(float(p.extras['given scores'][index]))}"
            rows.append([captioned(given[index], bounded(p), wide, "given", words), made])
    return rows


def captioned(image: Tensor, within: bool, wide: int, head: str, words: str) -> Image.Image:
    """A picture over what it is."""
    return stack([drawn(image, within), stack([line(head, 15, wide, INK), line(words, 13, wide, FAINT)], 2)], 6)


def heading(p: Maximized, wide: int) -> Image.Image:
    """Recipe and model."""
    words = "  ·  ".join(
        filter(None, [f"recipe {p.recipe}", model_words(p.provenance), f"{len(p)} pictures" if len(p) > 1 else ""])
    )
    return line(words, 17, wide, INK)


def cell(p: Maximized, index: int, wide: int, trust: Trust | None = None) -> Image.Image:
    """One picture over its words, with the numbers that say most about how far to trust it."""
    image, words = parts(p, index, wide, trust)
    return stack([image, words], 6)


def beside(p: Maximized, trust: Trust | None) -> Image.Image:
    """The only picture, with its words at the right."""
    image, words = parts(p, 0, SIDE + GAP, trust)
    sheet = Image.new("RGB", (image.width + GAP + words.width, max(image.height, words.height)), PAPER)
    sheet.paste(image, (0, 0))
    sheet.paste(words, (image.width + GAP, 0))
    return sheet


def parts(p: Maximized, index: int, wide: int, trust: Trust | None = None) -> tuple[Image.Image, Image.Image]:
    """One picture, and its words."""
    lines = [paragraph(f"{p.targets[index]} = {figure(float(p.scores[index]))}", 15, wide, INK)]
    gain = contrast(p, index)
    first = p.classes[index][:1] if p.classes else ()
    notes = [f"model says {label}, {100 * share:.0f} %" for _, label, share in first]
    notes += [f"contrast x {gain:.1f}"] if gain > 1 else []
    notes += [f"seed {p.seeds[index]}"] if len(set(p.seeds)) > 1 else []
    lines += [paragraph("  ·  ".join(notes), 13, wide, FAINT)] if notes else []
    lines += [] if bool(p.fired[index]) else [paragraph("never fired", 13, wide, AMBER)]
    lines += [line(words, 13, wide, FAINT) for words in (trust[index].telling() if trust else ())]
    image, size = portrait(p, index)
    lines += [paragraph(size, 13, wide, FAINT)] if size else []
    return image, stack(lines, 2)


def portrait(p: Maximized, index: int) -> tuple[Image.Image, str]:
    """One picture, and what is to be said of its size: of one unit only what it can see, in its own size or a whole multiple.

    Of a channel as a whole, whose units stand side by side, all is shown, with a frame as large as what one of them sees.
    """
    gain, box = contrast(p, index), p.unit_field(index)
    image = p.images[index] if gain == 1 else middle(p) + gain * (p.images[index] - middle(p))
    if box is None:
        return drawn(image, bounded(p)), ""
    height, width = (end - start for start, end in box)
    assert p.task is not None
    if getattr(p.task.targets[index].terms[0][1], "position", None) is None:
        return framed_part(drawn(image, bounded(p)), box, image.shape[1:]), f"frame: what one unit sees, {width} x {height} px"
    zoom = max(1, SIDE // 2 // max(height, width))
    part = painted(image[:, slice(*box[0]), slice(*box[1])], bounded(p))
    times = f", shown {zoom} times as large" if zoom > 1 else ""
    return fitted(part, zoom * max(height, width)), f"all the unit sees: {width} x {height} px{times}"


def framed_part(image: Image.Image, box: Box, sides: Sequence[int]) -> Image.Image:
    """A picture with a frame around a part of it, dark between light lines so that it is seen on any ground."""
    scaled = zip(box, image.size[::-1], sides, strict=True)
    (top, bottom), (left, right) = ([round(end * drawn_side / side) for end in ends] for ends, drawn_side, side in scaled)
    pen = ImageDraw.Draw(image)
    for inward, ink in ((-1, PAPER), (0, INK), (1, PAPER)):
        pen.rectangle((left + inward, top + inward, right - 1 - inward, bottom - 1 - inward), outline=ink)
    return image


def contrast(p: Maximized, index: int) -> float:
    """How many times the contrast of a pale picture is raised about the picture that the network calls zero; else 1.

    Ascents that pay for length or take back what they drew leave pale pictures: to the network they are as strong as others.
    """
    image = p.images[index]
    if image.dim() != 3 or not bounded(p):
        return 1.0
    away = (image - middle(p)).abs().flatten()
    far = float(away.sort().values[round(OUTLIERS * (len(away) - 1))])
    return 0.5 / far if 0 < far * FAINTEST < 0.5 else 1.0


def middle(p: Maximized) -> Tensor | float:
    """The picture that the network calls zero, where it is known."""
    return 0.5 if p.task is None or not p.task.frame.bounded else p.task.frame.mean[0].float().cpu()


def columns(count: int, seeds: int) -> int:
    """How many pictures stand in a row.

    Example:
        >>> columns(1, 1), columns(5, 1), columns(12, 4), columns(64, 1)
        (1, 5, 4, 8)
    """
    if 1 < seeds <= 8:
        return seeds
    return per_row(count, 6 if count <= 6 else math.ceil(math.sqrt(count)) + 2)


def bounded(p: Maximized) -> bool:
    """Whether pictures run from 0 to 1; else they are drawn from their lowest to their highest value."""
    return bool(p.images.min() >= 0 and p.images.max() <= 1)


def png(p: Maximized, *, across: int | None = None, trust: Trust | None = None) -> bytes:
    """The sheet as the bytes of a PNG file, with captions and provenance in text chunks."""
    return encoded(contact_sheet(p, across, trust), "\n".join(map(p.caption, range(len(p)))), p.provenance)
