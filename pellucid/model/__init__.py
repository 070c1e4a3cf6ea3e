"""A handle on any network: how it is called, how pictures become its input, what its outputs are called."""

from __future__ import annotations

from .load import load as load
from .model import Layer as Layer, Model as Model
from .multi_input import Held as Held, Inputs as Inputs, held as held
from .readers.columns import Column as Column, Columns as Columns
from .readers.picture import read_picture as read_picture
from .readers.preprocess import Preprocess as Preprocess
from .readers.signal import Signal as Signal
from .readers.text import Text as Text
from .readers.tokenizer import Encoded as Encoded, Vocabulary as Vocabulary
from .where import Where as Where
