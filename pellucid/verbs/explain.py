"""The verb `explain`: reads the model, the input and the question once, runs the method, and makes its answer an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, overload

import torch
from torch import Tensor
from torch.nn import Module
from torch.utils.data import DataLoader, Dataset

from pellucid.catalogue.methods import adds_up, as_method
from pellucid.core.answers import answers_kept
from pellucid.errors import InputError, MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.concat import concat
from pellucid.explanation.explanation import Choices, Explanation
from pellucid.explanation.explanations import Explanations
from pellucid.explanation.method import Method, attribute, configured, has, member
from pellucid.model import Model, load
from pellucid.model.modality import Modality, Tokens
from pellucid.model.multi_input import input_layout
from pellucid.model.provenance import provenance
from pellucid.model.readers.reader import describe
from pellucid.model.surroundings import surrounded
from pellucid.model.where import Where
from pellucid.tape import token_inputs
from pellucid.tape.embedding import recording_text
from pellucid.tape.independence import rows_are_apart
from pellucid.tape.token_inputs import as_token_target
from pellucid.target import Generated, Target, as_target, is_sequence
from pellucid.target.condition import Condition
from pellucid.target.conditioning import as_conditionings, has_addresses
from . import table_inputs
from .addresses import address, only_with_paths, with_layers
from .beneath import pixels_of, with_picture
from .call import call
from .continuation import explain_continuation
from .contrast import against, contrast, small_difference
from .cost import announce
from .held_place import at_place, from_place, held_place
from .inputs import Batch, read_inputs
from .many import TOGETHER, explain_many
from .rows import ROWS_MEET, check_rows, of_row, with_the_rest_held
from .samples import samples_of
from .scores import read_target
from .spelled_targets import with_spellings
from .verify.self_check import SelfCheck

Only = Condition | Mapping[str, Condition] | Sequence[Condition | Mapping[str, Condition]] | None


@overload
def explain(model: Any, x: Iterator[Any] | DataLoader[Any] | Dataset[Any], *args: Any, **options: Any) -> Explanations: ...


@overload
def explain(
    model: Any, x: Any, target: Any = None, method: str | Method = "lrp", *, versus: Any = None,
    at: str | Where | Module | None = None, only: Only = None, strict: bool = False, verify: bool = True,
    picture: Any = None,
) -> Explanation: ...  # fmt: skip


def explain(
    model: Any,
    x: Any,
    target: Any = None,
    method: str | Method = "lrp",
    *,
    versus: Any = None,
    at: str | Where | Module | None = None,
    only: Only = None,
    strict: bool = False,
    verify: bool = True,
    picture: Any = None,
) -> Explanation | Explanations:
    """Which parts of the input speak for the target, which against, and by how much.

    Arguments:
        model: A `Model`, or anything `load` takes: an `nn.Module`, a callable, a file, the name of a built-in model.
        x: A picture (path, bytes, PIL image, uint8 array), a row or a series where the model says how it reads them, or a tensor
            as the model expects it, batch first. For models of several inputs a tuple of these, or a dict by keyword; those of
            real numbers are explained together, `pl.held(x)` keeps one out. Many samples: a list of pictures or files; a folder;
            a data loader, data set or generator of inputs or of (inputs, labels).
        target: The class to explain, by index or name, one for all samples or one per sample; a `Target`; a function of the
            output. None: the class the model predicts for each sample. `pl.true_class`: that which the data say.
        versus: Why the target rather than this one, named in the same way: what is explained is the difference of both scores.
        method: A name from the catalogue, or a method object. "auto": the first of a few by SRG on this input.
        at: A module or its path: explain in terms of what that module returned, in place of the input.
        only: What relevance has to pass there: `only=pl.channels([17, 33])` with `at="layer4"` explains by the input what passes
            through those channels of that layer; `only={"layer4": pl.channels(17), "layer3": pl.channels([1, 2])}` what
            passes both; of a list each condition gets a row of its own.
        strict: Whether an operation without a rule is an error, and so a branch that cannot be followed; else its derivative is
            used, and the caption says so.
        verify: Whether the network is checked to do what is explained, once per network and kind of input, see `pl.verify`.
        picture: What is shown beneath the map of a tensor: a picture as for `x`, or a list with one per sample. None: the tensor
            with the model's preprocessing undone, where the model says how it reads pictures.

    Returns:
        Raw values, shaped like the input (or like the value at `at`), with target, ledger and provenance. Of a folder, a loader,
        a data set or a generator `Explanations`: they are computed as they are reached, so that their number does not matter.

    Raises:
        PellucidError: in one of its kinds, when something asked for cannot be done; the message says what to do.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = net[0].weight.data.copy_(torch.eye(2))
        >>> explain(net, torch.tensor([[1.0, 3.0]]), method="gradient_x_input").values
        tensor([[0., 3.]])
    """
    model = load(model)
    model.ready()
    options: dict[str, Any] = {"method": method, "at": at, "only": only, "strict": strict, "verify": verify}
    ask: Callable[..., Explanation] = partial(_explain_one, model, **options)
    samples = samples_of(model, x)
    if samples is None:
        return ask(x, target, versus, picture=picture)
    if picture is not None:
        raise InputError(
            "picture=", f"samples of {samples.source}", "it is shown beneath one tensor or one batch", "Explain these one by one."
        )
    chosen = as_method(method, strict=strict)
    many = explain_many(model, samples, ask, target, versus, chosen.name, 1 if has(chosen, "resolve") else TOGETHER)
    return called(many.concat(), model, x, target, versus, **options) if samples.listed else many


USUAL: dict[str, Any] = dict.fromkeys(("target", "versus", "at", "only", "picture"))
USUAL |= {"method": "lrp", "strict": False, "verify": True}


def called(e: Explanation, model: Model, x: Any, target: Any, versus: Any, *, at: Any, **options: Any) -> Explanation:
    """The explanation with what was asked in its provenance."""
    asked = {"x": x, "target": target, "versus": versus, "at": address(model, at)} | options
    return replace(e, provenance=e.provenance | call("explain", model, USUAL, **asked))


def _explain_one(
    model: Model,
    x: Any,
    target: Any,
    versus: Any,
    *,
    method: str | Method,
    at: Any,
    only: Only,
    strict: bool,
    verify: bool,
    picture: Any = None,
) -> Explanation:
    """The explanation of one input, or of one batch."""
    e = _answer(model, x, target, versus, picture, method=method, at=at, only=only, strict=strict, verify=verify)
    return called(e, model, x, target, versus, method=method, at=at, only=only, strict=strict, verify=verify, picture=picture)


def _answer(
    model: Model,
    x: Any,
    target: Any,
    versus: Any,
    picture: Any,
    *,
    method: str | Method,
    at: Any,
    only: Only,
    strict: bool,
    verify: bool,
) -> Explanation:
    """The same without what was asked."""
    chosen = with_layers(model, as_method(method, strict=strict))
    chosen, at = with_conditions(chosen, only_with_paths(model, only), address(model, at))
    target = against(target, versus)
    with surrounded(model) as own, answers_kept():
        if isinstance(target, Generated) or is_sequence(target):
            run = partial(_run, chosen, at=at, verify=verify, strict=strict)
            return explain_continuation(own, x, target, run, chosen, inside=at is not None)
        batch = with_picture(read_inputs(own, x), picture)
        batch, wanted = read_target(batch, target) if member(chosen, "runs") else (batch, as_target(target))
        return run_method(chosen, batch, wanted, at, verify=verify, strict=strict)


def _run(
    method: Method, batch: Batch, targets: Sequence[Target], at: str | Where | None, *, verify: bool, strict: bool
) -> Explanation | None:
    """The explanation of one text by a method, a row for each target; None of several for which it needs a recording each."""
    if len(targets) == 1:
        return run_method(method, batch, targets[0], at, verify=verify, strict=strict)
    check = SelfCheck(batch, method.name, on=verify and member(method, "runs"), strict=strict)
    with check.recording():
        found = token_inputs.attribute_each(method, batch.texts[0], targets)
    if found is None:
        return None
    rows = [_of_text(replace(batch, subject=None), method, check.checked(one, 0)) for one in found]
    return concat(rows)


def with_conditions(method: Method, only: Only, at: str | Where | None) -> tuple[Method, str | Where | None]:
    """The method with what relevance has to pass, and the value to explain by: the input, where `at` says where it passes."""
    if only is None:
        return method, at
    conditions = as_conditionings(only, at)
    check_carries(method, str(conditions[0]))
    return configured(method, only=conditions), at if has_addresses(only) else None


def check_carries(method: str | Method, through: str) -> None:
    """Refuse a method that cannot say what passes through a part of a layer."""
    chosen = as_method(method)
    if not has(chosen, "only"):
        raise MethodError(
            f"`{chosen.name}` through {through}", "a method that carries nothing back from layer to layer",
            "only where relevance is carried can it be held back on its way",
            'Take "lrp", any of its composites, or "gradient_x_input".',
        )  # fmt: skip


def run_method(
    method: Method, batch: Batch, target: Target, at: str | Where | None, *, verify: bool = True, strict: bool = False
) -> Explanation:
    """The explanation by a method; by one that chooses, that of its choice, with the reason in its notes."""
    chosen, reason = method, ""
    if has(method, "resolve"):
        token_target = as_token_target(target, batch.texts[0]) if batch.texts else target
        chosen, reason = member(method, "resolve")(batch.model, batch.x, token_target)
    check = SelfCheck(batch, chosen.name, inside=at is not None, on=verify and member(chosen, "runs"), strict=strict)
    with check.recording(), recording_text(has(chosen, "choose") and len(batch.x) == 1):  # of more texts, tapes would pile up
        e = explain_batch(chosen, batch, target, at, check)
    return replace(e, notes=(reason, *e.notes)) if reason else e


def explain_batch(method: Method, batch: Batch, target: Target, at: str | Where | None, check: SelfCheck) -> Explanation:
    """The explanation of a batch, sample by sample where these are texts, or where inputs that are not explained differ."""
    if batch.rowwise:
        for passage in member(method, "only"):
            passage.check(len(batch.x))
        rows = [_explain_row(method, batch, n, target.take([n]), at, check) for n in range(len(batch.x))]
        e = concat(rows)
        subject = _modality(batch, e.values, at)
        subject = subject.with_read_padding(e.values) if isinstance(subject, Tokens) and at is None else subject
        return replace(e, subject=subject, picture=pixels_of(batch, len(e)))
    if not rows_are_apart(batch.model, batch.x):
        check_rows(method, batch, target, at)
        held = [with_the_rest_held(batch, n) for n in range(len(batch.x))]
        rows = [
            _explain_together(of_row(method, n, len(batch.x)), row, target.take([n]), at, check, n) for n, row in enumerate(held)
        ]
        e = concat(rows)
        about = _modality(batch, e.values, at)
        return replace(e, notes=(ROWS_MEET, *e.notes), subject=about, picture=pixels_of(batch, len(e)))
    return _explain_together(method, batch, target, at, check)


def _explain_together(
    method: Method, batch: Batch, target: Target, at: str | Where | None, check: SelfCheck, number: int | None = None
) -> Explanation:
    """The explanation of real numbers, all samples of a batch at once; or of one that was taken out of it, by its number."""
    place = None if at is None else held_place(batch, at)
    if place is not None:
        return _explain_held_place(method, batch, target, place)
    if at is None:
        announce(method, batch.model, batch.x, target)
    try:
        of_table = table_inputs.attribute(method, batch.model, batch.x, target) if at is None else None
        attribution = of_table or attribute(method, batch.model, batch.x, target, at)
    except MethodError as error:
        raise error if input_layout(batch.model) is None else _with_advice(error, method) from None
    return _explanation(batch, method, check.checked(attribution, number), at)


def _explain_held_place(method: Method, batch: Batch, target: Target, place: str) -> Explanation:
    """The explanation by a value that comes from what is held, sample by sample."""
    rows = []
    for number in range(len(batch.x)):
        single = batch.single_sample(number) if len(batch.x) > 1 else batch
        own, fitted = from_place(single, method, place)
        attribution = at_place(attribute(fitted, own.model, own.x, target.take([number])), place)
        rows.append(_explanation(own, method, attribution, place))
    return concat(rows) if len(rows) > 1 else rows[0]


def _with_advice(error: MethodError, method: Method) -> MethodError:
    """What a method cannot do with several inputs together it may do with one of them."""
    do = f"{error.do} Or explain one input with {method.name} and hold the others: pl.explain(model, (image, pl.held(row)))."
    return MethodError(error.asked, error.found, error.why, do)


def _explain_row(
    method: Method, batch: Batch, number: int, target: Target, at: str | Where | None, check: SelfCheck
) -> Explanation:
    """The explanation of one sample of a batch, by the method with the conditions of that sample."""
    only = member(method, "only")
    method = configured(method, only=tuple(condition.take(number) for condition in only)) if only else method
    if not batch.texts:
        return _explain_together(method, batch.single_sample(number), target, at, check, number)
    attribution = token_inputs.attribute(method, batch.texts[number], target, at)
    attribution = check.checked(with_spellings(attribution, target, batch.texts[number].reader), number)
    return _of_text(replace(batch, subject=None), method, attribution, at)


def _of_text(batch: Batch, method: Method, attribution: Attribution, at: str | Where | None = None) -> Explanation:
    """An attribution of one text as an explanation."""
    named = token_inputs.with_token_names(batch.model, attribution)
    e = _explanation(replace(batch, model=named), method, attribution, at)
    return replace(e, signed=False) if at is None and token_inputs.unsigned(method) else e


def _modality(batch: Batch, values: Tensor, at: str | Where | None) -> Modality | None:
    """What the values are about: the inputs that were given, or tokens where a layer inside has one place for each."""
    many = len(values) // len(batch.x)  # of several conditions each sample has several rows
    rows = [sample for sample in range(len(batch.x)) for _ in range(many)]
    subject = batch.subject.take(rows) if batch.subject is not None and many > 1 else batch.subject
    fits = subject is not None and subject.fits(values)
    return subject if fits and (at is None or isinstance(subject, Tokens)) else None


def _explanation(batch: Batch, method: Method, attribution: Attribution, at: str | Where | None) -> Explanation:
    """An attribution as an explanation."""
    model = batch.model
    values = attribution.values.detach()
    values = values if values.dtype == torch.float64 else values.float()
    chosen = attribution.method if attribution.method not in (None, method.name) else None
    noted = any(note.startswith(f"`{method.name}` chose") for note in attribution.notes)
    choice = (f"`{method.name}` chose {chosen}.",) if chosen and not noted else ()
    notes = choice + attribution.notes + small_difference(attribution) + batch.notes + model.notes
    targets, rows = tuple(attribution.target.text(i) for i in range(len(values))), token_inputs.target_logits(attribution)
    return Explanation(
        values.cpu(), attribution.score.detach().cpu(), targets[0], method.name, method.signed,
        ledger=None if attribution.ledger is None else _on_cpu(attribution.ledger), notes=notes,
        provenance=_provenance(model, method, attribution.options), picture=pixels_of(batch, len(values)),
        at=None if at is None else str(at),
        classes=tuple(model.top(rows[0])), choices=_choices(model, rows, len(values)),
        targets=() if len(set(targets)) == 1 else targets,
        error=None if attribution.error is None else attribution.error.detach().to(values.dtype).cpu(),
        shared=attribution.shared, forwards=attribution.forwards, subject=_modality(batch, values, at),
        adds=attribution.ledger is not None or adds_up(method.name), through=attribution.through,
        doubts=(*attribution.warnings, *attribution.lost, *batch.warnings), contrast=contrast(attribution),
    )  # fmt: skip


def _choices(model: Model, rows: Tensor, count: int) -> tuple[Choices, ...]:
    """The top classes of every sample of a batch, where the output has a row for each."""
    if count == 1 or len(rows) != count or not model.top(rows[0]):
        return ()
    return tuple(tuple(model.top(row)) for row in rows)


def _on_cpu(ledger: Any) -> Any:
    rows = tuple(replace(row, amount=row.amount.cpu()) for row in ledger.rows)
    return replace(ledger, seed=ledger.seed.cpu(), input=ledger.input.cpu(), rows=rows)


def _provenance(model: Model, method: Method, options: tuple[str, ...]) -> dict[str, Any]:
    """What it takes to repeat this explanation."""
    how = None if model.preprocess is None else describe(model.preprocess)[1]
    about = {"name": model.name, "source": model.source, "fingerprint": model.fingerprint, "preprocess": how}
    return provenance(model=about, method={"name": method.name, "options": list(options)})
