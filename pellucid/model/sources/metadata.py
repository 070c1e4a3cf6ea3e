"""What networks, image processors and transforms say of labels and preprocessing, read without importing their libraries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pellucid.errors import ModelError
from ..model import Model
from ..readers.preprocess import INTERPOLATIONS, Preprocess
from . import imagenet

PILLOW = {int(kind): name for name, kind in INTERPOLATIONS.items()}  # interpolations by Pillow's numbers
IMAGENET = 1000


def with_metadata(model: Model) -> Model:
    """The model with what its module says of itself, where nothing is known yet."""
    module: Any = model.module
    cfg = getattr(module, "pretrained_cfg", None)
    if isinstance(cfg, Mapping) and "input_size" in cfg:
        return _of_timm(model, cfg)
    config = getattr(module, "config", None)
    names = getattr(config, "id2label", None)
    if isinstance(names, Mapping):
        return replace(model, labels=model.labels or labels(names), links={**links(config), **model.links})
    return model


PROBLEMS = {"multi_label_classification": "sigmoid", "single_label_classification": "softmax", "regression": "none"}


def links(config: Any) -> dict[str, str]:
    """How the scores of a model of Hugging Face become probabilities, where its configuration names the problem it learned.

    Example:
        >>> from types import SimpleNamespace
        >>> links(SimpleNamespace(problem_type="multi_label_classification")), links(SimpleNamespace(problem_type=None))
        ({'': 'sigmoid'}, {})
    """
    problem = PROBLEMS.get(str(getattr(config, "problem_type", None)))
    return {} if problem is None else {"": problem}


def labels(names: Mapping[Any, str]) -> tuple[str, ...] | None:
    """Hugging Face's `id2label` in order; None where it was never filled in (LABEL_0, LABEL_1, ...).

    Example:
        >>> labels({1: "dog", 0: "cat"}), labels({0: "LABEL_0", 1: "LABEL_1"})
        (('cat', 'dog'), None)
    """
    try:
        ordered = {int(index): str(name) for index, name in names.items()}
    except (TypeError, ValueError, OverflowError):
        return None
    if sorted(ordered) != list(range(len(ordered))) or all(name == f"LABEL_{i}" for i, name in ordered.items()):
        return None
    return tuple(ordered[i] for i in range(len(ordered)))


# -- timm ---------------------------------------------------------------------------------------------------------------------


def _of_timm(model: Model, cfg: Mapping[str, Any]) -> Model:
    name = ".".join(str(part) for part in (cfg.get("architecture"), cfg.get("tag")) if part)
    how = model.preprocess or _timm_preprocess(cfg, f"timm's pretrained_cfg of {name or 'this network'}")
    named, note = _timm_labels(model, cfg)
    shape, channels = tuple(cfg["input_size"]), _channels(model.module, cfg)
    if channels is not None and channels != shape[0]:
        shape, how = (channels, *shape[1:]), model.preprocess
        told = (
            f"The network takes {channels} channel(s), timm's pretrained_cfg has {cfg['input_size'][0]}: its scale is left out."
        )
        model = replace(model, notes=(*model.notes, told))
    model = replace(model, preprocess=how, shape=model.shape or shape)
    known = model.labels is not None or named is None
    return model if known else replace(model, labels=named, notes=(*model.notes, note))


def _channels(module: Any, cfg: Mapping[str, Any]) -> int | None:
    """How many channels a network of timm takes, by its first convolution; None where that is not known."""
    names = cfg.get("first_conv")
    name = names if isinstance(names, str) else next(iter(names or ()), None)
    first = None if name is None else dict(module.named_modules()).get(name)
    weight = getattr(first, "weight", None)
    if weight is None or weight.dim() < 3:
        return None
    count = int(weight.shape[1]) * int(getattr(first, "groups", 1))
    folded = [one for one in module.modules() if "SpaceToDepth" in type(one).__name__]
    for one in folded[:1]:  # blocks of pixels become channels before it
        count //= int(getattr(one, "bs", getattr(one, "block_size", 4))) ** 2
    return count


def _timm_preprocess(cfg: Mapping[str, Any], source: str) -> Preprocess | None:
    """timm's evaluation pipeline; None for crops with a border, which are another one."""
    channels, height, width = cfg["input_size"]
    mode, share = cfg.get("crop_mode", "center"), cfg.get("crop_pct") or 0.875
    if mode not in ("center", "squash") or len(cfg["mean"]) not in (1, 3) or channels != len(cfg["mean"]):
        return None
    scaled = (math.floor(height / share), math.floor(width / share))
    resize: int | tuple[int, int] = scaled if mode == "squash" else min(scaled)
    how, mean, std = cfg.get("interpolation", "bicubic"), tuple(cfg["mean"]), tuple(cfg["std"])
    return Preprocess((height, width), resize, interpolation=how, mean=mean, std=std, source=source)


def _timm_labels(model: Model, cfg: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, str]:
    """The class names in the configuration; or ImageNet's, where the tag of the weights says that they were trained on it."""
    count, tag = getattr(model.module, "num_classes", None), str(cfg.get("tag") or "")
    names = cfg.get("label_names")
    if names and len(names) == count:
        descriptions = cfg.get("label_descriptions") or {}
        return tuple(str(descriptions.get(name, name)) for name in names), "The classes are called as timm's configuration says."
    if count == IMAGENET and "in1k" in tag:
        return imagenet.class_names(), f"The classes are called as ImageNet's: the weights are tagged {tag}."
    return None, ""


# -- image processors and transforms ------------------------------------------------------------------------------------------


def as_preprocess(how: Any, source: str | None = None, *, strict: bool = True) -> Any:
    """How pictures are read, from whatever says it; what reads rows, series or texts itself is taken as it is.

    Arguments:
        how: A `Preprocess`; an image processor of Hugging Face; a preset of torchvision (`weights.transforms()`); a `Compose` of
            Resize, CenterCrop, ToTensor and Normalize.
        source: Who says so, for captions.
        strict: Whether what cannot be read is an error; else None.

    Raises:
        ModelError: it says something that `Preprocess` cannot do.
    """
    if isinstance(how, Preprocess) or callable(getattr(how, "read", None)):
        return how
    if isinstance(how, Mapping):  # of models of several inputs, by their names
        return {name: as_preprocess(one, source, strict=strict) for name, one in how.items()}
    try:
        if hasattr(how, "image_mean") and hasattr(how, "size"):
            return _of_processor(how, source or f"the image processor {type(how).__name__}")
        if hasattr(how, "crop_size") and hasattr(how, "resize_size"):
            return _of_preset(how, source or "torchvision's transforms")
        if isinstance(getattr(how, "transforms", None), Sequence):
            return _of_compose(how.transforms, source or "the transforms given by the user")
    except (_Unsupported, ModelError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        if strict:
            raise _refusal(how, str(error)) from None
        return None
    if strict:
        raise _refusal(how, "it has neither image_mean nor crop_size nor transforms")
    return None


class _Unsupported(Exception):
    """A step that `Preprocess` does not have."""


def _of_preset(preset: Any, source: str) -> Preprocess:
    if not hasattr(preset, "mean"):
        raise _Unsupported("no mean")
    crop, resize = _pair(preset.crop_size), preset.resize_size
    resize, mean, std = resize[0] if len(resize) == 1 else tuple(resize), tuple(preset.mean), tuple(preset.std)
    return Preprocess(crop, resize, interpolation=_named(preset.interpolation), mean=mean, std=std, source=source)


def _of_processor(processor: Any, source: str) -> Preprocess:
    """A processor of Hugging Face: resize, crop, rescale, normalise, each of which can be off."""
    size = dict(processor.size or {})
    crop = _crop(processor, size)
    scale = 255 * (getattr(processor, "rescale_factor", None) or 0) if getattr(processor, "do_rescale", True) else 255.0
    shift = 1.0 if getattr(processor, "rescale_offset", False) else 0.0  # 0..255 becomes -1..1
    ones = tuple(1.0 for _ in processor.image_mean or (0, 0, 0))
    zeros = tuple(0.0 for _ in ones)
    mean, std = (processor.image_mean, processor.image_std) if getattr(processor, "do_normalize", True) else (zeros, ones)
    mean, std = tuple((m + shift) / scale for m in mean), tuple(s / scale for s in std)
    how, resize = PILLOW[int(getattr(processor, "resample", None) or 2)], _resize(processor, size)
    return Preprocess(crop, resize, interpolation=how, mean=mean, std=std, source=source)


def _crop(processor: Any, size: Mapping[str, int]) -> tuple[int, int]:
    if getattr(processor, "do_center_crop", False):
        return _pair(processor.crop_size)
    if "height" in size:
        return size["height"], size["width"]
    if "shortest_edge" in size and getattr(processor, "crop_pct", None) is not None:  # ConvNeXt
        return (size["shortest_edge"],) * 2
    raise _Unsupported(f"size {dict(size)} without a centre crop: every picture would have a shape of its own")


def _resize(processor: Any, size: Mapping[str, int]) -> int | tuple[int, int] | None:
    if not getattr(processor, "do_resize", True):
        return None
    if "height" in size:
        return size["height"], size["width"]
    edge, share = size.get("shortest_edge"), getattr(processor, "crop_pct", None)
    if edge is None:
        raise _Unsupported(f"size {dict(size)}")
    if share is not None and not getattr(processor, "do_center_crop", False):
        return int(edge / share) if edge < 384 else (edge, edge)
    return edge


def _of_compose(steps: Sequence[Any], source: str) -> Preprocess:
    """torchvision's and timm's transforms, step by step."""
    found: dict[str, Any] = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    crop: tuple[int, int] | None = None
    resize: Any = None
    for step in steps:
        kind = type(step).__name__
        if kind == "Resize":
            resize, found["interpolation"] = step.size, _named(step.interpolation)
        elif kind == "CenterCrop":
            crop = _pair(step.size)
        elif kind == "Normalize":
            found["mean"], found["std"] = (tuple(float(v) for v in values) for values in (step.mean, step.std))
        elif kind == "Grayscale" and step.num_output_channels == 1:
            found["mean"], found["std"] = (0.0,), (1.0,)
        elif kind not in ("ToTensor", "MaybeToTensor", "PILToTensor", "ToImage", "ToDtype", "ConvertImageDtype"):
            raise _Unsupported(f"a step {kind}")
    whole = None if isinstance(resize, int) or resize is None or len(resize) == 1 else tuple(resize)
    if crop is None and whole is None:
        raise _Unsupported("no crop: every picture would have a shape of its own")
    short = resize if whole is not None or resize is None or isinstance(resize, int) else resize[0]
    return Preprocess(crop or whole, whole or short, source=source, **found)  # type: ignore[arg-type]


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) or hasattr(size, "keys"):
        return size["height"], size["width"]
    height, width = size if len(size) == 2 else (*size, *size)
    return height, width


def _named(interpolation: Any) -> str:
    """The name of an interpolation that comes as torchvision's enumeration, as a number of Pillow, or as a name."""
    value = getattr(interpolation, "value", interpolation)
    return PILLOW[value] if isinstance(value, int) else str(value)


def _refusal(how: Any, why: str) -> ModelError:
    return ModelError(
        "preprocess=", f"an object of type {type(how).__name__}",
        f"it does not say how pictures become the input in the terms of pl.Preprocess ({why})",
        "Pass pl.Preprocess((height, width), resize=..., mean=..., std=...).",
    )  # fmt: skip
