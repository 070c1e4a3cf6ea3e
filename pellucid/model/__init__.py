"""A handle on any network: how it is called, how pictures become its input, what its outputs are called."""

from __future__ import annotations

from pellucid.model.columns import Column, Columns
from pellucid.model.inputs import Held, Inputs, held
from pellucid.model.load import load
from pellucid.model.model import Layer, Model
from pellucid.model.picture import read_picture
from pellucid.model.preprocess import Preprocess
from pellucid.model.signal import Signal
from pellucid.model.text import Text
from pellucid.model.tokenizer import Encoded, Vocabulary
from pellucid.model.where import Where

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
