"""Grouped matrix products: experts, each with rows of its own, are explained like any other dense layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape.recording.decompose.grouped import grouped_mm
from tests.cases import difference


class Experts(nn.Module):
    """Every token goes to the expert that a router likes best; rows are sorted by expert, and sorted back."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.router, self.head = nn.Linear(16, 4), nn.Linear(16, 3)
        self.weights = nn.Parameter(torch.randn(4, 16, 16) / 4)
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        scores, chosen = self.router(rows).softmax(-1).max(-1)
        order = chosen.argsort(stable=True)
        if self.fused:
            ends = torch.bincount(chosen, minlength=4).cumsum(0).to(torch.int32)
            told = torch._grouped_mm(rows[order], self.weights, offs=ends)
        else:
            told = (rows[order][:, None] @ self.weights[chosen[order]])[:, 0]
        back = told[order.argsort()] * scores[:, None]
        return self.head(back.reshape(x.shape).mean(1))


@pytest.mark.parametrize("method", ["lrp.zero", "gradient"])
def test_experts_in_one_kernel_are_explained_as_experts_one_by_one(method: str):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fused, plain = Experts(fused=True).eval(), Experts(fused=False).eval()
    plain.load_state_dict(fused.state_dict())
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1))
    found = pl.explain(fused, x, target=1, method=method)
    assert (
        difference(found.values, pl.explain(plain, x, target=1, method="gradient" if method == "gradient" else method).values)
        <= 1e-4
    )
    if found.ledger is not None:
        assert "native fallback" not in found.ledger.by_cause()
        assert (found.ledger.error.abs() <= 1e-4 * found.ledger.volume).all()


def test_the_telling_is_what_the_kernel_computes():
    a, b = (
        torch.randn(6, 16, generator=torch.Generator().manual_seed(0)),
        torch.randn(3, 16, 8, generator=torch.Generator().manual_seed(1)),
    )
    ends = torch.tensor([2, 2, 6], dtype=torch.int32)
    assert torch.allclose(grouped_mm(a, b, ends), torch._grouped_mm(a, b, offs=ends), atol=1e-5)
