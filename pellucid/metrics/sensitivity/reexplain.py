"""Explaining again: a method run on changed samples, or on another model, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.method import Method
from pellucid.model import Model, Text
from pellucid.tape import token_inputs
from pellucid.tape.forward import batch_size, run_batched
from pellucid.target import Target
from ..metric import Answer, Need, Question


class SensitivityMetric:
    """What metrics that explain again have in common; most are better the lower they are."""

    higher: ClassVar[bool] = False
    needs: ClassVar[Need] = "method"


@dataclass(eq=False)
class Explainer:
    """A method with a model and targets, to be run on variants of samples.

    Arguments:
        method: The method.
        model: The model of the question, or one like it.
        x: The samples.
        target: Resolved; one for each of them.
        forwards: How many samples have gone through the model so far.
    """

    method: Method
    model: Model
    x: Tensor
    target: Target
    forwards: int = 0

    @staticmethod
    def of(question: Question, answer: Answer, model: Model | None = None, target: Target | None = None) -> Explainer:
        assert answer.method is not None, 'metrics that need the "method" are given it'
        return Explainer(answer.method, model or question.model, question.x, target or question.target)

    def __call__(self, variants: Tensor, rows: Sequence[int]) -> Tensor:
        """The maps of variants of these samples, with shape (n, ...), on their device."""
        target, model = self.target.take(rows), self.model
        if variants.is_floating_point():
            found = [self.method.attribute(model, variants, target)]
        else:  # texts are explained one by one
            tokens = model.preprocess.tokens(variants) if isinstance(model.preprocess, Text) else None
            alone = range(len(variants))
            texts = (token_inputs.tokenized_text(model, variants, i, tokens) for i in alone)
            found = [token_inputs.attribute(self.method, text, target.take([i])) for i, text in enumerate(texts)]
        self.forwards += sum(one.forwards for one in found)
        return torch.cat([one.values.detach() for one in found])

    def maps(self, x: Tensor) -> Tensor:
        """The map of one variant of every sample, with shape (sample, ...)."""
        return self.variants(1, lambda _, row: x[row : row + 1])[0]

    def variants(self, n: int, change: Callable[[int, int], Tensor]) -> Tensor:
        """The maps of n variants of every sample, with shape (n, sample, ...); fewer where the run is cancelled.

        Arguments:
            change: From the number of a variant and of a sample to the variant, with shape (1, ...).

        Raises:
            MethodError: it is cancelled before there is one of each sample.
        """
        samples = len(self.x)
        order = [(number, row) for number in range(n) for row in range(samples)]
        fixed = isinstance(self.model.module, torch.fx.GraphModule)  # exported programs may take batches of one size alone

        def make(start: int, stop: int) -> tuple[Tensor, list[int]]:
            chosen = order[start:stop]
            return torch.cat([change(number, row) for number, row in chosen]), [row for _, row in chosen]

        batch = samples if fixed else batch_size(self.x)
        made = [values for _, _, values in run_batched(self, n * samples, make, batch=batch, what="maps explained again")]
        whole = torch.cat(made)
        if len(whole) < samples:
            raise MethodError(
                f"{self.method.name}, run again", f"a run cancelled after {len(whole)} of {n * samples} maps",
                "there is nothing to compare", "Evaluate again, with fewer samples.",
            )  # fmt: skip
        return whole[: len(whole) // samples * samples].reshape(-1, samples, *whole.shape[1:])
