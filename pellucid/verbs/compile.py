"""compile: a network whose passes are traced once, and run again without its own code, with the same bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from pellucid.errors import ModelError
from pellucid.explanation import Explanation
from pellucid.model import Model, load
from pellucid.model.memory import places
from pellucid.tape.plan import Plans
from .explain import explain
from .inputs import read_inputs

DO = "Explain the model as it is: nothing but time is lost."


def compile(model: Any, x: Any) -> Model:
    """The model, with its passes traced: further explanations cost less Python, and have the same bits.

    What ran for one input, the forward pass and the steps of relevance back through it, becomes a list of calls to PyTorch:
    weights are folded, and their positive and negative parts made, once. Where the code looked at a number and went on by it,
    the list asks again; where the answer is a new one, the network's own code runs, and that way is added. Inputs of other
    shapes are traced when they first come. When parameters, buffers, modes or hooks of the network change, all is traced anew;
    what is changed through `.data`, which PyTorch does not count, is not noticed: compile again after that.

    A network that is one graph (exported, traced, ONNX) cannot do otherwise for other inputs. Of one in Python code,
    `torch.export` has to say so: it is exported, which takes some seconds, and what it exports is not used.

    Arguments:
        model: Anything that `pl.load` takes.
        x: An input, as for `pl.explain`: it is explained as a test, with and without what was traced, and so is another one.

    Returns:
        A handle on the same network. It takes memory for folded weights, up to three times as much as the weights of the layers.

    Raises:
        ModelError: the network draws random numbers, keeps something from call to call, may branch, or cannot be traced.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
        >>> x = torch.tensor([[1.0, 2.0]])
        >>> fast = compile(load(nn.Sequential(net)), x)
        >>> torch.equal(explain(fast, x).values, explain(net, x).values)
        True
    """
    model = load(model)
    model.ready()
    batch = read_inputs(model, x)
    if batch.texts or batch.rowwise:
        raise _refusal("samples that are run one by one, as texts are", "each has a length of its own")
    _check_one_graph(model, batch.x)
    plans = Plans(model.module)
    plain: Model = replace(model, plans=None)
    compiled: Model = replace(model, plans=plans)
    for _ in range(2):  # the first time everything is traced, the second time it has to hold
        for tensor in (batch.x, _another(batch.x)):
            if not _same(explain(compiled, tensor, verify=False), explain(plain, tensor, verify=False)):
                raise _refusal("another map from what was traced", "code beside the network decides what it does")
    if plans.refused:
        raise _refusal(f"that {plans.refused}", "what was traced would not be what it does")
    return compiled


def _check_one_graph(model: Model, x: Tensor) -> None:
    """Refuse a network that may do something else for another input."""
    module = model.module
    if isinstance(module, (fx.GraphModule, torch.jit.TopLevelTracedModule)):  # type: ignore[attr-defined]
        return
    if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise _refusal("code that cannot be looked into", "it may branch")
    kept = next(places(module), None)
    if kept is not None:
        raise _refusal(f"that it writes {type(kept.module).__name__}.{kept.name} when it runs", "a call depends on those before")
    try:
        torch.export.export(module, (x,), strict=False)
    except Exception as error:  # of many kinds
        reason = str(error).strip().partition("\n")[0][:200]
        raise _refusal(f"that torch.export does not take it whole: {reason}", "it may branch") from error


def _another(x: Tensor) -> Tensor:
    """An input of the same kind: the same numbers in another order."""
    return x.flip(-1) if x.shape[-1] > 1 else x.neg()


def _same(one: Explanation, other: Explanation) -> bool:
    return torch.equal(one.values, other.values) and torch.equal(one.output, other.output) and one.notes == other.notes


def _refusal(found: str, why: str) -> ModelError:
    return ModelError("Compiling this network", found, why, DO)
