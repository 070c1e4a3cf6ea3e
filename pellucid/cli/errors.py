"""The door: how errors leave the command line. One paragraph on stderr, an exit code, and no traceback unless asked for."""

from __future__ import annotations

import os
import sys
import textwrap
import traceback
from contextlib import suppress
from shutil import get_terminal_size
from typing import IO, Any

import click
from click.exceptions import Exit, NoArgsIsHelpError

from pellucid.errors import PellucidError
from .arguments import in_options

SOME_FAILED, REFUSED, OUR_BUG, SYSTEM, INTERRUPTED = 1, 2, 70, 74, 130  # 70 and 74 as in sysexits.h; 130 is 128 + SIGINT

DEBUG = "pellucid.debug"


class Door(click.Group):
    """A group of commands from which nothing leaves but results, or one clear paragraph."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as they were added: the most used first

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Exit(complain(ctx, error)) from None

    def invoke(self, ctx: click.Context) -> Any:
        forgive(sys.stdout, sys.stderr)
        try:
            return super().invoke(ctx)
        except (Exit, click.Abort, BrokenPipeError, NoArgsIsHelpError):  # click knows what to do
            raise
        except KeyboardInterrupt:
            raise Exit(INTERRUPTED) from None
        except Exception as error:
            raise Exit(complain(ctx, error)) from None


def complain(ctx: click.Context, error: Exception) -> int:
    """Say what went wrong in one paragraph on stderr; the exit code it deserves."""
    if ctx.meta.get(DEBUG):
        traceback.print_exception(error)
    words, code = verdict(error)
    tell(words)
    return code


def verdict(error: Exception) -> tuple[str, int]:
    """An error in words, and its exit code."""
    if isinstance(error, click.UsageError):
        return usage(error), REFUSED
    if isinstance(error, click.ClickException):
        return error.format_message(), REFUSED
    if isinstance(error, PellucidError):
        return str(in_options(error)), REFUSED
    if isinstance(error, OSError | MemoryError):
        return f"The system refused: {error or 'not enough memory'}.", SYSTEM
    return bug(error), OUR_BUG


def usage(error: click.UsageError) -> str:
    """What was mistyped, and where the help is."""
    words = error.format_message()
    words = words if words.endswith((".", "?", "?)")) else f"{words}."
    return f"{words} Try: {error.ctx.command_path} --help" if error.ctx else words


def bug(error: Exception) -> str:
    said = " ".join(str(error).split())[:300]
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return (
        f"This is a bug of pellucid, not a mistake of yours ({what}). "
        "Nothing half-written was left. Please report it with what the same command prints when --debug is added."
    )


def tell(words: str, mark: str = "Error:") -> None:
    """One paragraph on stderr."""
    if sys.stderr.isatty():
        columns = get_terminal_size().columns
        words = textwrap.fill(f"{mark} {words}", columns, break_long_words=False, break_on_hyphens=False)
        words = words.replace(mark, click.style(mark, fg="red", bold=True) if coloured(sys.stderr) else mark, 1)
        click.echo(words, err=True)
    else:
        click.echo(f"{mark} {words}", err=True)


def coloured(stream: IO[Any]) -> bool:
    """Whether a person is watching who wants colour (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def forgive(*streams: Any) -> None:
    """Let a character that a terminal or a file name spells strangely be replaced, rather than stop the work."""
    for stream in streams:
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")


def debuggable(command: Any) -> Any:
    """Adds --debug, before or after the name of the command."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta[DEBUG] = ctx.meta.get(DEBUG, False) or value

    words = "Print tracebacks."
    return click.option("--debug", is_flag=True, is_eager=True, expose_value=False, callback=remember, help=words)(command)
