"""What recomputes a result: the line for the shell, and the lines of Python, both from what its provenance says was asked."""

from __future__ import annotations

import re
import shlex
from ast import literal_eval
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Tokens
from . import schema

AGAIN, CALL, THEN = (
    "again",
    "call",
    "then",
)  # entries of a provenance: what was typed, what was asked, what was done to the result
UNKNOWN = "# What this was computed from is not kept with it."
NAMES = {"explain": "e", "compare": "c", "concepts": "c", "maximize": "p", "evaluate": "t"}


class Python(NamedTuple):
    """A call of a verb in Python.

    Arguments:
        verb: "explain".
        model: The expression that loads it; None: to be filled in.
        imports: Modules it needs.
        arguments: By name, each as {"code": expression} or {"words": what is to be filled in}.
        then: What is done to the result: "[3]".
    """

    verb: str
    model: Mapping[str, Any]
    arguments: Mapping[str, Mapping[str, str]]
    then: Sequence[str] = ()


def command(e: Explanation) -> schema.Command:
    """Of an explanation."""
    asked = python_of(e.provenance)
    if asked is None:
        return schema.Command(cli=None, python=UNKNOWN)
    return schema.Command(cli=shell(e, asked), python=lines(asked))


def of_call(provenance: Mapping[str, Any]) -> schema.Command:
    """Of another result, in Python: of what the call itself returns."""
    asked = python_of({name: value for name, value in provenance.items() if name != THEN})
    return schema.Command(cli=None, python=UNKNOWN if asked is None else lines(asked))


def of_methods(explanations: Mapping[str, Explanation]) -> schema.Command:
    """Of a comparison: what all its explanations were asked, with all methods at once."""
    asked = {name: python_of(e.provenance) for name, e in explanations.items()}
    first = next(iter(asked.values()))
    if first is None or any(one is None for one in asked.values()):
        return schema.Command(cli=None, python=UNKNOWN)
    methods = {name: one.arguments.get("method", {"code": "'lrp'"}) for name, one in asked.items() if one is not None}
    named = all(one.get("code") == repr(name) for name, one in methods.items())
    codes = [one.get("code") for one in methods.values()]
    made: dict[str, str]
    if any(code is None for code in codes):
        made = {"words": "the methods " + ", ".join(one.get("words", one.get("code", "")) for one in methods.values())}
    elif named:
        made = {"code": f"[{', '.join(map(str, codes))}]"}
    else:
        made = {"code": "{" + ", ".join(f"{name!r}: {code}" for name, code in zip(methods, codes, strict=True)) + "}"}
    others = {name: one for name, one in first.arguments.items() if name not in ("x", "method")}
    whole = Python("compare", first.model, {"x": first.arguments.get("x", {}), "methods": made} | others, first.then)
    e = next(iter(explanations.values()))
    cli = shell(e, first._replace(arguments={k: v for k, v in first.arguments.items() if k != "method"})) if named else None
    cli = None if cli is None else cli.replace("pellucid explain", "pellucid compare", 1) + f" --methods {','.join(methods)}"
    return schema.Command(cli=cli, python=lines(whole))


def python_of(provenance: Mapping[str, Any]) -> Python | None:
    """The call that a provenance keeps; None where it keeps none."""
    call = provenance.get(CALL)
    if not isinstance(call, Mapping):
        return None
    arguments, then = dict(call["arguments"]), list(provenance.get(THEN, ()))
    typed = provenance.get(AGAIN)
    if isinstance(typed, Mapping) and "picture" in provenance and "code" not in arguments.get("x", {}):
        arguments["x"] = {"code": repr(provenance["picture"])}  # what the shell read was a table, say
        row = typed.get("target", {}).get("row")
        then = [f"[{row}]", *then] if row is not None else then
    return Python(call["verb"], call["model"], arguments, then)


# -- Python -------------------------------------------------------------------------------------------------------------------


def lines(asked: Python) -> str:
    """The lines of Python, with a comment for everything that is to be filled in."""
    name = NAMES.get(asked.verb, "result")
    imports = [f"import {module}" for module in asked.model.get("imports", ())]
    given = [("model", asked.model)] if "load" not in asked.model else []
    given += [(what, one) for what, one in asked.arguments.items() if "code" not in one]
    missing = [f"{what} = ...  # to be filled in: {one.get('words', 'not known')}" for what, one in given]
    load = [] if "load" not in asked.model else [f"model = pl.load({load_arguments(asked.model['load'])})"]
    call = ", ".join(["model", *(part(asked.verb, what, one) for what, one in asked.arguments.items())])
    return "\n".join(
        [*imports, "import pellucid as pl", "", *load, *missing, f"{name} = pl.{asked.verb}({call}){''.join(asked.then)}"]
    )


def part(verb: str, name: str, one: Mapping[str, str]) -> str:
    """An argument of the call."""
    code = one.get("code", name)
    return code if name == "x" or (verb, name) == ("compare", "methods") else f"{name}={code}"


def load_arguments(how: Mapping[str, str]) -> str:
    """The arguments of `load`."""
    return ", ".join(code if name == "source" else f"{name}={code}" for name, code in how.items())


# -- the shell ----------------------------------------------------------------------------------------------------------------


def shell(e: Explanation, asked: Python) -> str | None:
    """The line for the shell; None where the shell cannot say it."""
    typed = e.provenance.get(AGAIN)
    words = typed_words(e, typed) if isinstance(typed, Mapping) else called_words(e, asked)
    return None if words is None else " ".join(map(shlex.quote, words))


def typed_words(e: Explanation, typed: Mapping[str, Any]) -> list[str] | None:
    """What was typed, with a row of a table named where this is one of them."""
    then = list(e.provenance.get(THEN, ()))
    rows = [one[1:-1] for one in then if re.fullmatch(r"\[\d+\]", one)]
    if len(rows) < len(then) or len(rows) > 1:
        return None
    words = ["pellucid", "explain", *(["--text", e.provenance["text"]] if "text" in e.provenance else [e.provenance["picture"]])]
    words += [*options(typed.get("model", {})), "--method", str(typed.get("method", "lrp"))]
    words += [word for name, value in typed.get("with", {}).items() for word in ("--with", f"{name}={value}")]
    words += options(typed.get("target", {}))
    words += [] if typed.get("target", {}).get("verify") else ["--no-verify"]
    return words + (["--row", rows[0]] if rows else [])


def options(typed: Mapping[str, Any]) -> list[str]:
    """Options as they are typed."""
    words: list[str] = []
    for name, value in typed.items():
        if name == "verify" or (name == "interpolation" and value == "bicubic"):
            continue
        flag = f"--{name}"
        if isinstance(value, (list, tuple)):
            value = ",".join(map(str, value))
        words += [flag] if value is True else [flag, str(value)]
    return words


def called_words(e: Explanation, asked: Python) -> list[str] | None:
    """What the shell is to be told for a call of Python; None where it has no word for part of it."""
    load, arguments = asked.model.get("load"), asked.arguments
    if load is None or asked.then or not set(load) <= {"source", "trust", "dtype"}:
        return None
    of_text = isinstance(e.subject, Tokens)
    values = {name: plain(one) for name, one in arguments.items()}
    if any(value is None for value in values.values()) or not isinstance(values.get("x"), str):
        return None
    words = ["pellucid", "explain", *(["--text", values["x"]] if of_text else [values["x"]])]
    words += ["--model", literal_eval(load["source"]), *(["--trust"] if "trust" in load else [])]
    words += ["--dtype", literal_eval(load["dtype"])] if "dtype" in load else []
    for name in ("method", "target", "versus", "at"):
        if name in values:
            if isinstance(values[name], int) and (of_text or values[name] < 0):
                return None
            words += [f"--{name}", str(values[name])]
    words += ["--strict"] if values.get("strict") is True else []
    words += ["--no-verify"] if "verify" in values and values["verify"] is False else []
    known = {"x", "method", "target", "versus", "at", "strict", "verify"}
    return words if set(values) <= known and not any(isinstance(values.get(name), (list, dict)) for name in known) else None


def plain(one: Mapping[str, str]) -> Any:
    """The value of an argument that is a plain literal; None of all others."""
    try:
        return literal_eval(one["code"])
    except (KeyError, ValueError, SyntaxError):
        return None
