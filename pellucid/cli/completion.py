"""What a shell completes: names of methods, metrics, recipes and models, none of which waits for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os.path import basename

import click
from click.shell_completion import CompletionItem, get_completion_class

from pellucid.errors import OutputError
from . import output
from .errors import debug_option

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@debug_option
def completion(shell: str) -> None:
    """Print what makes a SHELL complete commands, options, and the names of methods, metrics, recipes and models.

    \b
    bash   pellucid completion bash > ~/.local/share/bash-completion/completions/pellucid
    zsh    pellucid completion zsh > "${fpath[1]}/_pellucid"
    fish   pellucid completion fish > ~/.config/fish/completions/pellucid.fish
    """
    made = get_completion_class(shell)
    if made is None:
        raise OutputError(f"completion for {shell}", "no such shell", "click knows none", f"Choose among {', '.join(SHELLS)}.")
    context = click.get_current_context().find_root()
    name = basename(context.info_name or "pellucid")
    output.echo(made(context.command, {}, name, f"_{name.upper().replace('-', '_')}_COMPLETE").source())


def listed(names: Callable[[], Iterable[tuple[str, str]]]) -> Completer:
    """Completes one name, or the last in a list with commas, each shown with its summary."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{name}", help=summary) for name, summary in names() if name.startswith(last)]

    return complete


def _methods() -> Iterable[tuple[str, str]]:
    from pellucid.catalogue.methods import methods

    return [(entry.name, entry.summary) for entry in methods()]


def _metrics() -> Iterable[tuple[str, str]]:
    from pellucid.catalogue.metrics import metrics

    return [(entry.name, entry.summary) for entry in metrics()]


def _recipes() -> Iterable[tuple[str, str]]:
    from pellucid.catalogue.recipes import recipes

    return [(entry.name, entry.summary) for entry in recipes()]


def _models() -> Iterable[tuple[str, str]]:
    from pellucid.zoo import MODELS

    return list(MODELS.items())


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The built-in models, and files and folders."""
    return [*listed(_models)(ctx, param, incomplete), CompletionItem(incomplete, type="file")]


METHODS, METRICS, RECIPES = listed(_methods), listed(_metrics), listed(_recipes)
