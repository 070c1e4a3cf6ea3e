"""The table of ATen operations, each with its kind (linear, view, product ...), which rules go by. Add an operation here.

To teach pellucid a new operation, add its name to the kind that fits; nothing else needs to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# z = W x + b with a constant W.
CONVOLUTIONS = _names("convolution _convolution convolution_overrideable mkldnn_convolution cudnn_convolution")
ADDED_PRODUCTS = _names("addmm baddbmm addmv")
MATRIX_PRODUCTS = ADDED_PRODUCTS | _names("mm bmm mv dot vdot")

# Weighted means and sums over positions: linear, without parameters, weights that are not negative.
POOLS = _names(
    """avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d mean sum cumsum
    upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa
    _upsample_lanczos2d_aa nansum index_add scatter_add unfold_backward col2im trace native_dropout"""
)

# Linear without parameters of the model, weights of both signs: Fourier transforms, products with constants.
TRANSFORMS = _names("_fft_r2c _fft_c2c _fft_c2r linalg_cross affine_grid_generator _trilinear")

# The winner takes all.
MAXIMA = _names(
    """max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d
    mkldnn_max_pool2d max amax min amin aminmax topk sort kthvalue median nanmedian mode maximum minimum fmax fmin
    cummax cummin logsumexp logcumsumexp"""
)

# Every output entry is one input entry, or a constant: nothing is computed.
ROUTES = _names(
    """view _unsafe_view reshape t transpose permute select slice unsqueeze squeeze expand clone cat stack unbind split
    split_with_sizes chunk unsafe_split unsafe_chunk unsafe_split_with_sizes alias detach copy _to_copy to contiguous index
    index_select gather flatten
    unflatten movedim swapaxes roll flip rot90 constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d
    replication_pad1d replication_pad2d replication_pad3d as_strided as_strided_scatter select_scatter slice_scatter
    diagonal tril triu where masked_fill index_put index_copy scatter masked_select masked_scatter
    take put repeat repeat_interleave pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle unfold im2col
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d dropout lift lift_fresh fill zero view_as_real view_as_complex real imag
    _reshape_alias _reshape_copy squeeze_copy view_copy expand_copy permute_copy slice_copy select_copy detach_copy
    t_copy transpose_copy unsqueeze_copy split_copy split_with_sizes_copy unbind_copy alias_copy resolve_conj resolve_neg
    pin_memory _pack_padded_sequence
    max_unpool2d max_unpool3d embedding"""
)

# Steps that are given the slope of the line through them.
STRAIGHT_THROUGH = _names(
    """rounding fake_quantize_per_tensor_affine fake_quantize_per_tensor_affine_cachemask
    _fake_quantize_per_tensor_affine_cachemask_tensor_qparams fake_quantize_per_channel_affine_cachemask
    _fake_quantize_learnable_per_tensor_affine _fake_quantize_learnable_per_channel_affine fused_moving_avg_obs_fake_quant
    _fused_moving_avg_obs_fq_helper"""
)
# y_i = f(x_i): each entry on its own.
ACTIVATIONS = STRAIGHT_THROUGH | _names(
    """relu relu6 hardtanh leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid sigmoid tanh softplus
    log_sigmoid_forward threshold clamp clamp_min clamp_max clip prelu _prelu_kernel rrelu_with_noise softshrink hardshrink
    abs exp exp2 expm1 log log2 log10 log1p sqrt rsqrt pow erf erfc sin cos tan atan asin acos sinh cosh reciprocal square
    sign floor ceil round trunc frac logit special_expit nan_to_num asinh acosh atanh xlogy"""
)
CLAMPS = _names("clamp clamp_min clamp_max clip")
# Entry by entry, with slopes that may be infinite where what they make is finite, or is replaced.
STEEP = _names("log log2 log10 log1p sqrt rsqrt reciprocal pow asin acos atanh acosh logit div xlogy exp exp2 hypot atan2")
SIGMOIDS = _names("sigmoid hardsigmoid special_expit _softmax _safe_softmax")
NOT_NEGATIVE = _names("relu relu6 sigmoid hardsigmoid softplus abs exp sqrt rsqrt square _softmax _safe_softmax special_expit")

# Of kinds that keep entries from falling below zero, those that do not.
SIGNED = _names("sub rsub upsample_bicubic2d _upsample_bicubic2d_aa _upsample_lanczos2d_aa")

BATCH_NORMS = _names(
    """native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm
    _batch_norm_no_update _batch_norm_with_update"""
)
NORMS = BATCH_NORMS | _names("native_layer_norm native_group_norm _fused_rms_norm")
SOFTMAXES = _names("_softmax _safe_softmax _log_softmax")
# Decomposed into the sums and products they stand for.
COMPOUND = _names("addcmul addcdiv")
SUMS = _names("add sub rsub")
PRODUCTS = _names("mul div glu")
# Linear in each of several things they read, the others held.
MULTILINEAR = _names("_trilinear linalg_cross _embedding_bag _embedding_bag_forward_only") | CONVOLUTIONS | MATRIX_PRODUCTS

# What these compute depends on their arguments, see `reduction`: they move entries, add them up, or choose among them.
INDEXED = _names(
    """index_put _unsafe_index_put _index_put_impl put scatter scatter_reduce index_reduce segment_reduce _embedding_bag
    _embedding_bag_forward_only"""
)
PLACING = _names("index_put _unsafe_index_put _index_put_impl put scatter index_copy")  # where nothing is added up: the last wins
REDUCTIONS = {
    **dict.fromkeys(("sum", "add", "mean"), "pool"),
    **dict.fromkeys(("amax", "amin", "max", "min"), "max"),
    "weighted": "transform",
}
STATISTICS = _names(
    "mean sum var std var_mean std_mean linalg_vector_norm norm amax amin max min logsumexp _adaptive_avg_pool2d prod"
)

# The output does not vary with the input: comparisons, shapes, fresh tensors.
CONSTANTS = _names(
    """zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full new_empty
    bernoulli eq ne lt le gt ge isnan isinf isfinite logical_not logical_and logical_or argmax argmin argsort any all
    nonzero bucketize searchsorted _local_scalar_dense item is_nonzero floor_divide one_hot count_nonzero
    new_empty_strided empty_strided"""
)
# Of these, what says more than a condition or a place: where it comes back as a number, something of the input was lost.
NUMBERS = _names("bucketize searchsorted floor_divide one_hot count_nonzero")
# Made of the shape of a tensor alone, or drawn.
SHAPED = _names(
    """zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full new_empty
    new_empty_strided empty_strided bernoulli"""
)
# Constant between jumps: the derivative is zero wherever there is one.
STEPS = _names("round floor ceil trunc fix sign sgn heaviside")
STOCHASTIC = _names("bernoulli bernoulli_ native_dropout rand_like randn_like normal uniform")

KINDS: dict[str, frozenset[str]] = {
    "convolution": CONVOLUTIONS,
    "dense": MATRIX_PRODUCTS,
    "pool": POOLS,
    "transform": TRANSFORMS,
    "max": MAXIMA,
    "route": ROUTES,
    "activation": ACTIVATIONS,
    "norm": NORMS,
    "softmax": SOFTMAXES,
    "constant": CONSTANTS,
}
KIND: dict[str, str] = {name: kind for kind, names in KINDS.items() for name in names}


def reduction(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """What an operation whose kind depends on its arguments does with entries that meet; empty where none do.

    Example:
        >>> reduction("index_put", (None, None, None, True), {}), reduction("scatter", (None, 0, None, None), {"reduce": "add"})
        ('sum', 'add')
        >>> reduction("put", (None, None, None), {})
        ''
    """
    if name.startswith("_embedding_bag"):
        weighted = len(args) > 6 and args[6] is not None
        return "weighted" if weighted else ("sum", "mean", "max")[args[4] if len(args) > 4 else 0]
    if name in ("index_put", "_unsafe_index_put", "_index_put_impl", "put"):
        return "sum" if kwargs.get("accumulate", len(args) > 3 and args[3]) else ""
    place = {"segment_reduce": 1}.get(name, 4)
    return str(kwargs.get("reduce", args[place] if len(args) > place else ""))


@cache
def kind_of(name: str, tracked: tuple[bool, ...], reduces: str = "") -> str:
    """The kind of an operation, given which of its tensor operands descend from the input.

    Arguments:
        reduces: For operations whose kind depends on their arguments: their `reduction`.

    Example:
        >>> kind_of("mul", (True, False)), kind_of("mul", (True, True))
        ('scale', 'product')
        >>> kind_of("add", (True, True)), kind_of("grid_sampler_2d", (True,))
        ('sum', 'unknown')
        >>> kind_of("clamp", (True, False)), kind_of("clamp", (True, True)), kind_of("pow", (True, True))
        ('activation', 'max', 'unknown')
        >>> kind_of("index_put", (True, False, True)), kind_of("index_put", (True, False, True), "sum")
        ('route', 'pool')
    """
    several = sum(tracked) > 1
    if name in SUMS:
        return "sum" if several else "shift"
    if name in PRODUCTS:
        return "product" if several or name == "glu" else "scale"
    if name == "neg":
        return "scale"
    if name in MULTILINEAR and several:
        return "unknown" if name in ADDED_PRODUCTS and tracked[0] else "product"
    if name in CONVOLUTIONS and not tracked[0]:
        return "transform"
    if reduces:
        return REDUCTIONS.get(reduces, "unknown")
    if name in ACTIVATIONS and name not in CLAMPS and several:
        return "unknown"
    if name in CLAMPS and (several or not tracked[0]):  # the entry that wins is of one of its operands
        return "max"
    return KIND.get(name, "unknown")


def nonnegative(name: str, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any], sources: Sequence[bool]) -> bool:
    """Whether nothing an operation makes can be below zero, given the same of each value it reads.

    Example:
        >>> nonnegative("relu", "activation", (), {}, [False]), nonnegative("add", "sum", (), {}, [True, False])
        (True, False)
    """
    if name in NOT_NEGATIVE:
        return True
    if name in ("hardtanh", "clamp", "clamp_min"):
        low = kwargs.get("min", kwargs.get("min_val", args[1] if len(args) > 1 else -1.0))
        return isinstance(low, (int, float)) and low >= 0
    if name == "threshold":  # what is not above one number is another
        return bool(args[1] >= 0 and args[2] >= 0)
    if name in SIGNED or not sources or kwargs.get("alpha", 1) < 0:
        return False
    if (name == "constant_pad_nd" and len(args) > 2 and args[2] < 0) or (
        name == "fill" and not (isinstance(args[1], (int, float)) and args[1] >= 0)
    ):
        return False
    return kind in ("max", "pool", "route", "sum", "product") and all(sources)
