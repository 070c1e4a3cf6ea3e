"""Methods on token ids: each text alone, seen from its embedding on, and one number per token at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError, MethodError, TargetError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import Method, configured, has, member
from pellucid.explanation.method import attribute as ask
from pellucid.model import Model, Text
from pellucid.model.modality.tokens import PADDING, SPECIAL, TEXT, Tokens
from pellucid.model.outputs import main_output
from pellucid.model.where import Where
from pellucid.target import Target
from pellucid.target.classes import Logit
from pellucid.target.token import Token
from .embedding import Embedded, embedded

SUM, LENGTH, SAME, NONE = "sum", "length", "same", "none"


@dataclass(frozen=True, eq=False)
class Written:
    """One text as a model reads it, without padding.

    Arguments:
        seen: The model, from its embedding on.
        tokens: What stands where, in a batch of this text alone; None where the model has no tokenizer.
        text: How the model reads texts; None where that is not known.
    """

    seen: Embedded
    tokens: Tokens | None
    text: Text | None

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return self.seen.ids.shape[1]

    @property
    def evidence(self) -> Tensor:
        """Which tokens are part of the text, and none that the tokenizer puts around it."""
        kinds = (TEXT,) * self.count if self.tokens is None else self.tokens.kinds[0]
        return torch.tensor([kind == TEXT for kind in kinds], device=self.seen.ids.device)

    def blanked(self, id: int | None = None) -> tuple[Tensor, str]:
        """The vectors with one token in the place of every token of the text, and what token that is.

        Arguments:
            id: Which one; None: the tokenizer's blank. Without a tokenizer all entries are zero.
        """
        blank = id if id is not None or self.text is None else self.text.blank_id
        if blank is None:
            keep = ~self.evidence[:, None]
            return self.seen.vectors * keep, "the zero vector"
        ids = torch.where(self.evidence, torch.full_like(self.seen.ids, blank), self.seen.ids)
        name = f"token {blank}" if self.text is None else self.text.piece(blank)
        return embedded(self.seen.model, ids).vectors, name


def attribute(
    method: Method,
    model: Model,
    ids: Tensor,
    row: int,
    target: Target,
    at: str | Where | None = None,
    tokens: Tokens | None = None,
    beside: Mapping[str, Tensor] | None = None,
) -> Attribution:
    """What a method says of one text of a batch, one number for each token.

    Every text is explained alone and without its padding, from the vectors on that the model's tables hold for its tokens; the
    positions of tokens, and all else that the model adds to the vectors, are constants. What a method says of the entries of a
    token's vector becomes one number: their sum, which keeps the books closed; of methods that tell slopes and not shares of the
    score, the length of the vector, which has no sign. Padding gets zero.

    Arguments:
        ids: Whole numbers, with shape (batch, tokens).
        row: Which text.
        target: For this text alone.
        tokens: What stands where; None: every number is a token of the text.
        beside: What the model is given by keyword, with a number for every token.

    Raises:
        InputError: they are no token ids for this model.
        MethodError: the method has no meaning for tokens.
    """
    if ids.dim() != 2:
        raise InputError(
            f"An explanation of {ids.dtype} numbers", f"a tensor of shape {tuple(ids.shape)}",
            "whole numbers are taken for token ids, with shape (batch, tokens)", "Pass real numbers as such: x.float().",
        )  # fmt: skip
    _check(method)
    kinds = (TEXT,) * ids.shape[1] if tokens is None else tokens.kinds[row]
    places = torch.tensor([place for place, kind in enumerate(kinds) if kind != PADDING], device=ids.device)
    text = model.preprocess if isinstance(model.preprocess, Text) else None
    if beside is not None:
        model = accompanied(model, {name: value[row, places][None] for name, value in beside.items()})
    written = Written(embedded(model, ids[row, places][None].long()), None if tokens is None else tokens.single(row), text)
    fitted, notes = adapted(method, written)
    found = ask(fitted, written.seen.handle(), written.seen.vectors, settled(target, written, model), at)
    if at is None:
        found, more = folded(found, method, written)
        notes = (*notes, *more)
    told = [note for note in found.notes if not (notes and note.startswith("The baseline"))]  # ours says which text it is
    error = None if found.error is None else _spread(found.error, places, ids.shape[1], at)
    return replace(found, values=_spread(found.values, places, ids.shape[1], at), error=error, notes=(*told, *notes))


def accompanied(model: Model, beside: Mapping[str, Tensor]) -> Model:
    """The model with more that it is given by keyword, the same for every variant of a text."""

    def forward(ids: Tensor) -> Any:
        if any(value.shape[1] != ids.shape[1] for value in beside.values()):
            raise InputError(
                f"a shorter text beside {', '.join(beside)}", f"{ids.shape[1]} tokens",
                "these have a number for every token of the whole text", 'Use semantics="replace".',
            )  # fmt: skip
        return model.forward(ids, **{name: value.expand(len(ids), -1) for name, value in beside.items()})

    return replace(model, forward=forward)


def said(found: Attribution) -> Tensor:
    """The scores among which the target is: of a language model those of all tokens at its position."""
    place = next((term.position for _, term in found.target.terms if isinstance(term, Token)), None)
    return found.output if place is None or found.output.dim() != 3 else found.output[:, place]


def named(model: Model, found: Attribution) -> Model:
    """The model with the names of what it chooses among: of a language model those of tokens."""
    spoken = any(isinstance(term, Token) for _, term in found.target.terms) and isinstance(model.preprocess, Text)
    return replace(model, labels=TokenNames(model.preprocess, found.output.shape[-1])) if spoken else model


class TokenNames(tuple[str, ...]):
    """The names of all tokens, each looked up when it is asked for."""

    text: Text
    size: int

    def __new__(cls, text: Text, size: int) -> TokenNames:
        made = super().__new__(cls)
        made.text, made.size = text, size
        return made

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        return self.text.as_text(index)


def _spread(values: Tensor, places: Tensor, longest: int, at: Any) -> Tensor:
    """The values of a text at their places in a batch, zero where there is padding."""
    if len(places) == longest:
        return values
    if values.dim() < 2 or values.shape[1] != len(places):
        raise InputError(
            f"texts of different lengths, at {at}", f"values of shape {tuple(values.shape)} for {len(places)} tokens",
            "they cannot be laid side by side", "Explain them one by one.",
        )  # fmt: skip
    spread = values.new_zeros(len(values), longest, *values.shape[2:])
    spread[:, places] = values
    return spread


def _check(method: Method) -> None:
    if member(method, "per_token") == NONE:
        raise MethodError(
            f"{method.name} of a text", "token ids", "the method is made for pictures, and says nothing of tokens",
            'Use "lrp", "integrated_gradients", "occlusion" or "shapley", say.',
        )  # fmt: skip


def adapted(method: Method, written: Written) -> tuple[Method, tuple[str, ...]]:
    """The method for one text: baselines are texts without their words, what is taken away are tokens."""
    if has(method, "of_tokens"):
        made: tuple[Method, tuple[str, ...]] = member(method, "of_tokens")(written)
        return made
    if has(method, "method"):  # a method that wraps another
        inner, notes = adapted(member(method, "method"), written)
        return configured(method, method=inner), notes
    name = next((name for name in ("baseline", "baselines") if has(method, name)), None)
    if name is None:
        return method, ()
    given = member(method, name)
    if isinstance(given, Tensor) and not given.is_floating_point():
        rows = given.to(written.seen.ids).reshape(-1, given.shape[-1])
        return configured(method, **{name: torch.cat([embedded(written.seen.model, one[None]).vectors for one in rows])}), ()
    if given is not None:
        return method, ()
    blank, called = written.blanked()
    kept = "; special tokens stay" if written.tokens is not None and SPECIAL in written.tokens.kinds[0] else ""
    note = f"The baseline is the same text with {called} in place of every token{kept}."
    return configured(method, **{name: blank}), (note,)


def settled(target: Target, written: Written, model: Model) -> Target:
    """The target for one text: on the output of a language model, classes are tokens; tokens to be guessed stand at the gap.

    What it reads from the output is settled with the model itself, which has names for things.
    """
    output = main_output(written.seen.output)
    if speaks(written.seen, output):
        target = Target(tuple((weight, _as_token(term)) for weight, term in target.terms))
    elif output.dim() == 3 and any(type(term) is Logit and term.at is None for _, term in target.terms):
        raise TargetError(
            str(target), f"outputs of shape {tuple(output.shape)}: a vector or a row of scores for every token",
            "a class has no single score there",
            'Say what is meant: pl.similarity(input="another text") of embeddings, pl.step(position, class) '
            "of tokens that are classed one by one.",
        )  # fmt: skip
    gap = None if written.text is None else written.text.mask
    gaps = [] if gap is None else (written.seen.ids[0] == gap).nonzero().flatten().tolist()
    if gaps:
        terms = [(w, replace(t, position=gaps[0]) if isinstance(t, Token) and t.position is None else t) for w, t in target.terms]
        target = Target(tuple(terms))
    if target.addresses == (None,):
        return target.resolve(lambda at: output, model)
    return target


def speaks(seen: Embedded, output: Tensor) -> bool:
    """Whether an output scores a whole vocabulary at every token."""
    return output.dim() == 3 and output.shape[1] == seen.ids.shape[1] and output.shape[2] >= seen.largest_table // 2


def spoken(model: Model, ids: Tensor, target: Target) -> Target:
    """The target for a batch as it is before it is settled: of a language model a class is a token."""
    seen = embedded(model, ids[:1].long())
    if not speaks(seen, main_output(seen.output)):
        return target
    return Target(tuple((weight, _as_token(term)) for weight, term in target.terms))


def _as_token(term: Any) -> Any:
    """The score of a class, read from a language model, is that of a token."""
    if type(term) is not Logit or term.at is not None:
        return term
    index = term.index
    return Token(id=index if index is None or isinstance(index, (int, str)) else tuple(i for i in index if isinstance(i, int)))


def folded(found: Attribution, method: Method, written: Written) -> tuple[Attribution, tuple[str, ...]]:
    """One number per token from those of its vector."""
    values, error, how = found.values, found.error, member(method, "per_token")
    if values.dim() == 2 and values.shape[1] == written.count:
        return found, ()
    if values.shape[1:] != written.seen.vectors.shape[1:]:
        raise MethodError(
            f"{found.method or method.name} of a text", f"values of shape {tuple(values.shape)}",
            f"there are {written.count} tokens with vectors of {written.seen.vectors.shape[-1]} entries",
            "Use another method, or explain a layer: at=...",
        )  # fmt: skip
    if how == SAME:
        return replace(found, values=values[..., 0], error=None if error is None else error[..., 0], shared=False), ()
    if how == LENGTH:
        size = values.norm(dim=-1)
        off = None if error is None else (values * error).norm(dim=-1) / size.clamp(min=1e-30)
        return replace(found, values=size, error=off), ("A token's value is the length of its vector of slopes: it has no sign.",)
    return replace(found, values=values.sum(-1), error=None if error is None else error.norm(dim=-1)), ()


def unsigned(method: Method) -> bool:
    """Whether what a method says of tokens has no sign, though what it says of numbers has one."""
    return bool(member(method, "per_token") == LENGTH)
