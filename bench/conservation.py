"""Does relevance arrive? Every offset of a network is set to zero, so that its output comes from the input alone.

    python bench/conservation.py [NAMES ...] [--methods lrp.zero lrp.cp ...] [--side 96] [--double]

For each network and method: the sum of the relevance at the input over the value of the class. A method conserves where that is
within 1 % of one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import nets
import torch
from child import Failure, attempt, isolated

import pellucid as pl

PELLUCID = ("lrp.zero", "lrp.cp", "lrp.attention")


@dataclass(frozen=True)
class Arrived:
    """The sum of the relevance at the input over the value of the class, that of magnitudes, and operations without a rule."""

    share: float
    absolute: float
    error: float
    native: tuple[str, ...]

    @property
    def conserves(self) -> bool:
        return abs(self.share - 1) <= 0.01

    def __str__(self) -> str:
        text = f"{self.share:.4g} ({self.absolute:.2g})" + ("" if self.conserves else " ✗")
        text += f"; books off by {self.error:.1g}" if self.error > 1e-4 else ""
        return text + (f"; native: {', '.join(self.native)}" if self.native else "")


def measured(name: str, methods: tuple[str, ...], side: int, dtype: torch.dtype, bare: bool) -> dict[str, Arrived | Failure]:
    case = nets.case(name, side=side)
    net, x = (nets.without_offsets(case.net) if bare else case.net).to(dtype), case.x.to(dtype)
    with torch.no_grad():
        label = int(net(x).argmax(1))
    return {method: attempt(partial(asked, net, x, label, method)) for method in methods}


def asked(net: torch.nn.Module, x: torch.Tensor, label: int, method: str) -> Arrived:
    e = pl.explain(net, x, label, method)
    assert e.ledger is not None
    seed = float(e.ledger.seed[0])
    native = {row.op for row in e.ledger.rows if row.cause == "native fallback"}
    off = float((e.ledger.error.abs() / e.ledger.volume)[0])
    return Arrived(float(e.values.double().sum()) / seed, float(e.values.abs().sum()) / abs(seed), off, tuple(sorted(native)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names of networks; default: all")
    parser.add_argument("--methods", nargs="+", default=list(PELLUCID))
    parser.add_argument("--side", type=int, default=96, help="of the pictures, in pixels, where the network takes any")
    parser.add_argument("--double", action="store_true", help="in double precision")
    parser.add_argument("--as-they-are", action="store_true", help="offsets stay")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    nets.declare_torchvision()
    for library in ("torchvision.models", "timm", "transformers"):
        attempt(partial(import_module, library))  # once, before the forks
    names = [n for n in (*nets.CONVOLUTIONAL, *nets.OTHERS) if not options.names or any(part in n for part in options.names)]
    methods, dtype = tuple(options.methods), torch.float64 if options.double else torch.float32
    kept = dict.fromkeys(methods, 0)
    for name in names:
        found = isolated(partial(measured, name, methods, options.side, dtype, not options.as_they_are), seconds=600)
        told = [found] if isinstance(found, Failure) else list(found.values())
        print(name, *told, sep=" | ", flush=True)
        for method in methods:
            kept[method] += not isinstance(found, Failure) and getattr(found[method], "conserves", False)
    print(*(f"{method}: {n} of {len(names)} conserve" for method, n in kept.items()), sep="\n")


if __name__ == "__main__":
    main()
