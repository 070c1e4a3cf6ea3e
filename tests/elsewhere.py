"""A device that is not there: tensors on it have the data of the CPU, and refuse to be mixed with those of the CPU.

What runs here runs beside an accelerator: a tensor that is made without saying where, and then meets one of the user's, fails
here as it fails there. It goes by the name "meta", which PyTorch knows everywhere; no tensor of it lacks its data.

    with elsewhere():
        e = pl.explain(moved(net), there(x))
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE, CPU = torch.device("meta"), torch.device("cpu")
ACROSS = {"_to_copy", "copy_", "to", "_copy_from"}  # what takes data from one device to another
INDEXED = {"index", "index_put_", "index_put", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}  # by indices of the CPU


class There(Tensor):
    """A tensor elsewhere; `here` holds its data."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> There:
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined, no-any-return]
            cls, here.shape, strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype, device=DEVICE
        )

    def __init__(self, here: Tensor) -> None:
        self.here = here

    def __repr__(self) -> str:  # type: ignore[override]
        return f"There({self.here})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def there(x: Tensor) -> Tensor:
    """A tensor with the same data, elsewhere."""
    return There(x.detach().clone())


def moved(net: nn.Module) -> nn.Module:
    """A copy of a network whose weights are elsewhere."""
    made = copy.deepcopy(net)
    for module in made.modules():
        for name, weight in module._parameters.items():
            module._parameters[name] = weight if weight is None else nn.Parameter(there(weight), weight.requires_grad)
        for name, buffer in module._buffers.items():
            module._buffers[name] = buffer if buffer is None else there(buffer)
    return made


def computed(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """One operation: computed here, and told to be where its tensors are.

    Raises:
        RuntimeError: they are not all in one place.
    """
    name, given = func.overloadpacket.__name__, [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    across = name in ACROSS
    if not across:
        _check(
            func,
            given
            if name not in INDEXED
            else [t for t in given if t is given[0] or t.is_floating_point() or isinstance(t, There)],
        )
    asked = kwargs.get("device")
    away = torch.device(asked) == DEVICE if asked is not None else any(isinstance(t, There) for t in given)
    here = {**kwargs, **({} if asked is None else {"device": CPU})}
    made = func(*tree_map(_here, args), **tree_map(_here, here))
    if func._schema.is_mutable:
        return _written(func, args, kwargs, made)
    return tree_map(lambda t: There(t) if isinstance(t, Tensor) else t, made) if away else made


def _here(t: Any) -> Any:
    return t.here if isinstance(t, There) else t


def _check(func: Any, given: list[Tensor]) -> None:
    """Numbers may lie anywhere; all else lies in one place."""
    places = {isinstance(t, There) for t in given if t.dim() or isinstance(t, There)}
    if len(places) > 1:
        shapes = ", ".join(f"{tuple(t.shape)} {'elsewhere' if isinstance(t, There) else 'on the CPU'}" for t in given)
        raise RuntimeError(f"Expected all tensors to be on the same device: {func} of {shapes}")


def _written(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> Any:
    """What an operation that writes returns: the tensors that it wrote to."""
    named = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)} | dict(kwargs)
    marked = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write and a.name in named]
    written = [named[name] for name in marked]
    if not isinstance(made, (tuple, list)):
        return written[0]
    if len(made) == len(written):
        return type(made)(written)
    away = any(isinstance(t, There) for t in written)  # a batch norm that keeps its statistics, and returns others
    return type(made)(There(t) if away and isinstance(t, Tensor) else t for t in made)


class _Computing(TorchDispatchMode):
    """Sees what is made without any tensor: `torch.zeros(3, device=x.device)`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class _Making(TorchFunctionMode):
    """What PyTorch makes of plain numbers on "meta" has no data: `torch.tensor([1.0], device="meta")`, places in `x[[0, 2]]`."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor, torch.asarray) and not isinstance(args[0], Tensor):
            device = kwargs.pop("device", None)
            made = func(*args, **kwargs)
            return made if device is None or torch.device(device) != DEVICE else There(made)
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], There):
            whole = isinstance(args[1], tuple)
            asked = tuple(
                There(torch.tensor(one)) if isinstance(one, list) else one for one in (args[1] if whole else (args[1],))
            )
            args = (args[0], asked if whole else asked[0], *args[2:])
        if func is Tensor.tolist and isinstance(args[0], There):
            return args[0].here.tolist()
        if func is Tensor.new_tensor and isinstance(args[0], There):
            return There(torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}))
        return func(*args, **kwargs)


@contextmanager
def elsewhere() -> Iterator[None]:
    """Beside a device that is not there."""
    with _Making(), _Computing():
        yield
