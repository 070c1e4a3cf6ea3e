"""Targets read from plain forward passes: many inputs, no tape, in batches that suit the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.errors import ModelError, WhereError
from pellucid.model import Model
from pellucid.model.hooks import listening, visible
from pellucid.model.outputs import entries, main_output, part, rebuild, tensors
from pellucid.model.where import nearest
from pellucid.target import Part, Target
from .finite import check

LARGEST = 512  # samples in one batch, at most


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
        shorter: Whether variants may have other lengths than that, as sequences that parts were taken out of.
    """

    model: Model
    x: Tensor
    target: Target
    at: str | None = None
    shorter: bool = False

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

    def values(self, variants: Tensor, rows: Sequence[int], *, spent: bool = False) -> dict[str | None, Tensor]:
        """The main output (None), and the values inside the model that the target reads, for every variant.

        Arguments:
            spent: Whether nobody needs the variants any more: a network may then write into them.
        """
        if isinstance(self.model.module, torch.fx.GraphModule) and len(variants) != len(self.x):
            return self._in_pieces(variants, rows)  # exported programs may take batches of one size alone
        patch = {} if self.at is None else {self.at: variants}
        x = variants if self.at is None else self.x[list(rows)]
        return heard(self.model, x, self.target.addresses, patch, shorter=self.shorter, spent=spent and self.at is None)

    def _in_pieces(self, variants: Tensor, rows: Sequence[int]) -> dict[str | None, Tensor]:
        """The same, in batches as large as that of the samples, the last one filled up."""
        size = len(self.x)
        places = list(range(len(variants))) + [0] * (-len(variants) % size)
        pieces = [places[i : i + size] for i in range(0, len(places), size)]
        found = [self.values(variants[piece], [rows[i] for i in piece]) for piece in pieces]
        return {at: torch.cat([values[at] for values in found])[: len(variants)] for at in found[0]}

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
        InputError: x holds NaN or infinity.
        ModelError: the output is not finite.
        TargetError: the target does not name one number per sample of this output.
        WhereError: the target, or `at`, names a module that did not run.
    """
    check(x)
    values = heard(model, x, (*target.addresses, None, *([at] if at else [])), {})
    output = values[None]
    if not output.isfinite().all():
        raise ModelError(
            "An explanation", "an output that is not finite", "there is nothing to compare with", "Check weights and input scale."
        )
    named = target.resolve(lambda at: values[at], model)
    readout = Readout(model, x, named, at)
    return readout, readout.read(values, range(len(x))), output


def inside(readout: Readout) -> Tensor:
    """The value that variants are made of: the input, or what stands at `at`."""
    return readout.x if readout.at is None else heard(readout.model, readout.x, (readout.at,), {})[readout.at]


@torch.no_grad()
def heard(
    model: Model,
    x: Tensor,
    addresses: Sequence[str | None],
    patch: dict[str, Tensor] | None = None,
    *,
    shorter: bool = False,
    spent: bool = False,
) -> dict[str | None, Tensor]:
    """The values at some addresses in one forward pass: module paths, and None for the main output.

    Arguments:
        patch: By module path: what to take in place of what the module returns.
        shorter: Whether that may have other lengths.
        spent: Whether nobody needs x any more.

    Raises:
        WhereError: there is no such module, or it cannot be seen or did not run.
    """
    parts = [at for at in addresses if isinstance(at, Part)]
    paths = {at for at in addresses if at is not None and at not in parts} | set(patch or {})
    with _values_at(model, paths, patch or {}, shorter) as found, torch.random.fork_rng(_devices(x)):
        output = model.forward(x if spent else x.clone())  # a network may write into its input
    values: dict[str | None, Tensor] = {None: main_output(output)}
    values.update(found.items())
    values.update({at: part(list(entries(output, Tensor)), at.path) for at in parts})
    for at in addresses:
        if at is not None and at not in values:
            raise _silent(model, at)
    return values


@contextmanager
def _values_at(model: Model, paths: set[str], patch: dict[str, Tensor], shorter: bool = False) -> Iterator[dict[str, Tensor]]:
    """What modules return during this block, by path; with other values in its place where `patch` has some."""
    found: dict[str, Tensor] = {}
    if not paths:
        yield found
        return
    names = {module: name for module, name in visible(model.module).items() if name in paths}
    for path in paths - set(names.values()):
        raise _silent(model, path)

    def leave(name: str, output: Any) -> Any:
        if name in patch:
            output = _patched(name, output, patch[name], shorter)
        found[name] = next(tensors(output)).clone()  # an operation after it may write there
        return output

    with listening(names, leave=leave):
        yield found


def _patched(name: str, output: Any, value: Tensor, shorter: bool) -> Any:
    made = list(tensors(output))
    if len(made) != 1 or (made[0].dim() != value.dim() if shorter else made[0].shape != value.shape):
        shapes = ", ".join(str(tuple(t.shape)) for t in made)
        raise WhereError(
            f"A change of what {name} returns", f"{shapes or 'no tensor'}, and {tuple(value.shape)} to put there",
            "one value takes the place of one other", "Name a module that returns one tensor, batch first.",
        )  # fmt: skip
    return rebuild(output, Tensor, lambda _: value)


def _silent(model: Model, path: str) -> WhereError:
    known = [name for name in visible(model.module).values() if name]
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
    batch: int = 8,
    what: str = "forward passes",
    copies: int = 1,
) -> Iterator[tuple[int, int, Tensor]]:
    """The answers to `n` questions, block by block: (first, last + 1, answers).

    Blocks halve when memory runs out. Ends early when whoever watches calls it off.

    Arguments:
        readout: From variants and the samples they belong to, to answers, one per variant.
        make: The variants for questions from one number up to another, and the samples they belong to.
        start: The first question.
        batch: How many variants go through the network at once, see `at_once`.
        what: What is counted, for those who watch.
        copies: How many variants one question makes.
    """
    at, block = start, max(1, batch // copies)
    while at < n:
        stop = min(n, at + block)
        try:
            answers = readout(*make(at, stop))
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or stop - at == 1:
                raise
            block = (stop - at) // 2
            continue
        yield at, stop, answers
        at = stop
        if report_progress(at * copies, n * copies, what):
            return


def at_once(x: Tensor) -> int:
    """How many variants of a sample go through a network at once, by its size: a power of two up to 512.

    On a CPU 4 to 8 pictures of 224 x 224 cost least per picture, and 32 twice as much, since large memory is asked for anew at
    every operation. It does not depend on how quick the machine is at the time, so that the same question gets the same bits.

    Example:
        >>> at_once(torch.zeros(1, 3, 224, 224)), at_once(torch.zeros(1, 12))
        (8, 512)
    """
    entries = 2**25 if x.device.type == "cuda" else 2**21
    fits = max(1, entries // max(1, x[0].numel()))
    return min(LARGEST, 1 << (fits.bit_length() - 1))


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error)
