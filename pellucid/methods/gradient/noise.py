"""Methods that wrap a method: its mean or variance over noisy copies of the input (SmoothGrad), or its mean over baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.core.random import generator, normal
from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import Method, configured, has, member
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import run_batched
from pellucid.target import Target
from .baseline import Baseline, brief
from .batched import batched_gradient
from .saliency import Gradient
from .sampling import Tally, called_off, spread

OF = {"mean": "", "square": "_squared", "variance": "_variance"}


@dataclass(frozen=True, eq=False)
class Noisy:
    """The mean, the mean square or the variance of a method over noisy copies of the input.

        mean      E R(x + e)          e normal with standard deviation sigma * (max x - min x)
        square    E R(x + e)^2
        variance  Var R(x + e), without bias

    The mean of gradients is the gradient of the score blurred by the noise: of a smoothed network, not of the one in use. Square
    and variance measure how the explanation varies around x, and know no sign. All copies are explained for the class that is
    predicted for x itself, and every sample of a batch sees the same noise, scaled by its own range.

    References: Smilkov et al., 2017, SmoothGrad: removing noise by adding noise, https://doi.org/10.48550/arXiv.1706.03825
        (mean); Hooker et al., 2019, A benchmark for interpretability methods, https://doi.org/10.48550/arXiv.1806.10758 (square);
        Adebayo et al., 2018, Local explanation methods for deep neural networks lack sensitivity to parameter values,
        https://doi.org/10.48550/arXiv.1810.03307 (variance; captum divides by n where we divide by n - 1)

    Arguments:
        method: Any method. Its ledger, if it has one, is dropped.
        n: How many copies.
        sigma: The standard deviation of the noise as a share of each sample's range; a sample whose entries are all the same
            counts as of range 1.
        of: "mean", "square" or "variance".
        seed: For the noise.
        title: What captions call it.

    Raises:
        MethodError: fewer than two copies, another word for `of`, or called off before two were made.

    Example:
        >>> import pellucid as pl
        >>> net = lambda x: x.square().sum(1, keepdim=True)
        >>> e = pl.explain(net, torch.tensor([[1.0, 2.0]]), target=0, method=Noisy(Gradient(), n=400, sigma=0.1))
        >>> e.headline(), e.values.round(decimals=1), bool((e.error < 0.02).all())
        ('noisy(gradient) -> logit 0 = 5.00', tensor([[2., 4.]]), True)
    """

    method: Method
    n: int = 16
    sigma: float = 0.15
    of: str = "mean"
    seed: int = 0
    title: str | None = None

    @property
    def name(self) -> str:
        return self.title or f"noisy{OF.get(self.of, '')}({self.method.name})"

    @property
    def signed(self) -> bool:
        return self.method.signed and self.of == "mean"

    @property
    def per_token(self) -> str:
        """Squares and variances of a token's entries add up; a mean is what the method makes of it."""
        return str(member(self.method, "per_token")) if self.of == "mean" else "sum"

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The mean, mean square or variance over the copies, with its standard error."""
        self._check()
        x, s = x.detach(), batched_gradient(model, x, target)
        tally, calls, samples = Tally(len(x)), WrappedCalls(), len(x)
        scale = self.sigma * spread(x)

        def explain_copies(copies: Tensor, rows: Sequence[int]) -> Tensor:
            method = for_rows(self.method, rows, x)
            return calls.keep(method.attribute(model, copies, s.readout.target.take(rows), at))

        def copies(first: int, last: int) -> tuple[Tensor, list[int]]:
            noise = {j: normal(x.shape[1:], generator(self.seed, j)) for j in range(first // samples, -(-last // samples))}
            rows = [q % samples for q in range(first, last)]
            return x[rows] + scale[rows] * torch.stack([noise[q // samples] for q in range(first, last)]).to(x), rows

        batch = s.batch if s.fixed else min(s.batch, self.n * samples // 2)  # two calls at least, to tell what holds for all
        for first, _, block in run_batched(explain_copies, self.n * samples, copies, batch=batch, what="noisy copies"):
            for q, value in enumerate(block, first):
                tally.add(q % samples, value.double().square() if self.of == "square" else value)
        tally.check(f"The {self.of} of {self.method.name} over noisy copies")
        values, error = (tally.variance, tally.error_of_variance) if self.of == "variance" else (tally.mean, tally.error)
        options = (f"n={self.n}", f"sigma={self.sigma}", f"of={self.of}", f"seed={self.seed}", *calls.options(self.method.name))
        notes = (*calls.notes(self.method.name), *called_off(tally.count, self.n))
        forwards = calls.forwards and calls.forwards + samples
        return s.attribution(values, error=error, notes=notes, options=options, shared=calls.shared, forwards=forwards)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes | None:
        """How often it is about to run the network, where the wrapped method says so of itself."""
        count = member(self.method, "passes")
        each = None if count is None else count(model, x, target)
        return each and replace(each, forward=len(x) + self.n * each.forward, backward=self.n * each.backward)

    def _check(self) -> None:
        if self.of not in OF:
            raise MethodError(f"of={self.of!r}", "no such summary", "copies are summed up in one number", f"Use {', '.join(OF)}.")
        if self.n < 2:
            raise MethodError(f"n={self.n}", "fewer than two copies", "they have no spread", "Ask for 16, say.")
        if not self.sigma > 0:
            raise MethodError(
                f"sigma={self.sigma}", "no noise", "all copies are the same", "Ask for 0.15, or use the method alone."
            )


class WrappedCalls:
    """The results of the wrapped method, call by call, besides their values."""

    def __init__(self) -> None:
        self.calls: list[Attribution] = []
        self.shared = False
        self.forwards = 0

    def keep(self, attribution: Attribution) -> Tensor:
        """The values; the rest is kept for `options` and `notes`."""
        counted = attribution.forwards and (self.forwards or not self.calls)
        self.forwards = self.forwards + attribution.forwards if counted else 0
        self.shared = attribution.shared
        self.calls.append(replace(attribution, values=attribution.values[:0], error=None, ledger=None))
        return attribution.values

    def options(self, name: str) -> tuple[str, ...]:
        """The settings of the wrapped method, those that hold for all calls."""
        same = [option for option in self.calls[0].options if all(option in call.options for call in self.calls)]
        return f"method={name}", *same

    def notes(self, name: str) -> tuple[str, ...]:
        """The sentences that hold for all calls."""
        same = [note for note in self.calls[0].notes if all(note in call.notes for call in self.calls)]
        chosen = dict.fromkeys(call.method for call in self.calls if call.method not in (None, name))
        return (*([f"`{name}` chose {', '.join(map(str, chosen))}."] if chosen else []), *same)


def for_rows(method: Method, rows: Sequence[int], x: Tensor) -> Method:
    """The method for a batch made of those samples of x, where it holds a baseline for each of them."""
    baseline = member(method, "baseline")
    if not isinstance(baseline, Tensor) or baseline.dim() < x.dim() or len(baseline) == 1:
        return method
    return configured(method, baseline=baseline[list(rows)])


def SmoothGrad(n: int = 16, sigma: float = 0.15, *, seed: int = 0) -> Noisy:
    """The mean gradient over noisy copies of the input: how a blurred score would change, signed.

    References: Smilkov et al., 2017, https://doi.org/10.48550/arXiv.1706.03825. The paper shows absolute values; we keep signs.
    """
    return Noisy(Gradient(), n, sigma, "mean", seed, "smoothgrad")


def SmoothGradSquared(n: int = 16, sigma: float = 0.15, *, seed: int = 0) -> Noisy:
    """The mean squared gradient over noisy copies: sensitivity analysis around x. It measures the variation of the score.

    References: Hooker et al., 2019, https://doi.org/10.48550/arXiv.1806.10758
    """
    return Noisy(Gradient(), n, sigma, "square", seed, "smoothgrad_squared")


def VarGrad(n: int = 16, sigma: float = 0.15, *, seed: int = 0) -> Noisy:
    """The variance of the gradient over noisy copies: where the slope itself changes around x. Of a linear score it is zero.

    References: Adebayo et al., 2018, https://doi.org/10.48550/arXiv.1810.03307; Seo et al., 2018, Noise-adding methods of
        saliency map as series of higher order partial derivative, https://doi.org/10.48550/arXiv.1806.03000 (it does not depend
        on the gradient itself)
    """
    return Noisy(Gradient(), n, sigma, "variance", seed, "vargrad")


@dataclass(frozen=True, eq=False)
class OverBaselines:
    """The mean of a method over several baselines.

    Its standard error treats the baselines as drawn from those one could have chosen: it says how much the choice matters.

    References: Sturmfels et al., 2020, Visualizing the impact of feature attribution baselines,
        https://doi.org/10.23915/distill.00022

    Arguments:
        method: A method with a `baseline` of its own, as `Integrated()`, or a function that makes one from a baseline.
        baselines: The baselines: None, numbers, tensors; or one tensor with a baseline per entry of its first axis.

    Raises:
        MethodError: there is no baseline, or the method takes none.

    Example:
        >>> import pellucid as pl
        >>> method = OverBaselines(pl.gradient.Integrated(8), [0.0, 1.0])
        >>> e = pl.explain(lambda x: 2 * x[:, :1] + x[:, 1:], torch.tensor([[1.0, 3.0]]), target=0, method=method)
        >>> e.headline(), e.values
        ('integrated_gradients over 2 baselines -> logit 0 = 5.00', tensor([[1.0000, 2.5000]]))
    """

    method: Method | Callable[[Any], Method]
    baselines: Tensor | Sequence[Baseline]

    @property
    def name(self) -> str:
        return f"{self.methods[0].name} over {len(self.methods)} baselines"

    @property
    def signed(self) -> bool:
        return self.methods[0].signed

    @property
    def methods(self) -> list[Method]:
        """One method per baseline."""
        baselines: Iterable[Any] = self.baselines if self.baselines is not None else ()
        methods = [self._against(baseline) for baseline in baselines]
        if not methods:
            raise MethodError(
                "A mean over baselines", "no baseline", "there is nothing to take a mean of", "Pass [0.0, 1.0], say."
            )
        return methods

    def _against(self, baseline: Any) -> Method:
        if hasattr(self.method, "attribute") and has(self.method, "baseline"):
            return configured(cast(Method, self.method), baseline=baseline)
        if callable(self.method):
            return self.method(baseline)
        raise MethodError(
            f"{self.method} over baselines", "a method without a baseline", "it compares with nothing",
            "Wrap Integrated(), or pass a function that makes a method from a baseline.",
        )  # fmt: skip

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The mean over the baselines, with its standard error where there are several."""
        methods, calls, tally = self.methods, WrappedCalls(), Tally(len(x))
        s = batched_gradient(model, x, target)
        for k, method in enumerate(methods, 1):
            for sample, value in enumerate(calls.keep(method.attribute(model, x, s.readout.target, at))):
                tally.add(sample, value)
            if report_progress(k, len(methods), "baselines"):
                break
        error = tally.error if min(tally.count) > 1 else None
        notes = (*calls.notes(methods[0].name), *called_off(tally.count, len(methods)))
        forwards = calls.forwards and calls.forwards + len(x)
        options = (*(f"baseline={brief(baseline)}" for baseline in self.baselines), *calls.options(methods[0].name))
        return s.attribution(tally.mean, error=error, notes=notes, options=options, shared=calls.shared, forwards=forwards)
