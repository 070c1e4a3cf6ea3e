"""Relevance through recurrent cells as Arras and colleagues published it."""

from __future__ import annotations

from ..model.where import Where
from .composite import Composite, base
from .rule import Bias, Silent
from .rules import Epsilon, Norm


def SignalTakeAll(eps: float = 1e-3, *, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """LSTM and GRU as published: in a product of a gate and a signal the signal takes all, everything else is LRP-epsilon.

    What the weights make of the input and of the state is one linear operation per gate: z = W x + U h + b. With the defaults the
    bias and the stabiliser absorb their shares (`bias_factor=0` in the authors' code). With `bias="spread", silent="spread"` they
    are spread evenly over the units below, and relevance is conserved (`bias_factor=1`); the biases of input and state, which
    PyTorch holds apart, each go to their own units, where the authors spread the sum of both over all.

    The gates get nothing in every other composite, too: this one adds the published stabiliser, and treats sums by value.

    References:
        Explaining recurrent neural network predictions in sentiment analysis (Arras et al., 2017),
        https://doi.org/10.18653/v1/W17-5221
        Explaining and interpreting LSTMs (Arras et al., 2019), https://doi.org/10.1007/978-3-030-28954-6_11

    Example:
        >>> import torch
        >>> import pellucid as pl
        >>> e = pl.explain(torch.nn.LSTMCell(2, 3).eval(), torch.ones(1, 2), target=0, method=SignalTakeAll())
        >>> sorted(e.ledger.by_cause())
        ['bias', 'constant operand', 'stabiliser']
    """
    shared = Norm(eps, bias=bias, silent=silent)
    entries = (
        (Where(op=("convolution", "dense")), Epsilon(eps, bias=bias, silent=silent, joint=True)),
        (Where(op=("sum", "pool", "shift")), shared),
        *base(eps),
    )
    return Composite(entries, "lrp.signal_take_all")
