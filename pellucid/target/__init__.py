"""Targets: the number per sample that is explained, or maximized. The functions below make them; each kind is a file.

Which part of a layer relevance has to pass (`only=`) stands here too: condition.py, selection.py and conditioning.py. How a
target becomes the seed of relevance stands in `tape.seed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from torch import Tensor
from torch.nn import Module

from pellucid.errors import TargetError
from .activation import Channel, Direction, Energy, Function
from .classes import Box, Class, Logit, LogOdds, Predicted, Probability, Region, probabilities as probabilities
from .continuation import MOST, Continuation, Generated as Generated, continuation_text, is_sequence as is_sequence
from .detection import Detection
from .number import Number
from .similarity import Similarity
from .step import Step
from .target import Names as Names, Part as Part, Target as Target, Term as Term
from .token import Token
from .true_class import TrueClass

ClassIndex = int | str | Sequence[int | str] | None  # by index or name, one for all samples or one per sample


def logit(index: ClassIndex = None) -> Target:
    """The model's score of a class, by index or name, one for all samples or one per sample; None: the predicted class.

    Where a softmax or a sigmoid ends the model, the score is what goes into it, since both flatten scores.
    """
    return _of(Logit(index=_class(index)))


def probability(index: ClassIndex = None) -> Target:
    """The probability of a class, as the model says it.

    The softmax of its scores; the sigmoid of a single score, and of labels that are independent of one another; what the model
    returns, where it ends in a softmax or sigmoid.
    """
    return _of(Probability(index=_class(index)))


def log_odds(index: ClassIndex = None) -> Target:
    """The log-odds of a class, log p / (1 - p), in nats."""
    return _of(LogOdds(index=_class(index)))


def mask(index: ClassIndex = None, mask: Tensor | Literal["predicted"] | None = None) -> Target:
    """The mean score of a class over a mask of its map, as segmentation gives it.

    Arguments:
        index: The class, one for all samples or one per sample; None: the predicted one, which with "predicted" is the one that
            takes up most of the map.
        mask: True where the score counts; "predicted": where the class has the highest score of all (where the score is above
            zero, of one class alone); None: everywhere.
    """
    if isinstance(mask, str):
        return _of(Predicted(index=_class(index)).checked(mask))
    return _of(Region(index=_class(index), mask=mask, name="a mask" if mask is not None else "the whole map"))


def box(index: ClassIndex, top: int, left: int, bottom: int, right: int) -> Target:
    """The mean score of a class over a rectangle of its map, in the map's own pixels; bottom and right are left out."""
    return _of(Box(index=_class(index), corners=(top, left, bottom, right), name=f"rows {top}-{bottom}, columns {left}-{right}"))


def output(*position: int) -> Target:
    """One number of the output, as it comes: of a regression, of a map. `output(2).of("boxes")` reads a part of it.

    Arguments:
        position: Its place in what the model returns for one sample; none where that is one number only.
    """
    if not all(isinstance(place, int) and not isinstance(place, bool) for place in position):
        words = ", ".join(map(repr, position))
        raise TargetError(
            f"pl.output({words})", f"{words}", "a number of the output is named by whole numbers, one per axis",
            'Write pl.output(0); a part of the output by its name: pl.output(0).of("boxes").',
        )  # fmt: skip
    return _of(Number(position=position))


def step(at: int | tuple[int, int], index: ClassIndex = None, *, classes_first: bool = False) -> Target:
    """The score of a class at a step of time, for outputs (batch, time, class).

    Arguments:
        at: Which step; or the first and the last + 1 of several, whose mean is taken.
        index: The class; None: the predicted one there.
        classes_first: For outputs (batch, class, time).
    """
    return _of(Step(index=_class(index), steps=(at, at + 1) if isinstance(at, int) else at, classes_first=classes_first))


def detection(
    box: int | Sequence[int] | None = None, index: ClassIndex = None, *, boxes_last: bool | None = None, skip: int = 0
) -> Target:
    """The score of a class in one of the boxes a detector proposes, before they are sorted and thinned out.

    Arguments:
        box: Its number, one for all samples or one per sample; None: the box in which the class scores highest.
        index: The class; None: the one with the highest score there.
        boxes_last: Whether outputs are (batch, channels, boxes), as YOLO has them, and not (batch, boxes, classes), as DETR and
            SSD. None: the longer axis counts the boxes; captions say how many there are.
        skip: How many channels come before the scores of classes: 4 for the corners of YOLO v8, 5 of v5.
    """
    boxes = tuple(box) if isinstance(box, Sequence) else box
    return _of(Detection(index=_class(index), box=boxes, boxes_last=boxes_last, skip=skip))


def similarity(reference: Any = None, *, input: Any = None, kind: Literal["cosine", "dot"] = "cosine", name: str = "") -> Target:
    """How alike the output, an embedding, is to a reference.

    Outputs (batch, token, channel) are averaged over their tokens first.

    Arguments:
        reference: The embedding to compare with: one for all samples, or one per sample.
        input: In place of it, what the model makes it of: a picture, a text or whatever the model reads, or a tensor.
        kind: "cosine" of the angle between both, or the "dot" product.
        name: What captions call the reference.
    """
    return _of(Similarity.to(reference, input, kind, name))


def token(id: int | str | None = None, position: int | None = None) -> Target:
    """The score of a token at a position of a language model's output: what comes next, or what fills a gap.

    Arguments:
        id: Its number, or the token itself where the model has a tokenizer: `pl.token(" Paris")`; None: the predicted one.
        position: Where in the text; None: at the gap of a masked text, else at the last position, which foretells the next token.
    """
    return _of(Token(id=id, position=position))


def generated(
    count: int | None = None, *, text: str | Sequence[int] | None = None, temperature: float = 0.0, seed: int = 0
) -> Generated:
    """The tokens with which a language model goes on from a prompt, each explained by all tokens before it: for `explain`.

    Arguments:
        count: How many tokens, at most: the token that ends a text is the last one.
        text: In place of them, a continuation that is given, as a text or as ids.
        temperature: 0 takes the token with the highest score; above, tokens are drawn, with p proportional to
            exp(score / temperature).
        seed: Of the draws.

    Example:
        >>> print(generated(20))
        20 generated tokens
    """
    asked = "pl.generated(...)"
    if (count is None) == (text is None):
        found = "neither" if count is None else f"count={count!r} and text={text!r}"
        why = "the model goes on by itself, or along a text that is given"
        raise TargetError(asked, found, why, 'Write pl.generated(20), or pl.generated(text=" and so on").')
    if text is not None:
        return Generated(text=continuation_text("pl.generated(text=...)", text))
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= MOST:
        raise TargetError(asked, f"count={count!r}", f"tokens are counted, from 1 to {MOST:,}", "Write pl.generated(20).")
    if not 0 <= temperature < float("inf"):
        raise TargetError(asked, f"temperature={temperature!r}", "scores are divided by it", "Give 0, or 0.7, say.")
    return Generated(count, temperature=float(temperature), seed=seed)


def sequence(text: str | Sequence[int], *, kind: Literal["log_probability", "logit"] = "log_probability") -> Target:
    """The score of a whole continuation of the prompt, the sum over its tokens, each given all before it: for `explain`.

    Arguments:
        text: The continuation, as it goes on after the prompt: `pl.sequence(" is Paris")`; or its ids.
        kind: "log_probability", or "logit" for the sum of scores as they come.

    Example:
        >>> print(sequence(" is Paris") - sequence(" is Rome"))
        log-probability of " is Paris" - log-probability of " is Rome"
    """
    if kind not in ("log_probability", "logit"):
        do = 'Use "log_probability" or "logit".'
        raise TargetError(f"pl.sequence(kind={kind!r})", f"{kind!r}", "no score of tokens has that name", do)
    return _of(Continuation(words=continuation_text("pl.sequence(...)", text), kind=kind))


def channel(
    at: str | Module, unit: int, position: Sequence[int] | None = None, *,
    tokens: str | int | None = None, axis: int | None = None,
) -> Target:  # fmt: skip
    """The mean activation of a channel of the module `at`, or its activation at one position.

    Arguments:
        at: The path of a module, or the module itself.
        unit: Which channel.
        position: One index per axis of the map; None: the mean over all.
        tokens: For values (batch, token, channel), as transformers have them, and (batch, height, width, channel): which tokens
            are averaged over. "patch" are all but the first of a sequence, and all of a map; "cls" is the first; "all" are all; a
            number is one of them. None: all places, wherever channels stand.
        axis: The axis on which channels stand: 1, as in (batch, channel, height, width), or -1, as in (batch, token, channel).
            None: by what made the value; a note tells where that is not certain.
    """
    if axis not in (None, 1, -1):
        raise TargetError(f"pl.channel(axis={axis!r})", f"{axis!r}", "channels stand on axis 1 or -1", "Say one of these.")
    number = unit.tolist() if hasattr(unit, "tolist") else unit  # of PyTorch and NumPy
    if not isinstance(number, int) or isinstance(number, bool):
        raise TargetError(f"pl.channel(unit={unit!r})", f"a {type(unit).__name__}", "channels are numbered", "Write 17, say.")
    tokens = "all" if axis == -1 and tokens is None else tokens
    place = None if position is None else tuple(position)
    return _of(Channel(at=at, unit=number, position=place, tokens=tokens, axis=axis))  # type: ignore[arg-type]  # paths are found later


def direction(at: str | Module | None, vector: Tensor) -> Target:
    """How far the mean activation of the module `at` reaches along `vector`."""
    return _of(Direction(at=at, vector=vector))  # type: ignore[arg-type]


def energy(at: str | Module) -> Target:
    """Half the mean squared activation of the module `at`: how much it finds at all."""
    return _of(Energy(at=at))  # type: ignore[arg-type]


def _of(term: Term) -> Target:
    return Target(((1.0, term),))


def _class(index: Any) -> Class | None:
    plain: Any = index.tolist() if hasattr(index, "tolist") else index  # of PyTorch and NumPy
    if plain is None or _names_class(plain):
        return plain  # type: ignore[no-any-return]
    several = [one.tolist() if hasattr(one, "tolist") else one for one in plain] if isinstance(plain, Iterable) else [plain]
    if isinstance(plain, Iterable) and several and all(map(_names_class, several)):
        return tuple(several)
    raise TargetError(
        f"class {index!r}", f"a {type(index).__name__}", "a class is an index or a name, one for all samples or one per sample",
        'Write pl.logit(281), pl.logit("tabby") or pl.logit([281, 285]).',
    )  # fmt: skip


def as_target(target: Any) -> Target:
    """What users write as a target: None, an index, a name, one per sample, a function of the output, or a Target.

    Example:
        >>> print(as_target(None), "|", as_target("tabby"), "|", as_target([3, 4]))
        logit of the predicted class | logit tabby | logit 3
    """
    if isinstance(target, Target):
        return target
    if isinstance(target, Generated):
        raise TargetError(
            str(target), "a verb that reads one score for each input", "every new token has a score of its own",
            "Explain them: pl.explain(model, prompt, pl.generated(20)); or one score of them all: pl.sequence(text).",
        )  # fmt: skip
    if isinstance(target, TrueClass):
        target = target.of(())  # of one input nothing says it
    if hasattr(target, "tolist"):  # of PyTorch and NumPy
        target = target.tolist()
    if target is None or _names_class(target):
        return logit(target)
    if isinstance(target, Sequence) and target and all(_names_class(t.tolist() if hasattr(t, "tolist") else t) for t in target):
        return logit(target)
    if callable(target):
        return _of(Function(fn=target))
    raise TargetError(
        f"target {target!r}", f"a {type(target).__name__}",
        "a target is an index, a name, one of these per sample, a function, or a Target",
        "Try target=281, target=\"tabby\" or pl.logit(281) - pl.logit(282).",
    )  # fmt: skip


def _names_class(target: Any) -> bool:
    return isinstance(target, (int, str)) and not isinstance(target, bool)
