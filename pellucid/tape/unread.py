"""Why a network cannot read a text: it is longer than the network's positions, has ids outside its table, or another length."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.model.keywords import ForwardWithKeywords

LIMITS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_length", "max_seq_len", "n_ctx")
POSITIONS = re.compile(r"(^|[._])(wpe|pos)[^.]*$|_pos(ition)?[^.]*$")
WINDOWS = "Explain it window by window, pl.Text(tokenizer, window={0}), or its beginning alone, pl.Text(tokenizer, limit={0})."


def position_limits(module: nn.Module | None) -> Iterator[tuple[int, str]]:
    """How many tokens there are positions for, and what says so: tables of positions, and the network's configuration."""
    for name, part in () if module is None else module.named_modules():
        if isinstance(part, nn.Embedding) and POSITIONS.search(name) and "rel" not in name:
            before = part.num_embeddings if part.padding_idx is None else part.num_embeddings - part.padding_idx - 1
            yield before - int(getattr(part, "offset", 0)), f"the rows of {name}"
    config = getattr(module, "config", None)
    own = getattr(config, "__dict__", {})  # and no other name that a configuration gives to the same number
    found = ((own.get(name), name) for name in LIMITS)
    yield from ((value, name) for value, name in found if isinstance(value, int) and value > 0)


def check_length(model: Model, ids: Tensor) -> None:
    """Refuse a text that is longer than a table of positions.

    Raises:
        InputError: it is.
    """
    rows = [(limit, name) for limit, name in position_limits(model.module) if name.startswith("the rows of")]
    if rows and ids.dim() == 2 and ids.shape[1] > min(rows)[0]:
        raise too_long(model, ids, *min(rows))


def unread(model: Model, ids: Tensor, error: Exception) -> InputError:
    """What is to be said where a network fails on token ids."""
    limits = sorted(position_limits(model.module))
    length = ids.shape[1]
    if limits and length > limits[0][0]:
        names = sorted(name for limit, name in limits if limit == limits[0][0])
        return too_long(model, ids, limits[0][0], names[0])
    said = " ".join(str(error).split())[:300]
    if isinstance(error, IndexError) or "out of range" in said:
        return InputError(
            f"ids from {int(ids.min())} to {int(ids.max())}", said, "the model's table has no such row",
            "Use the tokenizer that belongs to the model.",
        )  # fmt: skip
    beside = model.forward.keywords.values if isinstance(model.forward, ForwardWithKeywords) else {}
    given = f" with {', '.join(beside)}" if beside else ""
    return InputError(
        f"{length} tokens for {model.name}{given}", f"{type(error).__name__}: {said}", "its own forward pass fails on them",
        "Call it yourself on the same ids. Where it reads texts of one length alone, let them be padded to it: "
        "pl.Text(tokenizer, length=...).",
    )  # fmt: skip


def too_long(model: Model, ids: Tensor, limit: int, name: str) -> InputError:
    """A text with more tokens than there are positions."""
    return InputError(
        f"A text of {ids.shape[1]} tokens", f"positions for {limit} ({name} of {model.name})", "there is none for the others",
        WINDOWS.format(limit),
    )  # fmt: skip
