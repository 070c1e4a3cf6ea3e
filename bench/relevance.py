"""Speed and memory of relevance beside other libraries, in units of one plain input gradient.

    python bench/relevance.py [--models vgg16 ...] [--batches 1 8] [--rounds 7] [--seconds 300] [--methods TEXT ...] [--no-peers]
        [--device cuda] [--quick] [--out docs/benchmarks.md]

For each network and batch size all contestants run in one process and take turns; each time is divided by the gradient's of the
same round, and the median over the rounds counts. Memory is measured in a process per contestant.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from statistics import median

import machine
import nets
import peers
import torch
from child import Failure, attempt, isolated
from peers import Call, Prepare

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
MODELS = {"vgg16": "torchvision:vgg16", "resnet50": "torchvision:resnet50", "efficientnet_lite0": "zoo:efficientnet_lite0"}
GRADIENT = "gradient"
OURS = ("lrp", "lrp.epsilon", "lrp.epsilon_plus", "lrp.epsilon_gamma_box", "lrp.epsilon_alpha2_beta1")
CONTESTANTS: dict[str, Prepare] = {
    GRADIENT: peers.gradient,
    **{f"pellucid {name}": peers.pellucid(name) for name in OURS},
    **{f"pellucid {name}, compiled": peers.compiled(name) for name in OURS[:4]},
    "zennit epsilon": peers.zennit("Epsilon"),
    "zennit EpsilonPlus": peers.zennit("EpsilonPlus"),
    "zennit EpsilonGammaBox": peers.zennit("EpsilonGammaBox"),
    "zennit EpsilonAlpha2Beta1": peers.zennit("EpsilonAlpha2Beta1"),
    "captum LRP (epsilon)": peers.captum,
    "autolrp (default)": peers.autolrp(),
    "autolrp composite": peers.autolrp("composite"),
}
INTRODUCTION = """# Speed and memory

Made by `make bench`. The unit is one plain gradient of the predicted class with respect to the input (`torch.autograd.grad`), of
the same network and batch, in the same run. A call is all it takes from the network and the input to the map: the forward pass
and a library's own preparation of the network (hooks, merged batch norms) count, what can be set up once does not: "compiled"
is the network after `pl.compile`, which traces its passes.

* **Time**: all contestants of a column run in one process and take turns. Each time is divided by the gradient's of the same
  round, and the median over the rounds counts. glibc is told to keep freed memory (`mallopt`, mmap and trim thresholds raised),
  for all alike.
* **Memory**: the most that is resident beyond what was before the call, each contestant in a process of its own, after one call
  that is not measured. There every tensor is mapped apart, so that a peak is what was alive at one time. On a GPU: what PyTorch
  allocated.

VGG16 and ResNet50 are torchvision's, with random weights and batch norms that have seen data; EfficientNet-Lite0 is the built-in
network with its trained weights, the same module for all. zennit gets the canonizers it brings.
"""


@dataclass(frozen=True)
class Setting:
    """How to measure.

    Arguments:
        rounds: How many, unless `seconds` are over before; three at least.
        contestants: Their names; the gradient is always among them.
    """

    side: int = 224
    rounds: int = 7
    seconds: float = 300.0
    threads: int = 2
    device: str = "cpu"
    contestants: tuple[str, ...] = tuple(CONTESTANTS)

    def case(self, model: str, batch: int) -> nets.Case:
        torch.set_num_threads(self.threads)
        return nets.case(MODELS[model], side=self.side, batch=batch, device=self.device)

    def synchronise(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Column:
    """One network at one batch size: what each contestant took, or why it failed.

    Arguments:
        seconds: Per contestant and round; the rounds are the same for all.
        peaks: Bytes.
    """

    model: str
    batch: int
    seconds: dict[str, list[float] | Failure] = field(default_factory=dict)
    peaks: dict[str, int | Failure] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.model}, batch {self.batch}"

    def slower(self, name: str) -> float | Failure:
        """The median over the rounds of the time as a multiple of the gradient's."""
        own, unit = self.seconds[name], self.seconds[GRADIENT]
        if isinstance(own, Failure) or isinstance(unit, Failure):
            return no_ratio(own)
        return median(a / b for a, b in zip(own, unit, strict=True))

    def larger(self, name: str) -> float | Failure:
        """The peak as a multiple of the gradient's."""
        own, unit = self.peaks[name], self.peaks[GRADIENT]
        if isinstance(own, Failure) or isinstance(unit, Failure):
            return no_ratio(own)
        return own / max(unit, 1)


def no_ratio(own: object) -> Failure:
    return own if isinstance(own, Failure) else Failure("no gradient to compare with")


def measured(model: str, batch: int, setting: Setting) -> Column:
    """Times in one process, peaks in one process each."""
    column = Column(model, batch)
    limit = 10 * setting.seconds + 600
    times = isolated(partial(timed, model, batch, setting), seconds=limit)
    column.seconds.update(dict.fromkeys(setting.contestants, times) if isinstance(times, Failure) else times)
    for name in setting.contestants:
        if isinstance(column.seconds[name], Failure):
            column.peaks[name] = column.seconds[name]
        else:
            column.peaks[name] = isolated(partial(peaked, model, batch, name, setting), seconds=limit)
    return column


def timed(model: str, batch: int, setting: Setting) -> dict[str, list[float] | Failure]:
    """Seconds per contestant and round. Every round has an order of its own, so that none always follows the same other."""
    machine.keep_freed_memory()
    case = setting.case(model, batch)
    started = {name: attempt(partial(start, CONTESTANTS[name], case)) for name in setting.contestants}
    calls = {name: call for name, call in started.items() if not isinstance(call, Failure)}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    begin = time.perf_counter()
    for k in range(setting.rounds):
        if k >= 3 and time.perf_counter() - begin > setting.seconds:
            break
        for name in Random(k).sample(list(calls), len(calls)):
            seconds[name].append(stopwatch(calls[name], setting))
    return {name: seconds.get(name) or started[name] for name in started}


def start(prepare: Prepare, case: nets.Case) -> Call:
    """A call that has been made once: what fails, fails here."""
    call = prepare(case)
    call()
    return call


def stopwatch(call: Call, setting: Setting) -> float:
    gc.collect()
    setting.synchronise()
    begin = time.perf_counter()
    call()
    setting.synchronise()
    return time.perf_counter() - begin


def peaked(model: str, batch: int, name: str, setting: Setting) -> int:
    """The peak of one contestant, in bytes."""
    machine.return_freed_memory()
    return machine.peak(start(CONTESTANTS[name], setting.case(model, batch)), setting.device)


def page(columns: list[Column], setting: Setting, loads: tuple[str, str]) -> str:
    """The introduction, the machine, and a table each of time and memory."""
    device = f"threads: {setting.threads}" if setting.device == "cpu" else isolated(torch.cuda.get_device_name, seconds=60)
    rounds = min(len(s) for c in columns for s in c.seconds.values() if not isinstance(s, Failure))
    made = (
        f"{machine.versions()}. {machine.today()}. {machine.processor()}, {device}. "
        f"Load average {loads[0]} before, {loads[1]} after. "
        f"Pictures of {setting.side} x {setting.side} pixels; {rounds} rounds or more."
    )
    return "\n".join(
        [
            INTRODUCTION,
            made,
            "",
            "## Time",
            "",
            *times(columns),
            "",
            "## Peak memory",
            "",
            *peaks(columns),
            "",
            *failures(columns),
        ]
    )


def times(columns: list[Column]) -> Iterator[str]:
    units = [median(s) if not isinstance(s := c.seconds[GRADIENT], Failure) else float("nan") for c in columns]
    yield from table(columns, [f"{1000 * unit:.0f} ms" for unit in units], [{n: c.slower(n) for n in c.seconds} for c in columns])


def peaks(columns: list[Column]) -> Iterator[str]:
    units = [float(p) if not isinstance(p := c.peaks[GRADIENT], Failure) else float("nan") for c in columns]
    yield from table(columns, [f"{unit / 2**20:.0f} MiB" for unit in units], [{n: c.larger(n) for n in c.peaks} for c in columns])


def table(columns: list[Column], units: list[str], ratios: list[dict[str, float | Failure]]) -> Iterator[str]:
    """A row per contestant, the gradient's in units of its own."""
    yield "| | " + " | ".join(column.title for column in columns) + " |"
    yield "|---" + "|--:" * len(columns) + "|"
    for name in columns[0].seconds:
        cells = (
            units if name == GRADIENT else ["fails" if isinstance(r := ratio[name], Failure) else f"{r:.2f}" for ratio in ratios]
        )
        yield f"| {name} | " + " | ".join(cells) + " |"


def failures(columns: list[Column]) -> Iterator[str]:
    """Why: once per contestant and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for column in columns:
        for name in column.seconds:
            for why in dict.fromkeys(v.reason for v in (column.slower(name), column.larger(name)) if isinstance(v, Failure)):
                found.setdefault((name, why), []).append(column.title)
    for (name, why), titles in found.items():
        yield f"* {name} fails on {'; '.join(titles)}: {why}"


def chosen(options: argparse.Namespace) -> Setting:
    wanted = [n for n in CONTESTANTS if not options.methods or any(part in n for part in options.methods)]
    wanted = [n for n in wanted if n.startswith("pellucid") or not options.no_peers]
    contestants = (GRADIENT, *(n for n in wanted if n != GRADIENT))
    setting = Setting(224, options.rounds, options.seconds, options.threads, options.device, contestants)
    return replace(setting, side=64, rounds=3, seconds=5.0) if options.quick else setting


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=300, help="of rounds, per network and batch size")
    parser.add_argument("--methods", nargs="+", help="only contestants whose name contains one of these")
    parser.add_argument("--no-peers", action="store_true", help="pellucid and the gradient only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="small pictures, few rounds: to see that it works")
    parser.add_argument("--out", type=Path, help=f"default: {PAGE.name}; none with --quick, --methods, --models or --no-peers")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    setting = chosen(options)
    nets.declare_torchvision()
    for library in ("torchvision.models", "captum.attr", "zennit.torchvision"):
        attempt(partial(import_module, library))  # once, before the forks
    before, columns = machine.load(), []
    whole = not (options.quick or options.methods or options.no_peers or options.models != list(MODELS))
    out = options.out or (PAGE if whole else None)
    for batch in options.batches:
        for model in options.models:
            columns.append(measured(model, batch, setting))
            print(columns[-1].title, *times(columns[-1:]), *peaks(columns[-1:]), sep="\n", flush=True)
            if out:  # what has been measured is not lost if the rest is
                out.parent.mkdir(exist_ok=True)
                out.write_text(page(columns, setting, (before, machine.load())) + "\n", encoding="utf-8")
    print(page(columns, setting, (before, machine.load())))


if __name__ == "__main__":
    main()
