"""Origin: how a model was loaded, in expressions of Python, so that results can say how to load it again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 2000  # characters of an argument


@dataclass(frozen=True, eq=False)
class Origin:
    """The call of `load` that makes a model again.

    Arguments:
        arguments: By name, each an expression: {"source": "'net.onnx'", "trust": "True"}.
        forward, preprocess: Of the model that was made: one that was changed since is another.
        imports: Modules that the expressions need besides pellucid.
    """

    arguments: Mapping[str, str]
    forward: Callable[..., Any]
    preprocess: Any = None
    imports: tuple[str, ...] = ()

    def holds(self, model: Any) -> bool:
        """Whether a `Model` is still as it was loaded."""
        return model.forward is self.forward and model.preprocess is self.preprocess


def origin(
    source: Any, model: Any, *, preprocess: Any, labels: Sequence[str] | None, builder: Any, trust: bool, dtype: Any
) -> Origin | None:
    """How a model was loaded from a name or a file; None where an argument has no expression."""
    if not isinstance(source, (str, os.PathLike)) or preprocess is not None:
        return None
    arguments = {"source": repr(os.fspath(source))}
    arguments |= {"trust": "True"} if trust else {}
    arguments |= {"dtype": repr(str(dtype).removeprefix("torch."))} if dtype is not None else {}
    arguments |= {"labels": repr(list(labels))} if labels is not None else {}
    imports: tuple[str, ...] = ()
    if builder is not None:
        name, module = getattr(builder, "__qualname__", "<"), getattr(builder, "__module__", "__main__")
        if "<" in name or module == "__main__":
            return None
        arguments["builder"], imports = f"{module}.{name}", (module,)
    short = all(len(code) <= LONGEST for code in arguments.values())
    return Origin(arguments, model.forward, model.preprocess, imports) if short else None
