"""Which methods work on a model and which do not: judged by what ran, for every one in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalogue import Entry, methods
from ..errors import PellucidError
from ..tape import Aim, Tape
from ..tape.aim import find_output
from ..tape.maps import Map, choose
from ..target import as_target
from .plan import NONE, plan

ATTENTION = ("attention_rollout", "chefer")  # of methods that read attention itself


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


def verdicts(tape: Tape | None, lost: str = "") -> tuple[Verdict, ...]:
    """All methods of the catalogue, in its order.

    Arguments:
        tape: What ran on one input; None where it could not be followed to the output.
        lost: Why it could not.
    """
    facts = _facts(tape)
    return tuple(_verdict(entry, facts, lost) for entry in methods())


@dataclass(frozen=True)
class Facts:
    """What the judgements rest on.

    Arguments:
        tape: What ran; None where the thread is lost.
        map: What CAM methods would weigh, or why there is nothing.
        attention: Whether something attends to something.
    """

    tape: Tape | None
    map: Map | str
    attention: bool


def _facts(tape: Tape | None) -> Facts:
    if tape is None:
        return Facts(None, "", False)
    main = find_output(tape)
    output = tape.value(main)
    aimed = Aim(as_target(None), output, output, {main: output})
    try:
        found: Map | str = choose(tape, aimed, "a map")
    except PellucidError as error:
        found = error.found
    return Facts(tape, found, _attends(tape))


def _attends(tape: Tape) -> bool:
    """Whether a softmax of the input's own making weighs values that come from the input."""
    soft = {op.out for op in tape.ops if op.kind == "softmax" and op.ins}
    carried = set(soft)
    for op in tape.ops:
        if op.kind == "route" and set(op.ins) & carried:
            carried |= {out for out in op.outs if out is not None}
    return any(op.kind == "product" and set(op.ins) & carried and len(set(op.ins)) > 1 for op in tape.ops)


def _verdict(entry: Entry, facts: Facts, lost: str) -> Verdict:
    if entry.forward:  # they ask only what the model says
        return Verdict(entry.name, entry.family, True, "it only asks the model" if facts.tape is None else "")
    if facts.tape is None:
        return Verdict(entry.name, entry.family, False, lost)
    if entry.name in ATTENTION and not facts.attention:
        return Verdict(entry.name, entry.family, False, "nothing that ran attends to anything")
    if entry.maps:
        return _mapped(entry, facts.map)
    _, rows = plan(entry.make(), facts.tape)
    bare = [row for row in rows if row.rule == NONE]
    count = sum(row.count for row in bare)
    told = f"{count} operations without a rule keep their derivative, first {bare[0].first}" if bare else ""
    return Verdict(entry.name, entry.family, True, told)


def _mapped(entry: Entry, found: Map | str) -> Verdict:
    if isinstance(found, str):
        return Verdict(entry.name, entry.family, False, f"it weighs the channels of a map, and there is {found}")
    return Verdict(entry.name, entry.family, True, f"the map at {found}")
