"""Freeze iNNvestigate's reference attributions of single layers that concern relevance and gradients: run once, by hand.

    python tests/golden/make_innvestigate.py REFERENCES.npz

REFERENCES.npz holds the attributions that iNNvestigate 1.0.9 (BSD-2-Clause) ships for its own tests, one per analyzer and layer,
with pictures as (batch, channel, height, width) and weights as PyTorch lays them out. Written beside this file, innvestigate.npz
keeps `input`, `ANALYZER/LAYER/attribution` and `ANALYZER/LAYER/weight`: the biases are all zero, which is checked here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

KEPT = ("LRP", "DeepTaylor", "BoundedDeepTaylor", "Gradient", "InputTimesGradient")


def main(references: str) -> None:
    found = np.load(references)
    assert not any(found[key].any() for key in found.files if key.endswith("/bias"))
    kept = {key: found[key] for key in found.files if key.startswith(KEPT) and key.endswith(("/attribution", "/weight"))}
    np.savez_compressed(Path(__file__).with_name("innvestigate.npz"), input=found["input"], **kept)


if __name__ == "__main__":
    main(sys.argv[1])
