"""Do the pixels that a map calls important matter to the model? SRG of relevance composites on photographs.

    python bench/faithfulness.py --images FOLDER [--number 40] [--methods NAME ...] [--out FILE]

The symmetric relevance gain: cells of a 14 x 14 grid are removed in order of their relevance, replaced by a blurred copy of the
photograph, once the least relevant first and once the most relevant first. SRG is the mean distance between the two curves of the
predicted class's probability; chance is 0. Beside it: which share of the seed reaches the pixels, and how much relevance of both
signs that takes. The model is the built-in one.

References: Bluecher et al., 2024, Decoupling pixel flipping and occlusion strategy for consistent XAI benchmarks,
    https://doi.org/10.48550/arXiv.2401.06654
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from candidates import CANDIDATES, method
from torch import Tensor

import pellucid as pl

CELLS = 14
REMOVED = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # shares of the cells
BASELINES = ("gradient", "saliency", "gradient_x_input")
HEADER = f"{'method':<66}{'SRG':>7}{'+-':>7}{'at pixels / seed':>18}{'sum |R| / seed':>16}"


@dataclass(frozen=True)
class Photographs:
    """What every method is asked about: the pictures, their blurred copies, and the predicted class of each.

    Arguments:
        x: The pictures as the model reads them, with shape (picture, channel, height, width).
        blurred: What removed cells show.
        classes: The predicted class of each picture.
    """

    model: pl.Model
    x: Tensor
    blurred: Tensor
    classes: Tensor

    @classmethod
    def read(cls, folder: Path, number: int, name: str = "efficientnet_lite0", *, others: bool = False) -> Photographs:
        """`number` photographs, evenly out of the sorted folder; or all `others`, to try once more what these have suggested."""
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        model = pl.load(name)
        taken = [paths[i * len(paths) // number] for i in range(min(number, len(paths)))]
        taken = [path for path in paths if path not in taken] if others else taken
        x = torch.cat([model.read(path) for path in taken])
        classes = torch.cat([model(batch).argmax(1) for batch in x.split(4)])
        return cls(model, x, blur(x), classes)

    def probability(self, x: Tensor) -> Tensor:
        """The probability of each picture's class."""
        logits = torch.cat([self.model(batch) for batch in x.split(4)])
        return logits.softmax(1).gather(1, self.classes[:, None])[:, 0]

    def without(self, cells: Tensor) -> Tensor:
        """The pictures with these cells (picture, number) blurred."""
        keep = torch.ones(len(self.x), CELLS * CELLS).scatter_(1, cells, 0).view(-1, 1, CELLS, CELLS)
        keep = F.interpolate(keep, size=self.x.shape[-2:])
        return self.x * keep + self.blurred * (1 - keep)

    def srg(self, heat: Tensor) -> Tensor:
        """The symmetric relevance gain of heat (picture, height, width), per picture."""
        most_first = F.adaptive_avg_pool2d(heat[:, None], CELLS).flatten(1).argsort(1, descending=True)
        gains = []
        for share in REMOVED:
            k = max(1, int(share * CELLS * CELLS))
            least = self.probability(self.without(most_first[:, -k:]))
            most = self.probability(self.without(most_first[:, :k]))
            gains.append(least - most)
        return torch.stack(gains).mean(0)


@dataclass(frozen=True)
class Score:
    """What one method reached, per picture."""

    name: str
    srg: Tensor
    arrived: Tensor
    absolute: Tensor

    def row(self) -> str:
        mean, margin = interval(self.srg)
        return f"{self.name:<66}{mean:>7.3f}{margin:>7.3f}{self.arrived.median():>18.3f}{self.absolute.median():>16.2f}"


def interval(values: Tensor) -> tuple[float, float]:
    """The mean and half the width of its 95 % interval."""
    return float(values.mean()), float(1.96 * values.std() / len(values) ** 0.5)


def blur(x: Tensor, *, radius: int = 15, sigma: float = 10.0) -> Tensor:
    """A Gaussian blur, mirrored at the border."""
    kernel = torch.exp(-torch.arange(-radius, radius + 1.0).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(F.pad(x, [radius, radius, 0, 0], mode="reflect"), kernel, groups=x.shape[1])
    return F.conv2d(F.pad(x, [0, 0, radius, radius], mode="reflect"), kernel.transpose(2, 3), groups=x.shape[1])


def score(photographs: Photographs, name: str) -> Score:
    """One method on all photographs."""
    maps, arrived, absolute = [], [], []
    for x, classes in zip(photographs.x.split(4), photographs.classes.split(4), strict=True):
        e = pl.explain(photographs.model, x, classes.tolist(), method(name))
        maps.append(e.values)
        arrived.append(e.values.flatten(1).sum(1) / e.output)
        absolute.append(e.values.flatten(1).abs().sum(1) / e.output.abs())
    return Score(name, photographs.srg(torch.cat(maps).sum(1)), torch.cat(arrived), torch.cat(absolute))


def chance(photographs: Photographs) -> Score:
    """A map of noise."""
    noise = torch.randn(len(photographs.x), *photographs.x.shape[2:], generator=torch.Generator().manual_seed(0))
    none = torch.full((len(noise),), torch.nan)
    return Score("chance", photographs.srg(noise), none, none)


def compared(scores: list[Score]) -> Iterator[str]:
    """How far each method is behind the best, picture by picture: an interval that spans 0 is noise."""
    ranked = sorted(scores, key=lambda s: -s.srg.mean())
    yield f"{'method':<66}{'SRG':>7}{'behind the best, paired':>26}"
    for s in ranked:
        mean, margin = interval(ranked[0].srg - s.srg)
        yield f"{s.name:<66}{s.srg.mean():>7.3f}{mean:>16.3f} +- {margin:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--number", type=int, default=40, help="how many of them, evenly out of the sorted folder")
    parser.add_argument(
        "--methods", nargs="*", help="candidates, or names of the catalogue; default: all candidates and baselines"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    photographs = Photographs.read(options.images, options.number)
    print(f"{len(photographs.x)} photographs, {CELLS} x {CELLS} cells, blurred fill\n{HEADER}", flush=True)
    scores = []
    for name in options.methods or (*CANDIDATES, *BASELINES):
        scores.append(score(photographs, name))
        print(scores[-1].row(), flush=True)
    print(chance(photographs).row(), "", *compared(scores), sep="\n", flush=True)


if __name__ == "__main__":
    main()
