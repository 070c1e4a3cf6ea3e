"""Explanations in files: whole ones that come back bit for bit, and summaries for other programs."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import OutputError
from pellucid.model.modality import from_plain, to_plain
from .explanation import Explanation
from .ledger import Ledger, Row
from .regions import Region

SUBJECT = "subject."  # before the names of a subject's tensors in a file


def load_explanation(path: str | os.PathLike[str]) -> Explanation:
    """Read what `Explanation.save` wrote; every value comes back bit for bit.

    Raises:
        OutputError: There is no such file, or it is not an explanation.
    """
    fields, tensors = unpack(Path(path))
    fields |= {name: tuple(fields.get(name, ())) for name in ("notes", "targets", "through", "doubts")} | {
        "classes": tuple(map(tuple, fields["classes"]))
    }
    picture = tensors["picture"].numpy() if "picture" in tensors else None
    rows, plain = fields.pop("rows"), fields.pop("subject", None)
    if rows is not None:
        entries = (Row(where, op, cause, tensors[f"ledger.row.{n}"]) for n, (where, op, cause) in enumerate(rows))
        fields["ledger"] = Ledger(tensors["ledger.seed"], tensors["ledger.input"], tuple(entries))
    if plain is not None:
        parts = {name.removeprefix(SUBJECT): tensor for name, tensor in tensors.items() if name.startswith(SUBJECT)}
        fields["subject"] = from_plain(plain, parts)
    return Explanation(tensors["values"], tensors["output"], picture=picture, error=tensors.get("error"), **fields)


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
    names = "target method signed notes provenance at classes targets shared forwards adds through"
    subject = None if e.subject is None else to_plain(e.subject)[0]
    rows = None if e.ledger is None else [(row.where, row.op, row.cause) for row in e.ledger.rows]
    return {name: getattr(e, name) for name in names.split()} | {"subject": subject, "rows": rows} | _doubts(e)


def _doubts(e: Explanation) -> dict[str, Any]:
    """What may make the values wrong, where anything may: most explanations have no such entry."""
    return {"doubts": e.doubts} if e.doubts else {}


def unpack(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a file that `Explanation.save` wrote."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    request, do = f"load {path}", "Load a .safetensors file that Explanation.save wrote."
    try:
        data = path.read_bytes()
        tensors: dict[str, Tensor] = load(data)
    except OSError as error:
        raise OutputError(request, error.strerror or str(error), "it cannot be read", do) from None
    except SafetensorError as error:
        raise OutputError(request, str(error), "it is not a whole safetensors file", do) from None
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    if "pellucid" not in metadata:
        raise OutputError(request, f"tensors {', '.join(sorted(tensors)) or 'none'}", "they are no explanation", do)
    return json.loads(metadata["pellucid"]), tensors


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
            "subject": None if subject is None else {"kind": subject.kind, "samples": samples},
            "ledger": None if e.ledger is None else ledger_to_dict(e.ledger),
        }
        | _doubts(e)
    )


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
