"""Targets of classes: scores, probabilities, log-odds, and means over parts of their maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import TargetError
from pellucid.model.final_activation import are_probabilities, probabilities as probabilities
from .number import Number
from .target import Names, Part, Term

Class = int | str | tuple[int | str, ...]


@dataclass(frozen=True)
class OfClass(Term):
    """A term about a class.

    Arguments:
        index: The class: its index or its name; a tuple has one per sample; None is the predicted class.
        labels: The names that belong to the indices, for captions.
        link: How the output becomes probabilities, see `Model.links`, once the target is resolved; None where nothing says it.
    """

    word: ClassVar[str]
    of_scores: ClassVar[bool] = True

    index: Class | None = None
    labels: tuple[str, ...] = ()
    link: str | None = field(default=None, kw_only=True)

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        indices = self._indices(value, names)
        known = tuple(names.label(i) for i in indices) if names is not None else ()
        known = () if all(label == f"class {i}" for label, i in zip(known, indices, strict=False)) else known
        index = indices if isinstance(self.index, tuple) or self.index is None else indices[0]
        return replace(self, index=index, labels=known, link=link_of(self.at, names) or self.link)

    def take(self, rows: Sequence[int]) -> OfClass:
        if not isinstance(self.index, tuple):
            return self
        labels = tuple(self.labels[row] for row in rows) if self.labels else ()
        return replace(self, index=tuple(self.index[row] for row in rows), labels=labels)

    def _indices(self, value: Tensor, names: Names | None) -> tuple[int, ...]:
        if self.index is None:
            scores = _classes(value, self.word)
            return tuple(scores.reshape(*scores.shape[:2], -1).mean(-1).argmax(1).tolist())
        classes = self.index if isinstance(self.index, tuple) else (self.index,)
        count = _classes(value, self.word).shape[1]
        indices = (self._find(name, names) if isinstance(name, str) else int(name) for name in classes)
        return tuple(index + count if -count <= index < 0 else index for index in indices)  # -1 is the last, as in lists

    def _find(self, name: str, names: Names | None) -> int:
        if names is None:
            raise TargetError(
                f"{self.word} {name!r}", "no labels", "a class can only be named where the model's labels are known",
                "Give its index.",
            )  # fmt: skip
        return names.find(name)

    def text(self, sample: int = 0) -> str:
        if self.index is None:
            return f"{self.word} of the predicted class"
        index = self.index[sample] if isinstance(self.index, tuple) else self.index
        label = self.labels[sample if isinstance(self.index, tuple) else 0] if self.labels else ""
        return f"{self.word} {index}" + (f' "{label}"' if label else "")

    def short(self, sample: int = 0) -> str:
        label = self.labels[sample if isinstance(self.index, tuple) else 0] if self.labels else ""
        return f'"{label}"' if label else self.text(sample)

    def pick(self, scores: Tensor) -> Tensor:
        """The entries of the class along axis 1, one per sample."""
        return scores[self.places(scores)]

    def places(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Where these entries stand: samples, and classes."""
        batch, count = scores.shape[:2]
        index = self.index if isinstance(self.index, tuple) else (self.index,) * batch
        if len(index) != batch:
            raise TargetError(
                f"{len(index)} targets", f"a batch of {batch}", "each sample needs one",
                "Give one class for all, or one per sample.",
            )  # fmt: skip
        for i in index:
            if not isinstance(i, int) or not -count <= i < count:
                raise TargetError(
                    self.text(), f"outputs of shape {tuple(scores.shape)}", f"classes run 0-{count - 1}", "Ask for one of those."
                )  # fmt: skip
        return torch.arange(batch, device=scores.device), torch.tensor(index, device=scores.device)


def _classes(value: Tensor, word: str) -> Tensor:
    """An output as (batch, class, ...)."""
    if value.dim() == 0:
        raise TargetError(
            word, "an output without a batch axis", "one number per sample is needed", "Let the model return (batch, classes)."
        )
    return value[:, None] if value.dim() == 1 else value


@dataclass(frozen=True)
class Logit(OfClass):
    """The model's score of a class, as it comes out, before any softmax of ours."""

    word: ClassVar[str] = "logit"

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        """Of maps (batch, class, height, width) it is the mean over the predicted mask of the class."""
        if self.index is None and value.dim() in (1, 2) and value[:1].numel() == 1:
            if self.at is None and getattr(names, "links", {}).get("") == "sigmoid":
                return OfClass.resolve(replace(self, index=0), value, names)
            return Number(self.at)  # one number per sample: there are no classes to choose from
        named = OfClass.resolve(self, value, names)
        if value.dim() < 4:
            return named
        try:
            return Predicted(self.at, self.index).resolve(value, names)
        except TargetError:  # the class scores highest nowhere: `read` will ask for the part of the map
            return named

    def read(self, value: Tensor) -> Tensor:
        scores = _classes(value, self.text())
        if scores.dim() > 2:
            raise TargetError(
                self.text(), f"outputs of shape {tuple(scores.shape)}", "each class has a map of scores",
                'Say which part: pl.mask(class, "predicted"), pl.mask(class, mask), pl.box(class, top, left, bottom, right); for '
                "outputs (batch, boxes, classes) pl.detection(box, class), for series pl.step(time, class), for texts "
                "pl.token(id, position).",
            )  # fmt: skip
        return self.pick(scores)


@dataclass(frozen=True)
class Probability(OfClass):
    """The probability of a class, as the model says it."""

    word: ClassVar[str] = "probability"
    of_scores: ClassVar[bool] = False

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        link = link_of(self.at, names) or self.link or _apparent_link(_classes(value, self.text()))
        if link == "none":
            raise TargetError(
                self.text(), "the numbers of a regression", "they are no scores of classes", "Explain one of them: pl.output(0)."
            )
        single = self.index is None and value.dim() in (1, 2) and value[:1].numel() == 1
        named = OfClass.resolve(replace(self, index=0) if single else self, value, names)
        assert isinstance(named, OfClass)
        return replace(named, link=link)

    def read(self, value: Tensor) -> Tensor:
        return self.pick(probabilities(_classes(value, self.text()), self.link))


def link_of(at: str | None, names: Names | None) -> str | None:
    """How an output becomes probabilities, where the model says it."""
    if at is not None and not isinstance(at, Part):
        return None
    known: str | None = getattr(names, "links", {}).get("" if at is None else at.path)
    return known


def _apparent_link(scores: Tensor) -> str:
    """How an output becomes probabilities, by how its numbers look."""
    if scores.shape[1] == 1:
        return "sigmoid"
    return "identity" if are_probabilities(scores.detach()) else "softmax"


@dataclass(frozen=True)
class LogOdds(OfClass):
    """The log-odds of a class, log p / (1 - p), in nats: its score over that of all others together."""

    word: ClassVar[str] = "log-odds"

    def read(self, value: Tensor) -> Tensor:
        scores = _classes(value, self.text())
        if self.link in ("sigmoid", "identity", "exp") and scores.dim() == 2:
            chosen = self.pick(scores)
            return chosen if self.link == "sigmoid" else torch.logit(chosen.exp() if self.link == "exp" else chosen)
        if scores.shape[1] < 2 or scores.dim() > 2:
            raise TargetError(
                self.text(), f"outputs of shape {tuple(scores.shape)}", "odds compare a class with others", "Explain its logit."
            )
        chosen = self.pick(scores)
        if self.link is None and probabilities(scores, None) is scores:
            return torch.logit(chosen)
        own = torch.zeros_like(scores, dtype=torch.bool)
        own[self.places(scores)] = True
        return chosen - scores.masked_fill(own, -torch.inf).logsumexp(1)


@dataclass(frozen=True)
class Region(OfClass):
    """The mean score of a class over part of its map, for outputs (batch, class, ...).

    Arguments:
        mask: True where the score counts, shaped like the map, for all samples or one per sample; None: everywhere.
    """

    mask: Tensor | None = None
    name: str = "a mask"

    word: ClassVar[str] = "mean score of class"

    def text(self, sample: int = 0) -> str:
        return f"{super().text(sample)} over {self.name}"

    def read(self, value: Tensor) -> Tensor:
        scores = _classes(value, self.text())
        maps = self.pick(scores).flatten(1)
        if self.mask is None:
            return maps.mean(1)
        weights, shape = torch.as_tensor(self.mask).to(maps), scores.shape[2:]
        fits = weights.shape in (shape, (1, *shape), (len(maps), *shape))
        if not fits or not weights.reshape(-1, maps.shape[1]).any(1).all():
            found = f"a mask of shape {tuple(weights.shape)}, {int(weights.sum())} entries set, and maps of shape {tuple(shape)}"
            raise TargetError(
                self.text(), found,
                "the mask says which entries of the map count", "Give a boolean mask of the map's shape with something in it.",
            )  # fmt: skip
        weights = weights.reshape(-1, maps.shape[1])
        return (maps * weights).sum(1) / weights.sum(1)

    def take(self, rows: Sequence[int]) -> OfClass:
        taken = super().take(rows)
        several = isinstance(self.index, tuple) and self.mask is not None and self.mask.shape[:1] == (len(self.index),) != (1,)
        return replace(taken, mask=self.mask[list(rows)]) if several and self.mask is not None else taken  # type: ignore[call-arg]


@dataclass(frozen=True)
class Predicted(Region):
    """The mean score of a class over its predicted mask: the places where it has the highest score of all classes.

    The mask is computed once, when the target is resolved, and kept while inputs change.
    """

    name: str = "its predicted mask"

    def checked(self, mask: str) -> Predicted:
        if mask != "predicted":
            do = 'Use "predicted", a boolean tensor, or None for the whole map.'
            raise TargetError(f'pl.mask(mask="{mask}")', f'"{mask}"', "no mask has that name", do)
        return self

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        scores = _classes(value, self.text())
        if scores.dim() < 3:
            raise TargetError(
                self.text(), f"outputs of shape {tuple(scores.shape)}", "a mask is part of a map", "Explain pl.logit(class)."
            )
        best = scores.argmax(1)
        index = self.index
        if index is None and scores.shape[1] > 1:  # the class that takes up most of each map
            index = tuple(int(row.flatten().bincount(minlength=scores.shape[1]).argmax()) for row in best)
        named = Region(self.at, index).resolve(value, names)
        assert isinstance(named, Region) and named.index is not None
        classes = named.index if isinstance(named.index, tuple) else (named.index,) * len(scores)
        which = torch.tensor(classes, device=scores.device).reshape(-1, *[1] * (best.dim() - 1))
        region = best == which if scores.shape[1] > 1 else scores[:, 0] > _threshold(scores)
        if not region.flatten(1).any(1).all():
            row = int((~region.flatten(1).any(1)).nonzero()[0])
            raise TargetError(
                named.text(row), "no place where it scores highest", "its predicted mask is empty",
                "Say where: pl.mask(class, mask), or pl.mask(class) for the mean over the whole map.",
            )  # fmt: skip
        shares = region.flatten(1).double().mean(1)
        labels = named.labels * len(classes) if len(named.labels) == 1 else named.labels
        return Region(self.at, tuple(int(one) for one in classes), labels, region, _mask_name(shares))


def _threshold(scores: Tensor) -> float:
    """From where on the only class is there: half where scores are probabilities already."""
    return 0.5 if bool((scores >= 0).all() and (scores <= 1).all()) else 0.0


def _mask_name(shares: Tensor) -> str:
    percent = [f"{100 * share:.2g} %" for share in sorted(set(shares.tolist()))]
    return f"its predicted mask ({percent[0] if len(percent) == 1 else f'{percent[0]} to {percent[-1]}'} of the map)"


@dataclass(frozen=True)
class Box(Region):
    """The mean score of a class over a rectangle of its map."""

    corners: tuple[int, int, int, int] = (0, 0, 0, 0)

    def read(self, value: Tensor) -> Tensor:
        top, left, bottom, right = self.corners
        if value.dim() != 4:
            found = f"outputs of shape {tuple(value.shape)}"
            raise TargetError(
                self.text(), found, "a rectangle is part of a map", "Explain an output of shape (batch, class, height, width)."
            )
        mask = torch.zeros(value.shape[2:], dtype=torch.bool, device=value.device)
        mask[top:bottom, left:right] = True
        return Region(self.at, self.index, self.labels, mask, self.name).read(value)
