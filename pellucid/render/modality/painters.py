"""The painter for every kind of input that is no picture: text, tables, series, sounds. A new one is its file, and one line here.

Several inputs are shown one below the other, each as it is shown when it is the only one.
"""

from __future__ import annotations

from dataclasses import replace

from pellucid.explanation.explanation import Explanation
from ..parts.painter import Painter
from . import generated, series, spectrogram, table, tokens
from .generated import WHOLE as WHOLE, prompts as prompts, unseen as unseen

#: By the `kind` of `pellucid.model.modality`.
PAINTERS: dict[str, Painter] = {
    "tokens": tokens.PAINTER, "generated": generated.PAINTER, "table": table.PAINTER, "curves": series.PAINTER,
    "spectrogram": spectrogram.PAINTER,
}  # fmt: skip
SCALES = "Every input is painted on a scale of its own; the caption says how much each gives."


def painter(e: Explanation) -> Painter:
    """The painter of an explanation; of pictures one that leaves everything to sheets, pages and terminals."""
    return PAINTERS.get(e.subject.kind, Painter()) if e.subject is not None else Painter()


def inputs(e: Explanation) -> list[tuple[str, Explanation]]:
    """Every input under its name and shape, with its own explanation. The classes are those of all, and are shown once."""
    parts = [(name, replace(e.part(name), classes=())) for name in e.parts]
    return [(f"{name} ({' x '.join(map(str, part.values.shape[1:]))})", part) for name, part in parts]
