"""Maximizations that do not leave their start, inputs that do not fit, and generators that bring their shape along."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import InputError


def shy() -> nn.Sequential:
    """Units behind rectifiers that are off for even pictures, and on for some of noise."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=draws) * (0.3 if p.dim() > 1 else 0.1))
        net[2].bias.fill_(-0.6)  # type: ignore[union-attr]
    return net


@pytest.mark.parametrize("recipe", ["auto", "simonyan2013", "maco", "yosinski2015"])
def test_a_unit_that_is_off_at_the_start_is_found_from_noise_and_that_is_told(recipe: str) -> None:
    p = pl.maximize(shy(), "3:0", recipe=recipe, shape=(3, 16, 16), bounds=(0, 1), steps=40)
    assert p.scores[0] > 0.1
    assert any("pictures of noise" in note for note in p.notes) and not any("never fired" in note for note in p.notes)
    torch.testing.assert_close(p.scores, shy()[:4](p.images)[:, 0].mean((1, 2)).detach(), atol=1e-5, rtol=1e-4)


class Steps(nn.Module):
    """Rises, and has no slope anywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.round(3 * x.flatten(1)[:, :2])


def test_where_no_gradient_leads_anywhere_the_best_noise_is_shown() -> None:
    p = pl.maximize(Steps().eval(), 0, "simonyan2013", shape=(1, 8, 8), bounds=(0, 1), steps=3)
    assert p.scores.tolist() == [3.0] and "no way up was found" in p.caption()


def test_one_picture_that_is_stuck_leaves_the_others_as_they_are() -> None:
    how = {"recipe": "simonyan2013", "shape": (3, 16, 16), "bounds": (0, 1), "steps": 20}
    together, alone = pl.maximize(shy(), ["3:0", "0:1"], **how), pl.maximize(shy(), "0:1", **how)
    torch.testing.assert_close(together.images[1], alone.images[0])
    assert together.scores[0] > 0


def test_a_start_of_ones_own_is_kept_and_a_dead_end_told() -> None:
    start = torch.full((1, 1, 8, 8), 0.5)
    p = pl.maximize(Steps().eval(), 0, "simonyan2013", shape=(1, 8, 8), bounds=(0, 1), steps=2, start=start)
    assert "another start=" in p.caption()


def test_texts_and_other_shapes_are_refused_in_words() -> None:
    text = nn.Sequential(nn.Embedding(60, 8), nn.Flatten(), nn.Linear(40, 2)).eval()
    with pytest.raises(InputError, match="looks up whole numbers"):
        pl.maximize(text, 1, shape=(5,), steps=2)
    cnn = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8 * 16, 3)).eval()
    with pytest.raises(InputError, match="cannot be called with such inputs"):
        pl.maximize(cnn, 2, shape=(1, 9, 9), bounds=(0, 1), steps=2)


def test_a_generator_prior_says_the_shape_of_what_is_looked_for() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    prior = pl.synth.GeneratorPrior.fit(net, torch.rand(20, 1, 4, 4), steps=3, minutes=None)
    p = pl.maximize(net, 3, "dgn_am", canvas=prior, steps=2)
    assert p.images.shape == (1, 1, 4, 4) and prior.shape == (1, 4, 4)
