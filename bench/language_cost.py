"""What explaining a language model costs, in units of one gradient of the same score by the same vectors.

    python bench/language_cost.py [--gguf FILE] [--tokens 32 128 512] [--long 2048] [--rounds 5] [--lxt FOLDER] [--methods TEXT]
        [--growth]

The network has the shape of Gemma 3 270M (18 blocks, width 640, 262,144 words; random weights, which cost the same), or is that
in a GGUF file. The score is that of the predicted token at the last position. Every contestant lives in a process of its own,
forked off one that holds the network; in every round each makes one call, in an order of that round's own, and no two at a time.
A call's time is the processor time of its process with one thread, divided by the gradient's of the same round; the median over
the rounds counts. Peaks are measured in fresh processes, where every tensor is mapped apart. LXT does not install beside
transformers 5: `pip install --no-deps --target FOLDER lxt`; what it misses there it is given.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import machine
import nets
import torch
from child import FORK, Failure, attempt, isolated
from torch import Tensor, nn

import pellucid as pl

GRADIENT = "gradient"
Call = Callable[[], Tensor]
Prepare = Callable[["Text"], Call]


@dataclass(frozen=True)
class Shape:
    """The size of a network."""

    blocks: int = 18
    width: int = 640
    words: int = 262_144

    def network(self) -> nn.Module:
        transformers = import_module("transformers")
        torch.manual_seed(0)
        config = transformers.Gemma3TextConfig(
            vocab_size=self.words, hidden_size=self.width, intermediate_size=self.width * 16 // 5, head_dim=256,
            num_hidden_layers=self.blocks, num_attention_heads=4, num_key_value_heads=1, sliding_window=512,
        )  # fmt: skip
        return transformers.Gemma3ForCausalLM(config).eval().requires_grad_(False)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Text:
    """A network and the ids of a text."""

    net: Any
    ids: Tensor

    @staticmethod
    def of(net: nn.Module, tokens: int) -> Text:
        words = net.get_input_embeddings().num_embeddings  # type: ignore[operator]
        return Text(net, torch.randint(100, words, (1, tokens), generator=torch.Generator().manual_seed(tokens)))

    def token(self) -> int:
        """The one that is predicted."""
        with torch.no_grad():
            return int(self.net(self.ids, logits_to_keep=1).logits[0, -1].argmax())


def gradient(text: Text, **options: Any) -> Call:
    token = text.token()

    def call() -> Tensor:
        x = text.net.get_input_embeddings()(text.ids).detach().requires_grad_(True)
        return torch.autograd.grad(text.net(inputs_embeds=x, **options).logits[0, -1, token], x)[0]

    return call


def relevance(method: str, text: Text) -> Call:
    model, target = pl.load(text.net), pl.token(text.token(), position=-1)
    return lambda: pl.explain(model, text.ids, target, method).values


def lxt(preset: str, text: Text) -> Call:
    """LXT's rules as gradient times input. It patches classes of the whole process."""
    pruning = import_module("transformers.pytorch_utils")
    for gone in ("find_pruneable_heads_and_indices", "prune_linear_layer"):  # LXT 2.1 imports what transformers 5 lacks
        if not hasattr(pruning, gone):
            setattr(pruning, gone, None)
    rules = getattr(import_module("lxt.efficient.models.gemma3"), preset)
    modeling = import_module("transformers.models.gemma3.modeling_gemma3")
    import_module("lxt.efficient").monkey_patch(modeling, rules)
    modeling.ALL_ATTENTION_FUNCTIONS = Functions(modeling.ALL_ATTENTION_FUNCTIONS)  # it leaves a plain dict there
    call = gradient(text)
    with torch.no_grad():
        x = text.net.get_input_embeddings()(text.ids)
    return lambda: (call() * x).sum(-1)


class Functions(dict[str, Any]):
    """Attention functions by name, as transformers 5 asks for them."""

    def get_interface(self, name: str, default: Any) -> Any:
        return self.get(name, default)


CONTESTANTS: dict[str, Prepare] = {
    GRADIENT: gradient,
    "gradient, scores of the last position alone": partial(gradient, logits_to_keep=1),
    "pellucid lrp": partial(relevance, "lrp"),
    "pellucid lrp.attention": partial(relevance, "lrp.attention"),
    "pellucid lrp.cp": partial(relevance, "lrp.cp"),
    "LXT AttnLRP": partial(lxt, "attnLRP"),
    "LXT CP-LRP": partial(lxt, "cp_LRP"),
}


@dataclass(frozen=True)
class Cost:
    """Of one contestant at one length: processor seconds per round, and the peak in bytes."""

    seconds: list[float] | Failure
    peak: int | Failure


class Worker:
    """A contestant in a process of its own, which makes a call when it is told to."""

    def __init__(self, prepare: Prepare, text: Text) -> None:
        self.pipe, there = FORK.Pipe()
        self.process = FORK.Process(target=_work, args=(prepare, text, there))
        self.process.start()
        there.close()

    def call(self, seconds: float) -> Any:
        try:
            self.pipe.send(True)
            return self.pipe.recv() if self.pipe.poll(seconds) else Failure(f"over the limit of {seconds:.0f} s")
        except (EOFError, OSError):
            return Failure("the process ended")

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def _work(prepare: Prepare, text: Text, pipe: Connection) -> None:
    torch.set_num_threads(1)
    machine.keep_freed_memory()
    call = attempt(partial(started, prepare, text))
    while pipe.recv():
        pipe.send(call if isinstance(call, Failure) else attempt(partial(timed, call)))


def started(prepare: Prepare, text: Text) -> Call:
    """A call that was made once: what fails, fails here; and networks are checked once."""
    call = prepare(text)
    call()
    return call


def timed(call: Call) -> float:
    gc.collect()
    begin = time.process_time()
    call()
    return time.process_time() - begin


def peak(prepare: Prepare, text: Text) -> int:
    torch.set_num_threads(1)
    machine.return_freed_memory()
    return machine.peak(started(prepare, text), "cpu")


def compare(names: Sequence[str], text: Text, rounds: int, limit: float) -> dict[str, Cost]:
    """All contestants, taking turns."""
    workers = {name: Worker(CONTESTANTS[name], text) for name in names}
    seconds: dict[str, list[float] | Failure] = {name: [] for name in names}
    for k in range(rounds):
        for name in Random(k).sample(list(names), len(names)):
            found, so_far = workers[name].call(limit), seconds[name]
            if isinstance(found, Failure):
                seconds[name] = found
            elif not isinstance(so_far, Failure):
                so_far.append(found)
    for worker in workers.values():
        worker.close()
    return {name: Cost(seconds[name], isolated(partial(peak, CONTESTANTS[name], text), seconds=limit)) for name in names}


def ratio(costs: dict[str, Cost], name: str) -> float | Failure:
    own, unit = costs[name].seconds, costs[GRADIENT].seconds
    if isinstance(own, Failure) or isinstance(unit, Failure):
        return own if isinstance(own, Failure) else Failure("no gradient to compare with")
    return median(a / b for a, b in zip(own, unit, strict=False))


def table(columns: dict[str, dict[str, Cost]]) -> Iterator[str]:
    """A row per contestant: time and peak, the gradient's in seconds and MiB."""
    names = list(next(iter(columns.values())))
    yield "| | " + " | ".join(f"{title}: time | peak" for title in columns) + " |"
    yield "|---" + "|--:|--:" * len(columns) + "|"
    for name in names:
        yield f"| {name} | " + " | ".join(cell for costs in columns.values() for cell in cells(costs, name)) + " |"
    for name in names:
        for title, costs in columns.items():
            for found in (costs[name].seconds, costs[name].peak):
                if isinstance(found, Failure):
                    yield f"* {name} fails at {title}: {found}"


def cells(costs: dict[str, Cost], name: str) -> tuple[str, str]:
    cost, unit = costs[name], costs[GRADIENT]
    if name == GRADIENT and not isinstance(cost.seconds, Failure) and not isinstance(cost.peak, Failure):
        return f"{median(cost.seconds):.2f} s", f"{cost.peak / 2**20:.0f} MiB"
    time, most = ratio(costs, name), cost.peak
    larger = "fails" if isinstance(most, Failure) or isinstance(unit.peak, Failure) else f"{most / unit.peak:.2f}"
    return "fails" if isinstance(time, Failure) else f"{time:.2f}", larger


def long(net: nn.Module, tokens: int, limit: float) -> str:
    """The most memory that a process takes that loads nothing but the network and explains one long text, checks included."""
    text = Text.of(net, tokens)

    def work() -> tuple[float, float]:
        torch.set_num_threads(1)
        machine.return_freed_memory()
        begin = time.process_time()
        used = machine.peak(relevance("lrp", text), "cpu")
        return used / 2**30, time.process_time() - begin

    found = isolated(work, seconds=limit)
    own = sum(p.numel() * p.element_size() for p in net.parameters()) / 2**30
    if isinstance(found, Failure):
        return f"{tokens} tokens: {found}"
    return f"{tokens} tokens, checks of the network included: {found[0]:.1f} GB beside {own:.1f} GB of weights, {found[1]:.0f} s"


def growth(options: argparse.Namespace) -> None:
    """How costs grow with tokens, depth and width, one at a time."""
    names, base = [GRADIENT, "pellucid lrp"], Shape(blocks=6, width=512, words=32_768)
    settings = {f"{n} tokens": (base, n) for n in (64, 128, 256, 512)}
    settings |= {f"{n} blocks": (replace(base, blocks=n), 128) for n in (3, 6, 12, 24)}
    settings |= {f"width {n}": (replace(base, width=n), 128) for n in (256, 512, 1024)}
    print("\n| | gradient | pellucid lrp | time | gradient's peak | pellucid's | peak |\n|---|--:|--:|--:|--:|--:|--:|")
    for title, (shape, tokens) in settings.items():
        costs = compare(names, Text.of(shape.network(), tokens), options.rounds, options.limit)
        own, unit = costs[names[1]], costs[GRADIENT]
        assert not isinstance(own.seconds, Failure) and not isinstance(unit.seconds, Failure)
        assert not isinstance(own.peak, Failure) and not isinstance(unit.peak, Failure)
        print(
            f"| {title} | {median(unit.seconds):.2f} s | {median(own.seconds):.2f} s | {ratio(costs, names[1]):.2f} | "
            f"{unit.peak / 2**20:.0f} MiB | {own.peak / 2**20:.0f} MiB | {own.peak / unit.peak:.2f} |", flush=True,
        )  # fmt: skip


def network(gguf: Path | None) -> nn.Module:
    if gguf is None:
        return Shape().network()
    auto = import_module("transformers").AutoModelForCausalLM
    net: nn.Module = auto.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    return net.eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="a network of your own, of the family of Gemma 3")
    parser.add_argument("--tokens", nargs="*", type=int, default=[32, 128, 512])
    parser.add_argument("--long", nargs="*", type=int, default=[2048])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1800, help="seconds per call")
    parser.add_argument("--lxt", type=Path, help="the folder that LXT was installed to")
    parser.add_argument("--methods", nargs="+", default=[""], help="only contestants whose name contains one of these")
    parser.add_argument("--growth", action="store_true")
    options = parser.parse_args()
    if options.lxt:
        sys.path.append(str(options.lxt))
    names = [n for n in CONTESTANTS if options.lxt or not n.startswith("LXT")]
    names = [n for n in names if n == GRADIENT or any(part in n for part in options.methods)]
    torch.set_num_threads(1)  # a child that is forked off a process with threads of its own waits for ever
    nets.declare_torchvision()
    print(f"{machine.versions()}. {machine.today()}. {machine.processor()}, threads: 1. Load {machine.load()}.", flush=True)
    if options.growth:
        growth(options)
        return
    net, columns = network(options.gguf), {}
    for tokens in options.tokens:
        columns[f"{tokens} tokens"] = compare(names, Text.of(net, tokens), options.rounds, options.limit)
        print("", *table({f"{tokens} tokens": columns[f"{tokens} tokens"]}), sep="\n", flush=True)
    if len(columns) > 1:
        print("", *table(columns), sep="\n", flush=True)
    for tokens in options.long:
        print("", long(net, tokens, options.limit), sep="\n", flush=True)
    print(f"\nLoad {machine.load()} at the end.")


if __name__ == "__main__":
    main()
