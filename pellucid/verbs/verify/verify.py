"""The verb `verify`: measures whether what explanations rely on holds for a network and an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pellucid.core.random import normal, stream
from pellucid.errors import ThreadLost
from pellucid.model import Model, load
from pellucid.model.memory import remembering
from pellucid.model.provenance import provenance
from pellucid.tape.token_inputs import resolve_target
from pellucid.target import Target, as_target
from ..call import call
from ..inputs import Batch, read_inputs
from ..inspect.card import example_input
from .checks import BATCHED, DETERMINISTIC, RECORDED, RUN_ONLY
from .claim import Claim, Verification
from .network import Network
from .own_output import answer_as_called
from .self_check import read_places
from .state import changes, state


def verify(model: Any, x: Any = None, target: Any = None, *, shape: Sequence[int] | None = None) -> Verification:
    """Whether the network does what explanations take it to do, measured on one input.

    What is compared: the answer to the input as it was given with the one that is explained, before anything was cut, embedded or
    dropped; the recorded forward pass with a plain one; derivatives by the tape with finite differences (g . v against
    (f(x + h v) - f(x - h v)) / 2h, for random v and eight h: kinks are told from branches that are not followed); a sample alone
    with the same one in a batch, and beside other samples; variants one by one with a batch of them; two calls; the ledger
    of `lrp` and LRP-0 without offsets with the score; and all that must not change with what it was.

    `explain` checks the most important of these by itself, once per network and kind of input.

    Arguments:
        model: A `Model`, or anything `load` takes.
        x: An input as `explain` takes it; None: noise, or a text of some words. Of several texts the first is looked at, and its
            answer among the others.
        target: As in `explain`; for the checks of relevance.
        shape: Of the input, where neither `x` nor the model says it: (1, 3, 224, 224).

    Returns:
        The claims, each with whether it holds, what was measured, the bound and what to do.

    Raises:
        PellucidError: the model or the input cannot be read.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()
        >>> found = verify(net, torch.rand(2, 4))
        >>> found.holds, found[1].claim
        (True, "The recorded forward pass has the model's own output.")
    """
    asked = call("verify", model, {"x": None, "target": None, "shape": None}, x=x, target=target, shape=shape)
    model = remembering(load(model))
    model.ready()
    batch = read_inputs(model, _noise(model, shape) if x is None else x)
    batch.own_output()  # what a network itself makes when it is first used, such as a table of positions, is no change
    before = state(model, batch.x)
    network = as_network(batch, as_target(target))
    claims = [answer_as_called(batch, network), *_checked(network)]
    left = changes(before, state(model, batch.x))
    claims.append(
        Claim(
            "Nothing of the model, the input or PyTorch's settings is changed.", not left, float(len(left)), 0.0,
            f"Changed: {', '.join(left[:5])}. Please report this." if left else "",
        )
    )  # fmt: skip
    return Verification(model.name, tuple(claims), provenance(**asked))


def _noise(model: Model, shape: Sequence[int] | None) -> Tensor:
    """An input that the model takes, without meaning: noise, since slopes at zeros lie on kinks; ids of a text."""
    x = example_input(model, None, shape)
    return x if not x.is_floating_point() else normal(x.shape, stream("verify", "input")).to(x)


def as_network(batch: Batch, target: Target) -> Network:
    """What explanations of a batch start from: of texts, the vectors of the first one's tokens."""
    if not batch.texts:
        single = batch.single_sample(0) if batch.rowwise else batch
        return Network(single.model, single.x, target)
    text = batch.texts[0]
    return Network(
        text.embedded.handle(), text.embedded.vectors, resolve_target(target.take([0]), text), True, read_places(batch)
    )


def _checked(network: Network) -> list[Claim]:
    calls = DETERMINISTIC(network)
    if calls.holds is False:
        why = "The network draws random numbers: batches cannot be compared."
        batched = [Claim(check.claim, None, None, network.bound, why) for check in BATCHED]
    else:
        batched = [check(network) for check in BATCHED]
    try:
        _ = network.tape
    except ThreadLost as error:
        do = f"Relevance and gradients are refused; {RUN_ONLY}. It was found {error.found}."
        return [Claim("The output can be followed back to the input.", False, 1.0, 0.0, do), calls, *batched]
    return [*(check(network) for check in RECORDED), calls, *batched]
