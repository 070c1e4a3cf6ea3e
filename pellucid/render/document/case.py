"""Cases: one sample, and what one or several methods answered about it, for one or several targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, cast

from pellucid.errors import InputError
from pellucid.explanation.comparison import Agreement, ComparedMap, Comparison, agreement, compared_map
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Generated
from ..parts.scale import Scale
from . import schema
from .command import THEN, command, of_methods
from .encoding import number
from .layer import encoded, layer
from .size import fitted
from .subject import subject

TOP = 0.1  # share of the places that regions take up


class Answer(NamedTuple):
    """What becomes a layer: an explanation of one sample, or all rows of one generated text.

    Arguments:
        name: What the method is called.
        seconds: How long it took, where that is known.
        scale: One that it shares with other samples; None: its own.
    """

    e: Explanation
    name: str
    seconds: float | None = None
    scale: Scale | None = None


def case(explanations: Sequence[Explanation]) -> schema.Case:
    """One sample with a layer for each explanation of it.

    Raises:
        InputError: there is none, or one is of several samples.
    """
    return of_answers([Answer(e, e.method) for e in explanations])


def of_answers(answers: Sequence[Answer]) -> schema.Case:
    """One sample with a layer for each answer.

    Raises:
        InputError: as of `case`.
    """
    explanations = [answer.e for answer in answers]
    check(explanations)
    maps = {} if len(answers) < 2 or any(len(e) > 1 for e in explanations) else compared(explanations)
    known = {
        "schema": schema.SCHEMA, "kind": "case", "provenance": of_whole(explanations[0]), "command": command(explanations[0]),
        "figures": [], "name": one_of([e.names for e in explanations]), "truth": one_of([e.labels for e in explanations]),
        "subject": subject(explanations[0]), "classes": classes(explanations), "failures": [],
    }  # fmt: skip
    return cast(schema.Case, known | of_layers(layers_of(answers), maps))


def of_layers(layers: Sequence[schema.Layer], maps: Mapping[str, tuple[str, ComparedMap]]) -> dict[str, Any]:
    """What a case says of all its layers.

    Arguments:
        maps: By the id of a layer, its target and its map, of those that are compared.
    """
    return {
        "title": title(layers), "sentence": layers[0]["sentence"], "notes": common([one["notes"] for one in layers]),
        "warnings": common([one["warnings"] for one in layers]), "layers": list(layers), "agreement": pairs(maps),
    }  # fmt: skip


def layers_of(answers: Sequence[Answer]) -> list[schema.Layer]:
    """The layers, numbered, as large as they may be together."""
    made = [layer(one.e, f"l{n}", one.name, one.seconds, one.scale) for n, one in enumerate(answers, 1)]
    return fitted(made, lambda n, one, levels: encoded(one, answers[n].e, answers[n].scale, levels))


def check(explanations: Sequence[Explanation]) -> None:
    """Refuse what is no case."""
    if not explanations:
        raise InputError("A case", "no explanation", "there is nothing to show", "Pass one explanation at least.")
    for e in explanations:
        if len(e) > 1 and not isinstance(e.subject, Generated):
            do = "Take one of them: e[0]; or pl.document(e), which has a page for each."
            raise InputError("A case", f"an explanation of {len(e)} samples", "a case is one sample", do)


def of_comparison(c: Comparison) -> schema.Case:
    """The answers of several methods to one question about one sample."""
    made = of_answers([Answer(e, name, c.seconds.get(name)) for name, e in c.explanations.items()])
    made["command"] = of_methods(c.explanations)
    made["failures"] = [schema.Failure(method=name, reason=str(error)) for name, error in c.failures.items()]
    made["warnings"] = [*made["warnings"], *(f"{name} gave no answer. {error}" for name, error in c.failures.items())]
    return made


def title(layers: Sequence[schema.Layer]) -> str:
    """What is explained: target and value; of several targets, the first, and how many more."""
    names = list(dict.fromkeys(layer["equation"] for layer in layers))
    more = len(names) - 1
    return f"{names[0]}, and {more} other target{'s' if more > 1 else ''}" if more else names[0]


def of_whole(e: Explanation) -> dict[str, Any]:
    """The provenance of an explanation, which samples of one batch share: which of them this is, its command says."""
    return {name: value for name, value in e.provenance.items() if name != THEN}


def one_of(known: Sequence[tuple[str, ...]]) -> str | None:
    """What the data say of a sample, where they say the same with every explanation of it."""
    said = {words[0] for words in known if words}
    return said.pop() if len(said) == 1 else None


def common(lists: Sequence[list[str]]) -> list[str]:
    """Sentences that hold for every layer; those of one layer stand with it."""
    return [words for words in dict.fromkeys(lists[0]) if all(words in others for others in lists[1:])]


def classes(explanations: Sequence[Explanation]) -> list[schema.Class]:
    """The model's first choices, known for the first sample of a batch."""
    listed = next((e.classes for e in explanations if e.classes), ())
    return [schema.Class(index=index, label=label, probability=number(value)) for index, label, value in listed]


def compared(explanations: Sequence[Explanation]) -> dict[str, tuple[str, ComparedMap]]:
    """The target and the map of each layer."""
    return {f"l{n}": (e.target, compared_map(e, TOP)) for n, e in enumerate(explanations, 1)}


def pairs(maps: Mapping[str, tuple[str, ComparedMap]]) -> list[schema.Agreement]:
    """How far layers of the same target agree, pair by pair."""
    return [
        as_agreement(Agreement(one, other, *agreement(maps[one][1], maps[other][1])))
        for one, other in combinations(maps, 2)
        if maps[one][0] == maps[other][0]
    ]


def as_agreement(pair: Agreement) -> schema.Agreement:
    return schema.Agreement(
        first=pair.first, second=pair.second, correlation=number(pair.correlation), overlap=number(pair.overlap)
    )
