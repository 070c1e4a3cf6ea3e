"""Which numbers of a model are explained: what it returns, or the scores before a softmax or sigmoid that ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from pellucid.model import Model
from pellucid.model.final_activation import final_activations
from pellucid.target import Part, Target, as_target
from pellucid.target.classes import LogOdds, Probability
from .addresses import with_axes, with_paths
from .inputs import Batch


def read_target(batch: Batch, given: Any) -> tuple[Batch, Target]:
    """The target that a user wrote, with paths in place of modules and axes of channels; and the batch, whose model returns what
    it is about, see `scored`.
    """
    target = with_paths(batch.model, as_target(given))
    keywords = {} if batch.keywords is None else dict(batch.keywords.values)
    model, (target,) = with_axes(scored(batch.model, batch.x, [target], keywords), batch.x, [target])
    return replace(batch, model=model), target


def scored(model: Model, x: Tensor, targets: Sequence[Target], keywords: Mapping[str, Any] | None = None) -> Model:
    """The model up to a softmax or sigmoid at its end, where the targets are about scores; else as it is.

    A softmax and a sigmoid flatten scores, so that `logit`, `log_odds`, `mask`, `step`, `token` and their like mean those before
    it. `probability`, `output`, similarities and functions of the output mean what the model returns.

    Arguments:
        keywords: What the model is given beside x, with a row per sample.
    """
    endings = final_activations(model.forward, x, **(keywords or {}))
    model = _fitting(model, x, endings.shape)
    if not endings:
        return model
    terms = [term for target in targets for _, term in target.terms if term.at is None or isinstance(term.at, Part)]
    main = endings.get("")
    partial = main is not None and main.removable and not main.whole
    scores = [term for term in terms if term.of_scores and not (partial and isinstance(term, LogOdds))]
    returned = [term for term in terms if not term.of_scores and not isinstance(term, Probability)]
    mixed = partial and len(scores) < len(terms)  # the probability of a class takes all scores, and some are not returned
    return model.with_endings(endings, scores=bool(scores) and not returned and not mixed, told=bool(terms))


def _fitting(model: Model, x: Tensor, output: tuple[int, ...] | None) -> Model:
    """The model without what was said of it and does not fit: a scale of other channels; names of other classes are told."""
    notes = []
    how = model.image_preprocess
    if how is not None and x.dim() == 4 and x.shape[1] != len(how.mean):
        notes.append(f"The input has {x.shape[1]} channel(s), and the preprocessing {len(how.mean)}: its scale is left out.")
        model = replace(model, preprocess=None)
    names = len(model.labels or ())
    if names and output is not None and len(output) == 2 and output[1] > 1 and output[1] != names:
        rest = "the others are numbered" if names < output[1] else "names may belong to other classes"
        notes.append(f"The model has {output[1]} classes and {names} names: {rest}.")
    notes = [note for note in notes if note not in model.notes]
    return replace(model, notes=(*model.notes, *notes)) if notes else model
