"""Methods on rows of a table: codes by what is looked up for them, and baselines that are possible rows."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import Method, attribute as run_method, configured, has, member
from pellucid.methods.perturb.imputers.column_values import ColumnValues
from pellucid.methods.perturb.regions.regions import table_columns
from pellucid.model import Model
from pellucid.tape.codes import CodedRows, coded_rows
from pellucid.tape.forward import Readout
from pellucid.tape.token_inputs import LENGTH, NONE, SAME
from pellucid.target import Target


def attribute(method: Method, model: Model, x: Tensor, target: Target) -> Attribution | None:
    """The answer of a method for rows of a table with categories; None where they need nothing beside what other inputs need.

    What is looked up for a code is explained in its place: the code gets the sum over it, or, of slopes, its length. Methods that
    compare with a baseline, and are given none, are averaged over possible rows: numbers at their mean, and every value of the
    categories in turn.
    """
    how = member(method, "per_token")
    if how == SAME or has(method, "of_tokens"):  # parts are taken away, and what stands there is a value
        return None
    coded = coded_rows(model, x)
    if coded is not None and how == NONE:
        found = run_method(method, model, x, target)
        return replace(found, warnings=(*found.warnings, _unseen(method, coded)))
    values = _usual(method, model, x)
    if coded is None and values is None:
        return None
    if values is None:
        return _with_codes(method, model, x, target, coded)
    rows = _possible_rows(values, x)
    if has(method, "baselines"):
        found = _with_codes(configured(method, baselines=rows), model, x, target, coded)
        return replace(found, notes=(*_without_baseline(found), _sentence(values)))
    each = [_with_codes(configured(method, baseline=row), model, x, target, coded) for row in rows]
    return _mean(each, model, rows, _sentence(values))


def _usual(method: Method, model: Model, x: Tensor) -> ColumnValues | None:
    """What stands for a row where a method is given nothing to compare with, and there are categories."""
    name = next((name for name in ("baseline", "baselines") if has(method, name)), None)
    columns = table_columns(x[:1], model)
    if name is None or member(method, name) is not None or columns is None or not bool(columns.whole.any()):
        return None
    return ColumnValues(model.preprocess)


def _possible_rows(values: ColumnValues, x: Tensor) -> Tensor:
    """Rows without anything in particular, with shape (n, width)."""
    return values.prepare(x[:1], None, None)(x[:0], range(values.draws))


def _with_codes(method: Method, model: Model, x: Tensor, target: Target, coded: CodedRows | None) -> Attribution:
    """The answer of a method, with what is looked up for codes in their place."""
    if coded is None:
        return run_method(method, model, x, target)
    found = run_method(_fitted(method, coded), coded.handle(), coded.packed(x), target)
    return _folded(found, method, coded)


def _fitted(method: Method, coded: CodedRows) -> Method:
    """The method with what is looked up for the codes of its baseline behind that."""
    if has(method, "method"):
        return configured(method, method=_fitted(member(method, "method"), coded))
    name = next((name for name in ("baseline", "baselines") if has(method, name)), None)
    given = None if name is None else member(method, name)
    if name is None or (name == "baselines" and given is None):
        return method
    rows = torch.as_tensor(0.0 if given is None else given, dtype=coded.x.dtype, device=coded.x.device)
    rows = rows.expand(1, coded.x.shape[1]) if rows.dim() < 2 and rows.shape[-1:] in ((), (1,), coded.x.shape[1:]) else rows
    return configured(method, **{name: coded.packed(rows) if rows.shape[1:] == coded.x.shape[1:] else given})


def _folded(found: Attribution, method: Method, coded: CodedRows) -> Attribution:
    """One number for each entry of a row: of a code that of what is looked up for it."""
    width = coded.x.shape[1]
    values, notes = found.values[:, :width].clone(), found.notes
    rows = found.values[:, width:].reshape(len(found.values), width, -1)
    lengths = member(method, "per_token") == LENGTH
    values += rows.norm(dim=2) if lengths else rows.sum(2)
    error = None if found.error is None else found.error[:, :width].clone()
    if error is not None and found.error is not None:
        error += found.error[:, width:].reshape(rows.shape).norm(dim=2)
    if lengths:
        notes = (*notes, "The value of a code is the length of the slopes of what is looked up for it: it has no sign.")
    held = f"Constant for these codes, and followed by no slope: {', '.join(coded.held)}." if coded.held else ""
    return replace(found, values=values, error=error, notes=notes, warnings=(*found.warnings, *filter(None, (held,))))


def _mean(each: list[Attribution], model: Model, rows: Tensor, sentence: str) -> Attribution:
    """The mean over several baselines."""
    first = each[0]
    values = torch.stack([one.values.double() for one in each]).mean(0).to(first.values)
    readout = Readout(model, rows, first.target)
    notes = [*_without_baseline(first), sentence]
    if any(note.startswith("With ") for note in first.notes):
        compared = torch.stack([readout(rows, [sample] * len(rows)).mean() for sample in range(len(values))])
        change = (first.score - compared).double()
        gap = (values.double().sum(1) - change).abs()
        worst = int((gap / change.abs().clamp(min=1e-12)).argmax())
        notes.append(
            f"The map's sum is {figure(float(gap[worst]))} off f(x) - mean f(baselines) = {figure(float(change[worst]))}."
        )
    doubts = tuple(dict.fromkeys(doubt for one in each for doubt in one.warnings))
    forwards = sum(one.forwards for one in each)
    return replace(first, values=values, notes=tuple(notes), warnings=doubts, forwards=forwards, ledger=None)


def _without_baseline(found: Attribution) -> list[str]:
    """The notes but for those on one baseline."""
    return [note for note in found.notes if not note.startswith(("The baseline", "With "))]


def _sentence(values: ColumnValues) -> str:
    """What is compared with, for captions."""
    several = "every value of its categories in turn" if values.exact else "drawn values of its categories"
    return f"The baselines are {values.draws} possible rows: numbers at their mean, and {several}."


def _unseen(method: Method, coded: CodedRows) -> str:
    """What is to be doubted of methods that change codes as if they were amounts."""
    places = ", ".join(map(str, coded.codes.nonzero().flatten().tolist()))
    return (
        f"The model reads the entries {places} as codes, which {method.name} changes a little, as if they were amounts: it says "
        'nothing of them. Use "occlusion", "shapley" or "lrp".'
    )
