"""The test suite that the onnx wheel brings, run through our reader: a node, a small graph or a whole network each.

python -m tests.onnx_backend [WORD ...]     those whose names hold a word, or all: what passes, what fails and why
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from pellucid.model.sources.onnx import constants
from pellucid.model.sources.onnx.build import build, read_file, unknown

STORED = ("simple", "pytorch-operator", "pytorch-converted")


class Case(NamedTuple):
    """One test of the suite: a model, inputs, and what comes out."""

    name: str
    model: Any
    data: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float

    @property
    def kinds(self) -> set[str]:
        return {node.op_type for node in self.model.graph.node}


@cache
def node_cases() -> tuple[Case, ...]:
    """Every test of a single operation, newest version first made by the suite itself."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {case.name: case for case in collect_testcases(None)}
    return tuple(Case(one.name, one.model, one.data_sets, one.rtol, max(one.atol, 1e-6)) for one in made.values())


@cache
def stored_cases(kind: str) -> tuple[Case, ...]:
    """Those kept as files: "simple", "pytorch-operator", "pytorch-converted"."""
    from onnx.backend.test.loader import load_model_tests

    return tuple(_stored(one) for one in load_model_tests(kind=kind))


def _stored(case: Any) -> Case:
    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    sets = []
    for data in sorted(folder.glob("test_data_set_*")):
        sets.append(tuple(
            [_value(path, info.type) for path, info in zip(_files(data, kind), infos, strict=False)]
            for kind, infos in (("input", model.graph.input), ("output", model.graph.output))
        ))  # fmt: skip
    return Case(case.name, model, sets, case.rtol, max(case.atol, 1e-6))


def _files(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.split("_")[1]))


def _value(path: Path, kind: Any) -> Any:
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(path.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def as_value(array: Any) -> Any:
    """What the suite feeds in, as our graphs take it."""
    if array is None:
        return None
    if isinstance(array, onnx.TensorProto):
        return constants.tensor(array)
    return [as_value(one) for one in array] if isinstance(array, list) else constants.from_array(array)


def check(case: Case) -> None:
    """Run one test.

    Raises:
        AssertionError: An output differs.
    """
    file = read_file(case.model)
    missing = sorted({node.op_type for node in unknown(file, case.model.graph)})
    assert not missing, f"unknown: {', '.join(missing)}"
    graph = build(file, case.model.graph)
    for inputs, outputs in case.data:
        with torch.no_grad():
            made = graph.run([as_value(one) for one in inputs], {})
        for ours, theirs in zip(made, outputs, strict=False):
            compare(ours, as_value(theirs), case)


def compare(ours: Any, theirs: Any, case: Case) -> None:
    if isinstance(theirs, list):
        assert isinstance(ours, list) and len(ours) == len(theirs), f"a list of {len(theirs)}"
        for one, other in zip(ours, theirs, strict=True):
            compare(one, other, case)
    elif isinstance(theirs, torch.Tensor):
        assert isinstance(ours, torch.Tensor), f"{type(ours).__name__} in place of a tensor"
        assert ours.dtype == theirs.dtype, f"{ours.dtype} in place of {theirs.dtype}"
        assert ours.shape == theirs.shape, f"shape {tuple(ours.shape)} in place of {tuple(theirs.shape)}"
        exact = not (theirs.is_floating_point() or theirs.is_complex())
        left, right = (
            one if exact else one.to(torch.complex128 if one.is_complex() else torch.float64) for one in (ours, theirs)
        )
        rtol, atol = (0.0, 0.0) if exact else (case.rtol, max(case.atol, last_place(theirs)))
        torch.testing.assert_close(left, right, rtol=rtol, atol=atol, equal_nan=True)
    else:
        assert ours == theirs, f"{ours!r} in place of {theirs!r}"


def last_place(x: torch.Tensor) -> float:
    """The last place of the largest of numbers with 16 bits, which steps in another order round away; of wider ones none."""
    half = x.dtype in (torch.float16, torch.bfloat16) and x.numel()
    return float(torch.finfo(x.dtype).eps * x.double().nan_to_num(0.0, 0.0, 0.0).abs().max()) if half else 0.0


def reason(case: Case) -> str:
    """Why a test fails; empty if it passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(case)
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:160]
    return ""


def cases(words: Sequence[str]) -> Iterator[Case]:
    everything = [
        *node_cases(),
        *(one for kind in ("simple", "pytorch-operator", "pytorch-converted") for one in stored_cases(kind)),
    ]
    return (one for one in everything if not words or any(word.lower() in one.name or word in one.kinds for word in words))


def main(words: Sequence[str]) -> None:
    failed = total = 0
    for case in cases(words):
        total += 1
        why = reason(case)
        failed += bool(why)
        if why:
            print(f"{case.name:60s} {why}", flush=True)
    print(f"{total - failed} of {total} pass")


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(sys.argv[1:])
