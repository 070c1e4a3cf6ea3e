"""The server: it answers what the Python call answers, and lets in nobody and nothing that it should not."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from multiprocessing import active_children
from pathlib import Path
from struct import pack
from zlib import compress, crc32

import pytest
import torch
from PIL import Image
from safetensors.torch import load as read_values

import pellucid as pl
from pellucid.serve.guard import HEADERS
from pellucid.serve.server import check, free_port, running
from pellucid.serve.settings import Limits, Settings
from pellucid.serve.tasks import Desk, Task
from pellucid.serve.worker import Worker
from .served import HOSTILE, JSON, SIDE, Client, broken_model, picture, small_model

fastapi = pytest.importorskip("fastapi")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running(Settings(small_model, "small", port=18470, limits=Limits(queue=4))) as settings:
        yield Client(settings)


# -- what it answers ----------------------------------------------------------------------------------------------------------


def test_an_explanation_is_that_of_the_python_call_to_the_bit(client: Client) -> None:
    name = client.upload(content := picture())
    state = client.ask("explanations", input=name, method="lrp.epsilon", target="dog")
    values = client("GET", f"/v1/results/{state['result']}/values.safetensors")
    expected = pl.explain(small_model(), content, "dog", method="lrp.epsilon")
    assert torch.equal(read_values(values.body)["values"], expected.values)


def test_settings_of_a_method_are_typed_as_in_the_shell(client: Client) -> None:
    name = client.upload(picture())
    document = client.result("explanations", input=name, method="occlusion", settings={"window": "8", "stride": "8"}, target=1)
    assert "8" in json.dumps(document["provenance"])
    state = client.ask("explanations", input=name, method="occlusion", settings={"colour": "8"})
    assert state["state"] == "failed"
    assert "colour" in state["error"]["message"]


def test_what_there_is(client: Client) -> None:
    model, methods, layers = (client("GET", f"/v1/{what}").json for what in ("model", "methods", "layers"))
    assert model["labels"] == ["cat", "dog", HOSTILE]
    assert model["reads"] == "picture"
    assert {one["name"] for one in methods} >= {"lrp", "gradient", "occlusion"}
    assert all(one["reason"] for one in methods if not one["works"])
    assert [one["name"] for one in layers][:2] == ["0", "1"]


def test_hiding_a_part_is_measured(client: Client) -> None:
    name = client.upload(content := picture())
    part = {"kind": "rectangle", "numbers": [8, 8, 16, 16]}
    answer = client.result("probes", input=name, what="hide", part=part, target=0, imputer="zero", controls=5)
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[8:16, 8:16] = True
    expected = pl.hide(small_model(), content, mask, 0, imputer=0.0, controls=5)
    assert answer["change"] == expected.change
    assert answer["controls"] == list(expected.controls)
    runs = [8 * SIDE + 8, *[8, SIDE - 8] * 7, 8, SIDE * 16 + SIDE - 16]
    same = client.result(
        "probes", input=name, what="hide", part={"kind": "mask", "numbers": runs}, target=0, imputer="zero", controls=5
    )
    assert same == answer


def test_units_and_layers(client: Client) -> None:
    name = client.upload(picture())
    units = client.result("probes", input=name, what="units", part={"kind": "rectangle", "numbers": [0, 0, 9, 9]}, at="4")
    assert units["at"] == "4"
    assert units["count"] == 12
    layers = client.result("probes", input=name, what="layers", target=0)["layers"]
    assert [one["at"] for one in layers] == sorted(one["at"] for one in layers)
    assert all(one["positive"] >= 0 >= one["negative"] for one in layers)


@pytest.mark.parametrize(
    ("kind", "question"), [("compare", {"methods": ["lrp", "gradient"]}), ("concepts", {"at": "4", "top": 2, "against": 0})]
)
def test_other_results_are_documents(client: Client, kind: str, question: dict[str, object]) -> None:
    document = client.result(kind, input=client.upload(picture()), **question)
    assert document["schema"] == 1
    assert document["sentence"]


def test_a_portrait_is_shown_while_it_is_drawn(client: Client) -> None:
    answer = client.submit("portraits", target="4:3", steps=40)
    events = client.events(answer.json["task"])
    assert events[-1]["state"] == "done"
    assert any(str((event.get("progress") or {}).get("picture", "")).startswith("data:image/jpeg") for event in events)


def black_input(client: Client) -> str:
    """An input with which the model takes its time."""
    out = BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(out, "PNG")
    return client.upload(out.getvalue())


def slow(client: Client) -> str:
    """A task that takes a minute if nobody stops it."""
    question = {"input": black_input(client), "method": "occlusion", "settings": {"window": "1", "stride": "1", "batch": "1"}}
    answer = client.submit("explanations", **question)
    assert answer.status == 202, answer
    task: str = answer.json["task"]
    return task


def until(client: Client, task: str, state: str) -> None:
    for _ in range(600):
        if client("GET", f"/v1/tasks/{task}").json["state"] == state:
            return
        time.sleep(0.05)
    raise AssertionError(f"{task} did not become {state}")


def test_progress_is_told(client: Client) -> None:
    task = slow(client)
    until(client, task, "running")
    for _ in range(200):
        progress = client("GET", f"/v1/tasks/{task}").json.get("progress", {})
        if progress.get("done", 0) > 1:
            break
        time.sleep(0.05)
    assert progress["total"] == SIDE * SIDE
    assert progress["what"] == "forward passes"
    client("DELETE", f"/v1/tasks/{task}")


def test_a_task_that_ends_while_its_last_event_is_sent_is_told_to_its_end() -> None:
    from pellucid.serve.app import follow

    desk, task = Desk(Worker(small_model, Limits()), Limits()), Task("explanations", {}, {}, state="running", changes=1)

    async def heard() -> list[str]:
        states = []
        async for event in follow(desk, task):
            states.append(json.loads(event.removeprefix(b"data: "))["state"])
            task.change(state="done", result="x")
        return states

    assert asyncio.run(heard()) == ["running", "done"]


def test_cancelled_work_stops_and_the_next_begins(client: Client) -> None:
    task = slow(client)
    until(client, task, "running")
    assert client("DELETE", f"/v1/tasks/{task}").status == 204
    assert client("GET", f"/v1/tasks/{task}").json["state"] == "cancelled"
    assert client.ask("explanations", input=client.upload(picture()), method="gradient")["state"] == "done"


def test_a_closed_tab_frees_the_work(client: Client) -> None:
    task = slow(client)
    with socket.create_connection(("127.0.0.1", client.settings.port)) as raw:
        host = f"127.0.0.1:{client.settings.port}"
        lines = f"GET /v1/tasks/{task}/events HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {client.settings.token}"
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        raw.recv(2000)
    until(client, task, "cancelled")


def test_a_full_queue_turns_away_and_says_when_to_come_again(client: Client) -> None:
    tasks = [slow(client) for _ in range(2)]
    until(client, tasks[0], "running")
    with ThreadPoolExecutor(50) as pool:
        name = client.upload(picture())
        answers = list(pool.map(lambda _: client.submit("explanations", input=name, method="gradient"), range(50)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {202, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status == 429)
    for task in [*tasks, *(answer.json["task"] for answer in answers if answer.status == 202)]:
        client("DELETE", f"/v1/tasks/{task}")


def test_a_killed_worker_is_told_once_and_replaced(client: Client) -> None:
    task = slow(client)
    until(client, task, "running")
    for process in active_children():
        if process.name == "pellucid-compute":
            process.kill()
    until(client, task, "failed")
    assert "started again" in client("GET", f"/v1/tasks/{task}").json["error"]["message"]
    assert client.ask("explanations", input=client.upload(picture()), method="gradient")["state"] == "done"


def test_a_model_that_cannot_be_loaded_says_why() -> None:
    with running(Settings(broken_model, port=18570)) as settings:
        answer = Client(settings)("GET", "/v1/model")
    assert answer.status == 503
    assert "Bring one." in answer.json["error"]["message"]


def test_check_starts_asks_and_stops() -> None:
    assert check(Settings(small_model, port=18670))["labels"][0] == "cat"


def test_the_next_free_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 18770)):
        assert free_port(Settings(small_model, port=18770)).port == 18771


def test_without_a_token_only_this_machine_is_served() -> None:
    with pytest.raises(pl.InputError, match="Leave out --no-token"):
        Settings(small_model, host="0.0.0.0", token=None)
    assert Settings(small_model, token=None).address.endswith(":8470/")


# -- whom it lets in ----------------------------------------------------------------------------------------------------------


def test_the_token_stands_in_the_fragment_which_no_server_gets(client: Client) -> None:
    assert f"/#token={client.settings.token}" in client.settings.address


@pytest.mark.parametrize("path", ["/v1/model", "/v1/methods", "/v1/results/" + "a" * 26, "/openapi.json", "/v1/nothing"])
@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", "Basic dXNlcg==", "Bearer \u00e9"])
def test_without_the_token_nothing_is_told(client: Client, path: str, token: str) -> None:
    answer = client("GET", path, headers={"Authorization": token})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_in_the_query_is_not_taken(client: Client) -> None:
    assert client("GET", f"/v1/model?token={client.settings.token}", headers={"Authorization": ""}).status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:18470", "127.0.0.1", "127.0.0.1:1", ""])
def test_under_another_name_nothing_is_answered(client: Client, host: str) -> None:
    """DNS rebinding: a page of another site that resolves to this machine."""
    with socket.create_connection(("127.0.0.1", client.settings.port)) as raw:
        lines = "GET / HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {client.settings.token}", "Connection: close"
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        assert b" 421 " in raw.recv(2000).partition(b"\r\n")[0]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:18470", "http://127.0.0.1:1"])
def test_another_site_is_not_answered(client: Client, origin: str) -> None:
    assert client("GET", "/v1/model", headers={"Origin": origin}).status == 403
    assert client("POST", "/v1/inputs", picture(), {"Origin": origin, "content-type": "image/png"}).status == 403


def test_the_own_origin_is_answered(client: Client) -> None:
    answer = client("GET", "/v1/model", headers={"Origin": f"http://127.0.0.1:{client.settings.port}"})
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/v1/model", "/v1/nothing"])
def test_every_answer_forbids_what_the_page_does_not_need(client: Client, path: str) -> None:
    headers = client("GET", path).headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert "server" not in headers


PATHS = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "//proc/self/root",
    "C:\\boot.ini",
    "a" * 25,
    "A" * 26,
]


@pytest.mark.parametrize("name", [*PATHS, "file:///etc/passwd", "http://evil.example/x.png", "a" * 25 + "\u0000"])
def test_no_path_or_address_is_ever_opened(client: Client, name: str) -> None:
    from urllib.parse import quote

    for route in ("/static/{}", "/v1/inputs/{}/picture", "/v1/results/{}", "/v1/tasks/{}"):
        assert client("GET", route.format(quote(name, safe="%/"))).status in (404, 422)
    assert client.submit("explanations", input=name).status == 422


def test_fields_that_are_not_known_are_refused(client: Client) -> None:
    name = client.upload(picture())
    assert client.submit("explanations", input=name, path="/etc/passwd").status == 422
    assert client.submit("explanations", input=name, method="lrp", settings={"a": 1}).status == 422
    assert client("POST", "/v1/explanations", b"not json", JSON).status == 422
    assert client("POST", "/v1/explanations", b"{}", {"content-type": "text/plain"}).status == 415


def test_methods_that_a_route_does_not_have(client: Client) -> None:
    assert client("PUT", "/v1/model").status == 405
    assert client("TRACE", "/v1/model").status in (400, 405)


def test_nothing_that_a_client_sent_is_shown_as_a_page(client: Client) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    assert client("POST", "/v1/inputs", svg, {"content-type": "image/svg+xml"}).status == 415
    assert client("POST", "/v1/inputs", svg, {"content-type": "image/png"}).status == 422
    shown = client("GET", f"/v1/inputs/{client.upload(picture(kind='JPEG'), 'image/jpeg')}/picture")
    assert shown.headers["content-type"] == "image/png"


# -- uploads ------------------------------------------------------------------------------------------------------------------


def test_no_metadata_is_kept(client: Client) -> None:
    image, out = Image.new("RGB", (40, 20), "red"), BytesIO()
    exif = image.getexif()
    exif[0x0112], exif[0x010E] = 6, "patient 4711"
    image.save(out, "JPEG", exif=exif)
    shown = client("GET", f"/v1/inputs/{client.upload(out.getvalue(), 'image/jpeg')}/picture")
    assert b"4711" not in shown.body
    assert Image.open(BytesIO(shown.body)).size == (20, 40)


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises to be so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", compress(bytes(99)))
    )


@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 2), (2, 20_000), (65_000, 65_000)])
def test_bombs_are_refused_by_their_header(client: Client, size: tuple[int, int]) -> None:
    answer = client("POST", "/v1/inputs", png_header(*size), {"content-type": "image/png"})
    assert answer.status == 422
    assert "not decoded" in answer.json["error"]["message"]


def test_too_much_is_refused_whatever_the_header_says(client: Client) -> None:
    most = client.settings.limits.upload
    assert client("POST", "/v1/inputs", bytes(most + 1), {"content-type": "image/png"}).status == 413
    with socket.create_connection(("127.0.0.1", client.settings.port)) as raw:
        lines = [
            "POST /v1/inputs HTTP/1.1", f"Host: 127.0.0.1:{client.settings.port}", "Content-Type: image/png",
            f"Authorization: Bearer {client.settings.token}", "Transfer-Encoding: chunked", "Connection: close",
        ]  # fmt: skip
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        block = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        try:
            for _ in range(most // 0x100000 + 2):
                raw.sendall(block)
        except OSError:
            pass  # the server has already answered and closed
        assert b" 413 " in raw.recv(2000).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image/png", b""), ("image/gif", b"GIF89a"), ("application/zip", b"PK"), ("", b"x"), ("text/html", b"<b>"),
        ("text/plain", b"\xff\xfe"), ("text/plain", b"  "), ("text/plain", b"a\0b"), ("text/plain", b"a" * 300_000),
        ("text/csv", b"a,b\n"), ("text/csv", b"\xff"), ("audio/wav", b"RIFFxxxxAVI "), ("multipart/form-data", b"--x"),
    ],
)  # fmt: skip
def test_what_is_no_input_is_refused(client: Client, kind: str, content: bytes) -> None:
    answer = client("POST", "/v1/inputs", content, {"content-type": kind})
    assert answer.status in (413, 415, 422)
    assert answer.json["error"]["message"]


def test_mutated_uploads_are_answered_clearly(client: Client) -> None:
    rng = random.Random(7)
    for number in range(60):
        content = bytearray(picture(kind=("PNG", "JPEG", "WEBP")[number % 3]))
        for _ in range(rng.randint(1, 40)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        answer = client("POST", "/v1/inputs", bytes(content[: rng.randint(1, len(content))]), {"content-type": "image/png"})
        assert answer.status in (201, 422), answer


def test_inputs_and_results_can_be_forgotten(client: Client) -> None:
    name = client.upload(picture())
    assert client("DELETE", f"/v1/inputs/{name}").status == 204
    assert client("GET", f"/v1/inputs/{name}/picture").status == 404
    assert client.submit("explanations", input=name).status == 404


@pytest.mark.parametrize("what", ["a picture", "a folder"])
def test_the_words_of_a_text_are_never_the_path_of_a_file(client: Client, what: str, tmp_path: Path) -> None:
    """A model of pictures takes a path in Python: from a client it would read any file of this machine."""
    (tmp_path / "secret.png").write_bytes(picture())
    words = str(tmp_path if what == "a folder" else tmp_path / "secret.png")
    state = client.ask("explanations", input=client.upload(words.encode(), "text/plain"), method="gradient")
    assert state["state"] == "failed"
    assert "a model that reads pictures" in state["error"]["message"]
