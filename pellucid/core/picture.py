"""Pictures from paths, bytes, PIL and arrays, decoded safely to upright eight-bit RGB."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pellucid.errors import PictureError

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray[Any, Any]

LARGEST = 80_000_000  # pixels; below the 89 million from which Pillow warns, so that its global limit need not be touched
SMALLEST = 2  # pixels a side

# The decoders allowed, by the first bytes of a file. Exotic decoders are where Pillow's security holes were.
DECODERS: tuple[tuple[bytes, Callable[[IO[bytes]], ImageFile.ImageFile]], ...] = (
    (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (rb"RIFF....WEBP", WebPImagePlugin.WebPImageFile),
    (rb"GIF8", GifImagePlugin.GifImageFile),
    (rb"BM", BmpImagePlugin.BmpImageFile),
    (rb"II\*\x00|MM\x00\*", TiffImagePlugin.TiffImageFile),
)
FORMATS = "JPEG, PNG, WebP, GIF, BMP and TIFF"

ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(picture: Picture) -> Image.Image:
    """The picture as a person sees it: upright, RGB, eight bits a channel, on white where it is transparent.

    Sixteen bits become eight by their high byte (65535 becomes 255), CMYK and palettes become RGB. Nothing is guessed: a file
    of several frames is refused, because only the caller knows which is meant; a PIL picture shows the frame it stands at. The
    size is read from the header, so that a file that would unfold to gigabytes is refused before it does.

    Arguments:
        picture: A path, the bytes of a file, a PIL picture, or an array of bytes with shape (height, width[, 1, 3 or 4]).

    Raises:
        PictureError: It is missing, damaged, not a picture, animated, too small or too large.

    Example:
        >>> read_picture(np.full((3, 4), 255, dtype=np.uint8)).getpixel((0, 0))
        (255, 255, 255)
    """
    if isinstance(picture, Image.Image):
        return _rgb(picture, "a PIL picture")
    if isinstance(picture, np.ndarray):
        return _rgb(_from_array(picture), "an array")
    if isinstance(picture, bytes | bytearray | memoryview):
        return _decode(io.BytesIO(picture), f"{len(picture)} bytes")
    if isinstance(picture, str | os.PathLike):
        return _from_path(picture)
    raise PictureError(
        "a picture", f"an object of type {type(picture).__name__}",
        "a picture is a path, the bytes of a file, a PIL picture or an array",
        "Pass one of those; a tensor needs no reading and goes to the model as it is.",
    )  # fmt: skip


def _from_path(path: str | os.PathLike[str]) -> Image.Image:
    path = Path(path).expanduser()
    request = f"picture {path}"
    try:
        _check_file(path, request)
        with path.open("rb") as file:
            return _decode(file, request)
    except OSError as error:
        found = f"an error of the system ({error.strerror})"
        raise PictureError(request, found, "its bytes cannot be read", "Check its name and permissions.") from None


def _check_file(path: Path, request: str) -> None:
    if path.is_dir():
        raise PictureError(request, "a folder", "one picture is read at a time", "Name a file inside it.")
    if not path.exists():
        do = "Check the path; addresses on the web are not fetched."
        raise PictureError(request, "no file of that name", "there is nothing to read", do)
    if not path.is_file():
        raise PictureError(request, "a device or a pipe", "it has no end", "Save it to a file first.")


def _from_array(array: np.ndarray[Any, Any]) -> Image.Image:
    fits = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))) and array.size
    if not fits:
        raise PictureError(
            "an array as a picture", f"{array.dtype} of shape {array.shape}",
            "a picture is uint8 of shape (height, width), (height, width, 3) or (height, width, 4)",
            "Convert it to 0-255 bytes with the channels last; values that are preprocessed already go in as a tensor.",
        )  # fmt: skip
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)


def _decode(file: IO[bytes], request: str) -> Image.Image:
    with _refusing(request):
        image = _opener(file, request)(file)
        _check_frames(image, request)
        return _rgb(image, request)


def _opener(file: IO[bytes], request: str) -> Callable[[IO[bytes]], ImageFile.ImageFile]:
    start = file.read(16)
    file.seek(0)
    if not start:
        raise PictureError(request, "an empty file", "there are no pixels in it", "Fetch or export the picture again.")
    for prefix, decoder in DECODERS:
        if re.match(prefix, start, re.DOTALL):
            return decoder
    raise PictureError(
        request, f"a file that begins with {start!r}", f"that is none of {FORMATS}", "Convert the picture to PNG or JPEG first."
    )


def _check_frames(image: ImageFile.ImageFile, request: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise PictureError(
            request, f"{frames} frames", "an explanation is of one picture, and which frame is meant cannot be guessed",
            f"Open it with PIL, call seek(n) for a frame n of 0-{frames - 1}, and pass that picture object.",
        )  # fmt: skip


def _rgb(image: Image.Image, request: str) -> Image.Image:
    _check_size(image, request)
    with _refusing(request):
        image.load()
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
        image = _eight_bits(image, request)
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("RGB")
        image = image if turn is None else image.transpose(turn)
        image.info.clear()  # nothing about patients and places, and no camera orientation to be applied a second time
        return image


def _check_size(image: Image.Image, request: str) -> None:
    width, height = image.size
    if min(width, height) < SMALLEST:
        why = f"a side of fewer than {SMALLEST} pixels leaves nothing to compare and so cannot be explained"
        raise PictureError(request, f"{width} x {height} pixels", why, "Use the full picture.")
    if width * height > LARGEST:
        found = f"{width} x {height} pixels ({width * height // 1_000_000} megapixels)"
        why = f"more than {LARGEST // 1_000_000} megapixels may be a decompression bomb and are not unpacked"
        raise PictureError(request, found, why, "Scale it down first.")


def _eight_bits(image: Image.Image, request: str) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # the high byte, as Pillow reads 16-bit colour
    if image.mode in ("I", "F"):
        raise PictureError(
            request, f"pixels of {'32-bit integers' if image.mode == 'I' else 'floating point'}",
            "nothing says which value is white", "Scale it to 0-255 and save it with eight bits a channel.",
        )  # fmt: skip
    return image


@contextmanager
def _refusing(request: str) -> Iterator[None]:
    """Whatever a decoder trips over (they raise a dozen types) is said in our words."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception as error:
        raise PictureError(
            request, f"data that cannot be decoded ({type(error).__name__}: {error})", "the picture is cut short or damaged",
            "Fetch or export it again.",
        ) from None  # fmt: skip
