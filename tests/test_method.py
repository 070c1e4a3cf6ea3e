"""What a method is held to: its members stand in one place, and what is none, or reports a false score, is refused in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.explanation import Attribution
from pellucid.explanation.method import OPTIONAL, configured, has, instance, member

ROOT = Path(pl.__file__).parent


@pytest.fixture
def net() -> nn.Module:
    made = nn.Linear(2, 3).eval()
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        made.bias.zero_()
    return made


@dataclass(frozen=True)
class Control:
    """The input as its own explanation, with the score that it is told to report."""

    name: ClassVar[str] = "control"
    signed: ClassVar[bool] = True

    report: str = "target"

    def attribute(self, model: pl.Model, x: Tensor, target: pl.Target, at: Any = None) -> Attribution:
        output = model(x)
        read = target.resolve(lambda at: output, model).read(lambda at: output)
        scores = {"target": read, "largest": output.amax(1), "rounded": read * (1 + 1e-3), "single": read[:1]}
        return Attribution(x, scores[self.report], target, output)


X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("report", ["target", "rounded"])
@pytest.mark.parametrize("target", [0, None, "two", pl.probability(1), pl.logit(0) - pl.logit(2)], ids=str)
def test_a_method_of_ones_own_explains(net: nn.Module, target: Any, report: str):
    e = pl.explain(pl.load(net, labels=("zero", "one", "two")), X, target, method=Control(report))
    assert torch.equal(e.values, X) and e.method == "control" and "None" not in e.headline()


def test_a_score_that_is_not_the_targets_is_noticed(net: nn.Module):
    with pytest.raises(pl.MethodError, match=r"`control` for logit 0: found a score of 3\.00 for sample 0, which has 1\.00"):
        pl.explain(net, X, 0, method=Control("largest"))
    assert pl.explain(net, X, 2, method=Control("largest")).output.tolist() == [3.0, 7.0]  # there it is the target's
    with pytest.raises(pl.MethodError, match=r"scores of shape \(1,\) for 2 samples"):
        pl.explain(net, X, 0, method=Control("single"))


def test_an_answer_that_is_no_attribution_is_refused(net: nn.Module):
    class Bare(Control):
        def attribute(self, model: Any, x: Tensor, target: Any, at: Any = None) -> Any:
            return x

    with pytest.raises(pl.MethodError, match="a Tensor returned by `attribute`"):
        pl.explain(net, X, 0, method=Bare())


@pytest.mark.parametrize("made", [pl.lrp.EpsilonPlus, pl.gradient.Gradient, pl.perturb.occlusion, Control])
def test_what_makes_a_method_without_arguments_stands_for_it(net: nn.Module, made: Any):
    assert torch.equal(pl.explain(net, X, 0, method=made).values, pl.explain(net, X, 0, method=made()).values)


class Nameless:
    def attribute(self) -> None: ...


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "method=3: found a int; a method has a name and attributes"),
        (Nameless(), "a method of class Nameless: found no `name` and no `signed`"),
        (Nameless, "a method of class Nameless: found no `name` and no `signed`"),
        (pl.gradient.Noisy, r"method=Noisy: found a class that takes method; .* Make one, Noisy\(method=...\)"),
        (lambda model, x: x, "method=<lambda>: found a function that takes model, x"),
    ],
)
def test_what_is_no_method_is_refused_in_words(given: Any, words: str):
    with pytest.raises(pl.MethodError, match=words):
        instance(given)


def test_optional_members_have_defaults_and_are_set_on_copies():
    assert {name: member(Control(), name) for name in OPTIONAL} == OPTIONAL
    assert not any(has(Control(), name) for name in OPTIONAL)
    composite = pl.lrp.EpsilonPlus()
    assert member(configured(composite, strict=True), "strict") and not member(composite, "strict")
    assert configured(Control(), strict=True) == Control()
    with pytest.raises(KeyError):
        member(composite, "entries")


def test_nothing_else_probes_a_method():
    probe = re.compile(r"""(has|get)attr\([\w.]*(method|chosen|explainer)\b[\w.()]*, ["'](\w+)["']""")
    found = {
        (path.name, match[3])
        for path in ROOT.rglob("*.py")
        if path.name != "method.py"
        for match in probe.finditer(path.read_text(encoding="utf-8"))
    }
    assert not {one for one in found if one[1] in OPTIONAL}
