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
    evidence = Evidence(tape, reason, text, *_map_and_attention(tape))
    return tuple(Verdict(entry.name, entry.family, *_works(entry, evidence)) for entry in methods())


@dataclass(frozen=True)
class Evidence:
    """What the verdicts rest on.

    Arguments:
        tape, reason, text: As in `verdicts`.
        map: The feature map that CAM methods would weight, or why there is none.
        no_attention: Why methods of attention have nothing to follow; empty where they have.
    """

    tape: Tape | None
    reason: str
    text: bool
    map: FeatureMap | str
    no_attention: str


def _map_and_attention(tape: Tape | None) -> tuple[FeatureMap | str, str]:
    if tape is None:
        return "", ""
    main = find_output(tape)
    output = tape.value(main)
    resolved = ResolvedTarget(as_target(None), output, output, {main: output})
    attention = attention_between(tape, resolved)
    no_attention = layout_refusal(attention) if isinstance(attention, TokenAttention) else attention[0]
    try:
        return choose_map(tape, resolved, "a map"), no_attention
    except PellucidError as error:
        return error.found, no_attention


def _works(entry: Entry, evidence: Evidence) -> tuple[bool, str]:
    """Whether a method works, and why not, or a remark."""
    if evidence.text and member(entry.make(), "per_token") == NOTHING:
        return False, "it is made for pictures, and does not explain tokens"
    if entry.forward:
        return True, "it takes nothing but forward passes" if evidence.tape is None else ""
    if evidence.tape is None:
        return False, evidence.reason
    if entry.attends:
        return not evidence.no_attention, evidence.no_attention and f"it follows attention, and there is {evidence.no_attention}"
    if entry.maps and isinstance(evidence.map, str):
        return False, f"it weights the channels of a map, and there is {evidence.map}"
    if entry.maps:
        return True, f"the map at {evidence.map}"
    without_rule = [row for row in plan(entry.make(), evidence.tape)[1] if row.rule == NONE]
    count = sum(row.count for row in without_rule)
    return True, f"{count} operations without a rule keep their derivative, first {without_rule[0].first}" if count else ""
