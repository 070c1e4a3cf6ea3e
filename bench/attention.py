"""Speed of relevance through attention beside autolrp, in units of one plain input gradient.

    python bench/attention.py [--models vit_small gpt2_small] [--rounds 7] [--seconds 300] [--threads 1] [--no-peers]

ViT-S/16 on 8 pictures of 224 x 224 pixels, and GPT-2's small configuration on one text of 128 tokens (given as vectors; the
logit is that of the last position). Weights are random. As in `relevance.py`, all contestants run in one process and take turns,
in an order of each round's own; each time is divided by the gradient's of the same round, and the median over the rounds counts.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import machine
import nets
import peers
import relevance
import torch
from child import Failure, attempt, isolated

MODELS = {"vit_small": ("timm:vit_small_patch16_224", 8), "gpt2_small": ("hf:gpt2-small", 1)}
OURS = {f"pellucid {name}": peers.pellucid(name) for name in ("lrp", "lrp.attention", "lrp.cp")}
THEIRS = {"autolrp attnlrp": peers.autolrp("attnlrp"), "autolrp (default)": peers.autolrp()}


@dataclass(frozen=True)
class Setting(relevance.Setting):
    """As for relevance; networks have sizes of their own."""

    def case(self, model: str, batch: int) -> nets.Case:
        torch.set_num_threads(self.threads)
        return nets.case(MODELS[model][0], batch=batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=300, help="of rounds, per network")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    contestants = {relevance.GRADIENT: peers.gradient, **OURS, **({} if options.no_peers else THEIRS)}
    relevance.CONTESTANTS.clear()
    relevance.CONTESTANTS.update(contestants)
    setting = Setting(rounds=options.rounds, seconds=options.seconds, threads=options.threads, contestants=tuple(contestants))
    torch.set_num_threads(1)  # a child that is forked off a process with threads of its own waits for ever
    nets.declare_torchvision()
    for library in ("timm", "transformers", "autolrp"):
        attempt(partial(import_module, library))  # once, before the forks
    print(f"{machine.versions()}. {machine.today()}. {machine.processor()}, threads: {options.threads}. Load {machine.load()}.")
    for model in options.models:
        column = relevance.Column(model, MODELS[model][1])
        times = isolated(partial(relevance.timed, model, column.batch, setting), seconds=10 * options.seconds + 600)
        column.seconds.update(dict.fromkeys(contestants, times) if isinstance(times, Failure) else times)
        failed = [f"* {name} fails: {found.reason}" for name, found in column.seconds.items() if isinstance(found, Failure)]
        print("", *relevance.times([column]), *failed, sep="\n", flush=True)
    print(f"\nLoad {machine.load()} at the end.")


if __name__ == "__main__":
    main()
