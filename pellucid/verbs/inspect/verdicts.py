"""Which methods work on a model and which do not: judged by what ran, for every one in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.catalogue.entry import Entry
from pellucid.catalogue.methods import methods
from pellucid.errors import PellucidError
from pellucid.explanation.method import member
from pellucid.methods.cam.attention_flow import unlaid
from pellucid.methods.layer_choice import choose_map
from pellucid.tape import Aim, Tape
from pellucid.tape.attention import Tokens, tokens
from pellucid.tape.axes.feature_map import FeatureMap
from pellucid.tape.seed import find_output
from pellucid.tape.token_inputs import NONE as NOTHING
from pellucid.target import as_target
from .rules import NONE, plan


@dataclass(frozen=True)
class Verdict:
    """One method on one model.

    Arguments:
        name, family: As in the catalogue.
        works: Whether it can answer.
        reason: Why not; or what is worth knowing where it does.
    """

    name: str
    family: str
    works: bool
    reason: str = ""


def verdicts(tape: Tape | None, lost: str = "", *, text: bool = False) -> tuple[Verdict, ...]:
    """All methods of the catalogue, in its order.

    Arguments:
        tape: What ran on one input; None where it could not be followed to the output.
        lost: Why it could not.
        text: Whether the model reads tokens.
    """
    facts = _facts(tape)
    return tuple(_of_text(entry) if text and _silent(entry) else _verdict(entry, facts, lost) for entry in methods())


def _silent(entry: Entry) -> bool:
    """Whether a method says nothing of tokens."""
    return bool(member(entry.make(), "per_token") == NOTHING)


def _of_text(entry: Entry) -> Verdict:
    return Verdict(entry.name, entry.family, False, "it is made for pictures, and says nothing of tokens")


@dataclass(frozen=True)
class Facts:
    """What the judgements rest on.

    Arguments:
        tape: What ran; None where the thread is lost.
        map: What CAM methods would weigh, or why there is nothing.
        unattended: Why methods of attention have nothing to follow; empty where they have.
    """

    tape: Tape | None
    map: FeatureMap | str
    unattended: str


def _facts(tape: Tape | None) -> Facts:
    if tape is None:
        return Facts(None, "", "")
    main = find_output(tape)
    output = tape.value(main)
    aimed = Aim(as_target(None), output, output, {main: output})
    try:
        found: FeatureMap | str = choose_map(tape, aimed, "a map")
    except PellucidError as error:
        found = error.found
    return Facts(tape, found, _attention(tape, aimed))


def _attention(tape: Tape, aimed: Aim) -> str:
    """Why methods of attention have nothing to follow; nothing where they have."""
    found = tokens(tape, aimed)
    return unlaid(found) if isinstance(found, Tokens) else found[0]


def _verdict(entry: Entry, facts: Facts, lost: str) -> Verdict:
    if entry.forward:  # they ask only what the model says
        return Verdict(entry.name, entry.family, True, "it only asks the model" if facts.tape is None else "")
    if facts.tape is None:
        return Verdict(entry.name, entry.family, False, lost)
    if entry.attends:
        why = f"it follows attention, and there is {facts.unattended}" if facts.unattended else ""
        return Verdict(entry.name, entry.family, not why, why)
    if entry.maps:
        return _mapped(entry, facts.map)
    _, rows = plan(entry.make(), facts.tape)
    bare = [row for row in rows if row.rule == NONE]
    count = sum(row.count for row in bare)
    told = f"{count} operations without a rule keep their derivative, first {bare[0].first}" if bare else ""
    return Verdict(entry.name, entry.family, True, told)


def _mapped(entry: Entry, found: FeatureMap | str) -> Verdict:
    if isinstance(found, str):
        return Verdict(entry.name, entry.family, False, f"it weighs the channels of a map, and there is {found}")
    return Verdict(entry.name, entry.family, True, f"the map at {found}")
