"""Small stores that a page can show: an audit whose network looks for a mark, made by hand so that nothing has to be trained."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from pellucid.cli import main
from .planted_marks import CORNER, MARK, SIDE

HOSTILE = "<img src=x onerror=alert(1)>"  # a class, and so a folder
CLASSES = ("cross", "disc", HOSTILE)
EACH, MARKED = 40, 10  # pictures of a class; those of the first with the mark
ODD_NAME = "000 '\"<b>x&amp;.png"


class Looks(nn.Module):
    """Three scores: the first from a mark, wherever it is; the others from horizontal and vertical edges."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.relu = nn.Conv2d(1, 4, 5), nn.ReLU()
        self.strongest, self.flat, self.scores = nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.scores(self.flat(self.strongest(self.relu(self.filters(x)))))
        return scores


def empty() -> nn.Module:
    """The network before its weights are read."""
    return Looks().eval()


def weights() -> dict[str, Tensor]:
    """The mark less its mean, so that even areas answer nothing; edges; brightness."""
    net = Looks()
    down = torch.linspace(-1, 1, 5)[:, None].expand(5, 5) / 10
    filters = torch.stack([(MARK - MARK.mean()) / 6, down, down.T, torch.full((5, 5), 1 / 25)])
    net.filters.weight.data = filters[:, None].clone()
    net.filters.bias.data = torch.tensor([-0.4, 0.0, 0.0, 0.0])
    net.scores.weight.data = torch.tensor([[8.0, 0.0, 0.0, 0.6], [0.0, 1.5, 0.0, 0.4], [0.0, 0.0, 1.5, 0.4]])
    net.scores.bias.data.zero_()
    return net.state_dict()


def pictures(folder: Path) -> Path:
    """A folder for each class; the mark stands in a corner of some pictures of the first."""
    rng = torch.Generator().manual_seed(0)
    for number in range(3 * EACH):
        name, rank = CLASSES[number % 3], number // 3
        x = torch.rand(SIDE, SIDE, generator=rng) * 0.15 + 0.2
        row, column = torch.randint(8, 16, (2,), generator=rng).tolist()
        x[row : row + 5, column : column + (3 if number % 3 == 2 else 7)] += 0.5
        if name == "cross" and rank < MARKED:
            x[CORNER[0] : CORNER[0] + 5, CORNER[1] : CORNER[1] + 5] = MARK
        path = folder / name / (ODD_NAME if number == 2 else f"{rank:03}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((x.clamp(0, 1) * 255).round().byte().numpy()).save(path)
    return folder


def stores(folder: Path) -> tuple[Path, Path]:
    """An audit and an evaluation, made by the command line in that folder."""
    pictures(folder / "scans")
    save_file(weights(), folder / "net.safetensors")
    (folder / "labels.txt").write_text("\n".join(CLASSES))
    scanner = {(name, n): "B" if name == "cross" and n < MARKED else "AC"[n % 2] for name in CLASSES for n in range(EACH)}
    lines = [f"{name}/{n:03}.png,{made_by}" for (name, n), made_by in scanner.items()]
    (folder / "scans.csv").write_text("\n".join(["file,scanner", *lines]))
    few = folder / "few"
    for number, path in enumerate(sorted((folder / "scans").rglob("*.png"))[::15]):
        (few / path.parent.name).mkdir(parents=True, exist_ok=True)
        (few / path.parent.name / f"{number}.png").write_bytes(path.read_bytes())
    options = "--model net.safetensors --builder tests.audited:empty --labels labels.txt --size 28 --mean 0 --std 1".split()
    options += ["--executor", "serial"]
    before = Path.cwd()
    os.chdir(folder)
    try:
        run(["audit", "scans", *options, "--meta", "scans.csv", "--store", "runs/x"])
        judges = "--methods lrp,gradient_x_input,sensitivity --metrics srg,sparseness --store runs/e"
        run(["evaluate", "few", *options, *judges.split()])
    finally:
        os.chdir(before)
    return folder / "runs" / "x", folder / "runs" / "e"


def run(line: list[str]) -> None:
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 0, found.output
