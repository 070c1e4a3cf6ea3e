"""Resizing, margins, sampling, regions and boxes of ONNX, old and new: as onnxruntime or the reference computes them."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.model.sources.onnx.operations import regions
from tests.onnx_oracle import agree

RANDOM = np.random.default_rng(0)


def noise(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def scales(*values):
    return np.array(values, dtype=np.float32)


LINE, PICTURE, VOLUME = noise(2, 3, 9), noise(2, 3, 5, 7), noise(1, 2, 3, 4, 5)
NOTHING = np.zeros(0, dtype=np.float32)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsampling(mode):
    agree("Upsample", 7, PICTURE, mode=mode, scales=[1.0, 1.0, 2.0, 3.0])
    agree("Upsample", 9, PICTURE, scales(1, 1, 2, 1.6), mode=mode, constant=[1])
    agree("Upsample", 1, PICTURE, height_scale=2.0, width_scale=3.0, mode="nearest", expected=[PICTURE.repeat(2, 2).repeat(3, 3)])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("factors", [(2, 2), (0.6, 0.6), (2, 0.5), (1.5, 2.3)], ids=str)
def test_resizing_as_version_10_did(mode, factors):
    agree("Resize", 10, PICTURE, scales(1, 1, *factors), mode=mode, constant=[1])


TRANSFORMS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
FACTORS = {"larger": (2, 3), "smaller": (0.6, 3 / 7), "both": (2.4, 5 / 7), "to one": (0.2, 1.0), "rounded": (2.3, 0.65)}


@pytest.mark.parametrize("opset", [11, 13, 19])
@pytest.mark.parametrize(
    ("transform", "factors"),
    # which of two lengths corners are aligned by, where one is rounded, the standard and onnxruntime see differently
    [(transform, name) for transform in TRANSFORMS for name in FACTORS if (transform, name) != ("align_corners", "rounded")],
)
def test_resizing_by_scales(opset, transform, factors):
    how = {"coordinate_transformation_mode": transform, "constant": [2]}
    for mode in ("linear", "cubic"):
        agree("Resize", opset, PICTURE, NOTHING, scales(1, 1, *FACTORS[factors]), mode=mode, **how)
    for rounding in ROUNDINGS:
        agree("Resize", opset, PICTURE, NOTHING, scales(1, 1, *FACTORS[factors]), nearest_mode=rounding, **how)


@pytest.mark.parametrize("opset", [11, 13, 19])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("sizes", [(10, 14), (3, 4), (8, 3), (1, 1)], ids=str)
def test_resizing_to_sizes(opset, transform, sizes):
    how = {"coordinate_transformation_mode": transform, "constant": [3]}
    for mode in ("linear", "cubic"):
        agree("Resize", opset, PICTURE, NOTHING, NOTHING if opset == 11 else None, np.array([2, 3, *sizes]), mode=mode, **how)
    # onnxruntime finds (1 - 1 / 2) 7 - 1 / 2 below 3, in 32 bits
    for rounding in ROUNDINGS:
        agree(
            "Resize",
            opset,
            PICTURE,
            NOTHING,
            NOTHING if opset == 11 else None,
            np.array([2, 3, *sizes]),
            nearest_mode=rounding,
            by="reference",
            **how,
        )


def test_resizing_by_thirds_takes_the_entries_meant():
    """A third is not exact as a number of 32 bits; three of them are one."""
    for length in range(3, 40, 3):
        x = np.arange(length, dtype=np.float32).reshape(1, 1, 1, -1)
        for factor in (1 / 3, 2 / 3, 4 / 3, 7 / 3):
            how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "constant": [2]}
            agree("Resize", 13, x, NOTHING, scales(1, 1, 1, factor), **how)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resizing_lines_and_volumes(mode):
    agree("Resize", 13, VOLUME, None, scales(1, 1, 2, 1.5, 0.6), mode=mode, constant=[2])
    agree("Resize", 13, LINE, None, scales(1, 1, 2.5), mode=mode, constant=[2], by="reference")
    agree("Resize", 13, PICTURE[0, 0], None, scales(2, 0.5), mode=mode, constant=[2])


@pytest.mark.parametrize("opset", [11, 13, 19])
def test_resizing_a_part(opset):
    region = scales(0, 0, 0.2, -0.3, 1, 1, 0.9, 1.2)
    for sizes in ((4, 9), (8, 1)):
        for mode in ("linear", "nearest"):
            how = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 5.0, "mode": mode}
            agree(
                "Resize",
                opset,
                PICTURE,
                region,
                NOTHING if opset == 11 else None,
                np.array([2, 3, *sizes]),
                constant=[1, 3],
                **how,
            )


def test_what_lies_outside_can_be_left_out():
    for factors in ((2, 1.6), (0.5, 0.8)):
        for a in (-0.5, -0.75):
            how = {"mode": "cubic", "cubic_coeff_a": a, "exclude_outside": 1}
            agree("Resize", 11, PICTURE, NOTHING, scales(1, 1, *factors), constant=[2], **how)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("exclude", [0, 1])
def test_resizing_without_aliases(mode, exclude):
    for sizes in ((2, 3), (3, 12), (10, 4)):
        agree("Resize", 18, PICTURE, None, None, np.array([2, 3, *sizes]), mode=mode, antialias=1, exclude_outside=exclude,
              constant=[3], by="reference")  # fmt: skip


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller", "stretch"])
def test_resizing_some_axes_with_their_ratio_kept(policy):
    for axes, sizes in (([2, 3], [9, 20]), ([3, 2], [4, 4]), ([2], [3])):
        how = {"axes": axes, "keep_aspect_ratio_policy": policy, "mode": "linear", "constant": [3]}
        agree("Resize", 18, PICTURE, None, None, np.array(sizes), by="reference", **how)


def test_margins_in_every_version():
    agree("Pad", 1, PICTURE, paddings=[0, 0, 1, 2, 0, 0, 0, 3], value=2.0, expected=[
        np.pad(PICTURE, [(0, 0), (0, 0), (1, 0), (2, 3)], constant_values=2.0)
    ])  # fmt: skip
    for mode in ("constant", "reflect", "edge"):
        agree("Pad", 7, PICTURE, pads=[0, 0, 1, 2, 0, 0, 3, 0], mode=mode)
        agree("Pad", 11, PICTURE, np.array([1, 1, 1, 2, 0, 2, 3, 1]), mode=mode, constant=[1])
        agree("Pad", 18, PICTURE, np.array([2, 1, 3, 0]), None, np.array([3, -2]), mode=mode, constant=[1, 3])
        agree("Pad", 13, VOLUME, np.array([0, 0, 1, 1, 2, 0, 0, 2, 2, 1]), mode=mode, constant=[1])
        agree("Pad", 13, PICTURE, np.array([0, 0, -1, 2, 0, 0, 3, -2]), mode=mode, constant=[1])
    agree("Pad", 13, PICTURE, np.array([0, 0, 1, 1, 0, 0, 1, 1]), scales(3)[0], constant=[1, 2])


@pytest.mark.parametrize("opset", [19, 21, 25])
def test_margins_that_wrap(opset):
    agree("Pad", opset, PICTURE, np.array([0, 1, 3, 2, 1, 0, 4, 6]), mode="wrap", constant=[1], by="reference")


def test_margins_of_whole_numbers():
    whole = np.arange(12).reshape(3, 4)
    agree("Pad", 13, whole, np.array([1, 0, 2, 3]), np.array(7), constant=[1, 2])
    agree("Pad", 13, whole, np.array([1, 0, 2, 3]), mode="reflect", constant=[1])
    agree("Pad", 13, whole > 3, np.array([1, 0, 2, 3]), np.array(True), constant=[1, 2])


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("outside", ["zeros", "border", "reflection"])
def test_sampling(corners, outside):
    grid = (RANDOM.random((2, 4, 6, 2)) * 2.6 - 1.3).astype(np.float32)
    how = {"align_corners": corners, "padding_mode": outside}
    for mode in ("bilinear", "nearest", "bicubic"):
        agree("GridSample", 16, PICTURE, grid, mode=mode, **how)
    for mode in ("linear", "nearest", "cubic"):
        agree("GridSample", 20, PICTURE, grid, mode=mode, **how)
    room = (RANDOM.random((1, 2, 3, 4, 3)) * 2.6 - 1.3).astype(np.float32)
    for mode in ("linear", "nearest"):
        agree("GridSample", 20, VOLUME, room, mode=mode, **how)
    line = (RANDOM.random((2, 5, 1)) * 2.6 - 1.3).astype(np.float32)
    for mode in ("linear", "nearest"):
        agree("GridSample", 20, LINE, line, mode=mode, by="reference", **how)


@pytest.mark.parametrize("corners", [0, 1])
def test_affine_grids(corners):
    agree("AffineGrid", 20, noise(2, 2, 3), np.array([2, 3, 4, 5]), align_corners=corners, constant=[1])
    agree("AffineGrid", 20, noise(1, 3, 4), np.array([1, 2, 3, 4, 5]), align_corners=corners, constant=[1])


def test_channels_into_space_and_back():
    agree("DepthToSpace", 7, noise(2, 8, 3, 4), blocksize=2)
    agree("SpaceToDepth", 7, noise(2, 2, 6, 4), blocksize=2)
    for mode in ("DCR", "CRD"):
        agree("DepthToSpace", 11, noise(2, 8, 3, 4), blocksize=2, mode=mode)
        agree("DepthToSpace", 13, noise(2, 18, 3, 4), blocksize=3, mode=mode)


def test_blocks_into_an_image():
    for how in ({}, {"strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}):
        begin, stride, gap = how.get("pads", [0] * 4), how.get("strides", [1, 1]), how.get("dilations", [1, 1])
        counts = [
            (n + begin[at] + begin[at + 2] - gap[at] * (k - 1) - 1) // stride[at] + 1
            for at, (n, k) in enumerate(((5, 2), (6, 3)))
        ]
        agree("Col2Im", 18, noise(2, 3 * 6, counts[0] * counts[1]), np.array([5, 6]), np.array([2, 3]), constant=[1, 2], **how)


@pytest.mark.parametrize("shape", [(4, 8), (5, 6), (9, 2)], ids=str)
def test_the_middle(shape):
    agree("CenterCropPad", 18, PICTURE, np.array(shape), axes=[-2, -1], constant=[1], by="reference")
    agree("CenterCropPad", 18, PICTURE[0, 0], np.array(shape), constant=[1], by="reference")


BOXES = np.sort(RANDOM.random((2, 40, 2, 2)), 2).reshape(2, 40, 4).astype(np.float32)


@pytest.mark.parametrize("opset", [10, 11])
def test_boxes_that_overlap_are_left_out(opset):
    scores = RANDOM.random((2, 3, 40)).astype(np.float32).round(1)
    limits = (np.array([5]), scales(0.4), scales(0.3))
    agree("NonMaxSuppression", opset, BOXES, scores, *limits)
    agree("NonMaxSuppression", opset, BOXES[..., [2, 1, 0, 3]], scores, *limits)
    agree("NonMaxSuppression", opset, BOXES, scores, *limits, center_point_box=1)
    agree("NonMaxSuppression", opset, BOXES, scores, np.array([100]))
    agree("NonMaxSuppression", opset, BOXES, scores)


REGIONS = np.array([[1, 1, 5.5, 4], [0, 2, 9, 9], [-3, -2, 3, 2.2], [8, 8, 30, 30], [2, 2, 2.1, 2.1]], dtype=np.float32)
SAMPLES = np.array([0, 1, 1, 0, 1])
MAP = np.abs(noise(2, 3, 10, 12))


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("points", [0, 2])
def test_aligned_regions(mode, points):
    how = {"mode": mode, "sampling_ratio": points, "output_height": 3, "output_width": 2, "spatial_scale": 0.9}
    by = "runtime" if mode == "avg" else "reference"
    if mode == "avg":
        agree("RoiAlign", 10, MAP, REGIONS, SAMPLES, **how)
    for transform in ("half_pixel", "output_half_pixel"):
        agree("RoiAlign", 16, MAP, REGIONS, SAMPLES, coordinate_transformation_mode=transform, by=by, **how)


def test_regions_are_pooled_in_parts_where_they_are_many(monkeypatch):
    monkeypatch.setattr(regions, "LARGEST_PART", 500)
    test_aligned_regions("avg", 0)
    test_aligned_regions("max", 2)
    test_pooled_regions()


def test_no_regions():
    nothing = np.zeros((0, 4), dtype=np.float32)
    empty = [np.zeros((0, 3, 3, 2), dtype=np.float32)]
    agree("RoiAlign", 16, MAP, nothing, SAMPLES[:0], output_height=3, output_width=2, expected=empty)
    agree("MaxRoiPool", 7, MAP, np.zeros((0, 5), dtype=np.float32), pooled_shape=[3, 2], expected=empty)


def test_pooled_regions():
    rows = np.concatenate([SAMPLES[:, None].astype(np.float32), REGIONS], 1)
    agree("MaxRoiPool", 7, MAP, rows, pooled_shape=[2, 3])
    agree("MaxRoiPool", 22, MAP, rows, pooled_shape=[3, 3], spatial_scale=0.7, like=7)
