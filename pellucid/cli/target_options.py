"""What is asked about a picture, in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pellucid.errors import PellucidError, TargetError
from .inputs import Given, check_reads, reads_texts, shortened
from .model_options import check_computes

if TYPE_CHECKING:
    from pellucid.model import Model

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """Which number is explained, and in terms of what.

    Arguments:
        target, versus: Classes by name or index, of a language model tokens; why the one rather than the other. None: the
            predicted one.
        like: What else is read, whose embedding the output is compared with.
        row: Which row of a table; None: all of them.
        at: The layer in whose terms it is explained; None: the pixels.
        strict: Whether operations without a rule are refused.
    """

    target: str | None
    versus: str | None
    at: str | None
    strict: bool
    like: str | None = None
    row: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What tells its files from those of other questions."""
        versus = f"vs {self.versus}" if self.versus else ""
        like = f"like {Path(self.like).stem}" if self.like else ""
        return (
            " ".join(filter(None, (self.target, versus, like))),
            f"row {self.row}" if self.row is not None else "",
            f"at {self.at}" if self.at else "",
        )

    def check(self, model: Model, methods: Sequence[str], asked: Sequence[Given] = ()) -> None:
        """Refuse before the first picture what would fail on every one."""
        from pellucid.catalogue.methods import method

        for name in methods:
            method(name)
        check_reads(model, asked)
        if self.like is not None and (self.target or self.versus):
            raise click.UsageError("--like compares embeddings; --target and --versus name classes: ask for one of both")
        if reads_texts(model) and not model.labels:
            return  # of a language model they are tokens
        named = [model.find(name) for name in (self.target, self.versus) if name]
        if len(named) > len(set(named)):
            found = f"the same class twice ({named[0]})"
            raise TargetError(
                f"--target {self.target} --versus {self.versus}", found, "their difference is zero", "Name another one."
            )

    def ask(self, verb: Callable[..., T], model: Model, given: Given, **how: Any) -> T:
        """The answer of `explain` or `compare`; if the model fails without us, that is said to be so."""
        x = given.read(model, self.row)
        try:
            return verb(model, x, target=self.aim(model), at=self.at, strict=self.strict, **how)
        except PellucidError:
            raise
        except Exception:
            check_computes(model, model.read(x))
            raise

    def aim(self, model: Model) -> Any:
        """The target."""
        from pellucid.target import logit, similarity

        if self.like is not None:
            other = Given(self.like)
            typed = reads_texts(model) and not Path(self.like).is_file()
            return similarity(input=self.like if typed else other.read(model), name=f'"{shortened(self.like)}"')
        return self.target if self.versus is None else logit(self.target) - logit(self.versus)


def takes_question(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a `Question`, and those of the regions that pictures show."""
    return reduce(lambda function, option: option(function), reversed(OPTIONS), command)


OPTIONS = (
    click.option(
        "--target", metavar="CLASS", help="The class, or the token, to explain, by name or index.  [default: the predicted one]"
    ),
    click.option("--versus", metavar="CLASS", help="Explain why the target rather than this one."),
    click.option("--like", metavar="INPUT", help="Explain how alike the embedding is to that of another text or picture."),
    click.option("--row", type=int, metavar="N", help="Which row of a table, from 0 on.  [default: all of them]"),
    click.option("--at", metavar="LAYER", help="Explain by what this layer returned, in place of the pixels."),
    click.option("--strict", is_flag=True, help="Refuse operations without a rule, in place of taking their derivative."),
)
TOP = click.option(
    "--top", type=click.FloatRange(0, 1, min_open=True), default=0.1, show_default=True, metavar="SHARE",
    help="Share of the picture that regions take up.",
)  # fmt: skip
BY = click.option(
    "--by",
    type=click.Choice(["connected", "superpixels"]),
    default="connected",
    show_default=True,
    help="What regions are made of.",
)
