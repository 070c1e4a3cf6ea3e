"""Several methods, one question: all answers on one sheet, what failed in its place, and how far they agree."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pellucid.core.progress import report_progress, watched
from pellucid.core.statistics import rank_correlation, ranks
from pellucid.errors import InputError, MethodError, NoRule, OutputError, TargetError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.comparison import Comparison, agreement, compared_map
from pellucid.explanation.explanation import Explanation
from pellucid.model import Model, Preprocess
from pellucid.render import comparison_page, comparison_sheet
from pellucid.render.comparison import column_size, rows
from pellucid.tape.forward import resolve_readout
from pellucid.target import Target
from pellucid.verbs.compare import compare
from pellucid.verbs.explain import explain

REFUSAL = NoRule("no rule for fold in `stem`", "aten.col2im", "no rule is known for it", "Route it.")


@dataclass(frozen=True)
class Sampled:
    """A method that samples: column by column it adds noise to what removing the column does."""

    name: str = "sampled"
    signed: bool = True
    noise: float = 0.0

    def attribute(self, model: Model, x: Tensor, target: Target, at: Any = None) -> Attribution:
        readout, score, output = resolve_readout(model, x, target, at)
        values, width, notes = torch.zeros_like(x), x.shape[-1], ()
        for column in range(width):
            if report_progress(column, width, "forward passes"):
                notes = (f"Called off after {column} of {width} forward passes.",)
                break
            without = x.clone()
            without[..., column] = 0
            difference = score - readout(without, range(len(x)))
            values[..., column] = difference.reshape(-1, *[1] * (x.dim() - 2))
        values = values + self.noise * torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
        error = torch.full_like(values, max(self.noise, 1e-6))
        return Attribution(values, score, readout.target, output, notes=notes, error=error, shared=True, forwards=width * len(x))


@dataclass(frozen=True)
class Fails:
    """A method that raises."""

    error: Exception
    name: str = "fails"
    signed: bool = True

    def attribute(self, model: Model, x: Tensor, target: Target, at: Any = None) -> Attribution:
        raise self.error


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 3)).eval()
    preprocess = Preprocess((16, 16), mean=(0.5,) * 3, std=(0.5,) * 3)
    return Model(net, "toy", "test", net, preprocess, labels=("cat", "dog", "owl"))


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8))


ALL = ["lrp.epsilon", "sensitivity", Sampled(), Sampled("noisy", noise=1e3), Fails(REFUSAL)]


# the verb


def test_every_answer_is_the_one_explain_gives(model: Model, picture: Image.Image) -> None:
    c = compare(model, picture, ["lrp.epsilon", "gradient", Sampled()], target="owl")
    assert c.names == tuple(c) == tuple(c.explanations) == ("lrp.epsilon", "gradient", "sampled") and len(c) == 3
    for name, method in (("lrp.epsilon", "lrp.epsilon"), ("gradient", "gradient"), ("sampled", Sampled())):
        alone = explain(model, picture, "owl", method)
        assert torch.equal(c[name].values, alone.values) and c[name].caption() == alone.caption()
        assert np.array_equal(c[name].picture, alone.picture) and c.seconds[name] >= 0
    assert repr(c) == 'Comparison(lrp.epsilon, gradient, sampled -> logit 2 "owl")'


def test_what_fails_stands_in_its_place_with_its_reasons(model: Model, picture: Image.Image) -> None:
    c = compare(model, picture, ["gradient", Fails(REFUSAL), Fails(RuntimeError("shape\nmismatch"), "breaks"), "saliency"])
    assert tuple(c.explanations) == ("gradient", "saliency") and tuple(c.failures) == ("fails", "breaks")
    assert c.failures["fails"] is REFUSAL and "2 failed" in repr(c)
    bug = c.failures["breaks"]
    assert (bug.asked, bug.found) == ("method 'breaks' on toy", "RuntimeError: shape mismatch")
    assert "the method itself failed" in bug.why and "report it" in bug.do and isinstance(bug.__cause__, RuntimeError)
    with pytest.raises(NoRule, match="no rule for fold"):
        c["fails"]
    with pytest.raises(KeyError):
        c["never asked"]


def test_where_nobody_can_answer_the_first_error_is_raised(model: Model, picture: Image.Image) -> None:
    with pytest.raises(NoRule):
        compare(model, picture, [Fails(REFUSAL), Fails(RuntimeError("later"), "breaks")])
    with pytest.raises(RuntimeError, match="as it was"):
        compare(model, picture, [Fails(RuntimeError("as it was"))])
    with pytest.raises(TargetError):
        compare(model, picture, ["gradient", "saliency"], target=7)


def test_a_method_that_nobody_knows_is_refused_before_anything_is_computed(picture: Image.Image) -> None:
    def never(x: Tensor) -> Tensor:
        raise AssertionError("computed")

    with pytest.raises(MethodError, match="Nearest: "):
        compare(never, torch.ones(1, 2), ["gradient", "gradiant"])
    with pytest.raises(MethodError, match="a method has a name"):
        compare(never, torch.ones(1, 2), [3])
    for nothing in ([], {}):
        with pytest.raises(MethodError, match=r"found no method; there is nothing to compare. Name some"):
            compare(never, torch.ones(1, 2), nothing)


def test_methods_of_one_name_are_told_apart_and_may_be_named(model: Model, picture: Image.Image) -> None:
    assert compare(model, picture, [Sampled(), Sampled(), "gradient"]).names == ("sampled", "sampled (2)", "gradient")
    assert compare(model, picture, {"mine": "gradient", "yours": Sampled()}).names == ("mine", "yours")
    assert compare(model, picture, "gradient").names == ("gradient",)


def test_called_off_keeps_what_is_there(model: Model, picture: Image.Image) -> None:
    called: list[bool] = []

    def watcher(done: int, total: int, what: str) -> bool:
        called.append((what == "forward passes" and done >= 4) or any(called))
        return called[-1]

    with watched(watcher):
        c = compare(model, picture, ["gradient", Sampled(), "saliency", "lrp.epsilon"])
    assert tuple(c.explanations) == ("gradient", "sampled") and tuple(c.failures) == ("saliency", "lrp.epsilon")
    assert "Called off after 4 of 16 forward passes." in c["sampled"].caption() and bool(c["sampled"].values[..., :4].any())
    assert "the rest called off after 2 of 4 methods" in str(c.failures["saliency"]) and "saliency" not in c.seconds
    assert comparison_sheet(c).width > 1000


# agreement


def slow_ranks(values: list[float]) -> list[float]:
    return [sum(other < one for other in values) + (sum(other == one for other in values) - 1) / 2 for one in values]


@pytest.mark.parametrize("seed", range(4))
def test_rank_correlation_is_the_correlation_of_ranks_also_with_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one, other = generator.integers(0, 9, (2, 40)).astype(float)
    assert (ranks(torch.from_numpy(one)[None])[0] - 1).tolist() == slow_ranks(one.tolist())
    expected = np.corrcoef(slow_ranks(one.tolist()), slow_ranks(other.tolist()))[0, 1]
    assert rank_correlation(one, other) == pytest.approx(expected)
    assert rank_correlation(one, np.exp(one)) == pytest.approx(1.0) and rank_correlation(one, -one) == pytest.approx(-1.0)


def made(values: Tensor, **fields: Any) -> Explanation:
    whole = {"output": torch.ones(len(values)), "target": "logit 3", "method": "gradient", "signed": True}
    return Explanation(values, **(whole | fields))


def patch(row: int, column: int, value: float = 1.0) -> Tensor:
    values = torch.zeros(1, 1, 20, 20)
    values[..., row : row + 4, column : column + 4] = value
    return values


def test_overlap_is_the_shared_part_of_the_regions_for() -> None:
    one, same, half, apart, contra = (
        compared_map(made(values), 0.04)
        for values in (patch(0, 0), patch(0, 0, 7.0), patch(0, 2), patch(9, 9), patch(0, 0, -1.0))
    )
    assert [agreement(one, other)[1] for other in (same, apart)] == [1.0, 0.0]
    assert agreement(one, half)[1] == pytest.approx(8 / 24, abs=0.1)
    assert agreement(one, contra) == (pytest.approx(-1.0), None)


def test_sizes_are_compared_where_one_does_not_tell_for_from_against() -> None:
    values = torch.randn(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    signed, unsigned = compared_map(made(values), 0.1), compared_map(made(values.abs(), signed=False), 0.1)
    assert agreement(signed, unsigned)[0] == pytest.approx(1.0)


def test_maps_that_show_nothing_agree_with_nobody() -> None:
    whole = compared_map(made(patch(0, 0)), 0.1)
    doubtful = made(patch(0, 0), error=torch.full((1, 1, 20, 20), 9.0))
    for other in (made(torch.zeros(1, 1, 20, 20)), doubtful, made(torch.ones(1, 1, 5, 5))):
        assert agreement(whole, compared_map(other, 0.1)) == (None, None)


def test_every_pair_is_told_once(model: Model, picture: Image.Image) -> None:
    pairs = compare(model, picture, ["gradient", "saliency", "lrp.zero", "gradient_x_input"]).agreement()
    assert len(pairs) == 6
    (same,) = [pair for pair in pairs if (pair.first, pair.second) == ("lrp.zero", "gradient_x_input")]
    assert same.correlation is not None and all(-1 <= pair.correlation <= 1 for pair in pairs if pair.correlation is not None)


# the sheet


def test_a_sheet_has_a_column_per_method_in_rows_of_four_at_most(model: Model, picture: Image.Image, tmp_path: Path) -> None:
    c = compare(model, picture, ALL)
    sheet = comparison_sheet(c)
    assert sheet.width == 64 + 3 * 448 + 2 * 28 and 1000 < sheet.height < 3000
    with Image.open(c.save(tmp_path / "sheet.png")) as image:
        image.load()
        assert image.size == sheet.size and json.loads(image.text["provenance"]).keys() == c.explanations.keys()
        assert image.text["Description"].splitlines() == [e.caption() for e in c.explanations.values()]


@pytest.mark.parametrize("count", range(1, 30))
def test_rows_are_as_few_as_can_be_and_about_equally_full(count: int) -> None:
    sizes = [len(row) for row in rows([None] * count)]  # type: ignore[list-item]
    assert sum(sizes) == count and max(sizes) <= 5 and max(sizes) - min(sizes) <= 1 and len(sizes) == -(-count // 5)


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (2, 12), (2, 3, 40)])
def test_inputs_of_any_shape_and_batches_are_compared(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape[1:])), 3)).eval()
    c = compare(net, torch.randn(shape), ["lrp.zero", "saliency", Sampled(), Fails(REFUSAL)], target=1)
    alone = compare(net, torch.randn(shape)[:1], ["lrp.zero", "saliency", Sampled(), Fails(REFUSAL)], target=1)
    assert comparison_sheet(c).height > 1.5 * comparison_sheet(alone).height


def test_panels_fit_their_column() -> None:
    assert [column_size(*size) for size in ((16, 16), (2000, 1000), (300, 400), (1, 1))] == [
        (448, 448), (448, 224), (336, 448), (448, 448),
    ]  # fmt: skip


def test_many_methods_have_their_table_below(model: Model, picture: Image.Image) -> None:
    many = compare(model, picture, {str(number): "gradient" for number in range(9)})
    assert (
        comparison_sheet(many).height > comparison_sheet(compare(model, picture, {str(n): "gradient" for n in range(8)})).height
    )


def test_superpixels_and_larger_regions_can_be_asked_for(model: Model, picture: Image.Image, tmp_path: Path) -> None:
    c = compare(model, picture, ["gradient", "saliency"])
    plain, larger = c.save(tmp_path / "a.png").read_bytes(), c.save(tmp_path / "b.png", top=0.5).read_bytes()
    assert plain != larger
    with pytest.raises(InputError, match=r"regions\(top=2\)"):
        c.save(tmp_path / "c.png", top=2)


# other files


def test_json_holds_answers_failures_and_agreement(model: Model, picture: Image.Image, tmp_path: Path) -> None:
    c = compare(model, picture, ALL)
    told_ = json.loads(c.save(tmp_path / "c.json").read_text(), parse_constant=pytest.fail)
    assert list(told_["methods"]) == ["lrp.epsilon", "sensitivity", "sampled", "noisy"]
    assert told_["methods"]["lrp.epsilon"]["caption"] == [c["lrp.epsilon"].caption()]
    assert told_["methods"]["sampled"]["regions"][0][0].keys() >= {"box", "share_for", "share_against", "speaks"}
    assert told_["methods"]["noisy"]["regions"] == [[]] and told_["methods"]["sampled"]["seconds"] > 0
    parts = {part: getattr(REFUSAL, part) for part in ("asked", "found", "why", "do")}
    assert told_["failures"]["fails"] == {"kind": "NoRule", "message": str(REFUSAL)} | parts
    assert len(told_["agreement"]) == 6


def test_a_page_needs_nothing_but_itself_and_escapes_what_it_is_told(model: Model, picture: Image.Image, tmp_path: Path) -> None:
    nasty = Fails(NoRule("<script>", "&", "<b>", "</b>"), "<i>nasty</i>")
    c = compare(model, picture, ["gradient", Sampled("noisy", noise=1e3), nasty])
    page = c.save(tmp_path / "c.html", script=False).read_text(encoding="utf-8")
    assert (
        page == comparison_page(c, script=False) + "\n"
        and "<script" not in page
        and "<i>" not in page
        and "Under-sampled" in page
    )
    loaded = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(loaded) == 4 and all(address.startswith("data:image/") for address in loaded)
    assert page.count("<figure>") == 4 and "rank correlation" in page


def test_what_cannot_be_written_is_refused(model: Model, picture: Image.Image, tmp_path: Path) -> None:
    c = compare(model, picture, ["gradient"])
    with pytest.raises(OutputError, match=r"the suffix chooses the format. Use one of \.png, \.html, \.json"):
        c.save(tmp_path / "c.safetensors")
    with pytest.raises(OutputError, match=r"found top=0.2; the format has no such option. .* what .json takes: none"):
        c.save(tmp_path / "c.json", top=0.2)
    assert list(tmp_path.iterdir()) == [] and isinstance(c, Comparison)
