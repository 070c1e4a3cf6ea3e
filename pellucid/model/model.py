"""Model: the handle on a network, with its preprocessing, class names, device and layers. It never changes the network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from pellucid.core.displayed import Displayed
from pellucid.core.one_line import cut
from pellucid.core.picture import Picture, read_picture
from pellucid.errors import InputError, ModelError, TargetError
from pellucid.errors.printable import make_printable, printable
from . import mode
from .final_activation import Endings, FinalActivation, before_activation, probabilities
from .origin import Origin
from .readers.preprocess import Preprocess
from .readers.text import Text, check_reads_texts
from .synonyms import classes_by_name, synonyms

LONGEST = 100  # letters of a name that are compared: that takes as long as both are long, times each other


class Layer(NamedTuple):
    """A module of the network: its path ("" is the network itself), its class, and the parameters in it and below."""

    name: str
    kind: str
    parameters: int


@dataclass(frozen=True, eq=False, repr=False)
class Model(Displayed):
    """A network as pellucid sees it: something to call, and what is known about it. It is never changed by anything here.

    Arguments:
        forward: Input tensors to output, as the network defines it.
        name: What to call it in captions.
        source: Where it came from, for provenance.
        module: The module behind `forward`, when there is one: it gives the device, the layers and the mode.
        preprocess: How something raw becomes its input: `Preprocess` for pictures, `Columns` for rows of tables, `Signal` for
            series, `Text` for texts; of a model of several inputs a dict of these by their names. None: not known, and raw things
            are refused.
        labels: The names of its classes, in order.
        fingerprint: A digest of the file it came from.
        shape: Of one sample of its input, where that is known: (channel, height, width) for pictures.
        notes: What was found or assumed when it was loaded, in sentences: captions repeat them.
        links: How its outputs become probabilities, by their paths, "" for the main one: "softmax", "sigmoid", "identity" (they
            are probabilities), "exp" (their logarithms), "none" (numbers of a regression). Where nothing is said, several scores
            are put through a softmax, a single one through a sigmoid.
        origin: How it was loaded, so that results can say it; None where that is not known.
        plans: What was traced of it, where it was compiled, see `pl.compile`.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2)).eval()
        >>> model = Model(net, "tiny", "nn.Module", net, labels=("cat", "dog"))
        >>> model
        Model(tiny, nn.Module, 6 parameters, 2 labels)
        >>> model.find("Dog"), model.label(0)
        (1, 'cat')
    """

    kind: ClassVar[str] = "model"

    forward: Callable[..., Any]
    name: str
    source: str
    module: nn.Module | None = None
    preprocess: Any = None
    labels: tuple[str, ...] | None = None
    fingerprint: str | None = None
    shape: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = None
    plans: Any = None

    def __post_init__(self) -> None:
        make_printable(self, "name", "source", "labels", "notes")

    def __call__(self, *inputs: Tensor) -> Any:
        """The model's own output, computed without a graph for gradients."""
        with torch.no_grad():
            return self.forward(*inputs)

    def __repr__(self) -> str:
        parts = [self.name, self.source]
        parts += [f"{_count(self.module)} parameters"] if self.module is not None else []
        parts += [f"{len(self.labels)} labels"] if self.labels is not None else []
        return cut(f"Model({', '.join(parts)})")

    def read(self, picture: Picture | Any) -> Tensor:
        """The picture as a batch of one, preprocessed, on the model's device: shape (1, channel, height, width); rows of a table
        and series as a batch of their own shape.
        """
        if hasattr(self.preprocess, "read"):
            inputs: Tensor = self.preprocess.read(picture)[0]
            return inputs.to(self.device, self.dtype if inputs.is_floating_point() else None)
        image = read_picture(picture)
        return self.check_reads_pictures()(image).to(self.device, self.dtype)[None]

    def crop(self, picture: Picture) -> Image.Image:
        """The pixels the model sees of this picture."""
        image = read_picture(picture)
        return self.check_reads_pictures().crop(image)

    def before_softmax(self) -> Model:
        """The same model up to a softmax or sigmoid at its end: its scores, which these flatten, are explained then.

        The model runs as it is, and its operations are listened to. Verbs do this by themselves, see `pellucid.verbs.scores`.

        Example:
            >>> model = Model(nn.Softmax(1), "last", "nn.Module")
            >>> model.before_softmax()(torch.tensor([[0.0, 3.0]]))
            tensor([[0., 3.]])
        """
        note = "The model ends in a softmax; the scores before it are explained."
        return replace(self, forward=before_activation(self.forward), notes=(*self.notes, note), links={"": "softmax"})

    def with_endings(self, endings: Endings, *, scores: bool, told: bool = True) -> Model:
        """The model with what is known of the activations at its end, see `final_activations`.

        Arguments:
            scores: Whether it is to return the scores before a softmax or sigmoid.
            told: Whether captions say what is explained.
        """
        removed = scores and any(ending.removable for ending in endings.values())
        links = {path: end.scores_link or "none" if removed and end.removable else end.link for path, end in endings.items()}
        notes = (*self.notes, *([_told(endings[""], scores=removed)] if told and "" in endings else []))
        forward = before_activation(self.forward) if removed else self.forward
        return replace(self, forward=forward, links={**self.links, **links}, notes=notes)

    @property
    def network(self) -> Any:
        """What stays when a network is loaded anew: its module, the object whose method it is, or the function itself."""
        if self.module is not None:
            return self.module
        forward: Any = self.forward
        while hasattr(forward, "forward"):  # what packs inputs, or listens to a softmax, is made anew
            forward = forward.forward
        return getattr(forward, "__self__", forward)

    @property
    def device(self) -> torch.device:
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self._weight.dtype

    def label(self, index: int) -> str:
        """What class `index` is called; "class 7" where no name is known."""
        labels = self.labels or ()
        return labels[index] if 0 <= index < len(labels) else f"class {index}"

    def find(self, label: str) -> int:
        """The index of the class called `label`: its name, one of its names between commas, of ImageNet's classes one of their
        synonyms, or its number; case is no matter.

        Raises:
            TargetError: No class is called so (the nearest three are named), or more than one is.
        """
        names = self._names.get(printable(label).strip().casefold(), ())
        if len(names) == 1:
            return names[0]
        number = re.fullmatch(r"(?:class )?(\d+)", label.strip())
        if number and not names:
            return int(number[1])
        raise _no_such_label(self, label, names)

    def token_id(self, token: str) -> int:
        """The id of a token, by its name, or by its number where no token is called so.

        Raises:
            ModelError: the model does not say how it reads texts.
            InputError: no single token is called so.
        """
        reader = check_reads_texts(self.name, self.preprocess)
        try:
            return reader.id(token)
        except InputError:
            if re.fullmatch(r"\d+", token):  # no token, but the number of one
                return int(token)
            raise

    def token_name(self, id: int) -> str | None:
        """What a token is called; None where that is not known."""
        return self.preprocess.as_text(id) if isinstance(self.preprocess, Text) else None

    def top(self, output_row: Tensor, n: int = 5) -> list[tuple[int, str, float]]:
        """The `n` most probable classes of one sample, as (index, label, probability), best first.

        Probabilities are what the model says: the softmax of the row, independent sigmoids, or the row itself, as `links` has it.
        A row that is not a list of scores (one number, a map), or that of a regression, has no classes: the answer is empty.
        """
        link = self.links.get("")
        if output_row.ndim != 1 or len(output_row) < 2 or link == "none":
            return []
        row = output_row.detach().double().cpu()
        best = probabilities(row[None], link)[0].topk(min(n, len(row)))
        indices: list[int] = best.indices.tolist()
        return [(index, self.label(index), value) for index, value in zip(indices, best.values.tolist(), strict=True)]

    def layers(self) -> tuple[Layer, ...]:
        """The modules in the order they were defined, the network itself first; none for a plain function."""
        modules = () if self.module is None else self.module.named_modules()
        kinds = ((name, str(getattr(module, "original_name", type(module).__name__)), module) for name, module in modules)
        return tuple(Layer(name, kind, _count(module)) for name, kind, module in kinds)

    def ready(self) -> None:
        """Refuse a network in training mode: dropout and batch statistics would make every explanation one of another function.

        A traced or exported program has its mode baked in, so there the operations themselves are looked at.

        Raises:
            ModelError: Some module is in training mode, or was when the program was made.
        """
        if self.module is None:
            return
        names = list(mode.training_modules(self.module))
        if names:
            first = next(filter(None, names), "")  # a module inside says more than the network itself
            found = f"`{first}` in training mode" if first else "the network in training mode"
            raise _in_training(self, found, "Call model.eval() first.")
        operation = next(mode.fixed_training_ops(self.module), None)
        if operation is not None:
            do = "Call model.eval() before the model is traced or exported."
            raise _in_training(self, f"a program whose {operation} is fixed in training mode", do)

    @property
    def image_preprocess(self) -> Preprocess | None:
        """How a picture becomes the input; None where it is no picture, or nobody said how."""
        return self.preprocess if isinstance(self.preprocess, Preprocess) else None

    def check_reads_pictures(self) -> Preprocess:
        """How a picture becomes the input.

        Raises:
            ModelError: it is no picture, or nothing says how.
        """
        if self.preprocess is not None and self.image_preprocess is None:
            kind = type(self.preprocess).__name__
            raise ModelError(
                f"a picture for {self.name}", f"a model that reads its input by {kind}", "a picture cannot be read that way",
                f"Pass what {kind} reads, or a tensor.",
            )  # fmt: skip
        if self.image_preprocess is None:
            raise ModelError(
                f"a picture for {self.name}", "a model that does not say how pictures become its input",
                "a guessed scale or crop would give a plausible and wrong explanation",
                "Load it with preprocess=pl.Preprocess((height, width), resize=..., mean=..., std=...), or pass a tensor.",
            )  # fmt: skip
        return self.image_preprocess

    @property
    def _weight(self) -> Tensor:
        """The tensor whose device and type inputs should have: the first floating parameter, or else buffer."""
        tensors = () if self.module is None else chain(self.module.parameters(), self.module.buffers())
        floating = (tensor for tensor in tensors if tensor.is_floating_point())
        return next(floating, torch.empty(0, dtype=torch.float32, device="cpu"))

    @cached_property
    def _names(self) -> dict[str, tuple[int, ...]]:
        """Every name a class goes by, in lower case, and the classes that go by it; a whole label outranks a part of one, and
        that a synonym of which the labels say nothing.
        """
        labels = [label.casefold() for label in self.labels or ()]
        parts = [[part.strip() for part in label.split(",")] for label in labels]
        other = [[name.casefold() for name in names] for names in synonyms(labels)]
        return classes_by_name(other) | classes_by_name(parts) | classes_by_name([[label] for label in labels])


def _no_such_label(model: Model, label: str, indices: tuple[int, ...]) -> TargetError:
    request = f'class "{label}"'
    if model.labels is None:
        do = "Pass a number, or load the model with labels=."
        return TargetError(request, "a model without class names", "a name cannot be looked up", do)
    if indices:
        some = ", ".join(map(str, indices[:10])) + (", ..." if len(indices) > 10 else "")
        found = f"{len(indices)} classes of that name: {some}"
        return TargetError(request, found, "the name has to be unique", f"Pass the number, such as {indices[0]}.")
    names = sorted(set(model.labels), key=lambda other: (-_likeness(label.casefold(), other.casefold()), other))[:3]
    nearest = ", ".join(f'"{name}" ({model.labels.index(name)})' for name in names)
    return TargetError(request, f"{len(model.labels)} other names", "none of them matches", f"Nearest: {nearest}.")


def _likeness(request: str, label: str) -> float:
    """How near two names are, 0 to 1; 1 more where what was asked is one of the label's words ("cat" in "Egyptian cat")."""
    request, label = request[:LONGEST], label[:LONGEST]
    word = re.search(rf"\b{re.escape(request)}\b", label) is not None
    return word + SequenceMatcher(None, request, label).ratio()


def _told(end: FinalActivation, *, scores: bool) -> str:
    """What a reader has to know of the activation at the end."""
    if end.removable and scores:
        return f"The model ends in a {end.kind}; the scores before it are explained."
    if end.removable:
        return f"The model ends in a {end.kind}; what it returns is explained, and flat where that is near 0 or 1."
    return f"The model ends in a {end.kind}; what it returns are logarithms of probabilities."


def _in_training(model: Model, found: str, do: str) -> ModelError:
    why = "dropout and batch statistics would make the explanation one of another function than the one in use"
    return ModelError(f"an explanation of {model.name}", found, why, do)


def _count(module: nn.Module | None) -> int:
    return 0 if module is None else sum(parameter.numel() for parameter in module.parameters())
