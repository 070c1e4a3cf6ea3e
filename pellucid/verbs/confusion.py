"""The verb `confusion`: what speaks for the wrong class where a model errs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.errors import InputError, TargetError
from pellucid.explanation.method import Method
from pellucid.explanation.overview.confusion import Confusion, Pair
from pellucid.explanation.overview.overview import Collector
from pellucid.model import Model, load
from pellucid.model.outputs import main_output
from .explain import explain
from .inputs import Batch, read_inputs
from .many import TOGETHER, batched
from .overview import rows_of, with_columns
from .samples import Group, Samples, label_name, samples_of


def confusion(model: Any, x: Any, labels: Sequence[Any] | None = None, method: str | Method = "lrp", **options: Any) -> Confusion:
    """Where a classifier errs, and what speaks for the class it predicts rather than the true one, over all samples.

    Samples go through the network once; those it gets wrong are explained, a few at a time, and not kept.

    Arguments:
        model: A classifier.
        x: Samples with labels: a data loader or data set of (inputs, labels), or a folder with a folder for each class. Or
            samples of any kind that `explain` takes, with `labels`.
        labels: The true class of every sample, by number or name, where `x` does not say it.
        method, options: As `explain` takes them.

    Returns:
        Counts of every (true, predicted) pair, `chart()` of the errors, and `pair("cat", "dog")`, an overview of one of them.

    Raises:
        TargetError: samples do not say what they are.
        InputError: the model is no classifier.

    Example:
        >>> net = torch.nn.Linear(2, 2, bias=False).eval()
        >>> _ = net.weight.data.copy_(torch.eye(2))
        >>> found = confusion(net, torch.tensor([[3.0, 1.0], [1.0, 2.0]]), [0, 0], "gradient_x_input")
        >>> found, found.pair("class 0", "class 1").bars().rows[0][:2]
        (Confusion(1 of 2 samples taken for another class, 1 pairs of classes), ('feature 1', 2.0))
    """
    model = load(model)
    model.ready()
    model, x = with_columns(model, x)
    samples = rows_of(model, x) or samples_of(model, x) or Samples(lambda: iter((Group(x),)), "one batch")
    counts, found, done = Counter[Pair](), defaultdict[Pair, Collector](Collector), 0
    for group in batched(model, samples.read(), TOGETHER):
        batch = read_inputs(model, group.x)
        many = len(batch.x)
        true = true_classes(model, group.labels if labels is None else labels[done : done + many], many)
        predicted = scores(batch).argmax(1).tolist()
        names = [(label_name(model, one), label_name(model, other)) for one, other in zip(true, predicted, strict=True)]
        counts.update(names)
        for row in (row for row in range(many) if true[row] != predicted[row]):
            e = explain(model, single(group.x, batch, row), predicted[row], method, versus=true[row], **options)
            found[names[row]].add(e)
        done += many
        if report_progress(done, samples.count or done, "samples"):
            break
    if not done:
        raise InputError(f"errors on {samples.source}", "no sample", "there is nothing to explain", "Check the data.")
    return Confusion(counts, {pair: one.overview() for pair, one in found.items()})


def true_classes(model: Model, labels: Sequence[Any], many: int) -> list[int]:
    """The true classes by number.

    Raises:
        TargetError: a sample has none.
    """
    if len(labels) != many or any(not isinstance(label, (int, str)) and not hasattr(label, "__index__") for label in labels):
        raise TargetError(
            "the errors of a model", f"{many} samples and {len(labels)} classes",
            "an error is known only where the true class is",
            "Give a data loader of (inputs, labels), a folder with a folder for each class, or labels=[...].",
        )  # fmt: skip
    return [model.find(label) if isinstance(label, str) else int(label) for label in labels]


def scores(batch: Batch) -> Tensor:
    """What the model says of every class, with shape (sample, class).

    Raises:
        InputError: it says no such thing.
    """
    rows = [batch.own_output(number) for number in range(len(batch.x))] if batch.padded else [batch.own_output()]
    found = [main_output(row) for row in rows]
    if any(one.dim() != 2 or one.shape[1] < 2 for one in found):
        shape = tuple(found[0].shape)
        raise InputError(f"the errors of {batch.model.name}", f"outputs of shape {shape}", "it is no classifier", "Give one.")
    return torch.cat(found)


def single(x: Any, batch: Batch, row: int) -> Any:
    """One sample, as `explain` takes it."""
    if isinstance(x, Batch):
        picture = None if batch.picture is None else batch.picture[row]
        return replace(batch, x=batch.x[row : row + 1], picture=picture)
    return x[row : row + 1] if isinstance(x, (Tensor, list)) else x
