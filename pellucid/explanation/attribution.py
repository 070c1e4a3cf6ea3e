"""Attribution: the raw result of a method. `Explanation` adds what describing, drawing and storing it need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pellucid.core.displayed import Displayed
from pellucid.core.one_line import one_line
from pellucid.target import Target
from .ledger import Ledger


@dataclass(frozen=True, eq=False)
class Attribution(Displayed):
    """The bare result of a method.

    Arguments:
        values: One number per entry of the input, or of the value asked for.
        score: The target per sample.
        target: The target, with all names and predictions settled.
        output: The model's main output.
        ledger: Where the relevance went, for methods that keep a ledger.
        notes: Sentences for the caption.
        method: What the method finally was, where it chose.
        options: Its settings, in readable lines, for provenance.
        error: The standard error of every value, for methods that sample; shaped like `values`.
        shared: Whether the channels of a place share one value, as where a place is removed with all its channels; then that
            value is the place's own, and not the sum over its channels.
        forwards: How many samples went through the network, those of backward passes once more.
        through: For each row of the values what relevance had to pass, in words; empty where there was no condition.
        warnings: Sentences on what may make the values wrong, such as samples that mix; facts are `notes`.
        lost: Sentences on branches that could not be followed, for methods that carry something back: warnings, or with
            strict=True an error.
    """

    kind: ClassVar[str] = "attribution"

    values: Tensor
    score: Tensor
    target: Target
    output: Tensor
    ledger: Ledger | None = None
    notes: tuple[str, ...] = ()
    method: str | None = None
    options: tuple[str, ...] = ()
    error: Tensor | None = None
    shared: bool = False
    forwards: int = 0
    through: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    __repr__ = one_line
