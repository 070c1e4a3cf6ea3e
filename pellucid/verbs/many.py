"""Explanations of many samples: pictures of a few files at once, everything else as it is read; all of it as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.core.progress import announced, report_progress
from pellucid.errors import InputError, TargetError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.explanations import Explanations
from pellucid.model import Model
from pellucid.tape.independence import rows_are_apart
from pellucid.target import Target
from pellucid.target.true_class import TrueClass
from .inputs import Batch, read_inputs
from .samples import Group, Samples, label_name

TOGETHER = 8  # pictures that go through the network at once
Ask = Callable[[Any, Any, Any], Explanation]  # of an input, a target, and what it is compared with


def explain_many(
    model: Model, samples: Samples, ask: Ask, target: Any, versus: Any, method: str, together: int = TOGETHER
) -> Explanations:
    """The explanations of many samples, each equal to that of the sample alone.

    Arguments:
        ask: Explains an input.
        target, versus: As `explain` takes them, one for all samples or one for each.
        together: How many pictures are explained at once, at most.
    """
    check_count(target, samples.count)

    def compute() -> Iterator[tuple[Explanation, int]]:
        done = 0
        for group in batched(model, samples.read(), together):
            many = _size(group.x)
            rows = range(done, done + many)
            with announced(None) if done else nullcontext():  # once, of the first
                e = ask(group.x, for_rows(target, rows, group.labels), for_rows(versus, rows, group.labels))
            done += many
            yield named(model, e, group), many
            if report_progress(done, samples.count or done, "samples"):
                return
        if not done:
            raise InputError(f"explanations of {samples.source}", "no sample", "there is nothing to explain", "Check the data.")

    return Explanations(compute, samples.source, method, samples.count)


def named(model: Model, e: Explanation, group: Group) -> Explanation:
    """An explanation with the names and labels of its samples."""
    each = len(e) // max(len(group.names), len(group.labels), 1)
    names = tuple(name for name in group.names for _ in range(each))
    labels = tuple(label_name(model, label) for label in group.labels for _ in range(each))
    return replace(e, names=names, labels=labels)


def batched(model: Model, groups: Iterator[Group], together: int) -> Iterator[Group]:
    """Pictures that were read by the model's reader, a few at once; everything else as it comes."""
    if model.image_preprocess is None or together == 1:
        yield from groups
        return
    while some := list(islice(groups, together)):
        singles = [one for one in some if _is_batch(one.x)]
        if singles or len(some) == 1:
            yield from some
            continue
        whole = _joined(model, some)
        yield from [whole] if rows_are_apart(model, whole.x.x) else some


def _joined(model: Model, some: Sequence[Group]) -> Group:
    """Pictures as one batch."""
    read = [read_inputs(model, one.x) for one in some]
    pictures = np.stack([one.picture for one in read if one.picture is not None])
    batch = Batch(read[0].model, torch.cat([one.x for one in read]), pictures)
    return Group(batch, tuple(n for one in some for n in one.names), tuple(label for one in some for label in one.labels))


def _is_batch(x: Any) -> bool:
    return isinstance(x, (Tensor, list, Batch))


def _size(x: Any) -> int:
    """How many samples an input has."""
    return len(x.x) if isinstance(x, Batch) else len(x) if isinstance(x, (Tensor, list)) else 1


def for_rows(target: Any, rows: Sequence[int], labels: Sequence[Any]) -> Any:
    """The target of some samples.

    Raises:
        TargetError: there is none for one of them.
    """
    if isinstance(target, TrueClass):
        return target.of(labels)
    if isinstance(target, Target):
        return target.take(rows)
    listed = target.tolist() if hasattr(target, "tolist") else target
    if not isinstance(listed, (list, tuple)):
        return target
    if rows[-1] >= len(listed):
        found = f"{len(listed)} targets, and sample {rows[-1]}"
        raise TargetError("a target for every sample", found, "there is none for it", "Give one for each, or one for all.")
    return [listed[row] for row in rows]


def check_count(target: Any, count: int | None) -> None:
    """Refuse now what there are not enough, or too many, targets for."""
    if count is not None and isinstance(target, (list, tuple, Tensor)) and np.ndim(target) and len(target) != count:
        found = f"{len(target)} targets for {count} samples"
        raise TargetError("a target for every sample", found, "there is one for each", "Give one for each, or one for all.")
