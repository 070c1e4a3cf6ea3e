"""Again: a method asked once more, about changed samples or by a changed model, in as few calls as the machine takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.method import Method
from pellucid.model import Model, Text
from pellucid.tape import token_inputs
from pellucid.tape.forward import ask, at_once
from pellucid.target import Target
from ..metric import Answer, Question


@dataclass(eq=False)
class Again:
    """What a method says of other samples, and how many samples went through the model for it.

    Arguments:
        method: Who is asked.
        model: About whom: the model in question, or one like it.
        x: The samples that others are variants of.
        target: Settled; one for each of them.
    """

    method: Method
    model: Model
    x: Tensor
    target: Target
    forwards: int = field(default=0)

    @staticmethod
    def of(question: Question, answer: Answer, model: Model | None = None, target: Target | None = None) -> Again:
        assert answer.method is not None, "metrics that ask again are given the method"
        return Again(answer.method, model or question.model, question.x, target or question.target)

    def __call__(self, variants: Tensor, rows: Sequence[int]) -> Tensor:
        """The values for variants of these samples, on the device of the samples."""
        target, model = self.target.take(rows), self.model
        if variants.is_floating_point():
            found = [self.method.attribute(model, variants, target)]
        else:  # texts are explained one by one
            tokens = model.preprocess.tokens(variants) if isinstance(model.preprocess, Text) else None
            alone = range(len(variants))
            texts = (token_inputs.tokenized(model, variants, i, tokens) for i in alone)
            found = [token_inputs.attribute(self.method, text, target.take([i])) for i, text in enumerate(texts)]
        self.forwards += sum(one.forwards for one in found)
        return torch.cat([one.values.detach() for one in found])

    def each(self, n: int, change: Callable[[int, int], Tensor]) -> Tensor:
        """The values for n variants of every sample, with shape (n, sample, ...); fewer where it is called off.

        Raises:
            MethodError: it is called off before there is one of each.

        Arguments:
            change: From the number of a variant and of a sample to the variant, with shape (1, ...).
        """
        samples = len(self.x)
        order = [(number, row) for number in range(n) for row in range(samples)]
        fixed = isinstance(self.model.module, torch.fx.GraphModule)  # exported programs may take batches of one size alone

        def make(start: int, stop: int) -> tuple[Tensor, list[int]]:
            chosen = order[start:stop]
            return torch.cat([change(number, row) for number, row in chosen]), [row for _, row in chosen]

        batch = samples if fixed else at_once(self.x)
        made = [values for _, _, values in ask(self, n * samples, make, batch=batch, what="maps explained again")]
        whole = torch.cat(made)
        if len(whole) < samples:
            raise MethodError(
                f"{self.method.name}, asked again", f"the rest called off after {len(whole)} of {n * samples}",
                "there is nothing to compare", "Evaluate again, with fewer.",
            )  # fmt: skip
        return whole[: len(whole) // samples * samples].reshape(-1, samples, *whole.shape[1:])
