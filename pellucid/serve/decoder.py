"""The process that decodes pictures, so that a picture made to harm harms nothing else: `python -m pellucid.serve.decoder`.

It reads a picture from stdin and writes its pixels to stdout, one after the other. Its memory is limited by the system, its time
by whoever waits; the size of a picture is read from the header before a pixel is decoded. What leaves it are pixels alone: no
metadata, turned as the camera was held.
"""

from __future__ import annotations

import json
import sys
import warnings
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

from pellucid.core.picture import read_picture
from pellucid.errors import PictureError
from .framing import HEAD

FORMATS = ("JPEG", "PNG", "WEBP")


def main() -> None:
    """Answer pictures until stdin ends."""
    limits = json.loads(sys.argv[1])
    limit_memory(limits["memory"])
    warnings.simplefilter("ignore")  # sizes are checked here; Pillow's warnings about them would fill stderr
    while True:
        head = sys.stdin.buffer.read(HEAD.size)
        if len(head) < HEAD.size:
            return
        content = sys.stdin.buffer.read(HEAD.unpack(head)[1])
        header, pixels = decoded(content, limits)
        plain = json.dumps(header).encode()
        sys.stdout.buffer.write(HEAD.pack(len(plain), len(pixels)) + plain + pixels)
        sys.stdout.buffer.flush()


def limit_memory(most: int) -> None:
    """Let the system refuse more memory than that, where it can."""
    try:
        import resource
    except ImportError:  # not on Windows; there the checks of the header are what there is
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def decoded(content: bytes, limits: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A header, and the picture as a PNG of the pixels alone; the header holds "error" where there is none."""
    try:
        check_header(content, limits)
        image = read_picture(content)
    except PictureError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": "The picture needs more memory than decoding may use."}, b""
    except Exception:  # whatever a broken file leads to inside the decoder
        return {"error": "The file is broken: it cannot be decoded."}, b""
    out = BytesIO()
    image.save(out, "PNG", compress_level=1)
    return {"width": image.width, "height": image.height}, out.getvalue()


def check_header(content: bytes, limits: dict[str, Any]) -> None:
    """Refuse a picture by what its header promises, before a pixel is decoded.

    Raises:
        PictureError: it is of another kind, or larger than is decoded.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except UnidentifiedImageError:
        found, do = f"bytes that begin with {content[:8]!r}", "Convert it to JPEG, PNG or WebP."
        raise PictureError("the upload", found, "it is no picture of a kind that is read here", do) from None
    except Image.DecompressionBombError as error:
        raise too_large(str(error), limits) from None
    if width * height > limits["megapixels"] * 1e6 or max(width, height) > limits["side"]:
        raise too_large(f"{width:,} x {height:,} pixels", limits)


def too_large(found: str, limits: dict[str, Any]) -> PictureError:
    """What is said of a picture that promises more pixels than are decoded."""
    most = f"more than {limits['megapixels']:g} megapixels, or {limits['side']:,} pixels a side, are not decoded"
    return PictureError("the upload", found, most, "Scale it down first.")


if __name__ == "__main__":
    main()
