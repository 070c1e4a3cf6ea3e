"""`pellucid inspect`: what a model is, what runs in it, and which rule relevance takes where."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from ..errors import ModelError
from . import process, say
from .door import debuggable
from .source import Numbers, Source, check_computes, check_reads_pictures, takes_source
from .watch import Watch

if TYPE_CHECKING:
    from torch import Tensor

    from ..attribution import Method
    from ..model import Model
    from ..tape import Tape

NONE = "none: its derivative is taken, and booked"
INSIDE = "(the model itself)"


@dataclass(frozen=True)
class Layer:
    """A module that ran, or an operation where modules cannot be seen; its kind, what it made, and its parameters."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int | None


@dataclass(frozen=True)
class Plan:
    """Operations of one kind that get one rule."""

    kind: str
    rule: str
    count: int
    first: str


@click.command(short_help="What a model is, and which rules it gets.")
@click.argument("model", metavar="MODEL")
@click.argument("picture", required=False, metavar="[PICTURE]")
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="Whose rules are shown.")
@click.option("--shape", type=Numbers(int), metavar="N,C,H,W", help="Shape of the input, where the model does not say.")
@click.option("--depth", type=int, default=2, show_default=True, metavar="N", help="How deep the list of layers goes.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one line of JSON.")
@takes_source
@debuggable
def inspect(picture: str | None, method: str, shape: tuple[int, ...] | None, depth: int, as_json: bool, source: Source) -> None:
    """What a MODEL is: its input, classes and layers, and which rule relevance takes where.

    The layers are those that ran on PICTURE, or on an input of zeros. MODEL is a built-in model or a file.
    """
    process.settle()
    with Watch()("looking into the model"):
        from ..catalogue import method as named
        from ..tape import record

        chosen, model = named(method), source.open()
        model.ready()
        x = entry(model, picture, shape)
        check_computes(model, x)
        tape = record(model, x)
        found, (composite, rules) = layers(model, tape), plan(chosen, tape)
    if as_json:
        rows = {"layers": [asdict(layer) for layer in found], "rules": [asdict(row) for row in rules]}
        return say.document(facts(model, x, tape) | {"method": method, "composite": composite} | rows)
    for name, fact in card(facts(model, x, tape)):
        click.echo(f"{name:<13}{fact}")
    show_layers(found, depth)
    show_rules(method if composite in ("", method) else f"{method}, which is {composite} here", rules)


def entry(model: Model, picture: str | None, shape: tuple[int, ...] | None) -> Tensor:
    """The input to look at: the picture, or zeros of the shape that is known."""
    import torch

    if picture is not None:
        if not hasattr(model.preprocess, "read"):
            check_reads_pictures(model)
        return model.read(picture)
    if shape is None and model.pictured is not None:
        shape = (1, len(model.pictured.mean), *model.pictured.size)
    if shape is None and hasattr(model.preprocess, "width"):  # columns of a table
        shape = (1, model.preprocess.width)
    if shape is None or min(shape) < 1:
        found = "a model that does not say" if shape is None else f"--shape {','.join(map(str, shape))}"
        why = "layers are seen while they run on something" if shape is None else "every axis holds at least one entry"
        raise ModelError(f"the input of {model.name}", found, why, "Say it: --shape 1,3,224,224 with the numbers of this model.")
    return torch.zeros(shape, dtype=model.dtype, device=model.device)


def facts(model: Model, x: Tensor, tape: Tape) -> dict[str, Any]:
    """The model as plain data."""
    from ..tape.aim import find_output

    (whole, *_) = model.layers() or (None,)
    return {
        "name": model.name,
        "source": model.source,
        "fingerprint": model.fingerprint,
        "input": list(x.shape),
        "output": list(tape.values[find_output(tape)].shape),
        "preprocess": None if model.pictured is None else asdict(model.pictured),
        "labels": None if model.labels is None else list(model.labels),
        "parameters": None if whole is None else whole.parameters,
    }


def card(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of a model, line by line."""
    how, labels, output = told["preprocess"], told["labels"], told["output"]
    lines = [("model", f"{told['name']} ({told['source']})"), ("input", across(told["input"])), ("pictures", pictures(how))]
    lines += [("output", across(output)), ("classes", classes(output[1] if len(output) > 1 else 0, labels))]
    lines += [] if told["parameters"] is None else [("parameters", f"{told['parameters']:,}")]
    lines += [("sha256", told["fingerprint"])] if told["fingerprint"] else []
    return lines


def classes(count: int, labels: list[str] | None) -> str:
    """How many classes there are, and what the first are called."""
    if not count:
        return "none: one number per sample"
    if not labels:
        return f"{count}, without names (--labels)"
    wrong = "" if len(labels) == count else f", but {len(labels)} names"
    return f"{count}{wrong}: {', '.join(labels[:3])}{', ...' if len(labels) > 3 else ''}"


def pictures(how: dict[str, Any] | None) -> str:
    """What happens to a picture, and who says so."""
    if how is None:
        return "not known how they become the input (--size, --resize, --mean, --std)"
    resize = f"short side to {how['resize']}, " if how["resize"] else "resized to cover, "
    mean, std = (", ".join(f"{value:.4g}" for value in how[name]) for name in ("mean", "std"))
    return f"{resize}{how['interpolation']}, centre {across(how['size'])}, minus {mean}, over {std} (from: {how['source']})"


def layers(model: Model, tape: Tape) -> list[Layer]:
    """The modules that ran, in the order they were defined; of a program without modules, its operations."""
    if not tape.transparent or not tape.returned:
        ops = [op for op in tape.ops if any(o is not None for o in op.outs)]
        return [Layer(op.module or INSIDE, op.name, tape.values[op.out].shape, None) for op in ops]
    ran = {name: tape.values[ids[-1]].shape for name, ids in tape.returned.items()}
    return [Layer(name, kind, ran[name], parameters) for name, kind, parameters in model.layers() if name and name in ran]


def plan(method: Method, tape: Tape) -> tuple[str, list[Plan]]:
    """The composite, and which rule each kind of operation on the path to the output gets; nothing for methods without."""
    from ..tape import path, rewrite
    from ..tape.aim import find_output

    choose = getattr(method, "choose", None)  # composites have it; the door knows no family of methods
    if choose is None:
        return "", []
    told = rewrite(tape)
    ops = path(told, (find_output(told),))
    composite = choose(told, ops)
    rules = composite.plan(ops)
    grouped = [(op.kind, str(rules[op.index]) if op.index in rules else NONE) for op in ops]
    first = {pair: op.place for op, pair in zip(reversed(ops), reversed(grouped), strict=True)}
    return composite.name, [Plan(*pair, count, first[pair]) for pair, count in Counter(grouped).items()]


def show_layers(found: list[Layer], depth: int) -> None:
    shown = [layer for layer in found if layer.name.count(".") < depth]
    less = f", {len(shown)} of them down to --depth {depth}" if len(shown) < len(found) else ""
    click.echo(f"\nLayers that ran: {len(found)}{less}")
    counts = ["" if layer.parameters is None else f"{layer.parameters:,}" for layer in shown]
    rows = [(layer.name, layer.kind, across(layer.output), count) for layer, count in zip(shown, counts, strict=True)]
    say.table(("layer", "kind", "output", "parameters"), rows)


def show_rules(method: str, rules: list[Plan]) -> None:
    if not rules:
        click.echo(f"\n{method} follows derivatives and has no rules.")
        return
    click.echo(f"\nRules of {method}, by kind of operation")
    say.table(("kind", "rule", "times", "first at"), [(row.kind, row.rule, str(row.count), row.first) for row in rules])


def across(shape: list[int] | tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
