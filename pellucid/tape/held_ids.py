"""What depends on token ids and is held while their vectors change, and whether it matters: measured on another text."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.errors import PellucidError
from .embedding import Embedded

SAME = 1e-3  # of the size of the output: what is further off is no rounding


def held_warning(embedded: Embedded, evidence: Tensor, baselines: Tensor) -> tuple[str, ...]:
    """A sentence on what no slope sees, where it makes a difference; none where it makes none.

    The model is asked twice about another text, the baseline where there is one, else the same tokens in another order: as it is,
    and with the rows of that text in the place of its own and all else that ids decide as it was.

    Arguments:
        evidence: Which tokens are part of the text.
        baselines: The ids of texts that values are compared with.
    """
    if not embedded.held:
        return ()
    compared = baselines[0][None] if len(baselines) else _turned(embedded, evidence)
    try:
        real, held = embedded.difference(compared)
    except PellucidError:  # the model does not take that text
        return ()
    if real.shape == held.shape and float((real - held).abs().max()) <= SAME * float(real.abs().max() + held.abs().max()):
        return ()
    constant = f"Constant for this text, and followed by no slope: {', '.join(embedded.held)}."
    if len(baselines):
        off = figure(float((real - held).abs().max())) if real.shape == held.shape else "what cannot be compared"
        return (
            f"{constant} So the baseline is the vectors of another text in this one: the output there is up to {off} off that of "
            "the other text itself, and values sum to the difference from the former.",
        )
    return (
        f'{constant} With other tokens these change; methods that replace tokens follow them: "feature_ablation", "shapley".',
    )


def _turned(embedded: Embedded, evidence: Tensor) -> Tensor:
    """The tokens of a text in another order; of a text of one token over and over, others."""
    ids = embedded.ids.clone()
    ids[0, evidence] = ids[0, evidence].roll(1, 0)
    if torch.equal(ids, embedded.ids) and embedded.largest_table > 1:
        ids[0, evidence] = (ids[0, evidence] + 1) % embedded.largest_table
    return ids
