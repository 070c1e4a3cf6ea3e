"""Per-picture arithmetic that priors and step rules share: sums, broadcasts and channels by places."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pellucid.errors import MethodError

Values = Mapping[str | None, Tensor]
"""The activations of all views by address; None: the network's output."""


def sum_per_picture(t: Tensor) -> Tensor:
    """The sum over all but the first axis: (n,)."""
    return t.flatten(1).sum(1)


def per_picture(row: Tensor, like: Tensor) -> Tensor:
    """One number per picture (n,), in a shape that broadcasts against `like` (n, ...)."""
    return row.reshape(-1, *[1] * (like.dim() - 1))


def channels_by_place(value: Tensor, n: int) -> Tensor:
    """The values of a layer for all views, (n * views, channel, ...), as (n, channel, views * places)."""
    channels = value.shape[1]
    return value.reshape(n, -1, channels, *value.shape[2:]).movedim(2, 1).reshape(n, channels, -1)


def check_spatial(pictures: Tensor, prior: str) -> None:
    """Refuse pictures without spatial axes."""
    if pictures.dim() < 3:
        raise MethodError(
            prior, f"inputs of shape {tuple(pictures.shape[1:])}, without spatial axes",
            "the columns of a table have no order, and so no neighbours", "Leave it out; L2, AlphaNorm and Ball fit any input.",
        )  # fmt: skip
