"""Redirected ReLU: rectifiers let a gradient through to pictures for which they are all off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class Redirected(TorchFunctionMode):
    """In this block rectifiers pass a gradient back also where they are off, if they are off for the whole of a picture.

    With g the gradient of the score by the rectifier's output: entries below the lower end get g where it pushes them up, entries
    above the upper end (of ReLU6 and its like) where it pushes them down; pictures of which some entry gets its proper gradient
    are left alone. The forward values are what they are. It reaches `nn.ReLU`, `F.relu`, `Tensor.relu_` and all others spelled in
    Python; what is inside a script or an exported program it cannot reach.

    References: Olah et al., 2017, Feature visualization, https://doi.org/10.23915/distill.00007, as `redirected_relu_grad` of its
        code, Lucid.

    Example:
        >>> x = torch.tensor([[-1.0, -2.0]], requires_grad=True)
        >>> with Redirected():
        ...     y = F.relu(x) @ torch.tensor([3.0, -1.0])
        >>> torch.autograd.grad(y.sum(), x)[0].tolist()
        [[3.0, 0.0]]
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        ends = RECTIFIERS.get(func)
        low, high = (None, None) if ends is None else ends(*args, **kwargs)
        x = args[0] if args else kwargs.get("input", kwargs.get("self"))
        if low != 0 or not isinstance(x, Tensor) or not x.requires_grad:
            return func(*args, **kwargs)
        y: Tensor = _Rectify.apply(x, high)  # type: ignore[no-untyped-call]
        inplace = str(getattr(func, "__name__", "")).endswith("_") or kwargs.get("inplace", False) or True in args[1:2] + args[3:]
        return x.copy_(y) if inplace else y


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, high: float | None) -> Tensor:
        ctx.save_for_backward(x <= 0, torch.zeros_like(x, dtype=torch.bool) if high is None else x >= high)
        return x.clamp(0, high)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (g,), (below, above) = slopes, ctx.saved_tensors
        proper = g.masked_fill(below | above, 0)
        redirected = g.masked_fill((below & (g < 0)) | (above & (g > 0)), 0)
        off = ~proper.flatten(1).any(1).view(-1, *[1] * (g.dim() - 1)) if g.dim() > 1 else ~proper.bool().any()
        return torch.where(off, redirected, proper), None


Ends = tuple[float | None, float | None]


def _hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Ends:
    return min_val, max_val


def _clamp(input: Any, min: Any = None, max: Any = None, **kwargs: Any) -> Ends:
    plain = isinstance(min, (int, float)) and (max is None or isinstance(max, (int, float)))
    return (min, max) if plain else (None, None)


CLAMPS = [torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_, torch.clip, Tensor.clip, Tensor.clip_]
CLAMPS += [torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_]
RECTIFIERS: dict[Any, Callable[..., Ends]] = (
    dict.fromkeys([F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_], lambda *args, **kwargs: (0, None))
    | {F.relu6: lambda *args, **kwargs: (0, 6)}
    | dict.fromkeys([F.hardtanh, F.hardtanh_, torch._C._nn.hardtanh, torch._C._nn.hardtanh_], _hardtanh)
    | dict.fromkeys(CLAMPS, _clamp)
)
