"""Canvases: parameterisations of pictures by numbers, which gradient ascent moves."""

from __future__ import annotations

from .colour import Colour as Colour
from .cppn import CPPN as CPPN
from .fourier import Fourier as Fourier
from .latent import Latent as Latent
from .phase import Phase as Phase
from .pixel import Pixel as Pixel
from .row import Row as Row
from .spectrum import Spectrum as Spectrum
