"""Freeze one file of every kind that pellucid writes, so that files of today can still be read, and still look so, later on.

    python tests/golden/make_saved.py [FOLDER] [NAME ...]

Run by hand when a kind of file is added, with the names of the new ones: files that are there were written by an earlier version,
which is why they are kept. FOLDER is tests/golden/saved unless said otherwise; without names everything is written anew. Takes
half a minute. Networks are tiny, seeded, and of plain torch, so that all files together stay below 300 kB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import pellucid as pl

FOLDER = Path("tests/golden/saved")
Made = Mapping[str, Callable[[], Any]]


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def seeded(*layers: nn.Module, seed: int = 0) -> nn.Module:
    """The layers in a row, with weights of their own and biases that are not zero."""
    net, rng = nn.Sequential(*layers).eval(), torch.Generator().manual_seed(seed)
    for weight in net.parameters():
        size = 0.2 if weight.dim() == 1 else (2 / weight[0].numel()) ** 0.5
        weight.data = torch.randn(weight.shape, generator=rng) * size
    return net


def convolutional() -> nn.Module:
    return seeded(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * 16, 3),
    )  # fmt: skip


def sees() -> pl.Model:
    """A network of pictures, 8 x 8, with labels."""
    how = pl.Preprocess((8, 8), mean=(0.5,) * 3, std=(0.5,) * 3)
    return pl.load(convolutional(), preprocess=how, labels=["tabby", "goldfish", "volcano"], name="small convnet")


def photograph() -> Any:
    return (rand(8, 8, 3, seed=3) * 255).to(torch.uint8).numpy()


def batch(n: int = 2) -> Tensor:
    return 2 * rand(n, 3, 8, 8, seed=4) - 1


def columns() -> pl.Columns:
    named = pl.Column("age", "years", 48.0, 14.0), pl.Column("smoker", values=("no", "yes")), pl.Column("dose", "mg", 2.0, 0.5)
    return pl.Columns(named)


ROWS = [{"age": 61, "smoker": "yes", "dose": 1.5}, {"age": 33, "smoker": "no", "dose": 2.5}]


def picture() -> pl.Explanation:
    return pl.explain(sees(), photograph(), method="lrp")


def pictures() -> pl.Explanation:
    """A batch, with a target for each."""
    return pl.explain(sees(), batch(), target=["goldfish", "volcano"], method="lrp.epsilon_plus")


def photographs() -> pl.Explanation:
    """A batch, each with its own picture below the map."""
    other = (rand(8, 8, 3, seed=5) * 255).to(torch.uint8).numpy()
    e = pl.explain(sees(), batch(), target="tabby", method="gradcam")
    return replace(e, picture=np.stack([photograph(), other]))


def sampled() -> pl.Explanation:
    """Values with standard errors, one per place."""
    return pl.explain(sees(), photograph(), method=pl.perturb.rise(grid=4, budget=64))


def noisy() -> pl.Explanation:
    """Values with standard errors, one per entry."""
    return pl.explain(sees(), photograph(), target="tabby", method="smoothgrad")


def shared() -> pl.Explanation:
    """Channels that share the values of their place."""
    return pl.explain(sees(), photograph(), target="tabby", method=pl.perturb.occlusion(window=2, stride=2))


def double() -> pl.Explanation:
    """In double precision, of a contrast."""
    return pl.explain(convolutional().double(), batch(1).double(), target=pl.logit(0) - pl.logit(2), method="gradient_x_input")


def inside() -> pl.Explanation:
    return pl.explain(sees(), photograph(), target="tabby", at="4")


def conditions() -> pl.Explanation:
    """Several rows for one sample, each of what passes through channels."""
    only = [pl.channels(0), pl.channels([2, 3])]
    return pl.explain(sees(), photograph(), target="tabby", at="1", only=only)


TEXTS = ["The film was not bad. Not at all!", "Good film"]


def reads() -> pl.Model:
    words = pl.Text(pl.Vocabulary("the film was not bad good at all".split()))
    reader = seeded(nn.Embedding(10, 4), nn.Linear(4, 6), nn.ReLU(), Pooled(), nn.Linear(6, 2))
    return pl.load(reader, preprocess=words, labels=["bad", "good"])


def text() -> pl.Explanation:
    return pl.explain(reads(), TEXTS)


def vectors() -> pl.Explanation:
    """A vector per token."""
    return pl.explain(reads(), TEXTS[0], target="good", at="2")


class Pooled(nn.Module):
    """The mean over tokens."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


def judges() -> pl.Model:
    risk = seeded(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return pl.load(risk, preprocess=columns(), labels=["low", "high"])


def table() -> pl.Explanation:
    return pl.explain(judges(), ROWS, "high")


def shapley() -> pl.Explanation:
    """A row whose values add up without books."""
    return pl.explain(judges(), ROWS[0], "high", method="kernel_shap")


def series() -> pl.Explanation:
    ecg = pl.Signal(rate=50, channels=["I", "II"], unit="mV", std=0.5)
    heart = seeded(nn.Conv1d(2, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(16, 2))
    return pl.explain(pl.load(heart, preprocess=ecg, labels=["calm", "quick"]), rand(2, 40).numpy())


class Both(nn.Module):
    """A network of a picture and a row."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.row = seeded(nn.Conv2d(3, 4, 3)), seeded(nn.Linear(4, 4), seed=1)
        self.head = seeded(nn.Linear(8, 2), seed=2)

    def forward(self, image: Tensor, row: Tensor) -> Tensor:
        found: Tensor = self.head(torch.cat([self.image(image).relu().mean((2, 3)), self.row(row).relu()], 1))
        return found


def inputs() -> pl.Explanation:
    how = {"image": pl.Preprocess((8, 8), mean=(0.5,) * 3, std=(0.5,) * 3), "row": columns()}
    both = pl.load(Both().eval(), preprocess=how)
    return pl.explain(both, {"image": photograph(), "row": ROWS[0]}, target=1, method="lrp.epsilon")


def compared() -> pl.Comparison:
    """Answers, and one that failed."""
    methods = {"lrp": "lrp", "sensitivity": "sensitivity", "chefer": "chefer"}
    return pl.compare(sees(), photograph(), methods, target="tabby")


def evaluated() -> Any:
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[:, 2:5, 2:5] = True
    metrics = ["srg", "pixel_flipping", "pointing_game", "sparseness"]
    return pl.evaluate(sees(), batch(3), ["lrp", "saliency"], metrics, masks=masks)


def pasted() -> Any:
    return pl.pasted_object(sees(), batch(3), ["lrp", "gradient"], ["grey", "noise"], places=2)


def hidden() -> Any:
    return pl.hidden_parts(["lrp", "gradient"], ["grey"], seeds=2, n=16, steps=60)


def found() -> pl.Concepts:
    return pl.concepts(sees(), photograph(), "tabby", at="4", top=2, against=1, data=batch(6), beside=2)


def answering() -> pl.Examples:
    return pl.examples(sees(), ["4:0", "4:3"], batch(6), top=2)


def drawn() -> pl.Maximized:
    return pl.maximize(sees(), ["goldfish", "4:1"], "simonyan2013", steps=3, seeds=2)


def beside() -> pl.Maximized:
    """With real pictures, and the picture it began with."""
    return pl.maximize(sees(), "goldfish", "lucid", steps=3, start=batch(1), data=batch(6))


def trusted() -> pl.Trust:
    return drawn().trust(batch(12), other=pl.load(convolutional().eval(), name="another"), views=2)


def decoded() -> pl.synth.GeneratorPrior:
    return pl.synth.GeneratorPrior.fit(sees(), batch(30), at="6", steps=80, minutes=None, width=2, batch=8, bounds=(-1, 1))


def statistics() -> pl.perturb.Statistics:
    return pl.perturb.measured(list(batch(4)), reach=3)


def answers() -> pl.perturb.Run:
    """What a network answered to random maskings."""
    return pl.perturb.rise(grid=4, budget=64).sample(sees(), batch(1), target="tabby")


#: Columns are written by hand, and read.
COLUMNS = """{"columns": [
    {"name": "age", "unit": "years", "mean": 48.0, "std": 14.0},
    {"name": "smoker", "values": ["no", "yes"]},
    {"name": "dose", "unit": "mg", "mean": 2.0, "std": 0.5}
]}
"""

EXPLANATIONS: Made = {
    made.__name__: made
    for made in (
        *(picture, pictures, photographs, sampled, noisy, shared, double, inside, conditions),
        *(text, vectors, table, shapley, series, inputs),
    )
}
OTHERS: Made = {
    "comparison.json": compared,
    "evaluation.json": evaluated,
    "pasted.json": pasted,
    "hidden.json": hidden,
    "concepts.json": found,
    "examples.json": answering,
    "drawn.safetensors": drawn,
    "beside.safetensors": beside,
    "trust.json": trusted,
    "prior.safetensors": decoded,
    "statistics.safetensors": statistics,
    "run.safetensors": answers,
}
ALSO: Mapping[str, tuple[str, ...]] = {  # the same in other formats
    **dict.fromkeys(("evaluation", "pasted", "hidden"), (".csv", ".md")),
    **dict.fromkeys(("drawn", "beside"), (".json",)),
    "concepts": (".txt",),
    "trust": (".md", ".txt"),
}


def main(folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    explanations = {f"{name}.safetensors": make for name, make in EXPLANATIONS.items()}
    for name, make in {**explanations, **OTHERS}.items():
        if not names or Path(name).stem in names:
            write(make(), folder / name)
    if not names or "columns" in names:
        (folder / "columns.json").write_text(COLUMNS, encoding="utf-8")


def write(thing: Any, path: Path) -> None:
    """In every format that is frozen."""
    more = (".json",) if path.stem in EXPLANATIONS else ALSO.get(path.stem, ())
    for suffix in (path.suffix, *more):
        written = thing.save(path.with_suffix(suffix))
        print(written, written.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER, sys.argv[2:])
