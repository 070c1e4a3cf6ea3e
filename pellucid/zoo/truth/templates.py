"""Templates: networks whose maximizing input is known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .learn import bare
from .problem import Problem, generator


class Matching(nn.Module):
    """Every class is a kernel as large as the picture: its score is the inner product with its template."""

    def __init__(self, templates: Tensor) -> None:
        super().__init__()
        count, channels, height, width = templates.shape
        self.match = bare(nn.Conv2d, channels, count, (height, width), bias=False)
        with torch.no_grad():
            self.match.weight.copy_(templates)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.match(x).flatten(1)
        return answer


def templates(*, seed: int = 0, classes: int = 4, channels: int = 3, side: int = 16) -> Problem:
    """What does each class want to see? `exact` is the input of length 1 that excites it most; one sample per class.

    The score of class k is <t_k, x>. Among inputs of length 1 it is greatest at t_k / |t_k| (Cauchy and Schwarz), among inputs in
    [0, 1] where t_k > 0: `also["in the box"]`. `inputs` are where a search may start: grey.

    Example:
        >>> p = templates(classes=2, side=4)
        >>> best = p.model(p.exact).diagonal()
        >>> torch.allclose(best, p.model.match.weight.flatten(1).norm(dim=1), atol=1e-5)
        True
    """
    rng = generator(seed)
    coarse = torch.randn(classes, channels, side // 2, side // 2, generator=rng)
    kernels = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
    best = kernels / kernels.flatten(1).norm(dim=1)[:, None, None, None]
    grey = torch.full((classes, channels, side, side), 0.5)
    everywhere = torch.ones(classes, side, side, dtype=torch.bool)
    model = Matching(kernels).eval().requires_grad_(False)
    names = tuple(f"template {i}" for i in range(classes))
    also = {"in the box": (kernels > 0).float()}
    return Problem("templates", grey, torch.arange(classes), everywhere, names, model, best, also=also)


def cosine(found: Tensor, wanted: Tensor) -> Tensor:
    """How nearly inputs point the way they should, per sample, in [-1, 1]: 1 for the optimum of any length.

    Example:
        >>> cosine(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
        tensor([0.7071])
    """
    return nn.functional.cosine_similarity(found.flatten(1), wanted.flatten(1))
