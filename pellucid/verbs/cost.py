"""The cost of a method, said before it begins where it takes long: how many passes, about how long, and what would be cheaper."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from pellucid.catalogue.cheaper import CHEAPER, Cheaper
from pellucid.catalogue.methods import method as named
from pellucid.core.draws import drawing_apart
from pellucid.core.progress import announcer
from pellucid.errors import PellucidError
from pellucid.explanation.method import Method, member
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.outputs import main_output
from pellucid.target import Target

FEW = 64  # passes of which nothing is said, and nothing is timed
LONG_S = 10.0  # shorter work is not announced
SHARE = 8  # of the passes, one in so many is timed at most


@dataclass(frozen=True)
class Cost:
    """What a method is about to cost.

    Arguments:
        each: Seconds of one pass, of its backward pass too where there is one.
        cheaper: A setting that takes fewer passes, with these.
    """

    name: str
    passes: Passes
    each: float
    cheaper: tuple[Cheaper, Passes] | None = None

    @property
    def seconds(self) -> float:
        """At most."""
        return self.each * self.passes.timed

    @property
    def long(self) -> bool:
        """Whether it is certain to take long."""
        return self.seconds * self.passes.least >= LONG_S

    def line(self, option: str = "") -> str:
        """The cost in one sentence.

        Example:
            >>> Cost("lime", Passes(1001), 0.022, (Cheaper({"budget": 250}, 0.9), Passes(251))).line("--with ")[:77]
            'lime: 1,001 forward passes, about 20 s on this machine; --with budget=250 tak'
        """
        said = f"{self.name}: {self.passes}, {_duration(self.seconds, self.passes.least)} on this machine"
        if self.cheaper is None:
            return said
        setting, passes = self.cheaper
        time = _duration(self.each * passes.timed, passes.least)
        near = f"rank correlation {setting.correlation:.2f} on three photographs"
        return f"{said}; {option}{setting} takes {time} and gives nearly the same map ({near})"


def announce(method: Method, model: Model, x: Tensor, target: Target) -> None:
    """Say what a method will cost, if anybody listens and it takes long.

    One pass is timed for it, of more than `FEW`; for shorter work, and where nobody listens, the network is not run.
    """
    say = announcer()
    passes = None if say is None else _passes(method, model, x, target)
    if say is None or passes is None or passes.total <= FEW or not passes.least:
        return
    each = seconds_each(model, x, passes)
    cost = None if each is None else Cost(method.name, passes, each)
    if cost is not None and cost.long:
        say(Cost(cost.name, passes, cost.each, _cheaper(method, passes, model, x, target)))


def _passes(method: Method, model: Model, x: Tensor, target: Target) -> Passes | None:
    count = member(method, "passes")
    try:
        found: Passes | None = None if count is None else count(model, x, target)
    except PellucidError:
        return None  # the method itself is about to refuse
    return found


def _cheaper(method: Method, passes: Passes, model: Model, x: Tensor, target: Target) -> tuple[Cheaper, Passes] | None:
    """The measured cheaper setting of a method with its defaults, where on this input it takes fewer passes."""
    known = CHEAPER.get(method.name)
    if known is None or repr(method) != repr(named(method.name)):
        return None
    fewer = _passes(named(method.name, **known.settings), model, x, target)
    return (known, fewer) if fewer is not None and fewer.total < 0.8 * passes.total else None


def seconds_each(model: Model, x: Tensor, passes: Passes) -> float | None:
    """The seconds of one sample's pass, measured once; None where the network does not run like that."""
    alike = isinstance(model.module, torch.fx.GraphModule)  # exported programs may take batches of one size alone
    batch = x.detach().clone() if alike else x.detach()[[0] * max(1, min(passes.batch, passes.timed // SHARE))]
    began = perf_counter()
    try:
        with drawing_apart(model, x.device):
            _run(model, batch, backward=passes.backward > 0)
    except Exception:  # whatever the model raises: the method may know another way to run it
        return None
    return (perf_counter() - began) / len(batch)


def _run(model: Model, x: Tensor, *, backward: bool) -> None:
    with torch.set_grad_enabled(backward):
        output = main_output(model.forward(x.requires_grad_(backward)))
        if backward:
            torch.autograd.grad(output.sum(), x)
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)


def _duration(seconds: float, least: float = 1.0) -> str:
    """About how long, to two digits at most.

    Example:
        >>> _duration(93.2), _duration(29, 0.1), _duration(400), _duration(9000)
        ('about 95 s', 'between 2.9 and 30 s', 'about 7 min', 'about 2.5 h')
    """
    size, unit = next((one for one in ((1, "s"), (60, "min")) if seconds < 150 * one[0]), (3600, "h"))
    if least < 1:
        return f"between {_rounded(least * seconds / size)} and {_rounded(seconds / size)} {unit}"
    return f"about {_rounded(seconds / size)} {unit}"


def _rounded(number: float) -> str:
    """Two digits that do not pretend to more: 93 is 95, and 2.53 is 2.5."""
    if number >= 20:
        return f"{5 * round(number / 5)}"
    return f"{number:.0f}" if number >= 3 else f"{number:.2g}"
