"""`pellucid maximize`: what a network looks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from pellucid.errors import OutputError
from . import allocator, output
from .errors import INTERRUPTED, debuggable
from .explain import suffixes
from .files import Folder, slug
from .model_options import BUILT_IN, Source, takes_source
from .progress import Watch
from .settings import read

if TYPE_CHECKING:
    from pellucid import Maximized
    from pellucid.synth.trust.trust import Trust


@click.command(short_help="What the network looks for.")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--recipe", default="auto", show_default=True, metavar="NAME", help="One of `pellucid recipes`.")
@click.option("--with", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the recipe: set=2, k=4.")
@click.option("--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="A built-in model, or a file.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Where it begins.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Pictures per target.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="How many.  [default: what the recipe says]")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="When to stop at the latest.")
@click.option("--start", metavar="PICTURE", help="A picture to begin with.")
@click.option("--data", metavar="DIR", help="Pictures of yours, to learn from and to show beside those made.")
@click.option("--prior", metavar="FILE", help="What `pellucid prior fit` wrote, for recipes dgn_am and ppgn.")
@click.option("--beside", type=click.IntRange(0), metavar="N", help="How many of them are shown per target.  [default: 3]")
@click.option("--judge", is_flag=True, help="Say how far to trust each picture, in numbers.")
@click.option(
    "--other",
    "others",
    multiple=True,
    metavar="MODEL",
    help="A second model to ask as well: a name, or a file opened as --model is; implies --judge.",
)
@click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")
@click.option("--format", "formats", default="png,json", show_default=True, metavar="LIST", help="Also safetensors.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, and nothing else.")
@takes_source
@debuggable
def maximize(
    targets: Sequence[str],
    recipe: str,
    settings: Sequence[str],
    source: Source,
    seed: int,
    seeds: int,
    steps: int | None,
    minutes: float | None,
    start: str | None,
    data: str | None,
    prior: str | None,
    beside: int | None,
    judge: bool,
    others: Sequence[str],
    out: str,
    formats: str,
    as_json: bool,
) -> None:
    """Pictures that a TARGET scores high: a class by name or index, a channel of a layer as LAYER:UNIT, or a LAYER as a whole.

    They stand on one sheet, named after targets and recipe (espresso.auto.png), beside a file that says how to make them again.
    With --data the real pictures that each target answers to most stand beside them.
    """
    watch = Watch()
    allocator.settle()
    with watch("starting"):
        from pellucid.catalogue.recipes import entry
        from pellucid.core.formats import FORMATS
        from pellucid.verbs.maximize import maximize as climb

        folder, name = (
            Folder(Path(out), suffixes(formats, FORMATS["maximized"])),
            ".".join(filter(None, [slug(" ".join(targets)), slug(recipe)])),
        )
        folder.check([name], [start] if start else [])
        listed = entry(recipe)
        chosen = listed.make(**read(recipe, listed.settings(), settings, listed.kinds()))
        model, second = source.open(), [opened(other, source) for other in others]
    with watch(", ".join(targets)):
        asked = [int(target) if target.isdigit() else target for target in targets]
        p = climb(
            model, asked, chosen, seed=seed, seeds=seeds, steps=steps, minutes=minutes, start=start, data=data,
            beside=beside, canvas=prior,
        )  # fmt: skip
    with watch("judging"):
        verdict = p.trust(other=second) if judge or others else None
        files = written(p, folder, name, verdict)
    report(p, files, verdict, as_json=as_json)
    if watch.called_off or p.called_off:
        raise Exit(INTERRUPTED)


def opened(other: str, source: Source) -> Any:
    """A second model: a built-in one, or a file opened as the first is."""
    from pellucid.model import load

    return replace(source, model=other).open() if Path(other).exists() else load(other)


def written(p: Maximized, folder: Folder, name: str, verdict: Trust | None) -> list[Path]:
    """The result in every format, each file whole or not at all."""
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = error.strerror or str(error)
        raise OutputError(f"--out {folder.path}", found, "the folder cannot be made", "Name another one.") from None
    told: dict[str, Any] = {} if verdict is None else {"trust": verdict}
    return [p.save(file, **(told if file.suffix != ".safetensors" else {})) for file in folder.files(name)]


def report(p: Maximized, files: Sequence[Path], verdict: Trust | None, *, as_json: bool) -> None:
    """What was found, for a program or for a person."""
    if as_json:
        from pellucid.verbs.maximize import document

        told = {name: part for name, part in document(p, verdict).items() if name != "trace"}
        return output.document({"files": {file.suffix.lstrip("."): str(file) for file in files}} | told)
    from pellucid.core.numbers import figure

    for index in range(len(p)):
        said = "".join(
            f"; the network says {label} ({share:.1%})" for _, label, share in (p.classes[index][:1] if p.classes else ())
        )
        seed = f", seed {p.seeds[index]}" if len(set(p.seeds)) > 1 else ""
        given = f"; the picture given: {figure(float(p.extras['given scores'][index]))}" if "given scores" in p.extras else ""
        click.echo(f"{p.headline(index)}{given}{seed}{said}")
        real = [f"{Path(str(shown.name)).name} ({figure(shown.value)})" for shown in p.examples(index)]
        if real and p.targets[index] not in p.targets[:index]:
            click.echo(f"  of the real pictures most: {', '.join(real)}")
    for note in p.notes:
        click.echo(note)
    if verdict is not None:
        click.echo()
        output.table(*verdict.columns())
        click.echo()
        for words in verdict.words():
            click.echo(words)
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")
