"""Pasted objects: how much of a map falls on something opaque that was put in front of a photograph?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid import zoo
from pellucid.errors import InputError, MethodError
from pellucid.explanation.method import Method
from pellucid.model import Model, load
from pellucid.zoo.truth.problem import generator
from ..attempts import distinct_methods
from ..call import keeping_call
from ..evaluate import read_samples, scores_of_classes
from .findings import Findings
from .marks import HIT, LOAD, NETSHARE, WIN
from .trial import METHODS, Trial

OBJECTS = ("grey", "noise", "photograph")
KEPT, REVEALED, ANEW = "class kept", "score when taken away", "|score| when exchanged for another"
SIDE = 0.35  # of the side of a picture: an eighth of its area


@dataclass(frozen=True, eq=False)
class Pasted:
    """Photographs with one kind of object on them, one per place.

    Arguments:
        x: The pictures with the object, `bare` without it, `other` with another of its kind.
        masks: Where it is, with shape (placement, height, width).
        classes: What the model says of the photographs without it.
    """

    x: Tensor
    bare: Tensor
    other: Tensor
    masks: Tensor
    classes: Tensor


@keeping_call
def pasted_object(
    model: Any = "efficientnet_lite0",
    images: Any = None,
    methods: Sequence[str | Method] | Mapping[str, str | Method] = METHODS,
    objects: Sequence[str] = OBJECTS,
    *,
    places: int = 4,
    side: float = SIDE,
    seed: int = 0,
) -> Findings:
    """How much of each method's map falls on an opaque object in front of part of a photograph?

    The object is a square of grey, of noise, or of another photograph, at places drawn by chance, the same for all methods. What
    it hides cannot be seen, and it is no evidence for the class that the model sees in the photograph without it. Explained is
    that class, where the model still names it. WIN, HIT and NETSHARE as for hidden parts, what is seen being all the rest of the
    picture; and LOAD, how much more than the mean pixel one of the object's gets.

    Less sure than `hidden_parts`: most of what is seen is no evidence either, so that a map by chance has a HIT near 1 and the
    network may see something in the object that speaks for the class. How far the score moves when it is exchanged for another
    of its kind is among the controls.

    Arguments:
        model: As in `explain`.
        images: As in `evaluate`. None: the photographs that come along.
        methods: As in `evaluate`.
        objects: "grey", "noise", "photograph" (a square out of the next of the images).
        places: How many per image.
        side: Of the object, as a share of the side of the picture.
        seed: Of places and noise.

    Raises:
        PellucidError: a method or an object is unknown, or not one method could answer, or the model changes its mind wherever
            the object is.
    """
    model, chosen = load(model), distinct_methods(methods)
    model.ready()
    x = read_samples(model, list(zoo.pictures().values()) if images is None else images)
    _check(x, objects, places, side)
    classes = scores_of_classes(model, x, "pasted_object").argmax(1)
    trial = Trial(chosen, len(objects) * len(chosen))
    for kind in objects:
        pasted, controls = _class_kept(model, _pasted(model, x, classes, kind, places, side, seed))
        trial.check(kind, controls)
        trial.ask(kind, model, pasted.x, pasted.classes, ~pasted.masks, pasted.masks)
    question = f"Pasted objects: {model.name}, {len(x)} photograph{'s' * (len(x) != 1)}, {places} places each"
    note = f"An object takes {side**2:.0%} of the area. Intervals speak of places on these photographs, not of others."
    nothing = InputError(
        "pasted_object", "no picture whose class is kept", "none can be judged",
        "Take a smaller object, side=0.2, or other pictures.",
    )  # fmt: skip
    return trial.findings("pasted-object", question, "object", (LOAD, WIN, HIT, NETSHARE), "placements", note, nothing)


def _check(x: Tensor, objects: Sequence[str], places: int, side: float) -> None:
    unknown = [kind for kind in objects if kind not in OBJECTS]
    if unknown or not objects:
        what = repr(unknown[0]) if unknown else "nothing"
        raise MethodError(f"pasted_object with {what}", f"objects {', '.join(OBJECTS)}", "only these can be pasted", "Name some.")
    if x.dim() != 4:
        raise InputError(
            "pasted_object", f"samples of shape {tuple(x.shape[1:])}", "objects are pasted on pictures", "Give pictures."
        )
    if "photograph" in objects and len(x) < 2:
        raise InputError(
            "pasted_object with a photograph", "one picture", "the object is a square out of another",
            'Give two, or objects=("grey", "noise").',
        )  # fmt: skip
    if places < 1 or not 0 < side < 1:
        raise InputError(
            "pasted_object", f"places={places}, side={side}", "an object is somewhere, and leaves some of the picture",
            "Try 4 and 0.35.",
        )  # fmt: skip


def _pasted(model: Model, x: Tensor, classes: Tensor, kind: str, places: int, side: float, seed: int) -> Pasted:
    rng = generator(seed)  # the same places for every kind of object
    height, width = (max(1, round(side * length)) for length in x.shape[-2:])
    corners = torch.rand(len(x) * places, 2, generator=rng)
    masks = torch.zeros(len(corners), *x.shape[-2:], dtype=torch.bool, device=x.device)
    for mask, (down, right) in zip(masks, corners.tolist(), strict=True):
        row, column = int(down * (x.shape[-2] - height + 1)), int(right * (x.shape[-1] - width + 1))
        mask[row : row + height, column : column + width] = True
    bare = x.repeat_interleave(places, 0)
    first, second = (_paste(bare, masks, _patches(model, x, kind, places, (height, width), rng, which)) for which in range(2))
    return Pasted(first, bare, second, masks, classes.repeat_interleave(places))


def _patches(model: Model, x: Tensor, kind: str, places: int, size: tuple[int, int], rng: torch.Generator, which: int) -> Tensor:
    """The objects, with shape (placement, channel, *size); `which` of two of the same kind."""
    if kind == "photograph":  # out of the next photograph, at its middle or at its upper left
        row, column = (((length - part) // 2 if which == 0 else 0) for length, part in zip(x.shape[-2:], size, strict=True))
        return x.roll(-1, 0)[..., row : row + size[0], column : column + size[1]].repeat_interleave(places, 0)
    low, high = model.image_preprocess.bounds() if model.image_preprocess is not None else (x.amin((0, 2, 3)), x.amax((0, 2, 3)))
    low, high = (torch.as_tensor(bound).reshape(-1, 1, 1).cpu() for bound in (low, high))
    shape = (len(x) * places, x.shape[1], *size)
    share = torch.rand(shape, generator=rng) if kind == "noise" else torch.full(shape, 0.5 - 0.1 * which)
    return (low + share * (high - low)).to(x.device, x.dtype)


def _paste(x: Tensor, masks: Tensor, patches: Tensor) -> Tensor:
    x = x.clone()
    for picture, mask, patch in zip(x, masks, patches, strict=True):
        picture[:, mask] = patch.flatten(1)
    return x


def _class_kept(model: Model, pasted: Pasted) -> tuple[Pasted, dict[str, Tensor]]:
    """Those whose class the model still names, and the controls."""
    outputs = {name: scores_of_classes(model, getattr(pasted, name), "pasted_object") for name in ("x", "bare", "other")}
    score = {name: output.gather(1, pasted.classes[:, None])[:, 0] for name, output in outputs.items()}
    same = outputs["x"].argmax(1) == pasted.classes
    controls = {KEPT: same, REVEALED: (score["bare"] - score["x"])[same], ANEW: (score["other"] - score["x"]).abs()[same]}
    return Pasted(*(getattr(pasted, name)[same] for name in ("x", "bare", "other", "masks", "classes"))), controls
