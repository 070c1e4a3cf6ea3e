"""A handle on any network: how it is called, how pictures become its input, what its outputs are called."""

from __future__ import annotations

from pellucid.model.load import load
from pellucid.model.model import Layer, Model
from pellucid.model.picture import read_picture
from pellucid.model.preprocess import Preprocess
from pellucid.model.where import Where

__all__ = ["Layer", "Model", "Preprocess", "Where", "load", "read_picture"]
