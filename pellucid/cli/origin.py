"""How a model that was named on the command line is loaded in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.model.origin import Origin


def origin(options: Mapping[str, Any], model: Model) -> Origin | None:
    """The call of `pl.load` that makes the model of these options; None where there is none in one expression.

    Arguments:
        options: The fields of `ModelOptions`.
    """
    from pellucid.model.origin import Origin

    preprocess = reader(options, model)
    if options["chat"] or options["window"] or options["length"] or preprocess == "":
        return None
    builder, labels = options["builder"] or "", options["labels"]
    arguments = {"source": repr(options["model"])}
    arguments |= {"builder": builder.replace(":", ".")} if builder else {}
    arguments |= {"trust": "True"} if options["trust"] else {}
    arguments |= {"dtype": repr(options["dtype"])} if options["dtype"] else {}
    arguments |= {"labels": class_names(labels, model)} if labels else {}
    arguments |= {"preprocess": preprocess} if preprocess else {}
    return Origin(arguments, model.forward, model.preprocess, (builder.partition(":")[0],) if builder else ())


def reader(options: Mapping[str, Any], model: Model) -> str | None:
    """How the options say that the input is read; None where the model says it, "" where no expression does."""
    if options["columns"]:
        return f"pl.Columns.load({options['columns']!r})"
    if not options["signal"] and not options["mean"]:
        return None
    how = model.preprocess
    text = repr(how)
    return f"pl.{text}" if text.startswith(f"{type(how).__name__}(") and "tensor(" not in text else ""


def class_names(file: str, model: Model) -> str:
    """The names of classes: the lines of their file, or those that stand in its JSON."""
    lines = f"open({file!r}, encoding='utf-8-sig').read().splitlines()"
    return repr(list(model.labels or ())) if file.endswith(".json") else lines
