"""An explanation over time as one over time and frequency: what an inverse Fourier transform before the network would get."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.core.stft import Stft, fitting
from pellucid.errors import InputError, MethodError, PellucidError
from pellucid.model.modality import Modality, Series, TimeFrequency

WINDOW_S = 0.032
FLOOR = 60.0  # dB below the strongest
SILENT = 1e-3  # of the root mean square of a channel


def refusal(subject: Modality | None, method: str, *, adds: bool) -> PellucidError | None:
    """Why values about something cannot be laid out over frequencies; None where they can.

    Arguments:
        adds: Whether they have a sign, and add up.
    """
    asked = "an explanation over time and frequency"
    if not isinstance(subject, Series):
        found = "values of another kind than a series"
        do = "Explain a series, with a model that says what it reads: pl.load(net, preprocess=pl.Signal(16000))."
        return InputError(asked, found, "only a series has a spectrum", do)
    if not adds:
        why = "only values that add up can be shared out over what a sample is the sum of"
        return MethodError(asked, f"values of {method} that do not add up to a score", why, 'Take "lrp" or "gradient_x_input".')
    return None


def over_frequencies(values: Tensor, curves: Series, window_s: float = WINDOW_S) -> tuple[Tensor, TimeFrequency, str]:
    """Values (batch, channel, time) as (batch, channel, frequency, frame), what these are about, and a sentence on how."""
    if not window_s > 0:
        raise InputError("a spectrogram", f"a window of {window_s} s", "it sees a stretch of time", "Give window_s=0.032.")
    stft = fitting(window_s, curves.rate, curves.curves.shape[-1])
    size, hop = (1000 * samples / curves.rate for samples in (stft.size, stft.hop))
    note = (
        f"Over time and frequency: frames of {size:.3g} ms, one every {hop:.3g} ms; each gets what an inverse Fourier transform "
        "before the network would give it (virtual inspection layer)."
    )
    return shared_out(values.detach().cpu().double(), curves.curves.double(), stft), levels(curves, stft), note


def plain_levels(curves: Series, window_s: float = WINDOW_S) -> TimeFrequency:
    """The spectrogram of a series alone."""
    return levels(curves, fitting(window_s, curves.rate, curves.curves.shape[-1]))


def shared_out(R: Tensor, x: Tensor, stft: Stft) -> Tensor:
    """Relevance of samples shared out over the coefficients that they are sums of, (..., frequency, frame) from (..., time).

    A sample is x(t) = sum_mk c_mk(t), where c_mk is what the coefficient Z(m, k) gives it, and by the rule of a linear layer
    without a bias R(m, k) = sum_t R(t) c_mk(t) / x(t), which two transforms compute:

        R(m, k) = n_k / N  Re( Z(m, k) conj(Y(m, k)) ),  Y the transform of R(t) / x(t), n_k how often k counts in all N.

    A sample that is (almost) zero is a sum whose parts cancel, and the rule has no answer: what it holds is shared out over the
    frames that see it by the square of their window, and in each over all frequencies by their power, which keeps the sum, too.
    """
    rms = x.square().mean(-1, keepdim=True).sqrt()
    heard = x.abs() > SILENT * rms
    ratio = torch.where(heard, R / torch.where(heard, x, 1.0), 0.0)
    z, counts = stft.forward(x), stft.times_taken(x)[:, None]
    shares = counts / stft.size * (z * stft.forward(ratio).conj()).real
    rest = (stft.frames(torch.where(heard, 0.0, R)) * stft.window(R)).sum(-1)
    return shares + rest[..., None, :] * _power_shares(z, counts)


def _power_shares(z: Tensor, counts: Tensor) -> Tensor:
    """How much of the power of each frame is at each frequency; of a silent frame all have the same."""
    power = counts * z.abs().square()
    whole = power.sum(-2, keepdim=True)
    return torch.where(whole > 0, power / torch.where(whole > 0, whole, 1.0), 1 / z.shape[-2])


def levels(curves: Series, stft: Stft) -> TimeFrequency:
    """The spectrogram of a series in dB below its strongest place."""
    power = stft.forward(curves.curves.double()).abs().square()
    strongest = power.flatten(1).amax(1).clamp(min=1e-300)[:, None, None, None]
    decibels = (10 * (power / strongest).clamp(min=10 ** (-FLOOR / 10)).log10()).float()
    hertz = tuple(k * curves.rate / stft.size for k in range(stft.size // 2 + 1))
    start = (stft.size / 2 - stft.lead) / curves.rate
    end = curves.curves.shape[-1] / curves.rate
    return TimeFrequency(curves.names, "dB", hertz, start, stft.hop / curves.rate, end, decibels)
