"""Tokens taken out of a vision transformer, so that nothing stands where something was removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import MethodError
from pellucid.tape import record
from pellucid.tape.forward import Readout, forward_values
from .study import Study

PREFIX = 16  # tokens in front of the grid, at most: the class token, registers
COVERED = 0.5  # of its places: a token that lost so many is taken out


@dataclass(frozen=True, eq=False)
class TokenRemoval:
    """The tokens of one sample, and where among them the grid lies.

    A token goes once half of its places are gone. The others keep their position embeddings, and the network runs on fewer
    tokens, which also costs less. Rows that keep equally many go through it together.

    References: Jain et al., 2022, Missingness bias in model debugging, https://doi.org/10.48550/arXiv.2204.08945

    Arguments:
        readout: The model, from the tokens on.
        tokens: With shape (1, tokens, channels), positions added.
        prefix: How many of them stand in front of the grid.
        grid: Rows and columns of the others.
    """

    study: Study
    readout: Readout
    tokens: Tensor
    prefix: int
    grid: tuple[int, int]

    batch_factor: ClassVar[int] = 1

    @property
    def reason(self) -> str:
        return f"The tokens of removed regions were left out at `{self.readout.at}`."

    def variants(self, index: Sequence[int]) -> Tensor:
        """Which tokens stay, for rows of a design, with shape (k, tokens)."""
        return self.left(self.study.gone(index)).repeat_interleave(self.study.draws, 0)

    def left(self, gone: Tensor) -> Tensor:
        """Which tokens stay under masks over the picture, True where it is gone."""
        share = F.adaptive_avg_pool2d(gone.float().amax(1, keepdim=True), self.grid).flatten(1)
        stay = torch.ones(len(gone), self.prefix + share.shape[1], dtype=torch.bool, device=gone.device)
        stay[:, self.prefix :] = share < COVERED
        return stay

    def values(self, stay: Tensor, rows: Sequence[int]) -> dict[str | None, Tensor]:
        counts = stay.sum(1)
        if not bool(counts.all()):
            raise MethodError(
                "A picture with all tokens removed", "a network without a class token", "no token would be left to read",
                'Use semantics="replace", or take windows away one at a time.',
            )  # fmt: skip
        outputs: dict[str | None, Tensor] = {}
        for count in sorted(set(counts.tolist())):
            which = (counts == count).nonzero().flatten()
            kept = self.tokens.expand(len(which), -1, -1)[stay[which]].reshape(len(which), count, -1)
            values = self.readout.values(kept, [0] * len(kept))
            for at in (None, *self.readout.target.addresses):
                value = values[at]
                outputs.setdefault(at, value.new_empty(len(stay), *value.shape[1:]))[which] = value
        return outputs


def token_removal(study: Study) -> TokenRemoval:
    """The tokens of a sample.

    Raises:
        MethodError: the network has no tokens over places that can be taken out, or a region is smaller than one.
    """
    if study.readout.at is not None or study.value.dim() != 4:
        raise _refusal(study, f"a value of shape {tuple(study.value.shape)}")
    x = study.value
    readout = replace(study.readout, x=x, target=study.readout.target.take([study.row]), variable_length=True)
    for name, tokens, prefix, grid in _grids(readout, x):
        removal = TokenRemoval(study, replace(readout, at=name), tokens, prefix, grid)
        if _takes_fewer(removal):
            _covered(removal)
            return removal
    raise _refusal(study, "no value of tokens over places of which some could be left out")


def _grids(readout: Readout, x: Tensor) -> Iterator[tuple[str, Tensor, int, tuple[int, int]]]:
    """What modules returned that may be tokens over places, in the order they ran."""
    tape = record(readout.model, x)
    for name, ids in tape.returned.items():
        shape = tape.values[ids[0]].shape
        if name and len(ids) == 1 and len(shape) == 3 and shape[0] == 1:
            layout = _layout(shape[1], x.shape[2], x.shape[3])
            if layout is not None:
                yield name, tape.value(ids[0]), *layout


def _layout(n: int, height: int, width: int) -> tuple[int, tuple[int, int]] | None:
    """How many of n tokens stand in front, and the grid of the others, shaped like the picture.

    Example:
        >>> _layout(197, 224, 224), _layout(50, 64, 128), _layout(77, 224, 224)
        ((1, (14, 14)), (0, (5, 10)), (13, (8, 8)))
    """
    for prefix in range(min(PREFIX, n)):
        rows = round(((n - prefix) * height / width) ** 0.5)
        if rows > 1 and rows * width % height == 0 and rows * (rows * width // height) == n - prefix:
            return prefix, (rows, rows * width // height)
    return None


def _takes_fewer(removal: TokenRemoval) -> bool:
    """Whether the network takes one token fewer, with another output, and gives its own output with all of them."""
    readout, whole = removal.readout, removal.tokens
    try:
        own = forward_values(readout.model, readout.x, (None,))[None]
        same, fewer = (readout.values(tokens, [0])[None] for tokens in (whole, whole[:, :-1]))
    except Exception:  # whatever a network does that counts its tokens
        return False
    return fewer.shape == own.shape and torch.allclose(same, own, rtol=1e-4, atol=1e-5) and not torch.equal(fewer, same)


def _covered(removal: TokenRemoval) -> None:
    """Refuse regions that remove no token."""
    study, n = removal.study, removal.study.regions.n
    for first in range(0, n, 64):
        alone = torch.zeros(min(64, n - first), n, dtype=torch.bool, device=study.value.device)
        alone[torch.arange(len(alone)), torch.arange(first, first + len(alone))] = True
        if bool(removal.left(study.regions.gone(alone, range(first, first + len(alone)))).all(1).any()):
            rows, columns = removal.grid
            height, width = (side // k for side, k in zip(study.value.shape[2:], (rows, columns), strict=True))
            raise MethodError(
                "Regions whose tokens are removed", "one that covers half of no token", "taking it away would change nothing",
                f"Tokens are {height} x {width} pixels: make windows and strides multiples of that.",
            )  # fmt: skip


def _refusal(study: Study, value: str) -> MethodError:
    return MethodError(
        f'semantics="remove" on {study.readout.model.name}', value,
        "only a network that takes any number of tokens, as a vision transformer does, can do without some",
        'Use semantics="replace", which is the default.',
    )  # fmt: skip
