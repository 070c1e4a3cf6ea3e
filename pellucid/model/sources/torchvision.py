"""`torchvision:NAME`: the classifiers of torchvision, with its trained weights, those of a file, or random ones."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from inspect import signature
from types import ModuleType
from typing import Any

import torch

from pellucid.errors import MissingExtra, ModelError
from ..model import Model
from . import availability, metadata
from .checkpoint import initialised, with_weights
from .reference import Reference

HOST = "download.pytorch.org"
OPERATORS = ("nms", "qnms")  # that its import refers to

_declared: list[torch.library.Library] = []  # a declaration lives as long as this object


def imported(request: str) -> ModuleType:
    """torchvision itself, also where its build does not fit this PyTorch.

    The wheel on PyPI is compiled against CUDA; beside a CPU build of PyTorch its extension does not load, and its import then
    fails on two operators that nobody declared. Only then they are declared here: nothing that models compute needs them (they
    suppress boxes of detectors).

    Raises:
        MissingExtra: there is none, or it does not import beside this PyTorch for another reason.
    """
    try:
        import torchvision
    except ModuleNotFoundError as error:
        raise _broken(request, error) if is_installed() else availability.missing(request, "torchvision", "hub", error) from None
    except Exception as error:  # whatever a build for another PyTorch runs into
        if not isinstance(error, RuntimeError) or "torchvision::" not in str(error) or _declared:
            raise _broken(request, error) from None
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in OPERATORS:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
        return imported(request)
    module: ModuleType = torchvision
    return module


def is_installed() -> bool:
    """Whether there is a torchvision, which may still not import."""
    return find_spec("torchvision") is not None


def _broken(request: str, error: Exception) -> MissingExtra:
    """The refusal of a torchvision that does not import."""
    try:
        own = f"torchvision {version('torchvision')}"
    except PackageNotFoundError:
        own = "a torchvision"
    message = " ".join(str(error).split())[:200] or type(error).__name__
    found = f"{own}, which does not import beside torch {torch.__version__} ({message})"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("torch"):
        return MissingExtra(request, found, f"it needs {error.name}", f"Install it with: pip install {error.name}")
    why = "it was built for another PyTorch, and what reads such models imports it"
    fitting = re.match(r"2\.(\d+)", torch.__version__)
    spec = f"torchvision==0.{int(fitting[1]) + 15}.*" if fitting else "torchvision"  # 0.15 belongs to 2.0, 0.28 to 2.13
    do = f"Install the one that belongs to it, from the same index: pip install --no-deps '{spec}'. Language models need none: "
    return MissingExtra(request, found, why, f"{do}pip uninstall torchvision.")


def load(reference: Reference, trust: bool) -> Model:
    """A network of torchvision; its default trained weights unless a file, or the name of others, is given."""
    torchvision = imported(str(reference))
    models: Any = torchvision.models
    known = models.list_models()
    if reference.name not in known:
        near = ", ".join(get_close_matches(reference.name, known, n=3, cutoff=0.5))
        do = f"Nearest: {near}." if near else "torchvision.models.list_models() lists them."
        why = f"torchvision {torchvision.__version__} has {len(known)} models"
        raise ModelError(f"model {reference}", f"no {reference.name} in torchvision", why, do)
    create = partial(models.get_model, reference.name, weights=None, **_quiet(models, reference.name))
    source, notes = f"torchvision {torchvision.__version__}", tuple[str, ...]()
    if reference.random:
        module, fingerprint, notes = initialised(create), None, ("The weights are random: the network is untrained.",)
    elif reference.file:
        module, fingerprint = with_weights(reference, create, trust)
    else:
        return _trained(models, reference, source)
    source += ", random weights" if reference.random else f", weights of {reference.weights}"
    published = _entry(models, replace(reference, weights=None)).transforms()  # the user's are taken to be trained on the same
    origin = f"torchvision's transforms of the published weights of {reference.name}"
    how = metadata.as_preprocess(published, origin, strict=False)
    return Model(module, reference.name, source, module, how, fingerprint=fingerprint, notes=notes)


def _quiet(models: Any, name: str) -> dict[str, Any]:
    """Options without which weights of a backbone would be fetched, or a default be warned about."""
    taken = signature(models.get_model_builder(name)).parameters
    quiet: dict[str, Any] = {"weights_backbone": None} if "weights_backbone" in taken else {}
    return quiet | ({"init_weights": True} if name in ("googlenet", "inception_v3") else {})


def _entry(models: Any, reference: Reference) -> Any:
    """The published weights that are meant."""
    entries = models.get_model_weights(reference.name)
    name = reference.weights or "DEFAULT"
    entry = getattr(entries, name, None) if name == "DEFAULT" or name in entries.__members__ else None
    if entry is None:
        names = ", ".join(entries.__members__)
        why = f"torchvision publishes {names} for {reference.name}"
        raise ModelError(f"model {reference}", f"no weights {name}", why, "Name one of those, or a file of weights.")
    return entry


def _trained(models: Any, reference: Reference, source: str) -> Model:
    entry = _entry(models, reference)
    do = (
        f"Give a file of weights: torchvision:{reference.name}@weights.safetensors; or look at the architecture alone: "
        f"torchvision:{reference.name}?random."
    )
    try:
        entry.get_state_dict(progress=False, check_hash=True, weights_only=True)  # fetched, and seen to hold numbers only
    except OSError as error:
        if isinstance(getattr(error, "reason", None), OSError) or isinstance(error, TimeoutError):
            raise availability.unreachable(str(reference), HOST, do) from None
        raise ModelError(f"model {reference}", f"{error}", "its trained weights could not be fetched", do) from None
    module = models.get_model(reference.name, weights=entry).eval()
    how = metadata.as_preprocess(entry.transforms(), f"torchvision's transforms of {entry}", strict=False)
    return Model(module, reference.name, f"{source}, weights {entry}", module, how, tuple(entry.meta["categories"]))
