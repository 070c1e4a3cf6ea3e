"""Pictures: what is read is what a person sees, and what cannot be read is refused with a reason."""

from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.errors import ModelError, PictureError
from pellucid.model import Preprocess, read_picture


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, *, depth: int, colour: int, rows: bytes = b"") -> bytes:
    """A PNG written by hand: kinds that Pillow reads and does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def rows16(values: np.ndarray[Any, Any]) -> bytes:
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


@pytest.fixture
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (10, 14, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((70, 50), Image.Resampling.BICUBIC)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image)


# what is read


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_are_read_exactly_from_a_path_bytes_or_an_object(photo: Image.Image, kind: str, tmp_path: Path) -> None:
    data = encoded(photo, kind, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (path, str(path), data, Image.open(io.BytesIO(data)), photo, pixels(photo)):
        assert np.array_equal(pixels(read_picture(source)), pixels(photo))


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_other_formats_are_read_as_pillow_reads_them(photo: Image.Image, kind: str) -> None:
    data = encoded(photo, kind)
    assert np.array_equal(pixels(read_picture(data)), pixels(Image.open(io.BytesIO(data)).convert("RGB")))


def test_a_phone_picture_with_a_second_image_inside_is_its_first_image(photo: Image.Image) -> None:
    data = encoded(photo, "MPO", save_all=True, append_images=[photo.rotate(180)])
    assert np.abs(pixels(read_picture(data)).astype(int) - pixels(photo)).mean() < 10


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    values = np.linspace(0, 65535, 48, dtype=np.uint16).reshape(6, 8)
    grey = read_picture(png(8, 6, depth=16, colour=0, rows=rows16(values)))
    assert np.array_equal(pixels(grey)[..., 0], values >> 8)
    coloured = np.stack([values, values[::-1], values[:, ::-1]], axis=-1)
    colour = read_picture(png(8, 6, depth=16, colour=2, rows=rows16(coloured.reshape(6, -1))))
    assert np.array_equal(pixels(colour), coloured >> 8)


def test_sixteen_bit_tiff_agrees_with_sixteen_bit_png() -> None:
    values = np.linspace(0, 65535, 48, dtype=np.uint16).reshape(6, 8)
    assert np.array_equal(pixels(read_picture(encoded(Image.fromarray(values), "TIFF")))[..., 0], values >> 8)


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    middle = read_picture(encoded(red, "JPEG", quality=100)).getpixel((4, 4))
    assert np.abs(np.array(middle) - (255, 0, 0)).max() < 8


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 4, 8))
    read = read_picture(encoded(clear.convert(mode), "PNG", **({"transparency": 0} if mode == "P" else {})))
    assert read.mode == "RGB"
    assert read.getpixel((6, 4)) == (255, 255, 255)
    assert mode == "P" or read.getpixel((1, 4)) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palette_pictures_become_rgb(photo: Image.Image, mode: str) -> None:
    picture = photo.convert(mode)
    assert np.array_equal(pixels(read_picture(encoded(picture, "PNG"))), pixels(picture.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_is_upright_however_the_camera_was_held(photo: Image.Image, orientation: int, kind: str) -> None:
    upright = photo.resize((48, 32))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpositions that lay it down, as PIL numbers them
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = read_picture(encoded(stored, kind, exif=exif, **({"quality": 95} if kind in ("JPEG", "WEBP") else {})))
    assert read.size == upright.size
    assert np.abs(pixels(read).astype(int) - pixels(upright)).mean() < 12


def test_reading_twice_is_reading_once_and_drops_what_the_camera_wrote(photo: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera that knows the patient"
    once = read_picture(encoded(photo, "JPEG", exif=exif))
    assert np.array_equal(pixels(read_picture(once)), pixels(once))
    assert not once.info
    assert not once.getexif()


def test_a_picture_object_is_left_as_it_was(photo: Image.Image) -> None:
    mine = photo.convert("RGBA")
    mine.info["comment"] = "keep"
    before = pixels(mine).copy()
    read_picture(mine).putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(pixels(mine), before)
    assert (mine.mode, mine.info) == ("RGBA", {"comment": "keep"})


def test_a_frame_chosen_by_the_caller_is_read(photo: Image.Image) -> None:
    animation = Image.open(io.BytesIO(encoded(photo, "GIF", save_all=True, append_images=[Image.new("RGB", photo.size, "blue")])))
    animation.seek(1)
    assert read_picture(animation).getpixel((5, 5)) == (0, 0, 255)


# what is refused


def refusal(picture: Any) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(picture)
    error = caught.value
    assert all((error.asked, error.found, error.why, error.do)), "a message has four parts"
    return str(error)


def test_a_missing_file(tmp_path: Path) -> None:
    message = refusal(tmp_path / "cat.jpg")
    assert "cat.jpg: found no file of that name" in message
    assert "Check the path" in message


def test_a_folder(tmp_path: Path) -> None:
    assert "found a folder; one picture is read at a time. Name a file inside it." in refusal(tmp_path)


def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a device or a pipe" in refusal(tmp_path / "pipe")


def test_a_name_that_no_file_can_have() -> None:
    assert "an error of the system (File name too long)" in refusal("x" * 10_000)


def test_a_file_without_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "empty.png: found an empty file; there are no pixels in it." in refusal(tmp_path / "empty.png")
    assert "0 bytes: found an empty file" in refusal(b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF data")  # Pillow's own, on cut TIFFs
def test_a_truncated_file(photo: Image.Image, kind: str, share: float, tmp_path: Path) -> None:
    data = encoded(photo, kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * share)])
    message = refusal(path)
    assert "cut: found data that cannot be decoded" in message
    assert "the picture is cut short or damaged. Fetch or export it again." in message


@pytest.mark.parametrize("data", [b"just some words", b"<svg xmlns='...'/>", b"%PDF-1.7 and more", b"RIFF1234WAVEfmt "])
def test_something_else(data: bytes) -> None:
    message = refusal(data)
    assert f"found a file that begins with {data[:16]!r}" in message
    assert "none of JPEG, PNG, WebP, GIF, BMP and TIFF. Convert the picture to PNG or JPEG first." in message


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1)])
def test_a_picture_of_one_pixel_or_one_line(size: tuple[int, int]) -> None:
    message = refusal(encoded(Image.new("RGB", size), "PNG"))
    assert f"found {size[0]} x {size[1]} pixels" in message
    assert "cannot be explained. Use the full picture." in message


def test_a_decompression_bomb_is_refused_at_once_and_unopened() -> None:
    bomb = png(20_000, 20_000, depth=8, colour=2, rows=bytes(1_000_000))
    limit, start = Image.MAX_IMAGE_PIXELS, time.perf_counter()
    tracemalloc.start()
    message = refusal(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "found 20000 x 20000 pixels (400 megapixels)" in message
    assert "decompression bomb" in message
    assert time.perf_counter() - start < 0.5
    assert peak < 5_000_000
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_large_photograph_is_no_bomb() -> None:
    assert read_picture(encoded(Image.new("L", (9000, 8000)), "PNG", compress_level=1)).size == (9000, 8000)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation(photo: Image.Image, kind: str) -> None:
    message = refusal(encoded(photo, kind, save_all=True, append_images=[photo.rotate(90), photo.rotate(180)]))
    assert "found 3 frames" in message
    assert "call seek(n) for a frame n of 0-2, and pass that picture object." in message


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_without_a_white(dtype: type) -> None:
    message = refusal(encoded(Image.fromarray(np.ones((4, 4), dtype=dtype)), "TIFF"))
    assert "nothing says which value is white" in message


WRONG_ARRAYS = [np.ones((4, 4), dtype=np.float32), np.ones((3, 8, 9), dtype=np.uint8), np.ones((0, 4), dtype=np.uint8)]


@pytest.mark.parametrize("array", WRONG_ARRAYS, ids=["floating", "channels first", "nothing"])
def test_arrays_that_are_no_picture(array: np.ndarray[Any, Any]) -> None:
    message = refusal(array)
    assert f"found {array.dtype} of shape {array.shape}" in message
    assert "channels last" in message


def test_objects_that_are_no_picture() -> None:
    assert "an object of type list" in refusal(["cat.jpg"])
    assert "a tensor needs no reading" in refusal(torch.ones(1, 3, 4, 4))


# what the model sees


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (301, 300), (256, 256)], ids=str)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_preprocessing_is_the_usual_pipeline_bit_for_bit(size: tuple[int, int], interpolation: str) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    usual = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(**IMAGENET),
        ]
    )
    ours = Preprocess((224, 224), 256, interpolation=interpolation, **IMAGENET)
    assert torch.equal(ours(image), usual(image))


@pytest.mark.parametrize("crop", [(224, 224), (96, 160), (160, 96)], ids=str)
@pytest.mark.parametrize("size", [(8, 8), (30, 200), (2, 3), (400, 90)], ids=str)
@pytest.mark.parametrize("resize", [None, 64, 256])
def test_every_picture_fills_the_crop(crop: tuple[int, int], size: tuple[int, int], resize: int | None) -> None:
    seen = Preprocess(crop, resize, mean=(0.0,) * 3, std=(1.0,) * 3).crop(Image.new("RGB", size, "white"))
    assert seen.size == crop[::-1]
    assert pixels(seen).min() == 255, "no black border is added"


def test_without_a_resize_the_picture_just_covers_the_crop() -> None:
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8))
    seen = Preprocess((30, 30), mean=(0.0,) * 3, std=(1.0,) * 3).crop(image)
    assert np.array_equal(pixels(seen), pixels(image.resize((45, 30), Image.Resampling.BICUBIC).crop((8, 0, 38, 30))))


def test_a_model_of_one_channel_sees_grey(photo: Image.Image) -> None:
    grey = Preprocess((20, 20), mean=(0.5,), std=(0.25,))
    x = grey(photo)
    assert grey.crop(photo).mode == "L"
    assert x.shape == (1, 20, 20)
    assert torch.allclose(x[0], (torch.tensor(pixels(grey.crop(photo))) / 255 - 0.5) / 0.25)


def test_black_and_white_are_the_bounds() -> None:
    preprocess = Preprocess((4, 4), **IMAGENET)
    low, high = preprocess.bounds()
    assert low.shape == high.shape == (3, 1, 1)
    for colour, bound in (("black", low), ("white", high)):
        assert torch.equal(preprocess(Image.new("RGB", (9, 9), colour)), bound.expand(3, 4, 4))


def test_a_ribbon_that_would_unfold_to_gigabytes_is_refused() -> None:
    with pytest.raises(PictureError, match=r"found 2 x 60000 pixels, which would become 256 x 7680000; it is so elongated"):
        Preprocess((224, 224), 256, **IMAGENET).crop(Image.new("L", (2, 60_000)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 224}, "size 224, resize None; size is (height, width)"),
        ({"size": (0, 224)}, "whole pixels above 0"),
        ({"resize": 0}, "resize 0"),
        ({"interpolation": "cubic"}, "interpolation 'cubic'; Pillow knows nearest, "),
        ({"mean": (0.5,)}, "each channel has a mean and a std"),
        ({"std": (1.0, 0.0, 1.0)}, "the pixels are divided by it"),
    ],
    ids=str,
)
def test_preprocessing_that_makes_no_sense(change: dict[str, Any], said: str) -> None:
    make: Callable[..., Preprocess] = Preprocess
    with pytest.raises(ModelError) as caught:
        make(**{"size": (8, 8), **IMAGENET, **change})
    assert said in str(caught.value)
