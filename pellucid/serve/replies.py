"""Replies: what the routes answer, as `/openapi.json` describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from .guard import JSON
from .shelf import ID
from .tasks import State
from .upload import KINDS, Kind

Id = Annotated[str, StringConstraints(pattern=ID)]


class Reply(BaseModel):
    """Something that is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(BaseModel):
    """What went wrong; an error of pellucid also has its four parts: asked, found, why, do."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str
    message: str


class Problem(Reply):
    """The answer to a request that was refused, or failed."""

    error: Words


class Size(Reply):
    """Of a picture, in pixels."""

    height: int
    width: int


class Received(Reply):
    """An input that was taken in.

    Arguments:
        input: Its id.
        size: Of a picture.
        rows: Of a table.
    """

    input: Id
    kind: Kind
    size: Size | None
    rows: int | None


class Accepted(Reply):
    """The id of the task that a question became."""

    task: Id


class Progress(Reply):
    """How far a task is: `done` of `total`, and of what; `picture` is what is being drawn, as an address that holds it."""

    done: int | None = None
    total: int | None = None
    what: str | None = None
    picture: str | None = None


class Status(Reply):
    """Where a task stands; `result` is the id of its result, once it is done."""

    task: Id
    kind: str
    state: State
    progress: Progress | None = None
    result: Id | None = None
    error: Words | None = None


class Labels(BaseModel):
    """What is known of the model: what it is called and reads, its classes, and how the page was started."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    reads: Literal["picture", "text", "table", "sound", "nothing"]
    labels: list[str]
    profile: Literal["full", "clinic"]
    roots: list[str]
    version: str


class CardReply(Reply):
    """The card of the model as a document; without one, the reason."""

    card: dict[str, Any] | None
    reason: str


PROBLEMS = {
    400: "The request is no HTTP, or ends too early.",
    401: "The token is missing, or another.",
    403: "Another site asked.",
    404: "There is no such thing, or no longer.",
    405: "The route knows other methods.",
    408: "The body did not arrive in time.",
    409: "The store is not finished, or damaged.",
    413: "The body is too large.",
    415: "The body is of another type.",
    421: "The server has another name.",
    422: "The request does not say what it should.",
    429: "Too many tasks are waiting; Retry-After says in how many seconds to ask again.",
    503: "The model cannot be loaded, or the computing process failed.",
}
EVERYWHERE = (400, 401, 403, 405, 413, 421)
BODY = (408, 415, 422)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route describes what it refuses."""
    return {status: {"model": Problem, "description": PROBLEMS[status]} for status in sorted((*EVERYWHERE, *statuses))}


def content(media_type: str, words: str) -> dict[int | str, dict[str, Any]]:
    """How a route describes an answer that is no JSON."""
    schemas = {"text/event-stream": {}, "text/html": {"schema": {"type": "string"}}}
    schema = schemas.get(media_type, {"schema": {"type": "string", "format": "binary"}})
    return {200: {"description": words, "content": {media_type: schema}}}


RAW = {"requestBody": {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in KINDS}}}
DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The result as a document.", "content": {JSON: {"schema": {"type": "object"}}}}
}
