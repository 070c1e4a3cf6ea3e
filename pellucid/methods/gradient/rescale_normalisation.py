"""The rescale rule for normalisations: softmax, norms and deviations of a row, exactly complete.

Softmax. Let s = softmax(x), and L_i the logarithmic mean of s_i in both passes, (s_i - s'_i) / (log s_i - log s'_i). As log s_i
is x_i - logsumexp(x) and the s_i sum to one, the change of logsumexp(x) is the mean of all x_j - x'_j weighted by L_j, and

    m_x_i = L_i m_i - L_i (sum over j of L_j m_j) / (sum over j of L_j)

which becomes the derivative as both passes meet, adds up exactly, and does not care about what is added to all of x. (DeepLIFT as
published treats a softmax entry by entry and then subtracts the mean over classes; captum subtracts a mean over the whole batch.)

Norms. Let y = x less its mean, and z = y / s with s^2 the mean of y^2, plus eps. From z s = y, with bars over the means of both
passes, the change of z is (that of y, less z_bar times that of s) / s_bar, and that of s is the mean of y_bar times that of y,
over s_bar:

    m_y_i = (m_i - y_bar_i (mean over j of m_j z_bar_j) / s_bar) / s_bar

This too is the derivative in the limit and adds up exactly. It stays bounded where a baseline has nothing to normalise (all
zeros: s = sqrt(eps)), as 1 / s_bar is at most twice 1 / s. The product of y and 1 / s, shared by the mean of the other factor,
adds up as well, but measured on a transformer against zeros its contributions were 70 times as large, and cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.tape import kinds
from .rescale_selection import Rule, reduced, rows, unrows
from .two_passes import Pair

# -- exponentials ---------------------------------------------------------------------------------------------------------


def logarithmic_mean(u: Tensor, v: Tensor) -> Tensor:
    """(e^u - e^v) / (u - v): between e^u and e^v, and e^u where they are equal.

    Example:
        >>> logarithmic_mean(torch.tensor([0.0, 1.0, -torch.inf]), torch.tensor([0.0, 0.0, 0.0]))
        tensor([1.0000, 1.7183, 0.0000])
    """
    half = (u - v) / 2
    near = ((u + v) / 2).exp() * torch.where(half == 0, torch.ones_like(half), half.sinh() / half)
    mean = torch.where(half.abs() < 1, near, (u.exp() - v.exp()) / (u - v))
    return mean.nan_to_num(0.0, 0.0, 0.0)  # of what is masked out in both passes


def _weights(pair: Pair, dims: Sequence[int]) -> tuple[Tensor, Tensor]:
    """L in rows, and L over its sum."""
    (x,), (r,) = pair.xs, pair.rs
    mean = logarithmic_mean(rows(x, dims).log_softmax(-1), rows(r, dims).log_softmax(-1))
    total = mean.sum(-1, keepdim=True)
    return mean, torch.where(total == 0, torch.zeros_like(mean), mean / total)


def _softmax(pair: Pair, m: Tensor) -> Tensor:
    dims, shape = [pair.op.args[1]], pair.here.x.shape
    L, p = _weights(pair, dims)
    drawn = L * rows(m, dims)
    return unrows(drawn - p * drawn.sum(-1, keepdim=True), shape, dims)


def _log_softmax(pair: Pair, m: Tensor) -> Tensor:
    dims, shape = [pair.op.args[1]], pair.here.x.shape
    _, p = _weights(pair, dims)
    m = rows(m, dims)
    return unrows(m - p * m.sum(-1, keepdim=True), shape, dims)


def _logsumexp(pair: Pair, m: Tensor) -> Tensor:
    dims, shape = pair.op.args[1], pair.here.x.shape
    _, p = _weights(pair, dims)
    return unrows(p * reduced(m, dims, shape), shape, dims)


# -- norms ----------------------------------------------------------------------------------------------------------------


def standardised(x: Tensor, r: Tensor, m: Tensor, eps: float, *, centred: bool = True) -> Tensor:
    """The multipliers of rows x from those of (x - mean) / sqrt(var + eps), or of x / sqrt(mean of squares + eps)."""
    if centred:
        x, r = x - x.mean(-1, keepdim=True), r - r.mean(-1, keepdim=True)
    s, s_r = ((t.square().mean(-1, keepdim=True) + eps).sqrt() for t in (x, r))
    y, z, width = (x + r) / 2, (x / s + r / s_r) / 2, (s + s_r) / 2
    m_y = (m - y * (m * z).mean(-1, keepdim=True) / width) / width
    return m_y - m_y.mean(-1, keepdim=True) if centred else m_y


def _scaled(pair: Pair, m: Tensor, place: int, axis: int | None) -> Tensor:
    """m times the weight among the arguments; that lies along one axis, or along the last ones."""
    ref = pair.op.args[place] if len(pair.op.args) > place else None
    if ref is None:
        return m
    weight = pair.here.tape.value(ref.id)
    return m * (weight if axis is None else weight.reshape(-1, *[1] * (m.dim() - axis - 1)))


def _layer_norm(pair: Pair, m: Tensor) -> Tensor:
    return _over(pair, range(-len(pair.op.args[1]), 0), _scaled(pair, m, 2, None), pair.op.args[4])


def _rms_norm(pair: Pair, m: Tensor) -> Tensor:
    eps = pair.op.args[3] if len(pair.op.args) > 3 and pair.op.args[3] is not None else torch.finfo(m.dtype).eps
    return _over(pair, range(-len(pair.op.args[1]), 0), _scaled(pair, m, 2, None), eps, centred=False)


def _over(pair: Pair, dims: Sequence[int], m: Tensor, eps: float, *, centred: bool = True) -> Tensor:
    (x,), (r,) = pair.xs, pair.rs
    return unrows(standardised(rows(x, dims), rows(r, dims), rows(m, dims), float(eps), centred=centred), x.shape, dims)


def _group_norm(pair: Pair, m: Tensor) -> Tensor:
    (x,), (r,), m = pair.xs, pair.rs, _scaled(pair, m, 1, 1)
    groups = (x.shape[0], pair.op.args[6], -1)
    multipliers = standardised(x.reshape(groups), r.reshape(groups), m.reshape(groups), float(pair.op.args[7]))
    return multipliers.reshape(x.shape)


def _batch_norm(pair: Pair, m: Tensor) -> Tensor:
    """By the statistics of what it reads, as in instance norms."""
    return _over(pair, [d for d in range(m.dim()) if d != 1], _scaled(pair, m, 1, 1), pair.op.args[-1])


def _std(pair: Pair, m: Tensor) -> Tensor | None:
    """The root of a variance: its slope is one over the sum of both."""
    (x,), (r,), (s, s_r) = pair.xs, pair.rs, pair.z
    dims = (pair.op.args[1] if len(pair.op.args) > 1 else None) or range(x.dim())
    halfway = rows((x + r) / 2, dims)
    correction = pair.op.kwargs.get("correction")
    count = halfway.shape[-1] - float(1 if correction is None else correction)
    share = reduced(torch.where(s + s_r == 0, torch.zeros_like(s), m / (s + s_r)), dims, x.shape)
    return unrows(2 / count * (halfway - halfway.mean(-1, keepdim=True)) * share, x.shape, dims)


def _length(pair: Pair, m: Tensor) -> Tensor | None:
    """The Euclidean norm, the root of a sum of squares; other norms have no rule here."""
    (x,), (r,), (n, n_r) = pair.xs, pair.rs, pair.z
    args = (*pair.op.args, None, None)
    if len(pair.op.args) > 1 and args[1] != 2:
        return None
    dims = args[2] or range(x.dim())
    share = reduced(torch.where(n + n_r == 0, torch.zeros_like(n), m / (n + n_r)), dims, x.shape)
    return unrows(rows(x + r, dims) * share, x.shape, dims)


NORMALISED: dict[str, Rule] = {
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "_log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _rms_norm,
    "native_group_norm": _group_norm,
    **{name: _batch_norm for name in kinds.BATCH_NORMS},
    "std": _std,
    "linalg_vector_norm": _length,
}
