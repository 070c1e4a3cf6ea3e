"""Mend: the direction that a mark adds to the channels of a layer is taken out of them; accuracy is measured with and without.

References: From hope to safety: unlearning biases of deep models via gradient penalization in latent space (Dreyer et al., 2023),
    https://doi.org/10.48550/arXiv.2308.09437; Finding and removing Clever Hans (Anders et al., 2022),
    https://doi.org/10.1016/j.inffus.2021.07.015 (projection: P-ClArC)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.metrics.metric import class_scores
from pellucid.model import Model
from pellucid.tape.forward import forward_values
from .confirm import Windows


@dataclass(frozen=True)
class Remedy:
    """What a remedy does: shares in [0, 1], before and after.

    Arguments:
        layer: Where the direction is taken out.
        fooled_before, fooled_after: Pictures of other classes that are taken for the class once the mark is pasted on them.
        others_before, others_after: Pictures of other classes that are named right.
        mates_before, mates_after: Pictures of the class without the mark that are named right.
        members_before, members_after: Pictures with the mark that are taken for the class.
    """

    layer: str
    fooled_before: float
    fooled_after: float
    others_before: float
    others_after: float
    mates_before: float
    mates_after: float
    members_before: float
    members_after: float

    def sentence(self) -> str:
        return (
            f"with the mark's direction taken out of {self.layer}, pictures of other classes with the mark pasted on them are "
            f"taken for the class in {self.fooled_after:.0%} of cases, before in {self.fooled_before:.0%}; named right without "
            f"the mark: other classes {self.others_after:.0%}, before {self.others_before:.0%}; this class "
            f"{self.mates_after:.0%}, before {self.mates_before:.0%}"
        )

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"sentence": self.sentence()}


def mend(
    model: Model, layer: str, target: int, members: Tensor, windows: Windows, mates: Tensor, others: Tensor, truth: Tensor
) -> Remedy:
    """Project the mark's direction out of a layer, and count predictions.

    Arguments:
        members: Pictures with the mark, which is inside `windows`.
        mates: Pictures of the class without it.
        others: Pictures of other classes, whose classes are `truth`.
    """
    bare = windows.fill(members, "linear")
    with_mark, without = activations(model, members, layer), activations(model, bare, layer)
    direction = summed(with_mark - without).mean(0)
    direction = direction / direction.norm().clamp_min(1e-12)
    rest = activations(model, torch.cat([mates, others, bare]), layer)
    usual = along(rest, direction).flatten(1).mean()

    def mended(a: Tensor) -> Tensor:
        more = (along(a, direction) - usual).clamp_min(0)  # what is usual stays
        shape = [1, -1, *[1] * (a.dim() - 2)]
        changed: Tensor = a - more[:, None] * direction.reshape(shape)
        return changed

    donors = torch.arange(len(others)) % len(members)
    pasted = Windows(windows.corners[donors], windows.size).paste(others, windows.cut(members)[donors])

    def shares(x: Tensor, wanted: Tensor) -> tuple[float, float]:
        return rate(predict(model, x), wanted), rate(predict(model, x, layer, mended), wanted)

    own = torch.tensor(target)
    counts = [shares(pasted, own), shares(others, truth), shares(mates, own), shares(members, own)]
    return Remedy(layer, *(value for pair in counts for value in pair))


def activations(model: Model, x: Tensor, layer: str) -> Tensor:
    return torch.cat([forward_values(model, part, (layer,))[layer] for part in torch.split(x, 64)])


def summed(a: Tensor) -> Tensor:
    """What each channel says in all, (item, channel)."""
    return a.flatten(2).sum(2) if a.dim() > 2 else a


def along(a: Tensor, direction: Tensor) -> Tensor:
    """How much of a direction is at each place: (item, *places)."""
    amount: Tensor = torch.tensordot(a, direction, dims=([1], [0]))
    return amount


def predict(model: Model, x: Tensor, layer: str = "", change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The predicted classes; with what a layer returns changed, if asked."""
    found = []
    for part in torch.split(x, 64):
        patch = {layer: change(forward_values(model, part, (layer,))[layer])} if change else None
        output = forward_values(model, part, (None,), patch)[None]
        scores = class_scores(output)
        found.append((output if scores is None else scores).argmax(1).cpu())
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)


def rate(predicted: Tensor, wanted: Tensor) -> float:
    return float((predicted == wanted).double().mean()) if len(predicted) else float("nan")
