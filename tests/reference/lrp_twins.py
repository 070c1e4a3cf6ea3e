"""The rules of relevance propagation once more, slowly: written from the papers over an explicit matrix.

A linear layer becomes the table `W` of a `Matrix`, found by asking the layer for its answer to every unit vector. All rules then
say one thing: what each input contributes to each unit, as a tensor (batch, units, inputs). `share` hands the relevance out in
proportion to that. Nothing here is fast, and nothing here knows the library.

References:
    Epsilon, alpha-beta: On pixel-wise explanations (Bach et al., 2015), https://doi.org/10.1371/journal.pone.0130140
    Z-plus, z-box, w-square: Deep Taylor decomposition (Montavon et al., 2017), https://doi.org/10.1016/j.patcog.2016.11.008
    Gamma: Layer-wise relevance propagation: an overview (Montavon et al., 2019), https://doi.org/10.1007/978-3-030-28954-6_10
    Gamma for inputs of both signs: Learning domain invariant representations by pruning (Andéol et al., 2021)
    Flat: Unmasking clever Hans predictors (Lapuschkin et al., 2019), https://doi.org/10.1038/s41467-019-08987-4
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Matrix:
    """A linear layer as a table: unit d answers `z[d] = sum_j W[d, j] x[j] + b[d]`.

    Arguments:
        W: The table, with shape (units, inputs).
        b: The offset of every unit, with shape (units,).
        ones: The table of the same layer with all weights 1 and no bias (of a pool, which has none: the table itself).
    """

    W: Tensor
    b: Tensor
    ones: Tensor

    @property
    def reads(self) -> Tensor:
        """Whether unit d reads input j at all, with shape (units, inputs): padding and other groups are not read."""
        return self.ones != 0


def matrix(layer: nn.Module, shape: tuple[int, ...]) -> Matrix:
    """Ask `layer` for its answer to nothing and to every unit vector of `shape` (one sample, no batch)."""
    ones = copy.deepcopy(layer)
    for name, parameter in ones.named_parameters():
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    b = layer(torch.zeros(1, *shape, dtype=torch.float64)).flatten().detach()
    return Matrix(_columns(layer, shape) - b[:, None], b, _columns(ones, shape))


@torch.no_grad()
def _columns(layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    columns = []
    for j in range(torch.Size(shape).numel()):
        unit = torch.zeros(shape, dtype=torch.float64)
        unit.view(-1)[j] = 1.0
        columns.append(layer(unit[None]).flatten())
    return torch.stack(columns, dim=1)


def share(
    contributions: Tensor, offset: Tensor, R: Tensor, reads: Tensor, *, eps: float, bias: str, silent: str, rms: bool = False
) -> Tensor:
    """Hand the relevance `R` of every unit to its inputs, in proportion to their contributions.

    Arguments:
        contributions: What input j adds to unit d, with shape (batch, units, inputs).
        offset: What the bias adds to unit d, with shape (units,).
        R: Relevance of the units, with shape (batch, units).
        reads: See `Matrix`.
        eps: The stabiliser, added to the denominator away from zero; sign(0) is +1.
        bias: "absorb": the offset takes its share and keeps it. "ignore": it takes none. "spread": it takes its share and gives
            it to all inputs that the unit reads, evenly.
        silent: What the stabiliser keeps (all of R where the denominator is 0) is lost ("drop") or spread evenly ("spread").
        rms: Whether `eps` counts in multiples of the root mean square of the denominators of a sample.

    Returns:
        Relevance of the inputs, with shape (batch, inputs).
    """
    den = contributions.sum(dim=2) + (0.0 if bias == "ignore" else offset)
    scale = den.square().mean(dim=1, keepdim=True).sqrt() if rms else torch.ones_like(den)
    stabilised = den + eps * scale * torch.where(den >= 0, 1.0, -1.0)
    s = torch.where(stabilised == 0, 0.0, R / torch.where(stabilised == 0, 1.0, stabilised))
    over = torch.zeros_like(R)
    if bias == "spread":
        over = over + offset * s
    if silent == "spread":
        over = over + R - s * den
    evenly = reads.double() / reads.sum(dim=1, keepdim=True).clamp(min=1)  # a unit that reads nothing gives nothing
    return torch.einsum("nd,ndj->nj", s, contributions) + torch.einsum("nd,dj->nj", over, evenly)


def shared(got: Tensor, amount: Tensor) -> Tensor:
    """Add an amount per sample to what the inputs got: to those of its own sign, in proportion to their size; to all of them in
    proportion to their size where those of its sign have no more than a millionth of what all got.

    Arguments:
        got: Relevance of the inputs, with shape (batch, inputs).
        amount: What biases and silent units kept, with shape (batch,). Where nobody got anything it is lost.
    """
    rows = []
    for row, a in zip(got.tolist(), amount.tolist(), strict=True):
        agreeing = [abs(r) if r * a > 0 else 0.0 for r in row]
        if sum(agreeing) <= 1e-6 * sum(map(abs, row)):
            agreeing = [abs(r) for r in row]
        whole = sum(agreeing) or 1.0
        rows.append([r + a * size / whole for r, size in zip(row, agreeing, strict=True)])
    return torch.tensor(rows, dtype=got.dtype)


def epsilon(
    m: Matrix, x: Tensor, R: Tensor, *, eps: float = 1e-6, bias: str = "absorb", silent: str = "drop", rms: bool = False
) -> Tensor:
    """Every input counts as what it adds: W[d, j] x[j]. With `eps=0` this is the zero rule (Bach et al., 2015, Eq. 58)."""
    return share(m.W * x[:, None], m.b, R, m.reads, eps=eps, bias=bias, silent=silent, rms=rms)


def zplus(m: Matrix, x: Tensor, R: Tensor, *, eps: float = 1e-6, bias: str = "absorb", silent: str = "drop") -> Tensor:
    """Only what speaks for the unit counts: the positive contributions (Montavon et al., 2017; both signs of x)."""
    return share((m.W * x[:, None]).clamp(min=0), m.b.clamp(min=0), R, m.reads, eps=eps, bias=bias, silent=silent)


def alpha_beta(
    m: Matrix,
    x: Tensor,
    R: Tensor,
    *,
    alpha: float = 2.0,
    beta: float = 1.0,
    eps: float = 1e-6,
    bias: str = "absorb",
    silent: str = "drop",
) -> Tensor:
    """Alpha times R for what speaks for the unit, minus beta times R for what speaks against (Bach et al., 2015, Eq. 60)."""
    z = m.W * x[:, None]
    favour = share(z.clamp(min=0), m.b.clamp(min=0), R, m.reads, eps=eps, bias=bias, silent=silent)
    against = share(z.clamp(max=0), m.b.clamp(max=0), R, m.reads, eps=eps, bias=bias, silent=silent)
    return alpha * favour - beta * against


def gamma(
    m: Matrix, x: Tensor, R: Tensor, *, gamma: float = 0.25, eps: float = 1e-6, bias: str = "absorb", silent: str = "drop"
) -> Tensor:
    """Contributions with the sign of the unit's answer count 1 + gamma times (Montavon et al., 2019; Andéol et al., 2021).

    The unit's answer is W x + b, or W x when the bias is ignored. A unit that answers 0 takes neither side: its relevance is
    dropped, or spread where `silent` says so.
    """
    z, signed = m.W * x[:, None], (m.W * x[:, None]).sum(dim=2) + (0 if bias == "ignore" else m.b)
    total = torch.zeros_like(x)
    for side, low, high in ((signed > 0, 0.0, None), (signed < 0, None, 0.0)):
        contributions, offset = z + gamma * z.clamp(low, high), m.b + gamma * m.b.clamp(low, high)
        total = total + share(contributions, offset, R * side, m.reads, eps=eps, bias=bias, silent=silent)
    if silent == "spread":
        total = total + share(torch.zeros_like(z), 0 * m.b, R * (signed == 0), m.reads, eps=0.0, bias="ignore", silent="spread")
    return total


def zbox(m: Matrix, x: Tensor, R: Tensor, *, low: Tensor, high: Tensor, eps: float = 1e-6, silent: str = "drop") -> Tensor:
    """What the input adds above the worst picture the box allows (Montavon et al., 2017); the bias cancels.

    Arguments:
        low: The least value of every input, with shape (inputs,) or (batch, inputs); `high` the greatest.
    """
    low, high = low.expand_as(x), high.expand_as(x)
    contributions = m.W * x[:, None] - m.W.clamp(min=0) * low[:, None] - m.W.clamp(max=0) * high[:, None]
    return share(contributions, 0 * m.b, R, m.reads, eps=eps, bias="ignore", silent=silent)


def wsquare(m: Matrix, x: Tensor, R: Tensor, *, eps: float = 1e-6, bias: str = "absorb", silent: str = "drop") -> Tensor:
    """Every input counts as its weight squared, whatever its value (Montavon et al., 2017)."""
    contributions = m.W.square().expand(len(x), -1, -1)
    return share(contributions, m.b.square(), R, m.reads, eps=eps, bias=bias, silent=silent)


def flat(m: Matrix, x: Tensor, R: Tensor, *, eps: float = 1e-6, silent: str = "drop") -> Tensor:
    """Every input that the unit reads counts the same (Lapuschkin et al., 2019)."""
    contributions = m.ones.expand(len(x), -1, -1)
    return share(contributions, 0 * m.b, R, m.reads, eps=eps, bias="ignore", silent=silent)


def norm(m: Matrix, x: Tensor, R: Tensor, *, eps: float = 1e-6, silent: str = "drop") -> Tensor:
    """Epsilon for a layer without parameters: pools and sums."""
    return share(m.W * x[:, None], 0 * m.b, R, m.reads, eps=eps, bias="ignore", silent=silent)


def passing(m: Matrix, x: Tensor, R: Tensor) -> Tensor:
    """Relevance goes through as it is: for a layer whose output is shaped like its input."""
    return R
