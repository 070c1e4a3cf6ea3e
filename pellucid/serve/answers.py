"""Answers: what the computing process makes of a question. Every answer is that of the Python call, to the bit."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from pellucid.catalogue.methods import entry
from pellucid.catalogue.settings import parsed
from pellucid.core.files import finite
from pellucid.core.formats import encoded
from pellucid.core.progress import viewed
from pellucid.errors import InputError
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method
from pellucid.methods import perturb
from pellucid.model import Model
from pellucid.model.readers.rows import parse_csv
from pellucid.render.document import document
from pellucid.render.parts.pixels import painted
from pellucid.synth.pictures import picture_files
from pellucid.verbs.compare import compare
from pellucid.verbs.concepts import concepts
from pellucid.verbs.evaluate import evaluate
from pellucid.verbs.examples import examples
from pellucid.verbs.explain import explain
from pellucid.verbs.hide import hide
from pellucid.verbs.layer_relevance import layer_relevance
from pellucid.verbs.maximize import maximize
from pellucid.verbs.units import units_at
from . import facts
from .upload import Input, Kind

Question = Mapping[str, Any]
Show = Callable[[str], None]
OTHER_INPUT = "Choose an input of the kind that the model reads."
IMPUTERS: dict[str, Callable[[], Any]] = {
    "blur": lambda: None,  # what `hide` takes by itself
    "mean": perturb.mean,
    "noise": perturb.noise,
    "zero": lambda: 0.0,
}


def answer(model: Model, kind: str, question: Question, inputs: Mapping[str, Input], show: Show) -> tuple[bytes, bytes | None]:
    """The document that answers a question, and the values behind it as safetensors where there are any."""
    if kind == "report":
        return facts.report(question), None
    if kind in ("tests", "cases", "curves"):
        from . import stored

        return plain(stored.STORED[kind](stored.bench(model, question["opened"]), question)), None
    if kind in FACTS:
        return plain(FACTS[kind](model)), None
    one = inputs.get(question.get("input", ""))
    result = of_file(ANSWERS[kind](model, opened(model, one, question), question, show), one)
    if isinstance(result, dict):
        return plain(result), None
    values = encoded(result, "explanation", ".safetensors") if isinstance(result, Explanation) else None
    return plain(document(result)), values


def plain(data: Any) -> bytes:
    """Data as JSON, without numbers that are not finite; names of files that are no text get question marks."""
    return json.dumps(finite(data), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def opened(model: Model, one: Input | None, question: Question) -> Any:
    """An input as the verbs take it: pixels, a text, a row, or the bytes of a sound.

    Raises:
        InputError: the model reads inputs of another kind. To most models the words of a text would be the path of a file.
    """
    if one is None:
        return None
    reads = facts.reads(model)
    if one.kind != reads:
        found = "a model that does not say how it reads anything" if reads == "nothing" else f"a model that reads {reads}s"
        raise InputError(f"an answer about a {one.kind}", found, "it is of another kind", OTHER_INPUT)
    return OPEN[one.kind](one.content, question)


def of_file(result: Any, one: Input | None) -> Any:
    """The result with the name of the file that was uploaded in its command, which repeats it where that file is."""
    if one is None or one.kind not in ("picture", "sound") or not (name := Path(one.name).name):
        return result
    if isinstance(result, Comparison):
        return replace(result, explanations={method: of_file(e, one) for method, e in result.explanations.items()})
    if not isinstance(result, Explanation):
        return result
    call = result.provenance["call"]
    named = call | {"arguments": call["arguments"] | {"x": {"code": repr(f"./{name}" if name.startswith("-") else name)}}}
    return replace(result, provenance=result.provenance | {"call": named})


def row_of(rows: list[dict[str, Any]], row: int) -> list[dict[str, Any]]:
    """One row of a table.

    Raises:
        InputError: there are not so many.
    """
    if row >= len(rows):
        raise InputError(f"row {row}", f"{len(rows)} rows", "there is no such row", f"Ask for one of 0-{len(rows) - 1}.")
    return [rows[row]]


def configured(question: Question) -> Method:
    """The method, with its settings as they were typed."""
    chosen = entry(question["method"])
    method: Method = chosen.make(**parsed(chosen, "method", question["settings"]))
    return method


def about(question: Question) -> dict[str, Any]:
    """Target and what it is compared with."""
    return {"target": question["target"], "versus": question["versus"]}


def explained(model: Model, x: Any, question: Question, show: Show) -> Explanation:
    e: Explanation = explain(model, x, question["target"], configured(question), versus=question["versus"], at=question["at"])
    return e


def compared(model: Model, x: Any, question: Question, show: Show) -> Any:
    return compare(model, x, question["methods"], **about(question))


def conceived(model: Model, x: Any, question: Question, show: Show) -> Any:
    return concepts(model, x, question["target"], at=question["at"], top=question["top"], against=question["against"])


def measured(model: Model, x: Any, question: Question, show: Show) -> Any:
    return evaluate(model, [x], question["methods"], question["metrics"], question["target"])


def portrayed(model: Model, x: Any, question: Question, show: Show) -> Any:
    """The portrait; while it is drawn, it is shown."""
    with viewed(lambda draw: show(small_picture(draw()))):
        return maximize(model, question["target"], question["recipe"], seed=question["seed"], steps=question["steps"])


def exemplified(model: Model, x: Any, question: Question, show: Show) -> Any:
    return examples(model, question["target"], pictures_within(Path(question["folder"])), top=question["top"])


def pictures_within(folder: Path) -> list[Path]:
    """The pictures of a folder that the operator opened; none that a link in it would fetch from elsewhere.

    Raises:
        InputError: there are none.
    """
    found = [path for path in picture_files(folder) if path.resolve().is_relative_to(folder.resolve())]
    if not found:
        raise InputError(
            "pictures of a folder", "links to elsewhere alone", "they are not followed", "Open the folder they lead to."
        )
    return found


def small_picture(images: Tensor) -> str:
    """The first of some pictures in [0, 1], as an address that holds it."""
    out = BytesIO()
    Image.fromarray(painted(images[0].cpu(), bounded=True)).save(out, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"


def probed(model: Model, x: Any, question: Question, show: Show) -> dict[str, Any]:
    return PROBES[question["what"]](model, x, question)


def hidden(model: Model, x: Any, question: Question) -> dict[str, Any]:
    """What hiding a part changes."""
    mask = part_mask(question["part"], model, x)
    imputer = IMPUTERS[question["imputer"]]()
    test = hide(model, x, mask, wanted(model, x, question), imputer=imputer, controls=question["controls"])
    return {"kind": "hide", **test.to_dict()}


def wanted(model: Model, x: Any, question: Question) -> Any:
    """The target of a measurement: a class, or the difference of two."""
    from pellucid.verbs.contrast import against

    return against(question["target"], question["versus"])


def part_mask(part: Mapping[str, Any] | None, model: Model, x: Any) -> Tensor:
    """The mask that a request describes, over the places of the input as the model reads it.

    Raises:
        InputError: it does not describe one.
    """
    asked, do = "a part of the input", "Mark it once more."
    if part is None:
        raise InputError(asked, "none", "there is nothing to hide", do)
    numbers = part["numbers"]
    if part["kind"] == "places":
        mask = torch.zeros(max(place_count(model, x), 1), dtype=torch.bool)
        if max(numbers) >= len(mask):
            raise InputError(asked, f"place {max(numbers)} of {len(mask)}", "there is no such place", do)
        return mask.index_fill(0, torch.tensor(numbers), True)
    height, width = model.read(x).shape[-2:]
    if part["kind"] == "mask":
        return from_runs(numbers, height, width)
    top, left, bottom, right = (*numbers, 0, 0, 0)[:4]
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def place_count(model: Model, x: Any) -> int:
    """How many tokens a text has, or columns a row."""
    columns = getattr(model.preprocess, "columns", None)
    return len(columns) if columns is not None else int(model.read(x).shape[1])


def from_runs(runs: list[int], height: int, width: int) -> Tensor:
    """A mask from the lengths of its runs, row by row; the first lies outside.

    Raises:
        InputError: they do not cover the picture.

    Example:
        >>> from_runs([1, 3], 2, 2)
        tensor([[False,  True],
                [ True,  True]])
    """
    if sum(runs) != height * width:
        found = f"runs over {sum(runs):,} places, and a picture of {height} x {width}"
        raise InputError("a part of the picture", found, "runs cover every place once", "Mark it once more.")
    inside = torch.arange(len(runs)) % 2 == 1
    return inside.repeat_interleave(torch.tensor(runs)).reshape(height, width)


def firing(model: Model, x: Any, question: Question) -> dict[str, Any]:
    """Which units of a layer answer at a place."""
    mask = part_mask(question["part"], model, x)
    return {"kind": "units", **units_at(model, x, mask, at=question["at"]).to_dict()}


def carrying(model: Model, x: Any, question: Question) -> dict[str, Any]:
    """How much of the relevance every layer carries."""
    found = layer_relevance(model, x, wanted(model, x, question))
    return {"kind": "layers", "layers": [one._asdict() for one in found]}


OPEN: dict[Kind, Callable[[bytes, Question], Any]] = {
    "picture": lambda content, question: Image.open(BytesIO(content)),
    "text": lambda content, question: content.decode(),
    "table": lambda content, question: row_of(parse_csv(content.decode()), question["row"]),
    "sound": lambda content, question: content,
}
FACTS: dict[str, Callable[[Model], dict[str, Any]]] = {"facts": facts.facts, "card": facts.card}
PROBES: dict[str, Callable[[Model, Any, Question], dict[str, Any]]] = {"hide": hidden, "units": firing, "layers": carrying}
ANSWERS: dict[str, Callable[[Model, Any, Question, Show], Any]] = {
    "explanations": explained,
    "compare": compared,
    "concepts": conceived,
    "metrics": measured,
    "portraits": portrayed,
    "examples": exemplified,
    "probes": probed,
}
