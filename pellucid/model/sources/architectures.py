"""Architectures: which class of transformers the network of a folder is, by the name in its config.json."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from pellucid.errors import MissingExtra, ModelError
from .weights import few


def of_config(transformers: ModuleType, config: dict[str, Any], request: str) -> Any:
    """The class of a folder's network: the one it was saved as.

    Raises:
        ModelError: no class is named, or none that is there.
        MissingExtra: what the class needs does not import.
    """
    if config.get("auto_map"):
        return transformers.AutoModel
    names = config.get("architectures")
    name = (str(names[0]) if isinstance(names, list) else str(names)) if names else ""
    if not name:
        raise _no_architecture(transformers, config, request)
    try:
        found = getattr(transformers, name, None) if name.isidentifier() else None
    except ImportError as error:
        raise _not_imported(request, name, error) from None
    network = isinstance(found, type) and (issubclass(found, nn.Module) or name.startswith("AutoModel"))
    if not network or not hasattr(found, "from_pretrained"):
        why = f"transformers {transformers.__version__} has no class of that name"
        raise ModelError(f"model {request}", f"the architecture {name}", why, "Install the version it was saved with.")
    return found


def _no_architecture(transformers: ModuleType, config: dict[str, Any], request: str) -> ModelError:
    """The refusal of settings that fit several networks."""
    kind, of_timm = config.get("model_type"), config.get("architecture")
    if kind is None and isinstance(of_timm, str):
        do = f"Load it as one of timm, with its weights: timm:{of_timm}@FOLDER/model.safetensors."
        return ModelError(f"model {request}", f"a config.json of timm's {of_timm}", "transformers did not save it", do)
    about = f"its model_type is {kind}" if kind else f"it has {few(map(str, config))}"
    why = "the same settings belong to networks with a head for classes, with one for words, and with none"
    names = [] if kind is None else _networks(transformers, str(kind))
    do = f'Name the one in config.json: "architectures": ["{names[0]}"]' if names else 'Add "architectures" to config.json'
    more = f", or {' or '.join(names[1:])}" if names[1:] else ""
    return ModelError(f"model {request}", f"a config.json that names no architecture ({about})", why, f"{do}{more}.")


def _networks(transformers: ModuleType, kind: str) -> list[str]:
    """Networks of a kind, by their classes."""
    auto = transformers.models.auto.modeling_auto
    tasks = "SEQUENCE_CLASSIFICATION", "IMAGE_CLASSIFICATION", "CAUSAL_LM", "MASKED_LM"
    tables = (getattr(auto, f"MODEL_FOR_{task}_MAPPING_NAMES", {}) for task in tasks)
    found = (table.get(kind) for table in (*tables, auto.MODEL_MAPPING_NAMES))
    return list(dict.fromkeys(name for name in found if isinstance(name, str)))


def _not_imported(request: str, name: str, error: Exception) -> MissingExtra:
    """The refusal where transformers has a class, and something that it needs does not import."""
    root = error
    while isinstance(root.__cause__, Exception):
        root = root.__cause__
    found = f"a transformers whose {name} does not import ({type(root).__name__}: {' '.join(str(root).split())[:200]})"
    why = "a package that it uses is broken or does not fit it"
    return MissingExtra(request, found, why, f"Install that one anew, until this works: from transformers import {name}.")
