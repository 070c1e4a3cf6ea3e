"""Aiming: where on a tape a target is read, and where an address points."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from pellucid.errors import ModelError, TargetError, WhereError
from pellucid.model.outputs import check_samples, entries, main, main_output as main_output, part
from pellucid.model.where import Where, nearest
from pellucid.target import Names, Part, Target
from .op import Ref, Tape


@dataclass(frozen=True, eq=False)
class Aim:
    """A target on a tape.

    Arguments:
        target: The target, with names and predictions settled.
        score: Its value per sample.
        output: The model's main output.
        slopes: By value that the target reads: the derivative of the score.
        starts: The same for relevance, with what only scales the score held as it is; None: no different.
    """

    target: Target
    score: Tensor
    output: Tensor
    slopes: dict[int, Tensor]
    starts: dict[int, Tensor] | None = None

    def seeds(self, tape: Tape) -> dict[int, Tensor]:
        """Where relevance starts: value times derivative. For a target that is linear in what it reads they sum to the score."""
        return {i: tape.value(i) * slope for i, slope in (self.starts or self.slopes).items()}


def aim(tape: Tape, target: Target, names: Names | None = None) -> Aim:
    """Read a target from a tape.

    Raises:
        TargetError: the target does not name one number per sample of this output, or it does not depend on the input.
        ModelError: the output is not finite.
        WhereError: the target reads a module that did not run.
    """
    chief = find_output(tape)
    output = tape.value(chief)
    if not torch.isfinite(output).all():
        raise _not_finite(tape, chief)
    ids = {at: chief if at is None else find(tape, at) for at in target.addresses}
    settled = target.resolve(lambda at: tape.value(ids[at]), names)
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
        slopes = _slopes(score, leaves)
        held = settled.with_fixed_scale()
        starts = None if held is settled else _slopes(held.read(lambda at: leaves[ids[at]]), leaves)
    return Aim(settled, score.detach(), output, slopes, starts)


def _slopes(score: Tensor, leaves: dict[int, Tensor]) -> dict[int, Tensor]:
    """The derivative of the score by every value that it reads."""
    slopes = torch.autograd.grad(score.sum(), list(leaves.values()), allow_unused=True)
    return {i: s for i, s in zip(leaves, slopes, strict=True) if s is not None}


def find_output(tape: Tape) -> int:
    """The value that holds the model's main output: the logits, where there are several."""
    candidates = [(path, ref.id) for path, ref in entries(tape.output, Ref)]
    check_samples(tape.output, [path for path, _ in candidates])
    return main([entry for entry in candidates if tape.values[entry[1]].tracked])


def find_part(tape: Tape, path: str) -> int:
    """The value that holds a part of the output.

    Raises:
        TargetError: there is no such part, or it does not depend on the input.
    """
    found = part([(name, ref.id) for name, ref in entries(tape.output, Ref)], path)
    if not tape.values[found].tracked:
        raise TargetError(
            f'the part "{path}" of the output', "numbers that the input does not change, or whole numbers",
            "there is nothing to carry back", "Read another part: the scores it was made from.",
        )  # fmt: skip
    return found


def find(tape: Tape, at: str | Where) -> int:
    """The value at an address: what the module of that path returned (the last time it ran), or what an operation made.

    Raises:
        WhereError: nothing, or more than one thing, is there.
    """
    if isinstance(at, Part):
        return find_part(tape, at.path)
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
