"""Complex numbers are followed: the same derivatives as autograd, and the same relevance as in real numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import ModelError

Net = Callable[[Tensor], Tensor]
G = torch.Generator().manual_seed(0)


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=G, dtype=dtype)


K, M, V = draw(5, dtype=torch.cfloat), draw(5, 4, dtype=torch.cfloat), draw(3, 1, 3, dtype=torch.cfloat)
MIX, HEAD, WINDOW = draw(2, 2, dtype=torch.cfloat), draw(200, 3), torch.hann_window(16)
ROW, MAP, SIGNAL = draw(2, 8), draw(2, 2, 4, 6), draw(2, 64)


def head(t: Tensor) -> Tensor:
    """Three scores, linear in what they read."""
    t = t.flatten(1)
    return t @ HEAD[: t.shape[1]]


def spectral(x: Tensor) -> Tensor:
    """A Fourier layer as FNO has it: some modes, mixed into a fresh tensor of zeros."""
    modes, out = torch.fft.rfft2(x), torch.zeros(len(x), 2, 4, 4, dtype=torch.cfloat)
    out[:, :, :2, :3] = torch.einsum("bixy,io->boxy", modes[:, :, :2, :3], MIX)
    out[:, :, -1:, :2] = modes[:, :, -1:, :2] * 2j
    return head(torch.fft.irfft2(out, s=(4, 6)))


def in_place(x: Tensor) -> Tensor:
    f = torch.fft.rfft(x)
    f[:, 0] = 0
    f[:, 1:3] *= K[:2]
    f.mul_(1 + 1j)
    f += f.conj()
    return head(f.real)


def through_views(x: Tensor) -> Tensor:
    z = torch.zeros(len(x), 4, dtype=torch.cfloat)
    z.real[:] = x[:, :4]
    z.imag.copy_(x[:, 4:])
    torch.view_as_real(z)[:, 1] = torch.view_as_real(z)[:, 0] * 3
    return head((z * K[:4]).imag)


def views(x: Tensor) -> Tensor:
    f = torch.fft.rfft2(x)
    pieces = f.chunk(2, -1)[1], f.split(2, -1)[0], f.unbind(1)[1], f.diagonal(0, -2, -1), f.unfold(-1, 2, 1), f[:, :1].squeeze(1)
    return head(f.permute(0, 2, 1, 3).mT.reshape(len(x), -1).imag) + sum(head(piece.imag) for piece in pieces)


def moved(x: Tensor) -> Tensor:
    f = torch.fft.rfft(x)
    joined = torch.cat([f[:, [2, 0]], f.flip(1), f.roll(1, 1), torch.stack([f[:, 0], f[:, 1]], 1), F.pad(f, (1, 1))], 1)
    return head(joined.masked_fill(torch.arange(joined.shape[1]) == 3, 0).imag) + head(f.sum(1, keepdim=True).real)


LINEAR: dict[str, tuple[Net, Tensor]] = {
    "rfft": (lambda x: head(torch.fft.irfft(torch.fft.rfft(x) * K, n=8) + x), ROW),
    "fft2": (lambda x: head(torch.fft.fft2(x).real), MAP),
    "fftn": (lambda x: head(torch.fft.ifftn(torch.fft.fftn(x, dim=(1, 2, 3), norm="ortho") * 2j, dim=(1, 2, 3)).imag), MAP),
    "hfft": (lambda x: head(torch.fft.hfft(torch.fft.ihfft(x) * K, n=8)), ROW),
    "stft": (lambda x: head(torch.view_as_real(torch.stft(x, 16, 8, window=WINDOW, return_complex=True))[:, :, :5]), SIGNAL),
    "istft": (
        lambda x: head(torch.istft(torch.stft(x, 16, 4, window=WINDOW, return_complex=True) * 0.5, 16, 4, window=WINDOW)),
        SIGNAL,
    ),
    "conj": (lambda x: head((torch.fft.rfft(x).conj() * K.conj()).imag) + head(torch.fft.rfft(x).conj().imag), ROW),
    "adjoint": (lambda x: head((torch.fft.fft2(x).mH @ M[:4]).real), MAP),
    "linear": (lambda x: head(F.linear(torch.fft.rfft(x), M.mT.contiguous()).imag), ROW),
    "vector": (lambda x: head((torch.fft.rfft(x) @ K)[:, None].imag), ROW),
    "convolution": (lambda x: head(F.conv1d(torch.fft.rfft(x)[:, None], V).real), ROW),
    "parts": (lambda x: head((torch.complex(x[:, :4], x[:, 4:]) * K[:4]).real) + head((1j * x + x).imag), ROW),
    "quotient": (lambda x: head((torch.fft.rfft(x) / K).imag) + head((x[:, :5] - torch.fft.rfft(x) / (1 + 2j)).real), ROW),
    "double": (lambda x: head(torch.fft.irfft(torch.fft.rfft(x.double()) * K.to(torch.cdouble)).float()), ROW),
    "spectral": (spectral, MAP),
    "in place": (in_place, ROW),
    "through views": (through_views, ROW),
    "views": (views, MAP),
    "moved": (moved, ROW),
}
OTHERS: dict[str, tuple[Net, Tensor]] = {
    "modulus": (lambda x: head(torch.stft(x, 16, 8, window=WINDOW, return_complex=True).abs()[:, :, :5]), SIGNAL),
    "angle": (lambda x: head(torch.fft.rfft(x)[:, 1:4].angle()), ROW),
    "polar": (lambda x: head((torch.polar(x[:, :4].exp(), x[:, 4:]) * K[:4]).real), ROW),
    "phase": (lambda x: head((torch.exp(1j * x)[:, :5] * K).real), ROW),
    "products": (
        lambda x: (lambda f: head((f * f.conj()).real) + head((f**2).imag) + head((1 / (f + 3)).real))(torch.fft.rfft(x)),
        ROW,
    ),
    "silence": (lambda x: head(torch.fft.rfft(x * 0).abs()) + head(x), ROW),
    "whole": (lambda x: head(torch.tanh(torch.fft.rfft(x)).imag) + head(torch.fft.rfft(x)[:, 1:3].sgn().real), ROW),
    "attention": (lambda x: (lambda f: head(((f @ f.mH).real / 9).softmax(-1) @ x))(torch.fft.rfft(x)), MAP[:, 0]),
}


@pytest.mark.parametrize("name", [*LINEAR, *OTHERS])
def test_the_gradient_is_that_of_autograd_and_books_close(name: str) -> None:
    net, x = (LINEAR | OTHERS)[name]
    leaf = x.clone().requires_grad_()
    (truth,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(pl.explain(net, x, 1, "gradient").values, truth, rtol=1e-4, atol=1e-5)
    e = pl.explain(net, x, 1, "lrp")
    assert e.ledger is not None and bool((e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all())
    alone = pl.explain(net, x[1:], 1, "lrp").values
    torch.testing.assert_close(e.values[1:], alone, rtol=1e-3, atol=1e-5 * float(alone.abs().max()))


@pytest.mark.parametrize("name", LINEAR)
def test_on_linear_networks_lrp_zero_and_deeplift_are_gradient_times_input(name: str) -> None:
    net, x = LINEAR[name]
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    truth = slope * x
    for method in ("lrp.zero", "deeplift"):
        values = pl.explain(net, x, 1, method).values
        torch.testing.assert_close(values, truth, rtol=1e-3, atol=1e-4 * float(truth.abs().max()))


class Rotary(nn.Module):
    """Attention with rotary positions, as products of complex numbers or in real numbers."""

    def __init__(self, *, real: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.qkv, self.head, self.real = nn.Linear(8, 24), nn.Linear(8, 3), real
        self.turn = torch.polar(torch.ones(6, 4), torch.outer(torch.arange(6.0), 0.1 ** torch.arange(4.0)))

    def rotate(self, t: Tensor) -> Tensor:
        if not self.real:
            return torch.view_as_real(torch.view_as_complex(t.reshape(*t.shape[:-1], -1, 2)) * self.turn).flatten(-2)
        a, b, c, d = t[..., ::2], t[..., 1::2], self.turn.real, self.turn.imag
        return torch.stack([a * c - b * d, a * d + b * c], -1).flatten(-2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (3 * self.qkv(x)).chunk(3, -1)
        weights = (self.rotate(q) @ self.rotate(k).mT / 8**0.5).softmax(-1)
        return self.head((x + weights @ v).mean(1))


@pytest.mark.parametrize("method", ["lrp", "lrp.attention", "lrp.cp", "lrp.gamma", "deeplift", "integrated_gradients"])
def test_rotary_positions_in_complex_numbers_are_explained_as_in_real_ones(method: str) -> None:
    x = draw(2, 6, 8)
    values, truth = (pl.explain(Rotary(real=real).eval(), x, 0, method).values for real in (False, True))
    torch.testing.assert_close(values, truth, rtol=1e-4, atol=1e-6)


class Fourier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(2, 2, dtype=torch.cfloat))
        self.skip, self.head = nn.Conv2d(2, 2, 1), nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.zeros(x.size(0), 2, 4, 4, dtype=torch.cfloat)
        out[:, :, :2] = torch.einsum("bixy,io->boxy", torch.fft.rfft2(x)[:, :, :2], self.weight)
        return self.head(torch.relu(torch.fft.irfft2(out, s=(4, 6)) + self.skip(x)).mean((2, 3)))


def test_scripted_and_exported_programs_give_the_same() -> None:
    net = Fourier().eval()
    for program in (torch.jit.trace(net, MAP), torch.export.export(net, (MAP,)).module()):
        for method in ("lrp", "gradient"):
            values = (pl.explain(form, MAP, 0, method).values for form in (program, net))
            torch.testing.assert_close(*values, rtol=1e-4, atol=1e-6)


def test_a_complex_score_is_refused() -> None:
    with pytest.raises(ModelError, match=r"complex numbers.*\.abs\(\)"):
        pl.explain(lambda x: torch.fft.rfft(x), ROW, 0, "gradient")


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_numbers_of_a_traced_program_keep_their_precision_and_may_be_complex():
    class Turned(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = torch.view_as_complex(x.view(-1, 2, 2)) * (0.6 + 0.1j)
            return torch.cat([z.real, z.imag], 1) * 0.1 + 0.3 * x.mean(1, keepdim=True)

    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    traced = torch.jit.trace(Turned().eval(), x, check_trace=False)
    e = pl.explain(traced, x, 1, "gradient_x_input")
    torch.testing.assert_close(e.values.sum(1), Turned()(x)[:, 1], rtol=1e-12, atol=0)
