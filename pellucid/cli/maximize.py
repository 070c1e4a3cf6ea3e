"""`pellucid maximize`: the pictures that excite a class, channel or layer most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import output
from .completion import RECIPES
from .errors import debug_option, exit_if_incomplete
from .files import OPEN, OUT, Folder, format_option, open_first, slug
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import ProgressBar
from .settings import parse_settings

if TYPE_CHECKING:
    from pellucid.synth.maximized import Maximized
    from pellucid.synth.trust.trust import Trust


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--recipe", default="auto", show_default=True, shell_complete=RECIPES, metavar="NAME", help="One of `pellucid recipes`."
)
@click.option(
    "--with", "settings", multiple=True, metavar="NAME=VALUE",
    help="Change a setting of the recipe; `pellucid recipes NAME` lists them.",
)  # fmt: skip
@MODEL
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the random start.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Pictures per target.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Optimization steps.  [default: the recipe's]")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="Time limit.")
@click.option("--start", metavar="PICTURE", help="Start from this picture.")
@click.option("--data", metavar="DIR", help="Folder of pictures, to learn from and to show beside the results.")
@click.option("--prior", metavar="FILE", help="Generator written by `pellucid prior fit`, for recipes dgn_am and ppgn.")
@click.option("--beside", type=click.IntRange(0), metavar="N", help="Pictures of --data shown per target.  [default: 3]")
@click.option("--judge", is_flag=True, help="Measure how far each picture can be trusted.")
@click.option(
    "--other", "others", multiple=True, metavar="MODEL",
    help="Another model to score the pictures with: a name, or a file loaded as --model is; implies --judge.",
)  # fmt: skip
@OUT
@format_option("png,json", "png, json, safetensors, jpg, pdf")
@OPEN
@output.JSON
@with_model_options
@debug_option
def maximize(
    targets: Sequence[str], recipe: str, settings: Sequence[str], model_options: ModelOptions, prior: str | None, judge: bool,
    others: Sequence[str], out: str, formats: str, open_it: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Find pictures that excite a TARGET most: a class by name or index, a channel of a layer as LAYER:UNIT, or a whole LAYER.

    They stand on one sheet, named after targets and recipe (espresso.auto.png), with a JSON file of all settings. With
    --data, the real pictures that excite each target most are shown beside them.
    """
    progress = ProgressBar()
    with progress("starting"):
        from pellucid.catalogue.recipes import entry
        from pellucid.verbs.maximize import maximize as verb

        folder = Folder.of(out, formats, "maximized")
        name = ".".join(filter(None, [slug(" ".join(targets)), slug(recipe)]))
        folder.check([name], [options["start"]] if options["start"] else [])
        listed = entry(recipe)
        chosen = listed.make(**parse_settings(listed, settings))
        model, other_models = model_options.load(), [load_other(other, model_options) for other in others]
    with progress(", ".join(targets)):
        each = [int(target) if target.isdigit() else target for target in targets]
        p = verb(model, each, chosen, canvas=prior, **options)
    with progress("measuring trust"):
        trust = p.trust(other=other_models) if judge or others else None
        files = folder.write(p, name, (".png", ".json", ".jpg", ".pdf"), **({} if trust is None else {"trust": trust}))
    print_result(p, files, trust, as_json=as_json)
    if open_it:
        open_first(files)
    exit_if_incomplete(called_off=progress.called_off or p.called_off)


def load_other(other: str, model_options: ModelOptions) -> Any:
    """Another model: a built-in one, or a file loaded as the first is."""
    from pellucid.model import load

    return replace(model_options, model=other).load() if Path(other).exists() else load(other)


def print_result(p: Maximized, files: Sequence[Path], trust: Trust | None, *, as_json: bool) -> None:
    """The pictures and their scores, for a program or for a person."""
    if as_json:
        from pellucid.synth.maximized import document

        data = {name: part for name, part in document(p, trust).items() if name != "trace"}
        return output.print_json(output.by_format(files) | data)
    for index in range(len(p)):
        print_picture(p, index)
    output.print_text(*p.notes)
    if trust is not None:
        output.echo()
        output.print_table(*trust.columns())
        output.echo()
        output.print_text(*trust.words())
    output.print_files(files)


def print_picture(p: Maximized, index: int) -> None:
    """One picture's score, what the model takes it for, and the real pictures that excite its target most."""
    from pellucid.core.numbers import figure

    start = f"; the start picture: {figure(float(p.extras['given scores'][index]))}" if "given scores" in p.extras else ""
    seed = f", seed {p.seeds[index]}" if len(set(p.seeds)) > 1 else ""
    best = p.classes[index][:1] if p.classes else ()
    predicted = "".join(f"; the model predicts {label} ({share:.1%})" for _, label, share in best)
    output.echo(f"{p.headline(index)}{start}{seed}{predicted}")
    real = [f"{Path(str(example.name)).name} ({figure(example.value)})" for example in p.examples(index)]
    if real and p.targets[index] not in p.targets[:index]:
        output.echo(f"  highest among the real pictures: {', '.join(real)}")
