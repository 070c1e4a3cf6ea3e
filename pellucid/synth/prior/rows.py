"""Numbers per picture."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pellucid.errors import MethodError

Values = Mapping[str | None, Tensor]
"""What the network computed, by address; None: its output."""


def sum_per_picture(t: Tensor) -> Tensor:
    """The sum over all but the first axis."""
    return t.flatten(1).sum(1)


def per_picture(row: Tensor, like: Tensor) -> Tensor:
    """One number per picture, in a shape that broadcasts against pictures."""
    return row.reshape(-1, *[1] * (like.dim() - 1))


def channels_by_place(value: Tensor, n: int) -> Tensor:
    """What a layer says of all views (n * views, channel, ...), as channels by places of each of n pictures."""
    channels = value.shape[1]
    return value.reshape(n, -1, channels, *value.shape[2:]).movedim(2, 1).reshape(n, channels, -1)


def check_neighbours(pictures: Tensor, asked: str) -> None:
    """Refuse pictures whose entries have no neighbours.

    Raises:
        MethodError: there are no axes behind the channels.
    """
    if pictures.dim() < 3:
        raise MethodError(
            asked, f"inputs of shape {tuple(pictures.shape[1:])}, without spatial axes",
            "the columns of a table lie beside one another by chance", "Leave it out; L2, AlphaNorm and Ball fit any input.",
        )  # fmt: skip
