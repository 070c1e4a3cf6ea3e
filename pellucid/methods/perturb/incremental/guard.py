"""The guard of incremental inference: it refuses networks for which recomputing a window only would not be exact."""

from __future__ import annotations

from torch import Tensor

from pellucid.errors import ModelError
from pellucid.tape import Op, Tape, kinds

# Constants whose entries do not depend on those of the tensor they are made like.
SHAPED = frozenset(
    "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty new_empty_strided empty_strided".split()
)
ORDERING = frozenset("topk sort kthvalue median max_unpool2d max_unpool3d".split())


def guard(tape: Tape, start: int) -> None:
    """Refuse a network in which something that the tape takes for fixed depends on the value `start`.

    Comparisons, positions of maxima and branches of the program are constants on a tape. For another picture they may be others.

    Raises:
        ModelError: there is such an operation, or one that draws random numbers.
    """
    changed = {start}
    positions: list[Tensor] = []
    for op in tape.ops_by_index:
        if not changed.intersection(ref.id for ref in op.refs()):
            continue
        if op.name in kinds.STOCHASTIC | {"rrelu_with_noise"} and not (op.name == "native_dropout" and not op.args[2]):
            raise _unpredictable(op, "draws random numbers")
        reads_positions = any(tape.values[ref.id].tensor is tensor for ref in op.refs() for tensor in positions)
        if (op.kind == "constant" and op.name not in SHAPED) or op.name in ORDERING or reads_positions:
            raise _unpredictable(op, "branches on its values")
        changed.update(o for o in op.outs if o is not None)
        positions.extend(tensor for tensor in op.aux if tensor is not None)


def mixed_samples(op: Op) -> ModelError:
    """The error where the tape cannot keep samples apart."""
    return ModelError(
        "Incremental inference", f"{op.place}, where samples are mixed", "each window needs an output of its own",
        "Run the whole network.",
    )  # fmt: skip


def reads_batch() -> ModelError:
    """The error where the program itself looks at numbers, so that the tape does not show what they decide."""
    return ModelError(
        "Incremental inference", "a network that goes by all that is in its batch, or by numbers it reads",
        "the tape of one picture does not say what happens for another", "Run the whole network.",
    )  # fmt: skip


def _unpredictable(op: Op, does: str) -> ModelError:
    return ModelError(
        "Incremental inference", f"{op.place}, which {does}", "the tape of one picture does not say what happens for another",
        "Run the whole network.",
    )  # fmt: skip
