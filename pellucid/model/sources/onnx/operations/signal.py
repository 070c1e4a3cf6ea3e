"""Fourier transforms and what goes with them. Complex numbers are a last axis of length two, as in the standard."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import constants
from ..operation import Node, integers, operation

WINDOWS = {"HannWindow": (0.5, 0.5), "HammingWindow": (25 / 46, 21 / 46), "BlackmanWindow": (0.42, 0.5, 0.08)}


@operation("DFT")
def transform(node: Node, x: Tensor, length: Tensor | None = None, axis: Tensor | None = None) -> Tensor:
    """X_k = sum_n x_n exp(-2 pi i k n / N) along an axis, or its inverse; of real numbers one side alone where asked."""
    along = (integers(axis) or [-2])[0] if node.opset >= 20 else node.get("axis", 1)
    along, size = along % x.dim(), next(iter(integers(length)), None)
    z = x.squeeze(-1) if x.shape[-1] == 1 else torch.view_as_complex(x.contiguous())
    name = f"{'i' * bool(node.get('inverse'))}{'r' * bool(node.get('onesided'))}fft"
    made: Tensor = getattr(torch.fft, name)(z, size, along)
    return torch.view_as_real(made.resolve_conj()) if made.is_complex() else made.unsqueeze(-1)


@operation("STFT")
def short_time_transform(
    node: Node, signal: Tensor, step: Tensor, window: Tensor | None = None, length: Tensor | None = None
) -> Tensor:
    """The Fourier transform of each frame of a signal, with shape (batch, frame, frequency, 2)."""
    z = (
        signal
        if signal.dim() == 2
        else signal.squeeze(-1)
        if signal.shape[-1] == 1
        else torch.view_as_complex(signal.contiguous())
    )
    size = (integers(length) or [z.shape[1] if window is None else len(window)])[0]
    frames = z.unfold(1, size, integers(step)[0])
    frames = frames if window is None else frames * window
    one_sided = node.get("onesided", 1) and not frames.is_complex()
    return torch.view_as_real((torch.fft.rfft if one_sided else torch.fft.fft)(frames))


@operation(*WINDOWS)
def window(node: Node, size: Tensor) -> Tensor:
    """a_0 - a_1 cos(2 pi n / N) + a_2 cos(4 pi n / N), of N numbers, or N - 1 where it is symmetric (`periodic` 0)."""
    (count,) = integers(size)
    n = torch.arange(count, dtype=torch.float64) / (count if node.get("periodic", 1) else count - 1)
    terms = [(-1) ** k * a * torch.cos(2 * torch.pi * k * n) for k, a in enumerate(WINDOWS[node.kind])]
    return torch.stack(terms).sum(0).to(constants.dtype(node.get("output_datatype", 1)))


@operation("MelWeightMatrix")
def mel_weights(node: Node, bins: Tensor, length: Tensor, rate: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Triangles over the frequencies of a spectrum, their tips at equal distances in mel = 2595 log10(1 + hertz / 700)."""
    (count,), (size,), (samples,) = integers(bins), integers(length), integers(rate)
    low, high = (2595 * torch.log10(1 + edge.double() / 700) for edge in (lower, upper))
    mel = low + torch.arange(count + 2) * ((high - low) / (count + 2))
    places = ((size + 1) * (700 * (10 ** (mel / 2595) - 1)) / samples).floor()
    start, tip, end = places[:-2], places[1:-1], places[2:]
    at = torch.arange(size // 2 + 1).unsqueeze(1)
    rises, falls = (at > start) & (at < tip), (at > tip) & (at < end)
    sides = torch.where(rises, (at - start) / (tip - start), torch.where(falls, (end - at) / (end - tip), 0.0))
    weights = sides.masked_fill(at == tip, 1.0)
    return weights.to(constants.dtype(node.get("output_datatype", 1)))


@operation("Rfft", domain="com.microsoft")
def real_transform(node: Node, x: Tensor) -> Tensor:
    """Over the last one, two or three axes."""
    return torch.view_as_real(torch.fft.rfftn(x, dim=_last(node), norm=_norm(node)))


@operation("Irfft", domain="com.microsoft")
def inverse_real_transform(node: Node, x: Tensor) -> Tensor:
    real: Tensor = torch.fft.irfftn(torch.view_as_complex(x.contiguous()), dim=_last(node), norm=_norm(node))
    return real


def _last(node: Node) -> list[int]:
    return list(range(-int(node.get("signal_ndim", 1)), 0))


def _norm(node: Node) -> str:
    return "ortho" if node.get("normalized") else "backward"
