"""Targets read from plain forward passes: many inputs, no tape, in batches that suit the machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from .errors import ModelError, WhereError
from .model import Model
from .model.where import nearest
from .progress import told
from .tape.aim import main_output
from .tape.trees import mapped, tensors
from .target import Target

LARGEST = 256  # samples in one batch, at most


@dataclass(frozen=True, eq=False)
class Readout:
    """A model asked for one target on many variants of the same samples.

    It computes without autograd, but not under `inference_mode`: what a network keeps from a forward pass (a cache, a table of
    positions) would there become a tensor that no later training takes.

    Arguments:
        model: Whom to ask.
        x: The samples themselves, batch first.
        target: Settled, see `settled`.
        at: A module path: variants are of what that module returned, in place of the input.
    """

    model: Model
    x: Tensor
    target: Target
    at: str | None = None

    def __call__(self, variants: Tensor, rows: Sequence[int]) -> Tensor:
        """The target of every variant, with shape (n,).

        Arguments:
            variants: What to put in place of the input, or of the value `at`.
            rows: Which sample each of them is a variant of.
        """
        return self.read(self.values(variants, rows), rows)

    def read(self, values: dict[str | None, Tensor], rows: Sequence[int]) -> Tensor:
        """The target from the values it reads."""
        return self.target.take(rows).read(lambda at: values[at])

    def values(self, variants: Tensor, rows: Sequence[int]) -> dict[str | None, Tensor]:
        """The main output (None), and the values inside the model that the target reads, for every variant."""
        patch = {} if self.at is None else {self.at: variants}
        x = variants if self.at is None else self.x[list(rows)]
        return heard(self.model, x, self.target.addresses, patch)

    def check(self, responses: Tensor) -> Tensor:
        """The responses, if all are numbers.

        Raises:
            ModelError: some are NaN or infinite.
        """
        bad = int((~responses.isfinite()).sum())
        if not bad:
            return responses
        raise ModelError(
            f"{self.target} of changed inputs", f"{bad} of {responses.numel()} answers that are NaN or infinite",
            "no difference can be taken from them", "Choose an imputer whose values the model knows, such as pl.perturb.blur().",
        )  # fmt: skip


def settled(model: Model, x: Tensor, target: Target, at: str | None = None) -> tuple[Readout, Tensor, Tensor]:
    """A readout with names and predictions settled on x itself, the target's value on x, and the model's main output.

    Raises:
        ModelError: the output is not finite.
        TargetError: the target does not name one number per sample of this output.
        WhereError: the target, or `at`, names a module that did not run.
    """
    values = heard(model, x, (*target.addresses, None, *([at] if at else [])), {})
    output = values[None]
    if not output.isfinite().all():
        raise ModelError(
            "An explanation", "an output that is not finite", "there is nothing to compare with", "Check weights and input scale."
        )
    named = target.settle(lambda at: values[at], model)
    readout = Readout(model, x, named, at)
    return readout, readout.read(values, range(len(x))), output


def inside(readout: Readout) -> Tensor:
    """The value that variants are made of: the input, or what stands at `at`."""
    return readout.x if readout.at is None else heard(readout.model, readout.x, (readout.at,), {})[readout.at]


@torch.no_grad()
def heard(
    model: Model, x: Tensor, addresses: Sequence[str | None], patch: dict[str, Tensor] | None = None
) -> dict[str | None, Tensor]:
    """The values at some addresses in one forward pass: module paths, and None for the main output.

    Arguments:
        patch: By module path: what to take in place of what the module returns.

    Raises:
        WhereError: there is no such module, or it cannot be seen or did not run.
    """
    paths = {at for at in addresses if at is not None} | set(patch or {})
    with _listening(model, paths, patch or {}) as found, torch.random.fork_rng(_devices(x)):
        output = model.forward(x)
    values: dict[str | None, Tensor] = {None: main_output(output)}
    values.update(found.items())
    for at in addresses:
        if at is not None and at not in values:
            raise _silent(model, at)
    return values


@contextmanager
def _listening(model: Model, paths: set[str], patch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Hear what modules return, and put other values in their place, through a hook that lives for this pass and thread only."""
    found: dict[str, Tensor] = {}
    if not paths:
        yield found
        return
    names = {id(child): name for name, child in _modules(model) if name in paths}
    for path in paths - set(names.values()):
        raise _silent(model, path)
    thread = threading.get_ident()

    def leave(child: nn.Module, args: Any, output: Any) -> Any:
        name = names.get(id(child))
        if name is None or threading.get_ident() != thread:
            return None
        if name in patch:
            output = _patched(name, output, patch[name])
        found[name] = next(tensors(output))
        return output

    handle = hooks.register_module_forward_hook(leave)
    try:
        yield found
    finally:
        handle.remove()


def _modules(model: Model) -> Iterator[tuple[str, nn.Module]]:
    """The modules whose calls can be seen: none in scripted and compiled code."""
    module = model.module
    if module is None or isinstance(module, (torch.jit.ScriptModule, torch.fx.GraphModule)):
        return iter(())
    return iter(list(module.named_modules()))


def _patched(name: str, output: Any, value: Tensor) -> Any:
    made = list(tensors(output))
    if len(made) != 1 or made[0].shape != value.shape:
        shapes = ", ".join(str(tuple(t.shape)) for t in made)
        raise WhereError(
            f"A change of what {name} returns", f"{shapes or 'no tensor'}, and {tuple(value.shape)} to put there",
            "one value takes the place of one other", "Name a module that returns one tensor, batch first.",
        )  # fmt: skip
    return mapped(output, Tensor, lambda _: value)


def _silent(model: Model, path: str) -> WhereError:
    known = [name for name, _ in _modules(model) if name]
    near = ", ".join(nearest(path, known)) or "nothing: the inside of scripted and compiled code cannot be seen"
    return WhereError(
        f"The value at {path}",
        "nothing of that name that ran",
        f"the nearest are {near}",
        "`pellucid inspect` lists all modules.",
    )


def _devices(x: Tensor) -> list[torch.device]:
    return [x.device] if x.device.type == "cuda" else []


# -- batches that suit the machine --------------------------------------------------------------------------------------------


def ask(
    readout: Callable[[Tensor, Sequence[int]], Tensor],
    n: int,
    make: Callable[[int, int], tuple[Tensor, Sequence[int]]],
    *,
    start: int = 0,
    batch: int | None = None,
    what: str = "forward passes",
    copies: int = 1,
) -> Iterator[tuple[int, int, Tensor]]:
    """The answers to `n` questions, block by block: (first, last + 1, answers).

    The size of a block is found by trial: it grows while that saves time per question, and halves when memory runs out.
    Ends early when whoever watches calls it off.

    Arguments:
        readout: From variants and the samples they belong to, to answers, one per variant.
        make: The variants for questions from one number up to another, and the samples they belong to.
        start: The first question.
        batch: Questions in one block; None: found by trial.
        what: What is counted, for those who watch.
        copies: How many variants one question makes.
    """
    pace = Pace(batch, largest=max(1, LARGEST // copies))
    at = start
    while at < n:
        stop = min(n, at + pace.size)
        begin = time.perf_counter()
        try:
            answers = readout(*make(at, stop))
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or stop - at == 1:
                raise
            pace.shrink()
            continue
        pace.learn(stop - at, time.perf_counter() - begin)
        yield at, stop, answers
        at = stop
        if told(at * copies, n * copies, what):
            return


class Pace:
    """The size of the next block: doubled as long as that saves time, then left alone.

    Example:
        >>> pace = Pace()
        >>> for seconds in (1.0, 1.5, 2.0, 6.0):
        ...     pace.learn(pace.size, seconds)
        >>> pace.size
        16
    """

    def __init__(self, fixed: int | None = None, *, first: int = 4, largest: int = LARGEST) -> None:
        self.size = max(1, min(fixed or first, largest))
        self.growing = fixed is None
        self.largest = largest
        self.best: tuple[float, int] | None = None  # seconds per question, and at which size

    def learn(self, asked: int, seconds: float) -> None:
        if not self.growing or asked < self.size:
            return
        each = seconds / asked
        if self.best is not None and each > 0.97 * self.best[0]:
            self.size, self.growing = self.best[1], False
            return
        self.best = each, self.size
        self.growing = self.size < self.largest
        self.size = min(2 * self.size, self.largest)

    def shrink(self) -> None:
        """Memory ran out: half as much, and no more from here on."""
        self.size, self.growing = max(1, self.size // 2), False


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error)
