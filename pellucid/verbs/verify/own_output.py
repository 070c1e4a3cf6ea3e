"""The network's own answer to an input as it was given, against the answer that is explained."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pellucid.model.outputs import main_output, tensors
from ..inputs import Batch
from .claim import Claim
from .network import Network, apart

NAME = "What is explained is the answer to the input as it was given."
ALTERED = "The input was altered on the way, as where padding is left out: pass a mask that says what is padding."


def answer_as_called(batch: Batch, network: Network) -> Claim:
    """The claim, for the whole batch."""
    if batch.texts:
        outputs = [main_output(text.embedded.output) for text in batch.texts]
        measured = max(distance(batch, batch.own_output(n), output, n) for n, output in enumerate(outputs))
    else:
        number = 0 if len(network.x) < len(batch.x) else None
        measured = distance(batch, batch.own_output(), network.output(), number)
    holds = measured <= network.bound
    return Claim(NAME, holds, measured, network.bound, "" if holds else ALTERED)


def distance(batch: Batch, own: Any, explained: Tensor, number: int | None = None) -> float:
    """The largest difference of two outputs, as a share of the largest entry.

    Arguments:
        own: What the network returned. Of several tensors the nearest counts: which is the main one is no matter here.
        explained: The output that is explained.
        number: Which sample that is of, where it is one.
    """
    found = [_rows(batch, t.detach(), number) for t in tensors(own) if t.is_floating_point() or t.is_complex()]
    return min((apart(rows, explained.detach()) for rows in found), default=float("inf"))


def _rows(batch: Batch, own: Tensor, number: int | None) -> Tensor:
    """What belongs to one sample; of a text without the padding that was left out."""
    if number is None or own.dim() == 0:
        return own
    row = own[number : number + 1] if len(own) > 1 else own
    places = batch.texts[number].places if batch.texts else ()
    if len(places) and row.dim() > 2 and len(places) != row.shape[1] == batch.texts[number].length:
        return row[:, places]
    return row
