"""A handle on any network: how it is called, how pictures become its input, what its outputs are called."""

from __future__ import annotations

from .load import load
from .model import Layer, Model
from .multi_input import Held, Inputs, held
from .readers.columns import Column, Columns
from .readers.picture import read_picture
from .readers.preprocess import Preprocess
from .readers.signal import Signal
from .readers.text import Text
from .readers.tokenizer import Encoded, Vocabulary
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
