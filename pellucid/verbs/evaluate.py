"""The verb `evaluate`: can these explanations be trusted? Measured, on the user's model and samples."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from operator import methodcaller
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.catalogue.metrics import metric as metric_named
from pellucid.core.progress import report_progress
from pellucid.errors import InputError, MethodError, PellucidError
from pellucid.explanation.method import Method, has
from pellucid.methods.perturb.regions.division import Division
from pellucid.metrics.metric import Answer, Metric, Question, Scores, class_scores, question as as_question
from pellucid.metrics.removal.layout import channels_first, for_sample, for_tokens, split_texts, with_regions
from pellucid.metrics.report.concat import concat, group_by_shape
from pellucid.metrics.report.table import Cost, Table
from pellucid.model import Model, load
from pellucid.model.outputs import main_output
from pellucid.model.surroundings import for_the_network_alone
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import as_target
from .addresses import with_axes, with_layers, with_paths
from .attempts import attempt_all, attempt_each, distinct, distinct_methods, raise_first, skipped
from .call import keeping_call
from .explain import explain
from .inputs import Batch, read_inputs, reads_rows
from .scores import scored

SUITE = ("srg", "mrg", "lrg", "irof")  # one set of curves for all of them


@keeping_call
@for_the_network_alone
def evaluate(
    model: Any,
    images: Any,
    methods: Sequence[str | Method] | Mapping[str, str | Method] = ("lrp", "sensitivity", "gradient_x_input"),
    metrics: Sequence[str | Metric] | str = SUITE,
    target: Any = None,
    *,
    masks: Tensor | Sequence[Tensor] | None = None,
    regions: Division | Tensor | None = None,
    imputer: Any = None,
    channels: int = 1,
    seed: int = 0,
    floor: bool = True,
    ceiling: bool | None = None,
    strict: bool = False,
) -> Table:
    """Which method to trust on this model and these samples: every method judged by every metric, on the same question.

    Each score comes with a bootstrap interval over the samples, and where it is read off a removal curve with what random orders
    and the best order reach. Forward passes that several metrics or methods need are shared. A method that fails does not keep
    the others from being judged.

    Arguments:
        model: A `Model`, or anything `load` takes.
        images: Pictures (paths, PIL images, arrays), texts, or a tensor as the model expects it, batch first, or a list of such.
            Samples of several sizes, as texts of several lengths, are evaluated in groups, and their scores joined. Of texts,
            tokens other than special ones are replaced by the tokenizer's blank.
        methods: Names from the catalogue or method objects; a mapping gives them names of your own.
        metrics: Names from `pellucid metrics`, or metric objects.
        target: As in `explain`. None: the class the model predicts for each sample.
        masks: True where the truth lies, with shape (sample, *places), for metrics of localisation; a list where sizes differ.
        regions: Which parts metrics take away, such as `pl.perturb.Grid(8)`, or a tensor with the number of the region at every
            place; None: those of each metric, which suit pictures, signals, tokens and tables.
        imputer: What they put there: a number, a tensor, a function, or an imputer such as `pl.perturb.blur()`.
        channels: Where the channels of a sample are: axis 1, as in pictures and signals; -1 for (batch, token, channel), where a
            token with all its channels then is a place, and explanations, masks and regions are about such places.
        seed: Of random orders, ties and intervals.
        floor: Whether to measure what random orders reach.
        ceiling: Whether to search for the best order, which for n regions takes n (n + 1) forward passes per sample, or all sets
            of 12 or fewer; None: where that is no more than 2,000 in all.
        strict: As in `explain`.

    Returns:
        A table: `rows`, `advice`, `paired(metric, first, second)`, `save("table.csv|.json|.md")`.

    Raises:
        PellucidError: a method or metric is unknown, or not one could be judged; then the error of the first.

    Example:
        >>> net = torch.nn.Linear(4, 2, bias=False).eval()
        >>> _ = net.weight.data.copy_(torch.tensor([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]))
        >>> t = evaluate(net, torch.ones(3, 4), ["gradient_x_input"], ["pixel_flipping"], target=0)
        >>> row = t.rows[0]
        >>> row["score"], row["floor"], row["ceiling"], row["normalised"]  # 10, 6, 3, 1, 0 left of 10
        (3.75, 5.0, 3.75, 1.0)
    """
    model = load(model)
    model.ready()
    chosen = distinct_methods(methods, strict)
    judges = {name: with_regions(metric, regions, imputer) for name, metric in _metrics(metrics).items()}
    _check(chosen, judges, masks)
    model, groups = _read_groups(model, images)
    whole_target, tables = with_paths(model, as_target(target)), []
    model, (whole_target,) = with_axes(scored(model, groups[0][1], [whole_target]), groups[0][1], [whole_target])
    chosen = {name: with_layers(model, one) for name, one in chosen.items()}
    for numbers, x in groups:
        turned_model, x = (model, x) if channels == 1 else channels_first(model, x, channels)
        fitted = for_tokens if imputer is not None else for_sample
        group_metrics = {name: fitted(metric, turned_model, x) for name, metric in judges.items()}
        some = masks if masks is None or len(groups) == 1 else torch.stack([torch.as_tensor(masks[row]) for row in numbers])
        group_target = whole_target if len(groups) == 1 else whole_target.take(numbers)
        try:
            question = as_question(turned_model, x, group_target, masks=some, seed=seed, floor=floor, ceiling=ceiling)
        except PellucidError:
            raise
        except Exception as error:
            raise error if len(groups) == 1 else _shape_error([x for _, x in groups], error) from None
        tables.append((numbers, _judge(question, chosen, group_metrics)))
    return concat(tables)


def _judge(question: Question, methods: Mapping[str, Method], metrics: Mapping[str, Metric]) -> Table:
    """All explanations, each judged by every metric; what was done so far when the user calls it off."""
    costs: dict[str, Cost] = {}
    scores: dict[tuple[str, str], Scores] = {}
    failures: dict[tuple[str, str | None], PellucidError] = {}
    steps, judging, ran = 1 + len(metrics), 0.0, 0

    def called_off(number: int, judged: int | None = None) -> bool:
        place = number * steps + (0 if judged is None else 1 + judged)  # None: that method has yet to answer
        return report_progress(place, len(methods) * steps, "answers and judgements")

    answer_by = partial(_answer, question)
    for name, answer, seconds in attempt_each("method", methods, answer_by, called_off, question.model.name):
        if isinstance(answer, PellucidError):
            failures[name, None] = answer
        else:
            began = time.perf_counter()
            costs[name] = Cost(answer[1] / len(question), seconds / len(question))
            judge = methodcaller("score", question, answer[0])
            judged, failed, _ = attempt_all("metric", metrics, judge, partial(called_off, ran), "Evaluate")
            scores |= {(name, metric): score for metric, score in judged.items()}
            failures |= {(name, metric): error for metric, error in failed.items()}
            judging += time.perf_counter() - began
        ran += 1
    failures |= {(name, None): error for name, error in skipped("method", list(methods), ran, "Evaluate").items()}
    if not scores:
        raise_first(failures)
    forwards = sum(one.forwards for one in scores.values()) + len(question)
    about = f"{question.model.name}, {len(question)} sample{'s' * (len(question) != 1)}, {_target(question)}"
    return Table(dict(metrics), costs, scores, failures, about, forwards, judging, question.seed)


def _answer(question: Question, method: Method) -> tuple[Answer, int]:
    """The maps of a method, a few samples at a time, and how many samples went through the model for them."""
    parts, size = [], _batch(question)
    for first in range(0, len(question), size):
        rows = list(range(first, min(first + size, len(question))))
        parts.append(explain(question.model, question.x[rows], target=question.target.take(rows), method=method))
    values = torch.cat([e.values for e in parts]).to(question.x.device)
    return Answer(values, method.signed, parts[0].shared, method), sum(e.forwards for e in parts)


def _batch(question: Question) -> int:
    """How many samples are explained at once; exported programs may take batches of one size alone."""
    return len(question) if isinstance(question.model.module, torch.fx.GraphModule) else batch_size(question.x)


def _target(question: Question) -> str:
    texts = {question.target.text(i) for i in range(len(question))}
    return texts.pop() if len(texts) == 1 else "each sample's own target"


def _metrics(values: Sequence[str | Metric] | str) -> dict[str, Metric]:
    """The metrics by names that differ."""
    named = distinct(values, _metric)
    if not named:
        raise MethodError("An evaluation", "no metric", "there is nothing to judge by", 'Name some: ["srg", "pixel_flipping"].')
    return named


def _metric(values: str | Metric) -> Metric:
    metric = metric_named(values) if isinstance(values, str) else values
    if not hasattr(metric, "score") or isinstance(metric, type):
        raise MethodError(
            f"metric={values!r}", f"a {type(values).__name__}", "a metric has a name and scores",
            'Pass a name such as "srg", or pl.metrics.SRG().',
        )  # fmt: skip
    return metric


def _check(methods: Mapping[str, Method], metrics: Mapping[str, Metric], masks: Any) -> None:
    """Refuse before anything is computed what could not be judged."""
    choosers = [name for name, method in methods.items() if has(method, "resolve")]
    if choosers:
        raise MethodError(
            f"method {choosers[0]!r} in an evaluation", "one that chooses by an evaluation of its own",
            "it would be judged by itself", "Name the methods that it is to choose from.",
        )  # fmt: skip
    without_masks = [name for name, metric in metrics.items() if metric.needs == "mask" and masks is None]
    if without_masks:
        raise InputError(
            f"metric {without_masks[0]!r}", "no masks", "it asks whether a map lies where the truth is",
            "Pass masks=, True where the truth lies, with shape (sample, height, width).",
        )  # fmt: skip


def _read_groups(model: Model, images: Any) -> tuple[Model, list[tuple[list[int], Tensor]]]:
    """All samples, in groups of one shape, each with their numbers; and the model that takes them: of several inputs, by keyword,
    one that unpacks them."""
    if not isinstance(images, Mapping) or reads_rows(model):
        return model, group_by_shape([own for one in _as_list(images) for own in _apart(model, read_inputs(model, one))])
    batch = read_inputs(model, images)
    if batch.rowwise:
        raise InputError(
            "An evaluation", "inputs that are not explained, with a row per sample", "samples are changed and mixed here",
            "Evaluate sample by sample, or hold what is the same for all: pl.held(x, shared=True).",
        )  # fmt: skip
    return batch.model, [(list(range(len(batch.x))), batch.x)]


def _apart(model: Model, batch: Batch) -> list[Tensor]:
    """Batches to be judged together: of token ids every text by itself, without padding; else all samples.

    Raises:
        InputError: what was given beside the ids matters: metrics ask the model for other texts, without it.
    """
    rows = split_texts(model, batch.x)
    for row, text in zip(rows, batch.texts if batch.keywords is not None else (), strict=False):
        asked, given = main_output(model(row)), main_output(text.embedded.output)
        if asked.shape != given.shape or not torch.allclose(asked, given, rtol=1e-3, atol=1e-3 * float(given.abs().max())):
            assert batch.keywords is not None
            raise InputError(
                "An evaluation of token ids", f"{', '.join(batch.keywords.values)} beside them, which changes the answer",
                "metrics ask the model for other texts, with ids alone", "Load a function of ids that gives them to the model.",
            )  # fmt: skip
    return rows


def _as_list(images: Any) -> list[Any]:
    many = isinstance(images, (list, tuple)) or (isinstance(images, np.ndarray) and images.ndim == 4)
    values = list(images) if many else [images]
    if not values:
        raise InputError("An evaluation", "no pictures", "there is nothing to explain", "Pass at least one.")
    return values


def read_samples(model: Model, images: Any) -> Tensor:
    """All samples in one batch."""
    batches = [read_inputs(model, one).x for one in _as_list(images)]
    if len({x.shape[1:] for x in batches}) > 1:
        raise _shape_error(batches)
    return torch.cat(batches)


def scores_of_classes(model: Model, x: Tensor, question: str) -> Tensor:
    """One score per class for every sample, with shape (n, classes), a few samples at a time.

    Arguments:
        question: What they are for, in a message: "pasted_object".
    """
    output = torch.cat([forward_values(model, piece, (None,))[None] for piece in torch.split(x, batch_size(x))])
    scores = class_scores(output)
    if scores is None:
        raise InputError(
            f"{question} for {model.name}", f"outputs of shape {tuple(output.shape)}", "it compares predicted classes",
            "Give a model with one score per class.",
        )  # fmt: skip
    return scores


def _shape_error(samples: Sequence[Tensor], error: Exception | None = None) -> InputError:
    """Samples of several shapes, where one is needed: by us, or by the model, which fails."""
    shapes = ", ".join(map(str, sorted({tuple(x.shape[1:]) for x in samples})))
    why = (
        "they are judged together" if error is None else f"the model fails on some of them ({' '.join(str(error).split())[:200]})"
    )
    return InputError("An evaluation", f"samples of shapes {shapes}", why, "Bring them to one size that the model takes.")
