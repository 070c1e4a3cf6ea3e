"""Settings of the server: what the operator chose, and every limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Literal

from pellucid.errors import InputError
from .stores import Opened

if TYPE_CHECKING:
    from pellucid.model import Model

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """How much of everything there may be.

    Arguments:
        upload: Bytes of one upload.
        question: Bytes of the body of a question.
        arrival: Seconds that a body may take to arrive.
        text: Bytes of a text.
        megapixels, side: The size of a picture, read from its header before it is decoded.
        decoding: Seconds that decoding one picture may take.
        decoder_memory: Bytes of address space of the process that decodes.
        kept: Bytes of inputs, and of results, that are kept in memory, where they are more than a `few`.
        few, ceiling: How many are kept whatever they have, and how many bytes these may have.
        age: Seconds after which what nobody used is dropped.
        queue: Tasks that wait; more are turned away.
        silence: Seconds without a sign of life after which the computing process is started again.
    """

    upload: int = 20 * MB
    question: int = MB
    arrival: float = 60.0
    text: int = 200_000
    megapixels: float = 40.0
    side: int = 16_000
    decoding: float = 20.0
    decoder_memory: int = 1_500 * MB
    kept: int = 20 * MB
    few: int = 8
    ceiling: int = 250 * MB
    age: float = 3600.0
    queue: int = 8
    silence: float = 600.0


@dataclass(frozen=True)
class Settings:
    """What the operator chose.

    Arguments:
        load: Makes the model, in the computing process; has to be picklable.
        name: What the model is called before it is loaded.
        host, port: Where the server listens; the next free port is taken where that one is in use.
        token: What a request has to show; None lets everyone on this machine in.
        names: Further names under which the server may be addressed, as "explain.example.org:8470".
        roots: Folders of pictures that the page may show, by name.
        stores: Audits and evaluations that the page may show.
        profile: "clinic" shows the view for people who decide about others.
        limits: How much of everything there may be.

    Raises:
        InputError: other machines could reach the server, and there is no token.
    """

    load: Callable[[], Model]
    name: str = "the model"
    host: str = "127.0.0.1"
    port: int = 8470
    token: str | None = field(default_factory=lambda: token_urlsafe(32))
    names: tuple[str, ...] = ()
    roots: Mapping[str, str] = field(default_factory=dict)
    profile: Literal["full", "clinic"] = "full"
    stores: tuple[Opened, ...] = ()
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.token is None and self.host not in LOOPBACK:
            raise InputError(
                f"a server at {self.host} without a token", "an address that other machines reach",
                "everybody there could use the model", "Leave out --no-token, or listen at 127.0.0.1.",
            )  # fmt: skip

    @property
    def hosts(self) -> frozenset[str]:
        """The values of the Host header that are answered: loopback names, the address listened at, and `names`."""
        local = {f"{host}:{self.port}" for host in ("127.0.0.1", "localhost", "[::1]", bracketed(self.host))}
        return frozenset(local | set(self.names))

    @property
    def origins(self) -> frozenset[str]:
        """The values of the Origin header that are answered; a name may be that of a proxy that speaks HTTPS."""
        return frozenset({f"http://{host}" for host in self.hosts} | {f"https://{name}" for name in self.names})

    @property
    def address(self) -> str:
        """Where a browser finds the page; the token stands in the fragment, which is sent to no server and to no log."""
        fragment = "" if self.token is None else f"#token={self.token}"
        return f"http://{bracketed(self.host)}:{self.port}/{fragment}"


def bracketed(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host
