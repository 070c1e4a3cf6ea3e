"""What the entries of an input are, where it is no picture: tokens, a table, a series, a spectrogram, several inputs.

How raw texts, rows and files become such an input stands in `model.readers`; how each is painted, in `render.modality`.
"""

from __future__ import annotations

from .base import Modality as Modality
from .generated import Generated as Generated, Matrix as Matrix
from .multi import MultiInput as MultiInput
from .serialization import KINDS as KINDS, from_plain as from_plain, to_plain as to_plain, tupled as tupled
from .series import Series as Series
from .table import Table as Table
from .time_frequency import TimeFrequency as TimeFrequency
from .tokens import Piece as Piece, Tokens as Tokens
