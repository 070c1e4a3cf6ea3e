"""Sensitivity by forward passes alone: finite differences and local variance of the score, cell by cell of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.random import generator, normal
from pellucid.errors import MethodError, ModelError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import Readout, batch_size, resolve_readout, run_batched, varied_value
from pellucid.tape.independence import together_note, variants_are_apart
from pellucid.target import Target
from .batched import check_places, module_path, stretches
from .sampling import spread

CELLS = 196  # as many as a picture of 224 x 224 has squares of 16 x 16


@dataclass(frozen=True, eq=False)
class FiniteDifferences:
    """Finite differences: how the score changes when part of the input is raised and lowered, per unit of change.

        R_c = (f(x + h e_c) - f(x - h e_c)) / (2 h n_c),   e_c one on the n_c places of cell c, h = step * (max x - min x)

    The slope over a finite way, where the gradient is that over an infinitely small one. Like the gradient it explains the
    variation of the score, not the score. It needs forward passes only.

    References: Montavon et al., 2018, Methods for interpreting and understanding deep neural networks, Sect. 4.1 (sensitivity
        analysis), https://doi.org/10.1016/j.dsp.2017.10.011

    Arguments:
        step: How far to go, as a share of each sample's range (1 where all its entries are the same).
        cell: The side of the square of places that are moved together, with all their channels. None: every entry alone where
            there are at most 196, else the smallest side that makes no more than 196 cells.

    Raises:
        InputError: the input holds NaN or infinity.
        MethodError: no step, or nothing at `at` that can be changed.

    Example:
        >>> import pellucid as pl
        >>> net = lambda x: 2 * x[:, :1] + x[:, 1:]
        >>> pl.explain(net, torch.tensor([[4.0, 0.0]]), target=0, method=FiniteDifferences(step=0.25)).values
        tensor([[2., 1.]])
    """

    name: ClassVar[str] = "finite_differences"
    signed: ClassVar[bool] = True
    per_token: ClassVar[str] = "none"  # its cells are squares of pictures

    step: float = 0.1
    cell: int | None = None

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`."""
        moves = Moves.to(model, x, target, at, self.cell, self.step, "step")
        up = torch.ones(moves.shape, dtype=torch.float64, device="cpu")
        scores = moves.scores([up, -up])
        slope = (scores[..., 0] - scores[..., 1]) / (2 * moves.width.flatten().double().cpu())
        options = (f"step={self.step}", f"cell={self.cell}")
        return moves.attribution(slope, 2, options)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        return passes_of(x, self.cell, 2)


@dataclass(frozen=True, eq=False)
class LocalVariance:
    """Local variance: how much the score varies when part of the input, and nothing else, is noise around what it is.

        R_c = Var f(x + e_c) / n_c,   e_c normal on the n_c places of cell c, standard deviation sigma * (max x - min x)

    Of a linear score that is sigma^2 times the sum of its squared weights in the cell: sensitivity analysis over a finite way. It
    explains the variation of the score, not the score, and has no sign. Every cell, and every sample, sees the same noise.

    References: Montavon et al., 2018, Methods for interpreting and understanding deep neural networks, Sect. 4.1 (sensitivity
        analysis), https://doi.org/10.1016/j.dsp.2017.10.011; Saltelli et al., 2008, Global sensitivity analysis, Ch. 1 (one
        factor at a time), https://doi.org/10.1002/9780470725184

    Arguments:
        sigma: The standard deviation of the noise as a share of each sample's range (1 where all its entries are the same).
        n: How many draws per cell.
        cell: The side of the square of places that are noise together, as in `FiniteDifferences`.
        seed: For the noise.

    Raises:
        InputError: the input holds NaN or infinity.
        MethodError: no noise, fewer than two draws, or nothing at `at` that can be changed.

    Example:
        >>> import pellucid as pl
        >>> method = LocalVariance(sigma=0.25, n=500)
        >>> e = pl.explain(lambda x: 2 * x[:, :1] + x[:, 1:], torch.tensor([[4.0, 0.0]]), target=0, method=method)
        >>> bool(((e.values - torch.tensor([[4.0, 1.0]])).abs() < 3 * e.error).all())
        True
    """

    name: ClassVar[str] = "local_variance"
    signed: ClassVar[bool] = False
    per_token: ClassVar[str] = "none"

    sigma: float = 0.15
    n: int = 8
    cell: int | None = None
    seed: int = 0

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`, with their standard errors."""
        if self.n < 2:
            raise MethodError(f"n={self.n}", "fewer than two draws", "one number does not vary", "Ask for 8, say.")
        moves = Moves.to(model, x, target, at, self.cell, self.sigma, "sigma")
        scores = moves.scores([normal(moves.shape, generator(self.seed, draw)) for draw in range(self.n)])
        variance = scores.var(-1)
        fourth = (scores - scores.mean(-1, keepdim=True)).pow(4).mean(-1)
        error = ((fourth - (self.n - 3) / (self.n - 1) * variance.square()).clamp(min=0) / self.n).sqrt()
        options = (f"sigma={self.sigma}", f"n={self.n}", f"cell={self.cell}", f"seed={self.seed}")
        return moves.attribution(variance, self.n, options, error)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        return passes_of(x, self.cell, self.n)


@dataclass(frozen=True, eq=False)
class Moves:
    """The score of a model while the cells of each sample are moved, one at a time.

    Arguments:
        readout: The model and its target.
        score, output: The target and the output for the samples as they are.
        value: What is moved: the input, or what stands at `at`.
        cells: The number of the cell of every entry of a sample.
        width: How far a move of size 1 goes, per sample.
        together: Whether the channels of a place are moved together.
        batch: Forward passes at once.
    """

    readout: Readout
    score: Tensor
    output: Tensor
    value: Tensor
    cells: Tensor
    width: Tensor
    together: bool
    batch: int

    @staticmethod
    def to(model: Model, x: Tensor, target: Target, at: str | Where | None, cell: int | None, share: float, name: str) -> Moves:
        """For one question; `share` of the range is how far to go."""
        if not share > 0:
            raise MethodError(
                f"{name}={share}", "a step that is not positive", "where nothing moves, nothing varies", "Ask for 0.1, say."
            )
        x, path = x.detach(), None if at is None else module_path(at)
        readout, score, output = resolve_readout(model, x.clone(), target, path)  # a copy: networks may write into what they read
        value = varied_value(replace(readout, x=x.clone()))
        check_places(path, value, len(x))
        cells, together = divided(tuple(value.shape[1:]), cell)
        batch = batch_size(x) if not variants_are_apart(model, x) or stretches(model, x, output) else len(x)
        return Moves(replace(readout, x=x), score, output, value, cells.to(value.device), share * spread(value), together, batch)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.value.shape[1:])

    @property
    def count(self) -> int:
        """How many cells there are."""
        return int(self.cells.max()) + 1

    def scores(self, moves: Sequence[Tensor]) -> Tensor:
        """The score for every cell, sample and move, in this order of axes; NaN where the run was called off.

        Raises:
            ModelError: some score is NaN or infinite.
        """
        samples, kinds = len(self.value), len(moves)
        scores = torch.full((self.count * samples * kinds,), torch.nan, dtype=torch.float64, device="cpu")

        def variants(first: int, last: int) -> tuple[Tensor, list[int]]:
            cells, rest = zip(*(divmod(q, samples * kinds) for q in range(first, last)), strict=True)
            rows = [r // kinds for r in rest]
            here = self.cells == torch.tensor(cells, device=self.cells.device).reshape(-1, *[1] * self.cells.dim())
            move = torch.stack([moves[r % kinds] for r in rest]).to(self.value)
            return self.value[rows] + self.width[rows] * move * here, rows

        for first, last, score in run_batched(self.readout, len(scores), variants, batch=self.batch):
            bad = int((~score.isfinite()).sum())
            if bad:
                raise ModelError(
                    f"{self.readout.target} of moved inputs", f"{bad} of {len(score)} scores that are NaN or infinite",
                    "no difference can be taken from them", "Take a smaller step.",
                )  # fmt: skip
            scores[first:last] = score.double().cpu()
        return scores.reshape(self.count, samples, kinds)

    def attribution(self, per_cell: Tensor, kinds: int, options: tuple[str, ...], error: Tensor | None = None) -> Attribution:
        """Numbers per cell and sample as numbers per entry, each cell's in equal parts."""
        missing = int(per_cell.isnan().any(1).sum())
        places = self.cells[0] if self.together else self.cells
        sizes = torch.bincount(places.flatten(), minlength=self.count).cpu()[:, None]
        values, error = (None if t is None else self._laid_out(t.nan_to_num(0.0) / sizes) for t in (per_cell, error))
        assert values is not None
        whole = f"The input was moved in {self.count} cells of up to {int(sizes.max())} places, all channels together."
        off = f"Called off before {missing} of {self.count} cells: they are zero."
        alone = together_note(self.readout.model, self.readout.x)
        notes = (*([whole] if self.together else []), *([off] if missing else []), *alone)
        forwards = len(self.value) * (1 + self.count * kinds)
        return Attribution(
            values, self.score, self.readout.target, self.output, notes=notes, options=options, error=error,
            shared=self.together, forwards=forwards,
        )  # fmt: skip

    def _laid_out(self, per_cell: Tensor) -> Tensor:
        dtype = torch.promote_types(self.value.dtype, torch.float32)
        return per_cell.t().to(self.value.device, dtype)[:, self.cells]


def divided(shape: tuple[int, ...], side: int | None) -> tuple[Tensor, bool]:
    """The number of the cell of every entry of a sample, and whether cells hold all channels of their places.

    Example:
        >>> divided((1, 2, 4), 2)[0]
        tensor([[[0, 0, 1, 1],
                 [0, 0, 1, 1]]])
    """
    if side is not None and side < 1:
        raise MethodError(f"cell={side}", "no places", "a cell has one at least", "Ask for cell=1.")
    if side is None and prod(shape) <= CELLS:
        return torch.arange(prod(shape)).reshape(shape), False
    places = shape[-1:] if len(shape) < 3 else shape[1:]
    side = side or next(s for s in range(1, max(places) + 1) if prod(ceil(n / s) for n in places) <= CELLS)
    number = torch.zeros((), dtype=torch.long)
    for n in places:
        number = number[..., None] * ceil(n / side) + torch.arange(n) // side
    return number.expand(shape).contiguous(), len(shape) > 1


def passes_of(x: Tensor, side: int | None, kinds: int) -> Passes:
    """How many passes it takes to move every cell of the samples in so many ways."""
    cells = int(divided(tuple(x.shape[1:]), side)[0].max()) + 1
    return Passes(len(x) * (1 + cells * kinds), batch=batch_size(x))
