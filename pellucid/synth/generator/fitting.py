"""Fitting of a generator prior: from the statistics of codes and pictures to the trained decoder.

The loop over training steps is in `training.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.core.formats import FORMATS, save
from pellucid.errors import InputError, OutputError
from pellucid.model import Model
from ..frame import Bounds, Frame
from ..pictures import Pictures
from .codes import Codes, measure_codes
from .decoder import Architecture, Decoder, channels_last, critic
from .encoder import Encoder, encoder
from .store import Parts
from .training import Training, TrainingResult, TrainingSetup, measure_distances, train

FEW = 20  # pictures, which a decoder can memorise
ENOUGH = 10_000  # pictures that statistics are taken of, at most


def fit(
    model: Model, source: Pictures, at: str | None, bounds: Bounds | None, width: int, settings: Training, out: Path | None
) -> Parts:
    """A prior for a model: codes, units and losses measured on the data, a decoder trained, and its errors measured.

    Arguments:
        out: A file that the prior so far is written to now and then, and at the end; None: none.
    """
    if out is not None and out.suffix.lower() not in FORMATS["prior"]:
        found = f'suffix "{out.suffix}"'
        raise OutputError(f"save to {out}", found, "priors are safetensors files", "Name it x.safetensors.")
    first = source.first(2)
    if len(first) < 2:
        why = "a decoder learns from how pictures differ"
        raise InputError("Pictures to learn from", "a single one", why, "Bring some thousands.")
    inner = encoder(model, first, at)
    codes, low, high = measure_data(source, inner, settings.batch)
    frame = _frame(model, tuple(first.shape[1:]), bounds, low, high)
    setup = _setup(model, source, inner, frame, codes, width, settings)

    def parts(result: TrainingResult) -> Parts:
        provenance, notes = _provenance(model, source, setup, result), result.notes
        if 0 < len(source) < FEW:
            notes = (f"It learned from {len(source)} pictures only: what it draws is made of them.", *notes)
        return Parts(result.decoder.eval(), codes, frame.low, frame.high, inner.code, provenance, notes)

    prior = parts(train(setup, source, settings, None if out is None else lambda so_far: save(parts(so_far), out, "prior")))
    if out is not None:
        save(prior, out, "prior")
    return prior


def _setup(
    model: Model, source: Pictures, inner: Encoder, frame: Frame, codes: Codes, width: int, settings: Training
) -> TrainingSetup:
    """Networks with their first weights, and the scales of the losses."""
    architecture = Architecture(codes.shape, frame.shape, width, frame.bounded)
    rng = torch.Generator("cpu").manual_seed(source.seed)
    sample = source.first(512)
    decoder, scales = Decoder(architecture, rng), _scales(sample, inner, frame, codes)
    _standardise(decoder, codes, frame.to_pictures(sample).float())
    networks = channels_last(decoder.to(model.device)), channels_last(critic(architecture, rng).to(model.device))
    return TrainingSetup(*networks, inner, settings.losses, scales, frame.to_inputs, frame.to_pictures)


def _provenance(model: Model, source: Pictures, setup: TrainingSetup, result: TrainingResult) -> dict[str, Any]:
    """How a prior was fitted, and its errors on pictures that were held out; plain JSON."""
    held_out = source.held_out()
    return {
        "model": {"name": model.name, "source": model.source, "fingerprint": model.fingerprint},
        "pictures": len(source),
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        "seed": source.seed,
        "losses": asdict(setup.losses),
        "distances": result.distances,
        "held_out": {} if held_out is None else measure_distances(setup, result.decoder, held_out),
    }


def measure_data(source: Pictures, inner: Encoder, batch: int) -> tuple[Codes, float, float]:
    """The statistics of codes over the data, and the lowest and highest input."""
    ends, count = [float("inf"), -float("inf")], 0

    def coded() -> Iterator[Tensor]:
        nonlocal count
        for x in source.one_epoch(batch):
            ends[:] = [min(ends[0], float(x.min())), max(ends[1], float(x.max()))]
            count += len(x)
            with torch.no_grad():
                yield inner.codes(x).float()
            if count >= ENOUGH:
                return

    codes = measure_codes(coded())
    return codes, ends[0], ends[1]


def _frame(model: Model, shape: tuple[int, ...], bounds: Bounds | None, low: float, high: float) -> Frame:
    if bounds is None and model.image_preprocess is not None:
        return Frame(shape, *model.image_preprocess.bounds(), model.device, model.dtype)
    low, high = bounds or (low, high)
    if not low < high:
        raise InputError("Pictures to learn from", f"values from {low} to {high}", "nothing varies", "Pass bounds=(0, 1), say.")
    return Frame(shape, torch.tensor(float(low)), torch.tensor(float(high)), model.device, model.dtype)


def _scales(x: Tensor, inner: Encoder, frame: Frame, codes: Codes) -> dict[str, float]:
    """The scales of the losses: their values for a decoder that always draws the mean; 1 where nothing varies."""
    with torch.no_grad():
        parts = [inner(part)[1] for part in torch.split(x, 64)] if inner.features is not None else [None]
    squares = [float(part.float().square().mean()) for part in parts if part is not None]
    picture = float(frame.to_pictures(x).float().var(0).mean())
    scales = {"image": picture, "features": sum(squares) / max(1, len(squares)), "code": float(codes.sd.square().mean())}
    return {name: scale if scale > 0 else 1.0 for name, scale in scales.items()}


def _standardise(decoder: Decoder, codes: Codes, pictures: Tensor) -> None:
    """Have the decoder standardise codes, and start from the mean colour of the data."""
    axes = [0, *range(2, pictures.dim())]
    mean, sd = (value.reshape(decoder.level.shape).cpu() for value in (pictures.mean(axes), pictures.std(axes)))
    decoder.center.copy_(codes.mean)
    decoder.spread.copy_(codes.spread)
    decoder.level.copy_(mean.clamp(0.02, 0.98).logit() if decoder.plan.bounded else mean)
    decoder.contrast.copy_(torch.ones_like(sd) if decoder.plan.bounded else sd.clamp(min=1e-3))
