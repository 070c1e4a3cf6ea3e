"""A handle on any network: how it is called, how pictures become its input, what its outputs are called."""

from __future__ import annotations

from .columns import Column, Columns
from .inputs import Held, Inputs, held
from .load import load
from .model import Layer, Model
from .picture import read_picture
from .preprocess import Preprocess
from .signal import Signal
from .text import Text
from .tokenizer import Encoded, Vocabulary
from .where import Where

__all__ = [
    "Column",
    "Columns",
    "Encoded",
    "Held",
    "Inputs",
    "Layer",
    "Model",
    "Preprocess",
    "Signal",
    "Text",
    "Vocabulary",
    "Where",
    "held",
    "load",
    "read_picture",
]
