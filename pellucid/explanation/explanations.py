"""Explanations of many samples, one after another, so that their number does not matter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from pellucid.core.displayed import Displayed
from pellucid.core.one_line import cut
from pellucid.errors import InputError
from .concat import concat
from .explanation import Explanation


@dataclass(frozen=True, eq=False)
class Explanations(Displayed):
    """The explanation of every sample of a folder or a data loader, computed when it is reached and then forgotten.

    Going through it computes; going through it twice computes twice, unless the data can be read only once.

    Arguments:
        compute: Begins anew with the first sample: batches, each with the number of samples in it.
        source: What the samples come from, in words.
        method: What they are explained by.
        count: How many samples there are, where that is known.

    Example:
        >>> import torch
        >>> one = Explanation(torch.ones(1, 2), torch.ones(1), "logit 0", "gradient", True)
        >>> many = Explanations(lambda: iter([(one, 1), (one, 1)]), "a list", "gradient", 2)
        >>> many, [float(e.output) for e in many], len(many.concat())
        (Explanations(gradient of a list, 2 samples, computed as they are reached), [1.0, 1.0], 2)
    """

    kind: ClassVar[str] = "explanations"

    compute: Callable[[], Iterator[tuple[Explanation, int]]]
    source: str
    method: str
    count: int | None = None

    def __iter__(self) -> Iterator[Explanation]:
        """Every sample; one that has several rows, as a text in windows has, with all of them."""
        return (one for e, many in self.compute() for one in (e if len(e) == many else (e,)))

    def batches(self) -> Iterator[Explanation]:
        """The same in batches, as they are computed."""
        return (e for e, _ in self.compute())

    def __len__(self) -> int:
        if self.count is None:
            raise TypeError(f"{self.source} does not say how many samples it has")
        return self.count

    def __length_hint__(self) -> int:
        return self.count or 0

    def __repr__(self) -> str:
        many = "" if self.count is None else f", {self.count} samples"
        return cut(f"Explanations({self.method} of {self.source}{many}, computed as they are reached)")

    def concat(self) -> Explanation:
        """All of them as one batch, in memory.

        Raises:
            InputError: there are none, or their values have different shapes.
        """
        every = list(self)
        shapes = list(dict.fromkeys(tuple(e.values.shape[1:]) for e in every))
        if len(shapes) != 1:
            found = f"shapes {shapes[0]} and {shapes[1]}" if shapes else "no sample"
            do = "Go through them one by one: for e in explanations." if shapes else "Check the data."
            raise InputError(f"one batch of {self.source}", found, "samples of a batch have one shape", do)
        subjects = [e.subject for e in every if e.subject is not None]
        pictures = [one.photograph() for e in every for one in e]
        alike = len(subjects) == len(every) and len({type(one) for one in subjects}) == 1
        return replace(
            concat(every),
            subject=subjects[0].joined(subjects[1:]) if alike else None,
            picture=None if any(one is None for one in pictures) else np.stack([one for one in pictures if one is not None]),
        )

    def save(self, folder: str | os.PathLike[str], formats: str | Sequence[str] = "png") -> list[Path]:
        """Write every explanation as soon as it is computed; the paths of the files.

        Arguments:
            folder: It is made.
            formats: One or more suffixes that `Explanation.save` takes: "png,json".
        """
        suffixes = [name.strip().lstrip(".") for name in (formats.split(",") if isinstance(formats, str) else formats)]
        place, written, known = Path(folder), list[Path](), dict[str, int]()
        place.mkdir(parents=True, exist_ok=True)
        for number, e in enumerate(self):
            stem = Path(e.names[0]).stem.replace(" ", "-") if e.names else f"sample-{number:05d}"
            known[stem] = known.get(stem, 0) + 1
            name = f"{stem}-{known[stem]}" if known[stem] > 1 else stem
            written += [e.save(place / f"{name}.{e.method}.{suffix}") for suffix in suffixes]
        return written
