"""What a method answered: raw values for every sample, with all that is needed to read, paint and repeat them."""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.errors import InputError, OutputError
from pellucid.ledger import Ledger, Row, figure

#: Suffix -> "module:function" that writes (explanation, path). Painters live floors above: they are named here, not imported.
FORMATS: dict[str, str] = {
    ".safetensors": "pellucid.explanation:save_safetensors",
    ".json": "pellucid.explanation:save_json",
    ".png": "pellucid.render:save_png",
    ".html": "pellucid.render:save_html",
    ".txt": "pellucid.render:save_txt",
}


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which parts of the input speak for the target, which against, and by how much.

    Arguments:
        values: Raw and never normalised, shaped like the input (or like the value named by `at`), batch first.
        output: The target's value per sample, with shape (batch,).
        target: What was explained, in words: 'logit 285 "Egyptian cat"'.
        method: The method's catalogue name: "lrp.epsilon_plus".
        signed: Whether negative values mean evidence against; if not, values only tell how much.
        ledger: Where the seed went, for methods that keep books.
        notes: Sentences a reader of the picture has to know; they end the caption.
        provenance: What it takes to repeat this: versions, model, options, seed. Plain JSON.
        picture: The pixels the model saw, with shape (height, width, 3) shared by all samples, or one per sample
            with shape (batch, height, width, 3).
        at: The value inside the model that `values` belong to; None is the input.
        classes: The first sample's top classes: (index, label, probability).
        targets: One target per sample where they differ; empty where `target` holds for all.
        error: The standard error of every value, for methods that sample; shaped like `values`.
        shared: Whether the channels of a place share one value; then that is the place's own, and not the sum over its channels.
        forwards: How many samples went through the network; 0 where nobody counted.

    Example:
        >>> e = Explanation(torch.tensor([[[[2.0, -1.0], [0.5, 0.0]]]]), torch.tensor([1.5]), "logit 0", "gradient_x_input", True)
        >>> e
        Explanation(gradient_x_input -> logit 0 = 1.50, values (1, 1, 2, 2))
        >>> e.mask(top=0.25)
        tensor([[ True, False],
                [False, False]])
    """

    values: Tensor
    output: Tensor
    target: str
    method: str
    signed: bool
    ledger: Ledger | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None
    at: str | None = None
    classes: tuple[tuple[int, str, float], ...] = ()
    targets: tuple[str, ...] = ()
    error: Tensor | None = None
    shared: bool = False
    forwards: int = 0

    def __len__(self) -> int:
        """How many samples were explained."""
        return len(self.values)

    def __repr__(self) -> str:
        what = self.headline() if len(self) == 1 else f"{self.method} -> {self.target}"
        return f"Explanation({what}, values {tuple(self.values.shape)})"

    def _repr_png_(self) -> bytes:
        """The picture, for notebooks."""
        png: bytes = import_module("pellucid.render").png(self)
        return png

    def headline(self, sample: int = 0) -> str:
        """Method, target and the target's value: `lrp.zero -> logit 7 = 1.50`."""
        target = self.targets[sample] if self.targets else self.target
        return f"{self.method} -> {target} = {figure(float(self.output[sample]))}"

    def sentence(self, sample: int = 0) -> str:
        """Headline and ledger of one sample."""
        if self.ledger is None:
            return f"{self.headline(sample)}."
        seed, output = float(self.ledger.seed[sample]), float(self.output[sample])
        start = "" if abs(seed - output) <= 1e-3 * abs(output) else f", seeded with {figure(seed)}"
        return f"{self.headline(sample)}{start}: {self.ledger.sentence(sample)}."

    def warnings(self, sample: int = 0) -> list[str]:
        """What makes this map less than it seems, one plain sentence each; sound maps have none."""
        if self.ledger is None:
            return []
        return self.ledger.warnings(sample, size=float(self.values[sample].abs().sum()))

    def caption(self, sample: int = 0) -> str:
        """What a reader has to know about one sample: headline, ledger, warnings, notes."""
        return " ".join([self.sentence(sample), *self.warnings(sample), *self.notes])

    def heat(self, sample: int = 0) -> Tensor:
        """One number per place, with shape (height, width), (1, length) for signals and rows: the sum over channels."""
        self._check(sample)
        values = self.values[sample].detach()
        if values.ndim <= 2:
            rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
        else:
            rows = values.flatten(0, -3)
        pooled = rows.mean(0) if self.shared else rows.sum(0)
        return pooled[None] if values.ndim <= 2 else pooled

    def mask(self, top: float = 0.1, sample: int = 0) -> Tensor:
        """True on the share `top` of the places that speak most for the target; places that do not speak for it never are.

        Arguments:
            top: Share of all places, in (0, 1].
        """
        if not 0 < top <= 1:
            raise InputError(f"mask(top={top})", f"{top}", "a share of the pixels lies in (0, 1]", "Ask for mask(top=0.1), say.")
        heat = self.heat(sample)
        flat = heat.flatten().nan_to_num(nan=0.0)
        best = flat.sort(descending=True, stable=True).indices[: max(1, round(top * flat.numel()))]
        mask = torch.zeros_like(flat, dtype=torch.bool)
        mask[best] = flat[best] > 0
        return mask.reshape(heat.shape)

    def photograph(self, sample: int = 0) -> NDArray[np.uint8] | None:
        """The pixels the model saw of one sample, with shape (height, width, 3)."""
        self._check(sample)
        return self.picture if self.picture is None or self.picture.ndim == 3 else self.picture[sample]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write by suffix (`FORMATS`), whole or not at all.

        Raises:
            OutputError: The suffix is unknown, or the place cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            found = f'suffix "{path.suffix}"' if path.suffix else "no suffix"
            raise OutputError(f"save to {path}", found, "the suffix chooses the format", f"Use one of {', '.join(FORMATS)}.")
        module, function = FORMATS[path.suffix.lower()].split(":")
        with whole(path) as temporary:
            getattr(import_module(module), function)(self, temporary)
        return path

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Explanation:
        """Read back what `save` wrote as .safetensors."""
        return load_explanation(path)

    def _check(self, sample: int) -> None:
        if not -len(self) <= sample < len(self):
            found = f"an explanation of {len(self)} sample(s)"
            raise InputError(f"sample {sample}", found, "there is no such sample", f"Ask for one of 0-{len(self) - 1}.")


def load_explanation(path: str | os.PathLike[str]) -> Explanation:
    """Read what `save_safetensors` wrote; every value comes back bit for bit.

    Raises:
        OutputError: There is no such file, or it is not an explanation.
    """
    told, tensors = unpack(Path(path))
    told |= {name: tuple(told[name]) for name in ("notes", "targets")} | {"classes": tuple(map(tuple, told["classes"]))}
    picture = tensors["picture"].numpy() if "picture" in tensors else None
    rows: list[tuple[str, str, str]] | None = told.pop("rows")
    ledger = None
    if rows is not None:
        booked = tuple(Row(*row, tensors[f"ledger.row.{index}"]) for index, row in enumerate(rows))
        ledger = Ledger(tensors["ledger.seed"], tensors["ledger.input"], booked)
    error = tensors.get("error")
    return Explanation(tensors["values"], tensors["output"], ledger=ledger, picture=picture, error=error, **told)


def save_safetensors(e: Explanation, path: Path) -> None:
    """All of it: tensors as they are, everything else as JSON in the header under "pellucid"."""
    from safetensors.torch import save

    tensors = {"values": e.values, "output": e.output}
    if e.error is not None:
        tensors["error"] = e.error
    if e.picture is not None:
        tensors["picture"] = torch.from_numpy(np.array(e.picture))
    if e.ledger is not None:
        tensors |= {"ledger.seed": e.ledger.seed, "ledger.input": e.ledger.input}
        tensors |= {f"ledger.row.{index}": row.amount for index, row in enumerate(e.ledger.rows)}
    # Cloned, since the format refuses tensors that share memory, as a seed and the output may.
    owned = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    path.write_bytes(save(owned, metadata={"pellucid": json.dumps(header(e), default=str)}))


def header(e: Explanation) -> dict[str, Any]:
    """What the tensors of an explanation do not say."""
    kept = "target", "method", "signed", "notes", "provenance", "at", "classes", "targets", "shared", "forwards"
    told = {name: getattr(e, name) for name in kept}
    return told | {"rows": None if e.ledger is None else [(row.where, row.op, row.cause) for row in e.ledger.rows]}


def unpack(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a file that `save_safetensors` wrote."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    asked, do = f"load {path}", "Load a .safetensors file that Explanation.save wrote."
    try:
        data = path.read_bytes()
        tensors: dict[str, Tensor] = load(data)
    except OSError as error:
        raise OutputError(asked, error.strerror or str(error), "it cannot be read", do) from None
    except SafetensorError as error:
        raise OutputError(asked, str(error), "it is not a whole safetensors file", do) from None
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    if "pellucid" not in metadata:
        raise OutputError(asked, f"tensors {', '.join(sorted(tensors)) or 'none'}", "they are no explanation", do)
    return json.loads(metadata["pellucid"]), tensors


def save_json(e: Explanation, path: Path) -> None:
    """Captions, ledger and a summary of the values, without arrays; figures that are not finite become null."""
    finite = json.loads(json.dumps(summary(e), default=str), parse_constant=lambda _: None)
    path.write_text(json.dumps(finite, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(e: Explanation) -> dict[str, Any]:
    """The explanation as plain data."""
    keys = "method", "target", "targets", "at", "signed", "notes", "provenance", "forwards"
    flat = e.values.detach().cpu().double().reshape(len(e), -1)
    return {name: getattr(e, name) for name in keys} | {
        "output": e.output.tolist(),
        "caption": [e.caption(sample) for sample in range(len(e))],
        "classes": [dict(zip(("index", "label", "probability"), entry, strict=True)) for entry in e.classes],
        "values": {
            "shape": list(e.values.shape),
            "dtype": str(e.values.dtype).removeprefix("torch."),
            "finite": flat.isfinite().all(1).tolist(),
            "sum": flat.sum(1).tolist(),
            "absolute_sum": flat.abs().sum(1).tolist(),
            "minimum": flat.amin(1).tolist(),
            "maximum": flat.amax(1).tolist(),
            "standard_error": None if e.error is None else e.error.double().reshape(len(e), -1).amax(1).tolist(),
        },
        "ledger": None if e.ledger is None else books(e.ledger),
    }


def books(ledger: Ledger) -> dict[str, Any]:
    """The ledger as plain data, one entry per sample in every list."""
    return {name: getattr(ledger, name).tolist() for name in ("seed", "input", "absorbed", "error")} | {
        "by_cause": {cause: amount.tolist() for cause, amount in ledger.by_cause().items()},
        "rows": [{"where": row.where, "op": row.op, "cause": row.cause, "amount": row.amount.tolist()} for row in ledger.rows],
    }


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it if all goes well, and gone if anything does not."""
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        found = error.strerror or str(error)
        do = "Choose a folder that exists and can be written, with room left."
        raise OutputError(f"save to {path}", found, "the file cannot be written there", do) from None
    finally:
        with suppress(OSError):  # gone after the rename; never there if the folder is not one
            temporary.unlink()
