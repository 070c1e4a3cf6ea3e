"""Damaged files of every kind: an error in four parts, or something sound; never another error, a hang or gigabytes."""

from __future__ import annotations

import io
import json
import random
import resource
import struct
import time
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.cli.model_options import ModelOptions
from pellucid.errors import OutputError, PellucidError
from pellucid.explanation.explanation import Explanation
from pellucid.methods.perturb.imputers.statistics import Statistics, measured
from pellucid.model import Columns, Signal
from pellucid.model.modality import MultiInput, Series, Table, Tokens
from pellucid.model.readers.columns import Column
from pellucid.synth.generator.prior import GeneratorPrior
from tests import mutations

Mutate = Callable[[bytes, random.Random], bytes]
Read = Callable[[Path], Any]

AGE = Columns((Column("age", "years", 50.0, 10.0), Column("smoker", values=("no", "yes"))))


def small() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).eval()


def batch() -> Explanation:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    return pl.explain(pl.load(net, labels=["cat", "dog", "owl"]), torch.rand(2, 3, 2, 2), method="lrp.epsilon")


def about(subject: Any, width: int, **more: Any) -> Explanation:
    """An explanation of one input of that kind."""
    return Explanation(torch.rand(1, *([width] if width else []), *more.pop("rest", ())), torch.ones(1), "logit 0", "lrp", True,
                       subject=subject, **more)  # fmt: skip


def explanations() -> dict[str, Explanation]:
    tokens = Tokens(("a cat",), (("a", "cat", "[SEP]"),), (((0, 1), (2, 5), (0, 0)),), (("text", "text", "special"),))
    table = Table(("age", "smoker"), (1, 2), (("61 years", "yes"),))
    picture = np.full((4, 4, 3), 7, dtype=np.uint8)
    values = torch.rand(1, 3, 4, 4)
    return {
        "of a batch": batch(),
        "of a picture": Explanation(values, torch.ones(1), "logit 0", "rise", False, picture=picture, error=values / 9,
                                    classes=((0, "cat", 0.5),), shared=True, forwards=8, notes=("A note.",)),
        "of a text": about(tokens, 3),
        "of a row": about(table, 3),
        "of a series": about(Series(("I", "II"), "mV", 10.0, torch.rand(1, 2, 6)), 0, rest=(2, 6)),
        "of several inputs": about(MultiInput(("a", "b"), ((3,), (2,)), (table, None), (None, None)), 5, adds=True),
    }  # fmt: skip


def saved_prior() -> bytes:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    x = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    prior = GeneratorPrior.fit(net, x, steps=1, minutes=None, width=2)
    return written(prior.save)


def written(save: Callable[[Path], Any], suffix: str = ".safetensors", folder: list[Path] = []) -> bytes:  # noqa: B006
    path = folder[0] / f"whole{suffix}"
    save(path)
    return path.read_bytes()


def text(data: bytes, rng: random.Random) -> bytes:
    return mutations.mutated_text(data.decode(), rng).encode(errors="replace")


def drawn(path: Path) -> None:
    for one in Explanation.load(path):
        one.caption(), one.regions(0.1), one.warnings(), repr(one)


def pictured(path: Path) -> None:
    prior = GeneratorPrior.load(path)
    prior(prior.codes.mean.expand(prior.codes.shape)[None])


def labels(path: Path) -> None:
    ModelOptions("efficientnet_lite0", labels=str(path)).class_names()


def sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2), out.setsampwidth(2), out.setframerate(100)
        out.writeframes(bytes(range(80)))
    return file.getvalue()


def encoded(kind: str) -> bytes:
    file, rng = io.BytesIO(), np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def packed(**options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(small().state_dict(), file, **options)
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones((2, 10)))
    return file.getvalue()


def whole_files() -> dict[str, tuple[bytes, Mutate, Read, str]]:
    """By kind: a sound file, how it is damaged, what reads it, and its suffix."""
    tensors, raw = mutations.mutated_tensors, mutations.mutated_bytes
    state = safetensors.torch.save(dict(small().state_dict()))
    series = Signal(100).read
    files: dict[str, tuple[bytes, Mutate, Read, str]] = {
        f"an explanation {name}": (written(e.save), tensors, drawn, ".safetensors") for name, e in explanations().items()
    }
    files |= {
        f"a {kind} picture": (encoded(kind), raw, pl.model.read_picture, ".bin") for kind in ("png", "jpeg", "webp", "tiff")
    }
    statistics = measured([torch.rand(3, 9, 9)], reach=2)
    return files | {
        "a prior": (saved_prior(), tensors, pictured, ".safetensors"),
        "statistics": (written(statistics.save), tensors, Statistics.load, ".safetensors"),
        "weights": (state, tensors, lambda path: pl.load(path, builder=small), ".safetensors"),
        "pickled weights": (packed(), raw, lambda path: pl.load(path, builder=small), ".pt"),
        "old pickled weights": (
            packed(_use_new_zipfile_serialization=False), raw, lambda path: pl.load(path, builder=small), ".pt",
        ),
        "a table": (b'age,smoker\n61,yes\n34,no\n\n"51",yes\n', raw, AGE.read, ".csv"),
        "a table to learn from": (b"age,smoker\n61,yes\n34,no\n", raw, Columns.fitted, ".csv"),
        "columns": (json.dumps({"columns": AGE.bare()}).encode(), text, lambda path: Columns.load(path).typical(), ".json"),
        "a series of NumPy": (array(), raw, series, ".npy"),
        "a sound": (sound(), raw, series, ".wav"),
        "a series in a table": (b"time,I,II\n0.0,1,2\n0.01,2,3\n0.02,3,4\n", raw, series, ".csv"),
        "labels": ("\ufeffcat\ndöner\n東京\n".encode(), raw, labels, ".txt"),
        "labels by number": (b'{"cat": 0, "dog": 1, "owl": 2}', text, labels, ".json"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, Mutate, Read, str]]:
    written.__defaults__[1].append(tmp_path_factory.mktemp("whole"))  # type: ignore[index]
    return whole_files()


KINDS = [
    *(f"an explanation of {name}" for name in ("a batch", "a picture", "a text", "a row", "a series", "several inputs")),
    *(f"a {kind} picture" for kind in ("png", "jpeg", "webp", "tiff")), "a prior", "statistics", "weights", "pickled weights",
    "old pickled weights", "a table", "a table to learn from", "columns", "a series of NumPy", "a sound", "a series in a table",
    "labels", "labels by number",
]  # fmt: skip


@pytest.mark.parametrize("count", [pytest.param(12, id="some"), pytest.param(1000, id="all", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_in_words_or_is_sound(whole, kind, count, tmp_path):
    data, mutate, read, suffix = whole[kind]
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(data)
    read(path)  # it is whole, to begin with
    before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for damaged in mutations.mutants(data, mutate, count):
        path.write_bytes(damaged)
        began = time.process_time()
        try:
            read(path)
        except PellucidError as error:
            refused += all((error.asked, error.found, error.why, error.do))
        assert time.process_time() - began < 5
    assert refused >= count / 12, "else the files were not damaged"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20, "kilobytes: no gigabyte"


def with_header(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file of an explanation with another header."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    told = change(json.loads(header["__metadata__"]["pellucid"]))
    header["__metadata__"]["pellucid"] = told if isinstance(told, str) else json.dumps(told)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: "", "no JSON"),
        (lambda told: [], "a header that is a list"),
        (lambda told: "[" * 100_000, "damaged"),
        (lambda told: told | {"zzz": 1}, "the field 'zzz'"),
        (lambda told: told | {"signed": "yes"}, "the field 'signed'"),
        (lambda told: told | {"classes": [[0, 1, 2]]}, "the field 'classes'"),
        (lambda told: told | {"rows": [["a", "b", "c"]] * 9}, "KeyError"),
        (lambda told: told | {"targets": ["a"]}, "the targets of 2 samples"),
        (lambda told: told | {"subject": {"kind": ["table"]}}, "an input of kind"),
        (lambda told: told | {"subject": {"kind": "table", "names": ["a"], "widths": [0], "cells": [["1"]]}}, "do not belong"),
    ],
)
def test_a_damaged_header_says_what_is_wrong(tmp_path, change, said):
    path = batch().save(tmp_path / "e.safetensors")
    path.write_bytes(with_header(path.read_bytes(), change))
    with pytest.raises(OutputError, match=said):
        Explanation.load(path)


def test_what_an_older_version_did_not_write_has_its_default(tmp_path):
    e = batch()
    path = e.save(tmp_path / "e.safetensors")
    path.write_bytes(with_header(path.read_bytes(), lambda told: {k: told[k] for k in ("target", "method", "signed", "rows")}))
    assert repr(Explanation.load(path)) == repr(replace(e, targets=()))


def test_a_prior_claims_no_more_than_its_tensors_hold(tmp_path):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    path = GeneratorPrior.fit(net, torch.rand(8, 1, 8, 8), steps=1, minutes=None, width=2).save(tmp_path / "p.safetensors")
    data = path.read_bytes()
    for name, huge in (("width", 10**9), ("code", [10**9]), ("picture", [1, 10**7, 10**7]), ("code", [2.5]), ("width", True)):
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"]["prior"] = json.dumps(json.loads(header["__metadata__"]["prior"]) | {name: huge})
        told = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(told)) + told + data[8 + length :])
        with pytest.raises(OutputError, match="nothing can be built from it"):
            GeneratorPrior.load(path)


@pytest.mark.parametrize("read", [Explanation.load, GeneratorPrior.load, Statistics.load])
def test_what_is_no_file(read, tmp_path):
    for path in (tmp_path, tmp_path / "gone.safetensors", Path("/dev/zero"), tmp_path / "a\0b"):
        with pytest.raises(OutputError):
            read(path)
