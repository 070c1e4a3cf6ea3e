"""The baseline, the input that stands for absence: checked, expanded to a batch, and described in captions."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Columns, Model

Baseline = Tensor | float | None


def filled(baseline: Baseline, x: Tensor) -> Tensor:
    """The baseline of every sample, shaped like x: zeros for None, a number everywhere, a tensor wherever it broadcasts.

    Raises:
        InputError: it is neither, its shape does not fit, or not all of it are numbers.

    Example:
        >>> filled(torch.tensor([1.0, 2.0]), torch.zeros(2, 2))
        tensor([[1., 2.],
                [1., 2.]])
    """
    if baseline is None:
        return torch.zeros_like(x)
    if isinstance(baseline, (int, float)) and not isinstance(baseline, bool):
        return _finite(torch.tensor(float(baseline), dtype=torch.float64), x).to(x).expand(x.shape).contiguous()
    if not isinstance(baseline, Tensor):
        raise InputError(
            f"baseline={baseline!r}", f"a {type(baseline).__name__}", "a baseline is a number or a tensor of the model's inputs",
            "Pass 0.0, model.read(picture), or None for zeros.",
        )  # fmt: skip
    return _finite(baseline, x).to(x).expand(x.shape).contiguous()


def _finite(baseline: Tensor, x: Tensor) -> Tensor:
    """The baseline, if it broadcasts against x and holds nothing but numbers."""
    ends = zip(reversed(baseline.shape), reversed(x.shape), strict=False)
    if baseline.dim() > x.dim() or not all(n in (1, size) for n, size in ends):
        sample = tuple(x.shape[1:])
        raise InputError(
            f"a baseline of shape {tuple(baseline.shape)}", f"inputs of shape {tuple(x.shape)}",
            "the path from the baseline to the input needs a number for every entry",
            f"Pass one for all samples, with shape {sample}, or one per sample.",
        )  # fmt: skip
    bad = int((~torch.isfinite(baseline)).sum())
    if bad:
        raise InputError(
            "a baseline", f"{bad} of {baseline.numel()} entries that are NaN or infinite", "no path starts there",
            "Clean it first.",
        )  # fmt: skip
    return baseline


def sentence(baseline: Baseline, model: Model, x: Tensor) -> str:
    """What the baseline is, for captions."""
    if isinstance(baseline, Tensor):
        return f"The baseline is a tensor of the caller's own, with shape {tuple(baseline.shape)}."
    value = float(baseline or 0.0)
    return f"The baseline is {value:g} everywhere, in the space of the model's own input{_colour(value, model, x)}."


def _colour(value: float, model: Model, x: Tensor) -> str:
    """What a picture would have to look like to be that; of a row of a table, where its numbers stand."""
    if isinstance(model.preprocess, Columns) and value == 0:
        return ": every number at its mean"
    pictures = model.image_preprocess
    if pictures is None or not coloured(model, x):
        return ""
    levels = [round(255 * (mean + std * value)) for mean, std in zip(pictures.mean, pictures.std, strict=True)]
    if not all(0 <= level <= 255 for level in levels):
        return ", which is no colour a picture can have"
    red, green, blue = levels * (3 // len(levels))
    return f": a picture of the colour #{red:02x}{green:02x}{blue:02x}"


def coloured(model: Model, x: Tensor) -> bool:
    """Whether x holds pictures whose colours are known."""
    return model.image_preprocess is not None and x.dim() == 4 and x.shape[1] == len(model.image_preprocess.mean)


def brief(baseline: Baseline) -> str:
    """A baseline among readable settings."""
    return f"a tensor of shape {tuple(baseline.shape)}" if isinstance(baseline, Tensor) else str(baseline)
