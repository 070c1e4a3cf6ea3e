"""The bytes of a shard: a safetensors file whose header says which run and items it is of, with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pellucid.errors import OutputError

HEADER = "pellucid.shard"  # the only key, since several would be written in an order that varies


@dataclass(frozen=True, eq=False)
class Shard:
    """What is in a shard.

    Arguments:
        run: The id of the job it belongs to.
        number: Its place.
        rows: Columns, whose first axis counts the items; "item" has their numbers.
        broken: Keys of items without a row, with the reason.
    """

    run: str
    number: int
    rows: dict[str, Tensor]
    broken: Mapping[str, str]


def to_bytes(run: str, number: int, rows: Mapping[str, Tensor], broken: Mapping[str, str]) -> bytes:
    """The file of a shard; equal content gives equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in rows.items()}
    about = {"run": run, "shard": number, "broken": dict(broken)}
    header = json.dumps(about | {"sha256": checksum(about, tensors)}, sort_keys=True)
    return safetensors.torch.save(tensors, {HEADER: header})


def checksum(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of what a shard says of itself, and of its tensors: names, types, shapes and bits."""
    digest = hashlib.sha256(json.dumps(dict(about), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read(path: Path) -> Shard:
    """A shard from its file.

    Raises:
        OutputError: it is damaged, or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})[HEADER])
            rows = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  an object of Rust, not a dict
        said = about.pop("sha256")
        if said != checksum(about, rows):
            raise ValueError("the checksum does not match")
        return Shard(about["run"], about["shard"], rows, about["broken"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise OutputError(
            f"the shard {path}", found, "it is damaged or unfinished", "Run the same command: it is made anew."
        ) from None
