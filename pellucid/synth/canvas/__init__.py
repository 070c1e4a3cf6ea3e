"""Canvases: how a picture is told by numbers that are moved."""

from __future__ import annotations

from .colour import Colour as Colour
from .cppn import CPPN as CPPN
from .fourier import Fourier as Fourier
from .latent import Latent as Latent
from .phase import Phase as Phase
from .pixel import Pixel as Pixel
from .spectrum import Spectrum as Spectrum
