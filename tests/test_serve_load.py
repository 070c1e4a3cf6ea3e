"""What the server holds after many uploads, and what many clients get at once. With the built-in model: `bench/page_load.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pellucid.serve.server import running
from pellucid.serve.settings import Limits, Settings
from .served import Client, picture, small_model, tree

pytest.importorskip("fastapi")
psutil = pytest.importorskip("psutil")

GROWTH = 50e6  # bytes


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running(Settings(small_model, "small", port=19770, limits=Limits(queue=4))) as settings:
        yield Client(settings)


def resident() -> int:
    """Bytes of this process, where the server is a thread, and of all that it started."""
    return sum(int(one.memory_info().rss) for one in (psutil.Process(), *tree(os.getpid())))


def visit(client: Client, number: int) -> None:
    """A picture that no other visit has: dropped, explained, looked at."""
    name = client.upload(picture((number % 256, number // 2 % 256, 90), side=300))
    state = client.ask("explanations", input=name, method=("lrp", "gradient")[number % 2])
    assert state["state"] == "done", state
    assert client("GET", f"/v1/results/{state['result']}").status == 200


@pytest.mark.slow
def test_five_hundred_uploads_leave_little_behind(client: Client) -> None:
    for number in range(100):
        visit(client, number)
    before = resident()
    for number in range(100, 600):
        visit(client, number)
    assert resident() - before < GROWTH


def test_what_was_dropped_to_make_room_is_gone_and_said_so() -> None:
    with running(Settings(small_model, port=19870, limits=Limits(kept=100, few=2, ceiling=20_000))) as settings:
        client = Client(settings)
        names = [client.upload(picture((number, 9, 9), side=60)) for number in range(5)]
        statuses = [client("GET", f"/v1/inputs/{name}/picture").status for name in names]
        assert statuses == [404, 404, 404, 200, 200]
        assert "dropped" in client.submit("explanations", input=names[0]).json["error"]["message"]
        assert client("GET", "/v1/model").json["name"] == "Sequential"


def test_fifty_clients_are_answered_or_told_when_to_come_again(client: Client) -> None:
    name = client.upload(picture())

    def attempt(target: int) -> str:
        answer = client.submit("explanations", input=name, method="gradient", target=target % 3)
        if answer.status == 429:
            assert int(answer.headers["retry-after"]) > 0
            return "later"
        return str(client.events(answer.json["task"])[-1]["state"])

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(attempt, range(50))) <= {"done", "later"}
