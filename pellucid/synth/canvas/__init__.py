"""Canvases: how a picture is told by numbers that are moved."""

from __future__ import annotations

from .colour import Colour
from .cppn import CPPN
from .fourier import Fourier
from .latent import Latent
from .phase import Phase
from .pixel import Pixel
from .spectrum import Spectrum

__all__ = ["CPPN", "Colour", "Fourier", "Latent", "Phase", "Pixel", "Spectrum"]
