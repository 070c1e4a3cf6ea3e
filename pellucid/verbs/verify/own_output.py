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
    own = batch.own_output()
    if batch.texts:
        pairs = [(n, main_output(text.embedded.output)) for n, text in enumerate(batch.texts)]
        measured = max(distance(batch, own, output, n) for n, output in pairs)
    else:
        measured = distance(batch, own, network.output(), None if len(network.x) == len(own) else 0)
    holds = measured <= network.bound
    return Claim(NAME, holds, measured, network.bound, "" if holds else ALTERED)


def distance(batch: Batch, own: Tensor, explained: Tensor, number: int | None = None) -> float:
    """The largest difference of two outputs, as a share of the largest entry.

    Arguments:
        own: The network's own, for the whole batch.
        explained: The output that is explained: of one sample, of the text without padding, or of the whole batch.
        number: Which sample that is; None: all of them.
    """
    mine = own if number is None else own[number : number + 1]
    if batch.texts and number is not None and mine.dim() > 2 and mine.shape[1] == batch.texts[number].length:
        mine = mine[:, batch.texts[number].places]  # a row for every token, padding included
    one, other = mine.detach().double().flatten().cpu(), explained.detach().double().flatten().cpu()
    if one.shape != other.shape:
        return float("inf")
    same = (one == other) | (one.isnan() & other.isnan())
    off = (one - other).abs().masked_fill(same, 0.0)
    return float(off.max() / one.abs().nan_to_num().max().clamp(min=1e-30)) if len(off) else 0.0
