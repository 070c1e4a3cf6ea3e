"""The verb `concepts`: which channels of a layer a decision was made with, where on the picture, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Module, functional

from pellucid.catalogue.methods import as_method
from pellucid.core.data_frame import data_frame
from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.numbers import figure
from pellucid.core.one_line import cut, one_line
from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method
from pellucid.explanation.serialization import summary
from pellucid.model import load
from pellucid.model.surroundings import for_the_network_alone
from pellucid.synth.examples.example import Examples
from pellucid.synth.maximized import Maximized, Maximizer, document
from pellucid.synth.pictures import pictures
from pellucid.target import as_target
from .addresses import address, with_layers
from .beneath import with_picture
from .call import call
from .channel_layer import ChannelLayer, find_layer
from .examples import examples
from .explain import check_carries, run_method, with_conditions
from .inputs import read_inputs
from .maximize import maximize
from .scores import read_target

USUAL = {
    "target": None, "method": "lrp", "at": None, "which": None, "top": 6, "against": 2, "data": None, "beside": 3, "draw": False,
    "strict": False,
}  # fmt: skip
HALF = 0.5  # of all that speaks for a decision
ALIKE = 0.8  # correlation from which on maps, averaged over the 16th part of their side, tell channels no more apart
ALIKE_PX = 32  # rows that a map needs at least for that


@dataclass(frozen=True)
class Concept(Displayed):
    """One channel of a layer, in one decision.

    Arguments:
        channel: Its number.
        relevance: What passes through it, summed over its places: for the decision where positive, against it where negative.
        share: That over the size of the score.
        peak: Its largest activation.
        position: Where its relevance is largest in size, one index per axis of its map; () where it has none.
    """

    kind: ClassVar[str] = "concept"

    channel: int
    relevance: float
    share: float
    peak: float
    position: tuple[int, ...]

    __repr__ = one_line

    def __str__(self) -> str:
        return f"channel {self.channel}: {self.relevance:+.3g} ({100 * self.share:+.1f} %)"


@dataclass(frozen=True, eq=False)
class Concepts(Displayed, Sequence[Concept]):
    """The channels of a layer that a decision was made with: those that speak most for it, then those that speak most against.

    Arguments:
        at: The layer.
        shown: The channels that are shown.
        every: All channels of the layer, what speaks most for the decision first.
        whole: The explanation in terms of the input.
        maps: What passes through each of the channels shown, in terms of the input: a row for each.
        examples: Real pictures that these channels are used for most, a row for each; None where there were none to choose from.
        drawn: What excites each of them most; None where nobody asked.
        layers: Which layers could have been asked for.
        notes: Sentences a reader has to know.
        sizes: How many places the layer has along each axis; () where it has none.
    """

    kind: ClassVar[str] = "concepts"

    at: str
    shown: tuple[Concept, ...]
    every: tuple[Concept, ...]
    whole: Explanation
    maps: Explanation
    examples: Examples | None = None
    drawn: Maximized | None = None
    layers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.shown)

    def __getitem__(self, place: int) -> Concept:  # type: ignore[override]
        return self.shown[place]

    def __repr__(self) -> str:
        return cut(f"Concepts({len(self.every)} channels of {self.at}, {self.whole.headline()})")

    def frame(self) -> Any:
        """Every channel of the layer as a `pandas.DataFrame`, what speaks most for the decision first."""
        return data_frame(self.rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every channel as plain data, what speaks most for the decision first."""
        return [vars(one).copy() for one in self.every]

    def carried(self) -> int:
        """How many channels together make half of all that speaks for the decision."""
        speaking = [one.relevance for one in self.every if one.relevance > 0]
        total = torch.tensor(speaking, dtype=torch.float64).cumsum(0)
        return int((total < HALF * total[-1]).sum()) + 1 if speaking else 0

    def sentence(self) -> str:
        """The decision, and where its relevance lies among the channels."""
        return f"{self.whole.headline()}: {self.passage()}"

    def passage(self) -> str:
        """Where the decision's relevance lies among the channels, in words."""
        speaking = [one for one in self.shown if one.relevance > 0]
        share = 100 * sum(one.share for one in speaking)
        shown = f"; the {len(speaking)} channels shown in favour hold {share:.0f} % of the score" if len(speaking) > 1 else ""
        total, half = sum(one.relevance for one in self.every), self.carried()
        among = f"; {half} of {len(self.every)} hold half of the evidence in favour" if half else "; none is in favour"
        whole = figure(float(self.whole.output[0]))
        return f"{figure(total)} of the score {whole} passes through {self.at}{shown}{among}."

    def text(self) -> str:
        """A table of the channels shown, for terminals."""
        lines = [self.sentence(), ""]
        for place, one in enumerate(self.shown):
            real = [] if self.examples is None else [Path(str(e.name)).name for e in self.examples[place]]
            most = f"  used most in {', '.join(real)}" if real else ""
            lines.append(f"{'for' if one.relevance > 0 else 'against':>8}  {one}{most}")
        return "\n".join([*lines, *(["", *self.notes] if self.notes else [])])

    def document(self) -> dict[str, Any]:
        """All of it as plain data, without pictures."""
        drawn = None if self.drawn is None else {k: v for k, v in document(self.drawn).items() if k != "trace"}
        return {
            "at": self.at, "target": self.whole.target, "output": float(self.whole.output[0]), "method": self.whole.method,
            "sentence": self.sentence(), "shown": [one.channel for one in self.shown], "channels": self.rows,
            "examples": None if self.examples is None else self.examples.document(), "drawn": drawn, "notes": list(self.notes),
            "explanation": summary(self.whole),
        }  # fmt: skip

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a sheet (.png), all channels and what is known of them (.json), or the table (.txt), whole or not at all."""
        return save(self, path, "concepts", **options)


@for_the_network_alone
def concepts(
    model: Any,
    x: Any,
    target: Any = None,
    method: str | Method = "lrp",
    *,
    at: str | Module | None = None,
    which: Sequence[int] | None = None,
    top: int = 6,
    against: int = 2,
    data: Any = None,
    beside: int = 3,
    draw: bool | str | Maximizer = False,
    strict: bool = False,
) -> Concepts:
    """Which channels of a layer a decision was made with, where each of them looked, and what each stands for.

    References: Achtibat et al., 2023, From attribution maps to human-understandable explanations through concept relevance
        propagation, https://doi.org/10.1038/s42256-023-00711-8

    Arguments:
        model, x, target, method, strict: As in `explain`, for one sample; the method one that takes conditions.
        at: The layer; None: the last one with maps, which the answer names.
        which: The channels to show; None: those that speak most for the decision, and those that speak most against it.
        top, against: How many of these.
        data: Pictures of yours; of them are shown those that each channel is used for most (`examples(..., by="relevance")`).
        beside: How many of them, for each channel.
        draw: Whether to draw what excites each channel most, by `maximize`; or the recipe to draw by.

    Returns:
        The channels shown, `c[0].channel`, `c[0].share`, with a map for each in `c.maps`; all channels in `c.rows`.

    Raises:
        PellucidError: in one of its kinds, when something asked for cannot be done; the message says what to do.

    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1, bias=False)).eval()
        >>> net[0].weight.data[:] = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
        >>> _ = net[3].weight.data.fill_(1.0)
        >>> c = concepts(net, torch.ones(1, 1, 2, 2), method="lrp.zero")
        >>> print(c.at, "|", c[0], "|", c[1])
        1 | channel 1: +8 (+66.7 %) | channel 0: +4 (+33.3 %)
    """
    model = given = load(model)
    model.ready()
    target_given, place = target, address(model, at)
    chosen, target = as_method(method, strict=strict), as_target(target)
    check_carries(chosen, "channels")
    if isinstance(data, (str, os.PathLike)):
        pictures(model, data)  # refused now, and not when all else is done
    batch, target = read_target(with_picture(read_inputs(model, x)), target)
    chosen = with_layers(model, chosen)
    whole = run_method(chosen, batch, target, None, strict=strict)
    if len(whole) != 1:
        raise InputError(
            "Concepts", f"a batch of {len(whole)} samples", "channels are told of one decision", "Pass one of them: x[:1]."
        )
    layer = find_layer(batch.model, batch.x, target, place)
    every = _all_channels(layer, run_method(chosen, batch, target, layer.at).values, float(whole.output[0]))
    shown = _select(every, layer, which, top, against)
    conditioned, end = with_conditions(chosen, [layer.only(one.channel) for one in shown], layer.at)
    maps = run_method(conditioned, batch, target, end, strict=strict)
    units = [layer.unit(one.channel) for one in shown]
    real = None if data is None or not beside else examples(model, units, data, top=beside, by="relevance", method=method)
    recipe = "auto" if draw is True else draw
    drawn = None if recipe is False else maximize(model, units, recipe, shape=tuple(batch.x.shape[1:]))
    notes = (*layer.notes, *similarity_note(maps, layer))
    asked = call(
        "concepts", given, USUAL, x=x, target=target_given, method=method, at=place, which=which, top=top, against=against,
        data=data, beside=beside, draw=draw, strict=strict,
    )  # fmt: skip
    whole = replace(whole, provenance=whole.provenance | asked | {"then": [".whole"]})
    maps = replace(maps, provenance=maps.provenance | asked | {"then": [".maps"]})
    return Concepts(layer.at, shown, every, whole, maps, real, drawn, layer.others, notes, layer.sizes)


def similarity_note(maps: Explanation, layer: ChannelLayer) -> list[str]:
    """A note where the maps hardly differ, as those of deep channels, which see all of the picture."""
    heats = [maps.heat(n).double() for n in range(len(maps)) if not maps.nothing(n)]
    n = len(heats)
    if n < 2 or heats[0].shape[0] < ALIKE_PX:
        return []
    coarse = [functional.avg_pool2d(heat[None, None], max(1, heat.shape[0] // 16)).flatten() for heat in heats]
    signs = torch.tensor([1.0 if heat.sum() >= 0 else -1.0 for heat in heats], dtype=torch.float64)
    mean = float((torch.corrcoef(torch.stack(coarse) * signs[:, None]).sum() - n) / (n * (n - 1)))
    if not mean > ALIKE:
        return []
    earlier = layer.others[: layer.others.index(layer.at)] if layer.at in layer.others else layer.others
    named = f", such as {earlier[len(earlier) * 2 // 3]}," if len(earlier) > 2 else ""
    return [
        f"These maps hardly differ (mean correlation {mean:.2f}): channels this deep see the whole picture. "
        f"Those of an earlier layer{named} see parts of it."
    ]


def _all_channels(layer: ChannelLayer, values: Tensor, score: float) -> tuple[Concept, ...]:
    """All channels, what speaks most for the decision first."""
    relevance, value = layer.rows(values), layer.rows(layer.value)
    total, peak, place = relevance.double().sum(1), value.amax(1), relevance.abs().argmax(1)
    every = []
    for number in total.argsort(descending=True, stable=True).tolist():
        position = tuple(map(int, torch.unravel_index(place[number].cpu(), layer.sizes))) if layer.sizes else ()
        amount = float(total[number])
        every.append(Concept(number, amount, amount / abs(score) if score else 0.0, float(peak[number]), position))
    return tuple(every)


def _select(
    every: Sequence[Concept], layer: ChannelLayer, which: Sequence[int] | None, top: int, against: int
) -> tuple[Concept, ...]:
    if which is not None:
        numbered = {one.channel: one for one in every}
        numbers = [int(number) for number in which]
        wrong = [number for number in numbers if number not in numbered]
        if wrong or not numbers:
            raise InputError(
                f"channel {wrong[0]} of {layer.at}" if wrong else f"channels of {layer.at}",
                f"a value of shape {layer.axes.shape}" if wrong else "an empty list", f"channels run 0-{len(every) - 1}",
                "Ask for some of those.",
            )  # fmt: skip
        return tuple(numbered[number] for number in numbers)
    if top < 1 or against < 0:
        raise InputError(f"top={top}, against={against}", "less than one channel", "there is nothing to show", "Ask for more.")
    speaking = [one for one in every if one.relevance > 0][:top]
    opposed = [one for one in reversed(every) if one.relevance < 0][:against]
    return tuple([*speaking, *opposed]) or tuple(every[:1])
