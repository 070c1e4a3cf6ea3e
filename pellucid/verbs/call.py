"""Call: what was asked of a verb, as plain data for a provenance.

Arguments are expressions of Python; of those that have none, as a tensor in memory, it is said what they were.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from inspect import signature
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import numpy as np
from torch import Tensor, nn

from pellucid.catalogue.methods import entry
from pellucid.catalogue.settings import settings
from pellucid.errors import PellucidError
from pellucid.methods import cam, gradient, lrp, perturb
from pellucid.model import Model
from pellucid.model.provenance import provenance
from pellucid.target import Target, channel, generated, log_odds, logit, output, probability, sequence, step, token

Verb = TypeVar("Verb", bound=Callable[..., Any])
CALL, THEN = "call", "then"  # entries of a provenance: the call, and what was done to its result
LONGEST = 2000  # characters of an expression
FUNCTIONS = logit, probability, log_odds, generated, sequence, token, channel, output, step
PUBLIC = SimpleNamespace(lrp=lrp, gradient=gradient, cam=cam, perturb=perturb, **{one.__name__: one for one in FUNCTIONS})
HOMES = "lrp", "gradient", "cam", "perturb"
#: What makes a target of that class, and the fields it takes.
FACTORIES = {
    "Logit": ("logit", ("index",)), "Probability": ("probability", ("index",)), "LogOdds": ("log_odds", ("index",)),
    "Channel": ("channel", ("at", "unit", "position")), "Generated": ("generated", ("count", "text", "temperature", "seed")),
    "Token": ("token", ("id",)),
}  # fmt: skip


def call(verb: str, model: Any, usual: Mapping[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    """The entry of a provenance that says what was asked.

    Arguments:
        model: As it was given: a `Model`, or what `load` takes.
        usual: The defaults of the verb: arguments that are as there are left out.

    Example:
        >>> one = call("explain", "efficientnet_lite0", {"target": None}, x="cat.jpg", target=None, versus="lynx")
        >>> one["call"]["arguments"]
        {'x': {'code': "'cat.jpg'"}, 'versus': {'code': "'lynx'"}}
    """
    usual = usual or {}
    given = {name: value for name, value in arguments.items() if not (name in usual and value is usual[name])}
    return {CALL: {"verb": verb, "model": of_model(model), "arguments": {name: argument(one) for name, one in given.items()}}}


def keeping_call(verb: Verb) -> Verb:
    """The verb, whose result, a dataclass with a provenance, keeps there what was asked."""
    known = signature(verb)
    usual = {name: one.default for name, one in known.parameters.items() if one.default is not one.empty}

    @wraps(verb)
    def kept(*args: Any, **options: Any) -> Any:
        result = verb(*args, **options)
        given = dict(known.bind(*args, **options).arguments)
        asked = call(verb.__name__, given.pop("model", None), usual, **given)
        return replace(result, provenance=provenance(**asked) | dict(result.provenance))

    return cast(Verb, kept)


def of_model(model: Any) -> dict[str, Any]:
    """How the model is loaded, every argument as an expression; of one in memory, what it is."""
    if isinstance(model, (str, os.PathLike)):
        return {"load": {"source": repr(os.fspath(model))}}
    if isinstance(model, Model) and model.origin is not None and model.origin.holds(model):
        return {"load": dict(model.origin.arguments), "imports": list(model.origin.imports)}
    if isinstance(model, Model):
        return {"words": f"the model {model.name!r} ({model.source})"}
    return {"words": f"a network of class {type(model).__name__}"}


def argument(value: Any) -> dict[str, str]:
    """An argument as an expression, or in words."""
    code = expression(value)
    return {"words": words(value)} if code is None else {"code": code}


def expression(value: Any) -> str | None:
    """An expression of Python that gives this very value; None where there is none.

    Example:
        >>> expression(["a", 1]), expression(lrp.EpsilonPlus()), expression(logit(3) - logit("cat"))
        ("['a', 1]", "'lrp.epsilon_plus'", "pl.logit(3) - pl.logit('cat')")
        >>> expression(gradient.Integrated(64))
        'pl.gradient.Integrated(steps=64)'
        >>> expression(np.ones(3)) is None
        True
    """
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    code = repr(value) if is_plain(value) else constructed(value)
    return code if code is not None and len(code) <= LONGEST else None


def is_plain(value: Any) -> bool:
    """Whether `repr` gives an expression: words, numbers, and lists and dicts of these."""
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(one) for key, one in value.items())
    return value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def constructed(value: Any) -> str | None:
    """A method or target as the call that makes it; None where no call of public names makes the same."""
    for code in candidates(value):
        if code is not None and same(evaluated(code), value):
            return code
    return None


def candidates(value: Any) -> list[str | None]:
    """Expressions that may make a value, what reads best first."""
    if isinstance(value, Target):
        return [of_terms(value)]
    if not is_dataclass(value) or isinstance(value, type):
        return []
    return [of_catalogue(value), by_factory(value), by_settings(value), by_class(value)]


def of_catalogue(value: Any) -> str | None:
    """The name of a method, where it is as the catalogue makes it."""
    try:
        return repr(value.name) if same(entry(value.name).make(), value) else None
    except (PellucidError, AttributeError, TypeError):
        return None


def of_terms(value: Target) -> str | None:
    """A target as a sum of terms, each made by its function."""
    made = ""
    for weight, term in value.terms:
        code = by_factory(term)
        if code is None:
            return None
        sign, size = (" - " if weight < 0 else " + ", abs(weight)) if made else ("", weight)
        made += f"{sign}{code}" if size == 1 else f"{sign}{size!r} * {code}"
    return made


def by_factory(value: Any) -> str | None:
    """The call of a public function."""
    name, taken = FACTORIES.get(type(value).__name__, ("", ()))
    if not name:
        return None
    usual = {one.name: one.default for one in fields(value)}
    parts = []
    for field in taken:
        one = getattr(value, field)
        if one != usual[field]:
            code = expression(one) or "None"
            parts.append(code if field in ("index", "at", "unit", "count", "id") else f"{field}={code}")
    return f"pl.{name}({', '.join(parts)})"


def by_settings(value: Any) -> str | None:
    """The catalogue's function with the settings that were changed, where they are found by their names in the method's parts."""
    changed = changed_settings(value)
    if not changed:
        return None
    function = entry(value.name).factory.rpartition(":")[2]
    home = next((home for home in HOMES if getattr(vars(PUBLIC)[home], function, None) is not None), None)
    parts = ", ".join(f"{name}={code!r}" for name, code in changed.items())
    return None if home is None else f"pl.{home}.{function}({parts})"


def changed_settings(value: Any) -> dict[str, Any]:
    """The settings of a method in the catalogue that are not the usual ones, as far as its parts show them."""
    try:
        usual = settings(entry(value.name))
    except (PellucidError, AttributeError, TypeError):
        return {}
    there = inside(value)
    return {name: there[name] for name, one in usual.items() if name in there and there[name] != one.default}


def inside(value: Any) -> dict[str, Any]:
    """Every plain field of a method and of its parts, the outermost of one name."""
    found: dict[str, Any] = {}
    for one in fields(value) if is_dataclass(value) else ():
        part = getattr(value, one.name)
        for name, plain in ({one.name: part} if is_plain(part) else inside(part)).items():
            found.setdefault(name, plain)
    return found


def by_class(value: Any) -> str | None:
    """The call of a public class with the fields that differ from its defaults."""
    name = type(value).__name__
    home = next((home for home in HOMES if getattr(vars(PUBLIC)[home], name, None) is type(value)), None)
    if home is None:
        return None
    parts = []
    for one in fields(value):
        part = getattr(value, one.name)
        if not one.init or (type(part) is type(one.default) and same(part, one.default)):
            continue
        code = repr(part) if is_plain(part) else by_class(part) if is_dataclass(part) else None
        if code is None:
            return None
        parts.append(f"{one.name}={code}")
    return f"pl.{home}.{name}({', '.join(parts)})"


def evaluated(code: str) -> Any:
    """What an expression of ours gives; a catalogue's name is the method of that name."""
    try:
        made = eval(code, {"__builtins__": {}, "pl": PUBLIC})
        return entry(made).make() if isinstance(made, str) else made
    except Exception:  # then it is no expression of that value
        return None


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal; of those that are not compared, whether all of them is printed alike."""
    try:
        if bool(one == other):
            return True
    except Exception:
        return False
    text = repr(one)
    return type(one) is type(other) and text == repr(other) and " at 0x" not in text and "tensor(" not in text


def words(value: Any) -> str:
    """What an argument is that no expression stands for."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, nn.Module):
        return f"a network of class {type(value).__name__}"
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value):,} bytes of a file"
    if isinstance(value, Target):
        return value.text()
    if hasattr(value, "size") and hasattr(value, "convert"):
        return f"a picture of {value.size[0]} x {value.size[1]} pixels"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    name = getattr(value, "name", None)
    return f"{name} (class {type(value).__name__})" if isinstance(name, str) else f"an object of class {type(value).__name__}"
