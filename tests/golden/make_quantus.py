"""Makes quantus.npz: what Quantus 0.6.0 and captum 0.9.0 answer on small seeded networks, for maps without ties.

    python -m venv --system-site-packages VENV      # over an environment that has torch, torchvision and captum
    VENV/bin/pip install --no-deps quantus==0.6.0 pandas opencv-python-headless cachetools tqdm matplotlib ...
    PYTHONPATH=. VENV/bin/python tests/golden/make_quantus.py

Its own defects are left out: metrics that fail on colour pictures, or that depend on what else is in the batch. `ask` makes
forty-seven checks, twenty-four on grey pictures and twenty-three on coloured ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.cases import CASE
from tests.conftest import TORCHVISION_OPS

SETTINGS: dict[str, Any] = {"abs": False, "normalise": False, "disable_warnings": True}
PICTURES = {"grey": (1, 28), "colour": (3, 16)}  # channels, side
SAMPLES = 4


class Small(nn.Module):
    """Convolutions, average pooling, dense layers."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        flat = 16 * ((side // 2 - 4) // 2) ** 2
        self.net = nn.Sequential(
            *(nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(flat, 84), nn.ReLU(), nn.Linear(84, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def small(pictures: str) -> nn.Module:
    """The network of these pictures, the same wherever it is built."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Small(*PICTURES[pictures]).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(4)  # as they come, all classes are as good as equally probable
    return net


def samples(pictures: str) -> tuple[Tensor, list[int], Tensor]:
    """Pictures, a class for each, and values without ties, of no meaning."""
    channels, side = PICTURES[pictures]
    rng = torch.Generator().manual_seed(11)
    shape = (SAMPLES, channels, side, side)
    return torch.rand(shape, generator=rng), torch.randint(10, (SAMPLES,), generator=rng).tolist(), maps(shape)


def truth(side: int) -> Tensor:
    """Where the truth might lie."""
    masks = torch.zeros(SAMPLES, side, side, dtype=torch.bool)
    masks[:, 3:11, 5:12] = True
    return masks


def maps(shape: tuple[int, ...], seed: int = 7) -> Tensor:
    """Values without ties, of no meaning."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gradients(net: nn.Module, x: Any, y: Any) -> np.ndarray[Any, Any]:
    """The gradient of each sample's class."""
    inputs = torch.as_tensor(np.asarray(x), dtype=torch.float32).requires_grad_()
    chosen = net(inputs).gather(1, torch.as_tensor(np.asarray(y))[:, None]).sum()
    return torch.autograd.grad(chosen, inputs)[0].numpy()


def main() -> None:
    assert TORCHVISION_OPS is None or TORCHVISION_OPS  # Quantus imports torchvision, which needs them declared
    np.trapz, np.NaN = np.trapezoid, np.nan  # gone from NumPy 2.4, and used there
    told = of_cases()
    for pictures in PICTURES:
        told |= {f"{pictures}/{name}": value for name, value in ask(pictures).items()}
    np.savez_compressed(Path(__file__).with_name("quantus.npz"), **told)


def ask(pictures: str) -> dict[str, Any]:
    """Every metric on one kind of pictures, as arrays of one row per sample where there are samples."""
    import quantus

    net, (images, classes, values) = small(pictures), samples(pictures)
    x, y, a = images.numpy(), np.array(classes), values.numpy()
    side = x.shape[-1]
    masks = truth(side)[:, None].numpy().astype(int)
    g = gradients(net, x, y)
    zero: dict[str, Any] = {"perturb_baseline": 0.0, **SETTINGS}
    plain: dict[str, Any] = {"abs": True, "normalise": False, "disable_warnings": True}

    def removal(metric: Any, softmax: bool, **how: Any) -> Any:
        return metric(net, x, y, a, softmax=softmax, **how)

    def again(metric: Any) -> Any:
        np.random.seed(5)
        return metric(net, x, y, g, explain_func=lambda model, inputs, targets, **_: gradients(model, inputs, targets))

    def place(metric: Any, heat: Any) -> Any:
        return metric(net, x, y, heat, s_batch=masks)

    def size(metric: Any) -> Any:
        return metric(net, x, y, np.abs(a[:, :1]))

    one, positive = a[:, :1], np.abs(a[:, :1])
    np.random.seed(3)
    subsets = removal(quantus.FaithfulnessCorrelation(nr_runs=30, subset_size=50, return_aggregate=False, **zero), False)
    found = {
        "output": net(images).detach().numpy(),
        "pixel_flipping_1": removal(quantus.PixelFlipping(features_in_step=1, **zero), False),
        "pixel_flipping_4": removal(quantus.PixelFlipping(features_in_step=4, **zero), False),
        "pixel_flipping_black": removal(quantus.PixelFlipping(features_in_step=4, perturb_baseline="black", **SETTINGS), True),
        "pixel_flipping_auc": removal(quantus.PixelFlipping(features_in_step=4, return_auc_per_sample=True, **zero), True),
        "region_perturbation_morf": removal(regions(quantus, "morf"), True),
        "region_perturbation_lerf": removal(regions(quantus, "lerf"), True),
        "selectivity": removal(quantus.Selectivity(patch_size=4, perturb_baseline="black", **SETTINGS), True),
        "faithfulness_estimate": removal(quantus.FaithfulnessEstimate(features_in_step=4, **zero), False),
        "faithfulness_correlation": subsets,
        "sensitivity_n": removal(
            quantus.SensitivityN(features_in_step=4, return_aggregate=False, **zero), True, batch_size=SAMPLES
        ),
        "infidelity": removal(quantus.Infidelity(perturb_patch_sizes=[4], n_perturb_samples=10, **zero), False),
        "non_sensitivity": removal(quantus.NonSensitivity(eps=1e-2, features_in_step=1, perturb_baseline=0.0, **plain), True),
        "max_sensitivity": again(quantus.MaxSensitivity(nr_samples=5, lower_bound=0.2, **SETTINGS)),
        "local_lipschitz": again(quantus.LocalLipschitzEstimate(nr_samples=5, perturb_std=0.1, perturb_mean=0.0, **SETTINGS)),
        "relevance_rank": place(quantus.RelevanceRankAccuracy(**SETTINGS), one),
        "relevance_mass": place(quantus.RelevanceMassAccuracy(**SETTINGS), positive),
        "pointing_game": place(quantus.PointingGame(**SETTINGS), one),
        "top_k": place(quantus.TopKIntersection(k=50, **SETTINGS), one),
        "roc_auc": place(quantus.AUC(**SETTINGS), one),
        "sparseness": size(quantus.Sparseness(**plain)),
        "complexity": size(quantus.Complexity(**plain)),
        "effective_complexity": size(quantus.EffectiveComplexity(eps=0.5, **plain)),
        "randomization": list(again(quantus.MPRT(layer_order="top_down", seed=42, **plain)).values()),
    }
    if pictures == "grey":
        road = quantus.ROAD(percentages=[5, 20], noise=0.0, **SETTINGS)
        predicted = net(images).argmax(1).numpy()
        found["road"] = list(road(net, x, predicted, one, batch_size=SAMPLES).values())
    return {name: packed(value) for name, value in (found | captums(net, images, classes, values)).items()}


def regions(quantus: Any, order: str) -> Any:
    return quantus.RegionPerturbation(patch_size=4, order=order, regions_evaluation=100, perturb_baseline=0.0, **SETTINGS)


def packed(value: Any) -> np.ndarray[Any, Any]:
    """Long curves in single precision, as they were computed; numbers as they are."""
    made = np.array(value.detach().numpy() if isinstance(value, Tensor) else value, dtype=np.float64)
    return made.astype(np.float32) if made.size > 500 else made


def captums(net: nn.Module, x: Tensor, y: list[int], a: Tensor) -> dict[str, Any]:
    """What captum says of its infidelity, as it comes and normalised, in both units, and of sensitivity_max."""
    from captum.metrics import infidelity, infidelity_perturb_func_decorator, sensitivity_max

    noise = shifts(x.shape[1:], 12)
    told: dict[str, Any] = {}

    def moved(inputs: Tensor) -> Tensor:  # the samples come repeated, one after the other
        return inputs - noise.repeat(len(inputs) // len(noise), 1, 1, 1)

    @torch.enable_grad()
    def explained(inputs: Any, target: Tensor) -> tuple[Tensor]:
        return (torch.from_numpy(gradients(net, first(inputs), target)),)

    for units, contribution in (("slope", False), ("contribution", True)):
        perturb: Callable[..., Any] = infidelity_perturb_func_decorator(contribution)(moved)
        for normalize in (False, True):
            name = f"captum_infidelity_{units}{'_normalized' if normalize else ''}"
            told[name] = infidelity(net, perturb, x, a, target=torch.tensor(y), n_perturb_samples=len(noise), normalize=normalize)
    told["captum_sensitivity_max"] = sensitivity_max(
        explained, x, lambda inputs: moved(first(inputs)), n_perturb_samples=len(noise), target=torch.tensor(y)
    )
    return told


def first(inputs: Any) -> Tensor:
    """captum hands tensors over in a tuple, or not."""
    return (inputs[0] if isinstance(inputs, tuple) else inputs).detach()


def shifts(shape: tuple[int, ...] | torch.Size, n: int) -> Tensor:
    """What is subtracted from samples, with shape (n, ...)."""
    return 0.05 * torch.randn((n, *shape), generator=torch.Generator().manual_seed(13))


def of_cases() -> dict[str, Any]:
    """Curves on the network and the samples of `tests.cases`."""
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
        told[f"region_perturbation_{order}"] = ask(regions(quantus, order), True)
    told["selectivity"] = ask(quantus.Selectivity(patch_size=4, perturb_baseline="black", **SETTINGS), True)
    grey = quantus.ROAD(percentages=list(range(5, 96, 10)), noise=0.0, **SETTINGS)
    one, x1 = Grey(net), x[:, :1]
    found = grey(one, x1.numpy(), one(x1).argmax(1).numpy(), a[:, :1], softmax=True, batch_size=len(x))
    told["road"] = np.array([found[p] for p in range(5, 96, 10)], dtype=np.float64)
    return told


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
