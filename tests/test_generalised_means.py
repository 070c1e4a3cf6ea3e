"""Reveal-cancel stays complete through functions that have no value where one part of a change alone leads."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import pellucid as pl


@pytest.mark.parametrize("power", [3.0, 2.5, 0.5, -1.0, None])
def test_reveal_cancel_adds_up_through_generalised_means(power: float | None):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        first, head, x = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3), torch.randn(2, 2, 6, 8)

    def net(x: torch.Tensor) -> torch.Tensor:
        hidden = first(x).relu().clamp(min=1e-6 if power is None or power > 0 else 0.1)
        mean = hidden.log().mean((2, 3)).exp() if power is None else hidden.pow(power).mean((2, 3)).pow(1 / power)
        made: torch.Tensor = head(mean)
        return made

    found = pl.explain(net, x, 1, pl.gradient.DeepLift(rule="reveal_cancel"), verify=False).values.sum((1, 2, 3))
    torch.testing.assert_close(found, (net(x) - net(torch.zeros_like(x)))[:, 1].detach(), rtol=1e-3, atol=1e-5)
