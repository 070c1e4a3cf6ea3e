"""A picture in PNG as the same picture in another format, with what its text chunks say."""

from __future__ import annotations

import io

from PIL import Image

QUALITY = 92  # of JPEG: colours of maps stay true, and letters clear
LONGEST = 65_000  # bytes of the comment of a JPEG file, whose segments end there


def jpeg(png: bytes) -> bytes:
    """The picture as JPEG, its description and provenance as the comment."""
    image = Image.open(io.BytesIO(png))
    words = "\n".join(f"{name}: {text}" for name, text in image.info.items() if isinstance(text, str))
    file = io.BytesIO()
    comment = words.encode()[:LONGEST]
    image.convert("RGB").save(file, format="JPEG", quality=QUALITY, subsampling=0, comment=comment)
    return file.getvalue()


def pdf(png: bytes) -> bytes:
    """The picture as a page of its size, its description as the subject and the provenance as keywords."""
    image = Image.open(io.BytesIO(png))
    about = {"subject": image.info.get("Description", ""), "keywords": image.info.get("provenance", "")}
    file = io.BytesIO()
    image.convert("RGB").save(file, format="PDF", resolution=96, creator="pellucid", **about)
    return file.getvalue()
