"""Python source of a program: the lines of a function, with what they share written once."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from .tracer import NOTHING, Call, Line, Slot, Untraceable, mapped, slots

END = 1 << 60  # later than any call


class Departed(Exception):
    """A number that the lines go by says something new."""


@dataclass(eq=False)
class Source:
    """The source of lines that begin alike, and what it refers to.

    Calls of constants alone are made once and for all; what nothing reads is left out; tensors are let go after their last use.

    Arguments:
        lines: Those of one function, for inputs of the same form.
        used: The inputs that they read.
        text: The source of a function of these.
    """

    lines: Sequence[Line]
    used: tuple[int, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        written = frozenset[int]().union(*(line.written for line in self.lines))
        folded = [_folded(line, written) for line in self.lines]
        self._calls = [calls for calls, _ in folded]
        self._results = [result for _, result in folded]
        self._needed = [_needed(*one) for one in folded]
        self._last = [_last_uses(*one, needed) for one, needed in zip(folded, self._needed, strict=True)]
        given = self.lines[0].given
        self.used = tuple(sorted({slot for last in self._last for slot in last if slot < given}))
        self._names: dict[int, str] = {}  # id of a constant -> what it is called
        self._scope: dict[str, Any] = {"Departed": Departed}
        body = list(self._branch(list(range(len(self.lines))), 0, "    ", set(self.used)))
        self.text = "\n".join([f"def program({', '.join(f't{n}' for n in self.used)}):", *body])

    def function(self) -> Callable[..., Any]:
        """The function: from the inputs that are read to what the traced one would return.

        It raises `Departed` where no line holds.
        """
        scope = dict(self._scope)
        exec(compile(self.text, "<program>", "exec"), scope)
        return scope["program"]  # type: ignore[no-any-return]

    # -- writing ----------------------------------------------------------------------------------------------------------

    def _branch(self, group: list[int], at: int, indent: str, held: set[int]) -> Iterator[str]:
        """The source from one call on, of lines that are the same up to there."""
        yield from self._let_go(group, at - 1, indent, held)
        first = self._calls[group[0]]
        while at < len(first):
            call = first[at]
            needed = any(at in self._needed[n] for n in group)
            groups = self._by_answer(group, at)
            if needed and call.answer is NOTHING:
                yield indent + self._assignment(call)
                held.update(slot for slot in call.outs if slot is not None)
            elif needed and len(groups) == 1:
                yield f"{indent}if {self._call(call)} != {self._written(call.answer)}: raise Departed"
            elif needed:
                yield f"{indent}answer = {self._call(call)}"
                for members in groups:
                    yield f"{indent}if answer == {self._written(self._calls[members[0]][at].answer)}:"
                    yield from self._branch(members, at + 1, indent + " ", set(held))
                yield indent + "raise Departed"
                return
            yield from self._let_go(group, at, indent, held)
            at += 1
        (line,) = group
        yield f"{indent}return {self._written(self._results[line])}"

    def _by_answer(self, group: list[int], at: int) -> list[list[int]]:
        """The lines, those together that go on alike."""
        groups: list[list[int]] = []
        for n in group:
            call = self._calls[n][at] if at < len(self._calls[n]) else None
            for members in groups:
                other = self._calls[members[0]][at]
                if call is None or not _alike(call, other):
                    raise Untraceable("it does not do the same twice")
                if call.answer is NOTHING or call.answer == other.answer:
                    members.append(n)
                    break
            else:
                groups.append([n])
        return groups

    def _let_go(self, group: list[int], at: int, indent: str, held: set[int]) -> Iterator[str]:
        gone = sorted(slot for slot in held if max(self._last[n].get(slot, -1) for n in group) <= at)
        held.difference_update(gone)
        if gone:
            yield indent + " = ".join(f"t{slot}" for slot in gone) + " = None"

    def _assignment(self, call: Call) -> str:
        names = [f"t{slot}" if slot is not None else "_" for slot in call.outs]
        target = ", ".join(names) if call.single or len(names) > 1 else "".join(f"{name}," for name in names)
        return f"{target} = {self._call(call)}" if target else self._call(call)

    def _call(self, call: Call) -> str:
        arguments = [self._written(arg) for arg in call.args]
        arguments += [f"{name}={self._written(arg)}" for name, arg in call.kwargs.items()]
        return f"{self._name(call.fn, _spelling(call.fn))}({', '.join(arguments)})"

    def _written(self, value: Any) -> str:
        """A value as source: itself where it has a short spelling, else a name."""
        if isinstance(value, Slot):
            return f"t{value.number}"
        if value is None or type(value) in (bool, int, str) or (type(value) is float and isfinite(value)):
            return repr(value)
        if type(value) is list:
            return f"[{', '.join(map(self._written, value))}]"
        if type(value) is tuple:
            return f"({''.join(f'{self._written(item)}, ' for item in value)})"
        if type(value) is dict:
            return f"{{{', '.join(f'{self._written(key)}: {self._written(item)}' for key, item in value.items())}}}"
        return self._name(value, "constant" if isinstance(value, Tensor) else "setting")

    def _name(self, value: Any, spelling: str) -> str:
        name = self._names.get(id(value))
        if name is None:
            name = spelling
            while name in self._scope or keyword.iskeyword(name):
                name = f"{spelling}_{len(self._scope)}"
            self._names[id(value)], self._scope[name] = name, value
        return name


def _folded(line: Line, written: frozenset[int]) -> tuple[list[Call], Any]:
    """The calls and the result, with constants in place of what is made of constants alone."""
    constants: dict[int, Tensor] = {}

    def held(slot: Slot) -> Slot | Tensor:
        return constants.get(slot.number, slot)

    calls = []
    for call in line.calls:
        args, kwargs = mapped(call.args, Slot, held), mapped(call.kwargs, Slot, held)
        made = [slot for slot in call.outs if slot is not None]
        fixed = not any(True for _ in slots((args, kwargs))) and not call.writes and _says_all(call)
        if fixed and all(slot in line.constants and line.roots[slot] not in written for slot in made):
            constants.update({slot: line.constants[slot] for slot in made})
        call = replace(call, args=args, kwargs=kwargs)
        calls.append(call)
    return calls, mapped(line.result, Slot, held)


def _says_all(call: Call) -> bool:
    """Whether what a call returns goes by its arguments: not so for memory that is not filled."""
    return call.answer is not NOTHING or not _spelling(call.fn).startswith(("empty", "new_empty"))


def _needed(calls: Sequence[Call], result: Any) -> set[int]:
    """The calls that a result goes by: those it is made of, those that overwrite something, and those that decide."""
    wanted, needed = set(slots(result)), set()
    for at in reversed(range(len(calls))):
        call = calls[at]
        reads = set(call.reads)
        decides = call.answer is not NOTHING and bool(reads)
        if decides or call.writes or wanted.intersection(slot for slot in call.outs if slot is not None):
            needed.add(at)
            wanted |= reads
    return needed


def _last_uses(calls: Sequence[Call], result: Any, needed: set[int]) -> dict[int, int]:
    """When each slot is used for the last time."""
    last: dict[int, int] = {}
    for at in sorted(needed):
        last.update(dict.fromkeys((*(slot for slot in calls[at].outs if slot is not None), *calls[at].reads), at))
    return last | dict.fromkeys(slots(result), END)


def _alike(a: Call, b: Call) -> bool:
    """Whether two calls are the same, whatever they answer."""
    return a.fn is b.fn and a.outs == b.outs and _equal(a.args, b.args) and _equal(a.kwargs, b.kwargs)


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.device == b.device and a.shape == b.shape and bool(torch.equal(a, b))
    if type(a) is not type(b):
        return False
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if type(a) is dict:
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def _spelling(fn: Any) -> str:
    """A name for a function that Python reads: `add` of `aten.add.Tensor`."""
    packet = getattr(fn, "overloadpacket", fn)
    return str(getattr(packet, "__name__", "function")).replace("<", "").replace(">", "")
