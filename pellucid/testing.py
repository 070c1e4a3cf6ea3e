"""Assertions about explanations for tests of one's own: are they faithful, do they conserve, does the model go by what it should?

    from pellucid.testing import assert_conserves, assert_faithful, assert_not_clever_hans

    def test_explanations_of_our_model():
        assert_faithful(model, pictures, min_srg=0.2)
        assert_conserves(model, pictures)
        assert_not_clever_hans(model, pictures, where=corner, watermark=logo)

Each returns what it measured; where it does not hold, the AssertionError says what was measured, on how many samples, and which
samples are worst. Under pytest all of it, of tests that pass, too, is listed at the end of the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.errors import InputError
from pellucid.explanation.method import Method
from pellucid.metrics.report.interval import interval
from pellucid.model import Model, load
from pellucid.tape.forward import resolve_readout
from pellucid.target import as_target
from pellucid.verbs.evaluate import evaluate, read_samples, scores_of_classes
from pellucid.verbs.explain import explain
from pellucid.zoo.truth.problem import generator

RECENT: deque[Measured] = deque(maxlen=1_000)  # what was measured last: the pytest plugin empties it after every test
WORST = 3  # samples that a message names


@dataclass(frozen=True, eq=False)
class Measured:
    """What an assertion measured.

    Arguments:
        asked: What was asserted: "faithful".
        holds: Whether it holds.
        words: What was measured, in a sentence or two.
        values: One number per sample, by name.
    """

    asked: str
    holds: bool
    words: str
    values: dict[str, Tensor]

    def __str__(self) -> str:
        return f"{self.asked}: {self.words}"


def assert_faithful(
    model: Any, images: Any, method: str | Method = "lrp", *, min_srg: float = 0.0, target: Any = None, seed: int = 0
) -> Measured:
    """The map shows what matters to the model: SRG is at least `min_srg`, and surely better than random orders.

    "Surely" is a paired test on these samples (p < 0.05), for which there have to be six at least; of fewer only the mean is
    asked for. What SRG is: `pellucid.metrics.SRG`.

    Arguments:
        model, images, method, target: As in `pellucid.evaluate`.
        min_srg: The least mean of SRG; what is reached depends on model and pictures: measure it once, and ask for less.

    Raises:
        AssertionError: it is not; with what was measured.
    """
    t = evaluate(model, images, [method], ["srg"], target, seed=seed, ceiling=False)
    if t.failures:
        raise next(iter(t.failures.values()))
    row, (name,) = t.rows[0], t.methods
    values, chance = t.scores[name, "srg"].values, t.paired("srg", name)
    n, score = row["n"], float("nan") if row["score"] is None else row["score"]
    floor = "no score" if row["floor"] is None else f"{row['floor']:.3f}"
    enough, better = score >= min_srg, n < 6 or (chance.sure and chance.difference > 0)
    words = (
        f"{name} on {t.asked} has an SRG of {score:.3f}{_within(row['low'], row['high'])}, where random orders have "
        f"{floor} (p = {chance.p:.2g}) and at least {min_srg:g} was asked for."
    )
    if not (enough and better):
        words += "" if enough else " It is below that."
        words += "" if better else " Chance does as well."
        words += f" {_worst(values)} Most often the method does not suit the model; `pellucid evaluate` compares others."
    return _report(Measured("faithful", enough and better, words, {"srg": values}))


def assert_conserves(
    model: Any, images: Any, method: str | Method = "lrp", *, tolerance: float = 0.01, baseline: Any = None, target: Any = None
) -> Measured:
    """The map is made of the score: it sums to it, and where the method keeps a ledger, its entries account for the rest.

        |sum of R - (f(x) - f(baseline))| <= tolerance * max(|f(x)|, |f(x) - f(baseline)|)

    Arguments:
        tolerance: As a share of the score. A ledger always has to account for all relevance to 1e-4.
        baseline: What the map sums up from, for methods that have one: a number, or a tensor like one sample or the batch. None:
            from a score of 0.

    Raises:
        AssertionError: it is not; with what was measured, and where the relevance went.

    Example:
        >>> net = torch.nn.Linear(4, 2, bias=False).eval()
        >>> assert_conserves(net, torch.ones(3, 4), "lrp.zero").holds
        True
    """
    model = load(model)
    model.ready()
    x = read_samples(model, images)
    e = explain(model, x, target, method)
    start = 0.0 if baseline is None else _at_baseline(model, x, baseline, target, e.output)
    score, totals = e.output.double() - start, e.values.double().flatten(1).sum(1)
    scale = torch.maximum(e.output.double().abs(), score.abs()).clamp(min=1e-12)
    off = (totals - score).abs() / scale
    books = None if e.ledger is None else e.ledger.error.double().abs() / _turnover(e.ledger)
    worst = int(off.nan_to_num(torch.inf).argmax())
    sums, close = bool((off <= tolerance).all()), books is None or bool((books <= 1e-4).all())
    words = (
        f"of {len(x)} maps by {e.method} the one that is furthest from its score, sample {worst}, sums to "
        f"{figure(float(totals[worst]))} where the score is {figure(float(score[worst]))}: {float(off[worst]):.2%} apart, and "
        f"{tolerance:.2%} was asked for."
    )
    if not sums and e.ledger is not None:
        words += f" Where it went: {e.ledger.sentence(worst)}."
    if not sums and baseline is None and e.ledger is None:
        words += " If the method has a baseline, say which: baseline=0."
    if books is not None:
        words += f" The ledger {'accounts' if close else 'does not account'} for all relevance, to {float(books.max()):.1e}."
    return _report(Measured("conserves", sums and close, words, {"apart": off}))


def assert_not_clever_hans(
    model: Any,
    images: Any,
    where: Tensor,
    watermark: Any = None,
    method: str | Method = "lrp",
    *,
    target: Any = None,
    max_flips: float = 0.1,
    max_load: float = 3.0,
    draws: int = 5,
    seed: int = 0,
) -> Measured:
    """The model does not go by a mark at that place, such as a logo that came with one class of its training pictures.

    With a watermark: it is put on all images. The share whose class changes must not exceed the share that changes when a patch
    out of another of the images is put there by more than `max_flips`. And, with or without one: the relevance per pixel in
    `where`, of the class that the model then names, must not exceed `max_load` times that of patches of its shape elsewhere.

    Arguments:
        images: With a watermark, pictures that do not carry it; else those that do.
        where: True where the mark is, with shape (height, width).
        watermark: Its pixels as the model reads them, with shape (channel, height, width) of a whole picture, or a number; None:
            the images are taken as they are.
        target: What is explained; None: the class that is named for each.
        max_flips: In excess of the control.
        max_load: Times the control.
        draws: Random patches per image, of either control.

    Raises:
        AssertionError: it does; with flips, load and their controls.
        InputError: the mask does not fit the images, or leaves no room for a control.
    """
    model = load(model)
    model.ready()
    x = read_samples(model, images)
    where = _mask(x, where)
    rng, values, words, reasons = generator(seed), dict[str, Tensor](), list[str](), []
    if watermark is not None:
        marked = torch.where(where, torch.as_tensor(watermark, dtype=x.dtype, device=x.device).expand_as(x), x)
        values["flips"] = (_classes(model, x) != _classes(model, marked)).double()
        values["control flips"] = _control_flips(model, x, where, draws, rng)
        flips, control = float(values["flips"].mean()), float(values["control flips"].mean())
        reasons += ["it changes what the model says"] if flips - control > max_flips else []
        words.append(
            f"the mark changes the class of {flips:.0%} of {len(x)} images{_within(*interval(values['flips']))}, patches of "
            f"other images in its place that of {control:.0%}, and no more than {max_flips:.0%} on top of that was asked for."
        )
        values["classes"] = _classes(model, marked)
        x = marked
    values["load"], values["control load"] = _loads(model, x, where, method, target, draws, rng)
    load_, other = float(values["load"].nanmean()), float(values["control load"].nanmean())
    reasons += ["its relevance stands out"] if load_ > max_load * max(other, 1e-12) else []
    words.append(
        f"A pixel there has {load_:.2f} times the relevance of a mean one{_within(*interval(values['load']))}, one in patches of "
        f"its shape elsewhere {other:.2f} times, and no more than {max_load:g} times as much was asked for."
    )
    if reasons:
        words.append(f"So the model goes by it: {' and '.join(reasons)}. {_new_classes(values)}".rstrip())
    return _report(Measured("not clever hans", not reasons, " ".join(words), values))


def _report(measured: Measured) -> Measured:
    """Keeps it for the pytest plugin, and raises where it does not hold."""
    RECENT.append(measured)
    if not measured.holds:
        raise AssertionError(str(measured))
    return measured


def _within(low: float | None, high: float | None) -> str:
    return "" if low is None or low != low else f" [{low:.3g}, {high:.3g}]"


def _worst(values: Tensor) -> str:
    order = values.nan_to_num(-torch.inf).argsort()[:WORST].tolist()
    return f"Worst: {', '.join(f'sample {i} ({float(values[i]):.3f})' for i in order)}."


def _at_baseline(model: Model, x: Tensor, baseline: Any, target: Any, output: Tensor) -> Tensor:
    """The score there, of the target as it is resolved on x."""
    readout, *_ = resolve_readout(model, x, as_target(target))
    base = torch.as_tensor(baseline, dtype=x.dtype, device=x.device).expand_as(x).clone()
    return readout(base, range(len(x))).double().cpu()


def _turnover(ledger: Any) -> Tensor:
    """The seed and all entries, in size: what an error of the ledger is a share of."""
    entries = [row.amount.double().abs() for row in ledger.rows]
    total: Tensor = sum(entries, ledger.seed.double().abs())
    return total.clamp(min=1e-12)


def _mask(x: Tensor, where: Tensor) -> Tensor:
    where = torch.as_tensor(where).bool().to(x.device)
    fits = x.dim() == 4 and where.shape == x.shape[-2:]
    if not fits or not 0 < int(where.sum()) <= where.numel() // 2:
        found = f"a mask of shape {tuple(where.shape)} with {int(where.sum())} places for images of shape {tuple(x.shape[1:])}"
        raise InputError(
            "assert_not_clever_hans", found, "patches of its shape elsewhere are its control",
            "Give shape (height, width), True on no more than half of it.",
        )  # fmt: skip
    return where


def _classes(model: Model, x: Tensor) -> Tensor:
    """The predicted class of each."""
    return scores_of_classes(model, x, "assert_not_clever_hans").argmax(1).cpu()


def _control_flips(model: Model, x: Tensor, where: Tensor, draws: int, rng: torch.Generator) -> Tensor:
    """How often the class changes when a patch of the next images, of the mask's shape, stands there: the control."""
    before, changes = _classes(model, x), []
    for draw in range(draws):
        changed, source = x.clone(), _translated(where.cpu(), rng).to(x.device)
        changed[..., where] = x.roll(draw + 1, 0)[..., source]
        changes.append((_classes(model, changed) != before).double())
    return torch.stack(changes).mean(0)


def _loads(
    model: Model, x: Tensor, where: Tensor, method: str | Method, target: Any, draws: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Relevance per pixel in the mask, and in the same mask moved elsewhere, as multiples of the mean; NaN for empty maps."""
    e = explain(model, x, target, method)
    size = torch.stack([e.heat(i).abs().double() for i in range(len(x))])
    size = size.clamp(min=0) / size.mean((1, 2), keepdim=True)
    elsewhere = [_translated(where.cpu(), rng) for _ in range(draws)]
    other = torch.stack([size[:, mask].mean(1) for mask in elsewhere]).mean(0)
    return size[:, where.cpu()].mean(1), other


def _translated(where: Tensor, rng: torch.Generator) -> Tensor:
    """The mask somewhere else, as a whole, overlapping its place as little as ten draws find."""
    rows, columns = where.any(1).nonzero()[:, 0], where.any(0).nonzero()[:, 0]
    block = where[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    masks: list[Tensor] = []
    for down, right in torch.rand(10, 2, generator=rng).tolist():
        mask = torch.zeros_like(where)
        row, column = (int(share * (n - m + 1)) for share, n, m in zip((down, right), where.shape, block.shape, strict=True))
        mask[row : row + block.shape[0], column : column + block.shape[1]] = block
        masks.append(mask)
    return min(masks, key=lambda mask: int((mask & where).sum()))


def _new_classes(values: dict[str, Tensor]) -> str:
    """Which class most of the images that change become."""
    if "classes" not in values or not values["flips"].any():
        return ""
    into = values["classes"][values["flips"] > 0]
    most = int(into.mode().values)
    return f"Most of those that change become class {most} ({int((into == most).sum())} of {len(into)})."


__all__: Sequence[str] = ["Measured", "assert_conserves", "assert_faithful", "assert_not_clever_hans"]
