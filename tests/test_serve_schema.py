"""What the server describes of itself is what it does: requests made up from `/openapi.json`, fitting and unfitting ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from pellucid.serve.server import running
from pellucid.serve.settings import Limits, Settings
from .served import Client, picture, small_model

pytest.importorskip("fastapi")
hypothesis = pytest.importorskip("hypothesis")
schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = int(os.environ.get("PELLUCID_EXAMPLES", 5))  # requests for each route and kind
PATIENCE = 2.0  # seconds after which a task that somebody made up is given up
OURS = {"asked", "found", "why", "do"}  # the parts of an error that somebody thought of


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running(Settings(small_model, "small", port=19070, limits=Limits(queue=4))) as settings:
        yield Client(settings)


@pytest.fixture
def ids(client: Client) -> dict[str, str]:
    """Things that there are, by the route that they belong to; made anew, since old ones make room."""
    name = client.upload(picture())
    state = client.ask("explanations", input=name, method="gradient")
    return {"inputs": name, "tasks": state["task"], "results": state["result"]}


def operations(client: Client) -> list[Any]:
    """All routes that the server describes."""
    schema = schemathesis.openapi.from_dict(client("GET", "/openapi.json").json)
    schema.config.update(base_url=f"http://127.0.0.1:{client.settings.port}")
    return [found.ok() for found in schema.get_all_operations()]


def requests(operation: Any, *, fitting: bool) -> Any:
    mode = schemathesis.GenerationMode.POSITIVE if fitting else schemathesis.GenerationMode.NEGATIVE
    return operation.as_strategy(generation_mode=mode)


def tried(strategy: Any, check: Callable[[Any], None]) -> None:
    quiet = hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip

    @quiet
    @hypothesis.given(strategy)
    def every(case: Any) -> None:
        check(case)

    every()


def sent(client: Client, case: Any) -> Any:
    return case.call(headers={"Authorization": f"Bearer {client.settings.token}"})


def unexpected(client: Client, task: str) -> str:
    """What went wrong with a task that nobody thought of; "" where it was answered, or refused in words."""
    until = time.monotonic() + PATIENCE
    while (state := client("GET", f"/v1/tasks/{task}").json)["state"] in ("queued", "running"):
        if time.monotonic() > until:
            client("DELETE", f"/v1/tasks/{task}")
        time.sleep(0.02)
    error = state.get("error", {})
    return "" if not error or error.keys() >= OURS else f"{error['kind']}: {error['message']}"


def check_described(client: Client, excluded: list[Any], case: Any) -> None:
    answer = sent(client, case)
    case.validate_response(answer, excluded_checks=excluded)
    if answer.status_code == 202:
        client("DELETE", f"/v1/tasks/{answer.json()['task']}")


def check_ended_well(client: Client, name: str, case: Any) -> None:
    if "input" in case.body:
        case.body["input"] = name
    answer = sent(client, case)
    case.validate_response(answer)
    if answer.status_code == 202:
        assert unexpected(client, answer.json()["task"]) == "", case.body


@pytest.mark.parametrize("fitting", [True, False])
def test_answers_are_as_described(client: Client, ids: dict[str, str], fitting: bool) -> None:
    """Statuses, types and bodies as the description says, never 5xx; of files it cannot say which are pictures."""
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    load_all_checks()
    for operation in operations(client):
        excluded = [positive_data_acceptance] if operation.path == "/v1/inputs" else []

        check = partial(check_described, client, excluded)
        if operation.path_parameters or operation.body:
            tried(requests(operation, fitting=fitting), check)
        elif fitting:
            check(operation.Case())


def test_questions_about_what_there_is_end_in_an_answer_or_in_words(client: Client, ids: dict[str, str]) -> None:
    for operation in operations(client):
        if operation.method.lower() == "post" and operation.path != "/v1/inputs":
            tried(requests(operation, fitting=True), partial(check_ended_well, client, ids["inputs"]))


def test_what_there_is_is_answered_as_described(client: Client, ids: dict[str, str]) -> None:
    for operation in operations(client):
        kind = operation.path.split("/")[2]
        if operation.method.lower() == "get" and kind in ids:
            case = operation.Case(path_parameters={"name": ids[kind]})
            answer = sent(client, case)
            assert answer.status_code == 200, operation.path
            case.validate_response(answer)
