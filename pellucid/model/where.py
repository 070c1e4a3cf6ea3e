"""Where: an address of operations by module path, kind and position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar


class Placed(Protocol):
    """Anything that happened somewhere: an operation with a module path, a kind and a name."""

    @property
    def module(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=Placed)


@dataclass(frozen=True)
class Where:
    """Which operations are meant.

    Arguments:
        module: A module path or glob. It also covers everything inside the modules it names, as `layer4` covers
            `layer4.0.conv1`. None: any module.
        op: A kind ("convolution", "dense", "pool", "activation", ...) or the name of an operation ("relu",
            "grid_sampler_2d"), or several of them. None: any.
        position: "first", "last" or an index among the operations that match, in the order in which they ran on the
            path from the input to the target. None: all of them.

    Example:
        >>> print(Where("layer4.*", op="convolution"))
        convolution in layer4.*
        >>> print(Where(op=("convolution", "dense"), position="first"))
        first convolution or dense
    """

    module: str | None = None
    op: str | tuple[str, ...] | None = None
    position: str | int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.position, str) and self.position not in ("first", "last"):
            raise ValueError(f'position is "first", "last", an index or None, not {self.position!r}')

    @property
    def ops(self) -> tuple[str, ...]:
        return (self.op,) if isinstance(self.op, str) else tuple(self.op or ())

    def covers(self, op: Placed) -> bool:
        """Whether `op` is of the kind and in the module named, wherever it stands in order."""
        return (self.op is None or bool({op.kind, op.name} & set(self.ops))) and (
            self.module is None or inside(op.module, self.module)
        )

    def pick(self, ops: Iterable[P]) -> list[P]:
        """Those of `ops`, given in the order they ran, that are meant."""
        matches = [op for op in ops if self.covers(op)]
        if self.position is None:
            return matches
        index = {"first": 0, "last": -1}.get(str(self.position), self.position)
        assert isinstance(index, int)
        return matches[index : index + 1 or None] if -len(matches) <= index < len(matches) else []

    def __str__(self) -> str:
        what = " or ".join(self.ops) or "anything"
        number = "" if self.position is None else f"number {self.position} of "
        order = f"{self.position} " if isinstance(self.position, str) else number
        return f"{order}{what}" + (f" in {self.module}" if self.module is not None else "")


def inside(path: str, pattern: str) -> bool:
    """Whether a module path, or one of the modules around it, matches the glob.

    Example:
        >>> inside("layer4.0.conv1", "layer4"), inside("layer4.0.conv1", "*.conv1"), inside("layer41.conv", "layer4")
        (True, True, False)
    """
    parts = path.split(".")
    return any(fnmatchcase(".".join(parts[: n + 1]), pattern) for n in range(len(parts)))


def nearest(name: str, names: Sequence[str], n: int = 3) -> list[str]:
    """The names that look most like `name`, for error messages that help."""
    lowered = {known.lower(): known for known in names}
    return [lowered[match] for match in get_close_matches(name.lower(), list(lowered), n=n, cutoff=0.0)]
