"""What `pellucid demo` shows of a network that cheats: what it was trained on, what its answer rests on, and the test of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.explanation.explanation import Explanation
from pellucid.model import Model
from pellucid.verbs.explain import explain
from pellucid.verbs.hide import HidingTest, hide
from pellucid.zoo import clever_hans, truth
from .document import document
from .document.encoding import address
from .parts.drawing import Drawing, Line, Mark, Rect, Words
from .parts.palette import FAINT, HAIR, INK

DISC, TRIANGLE = 0, 2
AGAIN = """import pellucid as pl
from pellucid.zoo import clever_hans, truth

model = clever_hans.clever_hans()
fresh = truth.watermark({tested}, seed=5, share=0.0, alike=False)
triangle = int((fresh.labels == {triangle}).nonzero()[0])
e = pl.explain(model, clever_hans.image(fresh.after("with the mark")[triangle]), method="lrp")
"""
TRAINED, SHOWN, TESTED, CONTROLS = 12, 4, 200, 50
WIDE, LEFT, ROW = 640, 190, 34  # pixels


@dataclass(frozen=True, eq=False)
class Exposed:
    """A network that cheats, one of its mistakes, and the test.

    Arguments:
        on_mark: The share of what speaks for its answer that lies in the region on the mark.
        found: Of new discs without the mark, the share that it names right; of other shapes with it, the share it calls discs.
    """

    explanation: Explanation
    test: HidingTest
    on_mark: float
    found: tuple[float, float]
    training: Image.Image

    def document(self) -> dict[str, Any]:
        """All of it as one page."""
        made = document(self.explanation)
        disc, other = self.found
        said = [
            "This small network learned to name four shapes. In its training pictures every disc, and no other shape, carried "
            "the letters HC in the lower left corner.",
            f"This picture shows a triangle with those letters. The network says disc, and {100 * self.on_mark:.0f} % of what "
            "speaks for disc lies on and around the letters: it reads the mark, not the shape.",
            f'Test: with the letters hidden it says {self.test.predicted[-1]}, see the figure "Removing the mark".',
            f"On {TESTED} new pictures: of discs without the letters it recognises {100 * disc:.0f} %; of other shapes with the "
            f"letters it calls {100 * other:.0f} % discs.",
        ]
        figures = [score_figure(self.test), training_figure(self.training)]
        layer = made["layers"][0]
        layer["notes"] = [*said[2:], layer["sentence"], *layer["notes"]]
        layer["sentence"] = " ".join(said[:2])
        layer["command"] = {"cli": "pellucid demo", "python": AGAIN.format(tested=TESTED, triangle=TRIANGLE).strip()}
        own = {name: layer[name] for name in ("sentence", "notes", "command")}
        return made | {"title": "A network that cheats", "figures": figures} | own


def exposed() -> Exposed:
    """The network explained on a triangle that carries the mark, and tested with the mark hidden."""
    model, fresh = clever_hans.clever_hans(), truth.watermark(TESTED, seed=5, share=0.0, alike=False)
    number = int((fresh.labels == TRIANGLE).nonzero()[0])
    marked, mark = fresh.after("with the mark"), fresh.parts["mark"][number]
    picture = clever_hans.image(marked[number])
    e = explain(model, picture, method="lrp")
    test = hide(model, picture, mark, DISC, controls=CONTROLS)
    on_mark = sum(one.share for one in e.regions() if not one.against and bool((one.mask & mark).any()))
    return Exposed(e, test, on_mark, rates(model, fresh.inputs, marked, fresh.labels), training_pictures())


def rates(model: Model, bare: Tensor, marked: Tensor, labels: Tensor) -> tuple[float, float]:
    """How many discs without the mark are named right, and how many other shapes with it are called discs."""
    with torch.no_grad():
        without, with_it = (model(x).argmax(1) == DISC for x in (bare, marked))
    disc = labels == DISC
    return float(without[disc].float().mean()), float(with_it[~disc].float().mean())


def training_pictures() -> Image.Image:
    """Some training pictures, in rows."""
    shown = truth.watermark(TRAINED, seed=1, share=1.0, alike=False).inputs
    side, gap = 4 * shown.shape[-1], 6
    across = TRAINED // 2
    sheet = Image.new("RGB", (across * (side + gap) - gap, 2 * (side + gap) - gap), "white")
    for number, one in enumerate(shown):
        row, column = divmod(number, across)
        image = clever_hans.image(one).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(image, (column * (side + gap), row * (side + gap)))
    return sheet


def training_figure(sheet: Image.Image) -> dict[str, Any]:
    """The training pictures as a figure."""
    words = "Twelve of the training pictures: the discs carry the letters, the other shapes do not."
    return {
        "title": "What it was trained on", "caption": words, "svg": None, "src": address(sheet, max(sheet.size)), "alt": words,
        "table": {"head": [], "rows": []},
    }  # fmt: skip


def score_figure(test: HidingTest) -> dict[str, Any]:
    """The score before and after hiding the mark, and after hiding random patches of the same size."""
    low, high = test.interval or (0.0, 0.0)
    rows = [
        ["the picture as it is", figure(test.before)],
        ["the letters hidden", figure(test.after)],
        [f"{len(test.controls)} random patches hidden, 95 %", f"{figure(test.before - high)} to {figure(test.before - low)}"],
    ]
    caption = f"The score of disc. {test.sentence()}"
    return {
        "title": "Removing the mark", "caption": caption, "svg": svg(drawing(test)), "src": None, "alt": caption,
        "table": {"head": ["what is hidden", "score of disc"], "rows": rows},
    }  # fmt: skip


def drawing(test: HidingTest) -> Drawing:
    """Scores on one axis: before, after, and with each of the random patches hidden."""
    controls = [test.before - fall for fall in test.controls]
    low, high = min(0.0, test.after, *controls), max(test.before, *controls)

    def at(score: float) -> float:
        return LEFT + (score - low) / (high - low) * (WIDE - LEFT - 60)

    lines = [("as it is", [test.before]), ("letters hidden", [test.after]), ("random patches hidden", controls)]
    foot = ROW * len(lines)
    marks: list[Mark] = [Line(((at(0), 4), (at(0), foot)), FAINT), Words(at(0), foot + 18, "0", 13, FAINT, "m")]
    for number, (name, scores) in enumerate(lines):
        middle = ROW * number + ROW / 2
        marks += [Words(LEFT - 12, middle + 5, name, 14, INK, "r"), Line(((LEFT, middle), (WIDE - 60, middle)), HAIR)]
        marks += [Rect(at(score) - 2, middle - 9, at(score) + 2, middle + 9, (190, 0, 28)) for score in scores]
        marks += [Words(at(scores[0]) + 8, middle - 4, figure(scores[0]), 13, INK)] if len(scores) == 1 else []
    return Drawing(WIDE, foot + 26, tuple(marks))


def svg(made: Drawing) -> str:
    """A drawing as an SVG of its own, on white paper."""
    size = f'width="{made.wide:.0f}" height="{made.high:.0f}" viewBox="0 0 {made.wide:.0f} {made.high:.0f}"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{paper}\n{made.svg()}\n</svg>'
