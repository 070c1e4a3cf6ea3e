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
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from pellucid.core.files import parse_json
from pellucid.core.tensors import read_tensors
from pellucid.core.version import __version__
from pellucid.errors import OutputError
from .codes import Codes
from .decoder import Architecture, Decoder, channels_last, head, stages, tints
from .encoder import Place

REMEDY = "Name a file that GeneratorPrior.save wrote, or fit anew."
LARGEST = 10**8  # numbers of a code or a picture
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
        plan = _plan(about, tensors)
        decoder = Decoder(plan, torch.Generator("cpu").manual_seed(0))
        decoder.load_state_dict({name[8:]: tensor for name, tensor in tensors.items() if name.startswith("decoder.")})
        mean, sd, low, high = (tensors[f"codes.{name}"] for name in STATISTICS)
        codes = Codes(plan.code, mean, sd, low, high, tensors.get("codes.bank"))
        _check(codes, plan, [tensors[name] for name in ("low", "high") if name in tensors])
        place = Place(str(about["module"]), bool(about["incoming"]))
        rest = dict(about["provenance"]), tuple(map(str, about["notes"]))
    except Exception as error:  # whatever a file made by someone else leads to
        raise _damaged(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    channels_last(decoder.eval().requires_grad_(False))
    return Parts(decoder, codes, tensors.get("low"), tensors.get("high"), place, *rest)


def _plan(about: Any, tensors: dict[str, Tensor]) -> Architecture:
    """The shapes that a file claims, held against its tensors before memory is taken for them."""
    code, picture, width = tuple(about["code"]), tuple(about["picture"]), about["width"]
    if not all(type(size) is int for size in (*code, *picture, width)) or max(math.prod(code), math.prod(picture)) > LARGEST:
        raise ValueError(f"codes of shape {code}, pictures of shape {picture}")
    plan = Architecture(code, picture, width, bool(about["bounded"]))
    with torch.device("meta"):
        parts = {"head": head(plan), "stages": stages(plan), "tints": tints(plan)}
    sizes = {f"decoder.{name}.{key}": value.shape for name, part in parts.items() for key, value in part.state_dict().items()}
    wrong = next((name for name, size in sizes.items() if name not in tensors or tensors[name].shape != size), None)
    if wrong is not None:
        raise ValueError(f"no {wrong} of shape {tuple(sizes[wrong])}")
    return plan


def _check(codes: Codes, plan: Architecture, bounds: list[Tensor]) -> None:
    """Refuse statistics that do not fit the codes, and bounds that do not fit the pictures."""
    for shape, found in ((plan.code, [codes.mean, codes.sd, codes.low, codes.high]), (plan.picture, bounds)):
        for one in found:
            fits = tuple(one.expand(shape).shape) == shape  # else it raises
            if not fits or not one.is_floating_point() or not bool(one.isfinite().all()):
                raise ValueError(f"statistics of shape {tuple(one.shape)} for shape {shape}")
    if codes.bank is not None and (tuple(codes.bank.shape[1:]) != plan.code or not len(codes.bank)):
        raise ValueError(f"a bank of shape {tuple(codes.bank.shape)} of codes of shape {plan.code}")


def _opened(path: Path) -> tuple[Any, dict[str, Tensor]]:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise OutputError(f"The prior in {path}", found, "there is nothing to read", REMEDY)
    metadata, tensors = read_tensors(path, f"The prior in {path}", REMEDY)
    if "prior" not in metadata:
        raise _damaged(path, "a safetensors file without a prior")
    try:
        return parse_json(metadata["prior"]), tensors
    except ValueError as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None


def _damaged(path: str | os.PathLike[str], found: str) -> OutputError:
    return OutputError(f"The prior in {path}", found, "nothing can be built from it", REMEDY)
