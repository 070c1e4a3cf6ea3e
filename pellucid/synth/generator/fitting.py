"""Fitting: a prior in the making, from what is measured of codes and pictures to the decoder that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from pellucid.core.formats import FORMATS, save
from pellucid.errors import InputError, OutputError
from pellucid.model import Model
from ..frame import Frame
from ..pictures import Pictures
from .codes import Codes, measure_codes
from .decoder import Architecture, Decoder, channels_last, critic
from .encoder import Encoder, encoder
from .losses import Scales
from .store import Parts
from .training import Training, TrainingResult, TrainingSetup, measure_distances, train

FEW = 20  # pictures, which can be remembered one by one
ENOUGH = 10_000  # pictures that statistics are taken of, at most


@dataclass(frozen=True, eq=False)
class Fitting:
    """A prior in the making."""

    model: Model
    source: Pictures
    encoder: Encoder
    frame: Frame
    codes: Codes
    setup: TrainingSetup
    settings: Training

    @staticmethod
    def of(
        model: Model, source: Pictures, at: str | None, bounds: tuple[float, float] | None, width: int, settings: Training
    ) -> Fitting:
        """Everything measured, nothing learned."""
        first = source.first(2)
        if len(first) < 2:
            raise InputError(
                "Pictures to learn from", "a single one", "a decoder learns from how pictures differ", "Bring some thousands."
            )
        inner = encoder(model, first, at)
        codes, low, high = measure_data(source, inner, settings.batch)
        frame = _frame(model, tuple(first.shape[1:]), bounds, low, high)
        plan = Architecture(codes.shape, frame.shape, width, frame.bounded)
        rng = torch.Generator("cpu").manual_seed(source.seed)
        sample = source.first(512)
        decoder, scales = Decoder(plan, rng), _scales(sample, inner, frame, codes)
        _standardise(decoder, codes, frame.to_pictures(sample).float())
        networks = channels_last(decoder.to(model.device)), channels_last(critic(plan, rng).to(model.device))
        setup = TrainingSetup(*networks, inner, settings.losses, scales, frame.to_inputs, frame.to_pictures)
        return Fitting(model, source, inner, frame, codes, setup, settings)

    def run(self, out: Path | None) -> Parts:
        """Train the decoder, and measure how well it does. With `out`, the prior so far is written there now and then."""
        if out is not None and out.suffix.lower() not in FORMATS["prior"]:
            raise OutputError(
                f"save to {out}", f'suffix "{out.suffix}"', "priors are safetensors files", "Name it x.safetensors."
            )
        keep = None if out is None else lambda so_far: save(self.prior(so_far), out, "prior")
        prior = self.prior(train(self.setup, self.source, self.settings, keep))
        if out is not None:
            save(prior, out, "prior")
        return prior

    def prior(self, done: TrainingResult) -> Parts:
        spared = self.source.held_out()
        held_out = {} if spared is None else measure_distances(self.setup, done.decoder, spared)
        provenance = {
            "model": {"name": self.model.name, "source": self.model.source, "fingerprint": self.model.fingerprint},
            "pictures": len(self.source),
            "steps": done.steps,
            "seconds": round(done.seconds, 1),
            "seed": self.source.seed,
            "losses": asdict(self.settings.losses),
            "distances": done.distances,
            "held_out": held_out,
        }
        low, high = self.frame.low, self.frame.high
        n = len(self.source)
        few = (f"It learned from {n} pictures only: what it draws is made of them.",) if 0 < n < FEW else ()
        return Parts(done.decoder.eval(), self.codes, low, high, self.encoder.code, provenance, (*few, *done.notes))


def measure_data(source: Pictures, inner: Encoder, batch: int) -> tuple[Codes, float, float]:
    """The statistics of codes over the data, and the lowest and highest input."""
    ends, seen = [float("inf"), -float("inf")], 0

    def coded() -> Iterator[Tensor]:
        nonlocal seen
        for x in source.one_epoch(batch):
            ends[:] = [min(ends[0], float(x.min())), max(ends[1], float(x.max()))]
            seen += len(x)
            with torch.no_grad():
                yield inner.codes(x).float()
            if seen >= ENOUGH:
                return

    codes = measure_codes(coded())
    return codes, ends[0], ends[1]


def _frame(model: Model, shape: tuple[int, ...], bounds: tuple[float, float] | None, low: float, high: float) -> Frame:
    if bounds is None and model.image_preprocess is not None:
        return Frame(shape, *model.image_preprocess.bounds(), model.device, model.dtype)
    low, high = bounds or (low, high)
    if not low < high:
        raise InputError("Pictures to learn from", f"values from {low} to {high}", "nothing varies", "Pass bounds=(0, 1), say.")
    return Frame(shape, torch.tensor(float(low)), torch.tensor(float(high)), model.device, model.dtype)


def _scales(x: Tensor, inner: Encoder, frame: Frame, codes: Codes) -> Scales:
    """What distances are at worst. Where nothing varies there is nothing to miss, and any scale does."""
    with torch.no_grad():
        parts = [inner(part)[1] for part in torch.split(x, 64)] if inner.features is not None else [None]
    squares = [float(part.float().square().mean()) for part in parts if part is not None]
    picture = float(frame.to_pictures(x).float().var(0).mean())
    found = picture, sum(squares) / max(1, len(squares)), codes.variance
    return Scales(*(value if value > 0 else 1.0 for value in found))


def _standardise(decoder: Decoder, codes: Codes, pictures: Tensor) -> None:
    """Let the decoder begin with standardised codes and the mean colour of the data."""
    axes = [0, *range(2, pictures.dim())]
    mean, sd = (value.reshape(decoder.level.shape).cpu() for value in (pictures.mean(axes), pictures.std(axes)))
    decoder.center.copy_(codes.mean)
    decoder.spread.copy_(codes.spread)
    decoder.level.copy_(mean.clamp(0.02, 0.98).logit() if decoder.plan.bounded else mean)
    decoder.contrast.copy_(torch.ones_like(sd) if decoder.plan.bounded else sd.clamp(min=1e-3))
