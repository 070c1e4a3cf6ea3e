"""The one place that registers forward hooks: inputs and outputs of modules are read, or replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn
from torch.nn.modules import module as hooks

from .mode import is_opaque


@contextmanager
def listening(
    names: Mapping[int, str], *, enter: Callable[[str, Any], Any] | None = None, leave: Callable[[str, Any], Any] | None = None
) -> Iterator[None]:
    """Call functions of ours whenever modules run, in this block and this thread only.

    The hooks are PyTorch's global ones, so that no module is touched, and they are gone after the block, also when it fails.
    Global hooks run before those of a module itself, and among one another in the order of their registration: an inner block
    sees what an outer one has put in place of an output.

    Arguments:
        names: The paths of the modules to listen to, by their identity.
        enter: Called with the path of a module and its positional arguments, before it runs.
        leave: Called with the path and what the module returned; unless it returns None, its result takes that place.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.ReLU(), nn.Tanh())
        >>> with listening(visible(net), enter=lambda path, args: print(path or "the network")):
        ...     _ = net(torch.ones(1))
        the network
        0
        1
    """
    thread = threading.get_ident()

    def before(module: nn.Module, args: Any) -> None:
        name = names.get(id(module))
        if enter is not None and name is not None and threading.get_ident() == thread:
            enter(name, args)

    def after(module: nn.Module, args: Any, output: Any) -> Any:
        name = names.get(id(module))
        return leave(name, output) if leave is not None and name is not None and threading.get_ident() == thread else None

    with ExitStack() as handles:
        if names and enter is not None:
            handles.callback(hooks.register_module_forward_pre_hook(before).remove)
        if names and leave is not None:
            handles.callback(hooks.register_module_forward_hook(after).remove)
        yield


def visible(module: nn.Module | None) -> dict[int, str]:
    """The paths of the modules that can be listened to, by their identity: none inside scripted and compiled code."""
    return {} if module is None or is_opaque(module) else {id(child): path for path, child in module.named_modules()}
