"""The work of an audit: explanations of many items, reduced to what fits a data set: pooled maps and relevance of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from pellucid.catalogue.methods import as_method
from pellucid.errors import InputError, PellucidError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method
from pellucid.metrics.metric import class_scores
from pellucid.model import Columns, Model, Text, load
from pellucid.model.final_activation import probabilities
from pellucid.model.provenance import fingerprint
from pellucid.model.readers.reader import describe
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import as_target
from pellucid.verbs.addresses import with_layers
from pellucid.verbs.channel_layer import find_layer
from pellucid.verbs.explain import explain
from pellucid.verbs.inputs import read_inputs
from pellucid.verbs.scores import read_target, scored
from . import items as sources
from .items import Items
from .job import SHARD, Job
from .worker import Rows

GRID = 28  # places along each axis of a pooled map
LINE = 64  # along a text or a series
BATCH = 64
TRIED = 20  # items, until one can be read


@dataclass(frozen=True)
class ChannelsAt:
    """A layer whose channels are summed over places.

    Arguments:
        at: Its address.
        axis: Which axis of its value counts channels.
        channels: How many there are.
    """

    at: str
    axis: int
    channels: int


@dataclass(frozen=True, eq=False)
class Explaining:
    """What explains items; it can be sent to another process, and loads the model there.

    Arguments:
        source: The model, or a function without arguments that loads it.
        targets: The class that is explained, for each item; None: the one predicted for it.
        layers: Whose channels are kept beside the map.
        grid: The size of the pooled map.
    """

    source: Model | Callable[[], Model]
    items: Items
    method: Method
    targets: tuple[int, ...] | None
    layers: tuple[ChannelsAt, ...]
    grid: tuple[int, int]
    batch: int

    def __call__(self) -> Explainer:
        model = self.source if isinstance(self.source, Model) else self.source()
        return Explainer(self, model)


@dataclass(eq=False)
class Explainer:
    """The work with its model."""

    work: Explaining
    model: Model
    batch: int = field(init=False)

    def __post_init__(self) -> None:
        self.batch = self.work.batch

    def read(self, number: int) -> Any:
        """The input of an item."""
        return read_item(self.model, self.work.items, number)

    def rows(self, numbers: Sequence[int], inputs: Sequence[Any]) -> Rows:
        """Pooled maps, relevance of channels, scores, predictions and ledgers of some items."""
        alike = all(isinstance(x, Tensor) and x.shape == inputs[0].shape for x in inputs)
        if alike:
            return self._rows(numbers, torch.cat(list(inputs)))
        parts = [self._rows([number], x) for number, x in zip(numbers, inputs, strict=True)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _rows(self, numbers: Sequence[int], x: Any) -> Rows:
        targets = None if self.work.targets is None else [self.work.targets[number] for number in numbers]
        e = explain(self.model, x, targets, self.work.method)
        rows = pooled(e, self.work.grid) | view(x, self.work.grid) | predictions(self.model, x, targets) | books(e)
        for layer in self.work.layers:
            inner = explain(self.model, x, targets, self.work.method, at=layer.at)
            rows |= {f"what.{layer.at}{name}": value for name, value in channel_sums(inner, layer).items()}
        return rows


def read_item(model: Model, items: Items, number: int) -> Any:
    """The input of an item: a tensor with a batch axis; of a text, the text."""
    raw = items.raw(number)
    if isinstance(raw, Tensor):
        if not raw.isfinite().all():
            raise InputError(f"item {number}", "values that are not finite", "nothing follows from them", "Leave it out.")
        return raw.to(model.device, model.dtype)
    if items.kind in ("texts", "rows"):
        return raw if items.kind == "texts" else model.read([raw])
    return model.read(raw)


def pooled(e: Explanation, grid: tuple[int, int]) -> Rows:
    """The map of absolute relevance, pooled, as shares of its sum; a negative sign where the relevance of a place is negative.

    Returns:
        "where": float16, (item, height, width), over "where.scale", the largest; "where.sum": the whole absolute relevance.
    """
    heat = heats(e)
    mass, net = (adaptive_avg_pool2d(each[:, None], grid)[:, 0] for each in (heat.abs(), heat))
    total = heat.abs().flatten(1).sum(1)
    shares = mass / mass.flatten(1).sum(1).clamp_min(torch.finfo(mass.dtype).tiny)[:, None, None]
    signed = torch.where(net < 0, -shares, shares)
    scale = shares.flatten(1).amax(1).clamp_min(torch.finfo(torch.float32).tiny)
    return {"where": (signed / scale[:, None, None]).half(), "where.scale": scale.float(), "where.sum": total.float()}


def view(x: Any, grid: tuple[int, int]) -> Rows:
    """Pictures or series at the size of the pooled map, the mean over channels, to look for marks in; nothing for others."""
    if not isinstance(x, Tensor) or x.dim() not in (3, 4):
        return {}
    mean = x.float().mean(1, keepdim=True)
    return {"view": adaptive_avg_pool2d(mean if x.dim() == 4 else mean[:, None], grid)[:, 0].half().cpu()}


def pooled_size(x: Any, heat: Tensor) -> tuple[int, int]:
    """Height and width of the pooled map of an input; of a row of a table nothing is pooled unless it is very long."""
    if not isinstance(x, Tensor):
        return 1, LINE
    if x.dim() == 3:
        return 1, min(LINE, heat.shape[1])
    return min(GRID, heat.shape[0]), min(GRID if heat.shape[0] > 1 else GRID * GRID, heat.shape[1])


def heats(e: Explanation) -> Tensor:
    """One number per place of every sample, (sample, height, width)."""
    if e.subject is None and e.values.dim() == 4:
        rows = e.values.float()
        return rows.mean(1) if e.shared else rows.sum(1)
    return torch.stack([e.heat(sample).float() for sample in range(len(e))])


def channel_sums(e: Explanation, layer: ChannelsAt) -> Rows:
    """The relevance of each channel, summed over places: float16 over a scale."""
    sums = e.values.float().movedim(layer.axis, 1).flatten(2).sum(2) if e.values.dim() > 2 else e.values.float()
    scale = sums.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny)
    return {"": (sums / scale[:, None]).half(), ".scale": scale}


def predictions(model: Model, x: Any, targets: Sequence[int] | None) -> Rows:
    """The predicted class, its probability, the class explained, its score and its probability."""
    output = class_outputs(model, x)
    shares = probabilities(output, model.links.get(""))
    predicted = output.argmax(1)
    target = predicted if targets is None else torch.tensor(list(targets))
    chosen = target.clamp(max=output.shape[1] - 1)[:, None]
    return {
        "predicted": predicted.to(torch.int32), "target": target.to(torch.int32), "score": output.gather(1, chosen)[:, 0].float(),
        "probability": shares.gather(1, chosen)[:, 0].float(),
    }  # fmt: skip


def class_outputs(model: Model, x: Any) -> Tensor:
    """One score per class of each sample, on the CPU."""
    batch = read_inputs(model, x)
    if batch.texts:
        output = torch.cat([one.embedded.output for one in batch.texts])
    else:
        output = forward_values(batch.model, batch.x, (None,))[None]
    scores = class_scores(output)
    return (output.flatten(1)[:, :1] if scores is None else scores).detach().float().cpu()


def books(e: Explanation) -> Rows:
    """What the ledger sums to; zeros for methods without one."""
    if e.ledger is None:
        return {"ledger": torch.zeros(len(e), 3)}
    return {"ledger": torch.stack([e.ledger.seed, e.ledger.input, e.ledger.absorbed], 1).float().cpu()}


def explaining(
    model: Any, data: Any, *, method: str | Method = "lrp", target: Any = "auto", layers: Sequence[str] | None = None,
    labels: Sequence[Any] | None = None, meta: Any = None, source: Callable[[], Model] | None = None, shard: int = SHARD,
    threads: int = 1, seed: int = 0,
) -> Job:  # fmt: skip
    """The job of explaining every item of some data.

    Arguments:
        model: A `Model`, or anything `load` takes.
        data: A folder of pictures, texts or series; a CSV file of texts or rows; a tensor; a list of texts or rows.
        target: "predicted", "label" (the class each item is labelled with), a class, or "auto": the label where all labels are
            classes of the model.
        layers: Whose channels are kept; None: the last layer with maps.
        labels, meta: See `pellucid.job.items.of`.
        source: Loads the model in another process, where the model itself cannot be sent.
    """
    model = load(model)
    model.ready()
    items = sources.of(data, meta, labels)
    chosen = with_layers(model, as_method(method))
    x = first_readable(model, items)
    rule, targets = target_rule(model, items, target)
    e = explain(model, x, None if targets is None else targets[0], chosen)
    kept = channel_layers(model, x, layers)
    heat = heats(e)[0]
    grid = pooled_size(x, heat)
    batch = min(BATCH, batch_size(read_inputs(model, x).x)) if isinstance(x, Tensor) else 8
    how = None if model.preprocess is None else describe(model.preprocess)[1]
    about = {"name": model.name, "fingerprint": fingerprint(model), "preprocess": how, "labels": model.labels}
    spec = {
        "task": "explain", "model": about,
        "data": items.described(), "method": {"name": chosen.name, "settings": repr(chosen)}, "target": rule,
        "layers": [layer.at for layer in kept], "grid": list(grid), "batch": batch, "device": model.device.type, "seed": seed,
    }  # fmt: skip
    return Job(spec, items, Explaining(source or model, items, chosen, targets, kept, grid, batch), shard, threads)


def first_readable(model: Model, items: Items) -> Any:
    """The first input that can be read.

    Raises:
        PellucidError: none of the first can: the error of the first.
    """
    check_kind(model, items)
    first: PellucidError | None = None
    for number in range(min(TRIED, len(items))):
        try:
            return read_item(model, items, number)
        except (PellucidError, OSError) as error:
            first = first or (error if isinstance(error, PellucidError) else None)
    do = "Look at the files, and at how the model reads them."
    raise first or InputError(f"the first {TRIED} items", "none that can be read", "there is nothing to begin with", do)


def check_kind(model: Model, items: Items) -> None:
    """Refuse data that the model cannot read before anything is computed."""
    reads = {Text: "texts", Columns: "rows"}.get(type(model.preprocess))
    if items.kind == "pictures":
        model.check_reads_pictures()
    elif items.kind in ("texts", "rows") and reads != items.kind:
        found = "a model that does not say how it reads them"
        do = "Name a model with its tokenizer, hf:FOLDER." if items.kind == "texts" else "Pass preprocess=pl.Columns(...)."
        raise InputError(f"{items.kind} for {model.name}", found, "that cannot be guessed", do)


def target_rule(model: Model, items: Items, target: Any) -> tuple[str, tuple[int, ...] | None]:
    """What is explained of each item: the rule in words, and the class for each; None where it is the one predicted.

    Raises:
        TargetError: a label is no class of the model, and labels were asked for.
        InputError: an item has no label, and labels were asked for.
    """
    if target not in ("auto", "label", "predicted", None):
        index = target if isinstance(target, int) else model.find(str(target))
        return f"class {index}", (index,) * len(items)
    if target in ("predicted", None) or (target == "auto" and not labels_are_classes(model, items)):
        return "predicted", None
    missing = next((key for key, label in zip(items.keys, items.labels, strict=True) if label is None), None)
    if missing is not None:
        do = "Put it into a folder of that name, or give a table with a column `label`."
        raise InputError(f"the label of {missing}", "none", "the class it is labelled with was to be explained", do)
    found = {label: model.find(label) for label in set(items.labels) if label is not None}
    return "label", tuple(found[label] for label in items.labels if label is not None)


def labels_are_classes(model: Model, items: Items) -> bool:
    """Whether every item has a label, and each of them names a class of the model."""
    return None not in items.labels and not unknown_labels(model, items)


def unknown_labels(model: Model, items: Items) -> list[str]:
    """The labels of items that name no class of the model."""
    found = []
    for label in sorted({label for label in items.labels if label is not None}):
        try:
            model.find(label)
        except PellucidError:
            found.append(label)
    return found


def channel_layers(model: Model, x: Any, layers: Sequence[str] | None) -> tuple[ChannelsAt, ...]:
    """The layers by name, or the last with maps; none where nothing inside has channels and none was named."""
    batch, target = read_target(read_inputs(model, x), as_target(None))
    if batch.texts:
        return ()
    kept = []
    for at in layers if layers is not None else [None]:
        try:
            found = find_layer(scored(batch.model, batch.x, [target]), batch.x, target, at)
        except PellucidError:
            if at is not None:
                raise
            continue
        assert found.axes.channel is not None
        kept.append(ChannelsAt(found.at, found.axes.channel, found.axes.shape[found.axes.channel]))
    return tuple(kept)
