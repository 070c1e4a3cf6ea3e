"""The activation that ends a model, a softmax or sigmoid or their logarithm: found while it runs, and the scores before it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pellucid.core.answers import keep_answer
from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.core.intercept import InterceptMode
from .outputs import entries, main_output, rebuild, with_batch_axis
from .scripted_scores import scripted_scores

Kind = Literal["softmax", "sigmoid", "log-softmax", "log-sigmoid"]
Link = Literal["softmax", "sigmoid", "identity", "exp", "none"]

ACTIVATIONS: dict[str, Kind] = {
    **dict.fromkeys(("_softmax", "softmax", "_safe_softmax", "special_softmax"), "softmax"),
    **dict.fromkeys(("sigmoid", "special_expit"), "sigmoid"),
    **dict.fromkeys(("_log_softmax", "log_softmax", "special_log_softmax"), "log-softmax"),
    **dict.fromkeys(("log_sigmoid", "log_sigmoid_forward"), "log-sigmoid"),
}  # fmt: skip
# What only moves entries about, or takes some of them; it is done to the scores as well.
MOVES = frozenset(
    "view _unsafe_view reshape _reshape_alias flatten unflatten squeeze unsqueeze permute transpose t movedim swapaxes expand "
    "clone contiguous alias lift_fresh _to_copy to type_as view_as reshape_as select slice narrow index index_select split "
    "split_with_sizes unsafe_split chunk unbind tensor_split".split()
)
# What changes no probability, and is left out behind scores: bounds that keep logarithms finite, a factor of 1, an offset of 0.
KEEPS = frozenset("detach clamp clip clamp_min clamp_max nan_to_num mul div add sub dropout".split())
PRODUCTS = frozenset("bmm mm addmm baddbmm matmul".split())  # what attention goes into: no end of a model, and much memory
NEAR = 1e-3  # how far such a bound lies from 0 or 1, at most
RECENT = 32  # values that are kept while a model runs: those at its end are among the last


@dataclass(frozen=True)
class FinalActivation:
    """What ends an output.

    Arguments:
        kind: Which activation.
        whole: Whether all of it is returned, classes along axis 1, so that the activation of the scores is the output.
        hidden: Whether it runs in scripted code inside of other code, which keeps no derivatives of what it computes there.
    """

    kind: Kind
    whole: bool = True
    hidden: bool = False

    @property
    def removable(self) -> bool:
        """Whether scores are explained in its place: those before a log-softmax differ from its output by an offset only."""
        return self.kind in ("softmax", "sigmoid") and not self.hidden

    @property
    def link(self) -> Link:
        """How what comes out becomes probabilities."""
        return "exp" if self.kind.startswith("log") else "identity"

    @property
    def scores_link(self) -> Link | None:
        """How the scores become probabilities; None where that takes classes that are not returned."""
        by_kind: dict[Kind, Link] = {"softmax": "softmax", "sigmoid": "sigmoid"}
        return by_kind.get(self.kind) if self.whole else None


@dataclass(frozen=True, eq=False)
class BeforeActivation:
    """A forward pass that returns what its last softmax or sigmoid was given, where one of them ends it.

    The model runs as it is, whatever kind of code it is; its operations are only listened to. What moves the probabilities about
    (a squeeze, an index) is done to the scores.

    Example:
        >>> BeforeActivation(lambda x: (2 * x).softmax(-1)[..., 1])(torch.tensor([0.0, 3.0]))
        tensor(6.)
    """

    forward: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scripted = scripted_scores(self.forward, MOVES | KEEPS)
        if scripted is not None:
            return scripted(*args, **kwargs)
        with listening() as listener:
            output = self.forward(*args, **kwargs)
        return rebuild(output, Tensor, listener.score)


def before_activation(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A forward pass up to its last softmax or sigmoid; of several inputs packed into one, that of the model inside."""
    packed = hasattr(forward, "inputs") and hasattr(forward, "forward") and not isinstance(forward, nn.Module)
    if packed:
        return replace(forward, forward=before_activation(forward.forward))  # type: ignore[attr-defined, type-var]
    return forward if isinstance(forward, BeforeActivation) else BeforeActivation(forward)


@dataclass(frozen=True, eq=False)
class _Trace:
    """Where a value comes from: scores, the activation, and what moved the result about."""

    kind: Kind
    score: Tensor
    value: Tensor  # held, so that no other tensor takes its place in memory
    made: tuple[Any, ...]  # where the result of the activation itself lies
    moves: tuple[tuple[Any, tuple[Any, ...], dict[str, Any], int | None], ...] = ()

    def replay(self) -> Tensor:
        score = self.score
        for move, args, kwargs, part in self.moves:
            made = move(score, *args, **kwargs)
            score = made if part is None else made[part]
        return score


@contextmanager
def listening() -> Iterator[Listener]:
    """Follow the activations in a block."""
    listener = Listener()
    with InterceptMode(listener.dispatch), _Calls(listener):
        yield listener


class Listener:
    """Follows what softmaxes and sigmoids made through everything that only moves it about.

    A view that autograd keeps is another object than the one seen here; it is known by where it lies in memory.
    """

    def __init__(self) -> None:
        self.traces: OrderedDict[tuple[Any, ...], _Trace] = OrderedDict()
        self.heard: set[tuple[Any, ...]] = set()  # results of activations that Python code called

    def dispatch(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = func(*args, **kwargs)
        name, writes = _named(func)
        if writes:
            self._forget(args[:1])
        elif name in ACTIVATIONS:
            dim = args[1] if len(args) > 1 else kwargs.get("dim", 1)
            if "softmax" not in name or dim in (1, -1, args[0].dim() - 1):
                self.keep(ACTIVATIONS[name], args[0], output if isinstance(output, Tensor) else output[0])
        elif self.traces and (name in MOVES or name in KEEPS) and args and isinstance(args[0], Tensor):
            trace = self.traces.get(_place(args[0]))
            if trace is not None:
                self._follow(name, trace, func, args[1:], kwargs, output)
        elif self.traces and name in PRODUCTS:
            self._forget(args)
        return output

    def keep(self, kind: Kind, score: Tensor, made: Tensor) -> None:
        """Follow the result of an activation."""
        self._keep(made, _Trace(kind, score, made, _place(made)))

    def score(self, output: Tensor) -> Tensor:
        """The scores of an output that ends in a softmax or sigmoid; the output itself else."""
        trace = self.find(output)
        if trace is None or not FinalActivation(trace.kind).removable:
            return output
        if torch.is_grad_enabled():
            return trace.replay()
        score = trace.replay()
        return score.detach() if score.requires_grad else score  # a recorder would take that for a cut

    def find(self, output: Tensor) -> _Trace | None:
        return self.traces.get(_place(output))

    def _follow(self, name: str, trace: _Trace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if name in KEEPS:
            if name == "detach" or _changes_nothing(name, args, kwargs):
                self._keep(output, replace(trace, value=output))
            return
        several = isinstance(output, (list, tuple))
        for number, part in enumerate(output if several else [output]):
            step = (func, args, kwargs, number if several else None)
            self._keep(part, replace(trace, value=part, moves=(*trace.moves, step)))

    def _keep(self, made: Tensor, trace: _Trace) -> None:
        self.traces[_place(made)] = trace
        if len(self.traces) > RECENT:
            self.traces.popitem(last=False)

    def _forget(self, args: tuple[Any, ...]) -> None:
        """What is written to holds no probabilities any more, or not their scores."""
        memory = {_memory(one) for one in args if isinstance(one, Tensor)} if self.traces else set()
        for place, trace in list(self.traces.items()):
            if place[0] in memory or _memory(trace.score) in memory:
                del self.traces[place]


class _Calls(TorchFunctionMode):
    """Hears what Python code calls, and keeps what a sigmoid overwrites: above autograd, where a copy has derivatives."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def __torch_function__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        score = args[0].clone() if fn in (Tensor.sigmoid_, torch.sigmoid_) else None
        output = fn(*args, **(kwargs or {}))
        if score is not None:
            self.listener.keep("sigmoid", score, output)
        if getattr(fn, "__name__", "").rstrip("_") in ACTIVATIONS and isinstance(output, Tensor):
            self.listener.heard.add(_place(output))
        return output


def _memory(t: Tensor) -> int:
    return int(t.untyped_storage()._cdata)


def _place(t: Tensor) -> tuple[Any, ...]:
    return _memory(t), t.storage_offset(), t.shape, t.stride()


@cache
def _named(func: Any) -> tuple[str, bool]:
    """The name of an operation, and whether it writes into what it is given."""
    schema = func._schema
    return schema.name.partition("::")[2], bool(schema.is_mutable)


def _changes_nothing(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if name in ("nan_to_num", "dropout"):
        return True
    if name in ("mul", "div", "add", "sub"):
        other: Any = args[0] if args else kwargs.get("other")
        single = isinstance(other, Tensor) and other.numel() == 1 and not other.requires_grad
        nothing = 1 if name in ("mul", "div") else 0
        return (isinstance(other, (int, float)) or single) and other == nothing
    bounds = list(args)
    if name == "clamp_max":
        bounds = [None, *bounds]
    low, high = (*bounds, None, None)[:2]
    low, high = kwargs.get("min", low), kwargs.get("max", high)
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return False
    return (low is None or low <= NEAR) and (high is None or high >= 1 - NEAR)


# -- what ends a model --------------------------------------------------------------------------------------------------------


class Endings(dict[str, FinalActivation]):
    """What ends each output, by its path; "" is the main one.

    Attributes:
        shape: Of the main one for a batch of one sample, as it should be; None where it is not known.
    """

    shape: tuple[int, ...] | None = None


_KNOWN: WeakKeyDictionary[Any, dict[Any, tuple[tuple[int, ...], Endings]]] = WeakKeyDictionary()


def final_activations(forward: Callable[..., Any], x: Tensor, **keywords: Any) -> Endings:
    """What ends each output of a model, found in one forward pass of one sample, and remembered as long as the model lives.

    Example:
        >>> final_activations(lambda x: {"logits": x.sigmoid(), "aux": x}, torch.ones(1, 2))[""]
        FinalActivation(kind='sigmoid', whole=True, hidden=False)
    """
    inner, wrappers = forward, []
    while not isinstance(inner, nn.Module) and hasattr(inner, "forward"):
        wrappers.append(type(inner).__name__)
        inner = inner.forward
    owner, name = getattr(inner, "__self__", inner), getattr(inner, "__name__", "")
    key, modules = (name, *wrappers, x.dtype, x.dim()), _modules(owner)
    try:
        known = _KNOWN.setdefault(owner, {})
    except TypeError:  # it can be neither hashed nor remembered
        known = {}
    if key not in known or known[key][0] != modules:
        hiding = not isinstance(owner, torch.jit.ScriptModule) and _holds_scripts(owner)
        known[key] = modules, _find(forward, x, keywords, hiding)
    return known[key][1]


def _modules(owner: Any) -> tuple[int, ...]:
    """The modules of a network, which its user may replace."""
    return tuple(map(id, owner.modules())) if isinstance(owner, nn.Module) else ()


def _holds_scripts(owner: Any) -> bool:
    return isinstance(owner, nn.Module) and any(isinstance(one, torch.jit.ScriptModule) for one in owner.modules())


@torch.no_grad()
def _find(forward: Callable[..., Any], x: Tensor, keywords: dict[str, Any], hiding: bool) -> Endings:
    for some in (1, len(x)):  # exported programs, and networks over nodes, may take batches of one size alone
        try:
            generators = DeviceGenerators(0)
            with drawing_from(generators), listening() as listener:
                output = forward(x[:some].clone(), **_first(keywords, some, len(x)))
            main = main_output(output)
            if x.is_floating_point() and not keywords and not generators:  # of token ids nobody asks for it, and it may be large
                keep_answer(forward, x[:some], output)
        except Exception:  # whoever runs it next says why
            continue
        found = {path: _ending(listener, value, hiding) for path, value in entries(output, Tensor) if path}
        found[""] = _ending(listener, main, hiding)
        endings = Endings({path: ending for path, ending in found.items() if ending is not None})
        endings.shape = tuple(main_output(with_batch_axis(output, some)).shape)
        return endings
    return Endings()


def _first(keywords: dict[str, Any], some: int, count: int) -> dict[str, Any]:
    """What is given by keyword for the first samples of a batch."""
    batched = {name for name, value in keywords.items() if isinstance(value, Tensor) and value.dim() and len(value) == count}
    return {name: value[:some] if name in batched else value for name, value in keywords.items()}


def _ending(listener: Listener, output: Tensor, hiding: bool) -> FinalActivation | None:
    trace = listener.find(output) if output.is_floating_point() else None
    if trace is None:
        return None
    score, hidden = trace.replay().float(), hiding and trace.made not in listener.heard
    if trace.kind in ("sigmoid", "log-sigmoid"):
        return FinalActivation(trace.kind, hidden=hidden)
    axis = 1 if score.dim() > 1 else 0
    again = score.softmax(axis) if trace.kind == "softmax" else score.log_softmax(axis)
    whole = score.dim() > 1 and torch.allclose(again, output.float(), atol=NEAR)
    return FinalActivation(trace.kind, whole, hidden)


def probabilities(scores: Tensor, link: str | None) -> Tensor:
    """What a model says with its scores, along axis 1: the softmax, independent sigmoids, or the scores themselves.

    Arguments:
        link: How scores become probabilities; None, where nothing says it: they are taken as they are where they are
            probabilities already; the score of a single class is put through a sigmoid, several are through a softmax.

    Example:
        >>> probabilities(torch.tensor([[0.0, 0.0]]), None), probabilities(torch.tensor([[0.1, 0.9]]), None)
        (tensor([[0.5000, 0.5000]]), tensor([[0.1000, 0.9000]]))
        >>> probabilities(torch.tensor([[0.0, 0.0]]), "sigmoid"), probabilities(torch.tensor([[0.0]]), None)
        (tensor([[0.5000, 0.5000]]), tensor([[0.5000]]))
    """
    if link == "exp":
        return scores.exp()
    if link == "identity":
        return scores
    single = scores.shape[1] == 1
    if link == "sigmoid" or (single and link != "softmax"):
        return scores.sigmoid()
    if link is None:
        with torch.no_grad():
            if are_probabilities(scores):
                return scores
    return scores.softmax(1)


def are_probabilities(scores: Tensor) -> bool:
    """Whether scores, with shape (sample, class, ...), come from a softmax: none is negative, and each sample's sum to 1."""
    return bool((scores >= 0).all() and ((scores.sum(1) - 1).abs() < 1e-3).all())
