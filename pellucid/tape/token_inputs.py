"""Methods on token ids: each text alone, its embedding as the input, and one number per token as the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError, MethodError, TargetError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import (
    Method,
    attribute as run_method,
    attribute_each as run_method_for_each,
    configured,
    has,
    member,
)
from pellucid.model import Model, Text
from pellucid.model.keywords import ForwardWithKeywords, Keywords
from pellucid.model.modality.tokens import ALONE, PADDING, TEXT, Tokens
from pellucid.model.outputs import main_output
from pellucid.model.where import Where
from pellucid.target import Target
from pellucid.target.classes import Logit
from pellucid.target.token import Token, spelled
from .embedding import Embedded, embed, embed_other
from .forward import forward_values
from .held_ids import held_warning
from .real_ids import RealIds, as_numbers

SUM, LENGTH, SAME, NONE = "sum", "length", "same", "none"


@dataclass(frozen=True, eq=False)
class TokenizedText:
    """One text of a batch as a model reads it: from its embedding on, and without padding, unless the network reads it.

    Arguments:
        embedded: The model, from its embedding on.
        tokens: The tokens of this text alone; None where the model has no tokenizer.
        reader: How the model reads texts; None where that is not known.
        places: Where the tokens are in the row of the batch.
        length: How long that row is.
        real_ids: Whether variants are of the ids themselves, and not of their embedding.
        at: A module path: variants are of what that module returned.
        notes: What is to be said of its padding.
    """

    embedded: Embedded
    tokens: Tokens | None
    reader: Text | None
    places: Tensor
    length: int
    real_ids: bool = False
    at: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def form(self) -> Embedded | RealIds:
        """What variants are of: the embedding, or the ids themselves."""
        return RealIds(self.embedded) if self.real_ids else self.embedded

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return self.embedded.ids.shape[1]

    @property
    def evidence(self) -> Tensor:
        """Which tokens are part of the text, and none that the tokenizer puts around it."""
        kinds = (TEXT,) * self.count if self.tokens is None else self.tokens.kinds[0]
        return torch.tensor([kind == TEXT for kind in kinds], device=self.embedded.ids.device)

    def blank_vectors(self, id: int | None = None) -> tuple[Tensor, str]:
        """The vectors with one token in the place of every token of the text, and what token that is.

        Arguments:
            id: Which one; None: the tokenizer's blank. Without a tokenizer all entries are zero.
        """
        blank = self.blank(id)
        if blank is None:
            vectors = self.embedded.vectors if self.at is None else self._value(self.embedded.ids)
            return vectors * ~self.evidence[:, None], "the zero vector"
        name = f"token {blank}" if self.reader is None else self.reader.piece(blank)
        ids = self.blank_ids(blank)
        if self.at is not None:
            return self._value(ids), f"what `{self.at}` returns for {name}"
        return (as_numbers(ids) if self.real_ids else embed_other(self.embedded.model, ids).vectors), name

    def _value(self, ids: Tensor) -> Tensor:
        """What the module at `at` returned for some ids."""
        value = forward_values(self.embedded.model, ids, (self.at,))[self.at]
        if value.dim() != 3 or value.shape[1] != self.count:
            raise InputError(
                f"tokens taken away at {self.at}", f"a value of shape {tuple(value.shape)} for {self.count} tokens",
                "it has no place for each of them", "Take them away from the text itself: leave `at` out.",
            )  # fmt: skip
        return value

    def blank(self, id: int | None = None) -> int | None:
        """The id that stands where a token is taken away; None where there is none for it."""
        return id if id is not None or self.reader is None else self.reader.blank_id

    def blank_ids(self, blank: int) -> Tensor:
        """The ids with one in the place of every token of the text."""
        return torch.where(self.evidence, torch.full_like(self.embedded.ids, blank), self.embedded.ids)


def tokenized_text(
    model: Model,
    ids: Tensor,
    row: int,
    tokens: Tokens | None = None,
    keywords: Keywords | None = None,
    *,
    padding_given: bool = False,
) -> TokenizedText:
    """One text of a batch of token ids, embedded by one forward pass; by two where its padding may matter.

    Arguments:
        ids: Whole numbers, with shape (batch, tokens).
        row: Which text.
        tokens: Which of them are text, special tokens or padding; None: every number is a token of the text.
        keywords: What the model is given beside the ids.
        padding_given: Whether the user gave the ids with their padding; it is left away only where the network's answer stays the
            same. Else it was put there by a reader, to make a batch.

    Raises:
        InputError: they are no token ids for this model.
    """
    if ids.dim() != 2:
        raise InputError(
            f"An explanation of {ids.dtype} numbers", f"a tensor of shape {tuple(ids.shape)}",
            "whole numbers are taken for ids, a row of them for every sample",
            f"Give rows: pl.explain(lambda ids: model(ids.reshape(-1, {', '.join(map(str, ids.shape[1:]))})), x.flatten(1)).",
        )  # fmt: skip
    kinds = (TEXT,) * ids.shape[1] if tokens is None else tokens.kinds[row]
    reader = model.preprocess if isinstance(model.preprocess, Text) else None
    own = None if keywords is None else keywords.row(row)

    def read(kept: list[int]) -> TokenizedText:
        places = torch.tensor(kept, device=ids.device)
        called = model if own is None else replace(model, forward=ForwardWithKeywords(model.forward, own.at(places)))
        alone = None if tokens is None else tokens.single(row, kept)
        return TokenizedText(embed(called, ids[row, places][None].long()), alone, reader, places, ids.shape[1])

    whole, text = list(range(len(kinds))), [place for place, kind in enumerate(kinds) if kind != PADDING]
    if not padding_given or not text or len(text) == len(whole) or not (own is None or own.divisible):
        return read(whole if padding_given or not text else text)
    return _without_padding(read, whole, text)


def _without_padding(read: Callable[[list[int]], TokenizedText], whole: list[int], text: list[int]) -> TokenizedText:
    """A text without the padding at its ends, where the network answers as it does with it; else as it was given.

    Padding before a text stays where there is an answer for every token, so that positions keep their numbers.
    """
    try:
        given = read(whole)
    except InputError:  # of what was given there is no answer that ours could differ from
        return read(text)
    answer = main_output(given.embedded.output)
    by_token = answer.dim() > 2 and answer.shape[1] == len(whole)
    kept = whole[: text[-1] + 1] if by_token else whole[text[0] : text[-1] + 1]
    if len(kept) == len(whole) or (answer.dim() == 2 and answer.shape[1] == len(whole)):
        return given
    try:
        shorter = read(kept)
    except InputError:
        return replace(given, notes=(f"The network takes no text without its padding, {LEFT_AS_GIVEN}",))
    other = main_output(shorter.embedded.output)
    if not _same(answer[:, kept] if by_token else answer, other):
        return replace(given, notes=(f"The network's answer depends on the padding of a text, {LEFT_AS_GIVEN}",))
    cut = kept[-1] + 1 < len(whole) and by_token
    return replace(shorter, notes=("The last position is that of the text, before its padding.",)) if cut else shorter


LEFT_AS_GIVEN = "which is left as it was given."


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two answers are the same but for rounding."""
    if a.shape != b.shape:
        return False
    bound = torch.finfo(a.dtype).eps ** 0.6 * a.abs().max()  # seven of ten digits, so that what little is read is noticed
    return bool((a - b).abs().max() <= bound)


def attribute(method: Method, text: TokenizedText, target: Target, at: str | Where | None = None) -> Attribution:
    """The answer of a method for one text, one number for each token of its row in the batch; padding gets zero.

    The positions of tokens, and all else that the model adds to their vectors, are constants. The values of the entries of a
    token's vector become one number, by the `per_token` of the method: their sum, which keeps the ledger balanced; or, where they
    are slopes and not shares of the score, the length of the vector, which has no sign.

    Arguments:
        target: For this text alone.

    Raises:
        MethodError: the method has no meaning for tokens.
    """
    _check(method)
    if at is None:
        text = _in_real_ids(method, text)
    elif has(method, "changes_ids") and at is not None:
        text = replace(text, at=str(at))
    fitted, notes = adapt(method, text)
    attribution = run_method(fitted, text.form.handle(), text.form.vectors, resolve_target(target, text), at)
    return _of_tokens(attribution, method, text, notes, _doubts(method, text) if at is None else (), at)


def attribute_each(method: Method, text: TokenizedText, targets: Sequence[Target]) -> list[Attribution] | None:
    """The answers of a method for several targets of one text, from one recording; None where it takes one for each.

    Raises:
        MethodError: the method has no meaning for tokens.
    """
    _check(method)
    text = _in_real_ids(method, text)
    fitted, notes = adapt(method, text)
    resolved = [resolve_target(target, text) for target in targets]
    found = run_method_for_each(fitted, text.form.handle(), text.form.vectors, resolved)
    if found is None:
        return None
    doubts = _doubts(method, text)
    return [_of_tokens(one, method, text, notes, doubts) for one in found]


def _in_real_ids(method: Method, text: TokenizedText) -> TokenizedText:
    """The text as ids, for a method that replaces whole tokens; else as it is."""
    changes = has(method, "changes_ids") and member(method, "changes_ids")(text)
    return replace(text, real_ids=True) if changes else text


def _doubts(method: Method, text: TokenizedText) -> tuple[str, ...]:
    """What a method that changes vectors does not see."""
    return () if text.real_ids else held_warning(text.embedded, text.evidence, _baseline_ids(method, text))


def _of_tokens(
    attribution: Attribution, method: Method, text: TokenizedText, notes: tuple[str, ...], doubts: tuple[str, ...],
    at: str | Where | None = None,
) -> Attribution:  # fmt: skip
    """What a method answered, with one number for each token of the text's row in the batch."""
    if at is None:
        attribution, more = fold_tokens(attribution, method, text)
        notes = (*notes, *more)
    # Of two notes on the baseline, ours says which text it is.
    own_notes = [note for note in attribution.notes if not (notes and note.startswith("The baseline"))]
    error = None if attribution.error is None else _pad_tokens(attribution.error, text, at)
    values, doubts = _pad_tokens(attribution.values, text, at), (*attribution.warnings, *doubts)
    return replace(attribution, values=values, error=error, notes=(*own_notes, *notes, *text.notes), warnings=doubts)


def target_logits(attribution: Attribution) -> Tensor:
    """The scores among which the target is, with shape (batch, classes): of a language model, of all tokens at its position."""
    place = next((term.position for _, term in attribution.target.terms if isinstance(term, Token)), None)
    return attribution.output if place is None or attribution.output.dim() != 3 else attribution.output[:, place]


def with_token_names(model: Model, attribution: Attribution) -> Model:
    """The model with the names of what its target is among: of a language model, of tokens."""
    chosen = any(isinstance(term, Token) for _, term in attribution.target.terms) and isinstance(model.preprocess, Text)
    return replace(model, labels=TokenNames(model.preprocess, attribution.output.shape[-1])) if chosen else model


class TokenNames(tuple[str, ...]):
    """The names of all tokens, each looked up when it is read."""

    text: Text
    size: int

    def __new__(cls, text: Text, size: int) -> TokenNames:
        names = super().__new__(cls)
        names.text, names.size = text, size
        return names

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        name = self.text.as_text(index)
        return name if name.strip() else f'"{spelled(name)}"'


def _pad_tokens(values: Tensor, text: TokenizedText, at: Any) -> Tensor:
    """The values of a text at their places in a batch, zero where there is padding."""
    if len(text.places) == text.length:
        return values
    if values.dim() < 2 or values.shape[1] != len(text.places):
        raise InputError(
            f"texts of different lengths, at {at}", f"values of shape {tuple(values.shape)} for {len(text.places)} tokens",
            "they cannot be laid side by side", "Explain them one by one.",
        )  # fmt: skip
    spread = values.new_zeros(len(values), text.length, *values.shape[2:])
    spread[:, text.places] = values
    return spread


def _check(method: Method) -> None:
    if member(method, "per_token") == NONE:
        raise MethodError(
            f"{method.name} of a text", "token ids", "the method is made for pictures, and does not explain tokens",
            'Use "lrp", "integrated_gradients", "occlusion" or "shapley", say.',
        )  # fmt: skip


def adapt(method: Method, text: TokenizedText) -> tuple[Method, tuple[str, ...]]:
    """The method for one text: a baseline is the text with blanks for its tokens, what is removed are tokens."""
    if has(method, "of_tokens"):
        adapted: tuple[Method, tuple[str, ...]] = member(method, "of_tokens")(text)
        return adapted
    if has(method, "method"):  # a method that wraps another
        inner, notes = adapt(member(method, "method"), text)
        return configured(method, method=inner), notes
    name = next((name for name in ("baseline", "baselines") if has(method, name)), None)
    if name is None:
        return method, ()
    baseline, whole = member(method, name), text.embedded
    if isinstance(baseline, Tensor) and not baseline.is_floating_point():
        rows = _baseline_ids(method, text)
        return configured(method, **{name: torch.cat([embed_other(whole.model, one[None]).vectors for one in rows])}), (
            "The baseline is another text of the caller's own, given as ids.",
        )
    if baseline is not None:
        return method, ()
    blank, token = text.blank_vectors()
    kept = "; special tokens stay" if text.tokens is not None and set(ALONE).intersection(text.tokens.kinds[0]) else ""
    note = f"The baseline is the same text with {token} in place of every token{kept}."
    return configured(method, **{name: blank}), (note,)


def _baseline_ids(method: Method, text: TokenizedText) -> Tensor:
    """The ids of the texts that a method compares with; none where it compares with no text."""
    name = next((name for name in ("baseline", "baselines") if has(method, name)), None)
    if name is None or has(method, "of_tokens"):
        inner = member(method, "method") if has(method, "method") else None
        return text.embedded.ids[:0] if inner is None else _baseline_ids(inner, text)
    given, blank = member(method, name), text.blank()
    if isinstance(given, Tensor) and not given.is_floating_point():
        return given.to(text.embedded.ids).reshape(-1, given.shape[-1])
    return text.embedded.ids[:0] if given is not None or blank is None else text.blank_ids(blank)


def resolve_target(target: Target, text: TokenizedText) -> Target:
    """The target for one text: on the output of a language model, classes are tokens; tokens to be guessed stand at the gap.

    Where it reads the output alone, names and predictions are resolved with the model itself, which has names for things.
    """
    output = main_output(text.embedded.output)
    if output.dim() == 3 and not scores_tokens(text) and any(type(term) is Logit and term.at is None for _, term in target.terms):
        raise TargetError(
            str(target), f"outputs of shape {tuple(output.shape)}: a vector or a row of scores for every token",
            "a class has no single score there",
            'Say what is meant: pl.similarity(input="another text") of embeddings (--like in the shell), pl.step(position, '
            "class) of tokens that are classed one by one.",
        )  # fmt: skip
    target = as_token_target(target, text)
    gap = None if text.reader is None else text.reader.mask
    gaps = [] if gap is None else (text.embedded.ids[0] == gap).nonzero().flatten().tolist()
    if gaps:
        terms = [(w, replace(t, position=gaps[0]) if isinstance(t, Token) and t.position is None else t) for w, t in target.terms]
        target = Target(tuple(terms))
    if target.addresses == (None,):
        return target.resolve(lambda at: output, text.embedded.model)
    return target


def scores_tokens(text: TokenizedText) -> bool:
    """Whether the output scores a whole vocabulary at every token, as that of a language model does."""
    output, whole = main_output(text.embedded.output), text.embedded
    return output.dim() == 3 and output.shape[1] == whole.ids.shape[1] and output.shape[2] >= whole.largest_table // 2


def as_token_target(target: Target, text: TokenizedText) -> Target:
    """The target before it is resolved: of a language model, the score of a class is that of a token."""
    return Target(tuple((weight, _as_token(term)) for weight, term in target.terms)) if scores_tokens(text) else target


def _as_token(term: Any) -> Any:
    if type(term) is not Logit or term.at is not None:
        return term
    index = term.index
    return Token(id=index if index is None or isinstance(index, (int, str)) else tuple(i for i in index if isinstance(i, int)))


def fold_tokens(attribution: Attribution, method: Method, text: TokenizedText) -> tuple[Attribution, tuple[str, ...]]:
    """One number per token from those of its vector."""
    values, error, how = attribution.values, attribution.error, member(method, "per_token")
    if values.dim() == 2 and values.shape[1] == text.count:
        return attribution, ()
    if values.shape[1:] != text.form.vectors.shape[1:]:
        raise MethodError(
            f"{attribution.method or method.name} of a text", f"values of shape {tuple(values.shape)}",
            f"there are {text.count} tokens with vectors of {text.form.vectors.shape[-1]} entries",
            "Use another method, or explain a layer: at=...",
        )  # fmt: skip
    if how == SAME:
        values, error = values[..., 0], None if error is None else error[..., 0]
        if text.real_ids:  # of numbers in double precision
            values = values.to(text.embedded.rows.dtype)
        return replace(attribution, values=values, error=error, shared=False), ()
    if how == LENGTH:
        size = values.norm(dim=-1)
        off = None if error is None else (values * error).norm(dim=-1) / size.clamp(min=1e-30)
        return replace(attribution, values=size, error=off), (
            "A token's value is the length of its vector of slopes: it has no sign.",
        )
    return replace(attribution, values=values.sum(-1), error=None if error is None else error.norm(dim=-1)), ()


def unsigned(method: Method) -> bool:
    """Whether a method's values have no sign for tokens, though they have one for other inputs."""
    return bool(member(method, "per_token") == LENGTH)
