"""The routes. Each does one thing: look something up, hand a question in, or pass an answer on.

GET  /  /static/NAME                          the page
GET  /v1/model  /v1/methods  /v1/layers       what there is
POST /v1/inputs                               an upload, raw bytes; its name may stand in X-Name
GET  /v1/inputs/ID/picture                    its pixels
POST /v1/explanations compare concepts probes portraits examples metrics     202 {"task": ID}
GET  /v1/tasks/ID  /v1/tasks/ID/events        how far it is; DELETE leaves it
GET  /v1/results/ID  .../values.safetensors  .../report.html
DELETE /v1/inputs/ID                          forget an input
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import unquote

from fastapi import Depends, FastAPI, Header, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from pellucid.core.version import __version__
from . import assets
from .guard import JSON, Guard, Refusal, media_type, problem
from .questions import QUESTIONS, Question
from .reading import Reader
from .replies import BODY, DOCUMENT, RAW, Accepted, CardReply, Labels, Received, Status, content, problems
from .runs import add_runs
from .settings import Settings
from .shelf import ID, Shelf
from .tasks import ENDED, Desk, Result, Task
from .upload import Input, Uploads
from .worker import CARD, FACTS, Worker

Id = Annotated[str, Path(pattern=ID)]
T = TypeVar("T")
EVERY = 0.04  # seconds between two looks at a task that somebody follows
ALIVE = 15.0  # seconds after which a stream without news says that it is alive
BY_ID = (404, 422)  # what routes refuse that look something up
NAME = 200  # characters of an upload's name


class Site:
    """What the routes share: settings, inputs, tasks, and what is known of the model."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings = settings
        self.uploads = Uploads(limits)
        self.inputs: Shelf[Input] = Shelf(limits.kept, limits.age, few=limits.few, ceiling=limits.ceiling)
        self.desk = Desk(Worker(settings.load, limits), limits)
        self.about: dict[str, Task] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.reader = Reader()

    def start(self) -> None:
        """Begin to load the model, and ask about it first."""
        self.desk.start()
        self.uploads.start()
        self.about = {kind: self.desk.submit(kind, {}, {}) for kind in (FACTS, CARD)}

    def stop(self) -> None:
        self.desk.close()
        self.reader.close()
        self.uploads.close()

    def input(self, name: str) -> Input:
        return required(self.inputs.get(name), "There is no such input; it may have been dropped after an hour.")

    def result(self, name: str) -> Result:
        return required(self.desk.results.get(name), "There is no such result; it may have been dropped after an hour.")

    def task(self, name: str) -> Task:
        return required(self.desk.tasks.get(name), "There is no such task.")

    def with_folder(self, question: dict[str, Any]) -> dict[str, Any]:
        """A question with the folder that a root's name stands for: a client never names one itself."""
        if "root" not in question:
            return question
        folder = required(self.settings.roots.get(question["root"]), "The operator opened no folder of that name.")
        return question | {"folder": folder}

    async def known(self, kind: str) -> dict[str, Any]:
        """What is known of the model, once it is loaded; what failed is asked once more."""
        if kind in self.facts:
            return self.facts[kind]
        task = self.about[kind]
        await ended(task)
        kept = None if task.result is None else self.desk.results.get(task.result)
        if kept is None:
            self.about[kind] = self.desk.submit(kind, {}, {})
            if task.error is not None:
                raise Unavailable(task.error)
            return await self.known(kind)
        self.facts[kind] = json.loads(kept.document)
        return self.facts[kind]


@dataclass(eq=False)
class Unavailable(Exception):
    """What was asked for could not be computed; the error of the computing process."""

    error: Mapping[str, Any]


def required(thing: T | None, words: str) -> T:
    """A thing that has to be there.

    Raises:
        Refusal: it is not (404).
    """
    if thing is None:
        raise Refusal(404, words)
    return thing


async def ended(task: Task) -> None:
    """Wait for the end of a task."""
    while not task.ended:
        await asyncio.sleep(EVERY)


def application(settings: Settings) -> Callable[..., Coroutine[Any, Any, None]]:
    """The server as an ASGI application: the routes behind the guard."""
    site = Site(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        site.start()
        yield
        site.stop()

    bearer = Depends(HTTPBearer(auto_error=False))  # for the description alone: the guard looks at the token
    app = FastAPI(
        title="pellucid", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan, dependencies=[bearer],
        redirect_slashes=False,
    )  # fmt: skip
    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(Unavailable, unavailable)
    app.add_exception_handler(Exception, failed)
    add_page(app, site)
    add_facts(app, site)
    add_inputs(app, site)
    for kind, body in QUESTIONS.items():
        add_question(app, site, kind, body)
    add_tasks(app, site)
    add_results(app, site)
    add_runs(app, settings.stores, site.reader, site.desk)
    return cast("Callable[..., Coroutine[Any, Any, None]]", Guard(app, settings))


async def refused(request: Request, error: Exception) -> Response:
    refusal = cast("Refusal", error)
    return Response(problem("Refused", refusal.words), refusal.status, dict(refusal.headers), JSON)


async def no_route(request: Request, error: Exception) -> Response:
    """What the framework refuses: addresses and methods that there are not, bodies that are no JSON."""
    refusal = cast("HTTPException", error)
    return Response(problem("Refused", f"{refusal.detail}."), refusal.status_code, refusal.headers, JSON)


async def unavailable(request: Request, error: Exception) -> Response:
    return Response(json.dumps({"error": dict(cast("Unavailable", error).error)}), 503, media_type=JSON)


async def failed(request: Request, error: Exception) -> Response:
    words = f"This is a bug in pellucid ({type(error).__name__}). Please report it with what you did."
    return Response(problem("Bug", words), 500, media_type=JSON)


async def invalid(request: Request, error: Exception) -> Response:
    """Which field of a body is wrong, without repeating what it held."""
    problems = cast("RequestValidationError", error).errors()
    words = "; ".join(f"{'.'.join(map(str, one['loc'][1:])) or 'the body'}: {one['msg']}" for one in problems[:5])
    return Response(problem("Invalid", words), 422, media_type=JSON)


def add_page(app: FastAPI, site: Site) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(assets.page(site.settings), media_type="text/html")

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        found = required(assets.find(name), "There is no such file.")
        return Response(found.content, media_type=found.media_type)


def add_facts(app: FastAPI, site: Site) -> None:
    @app.get("/v1/model", response_model=Labels, responses=problems(429, 503))
    async def model() -> dict[str, Any]:
        chosen = site.settings
        own = {"profile": chosen.profile, "roots": sorted(chosen.roots), "runs": len(chosen.stores), "version": __version__}
        return await site.known(FACTS) | own

    @app.get("/v1/card", response_model=CardReply, responses=problems(429, 503))
    async def card() -> dict[str, Any]:
        found = await site.known(CARD)
        return {"card": found["card"], "reason": found["reason"]}

    @app.get("/v1/methods", response_model=list[dict[str, Any]], responses=problems(429, 503))
    async def methods() -> Any:
        return (await site.known(CARD))["methods"]

    @app.get("/v1/layers", response_model=list[dict[str, Any]], responses=problems(429, 503))
    async def layers() -> Any:
        return (await site.known(CARD))["layers"]


def add_inputs(app: FastAPI, site: Site) -> None:
    @app.post("/v1/inputs", status_code=201, response_model=Received, responses=problems(*BODY), openapi_extra=RAW)
    async def upload(request: Request, x_name: Annotated[str, Header()] = "") -> dict[str, Any]:
        body = await request.body()
        kind = media_type({"content-type": request.headers.get("content-type", "")})
        one = await asyncio.to_thread(site.uploads.read, kind, body, unquote(x_name)[:NAME])
        size = None if one.size is None else {"height": one.size[0], "width": one.size[1]}
        return {"input": site.inputs.add(one, len(one.content)), "kind": one.kind, "size": size, "rows": one.rows}

    @app.get(
        "/v1/inputs/{name}/picture", response_class=Response, responses=content("image/png", "Its pixels.") | problems(*BY_ID)
    )
    async def picture(name: Id) -> Response:
        one = site.input(name)
        if one.kind != "picture":
            raise Refusal(404, "This input is no picture.")
        return Response(one.content, media_type="image/png")

    @app.delete("/v1/inputs/{name}", status_code=204, responses=problems(*BY_ID))
    async def forget(name: Id) -> Response:
        if not site.inputs.drop(name):
            raise Refusal(404, "There is no such input.")
        return Response(status_code=204)


def add_question(app: FastAPI, site: Site, kind: str, body: type[Question]) -> None:
    """The route that takes one kind of question."""

    async def ask(question: Question) -> dict[str, str]:
        given = {name: site.input(name) for name in question.inputs()}
        return {"task": site.desk.submit(kind, site.with_folder(question.model_dump()), given).id}

    ask.__annotations__["question"] = body
    app.post(f"/v1/{kind}", status_code=202, name=kind, response_model=Accepted, responses=problems(404, 429, *BODY))(ask)


def add_tasks(app: FastAPI, site: Site) -> None:
    @app.get("/v1/tasks/{name}", response_model=Status, response_model_exclude_none=True, responses=problems(*BY_ID))
    async def task(name: Id) -> dict[str, Any]:
        return site.task(name).to_dict()

    @app.delete("/v1/tasks/{name}", status_code=204, responses=problems(*BY_ID))
    async def cancel(name: Id) -> Response:
        site.desk.cancel(site.task(name))
        return Response(status_code=204)

    stream = content("text/event-stream", "What changes, each time as `data:` and the task in JSON.")

    @app.get("/v1/tasks/{name}/events", response_class=StreamingResponse, responses=stream | problems(*BY_ID))
    async def events(name: Id) -> StreamingResponse:
        found = site.task(name)
        return StreamingResponse(follow(site.desk, found), media_type="text/event-stream")


async def follow(desk: Desk, task: Task) -> AsyncIterator[bytes]:
    """What changes of a task, until it ends. A task that its last follower leaves before the end is cancelled."""
    task.followers += 1
    seen, quiet = -1, 0.0
    try:
        while True:
            if task.changes != seen:
                seen, quiet, now = task.changes, 0.0, task.to_dict()
                yield f"data: {json.dumps(now)}\n\n".encode()
                if now["state"] in ENDED:  # not `task.ended`: it may end while this is sent
                    return
            elif quiet > ALIVE:
                quiet = 0.0
                yield b": alive\n\n"
            await asyncio.sleep(EVERY)
            quiet += EVERY
    finally:
        task.followers -= 1
        if not task.ended and not task.followers:
            desk.cancel(task)


def add_results(app: FastAPI, site: Site) -> None:
    @app.get("/v1/results/{name}", response_class=Response, responses=DOCUMENT | problems(*BY_ID))
    async def result(name: Id) -> Response:
        return Response(site.result(name).document, media_type="application/json")

    numbers = content("application/octet-stream", "The values as a safetensors file.")

    @app.get("/v1/results/{name}/values.safetensors", response_class=Response, responses=numbers | problems(*BY_ID))
    async def values(name: Id) -> Response:
        found = required(site.result(name).values, "This result has no values of its own.")
        return Response(found, media_type="application/octet-stream", headers=saved_as("values.safetensors"))

    one_file = content("text/html", "The report, a page in one file.")

    @app.get("/v1/results/{name}/report.html", response_class=Response, responses=one_file | problems(429, 503, *BY_ID))
    async def report(name: Id) -> Response:
        document = json.loads(site.result(name).document)
        if "schema" not in document:
            raise Refusal(404, "This result is a measurement; there is no report of it.")
        task = site.desk.submit("report", {"document": document}, {})
        await ended(task)
        if task.result is None:
            raise Unavailable(task.error or {"kind": "Cancelled", "message": "The report could not be made."})
        page = site.result(task.result).document
        return Response(page, media_type="text/html", headers=saved_as("report.html"))


def saved_as(name: str) -> dict[str, str]:
    """A download, which no browser shows as a page of this server."""
    return {"content-disposition": f'attachment; filename="{name}"'}
