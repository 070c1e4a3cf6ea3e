"""GeneratorPrior: pictures that could have been data, told by the codes of a network's own layer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.core.formats import save
from pellucid.errors import InputError, MethodError, WhereError
from pellucid.model import Model, load
from ..canvas.latent import Latent
from ..frame import Frame
from ..pictures import pictures
from .codes import Codes
from .decoder import RESIZE, Decoder
from .encoder import Encoder, Place, encoder
from .fitting import Fitting
from .losses import Losses, percentages
from .store import Parts, read
from .training import Training

STARTS = ("data", "real", "normal")


@dataclass(frozen=True, eq=False)
class GeneratorPrior:
    """A network that makes pictures from codes, so that looking for a picture becomes looking for a code: whatever is found looks
    like the data, as far as the network does.

    Made by `fit`, from a model and pictures of its kind, without labels; by `wrap`, from any network that makes pictures; or by
    `load`.

    References: Nguyen et al., 2016, Synthesizing the preferred inputs for neurons in neural networks via deep generator networks,
        https://doi.org/10.48550/arXiv.1605.09304.

    Arguments:
        generator: Codes to pictures: in [0, 1] if bounds are known, else in the network's units.
        codes: Where codes lie.
        low, high: What 0 and 1 are in the network's units; None: pictures are as the generator makes them.
        place: Where in the model codes are; None: they are not of a model.
        provenance: How it was made.
        notes: What a reader of its pictures must know.
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
        bounds: tuple[float, float] | None = None,
        width: int = 32,
        batch: int = 64,
        lr: float = 1e-3,
        losses: Losses | None = None,
        out: str | os.PathLike[str] | None = None,
    ) -> GeneratorPrior:
        """A decoder trained to invert the model itself, on pictures without labels; the model and its settings stay as they are.

        Progress is told. Ctrl-C ends the training and keeps what there is.

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
            fitting = Fitting.of(model, source, at, bounds, width, settings)
            return GeneratorPrior(*fitting.run(None if out is None else Path(out)))

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
            raise MethodError("A wrapped generator", f"bounds {bounds}, sd {sd}", "codes need room", "Say bounds=2.0, say.")
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
        """The pictures that codes tell, as the generator makes them, differentiable."""
        made: Tensor = self.generator(codes)
        return made

    def pictures(self, codes: Tensor, frame: Frame) -> Tensor:
        """The pictures that codes tell, as those of a frame.

        Raises:
            InputError: the pictures have other channels than the frame.
        """
        made = self(codes)
        if self.low is not None and self.high is not None:
            made = frame.to_pictures(self.low.to(made) + (self.high - self.low).to(made) * made)
        elif isinstance(self.generator, Decoder):
            made = frame.to_pictures(made)
        if made.dim() != len(frame.shape) + 1 or made.shape[1] != frame.shape[0]:
            raise InputError(
                "Pictures of a generator prior", f"shape {tuple(made.shape[1:])}", f"the model takes {frame.shape}",
                "Fit a prior on pictures of this model, or wrap a generator that makes such.",
            )  # fmt: skip
        if tuple(made.shape[2:]) != frame.spatial:
            made = nn.functional.interpolate(made, frame.spatial, mode=RESIZE[len(frame.spatial)], align_corners=False)
        return made.clamp(0, 1).to(frame.dtype) if frame.bounded else made.to(frame.dtype)

    def canvas(self, frame: Frame, *, width: float = 0.5, start: str = "data") -> Latent:
        """The canvas whose numbers are codes, which begin around those of data.

        Arguments:
            start: "data": at the mean and `width` standard deviations around it, unit by unit; "real": that share of the way from
                the mean to the code of a picture, drawn from some that were learned from, and "data" where there are none;
                "normal": as N(0, 1), whatever codes of data are.

        Raises:
            MethodError: another start than these.
        """
        if start not in STARTS:
            raise MethodError("Where codes begin", repr(start), f"it is one of {', '.join(STARTS)}", "Say start='data'.")
        here = self.to(frame.device)
        codes = here.codes
        normal = start == "normal"
        mean, sd = (torch.zeros_like(codes.mean), torch.ones_like(codes.sd)) if normal else (codes.mean, codes.sd)
        made, bank = partial(here.pictures, frame=frame), codes.bank if start == "real" else None
        return Latent(made, mean, sd, 1.0 if normal else width, codes.low, codes.high, codes.shape, bank=bank)

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
            found = encoder(model, x, self.place)
        except WhereError:
            raise WhereError(
                f"Codes of {model.name} at {self.place}", "nothing of that name that ran",
                f"the prior was fitted to {self.origin}", "Fit one for this model, or let recipe dgn_am search its codes.",
            ) from None  # fmt: skip
        with torch.no_grad():
            shape = tuple(found.codes(x).shape[1:])
        if shape != self.codes.shape:
            raise WhereError(
                f"Codes of {model.name} at {self.place}", f"values of shape {shape}",
                f"the prior was fitted to codes of shape {self.codes.shape}", "Fit one for this model.",
            )  # fmt: skip
        return found

    def to(self, device: torch.device) -> GeneratorPrior:
        """The same on another device; the generator that was there stays where it is."""
        import copy

        here = next(chain(self.generator.parameters(), self.generator.buffers()), torch.empty(0)).device
        generator = self.generator if here == device else copy.deepcopy(self.generator).to(device)
        return replace(self, generator=generator, codes=self.codes.to(device))

    @property
    def origin(self) -> str:
        """The model it was fitted to, by name."""
        return str(self.provenance.get("model", {}).get("name", "a model unknown"))

    @property
    def caption(self) -> str:
        """What kind of prior it is, in one sentence."""
        if "wrapped" in self.provenance:
            return f"Pictures are made by {self.provenance['wrapped']}, a generator of the user's."
        found = self.provenance.get("held_out") or self.provenance.get("distances") or {}
        left = percentages(
            {name: share for name, share in found.items() if name != "adversarial"}
        )  # which is no share of anything
        on = "pictures it did not see" if self.provenance.get("held_out") else "the pictures it saw"
        return f"Pictures are made by a decoder of {self.place}; of {on} it misses: {left}."


class Scaled(nn.Module):
    """A generator whose black and white become 0 and 1."""

    def __init__(self, module: nn.Module, black: float, white: float) -> None:
        nn.Module.__init__(self)
        self.module, self.black, self.white = module, float(black), float(white)
        self.eval()

    def forward(self, codes: Tensor) -> Tensor:
        made: Tensor = (self.module(codes) - self.black) / (self.white - self.black)
        return made
