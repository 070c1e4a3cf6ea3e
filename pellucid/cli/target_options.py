"""The options that name the target and what it is explained by, and the target they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pellucid.errors import PellucidError, TargetError
from .inputs import Input, check_reads, reads_texts, shorten
from .model_options import check_computes, with_options

if TYPE_CHECKING:
    from pellucid.model import Model

T = TypeVar("T")


@dataclass(frozen=True)
class TargetOptions:
    """Which number is explained, and by which values.

    Arguments:
        target, versus: Classes by name or index, or tokens of a language model; why the one rather than the other. None: the
            predicted one.
        like: Another input, whose embedding the output is compared with.
        generate: How many tokens a language model goes on, each of which is explained.
        continuation: In place of them, a text that it goes on with.
        sequence: A continuation whose score is explained as a whole; with `versus`, rather than that of another.
        row: One row of a table; None: all of them.
        at: The layer whose output it is explained by; None: the input.
        strict: Whether operations without a rule are refused.
        verify: Whether the network is checked to do what is explained.
    """

    target: str | None
    versus: str | None
    like: str | None
    generate: int | None
    continuation: str | None
    sequence: str | None
    row: int | None
    at: str | None
    strict: bool
    verify: bool

    @property
    def words(self) -> tuple[str, ...]:
        """What distinguishes the files of one target from those of another."""
        versus, like = self.versus and f"vs {self.versus}", self.like and f"like {Path(self.like).stem}"
        ways = f"{self.generate} new tokens" if self.generate else None, self.continuation, self.sequence
        classes = " ".join(filter(None, (self.target, *ways, versus, like)))
        return classes, "" if self.row is None else f"row {self.row}", f"at {self.at}" if self.at else ""

    def check(self, model: Model, inputs: Sequence[Input] = ()) -> None:
        """Refuse before the first input what would fail on every one."""
        check_reads(model, inputs)
        if self.like is not None and (self.target or self.versus):
            raise click.UsageError("--like compares embeddings, --target and --versus name classes: give one or the other")
        self._check_one_target()
        if reads_texts(model) and not model.labels:
            return  # of a language model they are tokens
        named = [model.find(name) for name in (self.target, self.versus) if name]
        if len(named) > len(set(named)):
            asked, found = f"--target {self.target} --versus {self.versus}", f"the same class twice ({named[0]})"
            raise TargetError(asked, found, "their difference is zero", "Name another one.")

    def _check_one_target(self) -> None:
        """Refuse options that name several targets."""
        named = {"--target": self.target, "--like": self.like, "--generate": self.generate, "--continuation": self.continuation}
        given = [name for name, value in (named | {"--sequence": self.sequence}).items() if value is not None]
        tokens = self.generate is not None or self.continuation is not None
        given += ["--versus"] if tokens and self.versus is not None else []
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(given)} name several targets: give one of them")

    def run(self, verb: Callable[..., T], model: Model, one: Input, **options: Any) -> T:
        """The result of `explain` or `compare`; if the model fails on that input by itself, the error says so."""
        x = one.read(model, self.row)
        try:
            about = {"target": self.resolve(model), "versus": self.other(), "at": self.at}
            return verb(model, x, strict=self.strict, verify=self.verify, **about, **options)
        except PellucidError:
            raise
        except Exception:
            check_computes(model, model.read(x))
            raise

    def resolve(self, model: Model) -> Any:
        """The target, as `pellucid.explain` takes it."""
        from pellucid.target import generated, sequence, similarity

        if self.generate is not None or self.continuation is not None:
            return generated(self.generate, text=self.continuation)
        if self.sequence is not None:
            return sequence(self.sequence)
        if self.like is None:
            return self.target
        typed = reads_texts(model) and not Path(self.like).is_file()
        return similarity(input=self.like if typed else Input(self.like).read(model), name=f'"{shorten(self.like)}"')

    def other(self) -> Any:
        """What the target is compared with, as `pellucid.explain` takes it."""
        from pellucid.target import sequence

        return self.versus if self.versus is None or self.sequence is None else sequence(self.versus)


TARGET = click.option("--target", metavar="CLASS", help="Class to explain, by name or index.  [default: the predicted class]")
OPTIONS = (
    click.option(
        "--target", metavar="CLASS", help="Class or token to explain, by name or index.  [default: the predicted class]"
    ),
    click.option("--versus", metavar="CLASS", help="Explain why the target rather than this class."),
    click.option("--like", metavar="INPUT", help="Explain the similarity of the embedding to that of another text or picture."),
    click.option(
        "--generate", type=click.IntRange(1), metavar="N", help="Explain each of the next N tokens of a language model."
    ),
    click.option("--continuation", metavar="TEXT", help="Explain each token of TEXT, as it goes on after the prompt."),
    click.option("--sequence", metavar="TEXT", help="Explain the log-probability of TEXT after the prompt, as a whole."),
    click.option("--row", type=int, metavar="N", help="Row of a table, counted from 0.  [default: all rows]"),
    click.option("--at", metavar="LAYER", help="Explain by the output of this layer instead of the pixels."),
    click.option("--strict", is_flag=True, help="Refuse operations without a rule, instead of using their derivative."),
    click.option(
        "--verify/--no-verify", default=True, help="Check once that the network does what is explained.  [default: check]"
    ),
)
with_target_options = with_options(TargetOptions, "target_options", OPTIONS)
TOP = click.option(
    "--top", type=click.FloatRange(0, 1, min_open=True), default=0.1, show_default=True, metavar="SHARE",
    help="Share of the picture that the regions cover.",
)  # fmt: skip
BY = click.option(
    "--by", type=click.Choice(["connected", "superpixels"]), default="connected", show_default=True,
    help="How regions are formed: connected pixels, or superpixels.",
)  # fmt: skip
