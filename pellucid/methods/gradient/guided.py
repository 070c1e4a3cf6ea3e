"""Guided backpropagation and the deconvnet: gradients with another rule at every ReLU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.explanation.attribution import Attribution
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import LocalOp, Op, Ref, Tape, chain_rule, check_branches, find, path, record, resolve_target, walk
from pellucid.target import Target

# Nonlinearities that networks choose, of which none is a ReLU; functions such as exp and sqrt belong to norms and the like.
OTHERS = frozenset(
    """leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid sigmoid tanh softplus log_sigmoid_forward _prelu_kernel
    rrelu_with_noise softshrink hardshrink hardtanh threshold glu""".split()
)

COMPARISONS = frozenset({"gt", "ge", "lt", "le"})
CHOICES = frozenset({"where", "masked_fill", "index_put", "mul"})


@dataclass(frozen=True)
class AtRelus(ABC):
    """The chain rule, but for ReLUs.

    A ReLU is what gives zero below zero and the entry itself above it, up to a cap if there is one: `relu`, `relu6`, `hardtanh`
    from zero, `clamp(min=0)`, `threshold(0, 0)`, `maximum` with zeros; as module or function, in place or not. Other activations
    keep their derivative; the caption says which, and how often.

    Both methods throw away negative parts on the way, so that they are not linear in the target: the map of a contrast is no
    difference of maps. Where several ReLUs follow, they restore much of the input whatever the target is: they show edges
    more than evidence for a class.
    """

    name: ClassVar[str]
    signed: ClassVar[bool] = True
    per_token: ClassVar[str] = "length"

    @abstractmethod
    def back(self, op: LocalOp, g: Tensor) -> Tensor | None:
        """The gradient at the input of a ReLU, from `g` at its output."""

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`, from one forward and one backward pass."""
        tape = record(model, x)
        resolved = resolve_target(tape, target, model)
        end = tape.inputs[0] if at is None else find(tape, at)
        lost = check_branches(tape, resolved.gradients, end, slopes=True)
        place, producer = tape.value(end), tape.values[end].producer
        notes = _notes(tape, [op for op in path(tape, resolved.gradients) if producer is None or op.index > producer])

        def step(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
            g = carried[0]
            return [self.back(op, g)] if g is not None and rectifies(op.tape, op.op) else chain_rule(op, carried)

        doubts = _doubts(tape, path(tape, resolved.gradients))
        arrived = walk(tape, resolved.gradients, step, ends=(end,))
        gradient = arrived.get(end, torch.zeros_like(place))
        return Attribution(
            gradient, resolved.score, resolved.target, resolved.output, notes=notes, warnings=doubts, lost=lost,
            forwards=2 * len(x),
        )  # fmt: skip


@dataclass(frozen=True)
class GuidedBackprop(AtRelus):
    """Guided backpropagation: at every ReLU only what is positive passes, and only where the input was.

        g_in = g_out [g_out > 0] [x > 0]

    A cap (ReLU6) stops it too, as it stops the derivative.

    References: Springenberg et al., 2015, Striving for simplicity: the all convolutional net, Section 3.4,
        https://doi.org/10.48550/arXiv.1412.6806. What it does not show: Adebayo et al., 2018, Sanity checks for saliency maps,
        https://doi.org/10.48550/arXiv.1810.03292

    Example:
        >>> import pellucid as pl
        >>> net = lambda x: x.relu() @ torch.tensor([[1.0], [-2.0], [3.0]])
        >>> pl.explain(net, torch.tensor([[1.0, 1.0, -1.0]]), target=0, method=GuidedBackprop()).values
        tensor([[1., 0., 0.]])
    """

    name: ClassVar[str] = "guided_backprop"

    def back(self, op: LocalOp, g: Tensor) -> Tensor | None:
        (gradient,) = op.pull(g.clamp(min=0))
        return gradient


@dataclass(frozen=True)
class Deconvnet(AtRelus):
    """The deconvolutional network: at every ReLU what is positive passes, whatever the input was.

        g_in = g_out [g_out > 0]

    Convolutions are transposed and max-pools return to the winners, as in the gradient.

    References: Zeiler and Fergus, 2014, Visualizing and understanding convolutional networks, Section 2.1,
        https://doi.org/10.1007/978-3-319-10590-1_53. The paper starts from one activation of a layer as it stands; here, as in
        Springenberg et al., 2015, the start is the derivative of the target, so that the map of a logit is not scaled by it.

    Example:
        >>> import pellucid as pl
        >>> net = lambda x: x.relu() @ torch.tensor([[1.0], [-2.0], [3.0]])
        >>> pl.explain(net, torch.tensor([[1.0, 1.0, -1.0]]), target=0, method=Deconvnet()).values
        tensor([[1., 0., 3.]])
    """

    name: ClassVar[str] = "deconvnet"

    def back(self, op: LocalOp, g: Tensor) -> Tensor | None:
        return g.clamp(min=0)


def rectifies(tape: Tape, op: Op) -> bool:
    """Whether an operation is a ReLU, capped or not."""
    if op.name in ("relu", "relu6"):
        return True
    if op.name in ("hardtanh", "clamp", "clamp_min") and len(op.ins) == 1:
        low = _argument(op, 1, "min", "min_val", default=-1.0 if op.name == "hardtanh" else None)
        high = _argument(op, 2, "max", "max_val", default=None)
        return _zero(tape, low) and (high is None or (isinstance(high, (int, float)) and high > 0))
    if op.name == "threshold":
        return bool(op.args[1] == 0 and op.args[2] == 0)
    if op.name == "maximum" and len(op.ins) == 1:
        other = next(ref for ref in op.refs() if ref.id != op.ins[0])
        return _zero(tape, other) and tape.values[op.out].shape == tape.values[op.ins[0]].shape
    return False


def _argument(op: Op, place: int, *names: str, default: Any) -> Any:
    for name in names:
        if name in op.kwargs:
            return op.kwargs[name]
    return op.args[place] if len(op.args) > place else default


def _zero(tape: Tape, bound: Any) -> bool:
    """Whether a bound, a number or a constant tensor, is zero everywhere."""
    if isinstance(bound, Ref):
        return not tape.values[bound.id].tracked and not bool(tape.value(bound.id).any())
    return isinstance(bound, (int, float)) and bound == 0


def _notes(tape: Tape, ops: list[Op]) -> tuple[str, ...]:
    """What of the network these methods have no rule for, for captions."""
    others = [_plain(op.name) for op in ops if op.name in OTHERS and not rectifies(tape, op)]
    notes = []
    if not any(rectifies(tape, op) for op in ops):
        notes.append("No ReLU is on the way: this is the plain gradient.")
    if others:
        names = ", ".join(dict.fromkeys(others))
        notes.append(
            f"{len(others)} {'activations' if len(others) > 1 else 'activation'} other than ReLU ({names}) kept the derivative."
        )
    return tuple(notes)


def _doubts(tape: Tape, ops: Sequence[Op]) -> tuple[str, ...]:
    """What may be a ReLU that is not recognised: entries chosen by a comparison of what the network computes."""
    if not any(op.name in COMPARISONS for op in tape.ops):
        return ()
    for op in ops:
        masks = (tape.values[ref.id].tensor for ref in op.refs())
        if op.name in CHOICES and any(mask is not None and mask.dtype == torch.bool for mask in masks):
            return (
                f"{op.place} chooses entries by a comparison and kept its derivative: if that is a ReLU, this map is another.",
            )
    return ()


def _plain(name: str) -> str:
    """An activation, as users call it.

    Example:
        >>> _plain("_prelu_kernel"), _plain("log_sigmoid_forward"), _plain("leaky_relu")
        ('prelu', 'log_sigmoid', 'leaky_relu')
    """
    for suffix in ("_kernel", "_forward", "_with_noise"):
        name = name.removesuffix(suffix)
    return name.removeprefix("_")
