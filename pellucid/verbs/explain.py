"""The verbs. Each normalises what it was given once, and passes one type on."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from pellucid.catalogue.methods import adds_up, as_method
from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.concat import concat
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method, attribute, configured, has, member
from pellucid.model import Model, load
from pellucid.model.modality import Modality, Tokens
from pellucid.model.multi_input import PackedForward, input_layout, single_sample
from pellucid.model.readers.describe import describe
from pellucid.model.where import Where
from pellucid.tape import token_inputs
from pellucid.target import Target, as_target
from pellucid.target.condition import Condition
from pellucid.target.conditioning import as_conditionings, has_addresses
from .inputs import Seen, seen

Only = Condition | Mapping[str, Condition] | Sequence[Condition | Mapping[str, Condition]] | None


def explain(
    model: Any,
    x: Any,
    target: Any = None,
    method: str | Method = "lrp",
    *,
    at: str | Where | None = None,
    only: Only = None,
    strict: bool = False,
) -> Explanation:
    """Which parts of the input speak for the target, which against, and by how much.

    Arguments:
        model: A `Model`, or anything `load` takes: an `nn.Module`, a callable, a file, the name of a built-in model.
        x: A picture (path, bytes, PIL image, uint8 array), a row or a series where the model says how it reads them, or a tensor
            as the model expects it, batch first. For models of several inputs a tuple of these, or a dict by keyword; those of
            real numbers are explained together, `pl.held(x)` keeps one out.
        target: The class to explain, by index or name, one for all samples or one per sample; a `Target`; a function of the
            output. None: the class the model predicts for each sample.
        method: A name from the catalogue, or a method object. "auto": the first of a few by SRG on this input.
        at: A module path: explain in terms of what that module returned, in place of the input.
        only: What relevance has to pass there: `only=pl.channels([17, 33])` with `at="layer4"` explains by the input what passes
            through those channels of that layer; `only={"layer4": pl.channels(17), "layer3": pl.channels([1, 2])}` what
            passes both; of a list each condition gets a row of its own.
        strict: Whether an operation without a rule is an error; else its derivative is used, and the caption says so.

    Returns:
        Raw values, shaped like the input (or like the value at `at`), with target, ledger and provenance.

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
    chosen, at = _conditioned(as_method(method, strict=strict), only, at)
    return _answered(chosen, seen(model, x), as_target(target), at)


def _conditioned(method: Method, only: Only, at: str | Where | None) -> tuple[Method, str | Where | None]:
    """The method with what relevance has to pass, and the value to explain by: the input, where `at` says where it passes."""
    if only is None:
        return method, at
    asked = as_conditionings(only, at)
    check_carries(method, str(asked[0]))
    return configured(method, only=asked), at if has_addresses(only) else None


def check_carries(method: str | Method, through: str) -> None:
    """Refuse a method that cannot say what passes through a part of a layer."""
    chosen = as_method(method)
    if not has(chosen, "only"):
        raise MethodError(
            f"`{chosen.name}` through {through}", "a method that carries nothing back from layer to layer",
            "only where relevance is carried can it be held back on its way",
            'Take "lrp", any of its composites, or "gradient_x_input".',
        )  # fmt: skip


def _answered(method: Method, given: Seen, target: Target, at: str | Where | None) -> Explanation:
    """What a method says; of one that chooses, what its choice says, and why it was chosen."""
    chosen, why = method, ""
    if has(method, "resolve"):
        asked = target if given.x.is_floating_point() or given.x.dim() != 2 else token_inputs.spoken(given.model, given.x, target)
        chosen, why = member(method, "resolve")(given.model, given.x, asked)
    e = _explained(chosen, given, target, at)
    return replace(e, notes=(why, *e.notes)) if why else e


def _explained(method: Method, given: Seen, target: Target, at: str | Where | None) -> Explanation:
    """What a method answers about a batch, sample by sample where other inputs belong to each of them."""
    if given.rowwise:
        for passage in member(method, "only"):
            passage.check(len(given.x))
        rows = [_alone(_asked_of(method, n), given, n, target.take([n]), at) for n in range(len(given.x))]
        e = concat(rows)
        return replace(e, subject=_about(given, e.values, at))
    try:
        found = attribute(method, given.model, given.x, target, at)
    except MethodError as error:
        raise error if input_layout(given.model) is None else _of_one(error, method) from None
    return _explanation(given, method, found, at)


def _asked_of(method: Method, sample: int) -> Method:
    """The method with what relevance has to pass in one sample."""
    only = member(method, "only")
    return configured(method, only=tuple(one.take(sample) for one in only)) if only else method


def _of_one(error: MethodError, method: Method) -> MethodError:
    """What a method cannot do with several inputs together it may do with one of them."""
    do = f"{error.do} Or explain one input with {method.name} and hold the others: pl.explain(model, (image, pl.held(row)))."
    return MethodError(error.asked, error.found, error.why, do)


def _alone(method: Method, given: Seen, number: int, target: Target, at: str | Where | None) -> Explanation:
    """What a method answers about one sample of a batch."""
    if given.x.is_floating_point():
        return _explained(method, given.single_sample(number), target, at)
    tokens = given.subject if isinstance(given.subject, Tokens) else None
    model = single_sample(given.model, number) if isinstance(given.model.forward, PackedForward) else given.model
    found = token_inputs.attribute(method, model, given.x, number, target, at, tokens, given.beside)
    told = _explanation(replace(given, model=token_inputs.named(given.model, found), subject=None), method, found, at)
    return replace(told, signed=False) if at is None and token_inputs.unsigned(method) else told


def _about(given: Seen, values: Tensor, at: str | Where | None) -> Modality | None:
    """What the values are about: the things that were given, or tokens where a layer inside has one place for each."""
    many = len(values) // len(given.x)  # of several conditions each sample has several rows
    rows = [sample for sample in range(len(given.x)) for _ in range(many)]
    subject = given.subject.take(rows) if given.subject is not None and many > 1 else given.subject
    fits = subject is not None and subject.fits(values)
    return subject if fits and (at is None or isinstance(subject, Tokens)) else None


def _explanation(given: Seen, method: Method, found: Attribution, at: str | Where | None) -> Explanation:
    """An attribution told as an explanation."""
    model = given.model
    values = found.values.detach()
    values = values if values.dtype == torch.float64 else values.float()
    chosen = found.method if found.method not in (None, method.name) else None
    said = any(note.startswith(f"`{method.name}` chose") for note in found.notes)
    notes = ((f"`{method.name}` chose {chosen}.",) if chosen and not said else ()) + found.notes + note(found) + model.notes
    targets = tuple(found.target.text(i) for i in range(len(values)))
    return Explanation(
        values.cpu(),
        found.score.detach().cpu(),
        targets[0],
        method.name,
        method.signed,
        ledger=None if found.ledger is None else _at_hand(found.ledger),
        notes=notes,
        provenance=_provenance(model, method, found.options),
        picture=given.picture,
        at=None if at is None else str(at),
        classes=tuple(model.top(token_inputs.said(found)[0])),
        targets=() if len(set(targets)) == 1 else targets,
        error=None if found.error is None else found.error.detach().to(values.dtype).cpu(),
        shared=found.shared,
        forwards=found.forwards,
        subject=_about(given, values, at),
        adds=found.ledger is not None or adds_up(method.name),
        through=found.through,
    )


def _at_hand(ledger: Any) -> Any:
    rows = tuple(replace(row, amount=row.amount.cpu()) for row in ledger.rows)
    return replace(ledger, seed=ledger.seed.cpu(), input=ledger.input.cpu(), rows=rows)


def _provenance(model: Model, method: Method, options: tuple[str, ...]) -> dict[str, Any]:
    """What it takes to make this explanation again."""
    from pellucid import __version__

    how = None if model.preprocess is None else describe(model.preprocess)[1]
    return {
        "pellucid": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "model": {"name": model.name, "source": model.source, "fingerprint": model.fingerprint, "preprocess": how},
        "method": {"name": method.name, "options": list(options)},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


FAINT = 0.2  # of what the maps of the terms hold: a difference below it is said to be small


def remainder(found: Attribution) -> float | None:
    """How much a contrast's map holds, as a share of what its terms are worth together; the largest over the samples.

    Of methods that keep a ledger, whose maps are made of the score: it is near 1 where the maps of both terms lie apart, and near
    0 where they are the same. None for other methods, for single targets, and for terms that are read inside the model.
    """
    terms = found.target.terms
    if found.ledger is None or len(terms) < 2 or any(term.at is not None for _, term in terms):
        return None
    if found.values.shape[0] != len(found.output):
        return None
    worth = sum(abs(weight) * Target(((1.0, term),)).read(lambda at: found.output).abs() for weight, term in terms)
    share = found.values.flatten(1).abs().sum(1).double() / worth.double().clamp(min=1e-12)  # type: ignore[union-attr]
    return float(share.max())


def note(found: Attribution) -> tuple[str, ...]:
    """A sentence, where what the terms have in common is most of what there is."""
    share = remainder(found)
    if share is None or share >= FAINT:
        return ()
    held = f"the map of the difference holds {share:.0%} of what the maps of its terms do"
    return (f"This method says nearly the same of both: {held}.",)
