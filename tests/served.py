"""A small model that the server's tests serve, made by a function that another process can import; and a client."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

import pellucid as pl
from pellucid.serve.settings import Settings

JSON = {"content-type": "application/json"}
HOSTILE = '</script><img src=x onerror="alert(1)">'
SIDE = 32
DEAD = 11  # a unit of layer "5" of the small model that nothing excites


class Slow(nn.Module):
    """Waits a little in every forward pass where the picture is black, so that tests can catch it at work."""

    def forward(self, x: Tensor) -> Tensor:
        if float(x.abs().sum()) == 0:
            time.sleep(0.05)
        return x


def small_model() -> pl.Model:
    """A convolutional network of three classes, one with a hostile name, that reads pictures of 32 x 32; one unit is dead."""
    torch.manual_seed(0)
    features = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
    net = nn.Sequential(Slow(), *features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3)).eval()
    with torch.no_grad():
        net[4].bias[DEAD] = -100.0
    how = pl.Preprocess((SIDE, SIDE), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return pl.load(net, preprocess=how, labels=("cat", "dog", HOSTILE))


def broken_model() -> pl.Model:
    raise pl.ModelError("the model", "nothing", "it is not there", "Bring one.")


def picture(colour: tuple[int, int, int] = (200, 40, 90), *, side: int = 48, kind: str = "PNG") -> bytes:
    """A picture with a bright square on a ground of one colour."""
    image = Image.new("RGB", (side, side), colour)
    image.paste((250, 250, 20), (side // 4, side // 4, side // 2, side // 2))
    out = BytesIO()
    image.save(out, kind)
    return out.getvalue()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Somebody who knows the token."""

    settings: Settings

    def __call__(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        known = {"Authorization": f"Bearer {self.settings.token}"} | dict(headers or {})
        known = {name: value for name, value in known.items() if value}
        request = urllib.request.Request(f"http://127.0.0.1:{self.settings.port}{path}", body, known, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.headers.items()})
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), {k.lower(): v for k, v in error.headers.items()})

    def upload(self, content: bytes, kind: str = "image/png", **headers: str) -> str:
        """The id of an upload."""
        answer = self("POST", "/v1/inputs", content, {"content-type": kind} | headers)
        assert answer.status == 201, answer
        name: str = answer.json["input"]
        return name

    def submit(self, kind: str, **question: Any) -> Answer:
        return self("POST", f"/v1/{kind}", json.dumps(question).encode(), JSON)

    def ask(self, kind: str, **question: Any) -> dict[str, Any]:
        """The last state of a task, followed to its end."""
        answer = self.submit(kind, **question)
        assert answer.status == 202, answer
        return self.events(answer.json["task"])[-1]

    def events(self, task: str) -> list[dict[str, Any]]:
        stream = self("GET", f"/v1/tasks/{task}/events").body.decode()
        return [json.loads(part.removeprefix("data: ")) for part in stream.split("\n\n") if part.startswith("data: ")]

    def result(self, kind: str, **question: Any) -> dict[str, Any]:
        """The document that answers a question."""
        state = self.ask(kind, **question)
        assert state["state"] == "done", state
        document: dict[str, Any] = self("GET", f"/v1/results/{state['result']}").json
        return document


def text_model() -> pl.Model:
    """A network that reads words it knows, and answers with three classes."""
    from .readers import VOCABULARY, Reads

    torch.manual_seed(0)
    return pl.load(Reads().eval(), preprocess=pl.Text(VOCABULARY), labels=("bad", "good", HOSTILE))


def table_model() -> pl.Model:
    """A network of a category and two numbers."""
    torch.manual_seed(0)
    columns = pl.Columns((pl.Column("kind", values=("house", "flat")), pl.Column("rooms"), pl.Column("age", "years", 30.0, 20.0)))
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).eval()
    return pl.load(net, preprocess=columns, labels=("cheap", "dear"))


def sound_model() -> pl.Model:
    """A network of three classes that listens to 64 samples."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(240, 3)).eval()
    return pl.load(net, preprocess=pl.Signal(8000.0, length=64), labels=("hum", "hiss", HOSTILE))


def tree(pid: int) -> list[Any]:
    """All processes that a process has started, and those that these have."""
    import psutil

    children: list[Any] = psutil.Process(pid).children(recursive=True)
    return children


def sound() -> bytes:
    """64 samples of a tone that swells, as a WAV file."""
    time_s = torch.arange(64) / 8000
    samples = (2_000_000 * time_s * torch.sin(2 * torch.pi * 440 * time_s)).to(torch.int16)
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.numpy().tobytes())
    return out.getvalue()
