"""What went wrong in servers of this kind, each as an attempt on this one; the names are those of the reports."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import pellucid as pl
from pellucid.serve.guard import HEADERS
from pellucid.serve.server import running
from pellucid.serve.settings import Limits, Settings
from .served import JSON, Answer, Client, picture, small_model

pytest.importorskip("fastapi")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the operator opens, with one picture, and a link to another one that lies elsewhere."""
    home = tmp_path_factory.mktemp("home")
    (root := home / "root").mkdir()
    (root / "mine.png").write_bytes(picture())
    (home / "secret.png").write_bytes(picture((1, 2, 3)))
    (root / "link.png").symlink_to(home / "secret.png")
    (root / "all").symlink_to(home, target_is_directory=True)
    return root


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    limits = Limits(arrival=1.0, upload=200_000)
    with running(Settings(small_model, "small", port=19570, limits=limits, roots={"photos": str(folder)})) as settings:
        yield Client(settings)


def raw(client: Client, *lines: str, body: bytes = b"") -> bytes:
    """What comes back to bytes that no library would send."""
    with socket.create_connection(("127.0.0.1", client.settings.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def head(client: Client, first: str, *more: str) -> list[str]:
    own = f"127.0.0.1:{client.settings.port}"
    return [first, f"Host: {own}", f"Authorization: Bearer {client.settings.token}", *more]


# -- paths and addresses of clients (CVE-2023-51449, CVE-2024-51751, CVE-2026-28414, MLflow CVE-2024-3848, CVE-2023-6977) -----


@pytest.mark.parametrize("root", ["../home", "photos/../..", "/etc", "photos\0", "", "..", "photos/all", "PHOTOS"])
def test_a_root_is_a_name_and_no_path(client: Client, root: str) -> None:
    answer = client.submit("examples", target=0, root=root)
    assert answer.status in (404, 422)


def test_links_out_of_an_opened_folder_are_not_followed(client: Client) -> None:
    state = client.ask("examples", target=0, root="photos")
    assert state["state"] == "done", state
    found = client("GET", f"/v1/results/{state['result']}").body.decode()
    assert "mine" in found
    assert "link" not in found
    assert "secret" not in found
    assert str(Path.home()) not in found


@pytest.mark.parametrize(
    "path", ["/static/..%2fsettings.py", "/static/%2e%2e/app.py", "/static/page.js%00.css", "//static/page.js"]
)
def test_only_the_files_of_the_page_are_static(client: Client, path: str) -> None:
    assert client("GET", path).status in (401, 404)


def test_no_address_of_a_client_is_ever_fetched(client: Client) -> None:
    """CVE-2024-4325, CVE-2026-28416: a server that fetches what a client names reaches what the client cannot."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(1.0)
        url = f"http://127.0.0.1:{inside.getsockname()[1]}/picture.png"
        name = client.upload(url.encode(), "text/plain")
        for kind, question in (
            ("explanations", {"input": name}), ("explanations", {"input": client.upload(picture()), "target": url, "at": url}),
            ("explanations", {"input": name, "method": url}), ("portraits", {"target": url, "recipe": url}),
            ("examples", {"target": 0, "root": url}),
        ):  # fmt: skip
            answer = client.submit(kind, **question)
            if answer.status == 202:
                assert client.events(answer.json["task"])[-1]["state"] == "failed"
        with pytest.raises(TimeoutError):
            inside.accept()


@pytest.mark.parametrize("path", ["//evil.example/", "/%2f%2fevil.example", "/v1/model/", "/\\evil.example", "/static/"])
def test_nothing_redirects(client: Client, path: str) -> None:
    """CVE-2023-39968: an open redirect hands on where somebody came from, token included."""
    answer = client("GET", quote(path, safe="%/"))
    assert answer.status in (401, 404)
    assert "location" not in answer.headers


# -- headers (gradio#13594, CVE-2026-86049, CVE-2025-62727) -------------------------------------------------------------------


def refusals(client: Client) -> dict[int, Answer]:
    """An answer of every kind that the server refuses with."""
    ask = {"target": 0, "root": "nothing"}
    made = [
        client("GET", "/v1/model", headers={"Authorization": ""}), client("GET", "/v1/model", headers={"Origin": "http://evil"}),
        client("GET", "/v1/model", headers={"Host": "evil.example"}), client("GET", "/v1/results/" + "a" * 26),
        client("PUT", "/v1/model"), client("POST", "/v1/inputs", bytes(300_000), {"content-type": "image/png"}),
        client("POST", "/v1/inputs", b"x", {"content-type": "application/zip"}), client("POST", "/v1/examples", b"{", JSON),
        client.submit("examples", **ask),
    ]  # fmt: skip
    return {answer.status: answer for answer in made}


def test_every_refusal_has_the_headers_and_says_why(client: Client) -> None:
    found = refusals(client)
    assert found.keys() == {401, 403, 404, 405, 413, 415, 421, 422}
    for status, answer in found.items():
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, status
        assert len(answer.json["error"]["message"]) > 8, status
        assert str(client.settings.token) not in answer.body.decode() + str(answer.headers)


@pytest.mark.parametrize(
    "name", ["a%0d%0aSet-Cookie: x=1", "%00", "../../x.png", '"><script>alert(1)</script>', "%ff%fe", "x" * 9000]
)
def test_the_name_of_a_file_reaches_no_header_and_no_path(client: Client, name: str) -> None:
    answer = client("POST", "/v1/inputs", picture(), {"content-type": "image/png", "x-name": name})
    assert answer.status == 201
    shown = client("GET", f"/v1/inputs/{answer.json['input']}/picture")
    assert "set-cookie" not in {**answer.headers, **shown.headers}
    assert "content-disposition" not in shown.headers


def test_two_hosts_are_no_host(client: Client) -> None:
    lines = head(client, "GET / HTTP/1.1", "Host: evil.example", "Connection: close")
    assert raw(client, *lines).startswith(b"HTTP/1.1 400 ")


def test_two_lengths_are_no_length(client: Client) -> None:
    """Request smuggling: two readers that find different ends of a body."""
    lines = head(client, "POST /v1/inputs HTTP/1.1", "Content-Type: image/png", "Content-Length: 5", "Content-Length: 6")
    assert raw(client, *lines, body=b"abcdef").startswith(b"HTTP/1.1 400 ")
    lines = head(client, "POST /v1/inputs HTTP/1.1", "Content-Type: image/png", f"Content-Length: {'9' * 5000}")
    assert raw(client, *lines).split()[1] in (b"400", b"413")


def test_a_range_is_not_computed(client: Client) -> None:
    ranges = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(500))
    whole, part = client("GET", "/static/page.js"), client("GET", "/static/page.js", headers={"Range": ranges})
    assert (part.status, part.body) == (200, whole.body)


def test_a_proxy_with_https_may_be_named() -> None:
    settings = Settings(small_model, names=("explain.example.org",))
    assert "https://explain.example.org" in settings.origins
    assert "https://127.0.0.1:8470" not in settings.origins


# -- bodies (CVE-2024-47874, CVE-2025-54121, CVE-2026-54283) ------------------------------------------------------------------


def test_forms_are_not_read(client: Client) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="a"; filename="/etc/passwd"\r\n\r\nx\r\n--x--'
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        assert client("POST", "/v1/inputs", form, {"content-type": kind}).status == 415
        assert client("POST", "/v1/explanations", form, {"content-type": kind}).status == 415


@pytest.mark.parametrize("how", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_arrive_is_given_up(client: Client, how: str) -> None:
    lines = head(client, "POST /v1/inputs HTTP/1.1", "Content-Type: image/png", how)
    body = b"\x89PNG" if "Length" in how else b"4\r\n\x89PNG\r\n"
    assert raw(client, *lines, body=body).startswith(b"HTTP/1.1 408 ")


def test_others_are_answered_while_bodies_trickle_in(client: Client) -> None:
    lines = head(client, "POST /v1/inputs HTTP/1.1", "Content-Type: image/png", "Content-Length: 1000")
    slow = [socket.create_connection(("127.0.0.1", client.settings.port)) for _ in range(20)]
    for one in slow:
        one.sendall("\r\n".join([*lines, "", ""]).encode() + b"x")
    assert client("GET", "/v1/model").status == 200
    for one in slow:
        one.close()
    assert client("POST", "/v1/inputs", picture(), {"content-type": "image/png"}).status == 201


def test_a_question_that_is_too_long_or_too_deep_is_refused(client: Client) -> None:
    assert client("POST", "/v1/explanations", b"[" * 2_000_000, JSON).status == 413
    assert client("POST", "/v1/explanations", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, JSON).status in (400, 422)
    assert client("POST", "/v1/explanations", b'{"row": ' + b"9" * 10_000 + b"}", JSON).status in (400, 422)
    assert client("POST", "/v1/explanations", json.dumps({"\ud800": "\ud800"}).encode(), JSON).status == 422


# -- what a program says (CVE-2024-34511), and what it keeps ------------------------------------------------------------------


def test_the_routes_are_these_and_no_others(client: Client) -> None:
    paths = {path for path in client("GET", "/openapi.json").json["paths"] if not path.startswith("/v1/runs")}
    questions = {f"/v1/{kind}" for kind in "explanations compare concepts probes portraits examples metrics".split()}
    things = {"/v1/inputs", "/v1/inputs/{name}", "/v1/inputs/{name}/picture", "/v1/tasks/{name}", "/v1/tasks/{name}/events"}
    results = {"/v1/results/{name}" + end for end in ("", "/values.safetensors", "/report.html")}
    assert paths == questions | things | results | {"/v1/model", "/v1/card", "/v1/methods", "/v1/layers"}


def test_the_server_does_not_import_what_computes() -> None:
    code = "import sys, pellucid.serve.app, pellucid.serve.server, uvicorn; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "PIL.Image", "opentelemetry.sdk"} & set(modules)


def test_nothing_is_written_to_disk(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(Settings(small_model, port=19670)) as settings:
        other = Client(settings)
        assert other.ask("explanations", input=other.upload(picture()), method="gradient")["state"] == "done"
        time.sleep(0.1)
        assert [one.name for one in tmp_path.rglob("*") if one.is_file() and not one.name.startswith("torchinductor")] == []


def test_a_token_on_loopback_too() -> None:
    assert Settings(small_model).token is not None
    assert len(str(Settings(small_model).token)) >= 40
    assert Settings(small_model).token != Settings(small_model).token
    with pytest.raises(pl.InputError, match="without a token"):
        Settings(small_model, host="192.0.2.1", token=None)
