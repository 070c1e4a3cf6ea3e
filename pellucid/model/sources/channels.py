"""Pictures for networks that take their channels last."""

from __future__ import annotations

from torch import Tensor

from pellucid.errors import InputError

TURNED = ", which takes channels last: pictures go in channels first and are turned"


def channels_last(x: Tensor, shape: tuple[int, ...] | None) -> Tensor:
    """(batch, channel, height, width) as (batch, height, width, channel).

    Arguments:
        shape: Of one sample, channels first, where it is known.

    Raises:
        InputError: the channels stand last already.
    """
    if shape is not None and tuple(x.shape[1:]) == (*shape[1:], shape[0]) != shape:
        do = "Turn it: x.permute(0, 3, 1, 2)."
        raise InputError("An input", f"shape {tuple(x.shape)}", "channels come before height and width", do)
    return x.permute(0, 2, 3, 1)
