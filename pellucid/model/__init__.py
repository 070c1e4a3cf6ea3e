"""A handle on any network: how it is called, how raw data become its input, what its classes are called.

sources/ has a file for each place a network comes from, readers/ for each kind of raw data, modality/ for what the entries of an
input are. Nothing here changes a network. Built-in networks stand in `zoo`, what one forward pass did in `tape`.
"""

from __future__ import annotations

from pellucid.core.picture import read_picture as read_picture
from .load import load as load
from .model import Layer as Layer, Model as Model
from .multi_input import Held as Held, Inputs as Inputs, held as held
from .readers.columns import Column as Column, Columns as Columns
from .readers.preprocess import Preprocess as Preprocess
from .readers.signal import Signal as Signal
from .readers.spectrogram import Spectrogram as Spectrogram
from .readers.text import Text as Text
from .readers.tokenizer import Encoded as Encoded, Vocabulary as Vocabulary
from .where import Where as Where
