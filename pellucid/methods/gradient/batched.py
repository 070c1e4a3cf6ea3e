"""The gradient of one target at many variants of the same samples, read from tapes, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import Tape, check_branches, find, record, resolve_target
from pellucid.tape.batch import Batch
from pellucid.tape.forward import Readout, forward_values
from pellucid.tape.gradient import gradient_and_score
from pellucid.tape.independence import together_note, variants_are_apart
from pellucid.target import Target

ROOM = {"cpu": 4e8, "cuda": 4e9}  # bytes of tape; measured: on a CPU, gradients cost more per sample in tapes above a gigabyte
LARGEST = 256  # samples in one batch, at most


@dataclass(frozen=True, eq=False)
class BatchedGradient:
    """The gradient of one target at many variants of the same samples.

    Arguments:
        readout: The model and the target.
        score: The target on the samples as they are.
        output: The model's main output there.
        value: What variants are of: the input, or what stands at `readout.at`.
        batch: How many variants are computed together. It is set by the size of the tape and never by trial: another batch size
            rounds differently, and the same request shall have the same result.
        fixed: Whether the model takes no other number of samples than `batch`.
        lost: What of the way back from the target has no derivative, see `check_branches`.
    """

    readout: Readout
    score: Tensor
    output: Tensor
    value: Tensor
    batch: int
    fixed: bool = False
    lost: tuple[str, ...] = ()

    def __call__(self, variants: Tensor, rows: Sequence[int]) -> Tensor:
        """The gradient at every variant.

        Arguments:
            variants: What to put in place of the input, or of the value `at`.
            rows: Which sample each of them is a variant of.
        """
        missing = self.batch - len(variants) if self.fixed else 0
        if missing > 0:
            filled = torch.cat([variants, variants[:1].expand(missing, *variants.shape[1:])])
            return self(filled, [*rows, *[rows[0]] * missing])[: len(variants)]
        return gradient_and_score(self.readout, variants, rows)[0]

    def everywhere(self, variants: Tensor) -> Tensor:
        """The gradient at one variant of every sample."""
        blocks = torch.split(torch.arange(len(variants), device="cpu"), self.batch)
        return torch.cat([self(variants[block.to(variants.device)], block.tolist()) for block in blocks])

    def inside(self, x: Tensor) -> Tensor:
        """x itself, or what stands at `at` for it."""
        at = self.readout.at
        if at is None:
            return x
        tape = record(self.readout.model, x)
        return tape.value(find(tape, at)).clone()

    def scores(self, variants: Tensor, rows: Sequence[int]) -> Tensor:
        """The target at every variant, of a copy: networks may write into what they read."""
        return self.readout(variants.clone(), rows)

    def attribution(self, values: Tensor, *, error: Tensor | None = None, **fields: Any) -> Attribution:
        """Values in the type of the input, or in single precision where that is less, with what is known of the target."""
        dtype = torch.promote_types(self.value.dtype, torch.float32)
        error = None if error is None else error.to(dtype)
        fields["notes"] = (*fields.get("notes", ()), *together_note(self.readout.model, self.readout.x))
        return Attribution(values.to(dtype), self.score, self.readout.target, self.output, error=error, lost=self.lost, **fields)


def batched_gradient(model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> BatchedGradient:
    """The gradient of a target at variants of x, with names and predictions resolved on x itself.

    Raises:
        MethodError: `at` is nothing that can be changed: an operation, or a module inside scripted or compiled code.
        WhereError: the target, or `at`, names a module that did not run.
    """
    tape = record(model, x)
    resolved = resolve_target(tape, target, model)
    path, value = None if at is None else module_path(at), x.detach()
    if path is not None:
        path, value = _inside(tape, path)
        forward_values(model, x.clone(), (path,), {path: value.clone()})  # refuses modules that return several tensors
    end = tape.inputs[0] if path is None else find(tape, path)
    lost = check_branches(tape, resolved.gradients, end, slopes=True)
    readout = Readout(model, x.detach(), resolved.target, path)
    if not variants_are_apart(model, x):
        return BatchedGradient(readout, resolved.score, resolved.output, value, 1, lost=lost)
    fixed = not stretches(model, x, resolved.output)
    return BatchedGradient(readout, resolved.score, resolved.output, value, len(x) if fixed else _fitting(tape), fixed, lost)


def stretches(model: Model, x: Tensor, output: Tensor) -> bool:
    """Whether the model takes another number of samples than it was given, and then returns the same for each.

    Programs exported for a fixed batch do not, nor do networks in which the samples of a batch meet.
    """
    try:
        longer = forward_values(model, x[[*range(len(x)), 0]], ())[None]
    except Exception:  # whatever the model raises, it is not made for this
        return False
    if longer.shape != (len(x) + 1, *output.shape[1:]):
        return False
    return torch.allclose(longer[:-1], output, rtol=1e-3, atol=1e-3 * float(output.abs().max()))


def column(numbers: Sequence[float], like: Tensor) -> Tensor:
    """Numbers along the first axis, in a shape that broadcasts against samples."""
    return torch.tensor(numbers, dtype=like.dtype, device=like.device).reshape(-1, *[1] * (like.dim() - 1))


def module_path(at: str | Where) -> str:
    """The module whose returned value is meant.

    Raises:
        MethodError: an operation is meant, not a module.
    """
    if isinstance(at, str):
        return at
    if at.op is None and at.position is None and at.module:
        return at.module
    raise MethodError(
        f"Variants of the value at {at}", "the address of an operation",
        "only what modules return can be replaced while the model runs", 'Name a module: at="layer3".',
    )  # fmt: skip


def _inside(tape: Tape, path: str) -> tuple[str, Tensor]:
    """The full path of a module, and what it returned."""
    if not tape.transparent:
        raise MethodError(
            f"Variants of the value at {path}", "scripted or compiled code",
            "its modules cannot be given another value while it runs", "Explain the network it was made from, or its input.",
        )  # fmt: skip
    id_ = find(tape, path)
    value, batch = tape.value(id_), tape.values[id_].batch
    check_places(path, value, tape.samples, batch)
    return path if path in tape.returned else next(name for name in tape.returned if fnmatchcase(name, path)), value.clone()


def check_places(path: str | None, value: Tensor, samples: int, batch: Batch | None = None) -> None:
    """Refuse a value whose first axis is not that of the samples.

    Raises:
        MethodError: it has another length, or the samples are known to lie elsewhere.
    """
    if value.shape[:1] != (samples,) or (samples > 1 and batch not in (None, Batch(0))):
        raise MethodError(
            f"Variants of the value at {path}", f"shape {tuple(value.shape)} for {samples} sample(s)",
            "variants are put side by side along the first axis, and there it does not count the samples",
            "Name a module whose value comes batch first, or explain the input.",
        )  # fmt: skip


def _fitting(tape: Tape) -> int:
    """How many samples fit into one tape."""
    tensors = [value.tensor for value in tape.values if value.tracked and value.tensor is not None]
    each = sum(t.numel() * t.element_size() for t in tensors) / tape.samples
    room = ROOM.get(tensors[0].device.type, ROOM["cpu"])
    return int(min(max(room / each, 1), LARGEST))
