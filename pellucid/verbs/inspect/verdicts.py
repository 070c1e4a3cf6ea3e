"""Verdicts: which methods of the catalogue work on a model, judged by the operations that ran, and why others do not."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.catalogue.entry import Entry
from pellucid.catalogue.methods import methods
from pellucid.errors import PellucidError
from pellucid.explanation.method import member
from pellucid.methods.cam.attention_flow import layout_refusal
from pellucid.methods.layer_choice import choose_map
from pellucid.tape import ResolvedTarget, Tape
from pellucid.tape.attention import TokenAttention, attention_between
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


def verdicts(tape: Tape | None, reason: str = "", *, text: bool = False) -> tuple[Verdict, ...]:
    """All methods of the catalogue, in its order.

    Arguments:
        tape: What ran on one input; None where it could not be followed to the output.
        reason: Why it could not.
        text: Whether the model reads tokens.
    """
    evidence = _evidence(tape)
    return tuple(_verdict(entry, evidence, reason, text) for entry in methods())


def _explains_no_tokens(entry: Entry) -> bool:
    """Whether a method does not explain texts."""
    return bool(member(entry.make(), "per_token") == NOTHING)


@dataclass(frozen=True)
class Evidence:
    """What the verdicts rest on.

    Arguments:
        tape: What ran; None where it could not be followed to the output.
        map: The feature map that CAM methods would weight, or why there is none.
        no_attention: Why methods of attention have nothing to follow; empty where they have.
    """

    tape: Tape | None
    map: FeatureMap | str
    no_attention: str


def _evidence(tape: Tape | None) -> Evidence:
    if tape is None:
        return Evidence(None, "", "")
    main = find_output(tape)
    output = tape.value(main)
    resolved = ResolvedTarget(as_target(None), output, output, {main: output})
    try:
        found: FeatureMap | str = choose_map(tape, resolved, "a map")
    except PellucidError as error:
        found = error.found
    return Evidence(tape, found, _attention(tape, resolved))


def _attention(tape: Tape, resolved: ResolvedTarget) -> str:
    """Why methods of attention have nothing to follow; nothing where they have."""
    found = attention_between(tape, resolved)
    return layout_refusal(found) if isinstance(found, TokenAttention) else found[0]


def _verdict(entry: Entry, evidence: Evidence, reason: str, text: bool) -> Verdict:
    if text and _explains_no_tokens(entry):
        return Verdict(entry.name, entry.family, False, "it is made for pictures, and does not explain tokens")
    if entry.forward:
        return Verdict(entry.name, entry.family, True, "it takes nothing but forward passes" if evidence.tape is None else "")
    if evidence.tape is None:
        return Verdict(entry.name, entry.family, False, reason)
    if entry.attends:
        why = f"it follows attention, and there is {evidence.no_attention}" if evidence.no_attention else ""
        return Verdict(entry.name, entry.family, not why, why)
    if entry.maps:
        return _map_verdict(entry, evidence.map)
    _, rows = plan(entry.make(), evidence.tape)
    without_rule = [row for row in rows if row.rule == NONE]
    count = sum(row.count for row in without_rule)
    remark = f"{count} operations without a rule keep their derivative, first {without_rule[0].first}" if without_rule else ""
    return Verdict(entry.name, entry.family, True, remark)


def _map_verdict(entry: Entry, found: FeatureMap | str) -> Verdict:
    if isinstance(found, str):
        return Verdict(entry.name, entry.family, False, f"it weights the channels of a map, and there is {found}")
    return Verdict(entry.name, entry.family, True, f"the map at {found}")
