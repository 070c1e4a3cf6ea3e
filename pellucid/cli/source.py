"""Which model is meant: the options that name one, and the model they name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce, wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from ..model import Columns, Model, Preprocess, Signal

BUILT_IN = "efficientnet_lite0"


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float] = float) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return value if isinstance(value, tuple) else tuple(self.kind(part) for part in value.replace("x", ",").split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers with commas between them", param, ctx)


@dataclass(frozen=True)
class Source:
    """A model as named on the command line.

    Arguments:
        model: The name of a built-in one, or the path of a file.
        builder: "module:function" that makes the network whose weights are in the file.
        trust: Whether files that can run code may be opened.
        size, resize, interpolation, mean, std: How a picture becomes the input, where the model does not say.
        labels: A file with the names of the classes, one per line.
        columns: A JSON file that says what the columns of a table are.
        signal: What a series is: "rate=250,unit=mV,channels=I+II".
    """

    model: str
    builder: str | None = None
    trust: bool = False
    size: tuple[int, ...] | None = None
    resize: int | None = None
    interpolation: str = "bicubic"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    labels: str | None = None
    columns: str | None = None
    signal: str | None = None

    def open(self) -> Model:
        """The model itself."""
        from ..model import load

        if self.builder or self.trust:  # the user's own code lies where the user works
            sys.path.insert(0, os.getcwd())
        builder = None if self.builder is None else build(self.builder)
        return load(self.model, builder=builder, trust=self.trust, preprocess=self.preprocess(), labels=self.names())

    def preprocess(self) -> Preprocess | Columns | Signal | None:
        """How a picture, a row or a series becomes the input, where the options say it."""
        from ..model import Columns, Preprocess

        told = {"--size": self.size or self.mean or self.std, "--columns": self.columns, "--signal": self.signal}
        if sum(map(bool, told.values())) > 1:
            both = " and ".join(name for name, value in told.items() if value)
            raise click.UsageError(f"{both} say that the input is different things: give one of them")
        if self.columns is not None:
            return Columns.load(self.columns)
        if self.signal is not None:
            return signal(self.signal)
        if self.size is None and self.mean is None and self.std is None:
            return None
        if self.size is None or self.mean is None or self.std is None:
            raise click.UsageError("--size, --mean and --std belong together: a guessed scale gives a plausible and wrong answer")
        size = self.size * 2 if len(self.size) == 1 else self.size
        how = {"interpolation": self.interpolation, "mean": self.mean, "std": self.std, "source": "the command line"}
        return Preprocess(size, self.resize, **how)  # type: ignore[arg-type]

    def names(self) -> list[str] | None:
        return None if self.labels is None else Path(self.labels).read_text(encoding="utf-8").splitlines()


def signal(words: str) -> Signal:
    """What "rate=250,unit=mV,channels=I+II,mean=0.1,std=2,length=1000" says."""
    from ..model import Signal

    given: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in words.split(","))):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in SIGNAL:
            known = ", ".join(f"{name}=" for name in SIGNAL)
            raise click.UsageError(f"--signal {words}: {part!r} is none of {known}")
        try:
            given[name.strip()] = SIGNAL[name.strip()](value.strip())
        except ValueError:
            raise click.UsageError(f"--signal {words}: {value.strip()!r} is no value for {name.strip()}") from None
    if "rate" not in given:
        raise click.UsageError(f"--signal {words}: rate= is missing, the number of samples per second")
    return Signal(**given, source="the command line")


def several(value: str) -> float | tuple[float, ...]:
    """A number, or one per channel with signs between them: 0.1+0.2.

    Example:
        >>> several("2"), several("0.1+0.2")
        (2.0, (0.1, 0.2))
    """
    found = tuple(float(part) for part in value.split("+"))
    return found[0] if len(found) == 1 else found


SIGNAL: dict[str, Callable[[str], Any]] = {
    "rate": float,
    "unit": str,
    "channels": lambda value: tuple(value.split("+")),
    "mean": several,
    "std": several,
    "length": int,
}


def takes_source(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a `Source`, all but the model itself, and hands them on as one argument."""

    @wraps(command)
    def wrapped(**given: Any) -> Any:
        own = {field.name: given.pop(field.name) for field in fields(Source)}
        return command(source=Source(**own), **given)

    return reduce(lambda function, option: option(function), reversed(OPTIONS), wrapped)


OPTIONS = (
    click.option("--builder", metavar="MODULE:FUNCTION", help="What makes the network for a file of weights."),
    click.option("--trust", is_flag=True, help="Open model files that can run code (TorchScript, .pt2, pickled modules)."),
    click.option("--labels", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="Class names, one per line."),
    click.option("--size", type=Numbers(int), metavar="H,W", help="Input of the model in pixels, where it does not say."),
    click.option("--resize", type=int, metavar="N", help="Short side before the centre crop.  [default: as the crop]"),
    click.option("--mean", type=Numbers(), metavar="R,G,B", help="Subtracted from pixels in 0..1: 0.485,0.456,0.406"),
    click.option("--std", type=Numbers(), metavar="R,G,B", help="Divided by after that: 0.229,0.224,0.225"),
    click.option(
        "--columns", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="JSON: what the columns of a table are."
    ),
    click.option("--signal", metavar="LIST", help="What a series is: rate=250,unit=mV,channels=I+II"),
    click.option("--interpolation", default="bicubic", show_default=True, metavar="NAME", help="How pictures are resized."),
)


def build(name: str) -> Callable[[], Any]:
    """The builder called "module:function"; what goes wrong inside it is said to be its own."""
    module, _, path = name.partition(":")
    asked = f"--builder {name}"
    if not module or not path:
        do = "Name one as module:function, for a file module.py here or an installed package."
        raise ModelError(asked, "no colon between a module and a function", "both are needed to find it", do)
    try:
        builder = reduce(getattr, path.split("."), import_module(module))
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        do = "Check the name; modules are looked for here and among installed packages."
        raise ModelError(asked, found, "it cannot be imported", do) from None

    def run() -> Any:
        try:
            return builder()  # type: ignore[operator]
        except Exception as error:
            do = "Call it in Python to see where; it has to work without arguments."
            raise ModelError(asked, f"{type(error).__name__}: {error}", "the builder itself failed", do) from None

    return run


def check_reads_pictures(model: Model) -> None:
    """Refuse a model that nobody has told how a picture becomes its input."""
    if model.pictured is None:
        raise ModelError(
            f"a picture for {model.name}",
            "a model that does not say how pictures become its input",
            "a guessed scale or crop would give a plausible and wrong explanation",
            "Say it as it was trained: --size 224 --resize 256 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225, say.",
        )


def check_computes(model: Model, x: Tensor) -> Any:
    """The model's output; if it fails on its own, that is said to be so."""
    try:
        return model(x)
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        shape = "x".join(map(str, x.shape))
        do = "Check the size and the number of channels: --shape for `inspect`, --size and --mean for pictures."
        found = f"{type(error).__name__}: {said}"
        raise ModelError(f"{model.name} on an input of shape {shape}", found, "the model itself fails on it", do) from None
