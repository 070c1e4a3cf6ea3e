"""Aiming: where on a tape a target is read, and where an address points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import ModelError, TargetError, WhereError
from ..model.where import Where, nearest
from ..target import Names, Target
from .op import Ref, Tape

T = TypeVar("T")
MAIN = ("logits", "out", "output", "prediction", "predictions")


@dataclass(frozen=True, eq=False)
class Aim:
    """A target on a tape.

    Arguments:
        target: The target, with names and predictions settled.
        score: Its value per sample.
        output: The model's main output.
        slopes: By value that the target reads: the derivative of the score.
    """

    target: Target
    score: Tensor
    output: Tensor
    slopes: dict[int, Tensor]

    def seeds(self, tape: Tape) -> dict[int, Tensor]:
        """Where relevance starts: value times derivative. For a target that is linear in what it reads they sum to the score."""
        return {i: tape.value(i) * slope for i, slope in self.slopes.items()}


def aim(tape: Tape, target: Target, names: Names | None = None) -> Aim:
    """Read a target from a tape.

    Raises:
        TargetError: the target does not name one number per sample of this output, or it does not depend on the input.
        ModelError: the output is not finite.
        WhereError: the target reads a module that did not run.
    """
    main = find_output(tape)
    output = tape.value(main)
    if not torch.isfinite(output).all():
        raise _not_finite(tape, main)
    ids = {at: main if at is None else find(tape, at) for at in target.addresses}
    settled = target.settle(lambda at: tape.value(ids[at]), names)
    with torch.inference_mode(False), torch.enable_grad():
        leaves = {i: tape.value(i).detach().clone().requires_grad_() for i in set(ids.values())}
        score = settled.read(lambda at: leaves[ids[at]])
        if score.dim() != 1:
            raise TargetError(
                str(settled), f"values of shape {tuple(score.shape)}", "one number per sample is needed", "Reduce it to that."
            )
        if not score.requires_grad:
            raise TargetError(
                str(settled),
                "a number that does not depend on the output",
                "there is nothing to explain",
                "Read it from the output.",
            )
        slopes = torch.autograd.grad(score.sum(), list(leaves.values()), allow_unused=True)
    return Aim(settled, score.detach(), output, {i: s for i, s in zip(leaves, slopes, strict=True) if s is not None})


def find_output(tape: Tape) -> int:
    """The value that holds the model's main output: the logits, where there are several."""
    candidates = {key: ref.id for key, ref in _outputs(tape.output, "", Ref)}
    best = next((candidates[key] for key in MAIN if key in candidates), next(iter(candidates.values())))
    if tape.values[best].tracked:
        return best
    return next(i for i in candidates.values() if tape.values[i].tracked)


def main_output(output: Any) -> Tensor:
    """The main one among the tensors that a model returned: the logits, where there are several."""
    candidates = dict(_outputs(output, "", Tensor))
    if not candidates:
        raise TargetError(
            "A target", f"an output of type {type(output).__name__} with no tensor inside", "targets are read from tensors",
            "Let the model return its scores.",
        )  # fmt: skip
    return next((candidates[key] for key in MAIN if key in candidates), next(iter(candidates.values())))


def _outputs(tree: object, key: str, kind: type[T]) -> Iterator[tuple[str, T]]:
    if isinstance(tree, kind):
        yield key, tree
    elif isinstance(tree, dict):
        for name, item in tree.items():
            yield from _outputs(item, str(name), kind)
    elif isinstance(tree, (tuple, list)):
        for n, item in enumerate(tree):
            yield from _outputs(item, f"{key}.{n}" if key else str(n), kind)


def find(tape: Tape, at: str | Where) -> int:
    """The value at an address: what the module of that path returned (the last time it ran), or what an operation made.

    Raises:
        WhereError: nothing, or more than one thing, is there.
    """
    if isinstance(at, Where) and (at.op is not None or at.position is not None):
        ops = at.pick(tape.ops)
        if len(ops) != 1:
            raise _ambiguous(str(at), [op.place for op in ops], [op.place for op in tape.ops])
        return ops[0].out
    path = at.module or "" if isinstance(at, Where) else at
    paths = [p for p in tape.returned if p == path] or [p for p in tape.returned if fnmatchcase(p, path)]
    if len(paths) == 1:
        return tape.returned[paths[0]][-1]
    if not paths and not tape.transparent:
        return _leaf(tape, path)
    raise _ambiguous(path, paths, [p for p in tape.returned if p])


def _leaf(tape: Tape, path: str) -> int:
    """In scripted and compiled code only modules with parameters of their own can be told."""
    ops = [op for op in tape.ops if op.module == path] or [op for op in tape.ops_by_index if op.module == path]  # folded ones
    if not ops:
        raise _ambiguous(path, [], sorted({op.module for op in tape.ops_by_index if op.module}))
    return ops[-1].out


def _ambiguous(asked: str, found: list[str], known: list[str]) -> WhereError:
    if found:
        return WhereError(
            f"The value at {asked}", f"{len(found)} of them: {', '.join(found[:4])}", "one is needed", "Name one of them."
        )
    near = ", ".join(nearest(asked, list(dict.fromkeys(known)))) or "nothing"
    return WhereError(
        f"The value at {asked}",
        "nothing of that name that ran",
        f"the nearest are {near}",
        "pl.record(model, x).show() lists all.",
    )


def _not_finite(tape: Tape, main: int) -> ModelError:
    """Why the output holds NaN or infinity: the first operation, or the first parameter, that does."""
    for op in tape.ops:
        for ref in op.refs():
            tensor = tape.values[ref.id].tensor
            if (
                not tape.values[ref.id].tracked
                and tensor is not None
                and tensor.is_floating_point()
                and bool(torch.isnan(tensor).any())
            ):
                return ModelError(
                    "An explanation", f"NaN in a weight of {op.place}", "relevance is carried by numbers", "Load sound weights."
                )
        made = tape.values[op.out].tensor if any(o is not None for o in op.outs) else None
        if made is not None and not bool(torch.isfinite(made).all()):
            return ModelError(
                "An explanation",
                f"an output that is not finite: it starts at {op.place}",
                "relevance is carried by numbers",
                "Check weights and input scale.",
            )
    return ModelError(
        "An explanation", "an output that is not finite", "relevance is carried by numbers", "Check weights and input scale."
    )
