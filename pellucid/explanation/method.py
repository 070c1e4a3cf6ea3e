"""Method: what explains. Every member that a method must or may have stands here; what it returns is an `Attribution`.

Nothing else in the package probes a method: optional members are read by `member`, set by `configured`, and answers are taken
from `attribute`, which holds a method to what it says of the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from inspect import Parameter, signature
from typing import Any, Protocol

import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.errors import MethodError
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.target import Target
from .attribution import Attribution


class Method(Protocol):
    """Anything that explains: the three members that it must have. Those that it may have: `OPTIONAL`.

    A frozen dataclass is best: its options are its fields, and verbs set some of them on a copy.
    """

    @property
    def name(self) -> str:
        """What captions, tables and files call it: its name in the catalogue."""

    @property
    def signed(self) -> bool:
        """Whether a negative value is evidence against the target; if not, no value is negative."""

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The answer for a batch.

        Arguments:
            model: A handle on the user's model; nothing of it may change.
            x: The batch, as the model expects it: floating point, samples along axis 0. Of texts, the vectors of their tokens.
            target: What is explained, as it was asked for: `target.resolve` names its classes, given the output.
            at: The address of the value to explain by; None: the input.

        Returns:
            `values` shaped like x, or like the value at `at`; `score`, which is the target read from `output`.
        """


#: What a method may have besides, with what holds for methods that have not.
OPTIONAL: dict[str, Any] = {
    # Fields of a dataclass, which are set on a copy.
    "strict": False,  # bool. Set by `explain(strict=True)`: an operation without a rule is then an error
    "only": (),  # tuple[Conditioning, ...]. Set by `explain(only=...)`: what relevance has to pass; others refuse that
    "baseline": None,  # number, tensor or None: what the input is compared with; for texts None becomes the text with blanks
    "baselines": None,  # the same for methods that take several
    "method": None,  # Method: the one it wraps, and on which baselines are set in its place
    # A class variable.
    "per_token": "sum",  # what becomes of the values of a token's vector: "sum", where they are shares of the score; "length" of
    # the vector, where they are slopes; "same", where all of them hold the token's value; "none": it does not explain texts
    "runs": True,  # whether it runs the network: not so where outputs of earlier are read anew
    # Functions.
    "attribute_each": None,  # (model, x, targets) -> list[Attribution] | None: for several targets of one sample, from one
    # recording, or from one pass for every variant; None where it cannot
    "resolve": None,  # (model, x, target) -> (Method, str): for methods that choose another one; which, and why in a sentence
    "of_tokens": None,  # (text) -> (Method, notes): the method for one `token_inputs.TokenizedText`, where `baseline` does not do
    "changes_ids": None,  # (text) -> bool: whether it replaces whole tokens of a `TokenizedText`, and so works on ids themselves
    "passes": None,  # (model, x, target) -> Passes | None: how often it is about to run the network; None where it cannot be said
    "choose": None,  # (tape, ops) -> Composite: for relevance propagation; the rules for what ran, which `inspect` shows
}


def member(method: Method, name: str) -> Any:
    """An optional member of a method, or what holds for methods without."""
    return getattr(method, name, OPTIONAL[name])


def has(method: Any, name: str) -> bool:
    """Whether a method has an optional member."""
    return name in OPTIONAL and hasattr(method, name)


def configured(method: Method, /, **fields: Any) -> Method:
    """A copy with optional fields set; those that the method has not are left out."""
    known = {name: value for name, value in fields.items() if has(method, name)}
    return replace(method, **known) if known and is_dataclass(method) and not isinstance(method, type) else method


def instance(given: Any) -> Method:
    """A method, from one, or from a class or function that makes one without arguments: `pl.lrp.EpsilonPlus`.

    Raises:
        MethodError: it is none, or lacks what a method must have.

    Example:
        >>> from pellucid.methods.gradient import Gradient
        >>> instance(Gradient) == Gradient() == instance(Gradient())
        True
    """
    made = _made(given) if isinstance(given, type) or (callable(given) and not hasattr(given, "attribute")) else given
    lacking = [name for name in ("name", "signed", "attribute") if not hasattr(made, name)]
    if "attribute" in lacking:
        raise MethodError(
            f"method={given!r}", f"a {type(given).__name__}", "a method has a name and attributes",
            'Pass a name such as "lrp", or pl.lrp.EpsilonPlus().',
        )  # fmt: skip
    if lacking:
        raise MethodError(
            f"a method of class {type(made).__name__}", f"no `{'` and no `'.join(lacking)}`",
            "captions name a method, and palettes depend on whether its values have signs",
            "Add them as class variables; `pellucid.explanation.method.Method` has all members.",
        )  # fmt: skip
    method: Method = made
    return method


def _made(given: Any) -> Any:
    """What a class or a function makes without arguments."""
    kind, name = "class" if isinstance(given, type) else "function", getattr(given, "__name__", repr(given))
    variadic = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD
    parameters = [one for one in signature(given).parameters.values() if one.kind not in variadic]
    needed = [one.name for one in parameters if one.default is Parameter.empty]
    if needed:
        arguments = ", ".join(f"{one}=..." for one in needed)
        raise MethodError(
            f"method={name}", f"a {kind} that takes {', '.join(needed)}", "a method is an object with a name that attributes",
            f'Make one, {name}({arguments}), if that is what it returns; or pass a name such as "lrp".',
        )  # fmt: skip
    return given()


def attribute(method: Method, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
    """The answer of a method, held to its word: its score has to be the target, read from the output that it reports.

    Raises:
        MethodError: it is not, or the method returns something else than an `Attribution`.
    """
    return _held_to_its_word(method, model, method.attribute(model, x, target, at))


def attribute_each(method: Method, model: Model, x: Tensor, targets: Sequence[Target]) -> list[Attribution] | None:
    """The answers of a method for several targets of one sample, from one recording; None where it takes one for each.

    Raises:
        MethodError: as `attribute` does.
    """
    several = member(method, "attribute_each")
    found = None if several is None else several(model, x, targets)
    return None if found is None else [_held_to_its_word(method, model, one) for one in found]


def _held_to_its_word(method: Method, model: Model, found: Any) -> Attribution:
    """What a method returned, if it is an attribution whose score is that of its target."""
    if not isinstance(found, Attribution):
        raise MethodError(
            f"`{method.name}` on {model.name}", f"a {type(found).__name__} returned by `attribute`",
            "an explanation needs target, score and output beside the values",
            "Return pellucid.explanation.Attribution(values, score, target, output).",
        )  # fmt: skip
    if found.target.addresses != (None,) or found.through:
        return found  # read inside the model, or once for every condition
    resolved = found.target.resolve(lambda at: found.output, model)
    _check_score(method, found, resolved)
    return replace(found, target=resolved)


def _check_score(method: Method, found: Attribution, target: Target) -> None:
    """Refuse a score that is clearly not the target's. Rounding is no disagreement, also where terms of a contrast cancel."""
    score, output = found.score.detach().double().cpu(), found.output.detach()
    with torch.no_grad():
        wanted = target.read(lambda at: output).double().cpu()
    if wanted.shape == score.shape:
        rounding = (1e-3 + 4 * torch.finfo(output.dtype).eps) * _largest(output).double().cpu()
        off = ((wanted - score).abs() > 0.01 * (wanted.abs() + score.abs()) + rounding).nonzero().flatten().tolist()
        if not off:
            return
        sample = off[0]
        reported = f"a score of {figure(float(score[sample]))} for sample {sample}, which has {figure(float(wanted[sample]))}"
    else:
        reported = f"scores of shape {tuple(score.shape)} for {len(wanted)} samples"
    raise MethodError(
        f"`{method.name}` for {target}", reported, "the score of an explanation is the target's own value, one number per sample",
        "In `attribute`, read it with target.resolve(lambda at: output, model).read(lambda at: output).",
    )  # fmt: skip


def _largest(output: Tensor) -> Tensor:
    """The size of the largest entry of each sample, without a copy of what may be the scores of a whole vocabulary."""
    rows = output.reshape(len(output), -1)
    if rows.is_complex():
        return rows.abs().amax(1)
    low, high = rows.aminmax(dim=1)
    return torch.maximum(high, -low)
