"""A batch in pictures: a grid of small panels on one scale, each with its sample, target and score, page by page."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pellucid as pl
from pellucid.model.modality import Series, Table, Tokens
from pellucid.render.grid import PAGE, grid, pages
from pellucid.render.grid.panels import share_scale
from pellucid.render.parts.drawing import Raster, Rect, Words


def batch(n: int, *places: int, **fields: Any) -> pl.Explanation:
    values = torch.randn((n, *places), generator=torch.Generator().manual_seed(0))
    output = torch.linspace(1.0, 2.0, n)
    return pl.Explanation(values, output, 'logit 3 "owl"', "gradient_x_input", True, **fields)


def pictured(n: int) -> pl.Explanation:
    grey = np.full((n, 12, 12, 3), 128, np.uint8)
    return batch(n, 3, 12, 12, picture=grey)


def of_table(n: int) -> pl.Explanation:
    names = tuple(f"column {k}" for k in range(9))
    return batch(n, 9, subject=Table(names, (1,) * 9, tuple(tuple(f"{k} mm" for k in range(9)) for _ in range(n))))


def of_series(n: int) -> pl.Explanation:
    return batch(n, 2, 50, subject=Series(("I", "II"), "mV", 25.0, torch.randn(n, 2, 50)))


def of_texts(n: int) -> pl.Explanation:
    spans = ((0, 1), (2, 6), (7, 11))
    one = ("a good film", ("a", "good", "film"), spans, ("text",) * 3)
    return batch(n, 3, subject=Tokens(*((part,) * n for part in one)))


KINDS = {"maps": pictured, "rows": of_table, "series": of_series, "texts": of_texts, "numbers": lambda n: batch(n, 30)}


def texts(e: pl.Explanation, page: int = 1) -> list[str]:
    return [mark.text for mark in grid(e, page=page).marks if isinstance(mark, Words)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_panel_says_its_sample_target_and_score_and_there_is_one_legend(kind: str):
    e = KINDS[kind](5)
    said = texts(e)
    for n in range(5):
        assert f"sample {n + 1}" in said
        assert any(re.fullmatch(rf'(logit 3 )?"owl" = {e.equation(n).split(" = ")[1]}', words) for words in said)
    assert said.count("speaks for") == said.count("speaks against") == 1
    assert any("shared by all samples" in words for words in said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_is_no_strip(kind: str, tmp_path: Path):
    e = KINDS[kind](16)
    with Image.open(e.save(tmp_path / "x.png")) as image:
        assert image.height < 2.6 * image.width and image.width == 988
    svg = unescape(e.save(tmp_path / "x.svg").read_text())
    assert svg.count("sample 16") == 1 and svg.count(">speaks for<") == 1


def test_more_than_a_page_is_shown_page_by_page_and_says_so(tmp_path: Path):
    e = pictured(2 * PAGE + 2)
    assert pages(e) == 3
    first, last = texts(e), texts(e, 3)
    assert f"These are samples 1 to {PAGE} of {2 * PAGE + 2}; page=2 shows the next." in first
    assert "sample 1" in first and f"sample {PAGE + 1}" not in first
    assert f"sample {2 * PAGE + 2}" in last and "page=1 shows the first" in " ".join(last)
    assert e.save(tmp_path / "x.png").read_bytes() != e.save(tmp_path / "x-3.png", page=3).read_bytes()
    assert len([mark for mark in grid(e, page=3).marks if isinstance(mark, Raster)]) == 2 + 1  # and the legend
    with pytest.raises(pl.InputError, match="no such page"):
        grid(e, page=4)
    with pytest.raises(pl.InputError, match="no such page"):
        e.save(tmp_path / "x.svg", page=0)


def test_all_panels_and_pages_have_one_scale():
    e = of_table(3)
    loud = replace(e, values=e.values * torch.tensor([[1.0], [1.0], [100.0]]))
    bars = [mark for mark in grid(loud).marks if isinstance(mark, Rect)]
    quiet = [bar for bar in bars if bar.tooltip.startswith("column")]
    assert max(bar.right - bar.left for bar in quiet[:10]) < 5 < max(bar.right - bar.left for bar in quiet)
    assert share_scale(loud).limit == pytest.approx(float(loud.values.abs().max()))


def test_names_and_labels_stand_above_the_panels():
    e = replace(pictured(2), names=("one.jpg", "two.jpg"), labels=("owl", "cat"))
    assert {"one.jpg, truly owl", "two.jpg, truly cat"} <= set(texts(e))


def test_warnings_name_their_samples():
    e = pictured(4)
    e = replace(e, values=e.values * torch.tensor([1.0, 0.0, 1.0, 0.0]).reshape(4, 1, 1, 1))
    said = " ".join(texts(e))
    assert "Samples 2 and 4: No evidence found." in said and "sample 2: see below" in said and "sample 1: see" not in said


def test_every_sample_keeps_its_own_target_and_its_own_classes():
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(400, 3)).eval()
    model = pl.load(net, preprocess=pl.Preprocess((12, 12), mean=(0.5,) * 3, std=(0.5,) * 3), labels=["cat", "dog", "owl"])
    pictures = [np.random.default_rng(n).integers(0, 255, (12, 12, 3), dtype=np.uint8) for n in range(11)]
    asked = ["cat", "owl", "dog"] * 3 + ["owl", "cat"]
    e = pl.explain(model, pictures, asked)
    single = [pl.explain(model, one, name) for one, name in zip(pictures, asked, strict=True)]
    assert [one.target for one in e] == [one.target for one in single]
    assert [one.classes[0][1] for one in e] == [one.classes[0][1] for one in single]
    assert all(
        torch.allclose(one.ledger.absorbed, other.ledger.absorbed, atol=1e-5) for one, other in zip(e, single, strict=True)
    )
