"""Write the lists of docs/onnx.md, of operations that are read and of those that are not: python docs/make_onnx.py"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import onnx

from pellucid.model.sources.onnx.operation import TABLE
from pellucid.model.sources.onnx.operations import FAMILIES

PAGE = Path(__file__).with_name("onnx.md")
START, END = "<!-- lists: python docs/make_onnx.py -->\n", "<!-- end of lists -->\n"
REASONS = {
    "ImageDecoder": "decodes files of pictures, which has no derivative: decode before the network",
    "RegexFullMatch": "looks for a pattern in text",
    "Gradient": "differentiates inside the file, which trains",
    "Adagrad": "a step of training", "Adam": "a step of training", "Momentum": "a step of training",
    "ai.onnx.ml.CastMap": "turns a dictionary into numbers", "ai.onnx.ml.DictVectorizer": "turns a dictionary into numbers",
}  # fmt: skip


def families() -> dict[str, list[str]]:
    """The operations by what their files say of themselves."""
    found: dict[str, list[str]] = defaultdict(list)
    titles = {family.__name__: str(family.__doc__).splitlines()[0].rstrip(".") for family in FAMILIES}
    for (domain, kind), function in TABLE.items():
        if function.__module__ in titles:
            found[titles[function.__module__]].append(f"{domain}.{kind}" if domain else kind)
    return found


def refused() -> list[str]:
    """Operations of the standard that nothing here computes, and that the standard does not make of others."""
    newest: dict[tuple[str, str], Any] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        old = newest.get((schema.domain, schema.name))
        if old is None or schema.since_version > old.since_version:
            newest[schema.domain, schema.name] = schema
    left = [
        one for key, one in newest.items()
        if key not in TABLE and not (one.has_function or one.has_context_dependent_function)
    ]  # fmt: skip
    names = sorted(_name(one) for one in left)
    return [f"* `{name}`: {REASONS.get(name, REASONS.get(name.rpartition('.')[2], 'not written yet'))}" for name in names]


def _name(schema: Any) -> str:
    return schema.name if schema.domain in ("", "ai.onnx.preview.training") else f"{schema.domain}.{schema.name}"


def lists() -> str:
    known = families()
    lines = [f"{sum(map(len, known.values()))} operations, in every version of the standard:", ""]
    lines += [f"* {title}: {', '.join(f'`{name}`' for name in sorted(names))}." for title, names in sorted(known.items())]
    lines += ["", "Not read, and named where a file has them:", "", *refused(), ""]
    return "\n".join(lines)


def page() -> str:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    return f"{before}{START}\n{lists()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
