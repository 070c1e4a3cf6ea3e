"""The command line: options are read, a verb is called, its result is printed. Nothing is computed in this room.

A file per command, and `lists` for those that list what there is. What they share: options (`model_options`, `target_options`,
`settings`, `inputs`), results (`output`, `files`, `progress`) and failures (`errors`, `arguments`). PyTorch is imported only by
the commands that compute.
"""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from typing import Any

import click
from click.exceptions import Exit, NoArgsIsHelpError

from .errors import INTERRUPTED, debug_option, print_failure, replace_unprintable

COMMANDS = {  # the most used first; the file of a command is imported when it is used
    "explain": ("pellucid.cli.explain:explain", "Which pixels or words are evidence for a class, which against."),
    "compare": ("pellucid.cli.compare:compare", "Several methods on one picture, side by side."),
    "overview": ("pellucid.cli.overview:overview", "What all rows of a table, or all files of a folder, say together."),
    "concepts": ("pellucid.cli.concepts:concepts", "Which channels of a layer a decision is based on."),
    "maximize": ("pellucid.cli.maximize:maximize", "Which picture excites a class or channel most."),
    "examples": ("pellucid.cli.examples:examples", "Which pictures of a folder excite a class or channel most."),
    "evaluate": ("pellucid.cli.evaluate:evaluate", "Which method to trust, measured on a model and pictures."),
    "report": ("pellucid.cli.report:report", "Put saved results together in one HTML file."),
    "audit": ("pellucid.cli.audit:audit", "Which strategies a model has on a whole data set; tests for shortcuts."),
    "search": ("pellucid.cli.search:search", "Which pictures of an audit use a unit most, or are explained alike."),
    "runs": ("pellucid.cli.runs:runs", "What a run over many pictures will take, how far it is, what failed; exports."),
    "serve": ("pellucid.cli.serve:serve", "The page: drop a picture, see why, test it, meet the units."),
    "repro": ("pellucid.cli.repro:repro", "Compute again what a result file holds, and say how far it differs."),
    "prior": ("pellucid.cli.prior:prior", "Train a generator of pictures for recipes dgn_am and ppgn."),
    "inspect": ("pellucid.cli.inspect:inspect", "Input, layers, rules and methods of a model."),
    "methods": ("pellucid.cli.lists:methods", "List the explanation methods."),
    "metrics": ("pellucid.cli.lists:metrics", "List the evaluation metrics."),
    "recipes": ("pellucid.cli.lists:recipes", "List the maximization recipes and their settings."),
    "models": ("pellucid.cli.lists:models", "List the built-in models, and what else can be loaded."),
    "completion": ("pellucid.cli.completion:completion", "Make bash, zsh or fish complete commands and names."),
    "demo": ("pellucid.cli.demo:demo", "Explain photographs that come with pellucid, in one report."),
}


class Commands(click.Group):
    """The commands by name, each imported when it is used; every error leaves as one clear paragraph."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return resolve_name(COMMANDS[cmd_name][0]) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Exit(print_failure(ctx, error)) from None

    def invoke(self, ctx: click.Context) -> Any:
        replace_unprintable(sys.stdout, sys.stderr)
        try:
            return super().invoke(ctx)
        except (Exit, click.Abort, BrokenPipeError, NoArgsIsHelpError):  # click knows what to do
            raise
        except KeyboardInterrupt:
            raise Exit(INTERRUPTED) from None
        except Exception as error:
            raise Exit(print_failure(ctx, error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pellucid", message="pellucid %(version)s")
@debug_option
def main() -> None:
    """Explain what a neural network decides: which parts of a picture are evidence for a class, which against, by how much.

    \b
    pellucid demo                             a cat, explained
    pellucid explain cat.jpg                  a picture of yours
    pellucid explain cat.jpg --versus lynx    why this class rather than that one
    pellucid compare cat.jpg                  several methods side by side
    pellucid overview data.csv                all rows of a table at a glance
    pellucid concepts cat.jpg                 which channels the decision is based on
    pellucid maximize espresso                what excites a class most
    pellucid examples stages.4:17 --data photos/   what a channel looks for
    pellucid evaluate photos/                 which method to trust
    """


main.commands.update({name: click.Command(name) for name in COMMANDS})  # names alone, for "Did you mean ...?"
