"""Complex numbers, followed as pairs of real ones: what is computed from them is recorded as operations on the real numbers.

A complex tensor of shape (...) is on the tape as its parts, of shape (..., 2), in the same memory. Sums, products, views and
matrix products become those of the parts, with the rules and derivatives of any real network; Fourier transforms are operations
of their own, one axis at a time; what is left (`sgn`, `tanh`, ...) is one operation on the parts, with its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import map_leaves, tensors
from .functional_twin import aten_name, functional_twin, written_tensors
from .recorder import Recorder

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Pair:
    """A complex tensor by its parts, the last axis of `parts`."""

    parts: Tensor

    @property
    def re(self) -> Tensor:
        return self.parts.select(-1, 0)

    @property
    def im(self) -> Tensor:
        return self.parts.select(-1, 1)

    @property
    def dim(self) -> int:
        """How many axes the complex tensor has."""
        return self.parts.dim() - 1


def pair(re: Tensor, im: Tensor) -> Pair:
    shape = torch.broadcast_shapes(re.shape, im.shape)  # type: ignore[no-untyped-call]
    re, im = (t if t.shape == shape else t.expand(shape) for t in (re, im))
    return Pair(torch.stack([re, im], -1))


@dataclass(frozen=True, eq=False)
class InPairs:
    """Runs and records operations that read or make complex numbers.

    Arguments:
        recorder: Keeps what is run within `recording`.
        recording: A context in which real operations are recorded; outside of it they are not.
    """

    recorder: Recorder
    recording: AbstractContextManager[Any]

    def __call__(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the model gets from the operation: complex tensors, of which the recorder knows the parts."""
        name = aten_name(fn)
        if fn._schema.is_mutable:
            return self._mutate(fn, name, args, kwargs)
        if name == "view_as_complex":
            return self._joined(Pair(args[0]))
        pairs, named = map_leaves((args, kwargs), Tensor, self._parts)
        if name in FOURIER:
            made = FOURIER[name](self, *pairs, **named)
        elif name == "abs":
            made = self.modulus(*pairs)
        else:
            with self.recording:
                made = real_operations(name, pairs, named)
        if made is NotImplemented:
            return self._whole(fn, name, args, kwargs)
        return map_leaves(made, Pair, self._joined)

    def own(self, fn: Callable[..., Tensor], name: str, x: Tensor, *args: Any) -> Tensor:
        """An operation of ours on real numbers, recorded as one."""
        return self.recorder.perform(fn, name, (x, *args), {})  # type: ignore[no-any-return]

    def modulus(self, z: Pair) -> Tensor:
        """sqrt(re^2 + im^2): each part gets relevance in proportion to its square."""
        with self.recording:
            square = z.parts.square().sum(-1)
        return self.own(root, "sqrt", square)

    def _parts(self, t: Tensor) -> Any:
        return Pair(self.recorder.parts(t)) if t.is_complex() else t

    def _joined(self, made: Pair) -> Tensor:
        parts = made.parts
        if parts.stride(-1) != 1 or any(stride % 2 for stride in parts.stride()[:-1]) or parts.storage_offset() % 2:
            with self.recording:
                parts = parts.clone(memory_format=torch.contiguous_format)
        z = torch.view_as_complex(parts)
        self.recorder.identify(z, parts)
        return z

    def _whole(self, fn: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation that is not taken apart: one on the parts, with the derivative that PyTorch has for it."""
        complexes = [t.is_complex() for t in tensors((args, kwargs))]
        real = map_leaves((args, kwargs), Tensor, lambda t: self.recorder.parts(t) if t.is_complex() else t)
        made = self.recorder.perform(OnParts(fn, tuple(complexes)), f"complex_{name.lstrip('_')}", *real)
        shapes = fn(*args, **kwargs)  # which of what it makes are complex
        flags = iter([t.is_complex() for t in tensors(shapes)])
        return map_leaves(made, Tensor, lambda t: self._joined(Pair(t)) if next(flags) else t)

    def _mutate(self, fn: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An in-place operation writes what its functional twin makes."""
        changed = list(written_tensors(fn, args, kwargs))
        functional, places = functional_twin(fn)
        target = changed[0]
        if name == "copy_":
            self._write(target, args[1])
            return target
        with self.recording:
            made = functional(*args, **{k: v for k, v in kwargs.items() if k not in places})
        if name in RESHAPED:  # another view of the same memory
            fn(*args, **kwargs)
            self.recorder.identify(target, self.recorder.parts(made))
            return target
        for written, result in zip(changed, tensors(made), strict=False):
            self._write(written, result)
        return target if len(changed) == 1 else tuple(changed)

    def _write(self, target: Tensor, source: Tensor) -> None:
        to, value = self._parts(target), self._parts(source)
        with self.recording:
            if not isinstance(to, Pair):
                to.copy_(value.re)
            elif isinstance(value, Pair):
                to.parts.copy_(value.parts)
            else:
                to.parts.copy_(pair(value, torch.zeros_like(value)).parts)


@dataclass(frozen=True)
class OnParts:
    """An operation on complex numbers as a function of their parts.

    Arguments:
        fn: The operation.
        complexes: Which of the tensors among its arguments are complex.
    """

    fn: Callable[..., Any]
    complexes: tuple[bool, ...]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        flags = iter(self.complexes)

        def whole(t: Tensor) -> Tensor:
            return torch.view_as_complex(t.contiguous()) if next(flags) else t

        made = self.fn(*map_leaves(args, Tensor, whole), **map_leaves(kwargs, Tensor, whole))
        return map_leaves(made, Tensor, lambda t: torch.view_as_real(t.resolve_conj()) if t.is_complex() else t)


def root(square: Tensor) -> Tensor:
    """The square root, with the derivative 0 at 0, as the modulus of a complex number has it."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)


# -- Fourier transforms, one axis at a time -----------------------------------------------------------------------------------


def real_to_complex(x: Tensor, axis: int, norm: int, onesided: bool) -> Tensor:
    return torch.view_as_real(aten._fft_r2c.default(x, [axis], norm, onesided))


def complex_to_complex(parts: Tensor, axis: int, norm: int, forward: bool) -> Tensor:
    return torch.view_as_real(aten._fft_c2c.default(torch.view_as_complex(parts.contiguous()), [axis], norm, forward))


def complex_to_real(parts: Tensor, axis: int, norm: int, length: int) -> Tensor:
    made: Tensor = aten._fft_c2r.default(torch.view_as_complex(parts.contiguous()), [axis], norm, length)
    return made


def _r2c(run: InPairs, x: Tensor, axes: list[int], norm: int, onesided: bool) -> Pair:
    *others, last = [axis % x.dim() for axis in axes]
    return _c2c(run, Pair(run.own(real_to_complex, "_fft_r2c", x, last, norm, onesided)), others, norm, True)


def _c2c(run: InPairs, z: Pair, axes: list[int], norm: int, forward: bool) -> Pair:
    for axis in axes:
        z = Pair(run.own(complex_to_complex, "_fft_c2c", z.parts, axis % z.dim, norm, forward))
    return z


def _c2r(run: InPairs, z: Pair, axes: list[int], norm: int, length: int) -> Tensor:
    *others, last = [axis % z.dim for axis in axes]
    z = _c2c(run, z, others, norm, False)
    return run.own(complex_to_real, "_fft_c2r", z.parts, last, norm, length)


FOURIER: dict[str, Callable[..., Any]] = {"_fft_r2c": _r2c, "_fft_c2c": _c2c, "_fft_c2r": _c2r}

# -- arithmetic ---------------------------------------------------------------------------------------------------------------


def real_operations(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation makes of pairs, by operations on their parts; NotImplemented where it is not taken apart."""
    if name in ARITHMETIC:
        return ARITHMETIC[name](*args, **kwargs)
    if name in VIEWS:
        return VIEWS[name](args[0], *args[1:], **kwargs)
    if name in ALIKE:
        return _alike(name, args, kwargs)
    return NotImplemented


def multiply(a: Any, b: Any) -> Any:
    """(a + ib)(c + id) = (ac - bd) + i (ad + bc)."""
    if isinstance(b, Pair) or isinstance(a, complex):
        a, b = b, a
    if isinstance(b, complex):
        if isinstance(a, Tensor):
            return pair(a * b.real, a * b.imag)
        return pair(a.re * b.real - a.im * b.imag, a.re * b.imag + a.im * b.real)
    if not isinstance(a, Pair):
        return NotImplemented
    if isinstance(b, Pair):
        return pair(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
    return Pair(a.parts * (b.unsqueeze(-1) if isinstance(b, Tensor) else b))


def invert(z: Any) -> Any:
    """1 / (a + ib) = (a - ib) / (a^2 + b^2)."""
    if isinstance(z, complex):
        return 1 / z
    return Pair(conjugate(z).parts / z.parts.square().sum(-1, keepdim=True)) if isinstance(z, Pair) else 1 / z


def divide(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    if not isinstance(b, (Pair, complex)) and isinstance(a, Pair):
        return Pair(a.parts / (b.unsqueeze(-1) if isinstance(b, Tensor) else b))
    return multiply(a, invert(b))


def add(a: Any, b: Any, alpha: Any = 1) -> Any:
    if isinstance(alpha, complex):
        return NotImplemented
    if isinstance(a, Pair) and isinstance(b, Pair):
        return Pair(torch.add(a.parts, b.parts, alpha=alpha))
    if isinstance(a, complex) or isinstance(b, complex):
        a, b = (_as_parts(t) for t in (a, b))
        return Pair(torch.add(a, b, alpha=alpha))
    one, other = (t.re if isinstance(t, Pair) else t for t in (a, b))
    re = torch.add(torch.as_tensor(one), other, alpha=alpha)
    return pair(re, a.im if isinstance(a, Pair) else alpha * b.im)


def subtract(a: Any, b: Any, alpha: Any = 1) -> Any:
    if isinstance(a, Pair) and isinstance(b, Pair) and not isinstance(alpha, complex):
        return Pair(torch.sub(a.parts, b.parts, alpha=alpha))
    return NotImplemented if isinstance(alpha, complex) else add(a, b, -alpha)


def _as_parts(t: Any) -> Tensor:
    """The parts of a pair, of a real tensor, of a number."""
    if isinstance(t, Pair):
        return t.parts
    return pair(t, torch.zeros_like(t)).parts if isinstance(t, Tensor) else torch.tensor([t.real, t.imag])


def conjugate(z: Pair) -> Pair:
    return Pair(z.parts * z.parts.new_tensor([1.0, -1.0]))


def power(z: Any, exponent: Any) -> Any:
    return multiply(z, z) if isinstance(z, Pair) and exponent == 2 else NotImplemented


def exponential(z: Pair) -> Pair:
    return polar(z.re.exp(), z.im)


def polar(modulus: Tensor, angle: Tensor) -> Pair:
    return pair(modulus * angle.cos(), modulus * angle.sin())


def matrix_product(a: Any, b: Any) -> Any:
    """One product of real matrices: rows [re, im] times [[re, im], [-im, re]]."""
    if not isinstance(b, Pair):
        return pair(a.re @ b, a.im @ b)
    if not isinstance(a, Pair):
        return pair(a @ b.re, a @ b.im)
    vector = b.dim == 1
    c, d = (b.re[..., None], b.im[..., None]) if vector else (b.re, b.im)
    block = torch.cat([torch.cat([c, d], -1), torch.cat([-d, c], -1)], -2)
    made = torch.cat([a.re, a.im], -1) @ block
    columns = c.shape[-1]
    re, im = made[..., :columns], made[..., columns:]
    return pair(re[..., 0], im[..., 0]) if vector else pair(re, im)


def added_product(bias: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return add(bias, matrix_product(a, b)) if beta == 1 and alpha == 1 else NotImplemented


def convert(t: Any, dtype: torch.dtype | None = None, **settings: Any) -> Any:
    """Another type of number, another device."""
    settings = {k: v for k, v in settings.items() if k in ("device", "non_blocking") and v is not None}
    if dtype is not None and dtype.is_complex:
        real = {torch.complex32: torch.float16, torch.complex128: torch.float64}.get(dtype, torch.float32)
        return Pair(t.parts.to(real)) if isinstance(t, Pair) else pair(t.to(real), torch.zeros_like(t, dtype=real))
    if not isinstance(t, Pair):
        return t.to(dtype=dtype, **settings)
    return Pair(t.parts.to(**settings) if settings else t.parts.clone()) if dtype is None else t.re.to(dtype, **settings)


ARITHMETIC: dict[str, Callable[..., Any]] = {
    "mul": multiply,
    "div": divide,
    "reciprocal": invert,
    "add": add,
    "sub": subtract,
    "rsub": lambda a, b, alpha=1: subtract(b, a, alpha),
    "neg": lambda z: Pair(-z.parts),
    "_conj": conjugate,
    "_conj_physical": conjugate,
    "conj_physical": conjugate,
    "pow": power,
    "exp": exponential,
    "polar": polar,
    "complex": pair,
    "angle": lambda z: torch.atan2(z.im, z.re),
    "mm": matrix_product,
    "bmm": matrix_product,
    "mv": matrix_product,
    "addmm": added_product,
    "baddbmm": added_product,
    "_to_copy": convert,
    "view_as_real": lambda z: z.parts.view(z.parts.shape),
}

# -- the same with both parts -------------------------------------------------------------------------------------------------

ALIKE = frozenset(
    """sum mean cumsum nansum cat stack flip roll rot90 index _unsafe_index index_select gather where masked_fill index_put
    _unsafe_index_put scatter scatter_add index_add index_copy index_fill take masked_select masked_scatter repeat
    repeat_interleave constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
    replication_pad3d tril triu unfold_backward slice_scatter select_scatter diagonal_scatter diag_embed slice_backward
    select_backward""".split()
)
NUMBER_AT = {"masked_fill": 2, "constant_pad_nd": 2, "scatter": 3, "index_fill": 3}  # where a number stands that is written


def _alike(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pair:
    """An operation that moves or adds entries, on the real parts and on the imaginary parts."""

    def part(arg: Any, which: int) -> Any:
        if isinstance(arg, Pair):
            return arg.parts.select(-1, which)
        if isinstance(arg, (list, tuple)):
            return [part(item, which) for item in arg]
        if isinstance(arg, complex):
            return (arg.real, arg.imag)[which]
        return torch.zeros_like(arg) if which and isinstance(arg, Tensor) and arg.is_floating_point() else arg

    def side(which: int) -> Tensor:
        own = [part(arg, which) for arg in args]
        place = NUMBER_AT.get(name)
        if which and place is not None and place < len(args) and isinstance(args[place], (int, float)):
            own[place] = 0
        made: Tensor = getattr(aten, name)(*own, **{k: v for k, v in kwargs.items() if k != "dtype"})
        return made

    return pair(side(0), side(1))


# -- views: of the same memory, so that what is written to them is written to the whole -----------------------------------------


def _all(z: Pair, axes: Any) -> list[int]:
    return [axis % z.dim for axis in ([axes] if isinstance(axes, int) else axes)]


def _each(made: Any) -> list[Pair]:
    return [Pair(piece) for piece in made]


def _sized(z: Pair, size: Any, *_: Any, **__: Any) -> Any:
    return NotImplemented if isinstance(size, torch.dtype) else Pair(z.parts.view((*size, 2)))


def _copied(z: Pair, size: Any) -> Pair:
    return Pair(z.parts.reshape((*size, 2)))


def _same(z: Pair, *_: Any, **__: Any) -> Pair:
    return Pair(z.parts.view(z.parts.shape))


def _squeezed(z: Pair, axes: Any = None) -> Pair:
    which = range(z.dim) if axes is None else _all(z, axes)
    return Pair(z.parts.squeeze(tuple(which)))


def _transposed(z: Pair, a: int = 0, b: int = 1) -> Pair:
    return Pair(z.parts.transpose(a % z.dim, b % z.dim)) if z.dim > 1 else _same(z)


VIEWS: dict[str, Callable[..., Any]] = {
    "view": _sized,
    "_unsafe_view": _sized,
    "reshape": _copied,
    "expand": lambda z, size, implicit=False: Pair(z.parts.expand((*size, 2))),
    "slice": lambda z, axis=0, *places: Pair(aten.slice.Tensor(z.parts, axis % z.dim, *places)),
    "select": lambda z, axis, place: Pair(z.parts.select(axis % z.dim, place)),
    "unsqueeze": lambda z, axis: Pair(z.parts.unsqueeze(axis % (z.dim + 1))),
    "squeeze": _squeezed,
    "transpose": _transposed,
    "t": _transposed,
    "permute": lambda z, axes: Pair(z.parts.permute(*_all(z, axes), z.dim)),
    "unbind": lambda z, axis=0: _each(z.parts.unbind(axis % z.dim)),
    "split": lambda z, size, axis=0: _each(z.parts.split(size, axis % z.dim)),
    "split_with_sizes": lambda z, sizes, axis=0: _each(z.parts.split_with_sizes(sizes, axis % z.dim)),
    "unfold": lambda z, axis, size, step: Pair(z.parts.unfold(axis % z.dim, size, step).transpose(-1, -2)),
    "diagonal": lambda z, offset=0, a=0, b=1: Pair(z.parts.diagonal(offset, a % z.dim, b % z.dim).transpose(-1, -2)),
    "as_strided": lambda z, size, stride, offset=0: Pair(
        z.parts.as_strided((*size, 2), (*(2 * n for n in stride), 1), 2 * (offset or 0))
    ),
    "alias": _same,
    "lift_fresh": _same,
    "detach": lambda z: Pair(z.parts.detach()),
    "clone": lambda z, **_: Pair(z.parts.clone(memory_format=torch.contiguous_format)),
}
RESHAPED = frozenset("transpose_ t_ squeeze_ unsqueeze_ as_strided_ swapaxes_ swapdims_".split())
