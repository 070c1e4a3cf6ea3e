"""Explanations in files: whole ones that come back bit for bit, and summaries for other programs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import torch
from torch import Tensor

from pellucid.core.conforms import conforms
from pellucid.core.files import parse_json
from pellucid.core.tensors import read_tensors
from pellucid.errors import OutputError
from pellucid.model.modality import Generated, from_plain, to_plain, tupled
from .explanation import Explanation
from .ledger import Ledger, Row
from .regions import Region

SUBJECT = "subject."  # before the names of a subject's tensors in a file
HEADER = (
    *("target", "method", "signed", "notes", "provenance", "at", "classes", "targets", "shared", "forwards", "adds", "through"),
    *("doubts", "contrast", "choices", "names", "labels"),  # only where there are any
)
SOMETIMES = HEADER[-5:]
REMEDY = "Load a .safetensors file that Explanation.save wrote."


def load_explanation(path: str | os.PathLike[str]) -> Explanation:
    """Read what `Explanation.save` wrote; every value comes back bit for bit.

    Raises:
        OutputError: There is no such file, or it is not an explanation.
    """
    told, tensors = unpack(Path(path))
    try:
        e = assembled(told, tensors)
        e.caption(), e.heat()  # what everything that draws it begins with
    except OutputError:
        raise
    except Exception as error:  # whatever a file made by someone else leads to
        found = f"parts that do not belong together ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        raise OutputError(f"load {path}", found, "it is damaged, or of another version", REMEDY) from None
    return e


def assembled(told: Any, tensors: dict[str, Tensor]) -> Explanation:
    """The explanation that a file describes.

    Arguments:
        told: What its header says.

    Raises:
        ValueError, KeyError, TypeError: it describes none.
    """
    if not isinstance(told, dict):
        raise ValueError(f"a header that is a {type(told).__name__}")
    fields = {name: tupled(value) for name, value in told.items()}
    rows, plain = fields.pop("rows", None), fields.pop("subject", None)
    hints = get_type_hints(Explanation)
    wrong = [name for name, value in fields.items() if name not in HEADER or not conforms(value, hints[name])]
    if wrong:
        raise ValueError(f"the field {wrong[0]!r}")
    ledger = None if rows is None else _ledger(rows, tensors)
    parts = {name.removeprefix(SUBJECT): tensor for name, tensor in tensors.items() if name.startswith(SUBJECT)}
    subject = None if plain is None else from_plain(plain, parts)
    picture = tensors["picture"].numpy() if "picture" in tensors else None
    e = Explanation(
        tensors["values"],
        tensors["output"],
        picture=picture,
        error=tensors.get("error"),
        ledger=ledger,
        subject=subject,
        **fields,
    )
    check(e)
    return e


def _ledger(rows: Any, tensors: dict[str, Tensor]) -> Ledger:
    if not conforms(rows, tuple[tuple[str, str, str], ...]):
        raise ValueError("the rows of the ledger")
    entries = (Row(where, op, cause, tensors[f"ledger.row.{n}"]) for n, (where, op, cause) in enumerate(rows))
    return Ledger(tensors["ledger.seed"], tensors["ledger.input"], tuple(entries))


def check(e: Explanation) -> None:
    """Refuse parts whose shapes do not fit one another.

    Raises:
        ValueError: some do not.
    """
    count, ledger = (len(e.values) if e.values.dim() else 0), e.ledger
    columns = () if ledger is None else (ledger.seed, ledger.input, *(row.amount for row in ledger.rows))
    shape = () if e.picture is None else e.picture.shape
    fits = {
        "values": e.values.dim() > 1 and e.values.numel() > 0 and e.values.is_floating_point(),
        "output": tuple(e.output.shape) == (count,) and e.output.is_floating_point(),
        "error": e.error is None or (e.error.shape == e.values.shape and e.error.is_floating_point()),
        "ledger": all(tuple(column.shape) == (count,) and column.is_floating_point() for column in columns),
        "targets": all(len(field) in (0, count) for field in (e.targets, e.through, e.contrast, e.choices, e.names, e.labels)),
        "picture": e.picture is None or (str(e.picture.dtype) == "uint8" and _is_picture(shape, count)),
        "subject": e.subject is None or e.subject.fits(e.values),
    }
    wrong = [name for name, fine in fits.items() if not fine]
    if wrong:
        raise ValueError(f"the {wrong[0]} of {count} samples")


def _is_picture(shape: tuple[int, ...], count: int) -> bool:
    """(height, width, 3), or one for each sample."""
    return len(shape) in (3, 4) and shape[-1] == 3 and 0 not in shape and (len(shape) == 3 or shape[0] == count)


def to_safetensors(e: Explanation) -> bytes:
    """All of it: tensors as they are, everything else as JSON in the header under "pellucid"."""
    from safetensors.torch import save

    tensors = {"values": e.values, "output": e.output}
    if e.error is not None:
        tensors["error"] = e.error
    if e.picture is not None:
        tensors["picture"] = torch.from_numpy(np.array(e.picture))
    if e.subject is not None:
        tensors |= {f"{SUBJECT}{name}": tensor for name, tensor in to_plain(e.subject)[1].items()}
    if e.ledger is not None:
        tensors |= {"ledger.seed": e.ledger.seed, "ledger.input": e.ledger.input}
        tensors |= {f"ledger.row.{index}": row.amount for index, row in enumerate(e.ledger.rows)}
    # Cloned, since the format refuses tensors that share memory, as a seed and the output may.
    owned = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    return save(owned, metadata={"pellucid": json.dumps(header(e), default=str)})


def header(e: Explanation) -> dict[str, Any]:
    """What the tensors of an explanation do not say."""
    subject = None if e.subject is None else to_plain(e.subject)[0]
    rows = None if e.ledger is None else [(row.where, row.op, row.cause) for row in e.ledger.rows]
    usual = {name: getattr(e, name) for name in HEADER if name not in SOMETIMES}
    return usual | {"subject": subject, "rows": rows} | _sometimes(e)


def _sometimes(e: Explanation) -> dict[str, Any]:
    """What may make the values wrong, and what is compared: most explanations have no such entries."""
    return {name: getattr(e, name) for name in SOMETIMES if getattr(e, name)}


def _sinks(e: Explanation) -> dict[str, Any]:
    """The sinks of every text, where any has some."""
    found = [[piece._asdict() for piece in one.sinks()] for one in e]
    return {"sinks": found} if any(found) else {}


def unpack(path: Path) -> tuple[Any, dict[str, Tensor]]:
    """Header and tensors of a file that `Explanation.save` wrote."""
    request = f"load {path}"
    metadata, tensors = read_tensors(path, request, REMEDY)
    if "pellucid" not in metadata:
        raise OutputError(request, f"tensors {', '.join(sorted(tensors)[:5]) or 'none'}", "they are no explanation", REMEDY)
    try:
        return parse_json(metadata["pellucid"]), tensors
    except ValueError as error:
        raise OutputError(request, f"a header that is no JSON ({error})", "it is damaged", REMEDY) from None


def summary(e: Explanation) -> dict[str, Any]:
    """The explanation as plain data: captions, ledger, and of the values a summary without arrays."""
    keys = "method", "target", "targets", "at", "through", "signed", "notes", "provenance", "forwards"
    subject = e.subject
    samples = [] if subject is None else [subject.to_dict(e.heat(sample), sample) for sample in range(len(e))]
    flat = e.values.detach().cpu().double().reshape(len(e), -1)
    return (
        {name: getattr(e, name) for name in keys}
        | {
            "output": e.output.tolist(),
            "caption": [one.caption() for one in e],
            "classes": [dict(zip(("index", "label", "probability"), entry, strict=True)) for entry in e.classes],
            "values": {
                "shape": list(e.values.shape),
                "dtype": str(e.values.dtype).removeprefix("torch."),
                "finite": flat.isfinite().all(1).tolist(),
                "sum": flat.sum(1).tolist(),
                "absolute_sum": flat.abs().sum(1).tolist(),
                "minimum": flat.amin(1).tolist(),
                "maximum": flat.amax(1).tolist(),
                "standard_error": None if e.error is None else e.error.double().reshape(len(e), -1).amax(1).tolist(),
                "reliability": None if e.error is None else [one.reliability() for one in e],
            },
            "regions": [[region_to_dict(region) for region in one.regions()] for one in e],
            "subject": None if subject is None else {"kind": subject.kind, "samples": samples} | _matrices(e),
            "ledger": None if e.ledger is None else ledger_to_dict(e.ledger),
        }
        | _sometimes(e)
        | _sinks(e)
    )


def _matrices(e: Explanation) -> dict[str, Any]:
    """Of generated texts, a matrix for each prompt: the values, and the tokens that its rows and columns are of."""
    if not isinstance(e.subject, Generated):
        return {}
    found = [(number, e.matrix(number)) for number in e.subject.prompt_numbers]
    return {"matrices": [{"prompt": number, **one._asdict(), "values": one.values.tolist()} for number, one in found]}


def region_to_dict(region: Region) -> dict[str, Any]:
    """A region as plain data, without its mask."""
    names = "box", "evidence", "share_for", "share_against", "area", "parts"
    return {"speaks": "against" if region.against else "for"} | {name: getattr(region, name) for name in names}


def ledger_to_dict(ledger: Ledger) -> dict[str, Any]:
    """The ledger as plain data, one entry per sample in every list."""
    return {name: getattr(ledger, name).tolist() for name in ("seed", "input", "absorbed", "error")} | {
        "by_cause": {cause: amount.tolist() for cause, amount in ledger.by_cause().items()},
        "rows": [{"where": row.where, "op": row.op, "cause": row.cause, "amount": row.amount.tolist()} for row in ledger.rows],
    }
