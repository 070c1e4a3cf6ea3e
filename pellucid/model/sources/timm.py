"""`timm:NAME`: the architectures of timm, with weights of its hub, of a file, or at random."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pellucid.errors import ModelError
from ..model import Model
from . import availability, huggingface, metadata, torchvision
from .checkpoint import digest, initialised, with_weights
from .reference import Reference

HOST = "huggingface.co"


def load(reference: Reference, trust: bool) -> Model:
    """A network of timm; without a file of weights its trained ones are used: those on this machine, or else from the hub."""
    torchvision.imported(str(reference))  # timm imports it
    timm = availability.optional(str(reference), "timm", "hub")
    create = _builder(timm, reference)
    maker = f"timm {timm.__version__}"
    if reference.random:
        module, source, fingerprint = initialised(create), f"{maker}, random weights", None
    elif reference.weights:
        module, fingerprint = with_weights(reference, create, trust)
        source = f"{maker}, weights of {reference.weights}"
    else:
        module, source, fingerprint = _trained(timm, reference, create, maker)
    model = metadata.with_metadata(Model(module, reference.name, source, module, fingerprint=fingerprint))
    if not reference.random and not reference.weights:
        return model
    notes = ("The weights are random: the network is untrained.",) if reference.random else ()
    return replace(model, labels=None, notes=notes)  # what its outputs are called was never learned, or is not known


def _builder(timm: ModuleType, reference: Reference) -> Any:
    """What makes the network, if timm knows the name."""
    architecture, _, tag = reference.name.partition(".")
    names = timm.list_models()
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")] if architecture in names else []
    if architecture not in names or (tag and tag not in tags):
        known = [f"{architecture}.{tag}" for tag in tags] if architecture in names else names
        near = ", ".join(get_close_matches(reference.name, known, n=3, cutoff=0.5))
        do = f"Nearest: {near}." if near else "timm.list_models() lists them."
        why = (
            f"timm {timm.__version__} has {len(names)} architectures" if architecture not in names else "no weights have that tag"
        )
        raise ModelError(f"model {reference}", f"no {reference.name} in timm", why, do)
    return partial(timm.create_model, reference.name)


def _trained(timm: ModuleType, reference: Reference, create: Any, maker: str) -> tuple[nn.Module, str, str | None]:
    cfg = timm.get_pretrained_cfg(reference.name)
    do = f"Give a file of weights: {reference}@weights.safetensors; or look at the architecture alone: {reference}?random."
    if cfg is None or not cfg.has_weights:
        why = "none were published for timm"
        raise ModelError(f"model {reference}", "an architecture without trained weights", why, do)
    name = f"{cfg.hf_hub_id or cfg.url}"
    files = ("model.safetensors", "pytorch_model.bin") if cfg.hf_hub_id else ()
    paths = (huggingface.cached(cfg.hf_hub_id, file) for file in files)  # of an earlier download
    here = next((Path(path) for path in paths if path), None)
    if here is not None:
        module = create(pretrained=True, pretrained_cfg_overlay={"file": here})
        return module.eval(), f"{maker}, weights {name}", digest(here)
    if not availability.answers(HOST):
        raise availability.unreachable(str(reference), HOST, do)
    try:
        return create(pretrained=True).eval(), f"{maker}, weights {name}", None
    except Exception as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ModelError(f"model {reference}", found, "its trained weights could not be fetched", do) from None
