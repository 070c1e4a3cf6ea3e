"""Networks of the coverage table exported to ONNX by both of torch's exporters: does the file compute and explain the same?

    python bench/onnx_exports.py [NAME ...] [--exporters dynamo script] [--side 64] [--double]

A line per file: the largest difference of its output from onnxruntime, relative to the largest output, and of its default
`lrp` map from that of the network itself, relative to the largest entry. `--double` compares in double precision as well, where
the file names no precision itself: what differs in single precision alone is rounding, that of the network itself included.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nets
import onnxruntime
import torch
from torch import Tensor

import pellucid as pl

HUBS = ("torchvision:", "timm:")


def export(case: nets.Case, exporter: str, path: Path) -> None:
    """The network as a file, by the new exporter or the old one."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if exporter == "dynamo":
            torch.onnx.export(case.net, (case.x,), path, dynamo=True, external_data=False)
        else:
            axes = {"x": {0: "n"}}
            torch.onnx.export(case.net, (case.x,), path, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes=axes)


def reference(path: Path, x: Tensor) -> Tensor:
    """What onnxruntime says."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def apart(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other.double()).abs().max() / other.double().abs().max())


def compared(case: nets.Case, path: Path, *, double: bool) -> Iterator[str]:
    model, net = (pl.load(one, preprocess=case.preprocess) for one in (path, case.net))
    yield f"output {apart(model(case.x), reference(path, case.x)):.1e}"
    yield f"map {maps_apart(model, net, case, case.x):.1e}"
    if double:
        model.module.double().ports = tuple(replace(port, dtype=torch.float64) for port in model.module.ports)
        case.net.double()
        try:
            yield f"map in double precision {maps_apart(model, net, case, case.x.double()):.1e}"
        except RuntimeError:
            yield "the file casts to single precision"
        case.net.float()


def maps_apart(model: pl.Model, net: pl.Model, case: nets.Case, x: Tensor) -> float:
    classes = case.classes.tolist()
    ours, theirs = (pl.explain(one, x, target=classes, method="lrp", verify=False).values for one in (model, net))
    return apart(ours, theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=[n for n in (*nets.CONVOLUTIONAL, *nets.OTHERS) if n.startswith(HUBS)])
    parser.add_argument("--exporters", nargs="+", default=["dynamo", "script"], choices=["dynamo", "script"])
    parser.add_argument("--side", type=int, default=64, help="of the pictures, where the network takes any")
    parser.add_argument("--double", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            case = nets.case(name, side=options.side)
            for exporter in options.exporters:
                path = Path(folder) / "net.onnx"
                try:
                    export(case, exporter, path)
                except Exception as error:  # the exporters raise whatever they please
                    print(f"{name} {exporter}: the exporter fails ({type(error).__name__})", flush=True)
                    continue
                print(f"{name} {exporter}:", ", ".join(compared(case, path, double=options.double)), flush=True)


if __name__ == "__main__":
    main()
