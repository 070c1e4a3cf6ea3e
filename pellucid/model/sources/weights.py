"""Files of torch.save and safetensors: weights for a network that `builder` makes, or a whole pickled module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.errors import ModelError
from ..model import Model
from . import metadata

State = Mapping[str, Tensor]
Builder = Callable[[], nn.Module]

NESTED = ("state_dict", "model_state_dict", "model", "model_state", "net")  # where training scripts keep the weights
WRAPPERS = ("module.", "_orig_mod.", "model.")  # what DataParallel, torch.compile and Lightning put before every name


def load_state(path: Path, builder: Builder | None) -> Model:
    """Weights in a file that cannot hold anything else."""
    return _filled(path, read_safetensors(path), builder)


def load_pickle(path: Path, builder: Builder | None, trust: bool) -> Model:
    """What torch.save wrote: weights, read without running code, or a trusted module."""
    content, trusted = read_pickle(path, trust)
    if isinstance(content, nn.Module):
        module = content.eval()
        return metadata.with_metadata(Model(module, path.stem, f"pickled module {path.name}, trusted by the user", module))
    return _filled(path, state(content, path), builder, ", trusted by the user" if trusted else "")


def _filled(path: Path, values: State, builder: Builder | None, remark: str = "") -> Model:
    module = fill(build(builder, path), values, path).eval()
    return metadata.with_metadata(Model(module, path.stem, f"state dict {path.name}{remark}", module))


def read_safetensors(path: Path) -> State:
    """The tensors of a file that cannot hold anything else."""
    try:
        return safetensors.torch.load_file(path)
    except Exception as error:
        raise damaged(path, error) from None


def read_pickle(path: Path, trust: bool) -> tuple[Any, bool]:
    """What is in a file of torch.save, and whether code in it had to be trusted: tried without code first."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True), False
    except Exception as error:
        needed = re.search(r"GLOBAL ([\w.]+)", str(error))
        if not trust and needed:
            raise untrusted(path, f"a pickle that calls {needed[1]}") from None
        if not trust:
            raise damaged(path, error) from None
    return _run_pickle(path), True


def _run_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except (AttributeError, ImportError) as error:
        why = "a pickled module names its class, and that must be importable here"
        do = "Import or install what defines it, or save its state_dict() and load that with builder=."
        raise ModelError(f"model {path}", f"a pickle that cannot be opened ({error})", why, do) from None
    except Exception as error:
        raise damaged(path, error) from None


def state(content: Any, path: Path) -> State:
    """The state dict in what a file held: the whole of it, or a part under one of the usual names.

    Example:
        >>> state({"epoch": 3, "state_dict": {"weight": torch.ones(1)}}, Path("net.pth"))
        {'weight': tensor([1.])}
    """
    inner = [content[key] for key in NESTED if key in content] if isinstance(content, Mapping) else []
    for candidate in (content, *inner):
        if isinstance(candidate, Mapping) and candidate and all(isinstance(value, Tensor) for value in candidate.values()):
            return candidate
    found = f"an object of type {type(content).__name__}"
    found += f" with the keys {few(map(str, content))}" if isinstance(content, Mapping) else ""
    do = "Save model.state_dict() alone, best with safetensors.torch.save_file."
    raise ModelError(f"model {path}", found, "that is no state dict", do)


def build(builder: Builder | None, path: Path) -> nn.Module:
    """The network the builder makes; random numbers it draws for weights that will be replaced are given back."""
    request = f"model {path}"
    do = "Say how the network is made: builder=lambda: Net(classes=10), a function without arguments that returns it."
    if builder is None:
        raise ModelError(request, "weights without an architecture", "weights alone do not define a network", do)
    if isinstance(builder, nn.Module) or not callable(builder):
        raise ModelError(request, f"a builder of type {type(builder).__name__}", "it is called to make a new network", do)
    with drawing_from(DeviceGenerators()):
        module = builder()
    if not isinstance(module, nn.Module):
        raise ModelError(request, f"a builder that returned {type(module).__name__}", "weights go into an nn.Module", do)
    return module


def fill(module: nn.Module, state: State, path: Path) -> nn.Module:
    """The module with the weights of the file, all of them or none."""
    own = module.state_dict()
    state = _unwrapped(state, own)
    shared = [key for key in own if key in state]
    problems = {
        "missing": _missing(own, state),
        "unexpected": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}" for key in shared if own[key].shape != state[key].shape
        ],
    }
    found = "; ".join(f"{len(keys)} {what}: {few(keys)}" for what, keys in problems.items() if keys)
    if found:
        why = f"the weights of {type(module).__name__} have other names or shapes"
        raise ModelError(f"model {path}", found, why, "Give the builder the arguments the network was trained with.")
    module.load_state_dict(state, strict=False)
    return module


def _unwrapped(state: State, own: State) -> State:
    """The state under the network's own names, where each name carries a wrapper's prefix that none of the network's has."""
    for prefix in WRAPPERS:
        if all(key.startswith(prefix) for key in state) and not any(key.startswith(prefix) for key in own):
            return {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _missing(own: State, state: State) -> list[str]:
    """The names without a value: not those tied to a name that has one, nor counters that only training reads."""
    filled = {own[key].data_ptr() for key in own if key in state and own[key].numel()}
    without = [key for key in own if key not in state and own[key].data_ptr() not in filled]
    return [key for key in without if not key.endswith("num_batches_tracked")]


def few(names: Iterable[str]) -> str:
    first, *rest = list(names) or ["nothing"]
    return ", ".join([first, *rest[:2]]) + (f" and {len(rest) - 2} more" if len(rest) > 2 else "")


def untrusted(path: Path, found: str) -> ModelError:
    """The refusal of a file that can run code when it is opened."""
    return ModelError(
        f"model {path}", found, "opening it can run any code its author chose",
        "Safe is a file of weights alone: where the model is at hand, safetensors.torch.save_file(model.state_dict(), "
        "'model.safetensors'), then load that with builder=. If you trust who made the file: trust=True.",
    )  # fmt: skip


def damaged(path: Path, error: Exception) -> ModelError:
    """The refusal of a file that does not open."""
    message = next(iter(str(error).splitlines()), "").strip() or type(error).__name__
    found = f"data that cannot be read ({message[:200]})"
    return ModelError(f"model {path}", found, "the file is cut short or damaged", "Save or fetch it again.")
