"""The recorder: keeps the operations of one forward pass, in-place writes included, as they are dispatched to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import is_random
from pellucid.errors import ModelError, ThreadLost
from pellucid.model.outputs import leaves, map_leaves, tensors
from .. import kinds
from ..batch import Batch
from ..op import Op, Ref, Tape, Value
from .functional_twin import aten_name, functional_twin, overwrite, scatter, written_tensors
from .irregular_samples import IrregularSamples
from .loose_ends import LooseEnds
from .retention import Retention
from .sample_axis import irregular, pattern
from .storage import Writes, disjoint, geometry, storage_of

# Operations whose output can be made again at the price of a copy: their overwritten outputs need not be kept.
CHEAP = (
    kinds.BATCH_NORMS
    | kinds.SUMS
    | {"mul", "div", "relu", "view", "_unsafe_view", "permute", "transpose", "t", "slice", "select"}
)


class Recorder:
    """Keeps every operation that touches what descends from the input.

    Arguments:
        room: How many bytes of what they make are held at a time, see `Retention`; None: all.
    """

    def __init__(self, room: int | None = None) -> None:
        self.ops: list[Op] = []
        self.values: list[Value] = []
        self.inputs: list[int] = []
        self.scope: list[str] = []
        self.owners: dict[int, str] = {}  # storage of a parameter -> the module it belongs to
        self.names: dict[int, str] = {}  # storage of a parameter, or of what was computed from one -> its path
        self.returned: dict[str, list[int]] = {}
        self._ids: dict[int, tuple[int, int, int]] = {}  # id of a tensor -> its value, storage, version
        self._retention = Retention(room, self._died)
        self._alive: dict[int, list[int]] = {}  # storage -> the values that read it as it is now
        self._writes: dict[int, Writes] = {}
        self._complex = False  # whether any complex number was met
        self.thread = LooseEnds()

    # -- values ---------------------------------------------------------------------------------------------------------

    def open(self, x: Tensor) -> Tensor:
        """A copy of an input, tracked from here on; the user's own tensor cannot be written to.

        It lies in memory in order: in channels-last, batches of 8 through ResNet50 took twice as long on a CPU.
        """
        copy = x.detach().clone(memory_format=torch.contiguous_format)
        self.inputs.append(self._new(copy, tracked=True, batch=Batch(0)))
        return copy

    def _new(self, tensor: Tensor, *, tracked: bool, **attributes: Any) -> int:
        id_ = len(self.values)
        self.values.append(Value(tensor, tuple(tensor.shape), tracked, **attributes))
        storage = storage_of(tensor)
        self._know(tensor, id_, storage)
        self._alive.setdefault(storage, []).append(id_)
        return id_

    def _know(self, tensor: Tensor, id_: int, storage: int) -> None:
        self._ids[id(tensor)] = (id_, storage, self._writes[storage].version if storage in self._writes else 0)
        self._retention.keep(tensor)

    def _find(self, tensor: Tensor) -> int | None:
        """The value this tensor holds now, held again if it was let go; None if it was never recorded."""
        id_ = self._known(tensor)
        if id_ is not None and self.values[id_].empty is not None:
            self._retention.hold_again(tensor, self.values[id_])
        return id_

    def _known(self, tensor: Tensor) -> int | None:
        known = self._ids.get(id(tensor))
        if self._writes:
            storage = storage_of(tensor) if known is None else known[1]
            writes = self._writes.get(storage)
            if writes is not None and (known is None or known[2] != writes.version):
                return self._refresh(tensor, storage, writes)
        return None if known is None else known[0]

    def tracked(self, tensor: Tensor) -> bool:
        id_ = self._find(tensor)
        return id_ is not None and self.values[id_].tracked

    def _died(self, key: int) -> None:
        """A tensor that was let go is no more: its id, and its storage, may be another's."""
        value, storage, _ = self._ids.pop(key)
        left = [i for i in self._alive.pop(storage, ()) if i != value]
        if left:
            self._alive[storage] = left

    # -- in-place writes ------------------------------------------------------------------------------------------------

    def _refresh(self, tensor: Tensor, storage: int, writes: Writes) -> int:
        """The value of a tensor whose storage was written to through another one."""
        if tensor.is_complex():
            whole, tensor = tensor, torch.view_as_real(tensor)
            self._retention.keep(tensor)
            self._ids[id(tensor)] = self._ids.get(id(whole), (-1, storage, 0))
            value = self._refresh(tensor, storage, writes)
            self._know(whole, value, storage)
            return value
        id_ = self._unchanged(tensor, writes)
        if id_ is None:
            id_ = self._emit(torch.as_strided, "as_strided", (Ref(self._flatten(tensor, writes)), *geometry(tensor)))
        self._know(tensor, id_, storage)
        return id_

    def _unchanged(self, tensor: Tensor, writes: Writes) -> int | None:
        """The value that was last written to exactly this place, or was here before, if nothing else has touched it since."""
        known, here = self._ids.get(id(tensor)), geometry(tensor)
        for id_, there in reversed(writes.log[known[2] if known else 0 :]):
            if there == here:
                return id_
            if not disjoint(here, there):
                return None
        return known[0] if known else self._constant(tensor) if writes.plain else None

    def _flatten(self, tensor: Tensor, writes: Writes) -> int:
        """The whole storage as one flat value, with all writes so far."""
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        for id_, where in writes.log[writes.merged :]:
            base = writes.flat
            if base is None:
                base = self._constant(torch.zeros(size, dtype=tensor.dtype, device=tensor.device))
            writes.flat = self._emit(scatter, "as_strided_scatter", (Ref(base), Ref(id_), *where))
        writes.merged = len(writes.log)
        assert writes.flat is not None
        return writes.flat

    def _constant(self, tensor: Tensor) -> int:
        storage = storage_of(tensor)
        lost_at = self.thread.lost.get(storage) if self.thread else None
        own = storage in self.owners
        return self._new(tensor, tracked=False, is_parameter=own, name=self.names.get(storage, ""), lost_at=lost_at)

    def _emit(self, fn: Callable[..., Tensor], name: str, args: tuple[Any, ...]) -> int:
        """An operation of our own, that stands for a write or a read through an alias."""
        real = [self._tensor(a.id) if isinstance(a, Ref) else a for a in args]
        result = fn(*real).clone()
        return self._append(fn, name, args, {}, result, self._module(()))[0] or self._constant(result)

    def _tensor(self, id_: int) -> Tensor:
        tensor = self.values[id_].tensor
        return Tape(tuple(self.ops), self.values, (), None).value(id_) if tensor is None else tensor

    def _before_write(self, tensor: Tensor, relu: bool) -> None:
        """Keep what earlier readers of this storage read: copies are made at the moment of mutation, not before."""
        storage = storage_of(tensor)
        if tensor.untyped_storage().nbytes() > tensor.numel() * tensor.element_size() and storage not in self._writes:
            self._open_partial(tensor, storage)
        for id_ in self._alive.pop(storage, []):
            value = self.values[id_]
            op = None if value.producer is None else self.ops[value.producer]
            if op is not None and (op.name in CHEAP or (relu and op.name not in kinds.ROUTES and op.kind != "max")):
                value.tensor = None  # made again on demand
            elif value.tensor is not None:
                value.tensor = value.tensor.clone()

    def _open_partial(self, tensor: Tensor, storage: int) -> None:
        """A first write into part of a storage: remember the rest of it."""
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        whole = torch.as_strided(tensor.detach(), (size,), (1,), 0).clone()
        writes = self._writes.setdefault(storage, Writes())
        alive = {id_: self.values[id_] for id_ in self._alive.get(storage, [])}
        readers = [id_ for id_, value in alive.items() if value.tracked and value.tensor is not None]
        writes.flat, writes.plain = self._constant(whole), not readers
        if readers:
            widest = max(readers, key=lambda id_: torch.Size(self.values[id_].shape).numel())
            where = geometry(self._tensor(widest))
            writes.flat = self._emit(scatter, "as_strided_scatter", (Ref(writes.flat), Ref(widest), *where))

    def _after_write(self, tensor: Tensor, id_: int) -> None:
        storage = storage_of(tensor)
        writes = self._writes.setdefault(storage, Writes())
        writes.version += 1
        writes.log.append((id_, geometry(tensor)))
        self._know(tensor, id_, storage)

    # -- operations -----------------------------------------------------------------------------------------------------

    def dispatch(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one operation, and record it if it reads what descends from the input.

        NotImplemented, if complex numbers do, or are made: see `complex_numbers`.
        """
        name = aten_name(fn)
        self._retention.let_go(self._writes)
        read = list(tensors((args, kwargs) if kwargs else args))
        if fn._schema.is_mutable:
            return self._mutate(fn, name, args, kwargs, read)
        ids = [self._find(t) for t in read]
        if not any(i is not None and self.values[i].tracked for i in ids):
            out = self._named(name, read, fn(*args, **kwargs))
            if self.thread:
                self.thread.follow(name, read, tensors(out), self._place(name))
            return out
        if self._complex and name not in kinds.CONSTANTS and any(t.is_complex() for t in read):
            return NotImplemented
        known = iter(ids)  # every tensor is looked up once
        ids_read: list[int] = []

        def ref(tensor: Tensor) -> Ref:
            id_ = next(known)
            ids_read.append(self._constant(tensor) if id_ is None else id_)
            return Ref(ids_read[-1])

        out = fn(*args, **kwargs)
        if isinstance(out, Tensor) and out.is_complex():
            self._complex = True
            return NotImplemented
        refs = map_leaves(args, Tensor, ref), map_leaves(kwargs, Tensor, ref) if kwargs else {}
        if name == "copy":
            fn, refs, ids_read = overwrite, ((refs[0][1], tuple(out.shape), out.dtype), {}), ids_read[1:]
        self._append(fn, name, refs[0], refs[1], out, self._module(read), ids_read)
        return out

    def _named(self, name: str, read: list[Tensor], out: Any) -> Any:
        """What is made without the input is known by the parameters it is made of, as positions are by their table."""
        if isinstance(out, Tensor) and out.is_complex():
            self._complex = True
        at = [storage_of(t) for t in read if t.is_floating_point()]
        known = (self.names[storage] for storage in at if storage in self.names)
        sources = list(dict.fromkeys(name for names in known for name in names.split(" + ")))
        results = [t for t in tensors(out) if t.is_floating_point()] if sources else []
        for tensor in results:
            if (storage := storage_of(tensor)) not in self.names:
                self.names[storage] = " + ".join(sources[:2])
                self._retention.keep(tensor)  # as long as it lives, no other tensor has its storage
                if name == "embedding":
                    self.owners[storage] = self.owners.get(storage_of(read[0]), "")
        return out

    def _mutate(self, fn: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], read: list[Tensor]) -> Any:
        """An in-place operation is recorded as its functional twin; the tensor it wrote to holds the result from here on."""
        changed = list(written_tensors(fn, args, kwargs))
        if not any(self.tracked(t) for t in read) and not any(
            storage_of(t) in self._writes or storage_of(t) in self._alive for t in changed
        ):
            if self.thread:
                self.thread.follow(name, read, changed, "")
            return fn(*args, **kwargs)
        if self._complex and any(t.is_complex() for t in read):
            return NotImplemented
        functional, places = functional_twin(fn)
        if functional is None:
            raise ModelError(
                f"Recording {name}", "an in-place operation without a functional twin",
                "what it overwrites could not be read again",
                f"Use the out-of-place form of {name} in the model, or report this.",
            )  # fmt: skip
        reads = {k: self._refs(v) for k, v in kwargs.items() if k not in places}
        refs = self._refs(args)
        for tensor in changed:
            self._before_write(tensor, relu=name == "relu_")
        out = fn(*args, **kwargs)
        results = changed[0] if len(changed) == 1 else tuple(changed)
        if name == "copy_":
            functional, refs, reads = overwrite, (refs[1], tuple(changed[0].shape), changed[0].dtype), {}
        ids = self._append(functional, name.removesuffix("_"), refs, reads, results, self._module(read))
        for tensor, id_ in zip(changed, ids, strict=False):
            self._after_write(tensor, self._constant(tensor) if id_ is None else id_)
        if name == "relu_" and ids[0] is not None:
            source = self.values[refs[0].id]
            source.upper = ids[0]
            self.values[ids[0]].shadows = True
        return out

    def perform(self, fn: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run and record an operation of our own."""
        out = fn(*args, **kwargs)
        self._append(fn, name, self._refs(args), self._refs(kwargs), out, self._module(tensors((args, kwargs))))
        return out

    def parts(self, z: Tensor) -> Tensor:
        """The real and imaginary parts of a complex tensor along a last axis, as what the recorder knows of them."""
        parts = torch.view_as_real(z.resolve_conj())
        id_ = self._find(z)
        if id_ is not None:
            self._know(parts, id_, storage_of(parts))
        return parts

    def identify(self, z: Tensor, parts: Tensor) -> None:
        """A complex tensor whose memory holds these parts is the same value."""
        self._complex = True
        id_ = self._find(parts)
        if id_ is not None:
            self._know(z, id_, storage_of(z))

    def _append(
        self, fn: Any, name: str, args: Any, kwargs: Any, out: Any, module: str, read: list[int] | None = None
    ) -> tuple[int | None, ...]:
        """Record one operation; the ids of its tracked outputs. `read`: the values among its arguments, where known."""
        ids = [ref.id for ref in leaves((args, kwargs) if kwargs else args, Ref)] if read is None else read
        values = [self.values[i] for i in ids]
        ins = tuple([i for i, value in zip(ids, values, strict=True) if value.tracked])
        reduces = kinds.reduction(name, args, kwargs) if name in kinds.INDEXED else ""
        kind = kinds.kind_of(name, tuple([value.tracked for value in values]), reduces)
        moving = bool(ins) and kind != "constant"
        outs: list[int | None] = []
        aux: list[Tensor | None] = []
        positive = kinds.nonnegative(name, kind, args, kwargs, [value.nonnegative for value in values])
        for place, output in enumerate((out,) if isinstance(out, Tensor) else tensors(out)):
            follows = moving and output.is_floating_point()
            source = self.values[ins[-1] if name == "as_strided_scatter" else ins[0]] if follows else None
            batch = pattern(name, args, source, output, self.samples) if source is not None else None
            patternless = follows and batch is None and self.samples > 1
            rows = self._rows(fn, name, kind, args, ids, output, place) if patternless else None
            lies: dict[str, Any] = {"batch": rows} if isinstance(rows, Batch) else {"batch": batch, "irregular": rows}
            value = {"tracked": True, "producer": len(self.ops), "nonnegative": positive, **lies}
            outs.append(self._new(output, **value) if follows else None)
            aux.append(None if follows else output)
            if outs[-1] is not None and not is_random(fn):
                self._retention.add(output, self.values[outs[-1]], values)
        if ins and (not outs or None in outs) and name not in kinds.SHAPED:
            self.thread.cut(name, kind, out, outs, len(self.ops), values, f"{name} in {module}" if module else name)
        self.ops.append(
            Op(len(self.ops), fn, tuple(args), kwargs, ins, tuple(outs), kind, name, module, tuple(aux) if moving else ())
        )
        return tuple(outs)

    def _place(self, name: str) -> str:
        return f"{name} in {self.scope[-1]}" if self.scope and self.scope[-1] else name

    def leaves_as_numbers(self, tensor: Tensor, name: str) -> None:
        """A tensor is read as numbers or an array, by code that is not followed."""
        if tensor.is_floating_point() and self.tracked(tensor):
            self.thread.numbers.append(self._place(name))
        elif self.thread:
            self.thread.follow(name, [tensor], (), self._place(name))

    def _refs(self, tree: Any) -> Any:
        """Arguments or outputs with `Ref` for every tensor."""
        return map_leaves(tree, Tensor, self._ref)

    def _ref(self, tensor: Tensor) -> Ref:
        id_ = self._find(tensor)
        return Ref(self._constant(tensor) if id_ is None else id_)

    def _module(self, tensors: Any) -> str:
        """The module whose parameters are read, else the innermost module that is running."""
        for tensor in tensors:
            owner = self.owners.get(storage_of(tensor))
            if owner is not None:
                return owner
        return self.scope[-1] if self.scope else ""

    def _rows(
        self, fn: Any, name: str, kind: str, args: Any, refs: list[int], made: Tensor, place: int
    ) -> Batch | IrregularSamples | None:
        """Where the samples lie that follow no pattern; rows of no sample before belong to them from here on."""
        read = {i: self.values[i] for i in refs}
        rows, shared = irregular(fn, name, kind, args, read, made, place, self.samples)
        if shared and isinstance(rows, IrregularSamples):
            for i in refs:
                self._assign_samples(i, rows)
        return rows

    def _assign_samples(self, id_: int, rows: IrregularSamples) -> None:
        """Rows of no sample, as those of a state before its first step, belong to the sample of what they are added to."""
        value = self.values[id_]
        known = value.irregular
        if isinstance(known, IrregularSamples) and known.fits(rows) and bool((known.samples < 0).any()):
            value.irregular = rows
            for i in () if value.producer is None else self.ops[value.producer].ins:
                self._assign_samples(i, rows)

    @property
    def samples(self) -> int:
        """How many samples the batch has."""
        shape = self.values[self.inputs[0]].shape if self.inputs else ()
        return shape[0] if shape else 1

    # -- the end --------------------------------------------------------------------------------------------------------

    def leave(self, output: Any) -> None:
        """A module returned: of several tensors, as recurrent layers have them, the first is its value."""
        name = self.scope.pop()
        for tensor in tensors(output):
            id_ = self._find(tensor)
            if id_ is not None and self.values[id_].tracked:
                self.returned.setdefault(name, []).append(id_)
                return

    def close(self, output: Any, *, transparent: bool) -> Tape:
        """The finished tape."""
        tape = self._closed(output, transparent=transparent)
        self._retention.close()
        return tape

    def _closed(self, output: Any, *, transparent: bool) -> Tape:
        whole = [t for t in tensors(output) if t.is_complex()] if self._complex else []
        scores = (
            map_leaves(output, Tensor, lambda t: torch.view_as_real(t.resolve_conj()) if t.is_complex() else t)
            if whole
            else output
        )
        refs = self._refs(scores)  # complex ones are none
        if not any(self.values[r.id].tracked for r in leaves(refs, Ref)):
            last = f"the thread ends after {self.ops[-1].place}" if self.ops else "no operation read the input"
            if whole:
                raise ModelError(
                    "An explanation of this output", "complex numbers", "a score is a real number",
                    "Wrap the model so that it returns one: lambda x: model(x).abs(), or .real.",
                )  # fmt: skip
            raise ThreadLost(
                "An explanation of this output", f"that it does not descend from the input: {last}",
                "there is nothing to carry back: a constant output, NumPy, another thread, or a prepacked kernel",
                "pl.record(model, x).show() lists what was recorded; occlusion, which only runs the model, needs no thread.",
            )  # fmt: skip
        returned = {name: tuple(ids) for name, ids in self.returned.items()}
        return Tape(
            tuple(self.ops),
            self.values,
            tuple(self.inputs),
            refs,
            returned,
            transparent,
            numbers=tuple(dict.fromkeys(self.thread.numbers)),
        )
