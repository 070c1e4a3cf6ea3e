"""Checks: each claim about a network, how it is measured, and what to do where it fails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pellucid.catalogue.methods import as_method
from pellucid.errors import ThreadLost
from pellucid.explanation.ledger import Ledger
from pellucid.explanation.method import attribute
from pellucid.tape.branches import check_branches
from pellucid.tape.seed import find_output
from . import slopes
from .claim import Claim
from .network import Network, apart

ROUGH = 10  # times what the last digit of the input does to an output: as much may rounding on the way do
PARTS = 4  # of a sample, set to zero one at a time
OFFSETS = "bias running_mean pos_emb position_emb embed_pos positional cls_token class_token dist_token wpe token_type".split()
LARGE = 500_000_000  # parameters: of more no copy is made
RUN_ONLY = "methods that only run the network, such as occlusion or shapley, do not depend on this"


class Unmeasured(Exception):
    """Why a claim cannot be measured, in a sentence."""


@dataclass(frozen=True)
class Check:
    """One claim and how it is measured.

    Arguments:
        claim: What should hold.
        measure: How far it is off.
        bound: The most for which it holds; None: what two ways of computing the same output may differ by.
        do: What follows where it fails, and what to do; or what says so of a network.
    """

    claim: str
    measure: Callable[[Network], float]
    bound: float | None
    do: str | Callable[[Network], str]

    def __call__(self, network: Network) -> Claim:
        """The claim as it was measured. A network may refuse what is asked of it: it takes batches of one size, say."""
        bound = network.bound if self.bound is None else self.bound
        try:
            measured = self.measure(network)
        except Unmeasured as error:
            return Claim(self.claim, None, None, bound, str(error))
        except Exception as error:  # a network raises what it likes
            return Claim(self.claim, None, None, bound, f"It cannot be measured: {type(error).__name__}: {error}")
        if measured <= bound:
            return Claim(self.claim, True, measured, bound)
        return Claim(self.claim, False, measured, bound, self.do if isinstance(self.do, str) else self.do(network))


def recorded_output(network: Network) -> float:
    return network.apart(network.tape.value(find_output(network.tape)), network.output())


def unfollowed(network: Network) -> tuple[str, ...]:
    """What of the way from the output back to the input cannot be followed, in sentences."""
    try:
        return check_branches(network.tape, (find_output(network.tape),), network.tape.inputs[-1], slopes=True)
    except ThreadLost as error:
        return (f"{error.found[:1].upper()}{error.found[1:]}.",)


def branches(network: Network) -> float:
    return float(len(unfollowed(network)))


def derivatives(network: Network) -> float:
    found = slopes.measure(network.model, [network.x], network.places)
    if found.holds is None:
        raise Unmeasured("The network is too rough, or too flat, for finite differences.")
    return found.gap


def precision(network: Network) -> float:
    """The coarsest of all numbers on the tape, by their relative spacing over that of the input's numbers."""
    dtypes = {value.tensor.dtype for value in network.tape.values if value.tracked and value.tensor is not None}
    coarsest = max((torch.finfo(dtype).eps for dtype in dtypes if dtype.is_floating_point), default=0.0)
    return coarsest / slopes.precision(network.x)


def balance(network: Network) -> float:
    ledger = _ledger(network, "lrp")
    return float((ledger.error.double().abs() / ledger.volume.double().clamp(min=1e-30)).max())


def conservation(network: Network) -> float:
    """LRP-0 of the network without its offsets; of what is no plain module, LRP-0 with what offsets absorb set aside."""
    twin = without_offsets(network)
    ledger = _ledger(twin or network, "lrp.zero")
    if float(ledger.seed.abs().max()) < 1e-6 * network.size:
        raise Unmeasured("Without its offsets the network's score is zero.")
    causes = ledger.by_cause()
    offsets = sum((causes[cause] for cause in ("bias", "constant operand") if cause in causes), torch.zeros_like(ledger.seed))
    bare = twin is not None and bool((offsets.abs() <= 1e-6 * ledger.seed.abs()).all())
    scale = ledger.seed.abs() if bare else ledger.volume  # offsets that are left may take, and give, many times the score
    return float(((ledger.seed - ledger.input - offsets).double().abs() / scale.double()).max())


def without_offsets(network: Network) -> Network | None:
    """The network with biases, running means, positions and tokens of its own set to zero, in a copy; None where that is no
    plain module.
    """
    model = network.model
    if network.text or model.module is None or model.forward is not model.module:
        return None
    if isinstance(model.module, torch.jit.ScriptModule) or sum(p.numel() for p in model.module.parameters()) > LARGE:
        return None
    bare = copy.deepcopy(model.module)
    zero_offsets(bare)
    return replace(network, model=replace(model, forward=bare, module=bare))


@torch.no_grad()
def zero_offsets(module: nn.Module) -> None:
    """Set what speaks beside the input to zero, by its name: the whole of an output then comes from the input."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_floating_point() and any(offset in name.lower() for offset in OFFSETS):
            tensor.zero_()


def _ledger(network: Network, method: str) -> Ledger:
    ledger = attribute(as_method(method), network.model, network.x, network.target).ledger
    assert ledger is not None
    return ledger


def deterministic(network: Network) -> float:
    return network.apart(network.drawn(0), network.drawn(1))


def alone(network: Network) -> float:
    one = network.x[:1]
    several = network.x if len(network.x) > 1 else torch.cat([one, network.altered(one, "beside")])
    return beyond_rounding(network, one, network.output(one), network.output(several)[:1])


def beyond_rounding(network: Network, rows: Tensor, outputs: Tensor, others: Tensor) -> float:
    """How far two outputs of the same rows are apart, at most; each against the larger of its own and the input's output.

    Batches of other sizes round otherwise. Where a network makes as much of the last digit of its input, as deep ones with random
    weights may, that is all the difference says.
    """
    off = _apart_by_row(network, outputs, others)
    if max(off, default=0.0) > network.bound:
        nudged = network.output(network.altered(rows, "rounding", torch.finfo(rows.dtype).eps))
        rounding = _apart_by_row(network, outputs, nudged)
        if all(o <= max(network.bound, ROUGH * r) for o, r in zip(off, rounding, strict=True)):
            raise Unmeasured(
                f"The last digit of the input moves the output by {max(rounding):.1g} of it; batches round otherwise."
            )
    return max(off, default=0.0)


def _apart_by_row(network: Network, outputs: Tensor, others: Tensor) -> list[float]:
    return [apart(a, b, max(network.size, float(a.abs().max()))) for a, b in zip(outputs, others, strict=True)]


def independent(network: Network) -> float:
    one = network.x[:1]
    batches = [torch.cat([one, network.altered(one, f"beside {n}", 1.0)]) for n in range(2)]
    first, second = (network.output(batch)[0] for batch in batches)
    return network.apart(first, second)


def variants(network: Network) -> float:
    batch = torch.cat(list(_variants(network)))
    together = network.output(batch)
    single = torch.cat([network.output(batch[n : n + 1]) for n in range(len(batch))])
    if together.shape != single.shape:
        return float("inf")
    finite = together.isfinite().all(1) & single.isfinite().all(1)
    return beyond_rounding(network, batch[finite], together[finite], single[finite])


def _variants(network: Network) -> Iterator[Tensor]:
    """Changed inputs, such as perturbation methods make: all entries scaled, noise added, parts set to zero."""
    x = network.x[:1]
    yield x
    for factor in (0.0, 0.25, 0.5, 2.0):
        yield factor * x
    yield network.altered(x, "variant")
    flat = x.reshape(1, -1)
    for part in torch.arange(flat.shape[1], device=x.device).tensor_split(PARTS):
        yield flat.index_fill(1, part, 0.0).reshape(x.shape)


DETERMINISTIC = Check(
    "Two calls with the same input give the same output.", deterministic, 0.0,
    "The network draws random numbers: a map explains one draw of them. Hold its randomness fixed, or explain several inputs.",
)  # fmt: skip
RECORDED = (
    Check(
        "The recorded forward pass has the model's own output.", recorded_output, None,
        f"Relevance and gradients would be of another function; {RUN_ONLY}. Please report this network.",
    ),
    Check(
        "Every branch from the input to the output is followed, and has a derivative.", branches, 0.0,
        lambda network: f"{' '.join(unfollowed(network))} Gradients and relevance leave it out; {RUN_ONLY}.",
    ),
    Check(
        "Derivatives by the tape equal finite differences along random directions.", derivatives, slopes.BOUND,
        "Part of what the input does to the output is not followed, as by a conversion to numbers and back, or has no "
        f"derivative: gradients and relevance leave it out; {RUN_ONLY}.",
    ),
    Check(
        "Everything is computed in the precision of the input.", precision, 1.0,
        "Parts run in a lower precision, as under autocast: differences below it are noise. Run the network in float32.",
    ),
    Check(
        "The ledger of `lrp` balances: score = relevance at the input + what was absorbed.", balance, 1e-4,
        "Relevance is lost or made on the way. Please report this network.",
    ),
    Check(
        "Without offsets, `lrp.zero` returns the score.", conservation, 0.01,
        "Relevance was absorbed by something else than offsets: the ledger of an explanation by `lrp.zero` says by what.",
    ),
)  # fmt: skip
BATCHED = (
    Check(
        "A sample has the same output alone and in a batch.", alone, None,
        "The network uses its batch as a whole: explain its samples one at a time.",
    ),
    Check(
        "Other samples of a batch have no influence on a sample's output.", independent, None,
        "Rows influence one another, as the nodes of a graph do, or under batch statistics: a row's own map is not all there is.",
    ),
    Check(
        "Variants of a sample have the same output one by one and in one batch.", variants, None,
        "The network decides by its data once for a whole batch, or mixes rows: variants have to be run one at a time.",
    ),
)  # fmt: skip
