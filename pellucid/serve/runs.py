"""The routes about stores: what there is in them, decisions, and work on them.

GET  /v1/runs                                      stores that the operator opened
GET  /v1/runs/ID/classes  clusters                 of an audit, the most suspicious first
GET  /v1/runs/ID/points?target=&space=&plane=      number, x and y of items, float32
GET  /v1/runs/ID/items?numbers=1,2,3               what there is to see of some items; pictures small, made anew
GET  /v1/runs/ID/documents/summary                 the audit or the evaluation as a document
GET  /v1/runs/ID/report.html                       in one file
POST /v1/runs/ID/decisions                         201: kept in decisions.jsonl of the store
POST /v1/runs/ID/tests  cases  curves              202 {"task": ID}: a counter-test, an item as a case, removal curves
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Response
from pydantic import StringConstraints

from .guard import Refusal
from .questions import Question, Whole
from .reading import Reader
from .replies import BODY, DOCUMENT, Accepted, content, problems
from .shelf import ID
from .stores import Opened
from .tasks import Desk

Id = Annotated[str, Path(pattern=ID)]
Numbers = Annotated[str, Query(pattern=r"^\d{1,7}(,\d{1,7}){0,63}$")]
Target = Annotated[int, Query(ge=-1, le=10**6)]
LOOK = problems(404, 409, 422, 503)
START = problems(404, 409, 429, 503, *BODY)
KEEP = problems(404, 409, 503, *BODY)
FLOATS = content("application/octet-stream", "Three numbers for each item, float32, little endian.")
Space = Literal["where", "what"]
Plane = Literal["components", "clusters"]
PLAIN = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]*$"


class Decide(Question):
    """What somebody decided about a cluster, and why."""

    cluster: Whole
    decision: Literal["artefact", "evidence", "unclear"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=PLAIN)]
    note: Annotated[str, StringConstraints(max_length=2000, pattern=PLAIN)] = ""


class CounterTest(Question):
    """Whether the network uses the mark of a cluster."""

    cluster: Whole


class OpenCase(Question):
    """An item, explained anew: by the method of an audit, or by all methods of an evaluation."""

    item: Whole


class Nothing(Question):
    """A question without fields."""


class Runs:
    """The stores by id."""

    def __init__(self, opened: Sequence[Opened]) -> None:
        self.opened = {one.id: one for one in opened}

    def __getitem__(self, name: str) -> Opened:
        if name not in self.opened:
            raise Refusal(404, "There is no such run.")
        return self.opened[name]


def add_runs(app: FastAPI, opened: Sequence[Opened], reader: Reader, desk: Desk) -> None:
    """All routes, for as many stores as there are."""
    runs = Runs(opened)

    async def ask(run: str, what: str, **how: Any) -> Any:
        return await asyncio.to_thread(reader.ask, runs[run], what, **how)

    def submit(kind: str, run: str, question: Question) -> dict[str, str]:
        body = {"opened": runs[run], **question.model_dump()}
        return {"task": desk.submit(kind, body, {}).id}

    add_looks(app, ask, runs)

    @app.post(
        "/v1/runs/{run}/decisions", status_code=201, response_model=dict[str, Any], responses=problems(404, 409, 503, *BODY)
    )
    async def decide(run: Id, question: Decide) -> Any:
        return await ask(run, "decide", **question.model_dump())

    @app.post("/v1/runs/{run}/tests", status_code=202, response_model=Accepted, responses=START)
    async def test(run: Id, question: CounterTest) -> dict[str, str]:
        await ask(run, "check", cluster=question.cluster)
        return submit("tests", run, question)

    @app.post("/v1/runs/{run}/cases", status_code=202, response_model=Accepted, responses=START)
    async def case(run: Id, question: OpenCase) -> dict[str, str]:
        return submit("cases", run, question)

    @app.post("/v1/runs/{run}/curves", status_code=202, response_model=Accepted, responses=START)
    async def curves(run: Id, question: Nothing) -> dict[str, str]:
        return submit("curves", run, question)


def add_looks(app: FastAPI, ask: Any, runs: Runs) -> None:
    """Routes that only look."""

    @app.get("/v1/runs", response_model=list[dict[str, Any]], responses=problems(409, 503))
    async def listed() -> list[Any]:
        return [await ask(name, "listed") for name in runs.opened]

    @app.get("/v1/runs/{run}/classes", response_model=list[dict[str, Any]], responses=LOOK)
    async def classes(run: Id) -> Any:
        return await ask(run, "classes")

    @app.get("/v1/runs/{run}/clusters", response_model=list[dict[str, Any]], responses=LOOK)
    async def clusters(run: Id) -> Any:
        return (await ask(run, "summary")).get("clusters", [])

    @app.get("/v1/runs/{run}/documents/{key}", response_model=dict[str, Any], responses=DOCUMENT | LOOK)
    async def documents(run: Id, key: Literal["summary"]) -> Any:
        return await ask(run, "summary")

    @app.get("/v1/runs/{run}/items", response_model=list[dict[str, Any]], responses=LOOK)
    async def items(run: Id, numbers: Numbers) -> Any:
        return await ask(run, "items", numbers=[int(number) for number in numbers.split(",")])

    @app.get("/v1/runs/{run}/points", response_class=Response, responses=FLOATS | LOOK)
    async def points(run: Id, target: Target, space: Space, plane: Plane) -> Response:
        found = await ask(run, "points", target=target, space=space, plane=plane)
        return Response(found, media_type="application/octet-stream")

    @app.get("/v1/runs/{run}/report.html", response_class=Response, responses=content("text/html", "One file.") | LOOK)
    async def report(run: Id) -> Response:
        headers = {"content-disposition": 'attachment; filename="report.html"'}
        return Response(await ask(run, "report"), media_type="text/html", headers=headers)
