"""Estimators: from the responses of a model to one number per region, and their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model.where import nearest
from pellucid.target import Target
from .responses import Responses

Maker = TypeVar("Maker", bound="Callable[[], Estimator]")


@dataclass(frozen=True, eq=False)
class Estimate:
    """One number per region.

    Arguments:
        values: With shape (n,), in units of the target unless the estimator says otherwise.
        error: Their standard errors, where they can be told.
        notes: Sentences for the caption.
        painted: Whether there is one number per place already, and not per region.
    """

    values: Tensor
    error: Tensor | None = None
    notes: tuple[str, ...] = ()
    painted: bool = False

    @property
    def relative_error(self) -> float:
        """The greatest standard error over the range of the values; infinite where either is not known."""
        span = float(self.values.max() - self.values.min())
        return float("inf") if self.error is None or not span else float(self.error.max()) / span


class Estimator(Protocol):
    """From responses to one number per region: a pure function of the responses. Adding one: a frozen dataclass with `estimate`;
    the decorator `named` gives it a name.
    """

    @property
    def signed(self) -> bool:
        """Whether negative values speak against the target."""
        return True

    @property
    def null_players(self) -> bool:
        """Whether a region without which no answer changes gets exactly nothing, and leaves what others get as it is."""
        return False

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        """One number per region, for the target of the run or another one.

        Raises:
            MethodError: the rows were drawn in a way that this estimator cannot use.
        """


_NAMED: dict[str, Callable[[], Estimator]] = {}


def named(*names: str) -> Callable[[Maker], Maker]:
    """Lets `Run.fit` find an estimator, with its defaults, by name.

    Example:
        >>> from pellucid.methods.perturb.kernel_shap import Banzhaf
        >>> estimator_named("banzhaf") == Banzhaf()
        True
    """

    def keep(maker: Maker) -> Maker:
        _NAMED.update(dict.fromkeys(names, maker))
        return maker

    return keep


def estimator_named(name: str) -> Estimator:
    """The estimator of that name.

    Raises:
        MethodError: there is none.
    """
    if name not in _NAMED:
        raise MethodError(
            f"the estimator {name!r}", f"{len(_NAMED)} estimators, none of that name", "others are passed as objects",
            f"Nearest: {', '.join(nearest(name, list(_NAMED)))}.",
        )  # fmt: skip
    return _NAMED[name]()
