"""Generation: how a language model goes on from a prompt, token by token, and where it has to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.core.progress import report_progress
from pellucid.core.random import generator
from pellucid.errors import InputError, ModelError, PellucidError
from pellucid.model import Model, Text
from pellucid.model.continuation import Continued
from pellucid.model.readers.going_on import end_of_text
from .unread import position_limits, unread

SAME = 1e-2  # of the largest score: by more two ways to compute it do not differ


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a language model goes on from.

    Arguments:
        model: The model, of ids; of one with an encoder, of ids and `decoder_input_ids`.
        ids: All tokens of it in a row: of the encoder first, then those with which the decoder begins.
        source: How many of them the encoder reads; 0 where there is none.
    """

    model: Model
    ids: tuple[int, ...]
    source: int = 0

    def row(self, new: Sequence[int] = ()) -> Tensor:
        """The ids with those that follow, with shape (1, tokens)."""
        return torch.tensor([[*self.ids, *new]], device=self.model.device)

    def continued(self, lengths: Sequence[int]) -> Continued:
        """The model as a function of a row of the prompt and continuations of such lengths."""
        return Continued(self.model.forward, len(self.ids), tuple(lengths), self.source)

    @torch.no_grad()
    def scores(self, new: Sequence[int]) -> Tensor:
        """The scores of the token after each of the last ones, with shape (1 + new tokens, vocabulary).

        Raises:
            InputError: the model does not take them.
            ModelError: its output is not one row of scores for every token.
        """
        ids = self.row(new)
        forward = self.continued([len(new) + 1])
        try:
            with drawing_apart(self.model, ids.device):
                found = forward(ids)
        except PellucidError:
            raise
        except (IndexError, RuntimeError, ValueError, TypeError, KeyError) as error:
            raise unread(self.model, ids, error) from None
        if found.dim() != 3 or found.shape[1] != forward.first + len(new) + 1:
            raise ModelError(
                f"a continuation by {self.model.name}", f"an output of shape {tuple(found.shape)} for {ids.shape[1]} tokens",
                "a language model returns a row of scores for every token it reads, one for each token that may follow",
                "Load the class with the head of a language model, as AutoModelForCausalLM or AutoModelForSeq2SeqLM.",
            )  # fmt: skip
        return found[0, forward.first :]


def is_encoder_decoder(model: Model) -> bool:
    """Whether an encoder reads the prompt, and a decoder goes on."""
    return bool(getattr(_setting(model, "config"), "is_encoder_decoder", False))


def decoder_start(model: Model) -> int:
    """The token with which a decoder begins.

    Raises:
        ModelError: the model does not say it.
    """
    names = "decoder_start_token_id", "bos_token_id"
    settings = _setting(model, "generation_config"), _setting(model, "config")
    found = (getattr(each, name, None) for name in names for each in settings)
    first = next((one for one in found if isinstance(one, int)), None)
    if first is None:
        raise ModelError(
            f"a continuation by {model.name}", "no decoder_start_token_id in its configuration",
            "a decoder goes on from a first token", "Set it: net.config.decoder_start_token_id = 0, as the model was trained.",
        )  # fmt: skip
    return first


def ending_tokens(model: Model) -> frozenset[int]:
    """The tokens that end a text: by the model's settings for generation, else its configuration, else the tokenizer."""
    for name in ("generation_config", "config"):
        found = getattr(_setting(model, name), "eos_token_id", None)
        if found is not None:
            return frozenset([found] if isinstance(found, int) else found)
    known = end_of_text(model.preprocess.backend) if isinstance(model.preprocess, Text) else None
    return frozenset() if known is None else frozenset([known])


def _setting(model: Model, name: str) -> Any:
    return getattr(model.module, name, None)


def check_room(prompt: Prompt, count: int) -> None:
    """Refuse more tokens than there are positions for.

    Raises:
        InputError: the last of them would be read beyond the last position.
    """
    config = _setting(prompt.model, "config")
    relative = hasattr(config, "relative_attention_num_buckets")  # positions without an end, as T5 has them
    limits = [one for one in position_limits(prompt.model.module) if not relative or one[1].startswith("the rows of")]
    before = len(prompt.ids) - prompt.source
    if not limits or before + count - 1 <= min(limits)[0]:
        return
    limit, name = min(limits)
    room = max(0, limit - before + 1)
    raise InputError(
        f"{count} new tokens after {before}", f"positions for {limit} ({name} of {prompt.model.name})",
        "there is none for the last of them",
        f"Ask for {room} at most, or give a shorter prompt." if room else "Give a shorter prompt.",
    )  # fmt: skip


def generate(prompt: Prompt, count: int, temperature: float = 0.0, seed: int = 0) -> tuple[int, ...]:
    """The next tokens: those with the highest score, or drawn where there is a temperature; the one that ends a text is the last.

    Every token is computed from all before it by one forward pass, so that any network will do.
    """
    ends, rng, new = ending_tokens(prompt.model), generator(seed), list[int]()
    while len(new) < count and not (new and new[-1] in ends):
        scores = prompt.scores(new)[-1]
        new.append(_chosen(scores, temperature, rng))
        if report_progress(len(new), count, "new tokens"):
            break
    return tuple(new)


def _chosen(scores: Tensor, temperature: float, rng: torch.Generator) -> int:
    if not temperature:
        return int(scores.argmax())
    shares = (scores.double().cpu() / temperature).softmax(0)
    return int(torch.multinomial(shares, 1, generator=rng))


def check_causal(prompt: Prompt, new: Sequence[int]) -> None:
    """Refuse a network in which a score changes with the tokens behind it.

    Raises:
        ModelError: it does: then what foretells a token has read it.
    """
    if len(new) < 2:
        return
    alone, together = prompt.scores(())[0], prompt.scores(new[:-1])[0]
    if float((alone - together).abs().max()) <= SAME * float(alone.abs().max()):
        return
    raise ModelError(
        f"a continuation by {prompt.model.name}", "scores that change with the tokens behind them",
        "a token that has been read is not foretold",
        "Explain one token: pl.token(...), which stands at the gap of a masked text.",
    )  # fmt: skip
