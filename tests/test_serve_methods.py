"""What the server answers is what Python answers, to the bit: every method of the page, on pictures, texts, tables and sounds."""

from __future__ import annotations

import json
import random
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
import torch
from safetensors.torch import load as read_values

import pellucid as pl
from pellucid.serve.server import running
from pellucid.serve.settings import Settings
from .served import Client, picture, small_model, sound_model, table_model, text_model

pytest.importorskip("fastapi")


def sound() -> bytes:
    out, rng = BytesIO(), random.Random(0)
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(rng.randrange(-9000, 9000).to_bytes(2, "little", signed=True) for _ in range(64)))
    return out.getvalue()


TABLE = b"kind,rooms,age\nhouse,5,12\nflat,2,70\n"


@dataclass(frozen=True)
class Kind:
    """One kind of input: a model that reads it, what is uploaded, and what Python is given."""

    model: Callable[[], pl.Model]
    upload: bytes
    type: str
    x: Any
    row: int = 0


KINDS = {
    "picture": Kind(small_model, picture(), "image/png", picture()),
    "text": Kind(text_model, b"the film was not bad", "text/plain", "the film was not bad"),
    "table": Kind(table_model, TABLE, "text/csv", {"kind": "flat", "rooms": "2", "age": "70"}, row=1),
    "sound": Kind(sound_model, sound(), "audio/wav", sound()),
}
QUICK = {  # settings with which the methods that repeat take no longer than a test may
    "shapley": {"n": "4"}, "sobol": {"n": "8"}, "hsic": {"n": "16"}, "meaningful": {"steps": "5"}, "extremal": {"steps": "5"},
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Kind, Client]]:
    kind = KINDS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))  # as here: the last bit of a sum may go by it
        with running(Settings(kind.model, "small", port=19270)) as settings:
            yield kind, Client(settings)


def check_equal(client: Client, kind: Kind, model: pl.Model, name: str, method: str, settings: dict[str, str]) -> None:
    """The server's answer is Python's, or both refuse in the same words."""
    state = client.ask("explanations", input=name, row=kind.row, method=method, target=1, settings=settings)
    chosen = pl.catalogue.methods.method(method, **{name: int(value) for name, value in settings.items()})
    try:
        expected = pl.explain(model, kind.x, 1, chosen)
    except pl.PellucidError as error:
        assert state.get("error", {}).get("message") == str(error), (method, state)
        return
    assert state["state"] == "done", (method, state)
    values = read_values(client("GET", f"/v1/results/{state['result']}/values.safetensors").body)["values"]
    assert torch.equal(values, expected.values), method
    assert client("GET", f"/v1/results/{state['result']}").json["sentence"] == expected.sentence(), method


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "feature_ablation"])
def test_an_answer_is_that_of_python_to_the_bit(served: tuple[Kind, Client], method: str) -> None:
    kind, client = served
    check_equal(client, kind, kind.model(), client.upload(kind.upload, kind.type), method, {})


@pytest.mark.slow
def test_every_method_is_that_of_python_to_the_bit(served: tuple[Kind, Client]) -> None:
    kind, client = served
    model, name = kind.model(), client.upload(kind.upload, kind.type)
    offered = [one for one in client("GET", "/v1/methods").json if one["works"]]
    assert len(offered) > 12
    for one in offered:
        known = {setting["name"] for setting in one["settings"]}
        settings = {name: value for name, value in QUICK.get(one["name"], {}).items() if name in known}
        check_equal(client, kind, model, name, one["name"], settings)


def test_a_contrast_and_a_layer_are_those_of_python(served: tuple[Kind, Client]) -> None:
    kind, client = served
    model, name = kind.model(), client.upload(kind.upload, kind.type)
    state = client.ask("explanations", input=name, row=kind.row, method="lrp.epsilon", target=0, versus=1)
    values = read_values(client("GET", f"/v1/results/{state['result']}/values.safetensors").body)["values"]
    assert torch.equal(values, pl.explain(model, kind.x, 0, "lrp.epsilon", versus=1).values)
    assert "/tmp" not in json.dumps(client("GET", f"/v1/results/{state['result']}").json)
