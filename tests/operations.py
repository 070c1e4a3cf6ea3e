"""An example of every operation in the table of kinds: a small function of a batch of rows that runs it.

An operation added to the table needs an example here on the same day: `test_operations.py` tries each on everything that is
promised of all of them. Functions read x with shape (samples, 12) and return any shape that keeps samples first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pellucid.tape import kinds

Example = Callable[[Tensor], Tensor]

aten = torch.ops.aten
_rng = torch.Generator().manual_seed(0)


def random(*shape: int) -> Tensor:
    """Constants of the examples, of both signs."""
    return torch.randn(shape, generator=_rng, dtype=torch.float64)


# Kernels of other devices and of other number types, of which no CPU can run an example in double precision; each has a twin in
# the table that computes the same. And roundings whose slope is that of a line, unlike that of finite differences.
ELSEWHERE = kinds.STRAIGHT_THROUGH | frozenset(
    """convolution_overrideable mkldnn_convolution cudnn_convolution mkldnn_max_pool2d cudnn_batch_norm miopen_batch_norm
    _batch_norm_with_update _local_scalar_dense item is_nonzero pin_memory bernoulli rand_like randn_like randint_like empty_like
    new_empty new_empty_strided empty_strided lift lift_fresh""".split()
)

INDEX = torch.tensor([0, 0, 1, 3, 3, 3])  # some places are met more than once
ORDER = torch.tensor([3, 0, 2, 5, 1, 4])
W, KERNEL, LINE, CUBE = random(12, 5), random(2, 1, 2, 2), random(2, 3, 2), random(1, 1, 2, 2, 2)
BASE, ROWS, PLANE = random(12), random(3, 4), random(4, 5)
TENTHS = torch.linspace(0.1, 0.5, 5, dtype=torch.float64)
OFFSET, SCALE = random(3), random(3).abs() + 0.5
MASK = torch.tensor([True, False, True, True, False, False, True, True, False, True, False, True])


def rows(x: Tensor) -> Tensor:
    return x.reshape(-1, 3, 4)


def plane(x: Tensor) -> Tensor:
    return x.reshape(-1, 1, 3, 4)


def cube(x: Tensor) -> Tensor:
    return x.reshape(-1, 1, 2, 2, 3)


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, :6], x[:, 6:]


def several(made: list[Tensor] | tuple[Tensor, ...], weights: bool = True) -> Tensor:
    """Several tensors as one, each with a weight of its own."""
    return torch.cat([(k + 1) * t.flatten(1) for k, t in enumerate(made)], 1)


def wide(t: Tensor, x: Tensor) -> Tensor:
    """A constant once for every sample."""
    return t.expand(len(x), *t.shape)


def lines(index: Tensor, x: Tensor) -> Tensor:
    """The number of the sample of every entry of `index`, for operations that index all axes."""
    return torch.arange(len(x))[:, None].expand(len(x), len(index))


def samplewise(f: Callable[[Tensor], Tensor]) -> Example:
    """For operations without an axis for samples: one after the other."""
    return lambda x: torch.stack([f(row) for row in x])


def entrywise(name: str, *args: object, domain: Callable[[Tensor], Tensor] = lambda x: x) -> Example:
    packet = getattr(aten, name)
    return lambda x: packet(domain(x), *args)


def packed(x: Tensor) -> Tensor:
    """Packed without padding, and back."""
    full = torch.full((len(x),), x.shape[1])
    return pad_packed_sequence(pack_padded_sequence(x, full, batch_first=True), batch_first=True)[0]


def above(x: Tensor) -> Tensor:
    return x.abs() + 0.3


def within(x: Tensor) -> Tensor:
    return 0.8 * torch.tanh(x)


def still(make: Callable[[Tensor], Tensor]) -> Example:
    """What an operation makes, that does not vary with the input, as a factor of it."""
    return lambda x: x * make(x).to(x.dtype).reshape(len(x), -1)[:, :1]


BAGS = torch.tensor([[0, 2, 2], [1, 1, 0]])
CONV = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)

LINEAR: dict[str, tuple[Example, ...]] = {
    "convolution": (
        lambda x: aten.convolution(plane(x), KERNEL, None, *CONV),
        lambda x: aten.convolution(plane(x), KERNEL, TENTHS[:2], [2, 1], [1, 0], [1, 1], False, [0, 0], 1),
        lambda x: aten.convolution(plane(x), KERNEL.transpose(0, 1), None, [2, 2], [0, 0], [1, 1], True, [1, 0], 1),
        lambda x: torch.cat([aten.convolution(plane(row), plane(row)[..., :2, :2] * KERNEL, None, *CONV) for row in x.split(1)]),
        lambda x: torch.cat([aten.convolution(plane(row), KERNEL, row[0, :2], *CONV) for row in x.split(1)]),
        lambda x: torch.cat([aten.convolution(plane(BASE), plane(row)[..., :2, :2], None, *CONV) for row in x.split(1)]),
    ),
    "_convolution": (lambda x: aten._convolution(rows(x), LINE, None, [1], [1], [1], False, [0], 1, False, False, False, False),),
    "addmm": (
        lambda x: aten.addmm(TENTHS, x, W),
        lambda x: aten.addmm(x[:, :5], x, W),
        lambda x: aten.addmm(x[:, :5], x, W, beta=0.5, alpha=-2),
    ),
    "_addmm_activation": (lambda x: aten._addmm_activation(TENTHS, x, W),),
    "baddbmm": (
        lambda x: aten.baddbmm(x.new_zeros(1), rows(x), wide(PLANE, x)),
        lambda x: aten.baddbmm(x.new_zeros(1), rows(x), rows(x).transpose(1, 2), beta=0, alpha=0.5),
        lambda x: aten.baddbmm(rows(x)[:, :, :3], rows(x), rows(x).transpose(1, 2)),
    ),
    "addmv": (
        samplewise(lambda v: aten.addmv(BASE[:5], W.t(), v)),
        samplewise(lambda v: aten.addmv(v[:3], rows(v)[0], BASE[:4])),
    ),
    "addbmm": (samplewise(lambda v: aten.addbmm(v[:9].view(3, 3), rows(v), PLANE[None, :, :3].expand(1, 4, 3))),),
    "addr": (samplewise(lambda v: aten.addr(rows(v)[0], v[:3], BASE[:4])), samplewise(lambda v: aten.addr(ROWS, v[:3], v[3:7]))),
    "mm": (lambda x: aten.mm(x, W), lambda x: aten.mm(W[:5, :1].t() @ W[:5], aten.mm(x, W).t()).t()),
    "bmm": (
        lambda x: aten.bmm(rows(x), wide(PLANE, x)),
        lambda x: aten.bmm(wide(PLANE.t(), x), rows(x).transpose(1, 2)),
        lambda x: aten.bmm(rows(x), rows(x).transpose(1, 2)),
    ),
    "mv": (
        samplewise(lambda v: aten.mv(W.t(), v)),
        lambda x: aten.mv(x, BASE)[:, None],
        samplewise(lambda v: aten.mv(rows(v)[0], v[:4])),
    ),
    "dot": (
        samplewise(lambda v: aten.dot(v, BASE)),
        samplewise(lambda v: aten.dot(BASE, v)),
        samplewise(lambda v: aten.dot(v[:6], v[6:])),
    ),
    "vdot": (samplewise(lambda v: aten.vdot(v, BASE)), samplewise(lambda v: aten.vdot(BASE, v))),
    "linalg_cross": (
        lambda x: aten.linalg_cross(x.view(-1, 4, 3), wide(PLANE[:, :3], x)),
        lambda x: aten.linalg_cross(x.view(-1, 4, 3)[:, :2], x.view(-1, 4, 3)[:, 2:]),
    ),
    "_fft_r2c": (lambda x: aten._fft_r2c(rows(x), [2], 0, True).real, lambda x: torch.fft.rfft(x, dim=1).abs()),
    "_fft_c2c": (lambda x: torch.fft.fft2(plane(x)).imag,),
    "_fft_c2r": (lambda x: torch.fft.irfft(torch.view_as_complex(x.view(-1, 6, 2)), dim=1),),
    "affine_grid_generator": (lambda x: aten.affine_grid_generator(x[:, :6].view(-1, 2, 3), [len(x), 1, 2, 2], False),),
    "_trilinear": (
        lambda x: F.bilinear(x[:, :6], wide(BASE[:3], x), W.reshape(5, 6, 2).repeat(1, 1, 2)[..., :3]),
        lambda x: F.bilinear(x[:, :6], x[:, 6:8], W.reshape(5, 6, 2)),
    ),
}

POOLS: dict[str, tuple[Example, ...]] = {
    "avg_pool1d": (lambda x: aten.avg_pool1d(rows(x), [2], [1]), lambda x: aten.avg_pool1d(rows(x), [3], [1], [1])),
    "avg_pool2d": (lambda x: aten.avg_pool2d(plane(x), [2, 2], [1, 1]), lambda x: aten.avg_pool2d(plane(x), [2], [2], [1])),
    "avg_pool3d": (lambda x: aten.avg_pool3d(cube(x), [2, 2, 2], [1, 1, 1]),),
    "adaptive_avg_pool1d": (lambda x: aten.adaptive_avg_pool1d(rows(x), [3]),),
    "_adaptive_avg_pool2d": (lambda x: aten._adaptive_avg_pool2d(plane(x), [2, 3]),),
    "_adaptive_avg_pool3d": (lambda x: aten._adaptive_avg_pool3d(cube(x), [1, 2, 2]),),
    "mean": (lambda x: aten.mean(rows(x), [2]), lambda x: rows(x).mean(1, keepdim=True)),
    "sum": (lambda x: aten.sum(rows(x), [1]), samplewise(lambda v: v.sum())),
    "nansum": (lambda x: aten.nansum(rows(x), [1]),),
    "cumsum": (lambda x: aten.cumsum(rows(x), 2), lambda x: rows(x).flip(1).cumsum(1)),
    "trace": (samplewise(lambda v: aten.trace(v[:9].view(3, 3))),),
    "upsample_linear1d": (lambda x: aten.upsample_linear1d(rows(x), [7], False),),
    "upsample_bilinear2d": (lambda x: aten.upsample_bilinear2d(plane(x), [5, 7], True),),
    "upsample_trilinear3d": (lambda x: aten.upsample_trilinear3d(cube(x), [3, 3, 3], False),),
    "upsample_bicubic2d": (lambda x: aten.upsample_bicubic2d(plane(x), [5, 7], False),),
    "_upsample_bilinear2d_aa": (lambda x: aten._upsample_bilinear2d_aa(plane(x), [2, 2], False),),
    "_upsample_bicubic2d_aa": (lambda x: aten._upsample_bicubic2d_aa(plane(x), [2, 2], False),),
    "_upsample_lanczos2d_aa": (lambda x: aten._upsample_lanczos2d_aa(plane(x), [2, 2], False),),
    "index_add": (
        lambda x: aten.index_add(x[:, :6], 1, INDEX, x[:, 6:]),
        lambda x: aten.index_add(wide(BASE[:6], x), 1, INDEX, x[:, 6:]),
        lambda x: aten.index_add(x, 1, INDEX, wide(BASE[:6], x), alpha=-2),
        lambda x: x.clone().index_add_(1, INDEX, x[:, 6:], alpha=0.5),
    ),
    "scatter_add": (
        lambda x: aten.scatter_add(x[:, :6], 1, wide(INDEX, x), x[:, 6:]),
        lambda x: aten.scatter_add(x.new_zeros(len(x), 4), 1, wide(INDEX, x), x[:, 6:]),
    ),
    "col2im": (
        lambda x: F.fold(F.unfold(plane(x), 2), (3, 4), 2),
        lambda x: F.fold(F.unfold(plane(x), 3, padding=1), (3, 4), 3, padding=1),
        lambda x: F.fold(x.view(-1, 4, 3), (2, 4), 2),
    ),
    "native_dropout": (lambda x: aten.native_dropout(x, 0.5, False)[0],),
    "lerp": (
        lambda x: aten.lerp(x[:, :6], x[:, 6:], 0.3),
        lambda x: aten.lerp(x[:, :6], x[:, 6:], 1.7),
        lambda x: aten.lerp(wide(BASE[:6], x), x[:, 6:], 0.3),
        lambda x: aten.lerp(x[:, :6], x[:, 6:], BASE[:6]),
        lambda x: aten.lerp(x[:, :6], x[:, 6:], x[:, 3:9]),
    ),
    "segment_reduce": tuple(
        samplewise(lambda v, kind=kind: torch.segment_reduce(v, kind, lengths=torch.tensor([3, 4, 5])))
        for kind in ("sum", "mean", "max", "min", "prod")
    ),
    "_embedding_bag": (
        *(samplewise(lambda v, mode=mode: F.embedding_bag(BAGS, rows(v)[0], mode=mode)) for mode in ("sum", "mean", "max")),
        samplewise(lambda v: F.embedding_bag(BAGS, rows(v)[0], per_sample_weights=ROWS[:2, :3], mode="sum")),
        samplewise(lambda v: F.embedding_bag(BAGS, ROWS, per_sample_weights=v[:6].view(2, 3), mode="sum")),
        samplewise(lambda v: F.embedding_bag(BAGS, rows(v)[0], per_sample_weights=v[:6].view(2, 3), mode="sum")),
    ),
    "unfold_backward": (lambda x: aten.unfold_backward(x.view(-1, 3, 4), [len(x), 8], 1, 4, 2),),
}
POOLS["_embedding_bag_forward_only"] = POOLS["_embedding_bag"]

REDUCED = tuple(
    (lambda x, kind=kind, own=own: aten.scatter_reduce(x[:, :6], 1, wide(INDEX, x), x[:, 6:], kind, include_self=own))
    for kind in ("sum", "mean", "amax", "amin", "prod")
    for own in (True, False)
)

MAXIMA: dict[str, tuple[Example, ...]] = {
    "max_pool2d_with_indices": (lambda x: aten.max_pool2d_with_indices(plane(x), [2, 2], [1, 1])[0],),
    "max_pool3d_with_indices": (lambda x: aten.max_pool3d_with_indices(cube(x), [2, 2, 2], [1, 1, 1])[0],),
    "adaptive_max_pool2d": (lambda x: aten.adaptive_max_pool2d(plane(x), [2, 3])[0],),
    "adaptive_max_pool3d": (lambda x: aten.adaptive_max_pool3d(cube(x), [1, 2, 2])[0],),
    "fractional_max_pool2d": (
        lambda x: aten.fractional_max_pool2d(plane(x), [2, 2], [2, 2], torch.full((len(x), 1, 2), 0.4, dtype=x.dtype))[0],
    ),
    "max": (lambda x: aten.max(rows(x), 2)[0], samplewise(lambda v: v.max())),
    "amax": (lambda x: aten.amax(rows(x), [2]),),
    "min": (lambda x: aten.min(rows(x), 1)[0],),
    "amin": (lambda x: aten.amin(rows(x), [1, 2]),),
    "aminmax": (lambda x: several(aten.aminmax(rows(x), dim=1)),),
    "topk": (lambda x: aten.topk(x, 4)[0],),
    "sort": (lambda x: aten.sort(rows(x), 2)[0],),
    "kthvalue": (lambda x: aten.kthvalue(rows(x), 2, 2)[0],),
    "median": (lambda x: aten.median(rows(x), 2)[0],),
    "nanmedian": (lambda x: aten.nanmedian(rows(x), 2)[0],),
    "mode": (lambda x: aten.mode(rows(x), 2)[0],),
    "maximum": (lambda x: aten.maximum(*halves(x)), lambda x: aten.maximum(x, BASE)),
    "minimum": (lambda x: aten.minimum(*halves(x)),),
    "fmax": (lambda x: aten.fmax(*halves(x)), lambda x: aten.fmax(BASE, x)),
    "fmin": (lambda x: aten.fmin(*halves(x)),),
    "cummax": (lambda x: aten.cummax(rows(x), 2)[0],),
    "cummin": (lambda x: aten.cummin(rows(x), 1)[0],),
    "logsumexp": (lambda x: aten.logsumexp(rows(x), [2]),),
    "logcumsumexp": (lambda x: aten.logcumsumexp(rows(x), 2),),
}

ROUTES: dict[str, tuple[Example, ...]] = {
    "view": (lambda x: aten.view(x, [len(x), 4, 3]),),
    "_unsafe_view": (lambda x: aten._unsafe_view(x, [len(x), 4, 3]),),
    "reshape": (lambda x: aten.reshape(x, [len(x), 4, 3]),),
    "t": (lambda x: aten.t(aten.t(x)),),
    "transpose": (lambda x: aten.transpose(rows(x), 1, 2),),
    "permute": (lambda x: aten.permute(rows(x), [0, 2, 1]),),
    "select": (lambda x: aten.select(rows(x), 1, 2),),
    "slice": (lambda x: aten.slice(x, 1, 2, 10, 3),),
    "unsqueeze": (lambda x: aten.unsqueeze(x, 1),),
    "squeeze": (lambda x: aten.squeeze(x.unsqueeze(2), 2),),
    "expand": (lambda x: aten.expand(x[:, None], [len(x), 3, 12]),),
    "clone": (lambda x: aten.clone(x),),
    "cat": (lambda x: aten.cat([x, 2 * x, wide(BASE, x)], 1),),
    "stack": (lambda x: aten.stack([x, x * x], 1),),
    "unbind": (lambda x: several(aten.unbind(rows(x), 1)),),
    "split": (lambda x: several(aten.split(x, 5, 1)),),
    "split_with_sizes": (lambda x: several(aten.split_with_sizes(x, [2, 10], 1)),),
    "chunk": (lambda x: several(aten.chunk(x, 3, 1)),),
    "unsafe_split": (lambda x: several(aten.unsafe_split(x, 5, 1)),),
    "unsafe_chunk": (lambda x: several(aten.unsafe_chunk(x, 3, 1)),),
    "unsafe_split_with_sizes": (lambda x: several(aten.unsafe_split_with_sizes(x, [2, 10], 1)),),
    "alias": (lambda x: aten.alias(x),),
    "copy": (lambda x: aten.copy(x.new_zeros(x.shape), x), lambda x: x.new_empty(x.shape).copy_(x)),
    "_to_copy": (lambda x: aten._to_copy(x, dtype=torch.float64),),
    "to": (lambda x: x.to(torch.float64, copy=True),),
    "contiguous": (lambda x: rows(x).transpose(1, 2).contiguous(),),
    "index": (lambda x: aten.index(x, [None, INDEX]), lambda x: x[:, MASK], lambda x: rows(x)[:, [0, 2, 2], [1, 3, 3]]),
    "index_select": (lambda x: aten.index_select(x, 1, INDEX),),
    "gather": (lambda x: aten.gather(x, 1, wide(INDEX, x)),),
    "flatten": (lambda x: aten.flatten(rows(x), 1),),
    "unflatten": (lambda x: x.unflatten(1, (3, 4)),),
    "movedim": (lambda x: torch.movedim(rows(x), 1, 2),),
    "swapaxes": (lambda x: torch.swapaxes(rows(x), 1, 2),),
    "roll": (lambda x: aten.roll(x, [5], [1]),),
    "flip": (lambda x: aten.flip(rows(x), [2]),),
    "rot90": (lambda x: aten.rot90(rows(x), 1, [1, 2]),),
    "constant_pad_nd": (lambda x: aten.constant_pad_nd(rows(x), [1, 2]), lambda x: aten.constant_pad_nd(rows(x), [-1, 2], 0.5)),
    "reflection_pad1d": (lambda x: aten.reflection_pad1d(rows(x), [3, 2]),),
    "reflection_pad2d": (lambda x: aten.reflection_pad2d(plane(x), [2, 1, 2, 0]),),
    "reflection_pad3d": (lambda x: aten.reflection_pad3d(cube(x), [1, 1, 1, 1, 1, 0]),),
    "replication_pad1d": (lambda x: aten.replication_pad1d(rows(x), [3, 2]),),
    "replication_pad2d": (lambda x: aten.replication_pad2d(plane(x), [2, 1, 2, 0]),),
    "replication_pad3d": (lambda x: aten.replication_pad3d(cube(x), [1, 1, 1, 1, 1, 0]),),
    "as_strided": (lambda x: aten.as_strided(x, [len(x), 5, 4], [12, 2, 1]),),
    "select_scatter": (lambda x: aten.select_scatter(rows(x), 2 * x[:, :4], 1, 1),),
    "slice_scatter": (lambda x: aten.slice_scatter(x, x[:, :4] * 3, 1, 2, 10, 2),),
    "diagonal": (lambda x: aten.diagonal(rows(x), 0, 1, 2),),
    "tril": (lambda x: aten.tril(rows(x)),),
    "triu": (lambda x: aten.triu(rows(x), 1),),
    "where": (lambda x: aten.where(x > 0, 2 * x, -x), lambda x: torch.where(MASK, x, BASE)),
    "masked_fill": (lambda x: aten.masked_fill(x, MASK, 0.0), lambda x: x.masked_fill(MASK, 1.5)),
    "index_put": (
        lambda x: aten.index_put(x[:, :6], [None, INDEX], x[:, 6:], True),
        lambda x: aten.index_put(x.new_zeros(len(x), 6), [lines(INDEX, x), wide(INDEX, x)], x[:, 6:], True),
        lambda x: aten.index_put(wide(BASE[:6], x), [None, INDEX], x[:, 6:], True),
        lambda x: aten.index_put(x[:, :6], [None, ORDER[:3]], x[:, 6:9]),
        lambda x: aten.index_put(x[:, :6], [None, INDEX], x[:, 6:]),
        lambda x: aten.index_put(x, [MASK.expand(len(x), 12)], x.new_tensor(2.0)),
    ),
    "index_copy": (
        lambda x: aten.index_copy(x[:, :6], 1, ORDER[:3], x[:, 6:9]),
        lambda x: aten.index_copy(x[:, :6], 1, INDEX, x[:, 6:]),
    ),
    "scatter": (
        lambda x: aten.scatter(x[:, :6], 1, wide(ORDER[:3], x), x[:, 6:9]),
        lambda x: aten.scatter(x[:, :6], 1, wide(INDEX, x), x[:, 6:]),
        lambda x: aten.scatter(x[:, :6], 1, wide(INDEX, x), x[:, 6:], reduce="add"),
        lambda x: aten.scatter(x[:, :6], 1, wide(INDEX, x), x[:, 6:], reduce="multiply"),
        lambda x: aten.scatter(x[:, :6], 1, wide(INDEX, x), 2.0),
    ),
    "masked_select": (samplewise(lambda v: aten.masked_select(v, MASK)),),
    "masked_scatter": (lambda x: aten.masked_scatter(x, MASK.expand(len(x), 12), x[:, 2 : 2 + int(MASK.sum())].contiguous()),),
    "take": (samplewise(lambda v: aten.take(v, INDEX)),),
    "put": (
        samplewise(lambda v: aten.put(v[:6], INDEX, v[6:], True)),
        samplewise(lambda v: aten.put(v[:6], ORDER[:3], v[6:9])),
        samplewise(lambda v: aten.put(v[:6], INDEX, v[6:])),
    ),
    "repeat": (lambda x: aten.repeat(x, [1, 3]),),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, 1), lambda x: x.repeat_interleave(torch.tensor([1, 0, 2] * 4), 1)),
    "pixel_shuffle": (lambda x: aten.pixel_shuffle(x.view(-1, 4, 1, 3), 2),),
    "pixel_unshuffle": (lambda x: aten.pixel_unshuffle(x.view(-1, 1, 2, 6), 2),),
    "channel_shuffle": (lambda x: aten.channel_shuffle(x.view(-1, 4, 1, 3), 2),),
    "native_channel_shuffle": (lambda x: aten.native_channel_shuffle(x.view(-1, 4, 1, 3), 2),),
    "unfold": (lambda x: aten.unfold(x, 1, 4, 2),),
    "im2col": (lambda x: F.unfold(plane(x), 2, padding=1),),
    "upsample_nearest1d": (lambda x: aten.upsample_nearest1d(rows(x), [7]),),
    "upsample_nearest2d": (lambda x: aten.upsample_nearest2d(plane(x), [5, 7]),),
    "upsample_nearest3d": (lambda x: aten.upsample_nearest3d(cube(x), [3, 3, 4]),),
    "_upsample_nearest_exact1d": (lambda x: aten._upsample_nearest_exact1d(rows(x), [7]),),
    "_upsample_nearest_exact2d": (lambda x: aten._upsample_nearest_exact2d(plane(x), [5, 7]),),
    "_upsample_nearest_exact3d": (lambda x: aten._upsample_nearest_exact3d(cube(x), [3, 3, 4]),),
    "dropout": (lambda x: aten.dropout(x, 0.5, False),),
    "fill": (lambda x: x + aten.fill(x, 0.5), lambda x: torch.stack([aten.fill(BASE, row[0]) for row in x])),
    "zero": (lambda x: x + aten.zero(x),),
    "_reshape_alias": (lambda x: aten._reshape_alias(x, [len(x), 3, 4], [12, 4, 1]),),
    "max_unpool2d": (lambda x: F.max_unpool2d(*F.max_pool2d(x.view(-1, 1, 2, 6), 2, return_indices=True), 2),),
    "max_unpool3d": (lambda x: F.max_unpool3d(*F.max_pool3d(x.view(-1, 1, 2, 2, 3)[..., :2], 2, return_indices=True), 2),),
    "embedding": (lambda x: torch.stack([aten.embedding(rows(row)[0], torch.tensor([2, 0, 0])) for row in x.split(1)]),),
    "scatter_reduce": REDUCED,
    "index_reduce": tuple(
        (lambda x, kind=kind, own=own: torch.index_reduce(x[:, :6], 1, INDEX, x[:, 6:], kind, include_self=own))
        for kind in ("mean", "amax", "amin", "prod")
        for own in (True, False)
    ),
    "_unsafe_index_put": (lambda x: aten._unsafe_index_put(x[:, :6], [None, INDEX], x[:, 6:], True),),
    "_index_put_impl": (lambda x: aten._index_put_impl(x[:, :6], [None, INDEX], x[:, 6:], True),),
    "view_as_real": (lambda x: torch.view_as_real(torch.view_as_complex(x.view(-1, 6, 2)) * (0.6 + 0.8j)),),
    "view_as_complex": (lambda x: torch.view_as_complex(x.view(-1, 6, 2)).abs(),),
    "real": (lambda x: torch.view_as_complex(x.view(-1, 6, 2)).real,),
    "imag": (lambda x: torch.view_as_complex(x.view(-1, 6, 2)).imag,),
    "resolve_conj": (lambda x: torch.view_as_complex(x.view(-1, 6, 2)).conj().resolve_conj().imag,),
    "resolve_neg": (lambda x: torch.view_as_complex(x.view(-1, 6, 2)).conj().imag.resolve_neg(),),
    "_pack_padded_sequence": (lambda x: packed(rows(x)),),
}
ROUTES["detach"] = (lambda x: x + x.detach() * 0,)


def _written(x: Tensor) -> Tensor:
    """Written in place through one view, and read through another."""
    y = x.clone()
    y[:, 2:5] = 3 * x[:, :3]
    return y.view(-1, 3, 4)[:, 0] * 2


ROUTES["as_strided_scatter"] = (_written,)
ROUTES.update(
    {
        "view_copy": (lambda x: aten.view_copy(x, [len(x), 4, 3]),),
        "_reshape_copy": (lambda x: aten._reshape_copy(x, [len(x), 4, 3]),),
        "expand_copy": (lambda x: aten.expand_copy(x[:, None], [len(x), 3, 12]),),
        "permute_copy": (lambda x: aten.permute_copy(rows(x), [0, 2, 1]),),
        "slice_copy": (lambda x: aten.slice_copy(x, 1, 2, 10, 3),),
        "select_copy": (lambda x: aten.select_copy(rows(x), 1, 2),),
        "squeeze_copy": (lambda x: aten.squeeze_copy(x.unsqueeze(2), 2),),
        "t_copy": (lambda x: aten.t_copy(aten.t_copy(x)),),
        "transpose_copy": (lambda x: aten.transpose_copy(rows(x), 1, 2),),
        "unsqueeze_copy": (lambda x: aten.unsqueeze_copy(x, 1),),
        "split_copy": (lambda x: several(aten.split_copy(x, 5, 1)),),
        "split_with_sizes_copy": (lambda x: several(aten.split_with_sizes_copy(x, [2, 10], 1)),),
        "unbind_copy": (lambda x: several(aten.unbind_copy(rows(x), 1)),),
        "alias_copy": (lambda x: aten.alias_copy(x),),
        "detach_copy": (lambda x: x + aten.detach_copy(x) * 0,),
    }
)

ACTIVATIONS: dict[str, tuple[Example, ...]] = {
    **{
        name: (entrywise(name),)
        for name in """relu relu6 hardtanh leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid sigmoid tanh softplus
        softshrink hardshrink abs exp exp2 expm1 erf erfc sin cos atan sinh cosh square asinh special_expit nan_to_num""".split()
    },
    **{name: (entrywise(name, domain=above),) for name in "log log2 log10 log1p sqrt rsqrt reciprocal".split()},
    **{name: (entrywise(name, domain=within),) for name in "tan asin acos atanh".split()},
    **{name: (lambda x, name=name: x + getattr(aten, name)(3 * x),) for name in "sign floor ceil round trunc".split()},
    "acosh": (lambda x: aten.acosh(1 + above(x)),),
    "logit": (lambda x: aten.logit(0.5 + 0.5 * within(x)),),
    "frac": (lambda x: aten.frac(3 * x),),
    "log_sigmoid_forward": (lambda x: aten.log_sigmoid_forward(x)[0],),
    "threshold": (lambda x: aten.threshold(x, 0.2, 0.0),),
    "clamp": (
        lambda x: aten.clamp(x, -0.5, 0.7),
        lambda x: aten.clamp(x[:, :6], x[:, 6:]),
        lambda x: torch.clamp(x, max=x.roll(1, 1) * 0.5),
        lambda x: torch.clamp(x[:, :4], x[:, 4:8], x[:, 8:]),
        lambda x: torch.clamp(BASE, min=x),
        lambda x: torch.clamp(x, BASE),
    ),
    "clamp_min": (lambda x: aten.clamp_min(x, 0.1), lambda x: aten.clamp_min(x[:, :6], x[:, 6:])),
    "clamp_max": (lambda x: aten.clamp_max(x, 0.1), lambda x: aten.clamp_max(x[:, :6], x[:, 6:])),
    "clip": (lambda x: aten.clip(x, -0.5, 0.7),),
    "prelu": (lambda x: aten.prelu(x, x.new_tensor([0.3])),),
    "_prelu_kernel": (lambda x: aten._prelu_kernel(x, BASE[:1]), lambda x: aten._prelu_kernel(x[:, :6], x[:, 6:])),
    "rrelu_with_noise": (lambda x: torch.rrelu(x, 0.1, 0.3, False),),
    "pow": (
        lambda x: aten.pow(x, 3),
        lambda x: aten.pow(x, 2.0),
        lambda x: aten.pow(2.0, x),
        lambda x: aten.pow(above(x[:, :6]), x[:, 6:]),
    ),
    "xlogy": (
        lambda x: aten.xlogy(x, above(BASE)),
        lambda x: aten.xlogy(x[:, :6], above(x[:, 6:])),
        lambda x: aten.xlogy(BASE, above(x)),
    ),
}

MEAN, VARIANCE = random(3), random(3).abs() + 0.5

NORMS: dict[str, tuple[Example, ...]] = {
    "native_batch_norm": (
        lambda x: aten.native_batch_norm(rows(x), SCALE, OFFSET, MEAN, VARIANCE, False, 0.1, 1e-5)[0],
        lambda x: torch.cat([F.batch_norm(rows(row), MEAN, VARIANCE, row[0, :3], row[0, 3:6]) for row in x.split(1)]),
        lambda x: F.instance_norm(rows(x), weight=SCALE, bias=OFFSET),
    ),
    "_native_batch_norm_legit": (
        lambda x: aten._native_batch_norm_legit(rows(x).reshape(1, -1, 4), None, None, True, 0.1, 1e-5)[0].reshape(len(x), 3, 4),
    ),
    "_native_batch_norm_legit_no_training": (
        lambda x: aten._native_batch_norm_legit_no_training(rows(x), SCALE, OFFSET, MEAN, VARIANCE, 0.1, 1e-5)[0],
    ),
    "_batch_norm_no_update": (lambda x: aten._batch_norm_no_update(rows(x), SCALE, OFFSET, MEAN, VARIANCE, 0.1, 1e-5)[0],),
    "native_layer_norm": (
        lambda x: aten.native_layer_norm(rows(x), [4], SCALE[0] * torch.ones(4, dtype=x.dtype), None, 1e-5)[0],
        lambda x: torch.stack([F.layer_norm(rows(row)[0], [4], row[0, :4], row[0, 4:8]) for row in x.split(1)]),
    ),
    "native_group_norm": (
        lambda x: aten.native_group_norm(x.view(-1, 4, 3), None, None, len(x), 4, 3, 2, 1e-5)[0],
        lambda x: torch.cat([F.group_norm(row.view(1, 4, 3), 2, row[0, :4], row[0, 4:8]) for row in x.split(1)]),
    ),
    "_fused_rms_norm": (
        lambda x: F.rms_norm(rows(x), [4]),
        lambda x: torch.stack([F.rms_norm(rows(row)[0], [4], row[0, :4]) for row in x.split(1)]),
    ),
}

SOFTMAXES: dict[str, tuple[Example, ...]] = {
    "_softmax": (
        lambda x: aten._softmax(rows(x), 2, False),
        lambda x: aten._softmax(rows(x).masked_fill(MASK.view(3, 4), -torch.inf), 2, False),
    ),
    "_safe_softmax": (lambda x: aten._safe_softmax(rows(x), 2),),
    "_log_softmax": (lambda x: aten._log_softmax(rows(x), 1, False),),
}

SUMS: dict[str, tuple[Example, ...]] = {
    "add": (
        lambda x: aten.add(x, x.roll(1, 1), alpha=2),
        lambda x: x + BASE,
        lambda x: 3.0 + x,
        lambda x: rows(x) + rows(x)[:, :1],
    ),
    "sub": (lambda x: aten.sub(x, x.roll(1, 1), alpha=0.5), lambda x: BASE - x, lambda x: x - 0.2),
    "rsub": (lambda x: aten.rsub(x, x.roll(1, 1), alpha=2), lambda x: aten.rsub(x, 1.0)),
    "neg": (lambda x: aten.neg(x),),
    "mul": (lambda x: aten.mul(*halves(x)), lambda x: x * BASE, lambda x: x * x.sigmoid(), lambda x: x * x),
    "div": (lambda x: aten.div(x[:, :6], above(x[:, 6:])), lambda x: x / above(BASE), lambda x: 1 / above(x)),
    "glu": (lambda x: aten.glu(rows(x), 2),),
    "addcmul": (lambda x: aten.addcmul(x[:, :4], x[:, 4:8], x[:, 8:], value=-0.5), lambda x: aten.addcmul(BASE, x, BASE)),
    "addcdiv": (lambda x: aten.addcdiv(x[:, :4], x[:, 4:8], above(x[:, 8:]), value=-0.5),),
}

CONSTANTS: dict[str, tuple[Example, ...]] = {
    "zeros_like": (still(lambda x: aten.zeros_like(x) + 1),),
    "ones_like": (still(aten.ones_like),),
    "full_like": (still(lambda x: aten.full_like(x, 0.5)),),
    "new_zeros": (still(lambda x: aten.new_zeros(x, x.shape) + 1),),
    "new_ones": (still(lambda x: aten.new_ones(x, x.shape)),),
    "new_full": (still(lambda x: aten.new_full(x, x.shape, 0.5)),),
    **{name: (lambda x, name=name: x * getattr(aten, name)(x, 0.1).to(x.dtype),) for name in "eq ne lt le gt ge".split()},
    **{name: (lambda x, name=name: x * (1 + getattr(aten, name)(x).to(x.dtype)),) for name in "isnan isinf isfinite".split()},
    "logical_not": (lambda x: x * aten.logical_not(x > 0),),
    "logical_and": (lambda x: x * aten.logical_and(x > 0, MASK),),
    "logical_or": (lambda x: x * aten.logical_or(x > 0, MASK),),
    "argmax": (lambda x: x * (1 + aten.argmax(x, 1, True)),),
    "argmin": (lambda x: x * (1 + aten.argmin(x, 1, True)),),
    "argsort": (lambda x: x.gather(1, aten.argsort(x, 1)),),
    "any": (lambda x: x * aten.any(x > 0, 1, True),),
    "all": (lambda x: x * (1 + aten.all(x > 0, 1, True).to(x.dtype)),),
    "nonzero": (lambda x: x * (1 + len(aten.nonzero(MASK))),),
    "bucketize": (lambda x: x * (1 + aten.bucketize(x, torch.tensor([-0.5, 0.0, 0.5], dtype=x.dtype))),),
    "searchsorted": (lambda x: x * (1 + aten.searchsorted(torch.tensor([-0.5, 0.0, 0.5], dtype=x.dtype), x)),),
    "floor_divide": (lambda x: x * (2 + aten.floor_divide(x, 10.0)),),
    "one_hot": (lambda x: x * (1 + F.one_hot(x.argmax(1), 12)),),
    "count_nonzero": (lambda x: x * aten.count_nonzero(x, [1])[:, None],),
}

# Of no kind of their own: taken apart where they are recorded.
TAKEN_APART: dict[str, tuple[Example, ...]] = {
    name: examples.pop(name)
    for examples, names in ((LINEAR, ("_addmm_activation", "addbmm", "addr")), (POOLS, ("lerp",)))
    for name in names
}

EXAMPLES: dict[str, tuple[Example, ...]] = {
    **TAKEN_APART, **LINEAR, **POOLS, **MAXIMA, **ROUTES, **ACTIVATIONS, **NORMS, **SOFTMAXES, **SUMS, **CONSTANTS,
}  # fmt: skip


def table() -> frozenset[str]:
    """Every operation that the table of kinds names."""
    several = kinds.SUMS, kinds.PRODUCTS, kinds.COMPOUND, kinds.PLACING, kinds.INDEXED, kinds.MULTILINEAR
    return frozenset(kinds.KIND).union(*several, {"neg"})
