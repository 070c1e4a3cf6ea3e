"""Guard: what is checked before any route, and the headers of every answer.

The order: host, origin, type, token, size, time. A wrong host means that the page was reached under a name that is not ours (DNS
rebinding); a wrong origin, that another site's script asks. Bodies are read here, so that no route waits for one.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
UPLOADS = "/v1/inputs"
JSON = "application/json"
TOO_LARGE = 413
TOGETHER = 4  # uploads that arrive at one time; others wait, so that they do not fill the memory together
QUIET = 2.0  # seconds without a byte
DRAINED = 4  # times what an upload may have: so much is read and dropped, for a client that still sends reads no answer
OPEN = ("/", "/static/")  # the page itself holds nothing that is secret


@dataclass(eq=False)
class Refusal(Exception):
    """An answer that ends a request: its status, and what is said."""

    status: int
    words: str
    headers: tuple[tuple[str, str], ...] = ()


class Guard:
    """The outermost layer of the server."""

    def __init__(self, app: App, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.arriving = asyncio.Semaphore(TOGETHER)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return None  # there are no web sockets: the connection is closed
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self.check(scope["method"], scope["path"], headers)
            if scope["method"] == "POST":
                receive = await self.with_body(receive, self.most(scope["path"]))
        except Refusal as refusal:
            if refusal.status == TOO_LARGE:
                await drain(receive, DRAINED * self.settings.limits.upload, self.settings.limits.arrival)
            return await refuse(with_headers(send), refusal)
        return await self.app(scope, receive, with_headers(send))

    def check(self, method: str, path: str, headers: dict[str, str]) -> None:
        """Refuse what may not reach a route."""
        if headers.get("host", "").lower() not in self.settings.hosts:
            words = "This server does not answer under that name. Where it is its own, start it with --name HOST:PORT."
            raise Refusal(421, words)
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self.settings.origins:
            raise Refusal(403, "Another site asked for this.")
        if method == "POST" and path != UPLOADS and media_type(headers) != JSON:
            raise Refusal(415, f"Send {JSON}.")
        if headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "Bodies are not unpacked here: send it without Content-Encoding.")
        if not is_open(path) and not self.knows(headers.get("authorization", "")):
            words = "Open the address that the server printed; it holds the token."
            raise Refusal(401, words, (("www-authenticate", "Bearer"),))
        length = headers.get("content-length", "0")
        most = self.most(path)
        if not length.isdecimal() or len(length) > 15 or int(length) > most:
            raise Refusal(TOO_LARGE, too_large(most))

    def knows(self, authorization: str) -> bool:
        """Whether a request shows the token; compared in constant time."""
        if self.settings.token is None:
            return True
        return hmac.compare_digest(authorization.encode(), f"Bearer {self.settings.token}".encode())

    def most(self, path: str) -> int:
        """Bytes that a body may have."""
        return self.settings.limits.upload if path == UPLOADS else self.settings.limits.question

    async def with_body(self, receive: Receive, most: int) -> Receive:
        """The request with its body read.

        Raises:
            Refusal: it is longer than it may be (413), whatever its header said, or does not arrive in time (408).
        """
        async with self.arriving:
            try:
                async with asyncio.timeout(self.settings.limits.arrival):
                    body = await read(receive, most)
            except TimeoutError:
                raise Refusal(408, "The body of the request did not arrive in time.", (("connection", "close"),)) from None
        given = False

        async def replayed() -> Message:
            nonlocal given
            if given:
                return await receive()  # whoever asks waits for the end of the connection
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replayed


async def read(receive: Receive, most: int) -> bytes:
    """A whole body.

    Raises:
        Refusal: it is longer than it may be, or its sender left.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The connection ended before the body did.")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refusal(TOO_LARGE, too_large(most))
        if not message.get("more_body", False):
            return bytes(body)


async def drain(receive: Receive, most: int, seconds: float) -> None:
    """Read the rest of a body and drop it, up to so many bytes and seconds, or until its sender waits."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while most > 0:
                async with asyncio.timeout(QUIET):
                    message = await receive()
                most -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def too_large(most: int) -> str:
    return f"The body has at most {most / 1e6:g} MB."


def is_open(path: str) -> bool:
    """Whether a path is answered without a token."""
    return path == OPEN[0] or path.startswith(OPEN[1])


def media_type(headers: dict[str, str]) -> str:
    """What the body is, without parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def with_headers(send: Send) -> Send:
    """Every answer with the headers that keep a browser from doing more than the page needs."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message["headers"]}
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in own]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return sent


async def refuse(send: Send, refusal: Refusal) -> None:
    """The answer to a request that is not let in."""
    body = problem("Refused", refusal.words)
    length = ("content-length", str(len(body)))
    headers = [(name.encode(), value.encode()) for name, value in (("content-type", JSON), length, *refusal.headers)]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def problem(kind: str, words: str) -> bytes:
    """What is said where something went wrong."""
    return json.dumps({"error": {"kind": kind, "message": words}}).encode()
