"""The program of a function: its lines so far, by the form of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from .source import Departed, Source
from .tracer import Line, Untraceable, trace

MOST = 16  # lines of one function for inputs of one form; after these, its own code runs where none of them holds


class _NoLine:
    """No line holds."""


NO_LINE = _NoLine()


def whole_form(t: Tensor) -> Any:
    """Shape, order in memory, type and device."""
    return t.shape, t.stride(), t.dtype, t.device


class Program:
    """The lines of one function of tensors.

    Where none holds, the function itself runs and is traced: that line comes to the others. A line gives the very bits that the
    function gives, since the same operations run in the same order on the same numbers.

    Arguments:
        forms: How many of the inputs, the first ones, may differ in form from call to call.
        form: What the form of a tensor is: all of it, unless less of it can differ.

    Example:
        >>> program, double = Program(), lambda x: {"twice": x + x, "many": bool((x > 0).all())}
        >>> one, two = torch.tensor([1.0]), torch.tensor([2.0])
        >>> program.traced(lambda: double(one), [one]), program.run([two])
        ({'twice': tensor([2.]), 'many': True}, {'twice': tensor([4.]), 'many': True})
        >>> program.run([-one]) is NO_LINE
        True
    """

    def __init__(self, forms: int = 1, form: Callable[[Tensor], Any] = whole_form) -> None:
        self.forms, self.form = forms, form
        self.refused = ""  # why the function is no straight line
        self._variants: dict[Any, _Variant] = {}
        self._lock = Lock()

    def run(self, inputs: Sequence[Tensor | None] | Callable[[int], Tensor | None]) -> Any:
        """What the function returns for these inputs, or `NO_LINE` where that is not known.

        Arguments:
            inputs: As they were traced; or from the place of an input to it, where not all of them are read.
        """
        read = inputs if callable(inputs) else inputs.__getitem__
        variant = self._variants.get(self._form(read))
        return NO_LINE if variant is None else variant.run(read)

    def traced(self, function: Callable[[], Any], inputs: Sequence[Tensor | None]) -> Any:
        """What the function returns, written down for the next time.

        Raises:
            Untraceable: it is no straight line, or has too many of them; the function has then to run by itself.
        """
        form = self._form(inputs.__getitem__)
        if self.refused:
            raise Untraceable(self.refused)
        if form in self._variants and len(self._variants[form].lines) >= MOST:
            raise Untraceable("it goes another way nearly every time")
        try:
            returned, line = trace(function, inputs)
            with self._lock:
                lines = self._variants[form].lines if form in self._variants else ()
                self._variants[form] = _Variant((*lines, line))
        except Untraceable as error:
            self.refused = str(error)
            self._variants.clear()
            raise
        return returned

    @property
    def source(self) -> str:
        """The program in Python, for reading."""
        return "\n\n".join(variant.source.text for variant in self._variants.values())

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return sum(len(variant.lines) for variant in self._variants.values())

    def _form(self, read: Callable[[int], Tensor | None]) -> Any:
        given = [read(n) for n in range(self.forms)]
        return tuple([None if t is None else self.form(t) for t in given])


class _Variant:
    """The lines for inputs of one form."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.lines, self.source = lines, Source(lines)
        self._function = self.source.function()

    def run(self, read: Callable[[int], Tensor | None]) -> Any:
        given = [read(n) for n in self.source.used]
        try:
            with torch._C._AutoDispatchBelowAutograd():  # as what was traced
                return self._function(*given)
        except Departed:
            return NO_LINE
