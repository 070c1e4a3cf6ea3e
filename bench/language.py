"""Which rule shows what a network reads that has learned language? A language model and an encoder of sentences, many texts.

    python bench/language.py [--models gemma minilm] [--prompts N] [--every N] [--rules NAME ...] [--store FOLDER]
        [--part 1/2] [--table]

* gemma: Gemma 3 (270 million parameters) on 112 prompts of seven kinds. The score is the logit of the token it predicts.
* minilm: an encoder of six blocks on 64 pairs of texts. The score is the cosine of their embeddings.

Tokens go in order of their relevance, the least and the most relevant first. The area is the mean distance of the two curves of
the score, over five steps each: 0 for a random order, higher is better; in logits, in units of log p, in hundredths of a cosine.
In place of a token stands a vector of zeros ("zeros"), nothing at all ("left out"), or the model's own mask token ("mask"). The
first token of Gemma, which all texts have, and the first and last of the encoder always stay. *share*: the sum over all tokens
over the score, its median.

Results are kept, a file per text: a second run asks only what is missing, `--table` asks nothing, and `--part` lets several
processes share the work. The models are no part of this library; without them it says what to install.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import language_models
import pruned_gradient
import torch
from language_rules import RULES
from torch import Tensor, nn

import pellucid as pl

Kept = tuple[bool, ...]
STEPS = 5  # of each curve
PRUNED = {"pruned gradient x input": True, "pruned gradient x input, norms not held still": False}
REMOVALS = ("zeros", "left out", "mask")


@dataclass(frozen=True, eq=False)
class Question:
    """A text as vectors, with shape (1, token, channel), and one number that a network makes of it.

    Arguments:
        free: The places that may go.
        target: What is explained, for `pl.explain`.
        score: From vectors to the numbers of each row, of which the first is explained.
        scores: What they are called.
        held: The same as `score` with the length of an embedding held still, where that is what it divides by.
        mask: The vector of the model's mask token, where it has one.
        known: Scores by removal and by what is kept, asked once.
    """

    name: str
    network: nn.Module
    x: Tensor
    free: tuple[int, ...]
    target: Any
    score: Callable[[Tensor], Tensor]
    mask: Tensor | None = None
    scores: tuple[str, ...] = ("score",)
    held: Callable[[Tensor], Tensor] | None = None
    known: dict[tuple[str, Kept], list[float]] = field(default_factory=dict)

    @property
    def removals(self) -> tuple[str, ...]:
        return ("zeros", "left out", *(["mask"] if self.mask is not None else []))

    def ask(self, removal: str, wanted: Sequence[Kept]) -> None:
        """Know the score of everything wanted, in batches of equal length."""
        new = [kept for kept in dict.fromkeys(wanted) if (removal, kept) not in self.known]
        groups: dict[int, list[Kept]] = defaultdict(list)
        for kept in new:
            groups[sum(kept) if removal == "left out" else 0].append(kept)
        for group in groups.values():
            for start in range(0, len(group), 32):
                part = group[start : start + 32]
                scores = self.score(torch.cat([self.without(removal, kept) for kept in part]))
                self.known.update({(removal, kept): s for kept, s in zip(part, scores.tolist(), strict=True)})

    def without(self, removal: str, kept: Kept) -> Tensor:
        keep = torch.tensor(kept)
        if removal == "left out":
            return self.x[:, keep]
        return torch.where(keep[:, None], self.x, self.mask if removal == "mask" and self.mask is not None else 0.0)

    def kept(self, gone: Sequence[int]) -> Kept:
        return tuple(i not in gone for i in range(self.x.shape[1]))

    def leave_one_out(self) -> Tensor:
        """What the score falls by when one token becomes zeros."""
        alone = [self.kept([i]) for i in self.free]
        self.ask("zeros", [self.kept([]), *alone])
        values = torch.zeros(self.x.shape[1])
        whole = self.known["zeros", self.kept([])][0]
        values[list(self.free)] = torch.tensor([whole - self.known["zeros", kept][0] for kept in alone])
        return values

    def curves(self, values: Tensor) -> list[tuple[Kept, Kept]]:
        """What is kept after each step: of the least relevant first, and of the most relevant first."""
        order = sorted(self.free, key=lambda i: float(values[i]))
        steps = sorted({max(1, round(len(order) * step / (STEPS + 1))) for step in range(1, STEPS + 1)} - {len(order)})
        return [(self.kept(order[:n]), self.kept(order[-n:])) for n in steps]

    def areas(self, values: Tensor, removals: Sequence[str]) -> dict[str, float]:
        """The mean distance of the two curves, by removal and score."""
        steps, found = self.curves(values), {}
        for removal in [removal for removal in self.removals if removal in removals]:
            self.ask(removal, [kept for pair in steps for kept in pair])
            for n, name in enumerate(self.scores):
                gaps = [self.known[removal, least][n] - self.known[removal, most][n] for least, most in steps]
                found[f"{removal}, {name}"] = sum(gaps) / len(gaps)
        return found


def relevance(question: Question, name: str) -> tuple[Tensor, float]:
    """What every token gets by one rule, and the sum over the score."""
    if name == "leave-one-out":
        return question.leave_one_out(), float("nan")
    if name == "the last first":
        return torch.arange(float(question.x.shape[1])), float("nan")
    if name == "a random order":
        rng = torch.Generator().manual_seed(sum(map(ord, question.name)))
        return torch.rand(question.x.shape[1], generator=rng), float("nan")
    if name in PRUNED:
        got, score = pruned_gradient.gradient_x_input(question.held or question.score, question.x, still=PRUNED[name])
        return got[0].sum(-1), float(got.sum() / score)
    rule = RULES[name]()
    e = pl.explain(question.network, question.x, target=question.target, method=rule, verify=False)
    values = e.values[0].sum(-1) + positions(rule)
    return values, float(values.sum() / e.output)


def positions(rule: Any) -> Tensor:
    """What positions got that count as inputs of their own, which is their tokens'."""
    kept = [t for _, entry in getattr(rule, "entries", ()) for t in getattr(entry, "kept", ())]
    return torch.stack(kept).sum(0) if kept else torch.zeros(())


def measure(question: Question, names: Sequence[str], removals: Sequence[str]) -> dict[str, dict[str, float]]:
    """Areas and share of some rules on one text."""
    found = {}
    for name in names:
        try:
            values, share = relevance(question, name)
        except pl.errors.MethodError:  # nothing in this network for the rule to decide
            continue
        found[name] = {**question.areas(values, removals), "share": share}
    return found


Told = dict[str, dict[str, float]]


def run(model: str, store: Path, names: Sequence[str], options: argparse.Namespace) -> None:
    """Ask what is not in the folder yet, of every so many-th text."""
    part, parts = map(int, options.part.split("/"))
    for n, question in enumerate(language_models.questions(model, options.prompts, Question)):
        file = store / f"{n:03}.json"
        known: Told = json.loads(file.read_text(encoding="utf-8"))["rules"] if file.exists() else {}
        missing = [name for name in names if name not in known]
        if missing and n % options.every == 0 and n % parts == part - 1:
            told = {"text": question.name, "rules": {**known, **measure(question, missing, options.removals)}}
            partial = file.with_suffix(".part")
            partial.write_text(json.dumps(told, indent=1), encoding="utf-8")
            partial.replace(file)


def told(store: Path, every: int) -> list[Told]:
    """What is known of every so many-th text."""
    files = [file for file in sorted(store.glob("*.json")) if int(file.stem) % every == 0]
    return [json.loads(file.read_text(encoding="utf-8"))["rules"] for file in files]


def table(known: Sequence[Told], names: Sequence[str], scale: float) -> list[str]:
    """Rules by their area: mean with its interval, how far behind the best, text by text, and the median share."""
    counts = {name: sum(name in rules for rules in known) for name in names}
    names = [name for name in names if counts[name] >= 0.9 * max(counts.values())]
    texts = [rules for rules in known if all(name in rules for name in names)]
    columns = dict(sorted({key: column(texts, names, key, scale) for key in texts[0][names[0]] if key != "share"}.items()))
    heads = [f"{key} ({len(next(iter(values.values())))}) | behind" for key, values in columns.items()]
    lines = [" | ".join(["| rule", *heads, "share |"]), "|---|" + "--:|" * (2 * len(columns) + 1)]
    best = {key: max(values.values(), key=lambda v: float(v.mean())) for key, values in columns.items()}
    for name in sorted(names, key=lambda n: -sum(float(v[n].mean() / best[key].mean()) for key, v in columns.items())):
        cells = [f"{_mean(v[name])} | {_behind(best[key], v[name])}" for key, v in columns.items()]
        share = torch.tensor([rules[name]["share"] for rules in texts]).median()
        lines.append(" | ".join([f"| {name}", *cells, f"{'' if share.isnan() else f'{share:.2f}'} |"]))
    return lines


def column(texts: Sequence[Told], names: Sequence[str], key: str, scale: float) -> dict[str, Tensor]:
    """The areas of every rule, on the texts where all of them have it."""
    full = [rules for rules in texts if all(key in rules[name] for name in names)]
    return {name: scale * torch.tensor([rules[name][key] for rules in full]) for name in names}


def _mean(values: Tensor) -> str:
    return f"{values.mean():.2f} ± {1.96 * values.std() / len(values) ** 0.5:.2f}"


def _behind(best: Tensor, values: Tensor) -> str:
    return "" if best.equal(values) else _mean(best - values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=language_models.MODELS, default=list(language_models.MODELS))
    parser.add_argument("--prompts", type=int, default=1000, help="how many texts at most")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th text: 4 for four prompts of each kind")
    parser.add_argument("--rules", nargs="+", default=None, help="default: all of language_rules.py")
    parser.add_argument("--removals", nargs="+", choices=REMOVALS, default=REMOVALS)
    parser.add_argument("--store", type=Path, default=Path("runs/language"), help="a folder for the results")
    parser.add_argument("--part", default="1/1", help="of the texts, as 1/2 and 2/2 for two processes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only tell what is known")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = options.rules or ["leave-one-out", "the last first", "a random order", *PRUNED, *RULES]
    for model in options.models:
        store = options.store / model
        store.mkdir(parents=True, exist_ok=True)
        if not options.table:
            run(model, store, names, options)
        print(model, *table(told(store, options.every), names, 100 if model == "minilm" else 1), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
