"""Independence: whether a sample gets the same answer whatever else is in its batch, measured once per network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from pellucid.core.answers import keep_answer, kept_answer
from pellucid.core.draws import drawing_apart
from pellucid.model import Model
from pellucid.model.memory import Remembering
from pellucid.model.outputs import main_output, rebuild, tensors, with_batch_axis
from .decisions import Watch, decides_by_values

FEW = 8  # rows of a batch that are looked at, at most
CLOSE = 1e-4  # of the largest output: batches of other sizes round differently

Kind = tuple[Any, ...]
_KNOWN: WeakKeyDictionary[Any, dict[Kind, bool]] = WeakKeyDictionary()


def variants_are_apart(model: Model, x: Tensor) -> bool:
    """Whether variants of a sample get the answers in one batch that each gets alone.

    Not so where the network decides by what it reads (see `decisions`), takes a mean, a maximum or a spread over all it is
    given, or remembers something of one sample: then variants have to run one at a time.

    Arguments:
        x: The samples that variants are made of.

    Example:
        >>> from pellucid.model import load
        >>> x = torch.tensor([[1.0, 3.0]])
        >>> variants_are_apart(load(lambda x: x / x.max()), x), variants_are_apart(load(lambda x: x / 3), x)
        (False, True)
    """
    if isinstance(model.forward, OneRow) or _remembers(model):
        return False
    return remembered("variants", model, x, lambda: not _meet(model, x if len(x) == 1 else x[:1]))


def together_note(model: Model, x: Tensor) -> tuple[str, ...]:
    """A sentence, where variants of a sample have to run one at a time."""
    if isinstance(model.forward, OneRow) or variants_are_apart(model, x):
        return ()
    if _remembers(model):
        return ("What the network remembers is of one input: changed inputs ran one at a time.",)
    return ("The network goes by all that is in its batch, or by numbers it reads: changed inputs ran one at a time.",)


def _remembers(model: Model) -> bool:
    """Whether an answer depends on what the network heard before, which is of one sample."""
    return isinstance(model.forward, Remembering) and model.forward.reads


def rows_are_apart(model: Model, x: Tensor) -> bool:
    """Whether the samples of this batch get the answers that each gets alone, or at least do not influence one another.

    Example:
        >>> from pellucid.model import load
        >>> x = torch.tensor([[1.0], [3.0]])
        >>> rows_are_apart(load(lambda x: x - x.mean(0)), x), rows_are_apart(load(lambda x: x - x.mean(1, keepdim=True)), x)
        (False, True)
    """
    if len(x) == 1 or isinstance(model.forward, OneRow):
        return True
    return remembered("rows", model, x, lambda: not _influence_one_another(model, x))


def remembered(what: str, model: Model, x: Tensor, measure: Callable[[], bool]) -> bool:
    """What was measured for this network and inputs of this kind, or is now; forgotten with the network."""
    forward = model.forward
    kind = (what, getattr(forward, "__qualname__", type(forward).__qualname__), tuple(x.shape[1:]), x.dtype, x.device)
    try:
        known = _KNOWN.setdefault(model.network, {})
    except TypeError:  # nothing that can be remembered weakly
        return measure()
    if kind not in known:
        known[kind] = measure()
    return known[kind]


def _meet(model: Model, x: Tensor) -> bool:
    """Whether one sample gets another answer beside another one than alone, or the program decides by what it reads."""
    own = plain_answer(model, x)
    for other in _others(x):
        watch = Watch()
        beside = _answer(model, torch.cat([other, x]), watch)
        if beside is not None:
            return watch.decided or (own is not None and len(beside) == 2 and _differ(beside[1:], own))
    return decides_by_values(model, x)  # a program of a fixed size


def _influence_one_another(model: Model, x: Tensor) -> bool:
    """Whether some row of a batch gets another answer when the others change.

    First each is run alone, which costs no more than the batch does once; those with another answer there are run once more
    among altered rows, since a network that draws random numbers draws others for another number of samples.
    """
    whole = plain_answer(model, x)
    if whole is None or len(whole) != len(x):
        return False
    rows = sorted({round(place * (len(x) - 1) / (FEW - 1)) for place in range(FEW)})
    alone = [(row, plain_answer(model, x[row : row + 1])) for row in rows]
    other = [row for row, own in alone if own is None or own.shape != whole[:1].shape or _differ(own, whole[row : row + 1])]
    if not other:
        return False
    place = torch.arange(len(x), device=x.device)
    kept = [place == row for row in other[:2]] + ([place % 2 == 0, place % 2 == 1] if len(other) == len(rows) else [])
    answers = any(own is not None for _, own in alone)
    return any(_change_with_the_rest(model, x, whole, rows) for rows in kept) or (answers and decides_by_values(model, x))


def _change_with_the_rest(model: Model, x: Tensor, whole: Tensor, kept: Tensor) -> bool:
    """Whether the answers for some rows change when all others do."""
    for other in _others(x):
        among = _answer(model, torch.where(kept.reshape(-1, *[1] * (x.dim() - 1)), x, other))
        if among is not None and among.shape == whole.shape:
            return _differ(among[kept], whole[kept])
    return False


def _others(x: Tensor) -> Sequence[Tensor]:
    """Other inputs, the best first: later ones for networks that do not take those."""
    places = tuple(range(1, x.dim()))
    return x.flip(places) * 1.5 + 0.1 * x.abs().amax().clamp(min=1), x * 0.5, x.roll(1, 0).flip(places), torch.zeros_like(x)


def plain_answer(model: Model, x: Tensor) -> Tensor | None:
    """The main output of a plain call; None where the network does not take this input, or has nothing finite to say."""
    known = kept_answer(model.forward, x)
    if known is not None:
        return usable(known, len(x))
    output = _answer(model, x)
    if output is not None:
        keep_answer(model.forward, x, output)
    return output


def usable(output: Any, samples: int) -> Tensor | None:
    """The main output where it can be compared: finite real numbers, a row per sample."""
    main = main_output(with_batch_axis(output, samples))
    return main.detach() if main.dim() and main.is_floating_point() and bool(main.isfinite().all()) else None


@torch.no_grad()
def _answer(model: Model, x: Tensor, watch: Watch | None = None) -> Tensor | None:
    """The same, anew, and watched."""
    try:
        with torch.inference_mode(False), torch.no_grad(), drawing_apart(model, x.device):
            copy = x.detach().clone()
            with nullcontext() if watch is None else watch.watching(copy):
                output = model.forward(copy)
        return usable(output, len(x))
    except Exception:  # whatever it raises, it is not made for this
        return None


def _differ(one: Tensor, other: Tensor) -> bool:
    """Whether two answers differ by more than rounding."""
    size = torch.maximum(one.abs().amax(), other.abs().amax()).double()
    off = (one.double() - other.double()).abs().amax()
    return bool(off > max(CLOSE, 8 * torch.finfo(other.dtype).eps) * size)


@dataclass(frozen=True, eq=False)
class OneRow:
    """A network as a function of one row of a batch: the other rows are held as they are.

    Arguments:
        forward: From the whole batch.
        x: The batch.
        row: Which row varies. Of several variants each is put in its place in turn.

    Example:
        >>> OneRow(lambda x: x - x.mean(0), torch.tensor([[0.0], [4.0]]), 1)(torch.tensor([[4.0], [8.0]]))
        tensor([[2.],
                [4.]])
    """

    forward: Callable[..., Any]
    x: Tensor
    row: int

    def __call__(self, variants: Tensor) -> Any:
        answers = [self._answer(variants[n : n + 1]) for n in range(len(variants))]
        if len(answers) == 1:
            return answers[0]
        columns = zip(*(list(tensors(answer)) for answer in answers), strict=True)
        joint = iter([torch.cat(column) if column[0].dim() else torch.stack(column) for column in columns])
        return rebuild(answers[0], Tensor, lambda _: next(joint))

    def _answer(self, variant: Tensor) -> Any:
        """The output, of which all that has an entry for each row is cut to this one."""
        held = self.x.to(variant)
        output = self.forward(torch.cat([held[: self.row], variant, held[self.row + 1 :]]))

        def own(t: Tensor) -> Tensor:
            return t[self.row : self.row + 1] if t.dim() and len(t) == len(held) else t

        return rebuild(output, Tensor, own)
