"""`pellucid methods`, `metrics`, `recipes` and `models`: what there is to choose from, as the catalogue has it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pellucid.errors import MethodError
from . import output
from .completion import METHODS, RECIPES
from .errors import debug_option

if TYPE_CHECKING:
    from pellucid.catalogue import Entry

METHOD = ("name", "family", "signed", "summary", "paper", "year", "doi")
METRIC = ("name", "family", "better", "needs", "summary", "paper", "year", "doi")
RECIPE = ("name", "summary", "paper", "year", "doi", "data")
SOURCES = (
    ("FILE", "weights in .safetensors or .pth with --builder; ONNX; Keras; with --trust TorchScript, .pt2, pickled modules"),
    ("FOLDER", "a Hugging Face model: config.json and weights (extra: hub)"),
    ("timm:NAME", "a timm architecture; NAME@FILE: with the weights in FILE, NAME?random: with random weights (extra: hub)"),
    ("torchvision:NAME", "a torchvision model; @ and ? as above, or @ the name of its weights (extra: hub)"),
    ("hf:PATH", "a folder, or the name of a model on the Hugging Face hub (extra: hub)"),
    ("gguf:FILE", "a language model with its tokenizer, as llama.cpp has them (extra: gguf)"),
)


@click.command()
@click.argument("name", required=False, shell_complete=METHODS, metavar="[NAME]")
@click.option("--family", metavar="NAME", help="Only the methods of one family: lrp, gradient, cam, perturb, ...")
@output.JSON
@debug_option
def methods(name: str | None, family: str | None, as_json: bool) -> None:
    """List the explanation methods by family: what each claims, and the paper it is from. Of one NAME, also the settings.

    A signed method distinguishes evidence for a class from evidence against it; an unsigned one gives magnitudes only.
    `pellucid explain PICTURE --method NAME --with SETTING=VALUE` changes a setting.
    """
    if name is not None:
        if family is not None:
            raise click.UsageError("A method and --family: name one of them")
        from pellucid.catalogue.methods import entry

        return print_settings(entry(name), METHOD, as_json)
    entries = by_family(family)
    if as_json:
        output.print_entries(entries, METHOD)
    elif sys.stdout.isatty():
        print_families(entries)
    else:
        heads = ("method", "family", "signed", "what it claims", "paper", "doi")
        output.print_table(heads, [(e.name, e.family, sign(e), e.summary, f"{e.paper} {e.year}", e.doi) for e in entries])


def by_family(family: str | None) -> list[Entry]:
    """The methods with the members of a family together, in the catalogue's order otherwise; or one family of them."""
    from pellucid.catalogue.methods import methods

    entries = list(methods())
    families = list(dict.fromkeys(entry.family for entry in entries))
    if family is not None and family not in families:
        found, do = f"{len(families)} families, none of that name", f"Choose among {', '.join(families)}."
        raise MethodError(f"--family {family}", found, "only those can be listed", do)
    return [entry for name in families if family in (None, name) for entry in entries if entry.family == name]


def print_families(entries: Sequence[Entry]) -> None:
    """A table per family, in three columns: more fit few terminals."""
    for family in dict.fromkeys(entry.family for entry in entries):
        members = [entry for entry in entries if entry.family == family]
        output.echo(f"{family} ({len(members)})", bold=True)
        output.print_table(("", "", ""), [(f"  {e.name}", sign(e), f"{e.summary}\n{source(e)}") for e in members])
        output.echo()


def sign(entry: Entry) -> str:
    return "signed" if entry.signed else "unsigned"


def source(entry: Entry) -> str:
    return f"{entry.paper} {entry.year}{f', {entry.doi}' if entry.doi else ''}"


@click.command()
@output.JSON
@debug_option
def metrics(as_json: bool) -> None:
    """List the metrics of `pellucid evaluate`: what each asks, which values are better, and the paper it is from.

    Some need only the map, some a mask of where the evidence is known to be, some the model, some the explanation method.
    """
    from pellucid.catalogue.metrics import metrics

    if as_json:
        return output.print_entries(metrics(), METRIC)
    heads = ("metric", "family", "better", "needs", "what it asks", "paper", "doi")
    rows = [(e.name, e.family, e.better, e.needs, e.summary, f"{e.paper} {e.year}", e.doi) for e in metrics()]
    output.print_table(heads, rows)


@click.command()
@click.argument("name", required=False, shell_complete=RECIPES, metavar="[NAME]")
@output.JSON
@debug_option
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes of `pellucid maximize`: what each does, and the paper it is from. Of one NAME, also the settings.

    `pellucid maximize TARGET --recipe NAME --with SETTING=VALUE` changes a setting.
    """
    from pellucid.catalogue.recipes import entry, recipes

    if name is not None:
        print_settings(entry(name), RECIPE, as_json)
    elif as_json:
        output.print_entries(recipes(), RECIPE)
    elif sys.stdout.isatty():
        output.print_table(("", ""), [(e.name, f"{e.summary}\n{source(e)}") for e in recipes()])
    else:
        rows = [(e.name, e.summary, f"{e.paper} {e.year}", e.doi) for e in recipes()]
        output.print_table(("recipe", "what it does", "paper", "doi"), rows)


def print_settings(entry: Entry, columns: Sequence[str], as_json: bool) -> None:
    """One method or recipe and its settings, each with its default and its meaning."""
    from pellucid.catalogue.settings import settings

    known = settings(entry).values()
    if as_json:
        listed = {one.name: {"default": one.default, "type": one.expected, "meaning": one.meaning} for one in known}
        return output.print_json({column: getattr(entry, column) for column in columns} | {"settings": listed})
    output.echo(f"{entry.name}: {entry.summary} ({source(entry)})")
    if known:
        heads = ("setting", "default", "is", "what it means")
        output.print_table(heads, [(one.name, typed(one.default), one.expected, one.meaning) for one in known])
    else:
        output.echo("It has no settings.")


def typed(value: object) -> str:
    """A value as it is typed after --with.

    Example:
        >>> typed((0.1, 0.2)), typed(True), typed(None)
        ('0.1,0.2', 'yes', 'none')
    """
    if isinstance(value, tuple):
        return ",".join(map(typed, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "none" if value is None else str(value)


@click.command()
@output.JSON
@debug_option
def models(as_json: bool) -> None:
    """List the built-in models, and what else can be named as MODEL."""
    from pellucid.zoo import MODELS

    if as_json:
        for name, summary in MODELS.items():
            output.print_json({"name": name, "summary": summary})
    else:
        output.print_table(("model", "what it is"), [*MODELS.items(), *SOURCES])
