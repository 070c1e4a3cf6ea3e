"""Freeze captum's DeepLIFT, guided backpropagation and deconvnet: run once, by hand, where captum is installed.

    python tests/golden/make_captum_deeplift.py

Writes captum_deeplift.json beside this file. `maps`: by net of deeplift_nets.py and by method, what captum gives in float64 for
both samples. `cases`: what captum's own tests work out by hand, as facts.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import deeplift_nets as nets
import torch
from captum.attr import Deconvolution, DeepLift, DeepLiftShap, GuidedBackprop
from torch import Tensor

RAMP = torch.arange(16.0).reshape(1, 1, 4, 4).tolist()
PLUS_ONE = [[RAMP[0][0], torch.ones(4, 4).tolist()]]
# From captum's tests/attr: test_deeplift_basic.py, layer/test_layer_deeplift.py, test_guided_backprop.py, test_deconvolution.py.
# Inputs that captum passes one by one lie along axis 1 here.
CASES: list[dict[str, Any]] = [
    {"id": "test_relu_deeplift_exact_match", "method": "deeplift", "model": "two_relus", "input": [[1.0, 2.0]],
     "expected": [[2.0, 1.0]]},
    {"id": "test_relu_deeplift_exact_match_wo_mutliplying_by_inputs", "method": "deeplift", "model": "two_relus",
     "input": [[1.0, 2.0]], "multipliers": True, "expected": [[2.0, 0.5]]},
    {"id": "test_relu_layer_deeplift", "method": "deeplift", "model": "relu_linear", "input": [[-10.0, 1.0, -5.0, 3.0, 3.0, 1.0]],
     "at": "cat", "expected": [[0.0, 15.0]]},
    {"id": "test_relu_layer_deeplift_wo_mutliplying_by_inputs", "method": "deeplift", "model": "relu_linear",
     "input": [[-10.0, 1.0, -5.0, 3.0, 3.0, 1.0]], "at": "cat", "multipliers": True, "expected": [[0.0, 1.0]]},
    {"id": "test_simple_input_conv_gb", "method": "guided_backprop", "model": "conv_two_relus", "input": RAMP,
     "expected": [[[[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]]]]},
    {"id": "test_simple_multi_input_conv_gb", "method": "guided_backprop", "model": "conv_two_relus", "input": PLUS_ONE,
     "expected": [[[[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]] * 2]},
    {"id": "test_simple_input_conv_deconv", "method": "deconvnet", "model": "conv_two_relus", "input": RAMP,
     "expected": [[[[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]]]]},
    {"id": "test_simple_multi_input_conv_deconv", "method": "deconvnet", "model": "conv_two_relus", "input": PLUS_ONE,
     "expected": [[[[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]]] * 2]},
]  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # captum tells of the hooks it sets
    maps = {name: {key: kept(made) for key, made in explained(name).items()} for name in nets.NETS}
    told = {"captum": version("captum"), "torch": torch.__version__, "maps": maps, "cases": CASES}
    path = Path(__file__).with_name("captum_deeplift.json")
    path.write_text(json.dumps(told, separators=(",", ":")).replace('"},{', '"},\n{') + "\n", encoding="utf-8")


def explained(name: str) -> dict[str, Tensor]:
    """What captum says of a net, by pellucid's name of the method; every time of a net built anew."""
    x, baseline = nets.inputs(name)
    several = torch.cat([baseline, -baseline])

    def net() -> torch.nn.Module:
        return nets.build(name)

    return {
        "deeplift": DeepLift(net()).attribute(x, baseline, target=nets.TARGET),
        "multipliers": DeepLift(net(), multiply_by_inputs=False).attribute(x, baseline, target=nets.TARGET),
        "deepshap": DeepLiftShap(net()).attribute(x, several, target=nets.TARGET),
        "guided_backprop": GuidedBackprop(net()).attribute(x, target=nets.TARGET),
        "deconvnet": Deconvolution(net()).attribute(x, target=nets.TARGET),
    }


def kept(t: Tensor) -> list[float]:
    return [float(f"{v:.13g}") for v in t.detach().flatten().tolist()]


if __name__ == "__main__":
    main()
