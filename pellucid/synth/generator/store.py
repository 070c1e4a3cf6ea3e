"""The file of a prior: safetensors, so that opening one runs no code.

Metadata: `pellucid` (the version that wrote it), and `prior`, a JSON object with

    code, picture  the shapes of a code and of a picture          width, bounded  see `Architecture`
    module, incoming  the layer whose values are the codes, and whether it is what goes into it
    provenance, notes  how it was fitted: model, steps, seconds, seed, losses, distances on pictures seen and held out

Tensors: `decoder.*`, the state dict of `Decoder(Plan(...))`; `codes.mean`, `codes.sd`, `codes.low`, `codes.high`, which broadcast
over a code; `codes.bank`, some codes of data; and, where pictures have bounds, `low` and `high`: what 0 and 1 are in the
network's units. All are float32.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pellucid.core.version import __version__
from pellucid.errors import OutputError
from .codes import Codes
from .decoder import Architecture, Decoder, channels_last
from .encoder import Place

REMEDY = "Name a file that GeneratorPrior.save wrote, or fit anew."
STATISTICS = ("mean", "sd", "low", "high")


class Parts(NamedTuple):
    """What a prior consists of, in the order of the fields of `GeneratorPrior`, which says what they are."""

    generator: nn.Module
    codes: Codes
    low: Tensor | None
    high: Tensor | None
    place: Place | None
    provenance: dict[str, Any]
    notes: tuple[str, ...]


def to_safetensors(prior: Parts) -> bytes:
    """The bytes of a prior's file."""
    assert isinstance(prior.generator, Decoder)
    plan, place = prior.generator.plan, prior.place or Place("")
    tensors = {f"decoder.{name}": tensor for name, tensor in prior.generator.state_dict().items()}
    tensors |= {f"codes.{name}": getattr(prior.codes, name) for name in STATISTICS}
    tensors |= {} if prior.codes.bank is None else {"codes.bank": prior.codes.bank}
    tensors |= {name: bound for name in ("low", "high") if (bound := getattr(prior, name)) is not None}
    about = {"code": plan.code, "picture": plan.picture, "width": plan.width, "bounded": plan.bounded}
    about |= {"module": place.module, "incoming": place.incoming, "provenance": prior.provenance, "notes": prior.notes}
    metadata = {"pellucid": __version__, "prior": json.dumps(about)}
    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, metadata)


def read(path: str | os.PathLike[str]) -> Parts:
    """The parts of the prior in a file.

    Raises:
        OutputError: the file is not there, damaged, or not one of a prior.
    """
    about, tensors = _opened(Path(path))
    try:
        plan = Architecture(tuple(about["code"]), tuple(about["picture"]), int(about["width"]), bool(about["bounded"]))
        decoder = Decoder(plan, torch.Generator("cpu").manual_seed(0))
        decoder.load_state_dict({name[8:]: tensor for name, tensor in tensors.items() if name.startswith("decoder.")})
        mean, sd, low, high = (tensors[f"codes.{name}"] for name in STATISTICS)
        codes = Codes(plan.code, mean, sd, low, high, tensors.get("codes.bank"))
        place = Place(str(about["module"]), bool(about["incoming"]))
        rest = dict(about["provenance"]), tuple(map(str, about["notes"]))
    except Exception as error:  # whatever a file made by someone else leads to
        raise _damaged(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    channels_last(decoder.eval().requires_grad_(False))
    return Parts(decoder, codes, tensors.get("low"), tensors.get("high"), place, *rest)


def _opened(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise OutputError(f"The prior in {path}", found, "there is nothing to read", REMEDY)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if "prior" not in metadata:
                raise _damaged(path, "a safetensors file without a prior")
            return json.loads(metadata["prior"]), dict(zip(file.keys(), map(file.get_tensor, file.keys()), strict=True))
    except OutputError:
        raise
    except Exception as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None


def _damaged(path: str | os.PathLike[str], found: str) -> OutputError:
    return OutputError(f"The prior in {path}", found, "nothing can be built from it", REMEDY)
