"""How errors leave the command line: one paragraph on stderr, an exit code, and a traceback only with --debug."""

from __future__ import annotations

import os
import sys
import textwrap
import traceback
from collections.abc import Mapping
from contextlib import suppress
from shutil import get_terminal_size
from typing import IO, Any

import click
from click.exceptions import Exit

from pellucid.errors import PellucidError
from pellucid.errors.printable import printable
from .arguments import in_options

SOME_FAILED, REFUSED, BUG, SYSTEM, INTERRUPTED = 1, 2, 70, 74, 130  # 70 and 74 as in sysexits.h; 130 is 128 + SIGINT

DEBUG = "pellucid.debug"


def print_failure(ctx: click.Context, error: Exception) -> int:
    """Say what went wrong in one paragraph on stderr; returns the exit code of such an error."""
    if ctx.meta.get(DEBUG):
        traceback.print_exception(error)
    text, code = describe(error)
    print_error(text)
    return code


def describe(error: Exception) -> tuple[str, int]:
    """The message of an error, and its exit code."""
    if isinstance(error, click.UsageError):
        text = error.format_message()
        text = text if text.endswith((".", "?", "?)")) else f"{text}."
        return f"{text} Try: {error.ctx.command_path} --help" if error.ctx else text, REFUSED
    if isinstance(error, click.ClickException):
        return error.format_message(), REFUSED
    if isinstance(error, PellucidError):
        return str(in_options(error)), REFUSED
    if isinstance(error, OSError | MemoryError):
        return f"The operating system refused: {error or 'not enough memory'}.", SYSTEM
    text = " ".join(str(error).split())[:300]
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:  # PyTorch's own, which are RuntimeErrors
        return f"There is not enough memory for that ({text}). Make the input smaller, or the batch.", SYSTEM
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return (
        f"This is a bug in pellucid, not a mistake of yours ({what}). "
        "No half-written file was left. Please report it with what the same command prints when --debug is added."
    ), BUG


def print_error(text: str, label: str = "Error:") -> None:
    """One paragraph on stderr."""
    text = printable(text, lines=True)
    if sys.stderr.isatty():
        columns = get_terminal_size().columns
        text = textwrap.fill(f"{label} {text}", columns, break_long_words=False, break_on_hyphens=False)
        text = text.replace(label, click.style(label, fg="red", bold=True) if wants_colour(sys.stderr) else label, 1)
        click.echo(text, err=True)
    else:
        click.echo(f"{label} {text}", err=True)


def print_failures(failures: Mapping[str, PellucidError]) -> None:
    """What failed while other work went on, by name; on stderr."""
    for name, error in failures.items():
        print_error(f"{name}: {in_options(error)}", label="Failed:")


def exit_if_incomplete(*, called_off: bool, failed: bool = False) -> None:
    """Leave with the exit code of work that was interrupted, or that failed in part."""
    if called_off or failed:
        raise Exit(INTERRUPTED if called_off else SOME_FAILED)


def wants_colour(stream: IO[Any]) -> bool:
    """Whether the stream is a terminal that shows colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def replace_unprintable(*streams: Any) -> None:
    """Print a replacement for a character that a terminal cannot show, rather than fail."""
    for stream in streams:
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")


def debug_option(command: Any) -> Any:
    """Adds --debug, before or after the name of the command."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta[DEBUG] = ctx.meta.get(DEBUG, False) or value

    return click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=remember, help="Print tracebacks of errors."
    )(command)
