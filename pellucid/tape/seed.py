"""Where on a tape a target is read, its gradient there, and the value that an address names."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from pellucid.errors import ModelError, TargetError, WhereError
from pellucid.model.outputs import check_samples, entries, main, main_output as main_output, part
from pellucid.model.where import Where, nearest
from pellucid.target import Names, Part, Target
from . import kinds
from .local import usual
from .op import Ref, Tape
from .rewrite.position import at_position


@dataclass(frozen=True, eq=False)
class ResolvedTarget:
    """A target on a tape: where it is read, and its gradient there.

    Arguments:
        target: The target, with names and predictions resolved.
        score: Its value, with shape (batch,).
        output: The model's main output.
        gradients: By value that the target reads: the gradient of the score, shaped like the value.
        relevance_gradients: The same for relevance, with what only scales the score held constant; None: no different.
    """

    target: Target
    score: Tensor
    output: Tensor
    gradients: dict[int, Tensor]
    relevance_gradients: dict[int, Tensor] | None = None

    def relevance_seeds(self, tape: Tape) -> dict[int, Tensor]:
        """Where relevance starts: value times gradient. For a target that is linear in what it reads they sum to the score."""
        return {i: tape.value(i) * gradient for i, gradient in (self.relevance_gradients or self.gradients).items()}


def resolve_target(tape: Tape, target: Target, names: Names | None = None) -> ResolvedTarget:
    """Read a target from a tape.

    Raises:
        TargetError: the target does not name one number per sample of this output, or it does not depend on the input.
        ModelError: the output is not finite.
        WhereError: the target reads a module that did not run.
    """
    ids = places(tape, target)
    named, output = name_target(tape, target, names)
    with torch.inference_mode(False), torch.enable_grad():
        leaves = {i: usual(tape.value(i)).detach().requires_grad_() for i in set(ids.values())}
        score = named.read(lambda at: leaves[ids[at]])
        if score.dim() != 1:
            raise TargetError(
                str(named), f"values of shape {tuple(score.shape)}", "one number per sample is needed", "Reduce it to that."
            )
        if not score.requires_grad:
            raise TargetError(
                str(named), "a number that does not depend on the output", "there is nothing to explain",
                "Read it from the output.",
            )  # fmt: skip
        gradients = _gradients(score, leaves)
        if not any(bool(g.any()) for g in gradients.values()) and _steps(score):
            raise TargetError(
                str(named), f"a score made by {_steps(score)}, whose derivative is zero wherever it has one",
                "there is nothing to carry back", "Leave the steps out of the target, or read the score before them.",
            )  # fmt: skip
        held = named.with_fixed_scale()
        for_relevance = None if held is named else _gradients(held.read(lambda at: leaves[ids[at]]), leaves)
    return ResolvedTarget(named, score.detach(), output, gradients, for_relevance)


def name_target(tape: Tape, target: Target, names: Names | None = None) -> tuple[Target, Tensor]:
    """The target with names and predictions resolved, and the model's main output.

    Raises:
        TargetError: there are no such classes.
        ModelError: the output is not finite.
    """
    output = tape.value(find_output(tape))
    if not all_finite(output):
        raise _not_finite(tape)
    ids = places(tape, target)
    return target.resolve(lambda at: tape.value(ids[at]), names), output


def read_alone(tape: Tape, target: Target, end: int) -> tuple[Tape, Target]:
    """The pass and the target where every term reads one and the same position of the output: as of that position alone.

    Arguments:
        target: With predictions resolved.
        end: The value that is wanted, which stays whole.
    """
    positions = {term.position_read for _, term in target.terms}
    position = positions.pop()
    if position is None or positions or target.addresses != (None,):
        return tape, target
    output = find_output(tape)
    target.read(lambda at: tape.value(output))  # what cannot be read is refused by its own position
    short = at_position(tape, output, position, end)
    return (tape, target) if short is tape else (short, target.at_its_position())


def all_finite(t: Tensor) -> bool:
    """Whether no entry is NaN or infinite, in one pass and without another tensor of that size."""
    return not t.numel() or bool(torch.stack(torch.aminmax(t)).isfinite().all())


def _steps(score: Tensor) -> str:
    """The first operation in the graph of a score that is constant between jumps; "" where there is none."""
    waiting = [score.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        name = type(node).__name__.removesuffix("0").removesuffix("Backward").lower()
        if name in kinds.STEPS:
            return name
        waiting += [following for following, _ in node.next_functions]
    return ""


def places(tape: Tape, target: Target) -> dict[str | None, int]:
    """The values that a target reads, by address."""
    return {at: find_output(tape) if at is None else find(tape, at) for at in target.addresses}


def _gradients(score: Tensor, leaves: dict[int, Tensor]) -> dict[int, Tensor]:
    """The gradient of the score by every value that it reads."""
    gradients = torch.autograd.grad(score.sum(), list(leaves.values()), allow_unused=True)
    return {i: g for i, g in zip(leaves, gradients, strict=True) if g is not None}


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
    id = part([(name, ref.id) for name, ref in entries(tape.output, Ref)], path)
    if not tape.values[id].tracked:
        raise TargetError(
            f'the part "{path}" of the output', "numbers that the input does not change, or whole numbers",
            "there is nothing to carry back", "Read another part: the scores it was made from.",
        )  # fmt: skip
    return id


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
    """In scripted and compiled code only modules with parameters of their own can be found."""
    ops = [op for op in tape.ops if op.module == path] or [op for op in tape.ops_by_index if op.module == path]  # folded ones
    if not ops:
        raise _ambiguous(path, [], sorted({op.module for op in tape.ops_by_index if op.module}))
    return ops[-1].out


def _ambiguous(address: str, matches: list[str], names: list[str]) -> WhereError:
    if matches:
        return WhereError(
            f"The value at {address}", f"{len(matches)} of them: {', '.join(matches[:4])}", "one is needed", "Name one of them."
        )
    near = ", ".join(nearest(address, list(dict.fromkeys(names)))) or "nothing"
    return WhereError(
        f"The value at {address}", "nothing of that name that ran", f"the nearest are {near}",
        "pl.record(model, x).show() lists all.",
    )  # fmt: skip


def _not_finite(tape: Tape) -> ModelError:
    """Names the first operation, or the first parameter, that holds NaN or infinity."""
    cause, do = "an output that is not finite", "Check weights and input scale."
    for op in tape.ops:
        constants = [value.tensor for value in (tape.values[ref.id] for ref in op.refs()) if not value.tracked]
        if any(t is not None and t.is_floating_point() and bool(torch.isnan(t).any()) for t in constants):
            cause, do = f"NaN in a weight of {op.place}", "Load weights without NaN."
            break
        output = tape.values[op.out].tensor if any(o is not None for o in op.outs) else None
        if output is not None and not bool(torch.isfinite(output).all()):
            cause = f"an output that is not finite: it starts at {op.place}"
            break
    return ModelError("An explanation", cause, "nothing can be computed from NaN or infinity", do)
