"""The short-time Fourier transform and its inverse: linear, and the one undoes the other exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import fold, pad

OVERLAP = 4  # frames that see every sample


@dataclass(frozen=True)
class Stft:
    """Frames of `size` samples, four of which see every sample, under a window w whose squares add to one where they overlap.

    Z(m, k) = sum_n w(n) x(m h - o + n) exp(-2 pi i k n / size), with h = size / 4 and o = size - h, so that the first samples
    are seen as often as others. Back: every frame by the inverse transform, under the same window, added where they overlap.

    Arguments:
        size: Samples of a frame, a multiple of 4.

    Example:
        >>> x = torch.randn(2, 100, dtype=torch.float64)
        >>> z = Stft(16).forward(x)
        >>> z.shape, bool((Stft(16).inverse(z, 100) - x).abs().max() < 1e-12)
        (torch.Size([2, 9, 28]), True)
    """

    size: int

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.size // OVERLAP

    @property
    def lead(self) -> int:
        """Samples of the first frame that lie before the beginning."""
        return self.size - self.hop

    def window(self, like: Tensor) -> Tensor:
        """The square root of Hann's window, scaled so that the squares of four add to one."""
        squares: Tensor = torch.hann_window(self.size, dtype=like.dtype, device=like.device) * (2 / OVERLAP)
        return squares.sqrt()

    def frames(self, x: Tensor) -> Tensor:
        """Stretches (..., frame, size) of (..., time) under the window, zeros before the beginning and after the end."""
        count = math.ceil((x.shape[-1] + self.lead) / self.hop)
        wide: Tensor = pad(x, (self.lead, count * self.hop - x.shape[-1]))
        frames: Tensor = wide.unfold(-1, self.size, self.hop)
        return frames * self.window(x)

    def forward(self, x: Tensor) -> Tensor:
        """Complex coefficients (..., frequency, frame) of (..., time)."""
        made: Tensor = torch.fft.rfft(self.frames(x))
        return made.transpose(-1, -2)

    def inverse(self, z: Tensor, length: int) -> Tensor:
        """The series (..., time) that coefficients (..., frequency, frame) stand for."""
        frames = torch.fft.irfft(z.transpose(-1, -2), n=self.size)
        frames = frames * self.window(frames)
        count, flat = frames.shape[-2], frames.reshape(-1, *frames.shape[-2:])
        wide = (1, (count - 1) * self.hop + self.size)
        added = fold(flat.transpose(1, 2), wide, (1, self.size), stride=(1, self.hop))
        series: Tensor = added.reshape(*z.shape[:-2], -1)
        return series[..., self.lead : self.lead + length]

    def times_taken(self, like: Tensor) -> Tensor:
        """How often each frequency stands in a whole transform, (frequency,): all twice but the lowest and the highest."""
        counts = like.new_full((self.size // 2 + 1,), 2.0)
        counts[0] = counts[-1] = 1.0
        return counts


def fitting(seconds: float, rate: float, length: int) -> Stft:
    """The transform with frames of about so many seconds, a power of two of samples, and short enough for a series to have a few.

    Example:
        >>> fitting(0.032, 16000, 16000), fitting(0.032, 16000, 1024), fitting(0.032, 4, 3)
        (Stft(size=512), Stft(size=256), Stft(size=4))
    """
    most = max(4.0, min(seconds * rate, length / 4))
    return Stft(max(4, 2 ** round(math.log2(most))))
