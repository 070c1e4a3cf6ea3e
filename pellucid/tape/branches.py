"""Branches: which ways lead from a score back to the input, and where one ends because nothing can be carried on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pellucid.errors import ThreadLost
from . import kinds
from .local import LocalOp, lacks_derivative
from .op import Op, Tape

STOPPED = frozenset({"detach", "detach_copy"})
MOVES = frozenset({"route", "scale", "shift"})  # after these a value is still the same, moved or rescaled
CHOICES = frozenset(
    """index index_select gather take scatter index_put index_add index_copy scatter_add embedding masked_fill where
    masked_select masked_scatter index_fill max_unpool2d max_unpool3d _unsafe_index scatter_reduce""".split()
)


def check_branches(tape: Tape, starts: Iterable[int], end: int, *, slopes: bool) -> tuple[str, ...]:
    """What of the way from `starts` back to the value `end` cannot be followed, in sentences; nothing in nearly all networks.

    Masks, and places found by a comparison or a maximum, are no branches: what they choose is followed.

    Arguments:
        starts: The values that the score reads.
        slopes: Whether derivatives are carried, which end at `detach` and at steps such as `round`; else relevance, or
            differences between two passes, which go through both.

    Raises:
        ThreadLost: there is no way at all, where some operation descends from `end`: the map would be zero everywhere.
    """
    ends = [op for op in tape.ops_by_index if _ends(tape, op, slopes)]
    if not ends and not tape.numbers and not any(value.lost_at is not None for value in tape.values):
        return ()
    ways = Ways.between(tape, set(starts), end, {op.index for op in ends})
    if end not in ways.starts and not ways.arrives:
        raise _nothing_left([*ways.stopped, *ends], slopes)
    return tuple(ways.sentences(slopes))


def _ends(tape: Tape, op: Op, slopes: bool) -> bool:
    """Whether nothing can be carried through an operation."""
    if slopes and (op.name in kinds.STEPS or op.name in STOPPED or op.kwargs.get("rounding_mode") is not None):
        return bool(op.ins)
    return op.kind == "unknown" and bool(op.ins) and any(o is not None for o in op.outs) and not differentiable(tape, op)


def differentiable(tape: Tape, op: Op) -> bool:
    """Whether PyTorch knows a derivative of an operation that has no rule; asked once of each."""
    function = getattr(op.fn, "fn", op.fn)
    if function not in _DIFFERENTIABLE:
        _DIFFERENTIABLE[function] = _has_graph(LocalOp(tape, op))
    return _DIFFERENTIABLE[function]


_DIFFERENTIABLE: dict[Callable[..., Any], bool] = {}


def _has_graph(op: LocalOp) -> bool:
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [x.detach().clone().requires_grad_() for x in op.xs]
        made = [m for m in op.run(leaves) if m.requires_grad]
    try:
        slopes = torch.autograd.grad(made, leaves, [torch.ones_like(m) for m in made], allow_unused=True) if made else ()
    except (RuntimeError, NotImplementedError) as error:
        return not lacks_derivative(error)
    return any(slope is not None for slope in slopes)


@dataclass(frozen=True, eq=False)
class Ways:
    """The operations that lie between some values and another one.

    Arguments:
        tape: The pass.
        starts: The values that the way back starts from.
        used: The operations that it reaches.
        stopped: The operations it ends at, though more of it lies before them.
        arrives: Whether any of it reaches the value wanted.
        depends: The values that descend from the value wanted, in any way.
    """

    tape: Tape
    starts: set[int]
    used: tuple[Op, ...]
    stopped: tuple[Op, ...]
    arrives: bool
    depends: set[int]

    @staticmethod
    def between(tape: Tape, starts: set[int], end: int, ends: set[int]) -> Ways:
        """Walk forward from `end`, to know what depends on it, and back from `starts`, up to the operations `ends`."""
        depends, reached, used, stopped = {end}, set(starts), [], []
        for op in tape.ops_by_index:
            if depends.intersection(op.ins):
                depends.update(o for o in op.outs if o is not None)
        for op in reversed(tape.ops_by_index):
            if not reached.intersection(o for o in op.outs if o is not None) or end in op.outs:
                continue
            if op.index in ends:
                if depends.intersection(op.ins):
                    stopped.append(op)
            else:
                used.append(op)
                reached.update(op.ins)
        return Ways(tape, starts, tuple(used), tuple(stopped), end in reached, depends)

    def sentences(self, slopes: bool) -> Iterator[str]:
        """What is missing from the map."""
        readers: dict[int, list[Op]] = defaultdict(list)
        for op in self.used:
            for i in op.ins:
                readers[i].append(op)
        lost = [op for op in self.stopped if op.kind == "unknown" or not self._only_beside(op, readers)]
        for name, module in dict.fromkeys((op.name, op.module) for op in lost):
            yield _sentence(name, module, slopes)
        cut = {self.tape.ops_by_index[i] for op in self.used for i in self._lost(op)}
        for name, module in dict.fromkeys((op.name, op.module) for op in sorted(cut, key=lambda op: op.index)):
            yield (
                f"A branch was lost at {_place(name, module)}, which makes something of the input that has no derivative: "
                "what flows through it is missing from the map."
            )
        for place in self.tape.numbers:
            yield (
                f"Values left PyTorch as numbers ({place}): if the model computes with them, what flows through them is missing "
                "from the map."
            )

    def _lost(self, op: Op) -> list[int]:
        """The operations at which the thread of constants that `op` reads was lost."""
        constants = [self.tape.values[ref.id] for ref in op.refs()]
        found = []
        for value in constants:
            if value.lost_at is None or not self.depends.intersection(self.tape.ops_by_index[value.lost_at].ins):
                continue
            whole = value.tensor is not None and not value.tensor.is_floating_point()
            if not (whole and op.name in CHOICES):  # an index chooses
                found.append(value.lost_at)
        return found

    def _only_beside(self, op: Op, readers: dict[int, list[Op]]) -> bool:
        return all(self._beside(o, op, readers) for o in op.outs if o is not None)

    def _beside(self, value: int, stopped: Op, readers: dict[int, list[Op]]) -> bool:
        """Whether a value that nothing is carried through only goes with others that are: as their factor, or added to what it
        was made of, as in x + (round(x) - x).detach().
        """
        if value in self.starts or not readers[value]:
            return value not in self.starts
        return all(self._goes_with(value, op, stopped, readers) for op in readers[value])

    def _goes_with(self, value: int, op: Op, stopped: Op, readers: dict[int, list[Op]]) -> bool:
        others = [i for i in op.ins if i != value and i in self.depends]
        if others and op.name in kinds.PRODUCTS:
            return True
        if others and op.name in kinds.SUMS:
            return any(i in _ancestors(self.tape, stopped) for i in others)
        if op.kind in MOVES and not others:
            return all(self._beside(o, stopped, readers) for o in op.outs if o is not None)
        return False


def _ancestors(tape: Tape, op: Op) -> set[int]:
    """All values that an operation was made from."""
    found = set(op.ins)
    for earlier in reversed(tape.ops_by_index[: op.index]):
        if found.intersection(o for o in earlier.outs if o is not None):
            found.update(earlier.ins)
    return found


def _sentence(name: str, module: str, slopes: bool) -> str:
    why = "stops it" if name in STOPPED else "has the derivative zero" if name in kinds.STEPS or name == "div" else "has none"
    what = "derivative" if why == "has none" else "gradient" if slopes else "relevance"
    return (
        f"A branch was lost: no {what} goes back through {_place(name, module)}, which {why}; what flows through it is missing "
        "from the map."
    )


def _place(name: str, module: str) -> str:
    return f"{name} in {module}" if module else name


def _nothing_left(stopped: Sequence[Op], slopes: bool) -> ThreadLost:
    at = stopped[0].place if stopped else "what reads it"
    what = "derivative" if slopes else "rule or derivative"
    more = (
        '; or one that goes through steps, "lrp". A straight-through estimator is followed where it is written '
        "x + (q(x) - x).detach()."
    )
    return ThreadLost(
        "An explanation by what is carried back",
        f"no way with a {what} from the score to what is explained: each ends, first at {at}",
        "the map would be zero everywhere, whatever the model does",
        f'Take a method that only runs the model, such as "occlusion" or "shapley"{more if slopes else "."}',
    )  # fmt: skip
