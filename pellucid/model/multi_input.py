"""Models of several inputs: what is explained of a call is packed into one tensor (batch, total), and unpacked for the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import InputError
from .keywords import is_mask
from .model import Model


@dataclass(frozen=True, eq=False)
class Held:
    """An input that the model gets as it is, and that is not explained.

    Arguments:
        value: A tensor, or anything else the model takes.
        shared: Whether it belongs to the whole batch; else a tensor as long as the batch has a row per sample.
        given: Whether somebody asked for it to be held.
    """

    value: Any
    shared: bool = False
    given: bool = False


def held(value: Any, *, shared: bool = False) -> Held:
    """An input that is given to the model and not explained: `explain(model, (image, held(table)))`."""
    return Held(value, shared, given=True)


@dataclass(frozen=True)
class InputSlice:
    """One of the inputs that are explained, and where it lies among the others.

    Arguments:
        name: The model's own name for it.
        shape: Of one sample.
        start, stop: Its entries in the packed tensor.
        dtype: What the model gets.
        preprocess: How raw things become it, where that is known.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int
    dtype: torch.dtype
    preprocess: Any = None

    def of(self, packed: Tensor) -> Tensor:
        """This input, cut out of all of them.

        Example:
            >>> InputSlice("b", (2, 1), 1, 3, torch.float32).of(torch.tensor([[1.0, 2.0, 3.0]]))
            tensor([[[2.],
                     [3.]]])
        """
        return packed[:, self.start : self.stop].reshape(len(packed), *self.shape)


@dataclass(frozen=True, eq=False)
class Inputs:
    """How a model is called with several inputs: which of them are explained, and what stands in the other places.

    Arguments:
        places: Positions (numbers) and keywords (words) of the call, each with the number of a side, or a `Held`.
        sides: The inputs that are explained.
        samples: How many there are in a batch as it was given.
    """

    places: tuple[tuple[int | str, int | Held], ...]
    sides: tuple[InputSlice, ...]
    samples: int

    @property
    def single(self) -> bool:
        """Whether one input only is explained; it then keeps its own shape and is not packed."""
        return len(self.sides) == 1

    @property
    def held_per_sample(self) -> bool:
        """Whether something that is not explained has a row for each sample, so that samples have to be explained one by one."""
        return self.samples > 1 and any(isinstance(what, Held) and self._is_batched(what) for _, what in self.places)

    def call(self, x: Tensor) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the model's own call, for a packed batch, which may have other samples than were given."""
        values = {place: self._unpacked(what, x) for place, what in self.places}
        return [v for p, v in values.items() if isinstance(p, int)], {p: v for p, v in values.items() if isinstance(p, str)}

    def single_sample(self, number: int) -> Inputs:
        """The call for one sample alone."""
        chosen = tuple((place, self._row(what, number) if isinstance(what, Held) else what) for place, what in self.places)
        return replace(self, places=chosen, samples=1)

    def _row(self, what: Held, number: int) -> Held:
        return replace(what, value=what.value[number : number + 1]) if self._is_batched(what) else what

    def _is_batched(self, what: Held) -> bool:
        value = what.value
        return isinstance(value, Tensor) and not what.shared and value.dim() > 0 and len(value) == self.samples

    def _unpacked(self, what: int | Held, x: Tensor) -> Any:
        if isinstance(what, Held):
            value = what.value.to(x.device) if isinstance(what.value, Tensor) else what.value
            many = self._is_batched(what) and self.samples == 1 and len(x) != 1
            return value.expand(len(x), *value.shape[1:]) if many else value
        side = self.sides[what]
        value = x if self.single else side.of(x)
        return value if value.dtype == side.dtype else value.to(side.dtype)


@dataclass(frozen=True, eq=False)
class PackedForward:
    """A model's forward pass as a function of one tensor: what is explained of its inputs."""

    forward: Callable[..., Any]
    inputs: Inputs

    def __call__(self, x: Tensor) -> Any:
        args, kwargs = self.inputs.call(x)
        return self.forward(*args, **kwargs)


def input_layout(model: Any) -> Inputs | None:
    """How the inputs of a model lie in one tensor; None for a model that takes one."""
    forward = getattr(model, "forward", None)
    return forward.inputs if isinstance(forward, PackedForward) and not forward.inputs.single else None


def is_multi_input(x: Any) -> bool:
    """Whether this is what users write for several inputs: a tuple, a list with tensors, or keyword arguments."""
    return isinstance(x, (tuple, Mapping)) or (isinstance(x, list) and any(isinstance(one, (Tensor, Held)) for one in x))


def pack(model: Model, given: Any, read: Callable[[Any, Any], Tensor] | None = None) -> tuple[Model, Tensor]:
    """A model of one tensor (batch, total) in place of one of several inputs, and that tensor.

    Inputs of real numbers are explained. Whole numbers, booleans, masks, what is no tensor and what is `held` are given to the
    model as they are; where they have a row per sample, that of a batch of one is repeated for every variant. Where none are of
    real numbers, tokens are explained: what is called `input_ids`, else the first of whole numbers. An input that is explained
    alone is not packed, so that methods for pictures see a picture.

    Arguments:
        given: A tuple or list by position, or a mapping by keyword.
        read: How something raw becomes a tensor: `read(preprocess, raw)`.

    Raises:
        InputError: nothing in it can be explained, or the batches differ.

    Example:
        >>> model, x = pack(Model(lambda a, b: a.sum(1) * b, "f", ""), (torch.ones(1, 2), torch.tensor([3.0])))
        >>> x, model(x), [side.name for side in input_layout(model).sides]
        (tensor([[1., 1., 3.]]), tensor([6.]), ['a', 'b'])
    """
    keyed = isinstance(given, Mapping)
    _check_call(model, given, keyed=keyed)
    items: list[tuple[int | str, Any]] = list(given.items() if keyed else enumerate(given))
    names = [str(place) for place, _ in items] if keyed else input_names(model, len(items))
    values = [_value(model, name, value, read) for name, (_, value) in zip(names, items, strict=True)]
    values = values if any(isinstance(value, Tensor) for value in values) else _tokens(names, values)
    explained = [(name, value) for name, value in zip(names, values, strict=True) if isinstance(value, Tensor)]
    if not explained:
        _check_rows(names, values)
        raise InputError(
            "An explanation of several inputs", f"{', '.join(names) or 'none'}, none of real numbers",
            "relevance is shared over real numbers", "Explain embeddings, or leave one of the inputs unheld.",
        )  # fmt: skip
    samples = _samples(explained)
    sides = tuple(_sides(model, explained))
    numbers = iter(range(len(sides)))
    filled = [next(numbers) if isinstance(value, Tensor) else value for value in values]
    inputs = Inputs(tuple(zip((place for place, _ in items), filled, strict=True)), sides, samples)
    how = sides[0].preprocess if inputs.single else None
    packed = replace(model, forward=PackedForward(model.forward, inputs), preprocess=how)
    if inputs.single:
        return packed, explained[0][1].to(model.device)
    wide = reduce(torch.promote_types, [value.dtype for _, value in explained])
    return packed, torch.cat([value.to(model.device, wide).reshape(samples, -1) for _, value in explained], 1)


def _check_rows(names: Sequence[str], values: Sequence[Tensor | Held]) -> None:
    """Refuse ids that stand one after another, with the places where each sample begins, as embedding bags take them."""
    lines = [v.value for v in values if isinstance(v, Held) and isinstance(v.value, Tensor) and v.value.dim() == 1]
    if len(lines) < 2 or any(line.is_floating_point() or not len(line) for line in lines[:2]):
        return
    starts = lines[1]
    if int(starts[0]) != 0 or bool((starts.diff() < 0).any()) or int(starts[-1]) > len(lines[0]):
        return
    raise InputError(
        "An explanation of several inputs", f"{' and '.join(names[:2])}, whole numbers in one line each",
        "ids have a row for every sample, so that it is known whose they are",
        "Explain one bag at a time: "
        "pl.explain(lambda ids: model(ids.flatten(), torch.arange(len(ids)) * ids.shape[1]), ids[None]).",
    )  # fmt: skip


def single_sample(model: Model, number: int) -> Model:
    """The same call for one sample of the batch."""
    assert isinstance(model.forward, PackedForward)
    return replace(model, forward=replace(model.forward, inputs=model.forward.inputs.single_sample(number)))


def _check_call(model: Model, given: Any, *, keyed: bool) -> None:
    """Refuse what the model cannot be called with, where it says what it takes.

    Raises:
        InputError: an input is missing, or there is one that the model does not know.
    """
    signature = None if _declared(model) else _signature(model)
    if signature is None:
        return
    try:
        signature.bind(**given) if keyed else signature.bind(*given)
    except TypeError as error:
        request = f"{model.name} called with {', '.join(map(str, given)) if keyed else f'{len(given)} inputs'}"
        known = ", ".join(signature.parameters) or "none"
        raise InputError(
            request, f"a model of the inputs {known}", str(error), "Give each of them, by position or by its name."
        ) from None


def takes_several(model: Model) -> bool:
    """Whether the model can be called with two inputs, as far as it says.

    Example:
        >>> takes_several(Model(lambda x: x, "f", "")), takes_several(Model(lambda x, y: x + y, "f", ""))
        (False, True)
    """
    names = _declared(model)
    signature = None if names else _signature(model)
    if signature is None:
        return len(names) != 1
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _signature(model: Model) -> inspect.Signature | None:
    """Of the model's own call; None where it does not say."""
    try:
        return inspect.signature(getattr(model.forward, "forward", model.forward))  # of modules, that of `forward`
    except (TypeError, ValueError):
        return None


def input_names(model: Model, count: int) -> list[str]:
    """What the model calls its inputs, by position; numbers where it does not say.

    Example:
        >>> input_names(Model(lambda picture, *rest: rest, "f", ""), 3)
        ['picture', 'input 2', 'input 3']
    """
    signature = _signature(model)
    known = signature.parameters.values() if signature is not None else ()
    names = _declared(model) or [one.name for one in known if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return [names[n] if n < len(names) else f"input {n + 1}" for n in range(count)]


def _declared(model: Model) -> Sequence[str]:
    """The names of the inputs of a network that was read from a file, which need not be words of Python."""
    return tuple(getattr(model.module, "input_names", ()))


def _value(model: Model, name: str, value: Any, read: Callable[[Any, Any], Tensor] | None) -> Tensor | Held:
    """A tensor where it is explained, else what is held."""
    if isinstance(value, Held):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and _preprocess_of(model, name) is None:
        value = torch.from_numpy(np.ascontiguousarray(value))
        value = value.to(model.dtype) if value.is_floating_point() else value
    if isinstance(value, Tensor):
        return value.detach() if value.is_floating_point() and not is_mask(name) else Held(value)
    how = _preprocess_of(model, name)
    if how is None or read is None or value is None or isinstance(value, (bool, int, float)):
        return Held(value)
    return read(how, value)


def _tokens(names: Sequence[str], values: Sequence[Tensor | Held]) -> list[Tensor | Held]:
    """With the tokens explained, where whole numbers can be no other thing."""
    held = {n: value.value for n, value in enumerate(values) if isinstance(value, Held) and not value.given}
    tensors = {n: value for n, value in held.items() if isinstance(value, Tensor) and value.dim() > 1}
    whole = [n for n, value in tensors.items() if not value.is_floating_point() and value.dtype != torch.bool]
    chosen = next((n for n in whole if names[n] in ("input_ids", "ids", "tokens")), whole[0] if whole else None)
    return [value.value if n == chosen and isinstance(value, Held) else value for n, value in enumerate(values)]


def _preprocess_of(model: Model, name: str) -> Any:
    """How raw things become the input of that name, where each has its own way."""
    return model.preprocess.get(name) if isinstance(model.preprocess, Mapping) else None


def _samples(explained: Sequence[tuple[str, Tensor]]) -> int:
    """How many samples there are, if all agree.

    Raises:
        InputError: they do not.
    """
    lengths = {name: len(value) if value.dim() else 0 for name, value in explained}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        found = ", ".join(f"{name} of shape {tuple(value.shape)}" for name, value in explained)
        raise InputError(
            "An explanation of several inputs", found, "the first axis counts the samples, and all inputs have as many",
            "Repeat what is the same for all: x.expand(n, ...), or hold it: pl.held(x, shared=True).",
        )  # fmt: skip
    return next(iter(lengths.values()))


def _sides(model: Model, explained: Sequence[tuple[str, Tensor]]) -> Iterator[InputSlice]:
    start = 0
    for name, value in explained:
        size = prod(value.shape[1:])
        yield InputSlice(name, tuple(value.shape[1:]), start, start + size, value.dtype, _preprocess_of(model, name))
        start += size
