"""The options that name a model and how it reads its input, and the model they name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce, wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core import allocator
from pellucid.core.files import parse_json
from pellucid.errors import ModelError
from .completion import models
from .errors import print_error
from .origin import origin

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.model import Columns, Model, Preprocess, Signal, Text

BUILT_IN = "efficientnet_lite0"


def numbers(kind: type[int] | type[float] = float) -> Callable[[str], tuple[float, ...]]:
    """Reads numbers with commas between them: "224,224", or "224x224"."""

    def parse(text: str) -> tuple[float, ...]:
        try:
            return tuple(kind(part) for part in text.replace("x", ",").split(","))
        except ValueError:
            raise click.BadParameter(f"{text!r} is not a list of numbers with commas between them") from None

    return parse


@dataclass(frozen=True)
class ModelOptions:
    """A model as named on the command line.

    Arguments:
        model: The name of a built-in one, the path of a file, or a name of a hub ("timm:resnet50").
        builder: "module:function" that builds the network whose weights are in the file.
        trust: Whether files that can run code may be opened.
        size, resize, interpolation, mean, std: How a picture becomes the input, where the model does not say.
        labels: A file with the names of the classes, one per line.
        columns: A JSON file that describes the columns of a table.
        signal: What a series is: "rate=250,unit=mV,channels=I+II".
        dtype: The type of its numbers, of models that transformers makes.
        chat, window, length: How a text is read: as a turn of a chat, in parts of so many tokens, padded to so many.
    """

    model: str
    builder: str | None = None
    trust: bool = False
    size: tuple[int, ...] | None = None
    resize: tuple[int, ...] | None = None
    interpolation: str = "bicubic"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    labels: str | None = None
    columns: str | None = None
    signal: str | None = None
    dtype: str | None = None
    chat: bool = False
    window: int | None = None
    length: int | None = None

    def load(self) -> Model:
        """The model itself."""
        from pellucid.model import load

        if self.builder or self.trust:  # the user's own code lies where the user works
            sys.path.insert(0, os.getcwd())
        builder = None if self.builder is None else find_builder(self.builder)
        self.check()
        model = load(self.model, builder=builder, trust=self.trust, labels=self.class_names(), dtype=self.dtype)
        if self.trust and model.fingerprint:
            print_error(f"{model.name}, sha256 {model.fingerprint}.", label="Trusted:")
        preprocess = self.preprocess(model)
        model = model if preprocess is None else replace(model, preprocess=preprocess)
        return replace(model, origin=origin(vars(self), model))

    def check(self) -> None:
        """Refuse half a way of reading the input, or two, before anything is loaded."""
        kinds = {"--size": self.size or self.mean or self.std, "--columns": self.columns, "--signal": self.signal}
        if sum(map(bool, kinds.values())) > 1:
            both = " and ".join(name for name, value in kinds.items() if value)
            raise click.UsageError(f"{both} say that the input is different things: give one of them")
        if (self.mean is None) != (self.std is None) or (self.size is not None and self.mean is None):
            raise click.UsageError("--size, --mean and --std belong together: a guessed scale gives a plausible and wrong answer")

    def preprocess(self, model: Model) -> Preprocess | Columns | Signal | Text | None:
        """How a picture, a row or a series becomes the input, where the options say it; a size may be known from the model."""
        reads = {name: value for name in ("chat", "window", "length") if (value := getattr(self, name))}
        if reads:
            return read_text_by(model, reads)
        from pellucid.model import Columns, Preprocess

        if self.columns is not None:
            return Columns.load(self.columns)
        if self.signal is not None:
            return parse_signal(self.signal)
        if self.mean is None or self.std is None:
            return None
        own = model.shape[1:] if model.shape is not None and len(model.shape) == 3 else None
        if self.size is None and own is None:
            raise click.UsageError(f"--size is needed too: {model.name} does not say how large its input is")
        size = own if self.size is None else self.size * 2 if len(self.size) == 1 else self.size
        resize = self.resize[0] if self.resize is not None and len(self.resize) == 1 else self.resize
        options = {"interpolation": self.interpolation, "mean": self.mean, "std": self.std, "source": "the command line"}
        return Preprocess(size, resize, **options)  # type: ignore[arg-type]

    def class_names(self) -> list[str] | None:
        """The names of the classes: a line each, or JSON: a list, {"cat": 0} or {"0": "cat"}."""
        if self.labels is None:
            return None
        try:
            text = Path(self.labels).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            found, do = "bytes that are no text in UTF-8", "Save it in UTF-8, one name a line."
            raise ModelError(f"--labels {self.labels}", found, "names are words", do) from None
        if text.lstrip().startswith(("[", "{")):
            return parse_labels(text, self.labels)
        names = text.splitlines()
        if not any(name.strip() for name in names):
            do = "Write one name a line, in the order of the classes."
            raise ModelError(f"--labels {self.labels}", "no name", "every class has one", do)
        return names


def with_options(group: type[Any], name: str, options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """Adds options to a command that computes, and hands them on as one argument: a `group`, whose fields have their names."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def wrapped(**values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields(group)}
            allocator.configure()
            return command(**{name: group(**own)}, **values)

        return reduce(lambda function, option: option(function), reversed(options), wrapped)

    return decorate


MODEL = click.option(
    "--model", default=BUILT_IN, show_default=True, shell_complete=models, metavar="MODEL",
    help="A built-in model, a file, a folder, or a name such as timm:resnet50; see `pellucid models`.",
)  # fmt: skip
OPTIONS = (
    click.option("--builder", metavar="MODULE:FUNCTION", help="Function that builds the network for a file of weights."),
    click.option("--trust", is_flag=True, help="Open model files that can run code (TorchScript, .pt2, pickled modules)."),
    click.option(
        "--labels", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="Class names, one per line, or as JSON."
    ),
    click.option("--size", type=numbers(int), metavar="H,W", help="Input size in pixels, where the model does not say."),
    click.option(
        "--resize",
        type=numbers(int),
        metavar="N",
        help="Shorter side before the centre crop; H,W stretches to that size.  [default: the crop]",
    ),
    click.option("--mean", type=numbers(), metavar="R,G,B", help="Mean of pixel values in [0, 1]: 0.485,0.456,0.406"),
    click.option("--std", type=numbers(), metavar="R,G,B", help="Standard deviation of these: 0.229,0.224,0.225"),
    click.option("--interpolation", default="bicubic", show_default=True, metavar="NAME", help="How pictures are resized."),
    click.option(
        "--columns", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="JSON description of table columns."
    ),
    click.option("--chat", is_flag=True, help="Read a text as the user's turn of a chat, by the template of the tokenizer."),
    click.option("--window", type=click.IntRange(1), metavar="N", help="Explain a longer text in parts of N tokens, one by one."),
    click.option(
        "--length", type=click.IntRange(1), metavar="N", help="Pad texts to N tokens, for models that take no other number."
    ),
    click.option(
        "--signal",
        metavar="LIST",
        help="Description of a series: rate=250,unit=mV,channels=I+II; of a sound: rate=16000,mono=yes,resample=yes,window=0+1",
    ),
    click.option(
        "--dtype", metavar="TYPE", help="Numbers of an hf: or gguf: model: bfloat16, float16 or auto.  [default: float32]"
    ),
)
with_model_options = with_options(ModelOptions, "model_options", OPTIONS)


def read_text_by(model: Model, options: dict[str, Any]) -> Text:
    """How the model reads texts, with these options of its reader."""
    from pellucid.model import Text

    if not isinstance(model.preprocess, Text):
        names = " and ".join(f"--{name}" for name in options)
        raise click.UsageError(
            f"{names}: {model.name} does not say how it reads texts; name a folder or file that holds its tokenizer"
        )
    return replace(model.preprocess, **options)


def parse_signal(text: str) -> Signal:
    """The series that "rate=250,unit=mV,channels=I+II,mean=0.1,std=2,length=1000" describes."""
    from pellucid.model import Signal

    options: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in SIGNAL:
            names = ", ".join(f"{name}=" for name in SIGNAL)
            raise click.UsageError(f"--signal {text}: {part!r} is none of {names}")
        try:
            options[name] = SIGNAL[name](value)
        except ValueError:
            raise click.UsageError(f"--signal {text}: {value!r} is no value for {name}") from None
    if "rate" not in options:
        raise click.UsageError(f"--signal {text}: rate= is missing, the number of samples per second")
    return Signal(**options, source="the command line")


def per_channel(value: str) -> float | tuple[float, ...]:
    """A number, or one per channel with plus signs between them: 0.1+0.2.

    Example:
        >>> per_channel("2"), per_channel("0.1+0.2")
        (2.0, (0.1, 0.2))
    """
    numbers = tuple(float(part) for part in value.split("+"))
    return numbers[0] if len(numbers) == 1 else numbers


def yes_or_no(value: str) -> bool:
    """Whether an option is switched on.

    Raises:
        ValueError: it is neither.
    """
    return {"yes": True, "no": False}[value] if value in ("yes", "no") else bool(int(value))


SIGNAL: dict[str, Callable[[str], Any]] = {
    "rate": float,
    "unit": str,
    "channels": lambda value: tuple(value.split("+")),
    "mean": per_channel,
    "std": per_channel,
    "length": int,
    "resample": yes_or_no,
    "mono": yes_or_no,
    "window": per_channel,
}


def parse_labels(text: str, path: str) -> list[str]:
    """The names of classes in a JSON file, in order.

    Example:
        >>> parse_labels('{"dog": 1, "cat": 0}', "labels.json"), parse_labels('{"1": "dog", "0": "cat"}', "labels.json")
        (['cat', 'dog'], ['cat', 'dog'])
    """
    try:
        data = parse_json(text)
        if isinstance(data, list):
            return [str(name) for name in data]
        pairs = [(int(key), str(value)) if str(key).isdigit() else (int(value), str(key)) for key, value in data.items()]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        do = "Write one name a line, or a list, or {name: index}."
        raise ModelError(f"--labels {path}", f"JSON that does not name classes ({error})", "nothing else is read", do) from None
    if not pairs or sorted(index for index, _ in pairs) != list(range(len(pairs))):
        found = f"the indices {', '.join(str(index) for index, _ in sorted(pairs)[:8])}"
        raise ModelError(f"--labels {path}", found, f"classes run 0-{len(pairs) - 1}", "Number them without gaps.")
    return [name for _, name in sorted(pairs)]


def find_builder(name: str) -> Callable[[], Any]:
    """The builder called "module:function"; an error inside it is reported as its own."""
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


def check_computes(model: Model, x: Tensor) -> Any:
    """The model's output; an error of the model itself is reported as such."""
    try:
        return model(x)
    except Exception as error:
        where = "".join(f", {note}" for note in getattr(error, "__notes__", ())[:1])  # the operation of a file
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{where}"
        shape = "x".join(map(str, x.shape))
        do = "Check the size and the number of channels: --shape for `inspect`, --size and --mean for pictures."
        raise ModelError(f"{model.name} on an input of shape {shape}", found, "the model itself fails on it", do) from None
