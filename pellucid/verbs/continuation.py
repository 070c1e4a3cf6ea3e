"""Texts that go on: every new token explained by all before it, or one score of a whole continuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import MethodError, TargetError
from pellucid.explanation.concat import concat
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method, member
from pellucid.model import Model
from pellucid.model.modality import Generated as Rows, Tokens
from pellucid.model.modality.generated import earlier
from pellucid.model.modality.tokens import PADDING
from pellucid.tape.generation import Prompt, check_causal, check_room, ending_tokens, generate
from pellucid.target import Generated, Target
from pellucid.target.continuation import Continuation, NewToken
from .inputs import Batch, read_inputs
from .prompts import ReadPrompt, read_prompts

Run = Callable[[Batch, Sequence[Target]], "Explanation | None"]
"""The explanation of one text for some targets, a row each; None of several for which the method needs a recording each."""

GREEDY = "each the one with the highest score"


def explain_continuation(
    model: Model, x: Any, target: Generated | Target, run: Run, method: Method, *, inside: bool
) -> Explanation:
    """The explanation of a continuation of each of some prompts: rows for its tokens, or a row for the score of all of it.

    Arguments:
        run: By the method.
        inside: Whether a value inside the network is explained by.
    """
    _check(target, method, inside=inside)
    prompts = read_prompts(read_inputs(model, x), _continued_target(target))
    if isinstance(target, Generated):
        return side_by_side([_each_token(one, target, run, method, n) for n, one in enumerate(prompts)])
    return side_by_side([_whole(one, target, run) for one in prompts])


def _check(target: Generated | Target, method: Method, *, inside: bool) -> None:
    """Refuse what cannot be said of a continuation."""
    if isinstance(target, Generated) and (inside or member(method, "only")):
        found = "a value inside the network" if inside else "what relevance has to pass"
        raise MethodError(
            f"{target}, with at= or only=", found, "the rows of a matrix are of tokens",
            "Explain one of the tokens so: pl.explain(model, prompt, pl.token(...), at=...).",
        )  # fmt: skip
    mixed = isinstance(target, Target) and any(not isinstance(term, Continuation) for _, term in target.terms)
    if mixed:
        raise TargetError(
            str(target), "a continuation beside other scores", "it is read after the prompt, and the others are read at its end",
            'Write the other as a continuation, too: pl.sequence(" Paris", kind="logit").',
        )  # fmt: skip
    if isinstance(target, Target) and inside and len(target.terms) > 1:
        raise MethodError(
            f"{target} by a value inside the network", "a value that is there once for each continuation",
            "they are read one after the other, and only the last is left", "Explain them one by one, or by the text itself.",
        )  # fmt: skip
    if getattr(method, "semantics", "") == "remove":
        raise MethodError(
            f'`{method.name}` with semantics="remove" of a continuation', "new tokens at places counted from the prompt on",
            "they would move where tokens are left out", 'Use semantics="replace".',
        )  # fmt: skip


def _continued_target(target: Generated | Target) -> Target:
    """A target of the kind that is explained: scores before a softmax."""
    return target if isinstance(target, Target) else Target(((1.0, NewToken()),))


# -- every new token ----------------------------------------------------------------------------------------------------------


def _each_token(read: ReadPrompt, target: Generated, run: Run, method: Method, number: int) -> Explanation:
    """Every new token of one prompt, a row each."""
    prompt = read.prompt
    new, note = _new_tokens(read, target)
    check_causal(prompt, new)
    tokens, first = read.with_tokens(new), len(prompt.ids)
    forward = prompt.continued([len(new)])
    targets = [Target(((1.0, NewToken(id=one, position=forward.first + n, number=n + 1)),)) for n, one in enumerate(new)]
    batch = Batch(
        forward.on(prompt.model), prompt.row(new), subject=tokens, padded=True,
        notes=tuple(filter(None, (note, *read.notes))),
    )  # fmt: skip
    e = run(batch, targets) or _one_by_one(read, batch, targets, run, method)
    places, count = tuple(range(first, first + len(new))), len(new)
    rows = Rows(
        tokens.texts * count, tokens.pieces * count, tokens.spans * count, tokens.kinds * count, places, (number,) * count,
        (prompt.source,) * count,
    )  # fmt: skip
    return replace(
        e, values=_earlier(e.values, places), error=None if e.error is None else _earlier(e.error, places), subject=rows
    )


def _new_tokens(read: ReadPrompt, target: Generated) -> tuple[tuple[int, ...], str]:
    """The new tokens, generated or given, and how they came to be, in a sentence."""
    if target.text is not None:
        given, note = read.ids_of(target.text)
        check_room(read.prompt, len(given))
        return given, note
    check_room(read.prompt, target.count)
    new = generate(read.prompt, target.count, target.temperature, target.seed)
    return new, _told(read.prompt, target, new)


def _earlier(values: Tensor, places: Sequence[int]) -> Tensor:
    """The rows with zeros from the token on that each explains."""
    return torch.cat([earlier(values[n : n + 1], place) for n, place in enumerate(places)])


def _told(prompt: Prompt, target: Generated, new: Sequence[int]) -> str:
    """How the text came to be, in a sentence."""
    how = GREEDY if not target.temperature else f"drawn at a temperature of {target.temperature:g} with seed {target.seed}"
    ended = ", and the last one ends the text" if new[-1] in ending_tokens(prompt.model) else ""
    return f"The model went on by itself: {len(new)} new token{'s' * (len(new) > 1)}, {how}{ended}."


def _one_by_one(read: ReadPrompt, batch: Batch, targets: Sequence[Target], run: Run, method: Method) -> Explanation:
    """The rows by a method that needs a recording for each: on the text before each token."""
    prompt, x, rows = read.prompt, batch.x, []
    assert isinstance(batch.subject, Tokens)
    for n, target in enumerate(targets):
        end = len(prompt.ids) + n
        forward = replace(prompt.continued([1]), prompt=end)
        shorter = replace(
            batch, model=forward.on(prompt.model), x=x[:, :end], subject=batch.subject.single(0, range(end)),
        )  # fmt: skip
        e = run(shorter, [target])
        assert e is not None
        rows.append(_widened(e, x.shape[1]))
    anew = f"`{method.name}` was run anew for every token, on the text before it."
    return replace(concat(rows), notes=(*_common_notes(rows), anew))


def _common_notes(rows: Sequence[Explanation]) -> tuple[str, ...]:
    """The notes of all rows, and what else is said of the last one: of every row it would be too much."""
    common = [note for note in rows[0].notes if all(note in e.notes for e in rows)]
    return (*common, *(f"Of the last token: {note}" for note in rows[-1].notes if note not in common))


# -- one score of a continuation ----------------------------------------------------------------------------------------------


def _whole(read: ReadPrompt, target: Target, run: Run) -> Explanation:
    """The score of a whole continuation of one prompt, or of several weighed against one another."""
    ids, notes, terms = list[tuple[int, ...]](), list(read.notes), []
    for weight, term in target.terms:
        assert isinstance(term, Continuation)
        found, note = read.ids_of(term.words)
        check_room(read.prompt, len(found))
        check_causal(read.prompt, found)
        terms.append((weight, replace(term, ids=found)))
        ids, notes = [*ids, found], [*notes, note]
    forward, before = read.prompt.continued(list(map(len, ids))), [0, *accumulate(map(len, ids))]
    placed = [(weight, replace(term, first=forward.first + n)) for (weight, term), n in zip(terms, before, strict=False)]
    grown = read
    for n, one in enumerate(ids):
        grown = replace(read, tokens=replace(grown, prompt=read.prompt).with_tokens(one, " |" if n else ""))
    batch = Batch(
        forward.on(read.prompt.model), read.prompt.row([i for one in ids for i in one]),
        subject=grown.tokens, padded=True, notes=tuple(filter(None, notes)),
    )  # fmt: skip
    e = run(batch, [Target(tuple(placed))])
    assert e is not None
    return e


# -- several prompts ----------------------------------------------------------------------------------------------------------


def side_by_side(parts: Sequence[Explanation]) -> Explanation:
    """The explanations of several prompts as one, with padding behind the shorter texts."""
    if len(parts) == 1:
        return parts[0]
    if any(not isinstance(e.subject, Tokens) for e in parts):
        return concat(parts)
    long = max(e.values.shape[1] for e in parts)
    subjects = [_padded(e.subject, long) for e in parts if isinstance(e.subject, Tokens)]
    fields = {name: tuple(one for subject in subjects for one in getattr(subject, name)) for name in subjects[0].per_sample}
    return replace(_concat([_widened(e, long) for e in parts]), subject=replace(subjects[0], **fields))


def _concat(parts: Sequence[Explanation]) -> Explanation:
    """The rows of all parts, which may have several each."""
    return concat([one for e in parts for one in e])


def _widened(e: Explanation, long: int) -> Explanation:
    """With zeros behind its tokens."""

    def wide(values: Tensor) -> Tensor:
        return torch.cat([values, values.new_zeros(len(values), long - values.shape[1], *values.shape[2:])], 1)

    return replace(e, values=wide(e.values), error=None if e.error is None else wide(e.error), subject=None)


def _padded(subject: Tokens, long: int) -> Tokens:
    """With padding up to a length."""
    more = [long - len(pieces) for pieces in subject.pieces]
    return replace(
        subject,
        pieces=tuple((*one, *[""] * n) for one, n in zip(subject.pieces, more, strict=True)),
        spans=tuple((*one, *[(0, 0)] * n) for one, n in zip(subject.spans, more, strict=True)),
        kinds=tuple((*one, *[PADDING] * n) for one, n in zip(subject.kinds, more, strict=True)),
    )
