"""Sinks: tokens that take relevance because all attention goes there when it has nowhere else to go, and not for what they say.

They are shown in a row of their own, and the scale of colours is that of the other tokens, or nothing else would be seen.

References: Efficient streaming language models with attention sinks (Xiao et al., 2024), https://arxiv.org/abs/2309.17453
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pellucid.core.numbers import decimals, figure
from pellucid.model.modality.tokens import PADDING, SPECIAL, Piece

MULTIPLE = 5.0  # of what all other tokens have together: in maps of Gemma 3, words that are evidence have 1.6 times that at most
FEWEST = 4  # other tokens: in a text of three words one may well decide alone
NOISE = 1e-3  # of the token: where the others have less, it decides alone, and what they have is no map to be shown


def sinks(row: Tensor, kinds: Sequence[str]) -> tuple[int, ...]:
    """Where the sinks of a text are.

    They are the special tokens at its start that have a value, and every other token whose |value| exceeds `MULTIPLE` times the
    sum of |values| of all tokens that are none.

    Arguments:
        row: One value for each token.
        kinds: "text", "special", "template" or "padding", for each.

    Example:
        >>> sinks(Tensor([-7.0, 1.0, 2.0, 0.5]), ("special", "text", "text", "text"))
        (0,)
        >>> sinks(Tensor([0.1, 0.2, 90.0, -0.1, 0.3]), ("text",) * 5)
        (2,)
    """
    size = row.detach().double().abs().nan_to_num(nan=0.0)
    real = [place for place, kind in enumerate(kinds) if kind != PADDING]
    first = next((n for n, place in enumerate(real) if kinds[place] != SPECIAL), 0)  # special tokens alone are no beginning
    found = [place for place in real[:first] if size[place] > 0]
    rest = [place for place in real[first:] if size[place] > 0]
    while len(rest) > FEWEST:
        largest = max(rest, key=lambda place: float(size[place]))
        others = float(size[rest].sum() - size[largest])
        if not MULTIPLE * others < float(size[largest]) or others < NOISE * float(size[largest]):
            break
        found.append(largest)
        rest.remove(largest)
    return tuple(sorted(found))


def sentence(pieces: Sequence[Piece], total: float, *, signed: bool) -> str:
    """What the sinks have, and what is left for the other tokens; figures share their decimals. "" where there is none.

    Arguments:
        pieces: The sinks.
        total: The sum over all tokens.
    """
    if not pieces:
        return ""
    took = sum(piece.value for piece in pieces)
    places = decimals(took, total, *(piece.value for piece in pieces))
    each = ", ".join(f"{name(piece)} {figure(piece.value, places)}" for piece in pieces)
    rest = f", the other tokens together {figure(total - took, places)}" if signed else ""
    return f"Kept apart from the scale: {each}{rest}."


def name(piece: Piece) -> str:
    """A sink in words: a special token by its name, another one in quotation marks."""
    if piece.kind == SPECIAL:
        return piece.text
    return f'"{piece.text.strip()}"' if piece.text.strip() else repr(piece.text).replace("'", '"')
