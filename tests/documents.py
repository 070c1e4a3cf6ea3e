"""Results of every kind and their documents, for tests and for those who paint them.

python -m tests.documents FOLDER [NAME ...]     writes one JSON file for each, or for those that are named
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pellucid as pl
from pellucid.render.document import document
from tests.golden import make_saved
from tests.readers import TEXTS, Reads, Speaks, made

RATE = 8000
COLUMNS = pl.Columns((
    pl.Column("age", "years", 50.0, 10.0),
    pl.Column("smoker", values=("no", "yes")),
    pl.Column("town", values=("Bern", "Łódź", "Rome"), code=True),
    pl.Column("dose", "mg", 2.0, 0.5),
))  # fmt: skip
ROW = {"age": 61, "smoker": "yes", "town": "Rome", "dose": 1.5}
LABELS = ["low", "middle", "</script><img src=x onerror=alert(1)>"]


@cache
def folder() -> Path:
    return Path(mkdtemp())


@cache
def cat() -> str:
    """A photograph as a file."""
    import skimage.data

    path = folder() / "cat.png"
    Image.fromarray(skimage.data.chelsea()).save(path)
    return str(path)


def seeded(*layers: nn.Module) -> nn.Module:
    """A network with random weights, the same ones every time."""
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(*layers).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return net.requires_grad_(False)


def small() -> nn.Module:
    """Reads pictures of 12 x 12 in one colour."""
    return seeded(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * 36, 3))


def pixels(count: int = 1) -> torch.Tensor:
    return torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def table_model() -> pl.Model:
    net = seeded(nn.Linear(COLUMNS.width, 8), nn.ReLU(), nn.Linear(8, 3))
    return pl.load(net, preprocess=COLUMNS, labels=LABELS, name="risk")


def series_model() -> pl.Model:
    net = seeded(nn.Conv1d(2, 4, 9, padding=4), nn.ReLU(), nn.AvgPool1d(10), nn.Flatten(), nn.Linear(4 * 400, 3))
    return pl.load(net, preprocess=pl.Signal(250, ("I", "II"), "mV"), labels=LABELS, name="rhythm")


def series() -> np.ndarray:
    time = np.arange(4000) / 250
    return np.stack([np.sin(2 * np.pi * time) ** 21, np.random.default_rng(0).normal(size=4000) * 0.1])


def sound_model() -> pl.Model:
    net = seeded(nn.Conv1d(1, 4, 33, stride=16), nn.ReLU(), nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Linear(32, 3))
    return pl.load(net, preprocess=pl.Signal(RATE, ("sound",)), name="sounds")


def sound() -> np.ndarray:
    time = np.arange(RATE) / RATE
    return (np.sin(2 * np.pi * (300 + 800 * time) * time) * np.exp(-3 * time))[None]


class TwoInputs(nn.Module):
    """A picture and a row."""

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.row = small(), seeded(nn.Linear(4, 3))

    def forward(self, picture: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.picture(picture) + self.row(row)
        return answer


def marked_picture() -> Any:
    return pl.explain("efficientnet_lite0", cat(), versus="lynx")


def compared_picture() -> Any:
    methods = {"lrp": "lrp", "gradient_x_input": "gradient_x_input", "gradcam": "gradcam"}
    return pl.compare("efficientnet_lite0", cat(), methods | {"occlusion": pl.perturb.occlusion(window=32, stride=32)})


def eight() -> Any:
    """Methods whose maps have a value of its own for every pixel."""
    methods = [
        "lrp",
        "lrp.epsilon_plus",
        "lrp.epsilon",
        "gradient",
        "saliency",
        "gradient_x_input",
        "guided_backprop",
        "deeplift",
    ]
    return pl.compare("efficientnet_lite0", cat(), methods)


def text() -> Any:
    return pl.explain(made(Reads(), labels=["bad", "good", "neither"]), TEXTS[0])


def generated() -> Any:
    return pl.explain(made(Speaks()), TEXTS[0], pl.generated(5))


def inputs() -> Any:
    row = torch.randn(1, 4, generator=torch.Generator().manual_seed(0))
    return pl.explain(TwoInputs().eval(), (pixels(), row), 1, "gradient_x_input")


def nothing() -> Any:
    return pl.explain(small(), torch.zeros(1, 1, 12, 12), 1, "gradient_x_input")


def undersampled() -> Any:
    return pl.explain(small(), pixels(), 1, pl.perturb.rise(budget=8))


def hiding() -> Any:
    part = torch.zeros(8, 8, dtype=torch.bool)
    part[2:5, 2:5] = True
    return pl.hide(make_saved.sees(), make_saved.photograph(), part, "tabby", controls=5)


def many_rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [ROW | {"age": float(rng.normal(50, 10)), "dose": float(rng.normal(2, 0.5))} for _ in range(20)]


def confusion() -> Any:
    data = TensorDataset(make_saved.batch(12), torch.arange(12) % 3)
    return pl.confusion(make_saved.sees(), DataLoader(data, batch_size=6), method="gradient_x_input")


RESULTS: dict[str, Callable[[], Any]] = {
    "cat": marked_picture,
    "compare": compared_picture,
    "eight": eight,
    "tensor": lambda: pl.explain(small(), pixels(), 1),
    "nothing": nothing,
    "undersampled": undersampled,
    "text": text,
    "generated": generated,
    "table": lambda: pl.explain(table_model(), ROW),
    "series": lambda: pl.explain(series_model(), series()),
    "sound": lambda: pl.explain(sound_model(), sound()).spectrogram(),
    "features": lambda: pl.explain(seeded(nn.Linear(5, 2)), torch.ones(1, 5), 1),
    "inputs": inputs,
    "inside": make_saved.inside,
    "sampled": make_saved.sampled,
    "conditions": make_saved.conditions,
    "vectors": make_saved.vectors,
    "bars": make_saved.shapley,
    "picture-and-row": make_saved.inputs,
    "batch": make_saved.photographs,
    "two-texts": make_saved.text,
    "comparison": make_saved.compared,
    "concepts": make_saved.found,
    "maximize": make_saved.drawn,
    "beside": make_saved.beside,
    "examples": make_saved.answering,
    "evaluation": make_saved.evaluated,
    "findings": make_saved.pasted,
    "trust": make_saved.trusted,
    "card": lambda: pl.inspect(make_saved.sees()),
    "verification": lambda: pl.verify(make_saved.sees(), make_saved.batch(1)),
    "hiding": hiding,
    "stream": lambda: pl.explain(make_saved.sees(), iter([make_saved.batch(2)]), "tabby"),
    "overview": lambda: pl.overview(table_model(), many_rows(), 1),
    "chart": lambda: pl.overview(table_model(), many_rows(), 1).beeswarm(),
    "confusion": confusion,
    "report": lambda: [make_saved.picture(), make_saved.sampled(), text(), make_saved.evaluated()],
}


@cache
def result(name: str) -> Any:
    """One result."""
    return RESULTS[name]()


@cache
def of(name: str) -> dict[str, Any]:
    """Its document."""
    return document(result(name))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or RESULTS:
        one = of(name)
        words = json.dumps(one, ensure_ascii=False)
        (out / f"{name}.json").write_text(words, encoding="utf-8")
        print(f"{out / name}.json: {one['kind']}, {len(words.encode()):,} bytes")
