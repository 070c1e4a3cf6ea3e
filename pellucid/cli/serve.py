"""`pellucid serve`: the page, on this machine."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from . import output
from .errors import debug_option
from .model_options import MODEL, ModelOptions, with_model_options

if TYPE_CHECKING:
    from pellucid.serve.settings import Settings
    from pellucid.serve.stores import Opened


@click.command()
@click.argument("stores", nargs=-1, type=click.Path(exists=True, file_okay=False), metavar="[STORE...]")
@MODEL
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen at.")
@click.option("--port", default=8470, show_default=True, type=click.IntRange(1, 65535), metavar="N", help="Or the next free one.")
@click.option("--name", "names", multiple=True, metavar="HOST:PORT", help="A further name of this server, behind a proxy.")
@click.option("--root", "roots", multiple=True, metavar="NAME=DIR", help="A folder of pictures that the page may show.")
@click.option("--profile", type=click.Choice(["full", "clinic"]), default="full", show_default=True, help="What the page shows.")
@click.option("--open/--no-open", "open_it", default=True, show_default=True, help="Open the page in the browser.")
@click.option("--token/--no-token", default=True, show_default=True, help="Ask for the token that stands in the address.")
@click.option("--check", "only_check", is_flag=True, help="Start, answer one question, stop.")
@with_model_options
@debug_option
def serve(
    stores: tuple[str, ...], model_options: ModelOptions, host: str, port: int, names: tuple[str, ...], roots: tuple[str, ...],
    profile: str, open_it: bool, token: bool, only_check: bool,
) -> None:  # fmt: skip
    """Explain pictures, texts, tables and sounds in a browser: drop one, see why, test it, look at what units stand for.

    STORES are folders of `pellucid audit` and `pellucid evaluate --store`: the page then also shows what was found, tests it, and
    keeps decisions in the store. Without --model their model is served.

    Everything stays on this machine. The page opens with a token in its address; without it nothing is answered.
    """
    from pellucid.serve import server
    from pellucid.serve.settings import Settings

    opened = [open_store(Path(store), trust=model_options.trust) for store in stores]
    served = model_of(model_options, opened)
    settings = Settings(
        served.load, served.model, host, port, names=names, roots=dict(map(root, roots)), profile=profile,  # type: ignore[arg-type]
        stores=tuple(one for one, _ in opened),
    )  # fmt: skip
    settings = settings if token else replace(settings, token=None)
    model_options.check()
    if only_check:
        said = server.check(settings)
        return output.echo(f"{said['name']}: the server started, loaded the model, answered and stopped.")
    server.serve(settings, lambda own: announce(own, open_it=open_it), lambda said: output.echo(f"{said['name']} is loaded."))


def open_store(store: Path, *, trust: bool) -> tuple[Opened, ModelOptions | None]:
    """A store, with where its inputs are and how its model is loaded; of one that was made in Python, the store alone.

    Raises:
        OutputError: it is no store, or its model runs code and is not trusted.
    """
    from pellucid.job.store import Store
    from pellucid.serve.stores import Opened
    from .audit import Question

    path = store.resolve()
    if not Store(path).run["origin"].get("typed"):
        return Opened(str(path)), None
    asked = Question.of(path, trust=trust)
    data, meta = (None if name is None else str(Path(name).resolve()) for name in (asked.pictures, asked.meta))
    return Opened(str(path), data, meta, asked.model.load), asked.model


def model_of(typed: ModelOptions, opened: Sequence[tuple[Opened, ModelOptions | None]]) -> ModelOptions:
    """The model that is served: the one that was typed, or else that of the first store that says which it is."""
    source = click.get_current_context().get_parameter_source("model")
    kept = [options for _, options in opened if options is not None]
    return kept[0] if kept and source is not ParameterSource.COMMANDLINE else typed


def root(text: str) -> tuple[str, str]:
    """Name and folder of NAME=DIR."""
    name, equals, folder = text.partition("=")
    if not equals or not name or not Path(folder).is_dir():
        raise click.BadParameter(f"{text!r} is not NAME=DIR with a folder that is there", param_hint="--root")
    return name, str(Path(folder).resolve())


def announce(settings: Settings, *, open_it: bool) -> None:
    """Print the address, and open it where a browser can be."""
    output.echo(f"The page: {settings.address}")
    output.echo("Ctrl-C stops it.")
    if open_it:
        webbrowser.open(settings.address)
