"""Small networks that read token ids, each looking them up in another way; and the words they know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl

WORDS = tuple("the a film was good bad not very and plot actor".split())
VOCABULARY = pl.Vocabulary(WORDS, first="[CLS]")
TEXTS = ["The film was very good. Not bad, and a good plot!", "good film"]
ROWS, WIDE, CLASSES = 16, 8, 3


class Reads(nn.Module):
    """Positions added, one attention layer that does not look at padding, the mean of all that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(ROWS, WIDE, padding_idx=0), nn.Embedding(40, WIDE)
        self.layer = nn.TransformerEncoderLayer(WIDE, 2, 16, batch_first=True)
        self.head = nn.Linear(WIDE, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        x = self.layer(x, src_key_padding_mask=ids == 0)
        there = (ids != 0).float()[..., None]
        answer: Tensor = self.head((x * there).sum(1) / there.sum(1))
        return answer


class Looks(nn.Module):
    """Words looked up in one of many ways, then a convolution."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, wide = how, 2 * WIDE if how == "two tables" else WIDE
        self.words, self.other = nn.Embedding(ROWS, WIDE), nn.Embedding(ROWS, WIDE)
        self.layer, self.head = nn.Conv1d(wide, 6, 3, padding=1), nn.Linear(6, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.look(ids)
        answer: Tensor = self.head(self.layer(x.transpose(1, 2)).tanh().mean(2))
        return answer

    def look(self, ids: Tensor) -> Tensor:
        if self.how == "two tables":
            return torch.cat([self.words(ids), self.other(ids)], 2)
        if self.how == "function":
            return F.embedding(ids, self.words.weight)
        if self.how == "index":
            return self.words.weight[ids]
        if self.how == "index_select":
            return self.words.weight.index_select(0, ids.reshape(-1)).reshape(*ids.shape, WIDE)
        if self.how == "time first":
            return self.words(ids.t()).transpose(0, 1)
        if self.how == "parts":
            return torch.cat([self.words(ids[:, :1]), self.words(ids[:, 1:])], 1)
        if self.how == "flat":
            return self.words(ids.reshape(-1)).reshape(*ids.shape, WIDE)
        if self.how == "backwards":
            return self.words(ids.flip(1))
        if self.how == "int32":
            return self.words(ids.to(torch.int32))
        return self.words(ids)


WAYS = ("table", "two tables", "function", "index", "index_select", "time first", "parts", "flat", "backwards", "int32")


class Bag(nn.Module):
    """The mean of the words, and nothing of their order."""

    def __init__(self, mode: str = "mean", padding: int | None = 0) -> None:
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(ROWS, WIDE, mode=mode, padding_idx=padding), nn.Linear(WIDE, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        answer: Tensor = self.head(self.words(ids).tanh())
        return answer


class Speaks(nn.Module):
    """A language model: what comes next, from the mean of the words so far."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(ROWS, WIDE), nn.Embedding(40, WIDE)
        self.layer, self.head = nn.Linear(WIDE, WIDE), nn.Linear(WIDE, ROWS)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        so_far = x.cumsum(1) / torch.arange(1, ids.shape[1] + 1)[:, None]
        answer: Tensor = self.head(self.layer(so_far).relu())
        return answer


def made(net: nn.Module, **how: object) -> pl.Model:
    """The network, seeded, as a model that reads texts."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
        if isinstance(net, Reads):
            net.words.weight[0] = 0
    text = pl.Text(how.pop("vocabulary", VOCABULARY))
    return pl.load(net.eval().requires_grad_(False), preprocess=text, **how)  # type: ignore[arg-type]
