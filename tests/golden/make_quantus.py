"""Makes quantus.npz: what Quantus 0.6.0 answers on the network and the samples of `tests.cases`, for maps without ties.

    pip install --target FOLDER --no-deps quantus==0.6.0 pandas opencv-python-headless cachetools tqdm matplotlib ...
    PYTHONPATH=.:FOLDER python tests/golden/make_quantus.py

Its own defects are left out: metrics that fail on colour pictures, or that depend on what else is in the batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.cases import CASE
from tests.conftest import TORCHVISION_OPS

SETTINGS: dict[str, Any] = {"abs": False, "normalise": False, "disable_warnings": True}


def maps(shape: tuple[int, ...], seed: int = 7) -> torch.Tensor:
    """Values without ties, of no meaning."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def main() -> None:
    assert TORCHVISION_OPS is None or TORCHVISION_OPS  # Quantus imports torchvision, which needs them declared
    np.trapz, np.NaN = np.trapezoid, np.nan  # gone from NumPy 2.4, and used there
    import quantus

    net, x = CASE["plain"].net(), CASE["plain"].inputs()
    y, a = net(x).argmax(1).numpy(), maps(tuple(x.shape)).numpy()
    told: dict[str, Any] = {"output": net(x).detach().numpy()}

    def ask(metric: Any, softmax: bool) -> Any:
        return np.array(metric(net, x.numpy(), y, a, softmax=softmax), dtype=np.float64)

    told["pixel_flipping"] = ask(quantus.PixelFlipping(features_in_step=8, perturb_baseline=0.0, **SETTINGS), False)
    told["pixel_flipping_black"] = ask(quantus.PixelFlipping(features_in_step=4, perturb_baseline="black", **SETTINGS), True)
    auc = quantus.PixelFlipping(features_in_step=8, perturb_baseline=0.0, return_auc_per_sample=True, **SETTINGS)
    told["pixel_flipping_auc"] = ask(auc, False)
    for order in ("morf", "lerf"):
        region = quantus.RegionPerturbation(patch_size=4, order=order, regions_evaluation=100, perturb_baseline=0.0, **SETTINGS)
        told[f"region_perturbation_{order}"] = ask(region, True)
    told["selectivity"] = ask(quantus.Selectivity(patch_size=4, perturb_baseline="black", **SETTINGS), True)
    grey = quantus.ROAD(percentages=list(range(5, 96, 10)), noise=0.0, **SETTINGS)
    one, x1 = Grey(net), x[:, :1]
    found = grey(one, x1.numpy(), one(x1).argmax(1).numpy(), a[:, :1], softmax=True, batch_size=len(x))
    told["road"] = np.array([found[p] for p in range(5, 96, 10)], dtype=np.float64)
    np.savez_compressed(Path(__file__).with_name("quantus.npz"), **told)


class Grey(torch.nn.Module):
    """A network for colour pictures, shown grey ones: Quantus' ROAD takes one channel."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net.eval()
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.expand(-1, 3, -1, -1))


if __name__ == "__main__":
    main()
