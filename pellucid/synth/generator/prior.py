"""GeneratorPrior: a generator of pictures from codes, so that pictures are searched among those that look like data."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.core.formats import save
from pellucid.errors import MethodError, WhereError
from pellucid.model import Model, load
from ..canvas.latent import Latent
from ..frame import Bounds, Frame
from ..pictures import pictures
from .codes import Codes
from .decoder import Decoder
from .encoder import Encoder, Place, encoder
from .fitting import fit
from .losses import Losses, percentages
from .store import Parts, read
from .training import Training

STARTS = ("data", "real", "normal")


@dataclass(frozen=True, eq=False)
class GeneratorPrior:
    """A network that makes pictures from codes. The search for a picture becomes one for its code, and what is found looks like
    the data, as far as the generator's pictures do.

    Made by `fit`, from a model and pictures of its kind, without labels; by `wrap`, from any network that makes pictures; or by
    `load`.

    References: Nguyen et al., 2016, Synthesizing the preferred inputs for neurons in neural networks via deep generator networks,
        https://doi.org/10.48550/arXiv.1605.09304.

    Arguments:
        generator: Codes to pictures: in [0, 1] if bounds are known, else in the network's units.
        codes: The statistics and bounds of codes.
        low, high: What 0 and 1 are in the network's units; None: pictures are as the generator makes them.
        place: The value inside the model that codes are; None: they are of no model.
        provenance: How it was made.
        notes: Remarks for readers of its pictures, whole sentences.
    """

    generator: nn.Module
    codes: Codes
    low: Tensor | None = None
    high: Tensor | None = None
    place: Place | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @staticmethod
    def fit(
        model: Any,
        data: Any,
        at: str | None = None,
        *,
        minutes: float | None = 5.0,
        steps: int | None = None,
        seed: int = 0,
        bounds: Bounds | None = None,
        width: int = 32,
        batch: int = 64,
        lr: float = 1e-3,
        losses: Losses | None = None,
        out: str | os.PathLike[str] | None = None,
    ) -> GeneratorPrior:
        """A decoder trained to invert the model itself, on pictures without labels; the model and its settings stay as they are.

        Progress is reported. Ctrl-C ends the training and keeps the result so far.

        Arguments:
            model: The network whose codes are decoded; anything `load` takes.
            data: Inputs (a tensor as the model expects it, batch first), a folder of pictures, a list of them, a DataLoader.
            at: The layer whose values are the codes, a vector or maps; None: what goes into the last dense layer. Of photographs
                that vector keeps little; the maps before it lead back to what is seen, and to sharper pictures.
            minutes, steps: When to stop, whichever comes first; None: the other alone. Only steps give the same result twice.
            seed: Of first weights and the order of pictures.
            bounds: What the darkest and brightest input is; None: as the model says, or else as found in the data.
            width: Channels of the finest maps: more for large pictures and long training.
            batch, lr, losses: Of the training.
            out: A .safetensors file, written now and then, and at the end.

        Raises:
            InputError: the data are none, or no inputs.
            MethodError: a setting is out of range, or values at `at` are neither vectors nor maps.
            WhereError: there is no such layer.

        Example:
            >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
            >>> x = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
            >>> prior = GeneratorPrior.fit(net, x, steps=5, minutes=None)
            >>> print(prior.place, tuple(prior(prior.codes.mean[None]).shape))
            what goes into 3 (1, 1, 4, 4)
        """
        settings = Training(minutes, steps, batch, lr, losses or Losses())
        model = load(model)
        model.ready()
        source = pictures(model, data, seed)
        with torch.inference_mode(False):
            return GeneratorPrior(*fit(model, source, at, bounds, width, settings, None if out is None else Path(out)))

    @staticmethod
    def wrap(
        module: nn.Module,
        latent_shape: int | tuple[int, ...],
        bounds: float | tuple[float, float] | tuple[Tensor, Tensor] = 2.0,
        *,
        output: tuple[float, float] | None = (0.0, 1.0),
        mean: Tensor | float = 0.0,
        sd: Tensor | float = 1.0,
    ) -> GeneratorPrior:
        """Any network that makes pictures from codes, as a prior: of a GAN, an autoencoder, a flow.

        Arguments:
            module: In evaluation mode; it takes (n, *latent_shape) and returns pictures (n, channel, height, width).
            latent_shape: Of one code.
            bounds: Between which codes are looked for: -b and b, or the two.
            output: What the module returns for black and for white, such as (-1, 1); None: the model's own units.
            mean, sd: Of the codes it was made for, to start from.

        Raises:
            ModelError: the module is in training mode.
            MethodError: the bounds leave no room.

        Example:
            >>> prior = GeneratorPrior.wrap(nn.Unflatten(1, (1, 2, 2)), 4, bounds=2.0, output=(-1, 1))
            >>> prior(torch.tensor([[-1.0, 0.0, 0.0, 1.0]])).flatten().tolist()
            [0.0, 0.5, 0.5, 1.0]
        """
        load(module.eval() if not list(module.parameters()) else module).ready()
        shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
        low, high = (-bounds, bounds) if isinstance(bounds, (int, float)) else bounds
        ends = [torch.as_tensor(end, dtype=torch.float32) for end in (mean, sd, low, high)]
        if not bool((ends[2] < ends[3]).all()) or not bool((ends[1] > 0).all()):
            why = "the low bounds are below the high ones, and sd above 0"
            raise MethodError("A wrapped generator", f"bounds {bounds}, sd {sd}", why, "Pass bounds=2.0, say.")
        scaled = module if output is None else Scaled(module, *output)
        return GeneratorPrior(scaled, Codes(shape, *ends), provenance={"wrapped": type(module).__name__})

    @staticmethod
    def load(path: str | os.PathLike[str]) -> GeneratorPrior:
        """A prior from its file; nothing in it can run code.

        Raises:
            OutputError: the file is not there, or not one of ours.
        """
        return GeneratorPrior(*read(path))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the prior to a .safetensors file, whole or not at all. See `pellucid.synth.generator.store` for what is in it.

        Raises:
            MethodError: it wraps a network of the user's own, which is not ours to store.
            OutputError: the file cannot be written.
        """
        if not isinstance(self.generator, Decoder):
            raise MethodError(
                f"save to {path}", f"a prior that wraps {self.provenance.get('wrapped', type(self.generator).__name__)}",
                "only decoders made here can be built again from a file", "Save that network yourself, and wrap it again.",
            )  # fmt: skip
        parts = Parts(self.generator, self.codes, self.low, self.high, self.place, self.provenance, self.notes)
        return save(parts, path, "prior")

    def __call__(self, codes: Tensor) -> Tensor:
        """The pictures of codes (n, *shape), as the generator makes them, differentiable."""
        pictures: Tensor = self.generator(codes)
        return pictures

    def pictures(self, codes: Tensor, frame: Frame) -> Tensor:
        """The pictures of codes in the units of a frame, at the generator's own size."""
        drawn = self(codes)
        if self.low is not None and self.high is not None:
            return frame.to_pictures(self.low.to(drawn) + (self.high - self.low).to(drawn) * drawn)
        return frame.to_pictures(drawn) if isinstance(self.generator, Decoder) else drawn

    @property
    @torch.no_grad()
    def shape(self) -> tuple[int, ...]:
        """Of the pictures it makes, without the batch."""
        return tuple(self(self.codes.mean[None]).shape[1:])

    def canvas(self, frame: Frame, *, width: float = 0.5, start: str = "data") -> Latent:
        """The canvas whose numbers are codes, which start around those of data.

        Arguments:
            start: "data": drawn at the mean and `width` standard deviations around it, unit by unit; "real": that share of the
                way from the mean to the code of a training picture, drawn at random, and "data" where there are none; "normal":
                N(0, 1), whatever codes of data are.

        Raises:
            MethodError: another start than these.
        """
        if start not in STARTS:
            raise MethodError("Where codes begin", repr(start), f"it is one of {', '.join(STARTS)}", "Say start='data'.")
        moved = self.to(frame.device)
        codes, draw = moved.codes, partial(moved.pictures, frame=frame)
        if start == "normal":
            mean, sd = torch.zeros_like(codes.mean), torch.ones_like(codes.sd)
            return Latent(draw, mean, sd, 1.0, codes.low, codes.high, codes.shape)
        bank = codes.bank if start == "real" else None
        return Latent(draw, codes.mean, codes.sd, width, codes.low, codes.high, codes.shape, bank=bank)

    def encoder(self, model: Model, x: Tensor) -> Encoder:
        """The network up to the codes of this prior.

        Raises:
            WhereError: the model has no codes of that kind where the prior was fitted.
        """
        if self.place is None:
            raise WhereError(
                "Codes of pictures", "a prior that wraps a generator", "it does not say which layer its codes are of",
                "Use recipe dgn_am, or fit a prior: pl.synth.GeneratorPrior.fit(model, data).",
            )  # fmt: skip
        try:
            inner = encoder(model, x, self.place)
        except WhereError:
            raise WhereError(
                f"Codes of {model.name} at {self.place}", "nothing of that name that ran",
                f"the prior was fitted to {self.origin}", "Fit one for this model, or let recipe dgn_am search its codes.",
            ) from None  # fmt: skip
        with torch.no_grad():
            shape = tuple(inner.codes(x).shape[1:])
        if shape != self.codes.shape:
            raise WhereError(
                f"Codes of {model.name} at {self.place}", f"values of shape {shape}",
                f"the prior was fitted to codes of shape {self.codes.shape}", "Fit one for this model.",
            )  # fmt: skip
        return inner

    def to(self, device: torch.device) -> GeneratorPrior:
        """A copy on another device, or itself."""
        here = next(chain(self.generator.parameters(), self.generator.buffers()), torch.empty(0)).device
        generator = self.generator if here == device else copy.deepcopy(self.generator).to(device)
        return replace(self, generator=generator, codes=self.codes.to(device))

    @property
    def origin(self) -> str:
        """The name of the model it was fitted to."""
        return str(self.provenance.get("model", {}).get("name", "an unknown model"))

    @property
    def caption(self) -> str:
        """What kind of prior it is, and its errors, in one sentence."""
        if "wrapped" in self.provenance:
            return f"Pictures are made by {self.provenance['wrapped']}, a generator of the user's."
        held_out = self.provenance.get("held_out")
        errors = dict(held_out or self.provenance.get("distances") or {})
        errors.pop("adversarial", None)  # which is no share of anything
        on = "pictures that it was not trained on" if held_out else "its training pictures"
        return f"Pictures are made by a decoder of {self.place}; its errors on {on}: {percentages(errors)}."


class Scaled(nn.Module):
    """A generator whose output for black and white becomes 0 and 1."""

    def __init__(self, module: nn.Module, black: float, white: float) -> None:
        nn.Module.__init__(self)
        self.module, self.black, self.white = module, float(black), float(white)
        self.eval()

    def forward(self, codes: Tensor) -> Tensor:
        scaled: Tensor = (self.module(codes) - self.black) / (self.white - self.black)
        return scaled
