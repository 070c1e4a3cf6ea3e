"""Prompts: what a language model goes on from, without padding, and with what a decoder begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.errors import InputError, TargetError
from pellucid.model import Model, Text
from pellucid.model.modality import Tokens
from pellucid.model.modality.tokens import PADDING, SPECIAL, from_ids
from pellucid.model.readers.going_on import Added, added, ids_of_continuation
from pellucid.tape.generation import Prompt, decoder_start, ending_tokens, is_encoder_decoder
from pellucid.target import Target
from pellucid.target.continuation import as_words
from .inputs import Batch
from .scores import scored


@dataclass(frozen=True, eq=False)
class ReadPrompt:
    """A prompt, and what its tokens are.

    Arguments:
        prompt: Its ids, and the model that goes on from them.
        tokens: What stands where; of a model with an encoder, the tokens of both.
        notes: What is to be said of how it was read.
    """

    prompt: Prompt
    tokens: Tokens
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What the new tokens go on from: nothing yet, where a decoder begins."""
        return "" if self.prompt.source else self.tokens.texts[0]

    def with_tokens(self, new: Sequence[int], between: str = "") -> Tokens:
        """The tokens with new ones behind them.

        Arguments:
            between: What stands in the text before them, and belongs to no token.
        """
        more, old = self._added(new), self.tokens
        text = old.texts[0] + between
        spans = tuple((0, 0) if start == end else (start + len(text), end + len(text)) for start, end in more.spans)
        parts = old.pieces[0] + more.pieces, old.spans[0] + spans, old.kinds[0] + more.kinds
        return Tokens((text + more.text,), *((part,) for part in parts))  # type: ignore[arg-type]

    def _added(self, new: Sequence[int]) -> Added:
        reader = self.prompt.model.preprocess
        if isinstance(reader, Text):
            return added(reader.backend, self.prompt.ids[self.prompt.source :], new)
        named = from_ids(torch.tensor([list(new)]))
        spans = tuple((start + 1, end + 1) for start, end in named.spans[0])
        return Added(f" {named.texts[0]}", spans, named.kinds[0], named.pieces[0])

    def ids_of(self, text: str | tuple[int, ...]) -> tuple[tuple[int, ...], str]:
        """The ids of a continuation that is given, and what is to be said of how it was read."""
        if not isinstance(text, str):
            return text, ""
        reader = self.prompt.model.preprocess
        if not isinstance(reader, Text):
            raise TargetError(
                f"the continuation {as_words(text)}", "a model without a tokenizer", "a text has no ids there",
                "Give its ids, or load the model with preprocess=pl.Text(tokenizer).",
            )  # fmt: skip
        ids, note = ids_of_continuation(reader.backend, self.text, text)
        if not ids:
            found, why = "no token of it", "there is nothing to explain"
            raise TargetError(f"the continuation {as_words(text)}", found, why, "Write some words, with the blank before them.")
        return ids, note


def read_prompts(batch: Batch, target: Target) -> list[ReadPrompt]:
    """The prompts of a batch, without padding; the model returns the scores before a softmax at its end, if there is one.

    Raises:
        InputError: they are no token ids, or something is given beside them that says nothing of new tokens.
    """
    if batch.x.is_floating_point() or batch.x.dim() != 2:
        raise InputError(
            "A prompt to go on from", f"{batch.x.dtype} of shape {tuple(batch.x.shape)}", "a language model reads token ids",
            "Give a text, with preprocess=pl.Text(tokenizer), or rows of ids.",
        )  # fmt: skip
    beside = {} if batch.keywords is None else dict(batch.keywords.values)
    mask, start = beside.pop("attention_mask", None), beside.pop("decoder_input_ids", None)
    if beside or (start is not None and not is_encoder_decoder(batch.model)):
        raise InputError(
            "A prompt to go on from", f"{', '.join(beside) or 'decoder_input_ids'} beside its ids",
            "what they are for new tokens is not known", "Leave them out.",
        )  # fmt: skip
    rows = [_prompt(batch, n, mask, start) for n in range(len(batch.x))]
    first = rows[0].prompt
    keywords = {"decoder_input_ids": first.row()[:, first.source :]} if first.source else None
    model = scored(batch.model, first.row()[:, : first.source or None], [target], keywords)
    return [replace(one, prompt=replace(one.prompt, model=model)) for one in rows]


def _prompt(batch: Batch, number: int, mask: Tensor | None, start: Tensor | None) -> ReadPrompt:
    """One prompt of a batch."""
    tokens = batch.subject if isinstance(batch.subject, Tokens) else from_ids(batch.x)
    kept = [place for place, kind in enumerate(tokens.kinds[number]) if kind != PADDING]
    if mask is not None and (mask.dim() != 2 or not bool(mask[number, kept].all())):
        raise InputError(
            "A prompt to go on from", f"an attention_mask of shape {tuple(mask.shape)} with holes in it",
            "tokens that are hidden inside a prompt are neither read nor padding", "Leave them out of the ids.",
        )  # fmt: skip
    single, ids = tokens.single(number, kept), batch.x[number, kept].tolist()
    notes = (*batch.notes, *batch.warnings)
    if is_encoder_decoder(batch.model):
        first = [decoder_start(batch.model)] if start is None else start[number].tolist()
        return ReadPrompt(Prompt(batch.model, (*ids, *first), len(ids)), _with_start(batch.model, single, first), notes)
    place = single.spans[0][-1]
    around = place[0] == place[1] and single.kinds[0][-1] == SPECIAL
    if len(ids) > 1 and around and ids[-1] in ending_tokens(batch.model):
        notes = (*notes, f"{single.pieces[0][-1]}, with which the tokenizer ends the prompt, was left out: the text goes on.")
        single, ids = single.single(0, range(len(ids) - 1)), ids[:-1]
    return ReadPrompt(Prompt(batch.model, tuple(ids)), single, notes)


def _with_start(model: Model, source: Tokens, first: Sequence[int]) -> Tokens:
    """The tokens of a source, with those with which the decoder begins."""
    reader = model.preprocess
    names = tuple(reader.piece(one) if isinstance(reader, Text) else str(one) for one in first)
    many = len(first)
    parts = source.pieces[0] + names, source.spans[0] + ((0, 0),) * many, source.kinds[0] + (SPECIAL,) * many
    return Tokens((f"{source.texts[0]}\n",), *((part,) for part in parts))  # type: ignore[arg-type]
