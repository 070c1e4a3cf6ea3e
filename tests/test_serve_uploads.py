"""What is uploaded is an input, or is refused in words: damaged files, files that are two things, promises that are not kept."""

from __future__ import annotations

import random
import time
import wave
from collections.abc import Iterator
from io import BytesIO
from struct import pack
from zlib import compress, crc32

import pytest
from PIL import Image, PngImagePlugin

from pellucid.serve.server import running
from pellucid.serve.settings import Limits, Settings
from .served import Answer, Client, picture, small_model

pytest.importorskip("fastapi")

ROUNDS = 1000
TYPES = {
    "PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif", "TIFF": "image/tiff", "BMP": "image/bmp",
    "csv": "text/csv", "wav": "audio/wav", "text": "text/plain",
}  # fmt: skip
REFUSED = {400, 408, 413, 415, 422}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running(Settings(small_model, "small", port=19170, limits=Limits(decoding=3.0))) as settings:
        yield Client(settings)


def send(client: Client, content: bytes, kind: str = "image/png") -> Answer:
    return client("POST", "/v1/inputs", content, {"content-type": kind})


def sound() -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(400))
    return out.getvalue()


def samples() -> dict[str, bytes]:
    """One intact file of every kind: of those that are read here and of those that are not."""
    pictures = {kind: picture(kind=kind, side=24) for kind in list(TYPES)[:6]}
    return pictures | {"csv": b"kind,rooms\nhouse,5\nflat,2\n", "wav": sound(), "text": "not bad at all, Fräulein 猫".encode()}


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file with one kind of damage."""
    data = bytearray(content)
    damage = rng.randrange(5)
    if damage == 0:  # bits that flipped
        for _ in range(rng.randint(1, 12)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif damage == 1:  # cut short
        del data[rng.randrange(len(data)) :]
    elif damage == 2:  # a number in the head that is far too large
        at = rng.randrange(min(len(data), 64))
        data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\x00\x00"])
    elif damage == 3:  # a piece twice, or elsewhere
        at, size = rng.randrange(len(data)), rng.randint(1, 40)
        data[rng.randrange(len(data)) : 0] = data[at : at + size]
    else:  # anything at all
        at = rng.randrange(len(data))
        data[at : at + 30] = rng.randbytes(30)
    return bytes(data)


def test_mutated_uploads_are_inputs_or_refused_in_words(client: Client) -> None:
    rng, files, statuses = random.Random(16), samples(), set()
    for number in range(ROUNDS):
        kind = rng.choice(list(files))
        declared = TYPES[kind] if number % 4 else rng.choice(list(TYPES.values()))
        content = mutated(files[kind], rng)
        if number % 7 == 0:
            content = mutated(content, rng) + mutated(files[rng.choice(list(files))], rng)  # two files in one
        answer = send(client, content, declared)
        statuses.add(answer.status)
        if answer.status != 201:
            assert answer.status in REFUSED, (number, kind, declared, answer)
            assert len(answer.json["error"]["message"]) > 10
    assert statuses == {201, 415, 422}
    assert send(client, picture()).status == 201


def chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))


def png(*chunks: bytes, width: int = 8, height: int = 8) -> bytes:
    head = chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", compress(bytes((3 * width + 1) * height)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + chunk(b"IEND", b"")


BOMB = compress(bytes(300_000_000), 9)  # a third of a megabyte that unfolds to 300


@pytest.mark.parametrize(
    "content",
    [
        png(chunk(b"zTXt", b"Comment\0\0" + BOMB)),
        png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB)),
        png(chunk(b"iCCP", b"profile\0\0" + BOMB)),
        png(chunk(b"eXIf", b"MM\0*" + b"\xff" * 60_000)),
        png() + BOMB,
    ],
    ids=["text", "international text", "colour profile", "EXIF", "after the end"],
)
def test_what_is_packed_into_metadata_is_not_unfolded(client: Client, content: bytes) -> None:
    began = time.process_time()
    answer = send(client, content)
    assert answer.status in (201, 422)
    assert time.process_time() - began < 5
    if answer.status == 201:
        shown = client("GET", f"/v1/inputs/{answer.json['input']}/picture").body
        assert len(shown) < 2_000


def test_a_picture_that_takes_too_long_is_given_up_and_the_next_is_read(client: Client) -> None:
    """A progressive JPEG can be refined without end: every scan of a few bytes goes over all pixels once more."""
    out = BytesIO()
    Image.new("L", (6000, 6000), 99).save(out, "JPEG", progressive=True)
    content = out.getvalue()
    last = content.rindex(b"\xff\xda")
    answer = send(client, content[:-2] + content[last:-2] * 2000 + b"\xff\xd9", "image/jpeg")
    assert answer.status == 422
    assert "within the limits of time" in answer.json["error"]["message"]
    assert send(client, picture()).status == 201


def test_no_comment_profile_or_place_leaves_with_the_pixels(client: Client) -> None:
    image, notes = Image.new("RGB", (9, 9), "red"), PngImagePlugin.PngInfo()
    notes.add_text("Comment", "patient 4711")
    for kind in ("PNG", "JPEG", "WEBP"):
        out = BytesIO()
        exif = Image.Exif()
        exif[0x010E] = "patient 4711"
        image.save(out, kind, exif=exif, icc_profile=b"patient 4711" * 20, **({"pnginfo": notes} if kind == "PNG" else {}))
        assert b"4711" in out.getvalue()
        answer = send(client, out.getvalue(), TYPES[kind])
        assert answer.status == 201, answer
        assert b"4711" not in client("GET", f"/v1/inputs/{answer.json['input']}/picture").body


@pytest.mark.parametrize("packing", ["gzip", "deflate", "br"])
def test_packed_bodies_are_not_unpacked(client: Client, packing: str) -> None:
    answer = client("POST", "/v1/inputs", compress(picture()), {"content-type": "image/png", "content-encoding": packing})
    assert answer.status == 415
    assert "content-encoding" in answer.json["error"]["message"].lower()


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg"])
def test_a_file_that_is_two_things_is_what_its_pixels_are(client: Client, kind: str) -> None:
    """A picture with a page or an archive behind it: what is shown again are its pixels alone."""
    for behind in (b"<script>alert(1)</script>", b"PK\3\4" + bytes(40), b"%PDF-1.7", b"GIF89a"):
        answer = send(client, picture(kind=kind[6:].upper()) + behind, kind)
        assert answer.status == 201
        assert behind not in client("GET", f"/v1/inputs/{answer.json['input']}/picture").body
