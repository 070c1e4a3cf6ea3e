"""Does a map tell one class from another? Composites on photographs, the first named beside each of the others.

    python bench/separation.py --images FOLDER [--number 50] [--others] [--model efficientnet_lite0] [--methods NAME ...]

* srg: as in faithfulness.py.
* other, second: likeness of the maps of the predicted class and of a random one, and of the second most probable one: the size of
  their rank correlation, for the map of a score below zero is turned round as a whole.
* mprt: likeness of the maps while the weights become random from the last layer on, in 8 stages; five photographs.
* side: two photographs side by side; which share of what speaks for the class of one lies in its own half.
* against: which share of all relevance speaks against the class; sum, sizes: of the map, over the score.

Each column is a mean over photographs; then the difference to the first method, photograph by photograph, with the 95 % interval
of the bootstrap.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from candidates import method
from faithfulness import Photographs
from torch import Tensor

import pellucid as pl
from pellucid.metrics import Randomization
from pellucid.metrics.report.interval import interval, paired
from pellucid.metrics.sensitivity.similarity import map_similarity

METHODS = ("lrp", "lrp.epsilon_gamma_box", "lrp.epsilon")
STAGES, REDRAWN = 8, 5
Columns = dict[str, Tensor]


def measured(photographs: Photographs, asked: Any) -> Columns:
    """Every column of one method, a number per photograph (or per photograph of a pair)."""
    model, own = photographs.model, photographs.classes
    logits = torch.cat([model(x) for x in photographs.x.split(4)])
    step = 1 + int(torch.randint(logits.shape[1] - 1, (), generator=torch.Generator().manual_seed(0)))
    questions = own, (own + step) % logits.shape[1], logits.topk(2).indices[:, 1]
    maps, other, second = (heats(model, photographs.x, classes, asked) for classes in questions)
    score, sizes = logits.gather(1, own[:, None])[:, 0], maps.flatten(1).abs().sum(1)
    few = slice(None, None, max(1, len(own) // REDRAWN))
    redrawn = pl.evaluate(model, photographs.x[few], {"asked": asked}, [Randomization(stages=STAGES)], own[few].tolist())
    return {
        "srg": photographs.srg(maps.sum(1)),
        "other": alike(maps, other),
        "second": alike(maps, second),
        "mprt": redrawn.scores["asked", "randomization"].values,
        "side": sides(photographs, asked),
        "against": maps.flatten(1).clamp(max=0).abs().sum(1) / sizes,
        "sum": maps.flatten(1).sum(1) / score,
        "sizes": sizes / score.abs(),
    }


def heats(model: pl.Model, x: Tensor, classes: Tensor, asked: Any) -> Tensor:
    """The maps, a few at a time."""
    pairs = zip(x.split(4), classes.split(4), strict=True)
    return torch.cat([pl.explain(model, few, c.tolist(), asked).values for few, c in pairs])


def alike(one: Tensor, other: Tensor) -> Tensor:
    return torch.tensor([abs(map_similarity(a, b, "spearman")) for a, b in zip(one, other, strict=True)])


def sides(photographs: Photographs, asked: Any) -> Tensor:
    """For pairs of neighbours: what of the positive relevance for the class of each lies in its own half."""
    left, right = photographs.x[0:-1:2], photographs.x[1::2]
    both, width = torch.cat([left, right], -1), left.shape[-1]
    found = []
    for first, half in ((0, slice(None, width)), (1, slice(width, None))):
        classes = photographs.classes[first::2][: len(both)]
        positive = heats(photographs.model, both, classes, asked).sum(1).clamp(min=0)
        found.append(positive[..., half].sum((1, 2)) / positive.sum((1, 2)))
    return torch.stack(found, 1).flatten()


def table(found: Mapping[str, Columns]) -> Iterator[str]:
    """Means, then differences to the first."""
    first = next(iter(found.values()))
    yield f"{'':<28}" + "".join(f"{title:>22}" for title in first)
    for name, columns in found.items():
        yield f"{name:<28}" + "".join(f"{told(values):>22}" for values in columns.values())
    for name, columns in list(found.items())[1:]:
        differences = (paired(columns[title], first[title]) for title in first)
        cells = (f"{d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}]" for d in differences)
        yield f"{'- the first: ' + name:<28}" + "".join(f"{cell:>25}" for cell in cells)


def told(values: Tensor) -> str:
    low, high = interval(values)
    return f"{values.nanmean():.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--number", type=int, default=50, help="how many of them, evenly out of the sorted folder")
    parser.add_argument("--others", action="store_true", help="all but those")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="candidates, or names of the catalogue")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    photographs = Photographs.read(options.images, options.number, options.model, others=options.others)
    print(f"{options.model}, {len(photographs.x)} photographs", flush=True)
    print(*table({name: measured(photographs, method(name)) for name in options.methods}), sep="\n")


if __name__ == "__main__":
    main()
