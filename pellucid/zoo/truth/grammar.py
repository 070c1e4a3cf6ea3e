"""A small grammar: sentences whose label depends on known words, with known signs."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from pellucid.errors import MethodError
from .problem import Change, Problem, choose, generator

Kind = Literal["trigger", "bigram", "negation", "agreement"]
FILLERS = tuple("the a of in on and with for by at".split())
GOOD, BAD = ("good", "fine", "lovely"), ("bad", "poor", "awful")
ONE, MANY = ("dog", "bird", "child"), ("dogs", "birds", "children")
NOT, FIRST, SECOND = "not", "red", "wine"
WORDS = (*FILLERS, *GOOD, *BAD, *ONE, *MANY, NOT, FIRST, SECOND)
CODE = {word: i for i, word in enumerate(WORDS)}


def grammar(n: int = 128, *, seed: int = 0, kind: Kind = "trigger", length: int = 12) -> Problem:
    """Sentences as one-hot vectors, with shape (sentence, length, word).

        trigger     a good or a bad word among fillers tells the label
        bigram      label 1 if "red" stands right before "wine"; in label 0 both stand apart
        negation    as trigger, but "not" right before the word turns the label round
        agreement   label 1 if the subject, the first noun, is plural; a second noun of the other number distracts

    `masks` are the words that tell; `also["signs"]` says for each word whether it speaks for the label (1), against it (-1: the
    word that "not" turns round), or not at all.

    Example:
        >>> p = grammar(2, kind="negation")
        >>> len(words(p.inputs[0]).split()), p.inputs.shape[2] == len(WORDS)
        (12, True)
    """
    if kind not in _WRITE:
        known, do = f"there are {len(_WRITE)}", f"Choose one of {', '.join(_WRITE)}."
        raise MethodError(f"grammar(kind={kind!r})", "no such grammar", known, do)
    rng = generator(seed)
    codes = choose(len(FILLERS), n * length, rng).reshape(n, length)
    bare, labels, signs = codes.clone(), torch.arange(n) % 2, torch.zeros(n, length)
    for i in range(n):
        _WRITE[kind](codes[i], signs[i], int(labels[i]), rng)
    masks, x = signs != 0, F.one_hot(codes, len(WORDS)).float()
    fillers = F.one_hot(bare, len(WORDS)).float()
    changes: dict[str, Change] = {
        "without the words that tell": lambda x: torch.where(masks[..., None], fillers, x),
        "other fillers": lambda x: torch.where((codes < len(FILLERS))[..., None], fillers.flip(0), x),
    }
    names = ("singular", "plural") if kind == "agreement" else ("no", "yes")
    return Problem(f"grammar.{kind}", x, labels, masks, names, changes=changes, also={"signs": signs})


def words(x: Tensor) -> str:
    """One sentence of one-hot vectors, read out."""
    return " ".join(WORDS[i] for i in x.argmax(-1).tolist())


def _some(of: tuple[str, ...], rng: Generator) -> int:
    return CODE[of[int(choose(len(of), 1, rng))]]


def _trigger(codes: Tensor, signs: Tensor, label: int, rng: Generator) -> None:
    place = int(choose(len(codes), 1, rng))
    codes[place], signs[place] = _some(GOOD if label else BAD, rng), 1


def _bigram(codes: Tensor, signs: Tensor, label: int, rng: Generator) -> None:
    place = int(choose(len(codes) - 4, 1, rng))
    second = place + 1 if label else place + 3
    codes[place], codes[second] = CODE[FIRST], CODE[SECOND]
    signs[place], signs[second] = 1, 1


def _negation(codes: Tensor, signs: Tensor, label: int, rng: Generator) -> None:
    place, turned = 1 + int(choose(len(codes) - 1, 1, rng)), bool(choose(2, 1, rng))
    codes[place], signs[place] = _some(GOOD if bool(label) != turned else BAD, rng), -1 if turned else 1
    if turned:
        codes[place - 1], signs[place - 1] = CODE[NOT], 1


def _agreement(codes: Tensor, signs: Tensor, label: int, rng: Generator) -> None:
    place = int(choose(len(codes) // 2, 1, rng))
    other = len(codes) // 2 + int(choose(len(codes) // 2, 1, rng))
    codes[place], signs[place] = _some(MANY if label else ONE, rng), 1
    codes[other] = _some(ONE if label else MANY, rng)


_WRITE = {"trigger": _trigger, "bigram": _bigram, "negation": _negation, "agreement": _agreement}
