"""Plain forward passes: targets and values inside a model for many inputs, without a tape, in batches that fit the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.core.progress import report_progress
from pellucid.errors import ModelError, WhereError
from pellucid.model import Model
from pellucid.model.hooks import listening, visible
from pellucid.model.outputs import entries, main_output, part, rebuild, tensors, with_batch_axis
from pellucid.model.where import nearest
from pellucid.target import Part, Target
from .independence import variants_are_apart
from .recording.record import check_finite

LARGEST = 512  # samples in one batch, at most
FEW = 8  # variants, one at a time, between two reports of progress


@dataclass(frozen=True, eq=False)
class Readout:
    """One target of a model on many variants of the same samples.

    It runs without autograd, but not under `inference_mode`: what a network keeps from a forward pass (a cache, a table of
    positions) would become an inference tensor, which later training refuses.

    Arguments:
        x: The samples themselves, batch first.
        target: With names and predictions resolved, see `resolve_readout`.
        at: A module path: variants are of what that module returned, in place of the input.
        variable_length: Whether variants may have other lengths than that, as sequences with parts removed.
    """

    model: Model
    x: Tensor
    target: Target
    at: str | None = None
    variable_length: bool = False

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

    def values(self, variants: Tensor, rows: Sequence[int], *, overwrite_input: bool = False) -> dict[str | None, Tensor]:
        """The main output (None), and the values inside the model that the target reads, for every variant.

        Arguments:
            overwrite_input: Whether the network may write into the variants, which are not needed any more.
        """
        pieces = self.pieces(variants, rows)
        parts = [self._values(*piece, overwrite_input and self.at is None) for piece in pieces]
        if pieces[0][0] is variants:
            return parts[0]
        return {at: torch.cat([values[at] for values in parts])[: len(variants)] for at in parts[0]}

    def _values(self, variants: Tensor, rows: Sequence[int], overwrite_input: bool) -> dict[str | None, Tensor]:
        patch = {} if self.at is None else {self.at: variants}
        x = variants if self.at is None else self.x[list(rows)]
        return forward_values(
            self.model, x, self.target.addresses, patch, variable_length=self.variable_length, overwrite_input=overwrite_input
        )  # fmt: skip

    def pieces(self, variants: Tensor, rows: Sequence[int]) -> list[tuple[Tensor, Sequence[int]]]:
        """Variants and their samples in batches that the model takes.

        Exported programs may take batches of one size alone: as many as there are samples, the last one filled up. Networks whose
        answers go by what else is in the batch take variants one at a time.
        """
        size = len(self.x)
        if not isinstance(self.model.module, torch.fx.GraphModule):
            alone = len(variants) > 1 and self.one_at_a_time
            return [(variants[n : n + 1], rows[n : n + 1]) for n in range(len(variants))] if alone else [(variants, rows)]
        if len(variants) == size:
            return [(variants, rows)]
        places = list(range(len(variants))) + [0] * (-len(variants) % size)
        batches = [places[i : i + size] for i in range(0, len(places), size)]
        return [(variants[batch], [rows[i] for i in batch]) for batch in batches]

    @property
    def one_at_a_time(self) -> bool:
        """Whether variants run one at a time, since the answers of the network go by what else is in the batch."""
        return not isinstance(self.model.module, torch.fx.GraphModule) and not variants_are_apart(self.model, self.x)

    def batch(self, most: int) -> int:
        """How many variants are asked for between two reports of progress: few where they run one at a time."""
        return min(most, FEW) if self.one_at_a_time else most

    def check(self, responses: Tensor) -> Tensor:
        """The responses, if all are numbers.

        Raises:
            ModelError: some are NaN or infinite.
        """
        bad = int((~responses.isfinite()).sum())
        if not bad:
            return responses
        raise ModelError(
            f"{self.target} of changed inputs", f"{bad} of {responses.numel()} scores that are NaN or infinite",
            "no difference can be taken from them", "Choose an imputer with realistic values, such as pl.perturb.blur().",
        )  # fmt: skip


def resolve_readout(model: Model, x: Tensor, target: Target, at: str | None = None) -> tuple[Readout, Tensor, Tensor]:
    """A readout with names and predictions resolved on x itself, the target on x with shape (batch,), and the main output.

    Raises:
        InputError: x holds NaN or infinity.
        ModelError: the output is not finite.
        TargetError: the target does not name one number per sample of this output.
        WhereError: the target, or `at`, names a module that did not run.
    """
    check_finite(x)
    values = forward_values(model, x, (*target.addresses, None, *([at] if at else [])), {})
    output = values[None]
    if not output.isfinite().all():
        raise ModelError(
            "An explanation", "an output that is not finite", "there is nothing to compare with", "Check weights and input scale."
        )
    named = target.resolve(lambda at: values[at], model)
    readout = Readout(model, x, named, at)
    return readout, readout.read(values, range(len(x))), output


def varied_value(readout: Readout) -> Tensor:
    """The value that variants are made of: the input, or what stands at `at`."""
    return readout.x if readout.at is None else forward_values(readout.model, readout.x, (readout.at,), {})[readout.at]


@torch.no_grad()
def forward_values(
    model: Model, x: Tensor, addresses: Sequence[str | None], patch: dict[str, Tensor] | None = None, *,
    variable_length: bool = False, overwrite_input: bool = False,
) -> dict[str | None, Tensor]:  # fmt: skip
    """The values at some addresses in one forward pass: module paths, and None for the main output.

    Arguments:
        patch: By module path: what the module returns instead.
        variable_length: Whether that may have another length.
        overwrite_input: Whether the network may write into x.

    Raises:
        WhereError: there is no such module, or it cannot be seen or did not run.
    """
    parts = [at for at in addresses if isinstance(at, Part)]
    paths = {at for at in addresses if at is not None and at not in parts} | set(patch or {})
    with values_at(model, paths, patch or {}, variable_length) as values_by_path, drawing_apart(model, x.device):
        output = with_batch_axis(model.forward(x if overwrite_input else x.clone()), len(x))  # it may write into its input
    values: dict[str | None, Tensor] = {None: main_output(output)}
    values.update(values_by_path.items())
    values.update({at: part(list(entries(output, Tensor)), at.path) for at in parts})
    for at in addresses:
        if at is not None and at not in values:
            raise _no_such_value(model, at)
    return values


@contextmanager
def values_at(
    model: Model, paths: set[str], patch: dict[str, Tensor], variable_length: bool = False
) -> Iterator[dict[str, Tensor]]:
    """What modules return during this block, by path; with other values in its place where `patch` has some."""
    values_by_path: dict[str, Tensor] = {}
    if not paths:
        yield values_by_path
        return
    names = {module: name for module, name in visible(model.module).items() if name in paths}
    for path in paths - set(names.values()):
        raise _no_such_value(model, path)

    def leave(name: str, output: Any) -> Any:
        if name in patch:
            output = _replaced(name, output, patch[name], variable_length)
        values_by_path[name] = next(tensors(output)).clone()  # an operation after it may write there
        return output

    with listening(names, leave=leave):
        yield values_by_path


def _replaced(name: str, output: Any, value: Tensor, variable_length: bool) -> Any:
    outputs = list(tensors(output))
    if len(outputs) != 1 or (outputs[0].dim() != value.dim() if variable_length else outputs[0].shape != value.shape):
        shapes = ", ".join(str(tuple(t.shape)) for t in outputs)
        raise WhereError(
            f"A change of what {name} returns", f"{shapes or 'no tensor'}, and {tuple(value.shape)} to put there",
            "one value replaces one other", "Name a module that returns one tensor, batch first.",
        )  # fmt: skip
    return rebuild(output, Tensor, lambda _: value)


def _no_such_value(model: Model, path: str) -> WhereError:
    names = [name for name in visible(model.module).values() if name]
    near = ", ".join(nearest(path, names)) or "nothing: the inside of scripted and compiled code cannot be seen"
    return WhereError(
        f"The value at {path}", "nothing of that name that ran", f"the nearest are {near}",
        "`pellucid inspect` lists all modules.",
    )  # fmt: skip


# -- batches that fit the machine ---------------------------------------------------------------------------------------------


def run_batched(
    readout: Callable[[Tensor, Sequence[int]], Tensor], n: int, make: Callable[[int, int], tuple[Tensor, Sequence[int]]], *,
    start: int = 0, batch: int = 8, what: str = "forward passes", copies: int = 1,
) -> Iterator[tuple[int, int, Tensor]]:  # fmt: skip
    """The responses to `n` queries, block by block: (first, last + 1, responses).

    Blocks halve when memory runs out. Ends early when the progress callback stops it.

    Arguments:
        readout: From variants and the samples they belong to, to responses, one per variant.
        make: The variants for queries from one number up to another, and the samples they belong to.
        start: The first query.
        batch: How many variants go through the network at once, see `batch_size`.
        what: What is counted, for the progress display.
        copies: How many variants one query makes.
    """
    at, block = start, max(1, batch // copies)
    while at < n:
        stop = min(n, at + block)
        try:
            responses = readout(*make(at, stop))
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or stop - at == 1:
                raise
            block = (stop - at) // 2
            continue
        yield at, stop, responses
        at = stop
        if report_progress(at * copies, n * copies, what):
            return


def batch_size(x: Tensor) -> int:
    """How many variants of a sample go through a network at once, by its size: a power of two up to 512.

    On a CPU 4 to 8 pictures of 224 x 224 cost least per picture, and 32 twice as much, since large tensors are allocated anew at
    every operation. It does not depend on the load of the machine, so that the same query gets the same bits.

    Example:
        >>> batch_size(torch.zeros(1, 3, 224, 224)), batch_size(torch.zeros(1, 12))
        (8, 512)
    """
    entries = 2**25 if x.device.type == "cuda" else 2**21
    fits = max(1, entries // max(1, x[0].numel()))
    return min(LARGEST, 1 << (fits.bit_length() - 1))


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error)
