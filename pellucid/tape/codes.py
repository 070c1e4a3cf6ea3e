"""Codes in rows of real numbers: a model as a function of the other numbers and of what it looks up for the codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.core.intercept import InterceptMode
from pellucid.core.random import generator
from pellucid.errors import ThreadLost
from pellucid.model import Columns, Model
from pellucid.model.outputs import leaves
from .lookups import EmbeddingLookups, Lookup
from .op import Ref
from .recording.plain_kernels import plain_kernels
from .recording.record import record
from .walk import chain_rule, walk

_without: WeakKeyDictionary[Any, set[int]] = WeakKeyDictionary()  # widths of rows in which a network was seen to read no codes


@dataclass(frozen=True, eq=False)
class CodedRows:
    """A model that takes, beside its rows, what it looks up for the codes in them.

    A code is a number of which only a whole one is used, as the place of a category: no slope sees it, x[:, 0].long(). The rows
    of tables that are looked up for it are real numbers, and stand for it.

    Arguments:
        model: The model as it is.
        x: Rows, with shape (batch, width).
        codes: Which of the entries are codes, with shape (width,).
        rows: What is looked up for each entry, with shape (batch, width, entries); zeros for those that are no codes.
        lookups, tables: The look-ups, as `EmbeddingLookups` has them.
        held: What else is computed from codes, in words.

    Example:
        >>> kinds = torch.nn.Embedding(5, 2)
        >>> net = lambda x: kinds(x[:, 0].long()) * x[:, 1:]
        >>> coded = coded_rows(Model(net, "net", "callable"), torch.tensor([[3.0, 0.5]]))
        >>> coded.codes, torch.equal(coded.forward(coded.packed(coded.x)), net(coded.x))
        (tensor([ True, False]), True)
    """

    model: Model
    x: Tensor
    codes: Tensor
    rows: Tensor
    lookups: tuple[Lookup, ...]
    tables: tuple[bool, ...]
    held: tuple[str, ...] = ()

    def packed(self, x: Tensor) -> Tensor:
        """Rows with what is looked up for their codes behind them, with shape (batch, width * (1 + entries))."""
        if x is self.x:
            return torch.cat([x, self.rows.flatten(1).to(x)], 1)
        size = len(self.x) if isinstance(self.model.module, torch.fx.GraphModule) else len(x)  # exported for one size of batch
        filled = torch.cat([x, x[:1].expand(-len(x) % size, -1)])
        rows = torch.cat([_look_up(self.model, piece, self.codes)[0] for piece in torch.split(filled, size)])
        return torch.cat([x, rows[: len(x)].flatten(1).to(x)], 1)

    def forward(self, packed: Tensor) -> Any:
        """The model's output for rows, and for what stands in the place of that which it looks up."""
        width = self.x.shape[1]
        x, rows = packed[:, :width], packed[:, width:].reshape(len(packed), width, -1)
        lookups = EmbeddingLookups(x, rows, self.lookups, self.tables, followed=self.codes)
        with InterceptMode(lookups):
            output = self.model.forward(x)
        lookups.check()
        return output

    def handle(self) -> Model:
        """The same as a `Model`, for methods."""
        return replace(self.model, forward=self.forward, preprocess=None)


def coded_rows(model: Model, x: Tensor) -> CodedRows | None:
    """The model as a function of what it looks up for codes in its rows; None where it reads none."""
    if x.dim() != 2 or not x.is_floating_point():
        return None
    codes = _declared(model, x) | _undeclared(model, x)
    if not bool(codes.any()):
        return None
    rows, lookups, tables, held = _look_up(model, x, codes)
    return CodedRows(model, x, codes, rows, lookups, tables, held) if lookups else None


def _declared(model: Model, x: Tensor) -> Tensor:
    """Which entries are codes, as far as the model says what they mean."""
    columns = model.preprocess
    if not isinstance(columns, Columns) or columns.width != x.shape[1]:
        return torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
    return torch.tensor([column.code for column, span in columns.spans() for _ in range(span.stop - span.start)], device=x.device)


def _undeclared(model: Model, x: Tensor) -> Tensor:
    """Which entries are codes though nobody says so: whole numbers that are looked up, and that no slope sees."""
    none, whole = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device), (x == x.round()).all(0)
    if not bool(whole.any()) or x.shape[1] in _without.get(_key(model), ()):
        return none
    rows = _look_up(model, x, ~none)[0]
    looked_up = rows.ne(0).flatten(2).any(2).any(0) if rows.shape[2] else none
    unsloped = looked_up & ~_sloped(model, x) if bool(looked_up.any()) else none
    if not bool(unsloped.any()):
        _remember(model, x.shape[1])
    return unsloped & whole


@torch.no_grad()
def _look_up(model: Model, x: Tensor, followed: Tensor) -> tuple[Tensor, tuple[Lookup, ...], tuple[bool, ...], tuple[str, ...]]:
    copy = x.clone()
    lookups = EmbeddingLookups(copy, followed=followed)
    with plain_kernels(model.module), drawing_apart(model, x.device), InterceptMode(lookups):
        model.forward(copy)
    rows = torch.cat(lookups.rows, -1) if lookups.rows else x.new_zeros(*x.shape, 0)
    return rows, tuple(lookups.plan), tuple(lookups.tables), tuple(dict.fromkeys(lookups.held))


def _sloped(model: Model, x: Tensor) -> Tensor:
    """Which entries the output has a slope by."""
    try:
        tape = record(model, x)
    except ThreadLost:  # nothing but codes
        return torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
    ends = [ref.id for ref in leaves(tape.output, Ref) if tape.values[ref.id].tracked]
    draws = generator(0, 0)
    seeds = {i: torch.randn(tape.values[i].shape, generator=draws).to(tape.value(i)) for i in ends}
    gradient = walk(tape, seeds, chain_rule, ends=(tape.inputs[0],)).get(tape.inputs[0])
    return torch.zeros(x.shape[1], dtype=torch.bool, device=x.device) if gradient is None else gradient.ne(0).any(0)


def _remember(model: Model, width: int) -> None:
    try:
        _without.setdefault(_key(model), set()).add(width)
    except TypeError:  # what cannot be referred to weakly
        return


def _key(model: Model) -> Any:
    return model.forward if model.module is None else model.module
