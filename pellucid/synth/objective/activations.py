"""Activations: the values of some layers as a differentiable function of the input; layers behind them are not computed.

One pass without gradients, for any address at once, is `pellucid.tape.forward`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.model import Model
from pellucid.model.hooks import listening
from pellucid.model.outputs import entries, main_output, part, tensors
from pellucid.tape.forward import forward_values
from pellucid.target import Part

Values = dict[str | None, Tensor]
"""Activations by address: the path of a module, what goes into one, a part of the output, or None for the main output."""


class InputOf(str):
    """The address of what goes into a module: `InputOf("fc")`. A string that no path of a module can be, as a `Part` is."""

    __slots__ = ()

    def __new__(cls, path: str) -> InputOf:
        return super().__new__(cls, f">{path}")


@dataclass(frozen=True, eq=False)
class LayerActivations:
    """The values that a network computes at some addresses, as a differentiable function of its input.

    The forward pass ends where the last of them is known, by an exception that is recognised by identity; hooks live for one pass
    and one thread, and exceptions of the user's own code pass through.

    Arguments:
        model: The network.
        calls: How often each value is computed in one pass, in the order in which they are computed for the last time.
        output: Whether the model's main output is wanted as well; then the pass runs to its end.
        names: The address of each module, by its identity.
        parts: The parts of the output that are wanted besides the main one.

    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).eval()
        >>> activations, _ = layer_activations(Model(net, "tiny", "", net), torch.ones(1, 2), ["1"])
        >>> x = torch.ones(1, 2, requires_grad=True)
        >>> values = activations(x)
        >>> list(values), torch.autograd.grad(values["1"].sum(), x)[0].shape
        (['1'], torch.Size([1, 2]))
    """

    model: Model
    calls: Mapping[str, int]
    output: bool
    names: Mapping[int, str]
    parts: tuple[Part, ...] = ()

    def __call__(self, x: Tensor) -> Values:
        """The values by address, None for the main output."""
        complete, left, values = _Complete(), dict(self.calls), Values()

        def record(at: str, output: Any) -> None:
            if at not in left:
                return
            value = next(tensors(output))
            left[at] -= 1
            if not self.output and not any(left.values()):
                values[at] = value
                raise complete
            values[at] = value.clone()  # an operation after it may write there

        inputs = any(isinstance(at, InputOf) for at in left)
        enter = (lambda name, args: record(InputOf(name), args)) if inputs else None
        with listening(self.names, enter=enter, leave=record):
            try:
                output = self.model.forward(x.clone())  # a network may write into its input
            except _Complete as signal:
                if signal is not complete:
                    raise
                return values
        if not self.output:
            return values
        outputs = list(entries(output, Tensor)) if self.parts else []
        return values | {None: main_output(output)} | {at: part(outputs, at.path) for at in self.parts}

    def depth(self, addresses: Sequence[str | None]) -> int:
        """How far a pass has to run for these addresses. Targets of the same depth are best computed in one batch."""
        order = list(self.calls)
        return max((len(order) if at is None or isinstance(at, Part) else order.index(at) for at in addresses), default=0)

    def only(self, addresses: Sequence[str | None]) -> LayerActivations:
        """The same for some of its addresses."""
        paths = {at[1:] if isinstance(at, InputOf) else at for at in addresses}
        names = {module: name for module, name in self.names.items() if name in paths}
        parts = tuple(part for part in self.parts if part in addresses)
        calls = {at: n for at, n in self.calls.items() if at in addresses}
        return replace(self, calls=calls, output=None in addresses or bool(parts), names=names, parts=parts)


class _Complete(BaseException):
    """All wanted values are known. Not an Exception, so that no network takes it for a failure of its own."""


def layer_activations(model: Model, x: Tensor, addresses: Sequence[str | None]) -> tuple[LayerActivations, Values]:
    """The activations at some addresses as a function, set up by one whole pass; and their values in that pass.

    Raises:
        WhereError: there is no such module, or it cannot be observed or did not run.
    """
    order: list[str] = []
    parts = tuple(dict.fromkeys(at for at in addresses if isinstance(at, Part)))
    paths = dict.fromkeys(at for at in addresses if at is not None and at not in parts)
    modules = () if model.module is None else model.module.named_modules()
    names = {id(child): name for name, child in modules if name in paths}
    with listening(names, leave=lambda name, output: order.append(name)):
        values = forward_values(model, x, (*paths, *parts, None))
    last = sorted(paths, key=lambda path: max(i for i, name in enumerate(order) if name == path))
    calls = {path: order.count(path) for path in last}
    return LayerActivations(model, calls, None in addresses or bool(parts), names, parts), values


@contextmanager
def differentiable(model: Model, x: Tensor) -> Iterator[None]:
    """Enable gradients, whatever the caller has switched off, and keep a network that draws from the caller's random state."""
    with torch.inference_mode(mode=False), torch.enable_grad(), drawing_apart(model, x.device):
        yield
