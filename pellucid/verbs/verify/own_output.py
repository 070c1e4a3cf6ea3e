"""The network's own answer to an input as it was given, against the answer that is explained."""

from __future__ import annotations

from torch import Tensor

from pellucid.model.outputs import main_output
from ..inputs import Batch
from .claim import Claim
from .network import Network

NAME = "What is explained is the answer to the input as it was given."
ALTERED = "The input was altered on the way, as where padding is left out: pass a mask that says what is padding."


def answer_as_called(batch: Batch, network: Network) -> Claim:
    """The claim, for the whole batch."""
    if batch.texts:
        outputs = [main_output(text.embedded.output) for text in batch.texts]
        measured = max(distance(batch, batch.own_output(n), output, n) for n, output in enumerate(outputs))
    else:
        number = 0 if len(network.x) < len(batch.x) else None
        measured = distance(batch, batch.own_output(number), network.output())
    holds = measured <= network.bound
    return Claim(NAME, holds, measured, network.bound, "" if holds else ALTERED)


def distance(batch: Batch, own: Tensor, explained: Tensor, number: int | None = None) -> float:
    """The largest difference of two outputs, as a share of the largest entry.

    Arguments:
        own: The network's own.
        explained: The output that is explained: of a text, without padding.
        number: Which text that is, where it is one.
    """
    if batch.texts and number is not None and own.dim() > 2 and own.shape[1] == batch.texts[number].length:
        own = own[:, batch.texts[number].places]  # a row for every token, padding included
    one, other = own.detach().double().flatten().cpu(), explained.detach().double().flatten().cpu()
    if one.shape != other.shape:
        return float("inf")
    same = (one == other) | (one.isnan() & other.isnan())
    off = (one - other).abs().masked_fill(same, 0.0)
    return float(off.max() / one.abs().nan_to_num().max().clamp(min=1e-30)) if len(off) else 0.0
