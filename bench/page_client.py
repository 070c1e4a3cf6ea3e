"""The page's server as a user starts it, in a process of its own, and a client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

JSON = "application/json"


@dataclass
class Client:
    """Somebody who knows the address that was printed."""

    address: str

    def __call__(self, *request: Any) -> tuple[int, bytes]:
        return self.answer(*request)[:2]

    def answer(self, method: str, path: str, body: bytes | None = None, kind: str = JSON) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        with closing(HTTPConnection(urlsplit(self.address).netloc, timeout=300)) as connection:
            connection.request(method, path, body, {"Content-Type": kind} | self.authorization)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.address.partition('#token=')[2]}"}

    def upload(self, content: bytes, kind: str = "image/jpeg") -> str:
        return str(self.said("POST", "/v1/inputs", content, kind)["input"])

    def submit(self, question: str, **body: Any) -> str:
        return str(self.said("POST", f"/v1/{question}", json.dumps(body).encode())["task"])

    def said(self, *request: Any) -> dict[str, Any]:
        status, body = self(*request)
        if status >= 300:
            raise RuntimeError(f"{status}: {body[:300]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def follow(self, task: str) -> Iterator[dict[str, Any]]:
        """The events of a task, as they come."""
        with closing(HTTPConnection(urlsplit(self.address).netloc, timeout=300)) as connection:
            connection.request("GET", f"/v1/tasks/{task}/events", headers=self.authorization)
            for line in connection.getresponse():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def document(self, question: str, **body: Any) -> bytes:
        """The answer to a question."""
        *_, last = self.follow(self.submit(question, **body))
        if last["state"] != "done":
            raise RuntimeError(str(last))
        return self("GET", f"/v1/results/{last['result']}")[1]


@dataclass(frozen=True)
class Started:
    """A server that runs.

    Arguments:
        began: The time at which its command was given, as `time.perf_counter` has it.
    """

    client: Client
    process: subprocess.Popen[str]
    began: float

    def resident(self) -> int:
        """Bytes of memory of the server and all its children."""
        return sum(map(resident, family(self.process.pid)))


@contextmanager
def started(*options: str) -> Iterator[Started]:
    """`pellucid serve` with these options, from the moment it prints its address until the block ends."""
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("pellucid")), "serve", "--no-open", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert process.stdout is not None, "it is a pipe"
        first = process.stdout.readline()
        if "http://" not in first:
            raise RuntimeError(f"the server printed {first!r}")
        yield Started(Client(first.split()[-1]), process, began)
    finally:
        process.terminate()
        process.wait()


def family(pid: int) -> list[int]:
    """A process and its children, theirs included."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue  # it has just ended
    found = [pid]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found


def command_line(pid: int) -> str:
    """How a process was started; "" of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def resident(pid: int) -> int:
    """Bytes of memory of a process; those that it shares with others are counted in part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
