"""How near the map of a method with a cheaper setting comes to its own map by default: `pellucid/catalogue/cheaper.py`.

python bench/cheaper_settings.py            # all
python bench/cheaper_settings.py rise lime  # some

Three photographs (a cat, a cup of coffee, an astronaut), the built-in network, the class that it predicts. Printed, as each is
done: passes by default and with the setting, and the rank correlation of the two maps for each photograph, with its mean. Values
are summed over channels. Passes are counted, not timed: the line that is said before a long run times the machine at hand.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from skimage.data import astronaut

import pellucid as pl
from pellucid import zoo
from pellucid.catalogue.cheaper import CHEAPER
from pellucid.catalogue.methods import method
from pellucid.core.statistics import spearman

# Settings that were tried; the one that is kept in the catalogue is the cheapest whose mean correlation is high enough to name.
TRIED: dict[str, tuple[dict[str, Any], ...]] = {
    "integrated_gradients": ({"steps": 16},),
    "occlusion": ({"stride": 16}, {"stride": 12}),
    "lime": ({"budget": 250}, {"budget": 500}, {"budget": 750}),
    "kernel_shap": ({"budget": 150}, {"budget": 250}),
    "hsic": ({"budget": 250}, {"budget": 375}),
    "meaningful": ({"steps": 75}, {"steps": 110}),
    "sobol": ({"budget": 600}, {"budget": 1200}),
    "extremal": ({"steps": 300}, {"steps": 500}),
    "rise": ({"budget": 1000}, {"budget": 2000}),
}


def photographs() -> list[Any]:
    """Two photographs of the package, and one of scikit-image."""
    return [str(path) for path in zoo.pictures().values()] + [astronaut()]


def explained(name: str, x: Any, **settings: Any) -> tuple[torch.Tensor, int]:
    """The map of a method, one number per place, and how many passes it took."""
    e = pl.explain("efficientnet_lite0", x, method=method(name, **settings))
    return e.values[0].double().sum(0).flatten(), e.forwards


def main(names: list[str]) -> None:
    pictures = photographs()
    for name in names or TRIED:
        usual = [explained(name, x) for x in pictures]
        for settings in TRIED[name]:
            found = [explained(name, x, **settings) for x in pictures]
            near = [spearman(a, b) for (a, _), (b, _) in zip(usual, found, strict=True)]
            each = " ".join(f"{one:.3f}" for one in near)
            passes = f"{usual[0][1]:,} -> {found[0][1]:,}"
            kept = "  (kept)" if name in CHEAPER and dict(CHEAPER[name].settings) == settings else ""
            print(f"{name:22} {settings}  passes {passes:16} {sum(near) / len(near):.3f} ({each}){kept}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
