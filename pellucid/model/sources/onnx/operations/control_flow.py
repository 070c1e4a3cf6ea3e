"""Graphs that a condition chooses between, and graphs that run again and again, with what they carry on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor

from ..operation import Node, integers, operation

Outer = Mapping[str, Any]
NOTHING: Outer = {}


@operation("If")
def if_(node: Node, condition: Tensor, outer: Outer = NOTHING) -> tuple[Any, ...]:
    return _run(node.get("then_branch" if bool(condition) else "else_branch"), (), outer)


@operation("Loop")
def loop(
    node: Node, most: Tensor | None = None, condition: Tensor | None = None, *carried: Any, outer: Outer = NOTHING
) -> tuple[Any, ...]:
    """A graph of (turn, condition, carried values) that returns (condition, carried values, what is stacked), as long as both a
    number of turns and its condition say; a condition that is not given to the loop does not end it."""
    times = range(integers(most)[0]) if most is not None else count()
    going = torch.tensor(True) if condition is None else condition
    rows: list[Sequence[Any]] = []
    for turn in times:
        if condition is not None and not bool(going):
            break
        going, *made = _run(node.get("body"), (torch.tensor(turn), going, *carried), outer)
        carried, row = tuple(made[: len(carried)]), made[len(carried) :]
        rows.append(row)
    stacked = [torch.stack(column) for column in zip(*rows, strict=True)]
    if not rows:
        stacked = [torch.empty(0)] * (len(node.get("body").outputs) - 1 - len(carried))
    return (*carried, *stacked)


@operation("Scan")
def scan(node: Node, *inputs: Any, outer: Outer = NOTHING) -> tuple[Any, ...]:
    """A graph of (states, one step of each sequence) that returns (states, one step of each output), step by step.

    Version 8 takes a batch of them, with the time as the second axis, and how long each one is.
    """
    if node.opset >= 9:
        return _scanned(node, inputs, node.get("scan_input_directions"), outer)
    lengths, *batches = inputs
    samples = []
    for at, sample in enumerate(zip(*batches, strict=True)):
        states, sequences = _split(node, sample)
        end = None if lengths is None else integers(lengths)[at]
        whole = len(sequences[0])
        made = _scanned(node, (*states, *(one[:end] for one in sequences)), node.get("directions"), outer)
        padded = (torch.cat([one, one.new_zeros(whole - len(one), *one.shape[1:])]) for one in made[len(states) :])
        samples.append((*made[: len(states)], *padded))
    return tuple(torch.stack(column) for column in zip(*samples, strict=True))


def _scanned(node: Node, inputs: Sequence[Any], backwards: Sequence[int] | None, outer: Outer) -> tuple[Any, ...]:
    states, sequences = _split(node, inputs)
    axes = node.get("scan_input_axes", [0] * len(sequences))
    turned = [
        one.movedim(axis, 0).flip(0) if back else one.movedim(axis, 0)
        for one, axis, back in zip(sequences, axes, backwards or [0] * len(sequences), strict=True)
    ]
    rows = []
    for steps in zip(*turned, strict=True):
        made = _run(node.get("body"), (*states, *steps), outer)
        states = made[: len(states)]
        rows.append(made[len(states) :])
    columns = [torch.stack(column) for column in zip(*rows, strict=True)]
    ahead = node.get("scan_output_directions", [0] * len(columns))
    along = node.get("scan_output_axes", [0] * len(columns))
    stacked = [(one.flip(0) if first else one).movedim(0, axis) for one, first, axis in zip(columns, ahead, along, strict=True)]
    return (*states, *stacked)


def _split(node: Node, inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Tensor]]:
    """States, and the sequences that are gone through."""
    first = len(inputs) - node.get("num_scan_inputs")
    return inputs[:first], inputs[first:]


@operation("SequenceMap")
def sequence_map(node: Node, first: list[Any], *others: Any, outer: Outer = NOTHING) -> tuple[list[Any], ...]:
    """A graph applied to every member of a sequence, with the member of other sequences beside it, and whole tensors."""
    body = node.get("body")
    rows = [
        _run(body, (one, *(other[at] if isinstance(other, list) else other for other in others)), outer)
        for at, one in enumerate(first)
    ]
    return tuple([row[at] for row in rows] for at in range(len(body.outputs)))


def _run(graph: Any, inputs: Sequence[Any], outer: Outer) -> tuple[Any, ...]:
    made = graph(*inputs, outer=outer)
    return made if isinstance(made, tuple) else (made,)
