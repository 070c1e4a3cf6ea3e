"""The card of a model, the layers on it, and the verb that makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.catalogue.methods import as_method
from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.one_line import cut
from pellucid.errors import ModelError, ThreadLost
from pellucid.errors.printable import printable
from pellucid.explanation.method import Method
from pellucid.metrics.report.format import columns
from pellucid.model import Columns, Model, Preprocess, Text, load
from pellucid.model.final_activation import final_activations
from pellucid.model.readers.reader import describe
from pellucid.tape import Tape, record
from pellucid.tape.embedding import embed
from ..call import keeping_call
from .head import Head, head
from .rules import Planned, plan
from .verdicts import Verdict, verdicts

Rows = list[tuple[str, ...]]
Table = tuple[str, tuple[str, ...], Rows]  # a title, the heads of the columns, the rows
INSIDE = "(the model itself)"


@dataclass(frozen=True)
class Layer:
    """A module that ran, or an operation where there are no modules; its kind, output shape and number of parameters."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int | None


@dataclass(frozen=True)
class Card(Displayed):
    """What a model is, recorded on one input. `print(card)` shows it; `card.data()` is the same for programs.

    Arguments:
        name, source, fingerprint: Of the model.
        input: The shape of that input.
        preprocess: How pictures, texts, rows or series become the input, and who says so.
        labels: The names of the classes.
        parameters: How many parameters it has; None for a plain function.
        head: What comes out.
        notes: What was detected or assumed when it was loaded.
        layers: What ran.
        method, composite, rules: The rules of that method, by kind of operation.
        methods: Which methods work, and why others do not.
        provenance: What was asked.
    """

    kind: ClassVar[str] = "card"

    name: str
    source: str
    fingerprint: str | None
    input: tuple[int, ...]
    preprocess: Any
    labels: tuple[str, ...] | None
    parameters: int | None
    head: Head
    notes: tuple[str, ...]
    layers: tuple[Layer, ...]
    method: str
    composite: str
    rules: tuple[Planned, ...]
    methods: tuple[Verdict, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.html or .json), whole or not at all."""
        return save(self, path, "card", **options)

    def data(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        how = asdict(self.preprocess) if isinstance(self.preprocess, Preprocess) else None
        plain = how if how is not None or self.preprocess is None else str(self.preprocess)
        return asdict(replace(self, preprocess=None)) | {"output": self.head.shape, "preprocess": plain}

    def facts(self) -> list[tuple[str, str]]:
        """What is known of the model as a whole, line by line."""
        lines = [("model", f"{self.name} ({self.source})"), ("input", dimensions(self.input)), describe(self.preprocess)]
        score, classes = (self._row(), "none of a whole text") if self._per_token else (self.head.sentence(), self._classes())
        lines += [("output", dimensions(self.head.shape)), ("score", score), ("classes", classes)]
        lines += [] if self.parameters is None else [("parameters", f"{self.parameters:,}")]
        lines += [("sha256", self.fingerprint)] if self.fingerprint else []
        return lines + [("note", note) for note in self.notes]

    def tables(self, depth: int = 2) -> list[Table]:
        """The layers down to some depth, the rules, and the methods."""
        return [_layer_table(self, depth), _rule_table(self), *_method_tables(self)]

    @property
    def _per_token(self) -> bool:
        """Whether the output has a row for every token of a text."""
        return isinstance(self.preprocess, Text) and len(self.head.shape) == 3 and self.head.shape[1] == self.input[1]

    def _row(self) -> str:
        """What a target reads of such an output."""
        return (
            f"{self.head.shape[2]:,} numbers for every token: a target is a token (pl.token) of language models, how alike an "
            "embedding is to another one (pl.similarity), or a class at a position (pl.step)"
        )

    def _classes(self) -> str:
        count, labels = self.head.classes, self.labels
        if not count:
            return "none: one number per sample"
        if not labels:
            return f"{count}, without names (labels=, --labels)"
        wrong = "" if len(labels) == count else f", but {len(labels)} names"
        return f"{count}{wrong}: {', '.join(labels[:3])}{', ...' if len(labels) > 3 else ''}"

    def __str__(self) -> str:
        parts = ["\n".join(f"{name:<13}{fact}" for name, fact in self.facts())]
        parts += ["\n".join([title, *(columns(heads, rows) if rows else [])]) for title, heads, rows in self.tables()]
        return printable("\n\n".join(parts), lines=True)

    def __repr__(self) -> str:
        works = sum(verdict.works for verdict in self.methods)
        sizes = f"{dimensions(self.input)} to {dimensions(self.head.shape)}"
        return cut(f"Card({self.name}, {sizes}, {works} of {len(self.methods)} methods)")


@keeping_call
def inspect(model: Any, x: Any = None, *, method: str | Method = "lrp", shape: Sequence[int] | None = None) -> Card:
    """What a model is: input, preprocessing, score head, layers, the rules of relevance, and which methods can explain it.

    The model runs once, on `x` or on zeros. Whether a method works is judged by the operations that ran; no method is run.

    Arguments:
        model: A `Model`, or anything `load` takes.
        x: A picture, or a tensor as the model expects it.
        method: The method whose rules are shown.
        shape: Of the input, where neither `x` nor the model says it: (1, 3, 224, 224).

    Raises:
        ModelError: The shape of the input is not known, or the model is in training mode.

    Example:
        >>> card = inspect(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(1)).eval(), shape=(1, 4))
        >>> card.head.end, [verdict.works for verdict in card.methods if verdict.name == "gradcam"]
        ('probabilities', [False])
    """
    model = load(model)
    model.ready()
    chosen = as_method(method)
    x = example_input(model, x, shape)
    output = model(x)
    if x.is_floating_point():
        tape, reason = _record(model, x)
    else:  # texts are recorded from their embedding on
        text = embed(model, x[:1])
        tape, reason = _record(text.handle(), text.vectors)
    composite, rules = plan(chosen, tape)
    ending = final_activations(model.forward, x).get("")
    explained = tape if ending is None or tape is None or not x.is_floating_point() else _before(model, x)
    (whole, *_) = model.layers() or (None,)
    parameters = None if whole is None else whole.parameters
    notes = model.notes + ((f"It cannot be followed: {reason}.",) if reason else ())
    return Card(
        model.name, model.source, model.fingerprint, tuple(x.shape), model.preprocess, model.labels, parameters,
        head(output, tape, ending), notes, layers(model, tape), chosen.name, composite, rules,
        verdicts(explained, reason, text=not x.is_floating_point()),
    )  # fmt: skip


def example_input(model: Model, x: Any, shape: Sequence[int] | None) -> Tensor:
    """The input that the model runs on: x, or zeros of the shape that is known."""
    if isinstance(x, Tensor):
        return x.to(model.device)
    if x is not None:
        return model.read(x)
    if shape is None and model.image_preprocess is not None:
        shape = (1, len(model.image_preprocess.mean), *model.image_preprocess.size)
    if shape is None and isinstance(model.preprocess, Text):
        return model.read("A text of some words, to look at.")
    if shape is None and isinstance(model.preprocess, Columns):
        shape = (1, model.preprocess.width)
    if shape is None and model.shape is not None:
        shape = (1, *model.shape)
    if shape is None or min(shape) < 1:
        found = "a model that does not say" if shape is None else f"--shape {','.join(map(str, shape))}"
        why = "layers are recorded while they run on an input" if shape is None else "every axis holds at least one entry"
        raise ModelError(f"the input of {model.name}", found, why, "Say it: --shape 1,3,224,224 with the numbers of this model.")
    dtype = torch.long if isinstance(model.preprocess, Text) else model.dtype
    return torch.zeros(tuple(shape), dtype=dtype, device=model.device)


def layers(model: Model, tape: Tape | None) -> tuple[Layer, ...]:
    """The modules that ran, in the order they were defined; of a program without modules, its operations.

    Arguments:
        tape: What ran; None where it could not be followed, and then only the modules are known.
    """
    if tape is None:
        return tuple(Layer(name, kind, (), parameters) for name, kind, parameters in model.layers() if name)
    if not tape.transparent or not tape.returned:
        ops = [op for op in tape.ops if any(o is not None for o in op.outs)]
        return tuple(Layer(op.module or INSIDE, op.name, tape.values[op.out].shape, None) for op in ops)
    ran = {name: tape.values[ids[-1]].shape for name, ids in tape.returned.items()}
    return tuple(Layer(name, kind, ran[name], parameters) for name, kind, parameters in model.layers() if name and name in ran)


def _record(model: Model, x: Tensor) -> tuple[Tape | None, str]:
    """The operations that ran, or why they cannot be followed from the input to the output."""
    try:
        return record(model, x), ""
    except ThreadLost as error:
        return None, error.found.removeprefix("that ")


def _before(model: Model, x: Tensor) -> Tape | None:
    """What runs up to a softmax or sigmoid at the end: of that, methods are judged."""
    return _record(model.with_endings(final_activations(model.forward, x), scores=True, told=False), x)[0]


def dimensions(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _layer_table(card: Card, depth: int) -> Table:
    listed = [layer for layer in card.layers if layer.name.count(".") < depth]
    less = f", {len(listed)} of them down to --depth {depth}" if len(listed) < len(card.layers) else ""
    rows: Rows = []
    for layer in listed:
        count = "" if layer.parameters is None else f"{layer.parameters:,}"
        rows.append((layer.name, layer.kind, dimensions(layer.output) if layer.output else "", count))
    return f"Layers that ran: {len(card.layers)}{less}", ("layer", "kind", "output", "parameters"), rows


def _rule_table(card: Card) -> Table:
    heads = ("kind", "rule", "times", "first at")
    if not card.rules:
        return f"{card.method} has no rules: it takes derivatives or forward passes.", heads, []
    method = card.method if card.composite in ("", card.method) else f"{card.method}, which is {card.composite} here"
    rows: Rows = [(row.kind, row.rule, str(row.count), row.first) for row in card.rules]
    return f"Rules of {method}, by kind of operation", heads, rows


def _method_tables(card: Card) -> list[Table]:
    """The methods by family, those of one verdict in one row."""
    tables: list[Table] = []
    for works, title in ((True, "Methods that work"), (False, "Methods that do not")):
        grouped: dict[tuple[str, str], list[str]] = {}
        for verdict in (verdict for verdict in card.methods if verdict.works == works):
            grouped.setdefault((verdict.family, verdict.reason), []).append(verdict.name)
        rows: Rows = [(family, ", ".join(names), reason) for (family, reason), names in grouped.items()]
        if rows:
            heads = ("family", "methods", "remark" if works else "why")
            tables.append((f"{title}: {sum(map(len, grouped.values()))} of {len(card.methods)}", heads, rows))
    return tables
