"""Uploads: raw bytes of a known kind become an input, or are refused with the reason."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from .framing import HEAD
from .guard import Refusal
from .settings import Limits

Kind = Literal["picture", "text", "table", "sound"]
KINDS: dict[str, Kind] = {
    "image/jpeg": "picture",
    "image/png": "picture",
    "image/webp": "picture",
    "text/plain": "text",
    "text/csv": "table",
    "audio/wav": "sound",
    "audio/x-wav": "sound",
    "audio/wave": "sound",
}


@dataclass(frozen=True)
class Input:
    """One input, as it is kept: pictures as a PNG of their pixels alone, everything else as it came.

    Arguments:
        content: What it holds.
        name: What the client calls it; shown, and used for nothing else.
        size: Height and width of a picture.
        rows: How many rows a table has.
    """

    kind: Kind
    content: bytes
    name: str = ""
    size: tuple[int, int] | None = None
    rows: int | None = None

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()


@dataclass
class Uploads:
    """Turns uploads into inputs. Pictures are decoded one at a time, in a process of their own."""

    limits: Limits
    process: subprocess.Popen[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start the decoding process, so that the first picture need not wait for it."""
        with self.lock:
            self._running()

    def read(self, media_type: str, content: bytes, name: str = "") -> Input:
        """The input that was uploaded.

        Raises:
            Refusal: it is of no known kind (415), too large (413), or not what it is said to be (422).
        """
        kind = KINDS.get(media_type)
        if kind is None:
            raise Refusal(415, f"Inputs are {', '.join(dict.fromkeys(KINDS))}.")
        if not content:
            raise Refusal(422, "The upload is empty.")
        if kind == "picture":
            return self._picture(content, name)
        if kind == "sound":
            check_sound(content)
            return Input(kind, content, name)
        text = as_text(content, self.limits.text if kind == "text" else self.limits.upload)
        return Input(kind, text.encode(), name, rows=count_rows(text) if kind == "table" else None)

    def _picture(self, content: bytes, name: str) -> Input:
        with self.lock:
            header, pixels = self._decoded(content)
        if "error" in header:
            raise Refusal(422, str(header["error"]))
        return Input("picture", pixels, name, (header["height"], header["width"]))

    def _decoded(self, content: bytes) -> tuple[dict[str, Any], bytes]:
        """What the decoding process says; one that takes too long, or dies, is replaced."""
        process = self._running()
        watchdog = threading.Timer(self.limits.decoding, process.kill)
        watchdog.start()
        try:
            assert process.stdin is not None and process.stdout is not None, "both are pipes"
            process.stdin.write(HEAD.pack(0, len(content)) + content)
            process.stdin.flush()
            plain, pixels = HEAD.unpack(process.stdout.read(HEAD.size))
            header = json.loads(process.stdout.read(plain))
            return header, process.stdout.read(pixels)
        except Exception:  # a pipe that ended in the middle, wherever that was
            self.close()
            return {"error": "The picture could not be decoded within the limits of time and memory."}, b""
        finally:
            watchdog.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            limits = {"memory": self.limits.decoder_memory, "megapixels": self.limits.megapixels, "side": self.limits.side}
            command = [sys.executable, "-m", "pellucid.serve.decoder", json.dumps(limits)]
            alone = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads would reserve memory
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=alone)
        return self.process

    def close(self) -> None:
        """End the decoding process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    _closed(pipe)
        self.process = None


def _closed(pipe: object) -> None:
    """Close a pipe whose other end may be gone."""
    try:
        pipe.close()  # type: ignore[attr-defined]
    except OSError:
        return


def as_text(content: bytes, most: int) -> str:
    """The text that bytes hold.

    Raises:
        Refusal: it is too long, or no text in UTF-8.
    """
    if len(content) > most:
        raise Refusal(413, f"A text has at most {most:,} bytes here.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(422, f"This is no text in UTF-8: byte {error.start} does not belong there.") from None
    if not text.strip() or "\0" in text:
        raise Refusal(422, "There is no text in it." if "\0" not in text else "A text holds no zero bytes.")
    return text


def count_rows(text: str) -> int:
    """How many rows a CSV has below its head line.

    Raises:
        Refusal: it has none, or is no CSV.
    """
    try:
        rows = [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        raise Refusal(422, f"This is no CSV: {error}.") from None
    if len(rows) < 2:
        raise Refusal(422, "A table has a line of column names, and at least one row.")
    return len(rows) - 1


def check_sound(content: bytes) -> None:
    """Refuse what does not begin as a WAV file does; what is inside is read with the model's own reader."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise Refusal(422, "This is no WAV file.")
