"""Planted detectors: networks built by hand whose output can only depend on known places."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .learn import bare
from .problem import Problem, choose, generator, uniform

SIDE, SIZE, CLASSES = 4, 24, 3  # of a pattern, of a picture; each class has one pattern, and one more that nobody reads
CORNERS = tuple((row, column) for row in (1, 7, 13, 19) for column in (1, 7, 13, 19))


class Detectors(nn.Module):
    """One convolution with the patterns as its kernels; how strong each is found anywhere; and classes that read some of them.

    A kernel is its pattern with the mean taken off, and its bias is such that only the very pattern passes the ReLU: anything
    else leaves it at exactly 0. Patterns beyond the number of classes are found, too, but their channels lead to no class.
    """

    def __init__(self, patterns: Tensor, classes: int) -> None:
        super().__init__()
        kernels = patterns - patterns.mean((1, 2, 3), keepdim=True)
        self.find = bare(nn.Conv2d, patterns.shape[1], len(patterns), patterns.shape[-1])
        self.read = bare(nn.Linear, len(patterns), classes, bias=False)
        itself = (kernels * patterns).sum((1, 2, 3))
        with torch.no_grad():
            self.find.weight.copy_(kernels)
            assert self.find.bias is not None
            self.find.bias.copy_(-0.9 * itself)
            self.read.weight.zero_()[range(classes), range(classes)] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.read(self.find(x).relu().sum((2, 3)))
        return answer


class Attending(nn.Module):
    """One head of attention with planted keys: it looks at the token that carries a class, and at no other.

    The question is the same for all; a token's key is its first entry, its value the rest. Tokens of noise have a key of 0 and
    get exp(-scale) of the attention.
    """

    def __init__(self, scale: float = 30.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        attention = (self.scale * x[..., 0]).softmax(1)
        return (attention[..., None] * x[..., 1:]).sum(1)


def planted_patterns(n: int = 16, *, seed: int = 0) -> Problem:
    """Pictures with the pattern of a class and one that no class reads, each once, on a ground of noise; a network built by hand.

    What lies outside the class's pattern cannot matter: the detectors are at exactly 0 there, or connected to nothing.

    References: after the disconnected grids of Rao et al., 2022, Towards better understanding attribution methods,
        https://doi.org/10.1109/CVPR52688.2022.00998
    """
    rng = generator(seed)
    patterns = _patterns(2 * CLASSES, rng)
    labels, decoys = choose(CLASSES, n, rng), CLASSES + choose(CLASSES, n, rng)
    places = torch.rand(n, len(CORNERS), generator=rng).argsort(1)[:, :2]
    ground = uniform(n, 1, SIZE, SIZE, rng=rng, high=0.3)
    masks, decoy = _blocks(places[:, 0]), _blocks(places[:, 1])
    bare = ground.clone()
    x = _put(_put(ground, masks, patterns[labels]), decoy, patterns[decoys])
    changes = {
        "without the pattern": lambda x: torch.where(masks[:, None], bare, x),
        "without the decoy": lambda x: torch.where(decoy[:, None], bare, x),
        "another ground": lambda x: torch.where((masks | decoy)[:, None], x, 0.3 - bare),
    }
    model = Detectors(patterns, CLASSES).eval().requires_grad_(False)
    names = tuple(f"pattern {i}" for i in range(CLASSES))
    return Problem("planted_patterns", x, labels, masks, names, model, parts={"decoy": decoy}, changes=changes)


def planted_tokens(n: int = 16, *, seed: int = 0, length: int = 10) -> Problem:
    """Rows of tokens of which one carries the class, and a network of attention built by hand that looks at that one.

    The others keep no more than exp(-30) of the attention.
    """
    rng = generator(seed)
    labels, place = choose(CLASSES, n, rng), choose(length, n, rng)
    masks = torch.arange(length) == place[:, None]
    x = torch.cat([torch.zeros(n, length, 1), uniform(n, length, CLASSES, rng=rng)], 2)
    noise = x.clone()
    x[range(n), place] = torch.cat([torch.ones(n, 1), torch.eye(CLASSES)[labels]], 1)
    changes = {
        "without the token": lambda x: torch.where(masks[..., None], noise, x),
        "other tokens": lambda x: torch.where(masks[..., None], x, noise.flip(0)),
    }
    names = tuple(f"class {i}" for i in range(CLASSES))
    return Problem("planted_tokens", x, labels, masks, names, Attending().eval(), changes=changes)


def _patterns(count: int, rng: torch.Generator) -> Tensor:
    """Binary patterns, as many ones as zeros in each, no two of which have more than three quarters of their pixels in common."""
    kept: list[Tensor] = []
    while len(kept) < count:
        new = (torch.rand(SIDE * SIDE, generator=rng).argsort() < SIDE * SIDE // 2).float()
        if all(float((new == old).float().mean()) <= 0.75 for old in kept):
            kept.append(new)
    return torch.stack(kept).reshape(count, 1, SIDE, SIDE)


def _blocks(places: Tensor) -> Tensor:
    """The places of blocks as masks, with shape (n, SIZE, SIZE)."""
    masks = torch.zeros(len(places), SIZE, SIZE, dtype=torch.bool)
    for i, place in enumerate(places.tolist()):
        row, column = CORNERS[place]
        masks[i, row : row + SIDE, column : column + SIDE] = True
    return masks


def _put(x: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
    x = x.clone()
    x[masks[:, None]] = patterns.flatten()  # row by row, as masks are read
    return x
