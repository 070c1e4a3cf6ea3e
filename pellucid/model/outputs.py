"""Nested arguments and outputs (dicts, tuples, lists, dataclasses): the tensors inside, the main one, and the one at a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar

import torch
from torch import Tensor

from pellucid.errors import TargetError

T = TypeVar("T")
MAIN = ("logits", "out", "output", "prediction", "predictions")
PLAIN = frozenset({int, float, bool, str, type(None), torch.dtype, torch.device})


def named_items(tree: Any) -> list[tuple[str, Any]] | None:
    """What a container holds, by name; None for what is no container. Dicts (Hugging Face's `ModelOutput` is one), dataclasses,
    tuples with names, tuples and lists.

    Example:
        >>> named_items({"logits": 1, "aux": 2}), named_items((3, 4)), named_items("five")
        ([('logits', 1), ('aux', 2)], [('0', 3), ('1', 4)], None)
    """
    if isinstance(tree, dict):
        return [(str(name), item) for name, item in tree.items()]
    if isinstance(tree, (tuple, list)):
        names: Sequence[str] = getattr(tree, "_fields", ()) or [str(n) for n in range(len(tree))]
        return list(zip(names, tree, strict=True))
    if is_dataclass(tree) and not isinstance(tree, type):
        return [(field.name, getattr(tree, field.name)) for field in fields(tree)]
    return None


def with_items(tree: Any, items: Sequence[Any]) -> Any:
    """A container of the same kind with other things in it, in the order of `named_items`.

    Example:
        >>> with_items({"a": 1, "b": 2}, [3, 4]), with_items((1, 2), "xy")
        ({'a': 3, 'b': 4}, ('x', 'y'))
    """
    if isinstance(tree, dict):
        made = copy(tree)
        for name, item in zip(tree, items, strict=True):
            made[name] = item
        return made
    if isinstance(tree, (tuple, list)):
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return replace(tree, **{field.name: item for field, item in zip(fields(tree), items, strict=True)})


def rebuild(tree: Any, kind: type[T], change: Callable[[T], Any]) -> Any:
    """The same tree with everything of a kind changed, every container still what it was, so that code that reads it goes on."""
    if isinstance(tree, kind):
        return change(tree)
    items = named_items(tree)
    return tree if items is None else with_items(tree, [rebuild(item, kind, change) for _, item in items])


def entries(tree: Any, kind: type[T], path: str = "") -> Iterator[tuple[str, T]]:
    """Everything of a kind inside, by its path: names and numbers with dots between them."""
    if isinstance(tree, kind):
        yield path, tree
        return
    for name, item in named_items(tree) or ():
        yield from entries(item, kind, f"{path}.{name}" if path else name)


def leaves(tree: Any, kind: type[T]) -> Iterator[T]:
    """Everything of that kind inside, in order.

    Example:
        >>> list(leaves({"a": 1, "b": [2, "x", (3,)]}, int))
        [1, 2, 3]
    """
    found: list[T] = []
    _gather(tree, kind, found, PLAIN - {kind})
    return iter(found)


def _gather(tree: Any, kind: type[T], found: list[T], plain: frozenset[Any]) -> None:
    if isinstance(tree, kind):
        found.append(tree)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            if type(item) not in plain:  # nearly all are: a call for each of them would be most of the work
                _gather(item, kind, found, plain)
    elif isinstance(tree, dict):
        for item in tree.values():
            _gather(item, kind, found, plain)
    elif is_dataclass(tree):
        for _, item in named_items(tree) or ():
            _gather(item, kind, found, plain)


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor inside."""
    found: list[Tensor] = []
    _gather(tree, Tensor, found, PLAIN)
    return iter(found)


def map_leaves(tree: Any, kind: type[T], change: Callable[[T], Any]) -> Any:
    """The same tree with everything of that kind changed; sequences become tuples, what has names becomes a dict."""
    return _mapped(tree, kind, change, PLAIN - {kind})


def _mapped(tree: Any, kind: type[T], change: Callable[[T], Any], plain: frozenset[Any]) -> Any:
    if isinstance(tree, kind):
        return change(tree)
    if hasattr(tree, "_fields") or (is_dataclass(tree) and not isinstance(tree, dict)):
        return {key: _mapped(item, kind, change, plain) for key, item in named_items(tree) or ()} or tree
    if isinstance(tree, (tuple, list)):
        return tuple([item if type(item) in plain else _mapped(item, kind, change, plain) for item in tree])
    if isinstance(tree, dict):
        return {key: _mapped(item, kind, change, plain) for key, item in tree.items()}
    return tree


def main(candidates: Sequence[tuple[str, T]]) -> T:
    """The main one: the logits where there are several, else the first. Names count wherever they stand, the outermost first."""
    outermost = sorted(candidates, key=lambda entry: entry[0].count("."))
    by_name = {path.rpartition(".")[2]: found for path, found in reversed(outermost)}
    return next((by_name[name] for name in MAIN if name in by_name), candidates[0][1])


def main_output(output: Any) -> Tensor:
    """The main one among the tensors that a model returned: the logits where there are several, else the first of real numbers.

    Raises:
        TargetError: there is no tensor inside, or one set of tensors per sample, as detectors return them.
    """
    found = list(entries(output, Tensor))
    check_samples(output, [path for path, _ in found])
    real = [entry for entry in found if entry[1].is_floating_point()] or found
    if not real:
        raise TargetError(
            "A target", f"an output of type {type(output).__name__} with no tensor inside", "targets are read from tensors",
            "Let the model return a tensor, or a tuple, dict or dataclass of them: pl.load(lambda x: net(x).scores).",
        )  # fmt: skip
    return main(real)


def with_batch_axis(output: Any, samples: int) -> Any:
    """What a model returned for one sample, with the axis of the samples where a `.squeeze()` took it away with the others.

    Example:
        >>> with_batch_axis(torch.tensor(2.0), 1), with_batch_axis(torch.tensor([2.0, 3.0]), 1).shape
        (tensor([2.]), torch.Size([1, 2]))
    """
    if samples != 1 or not any(map(_lacks_batch_axis, tensors(output))):
        return output
    return rebuild(output, Tensor, lambda t: t.unsqueeze(0) if _lacks_batch_axis(t) else t)


def _lacks_batch_axis(t: Tensor) -> bool:
    """Whether this cannot be one number, or one list of numbers, for each of one sample."""
    return t.is_floating_point() and (t.dim() == 0 or (t.dim() == 1 and len(t) != 1))


def check_samples(output: Any, paths: Sequence[str]) -> None:
    """Refuse a list with a dict for each sample, as torchvision's detectors return: its boxes have no fixed place.

    Raises:
        TargetError: that is what the model returned.
    """
    several = isinstance(output, (list, tuple)) and len(output) > 0 and all(isinstance(item, dict) for item in output)
    if several and {path.partition(".")[2] for path in paths} >= {"boxes", "scores"}:
        raise TargetError(
            "A target", f"a list of {len(output)} dict(s) of {', '.join(output[0])}: a detector's boxes, sorted and suppressed",
            "the order of the boxes changes with the input, so that no entry is one function of it",
            "Explain the scores before that: load a function that returns them as (batch, boxes, classes) and use "
            "pl.detection(box, class), or read a layer, such as pl.channel('head.classification_head', class).",
        )  # fmt: skip


def part(candidates: Sequence[tuple[str, T]], path: str) -> T:
    """The one at a path; its last name is enough where no other has it.

    Raises:
        TargetError: no input has that name, or several are.

    Example:
        >>> part([("logits", 1), ("aux.logits", 2), ("aux.boxes", 3)], "boxes")
        3
    """
    exact = [found for name, found in candidates if name == path]
    ending = [found for name, found in candidates if name.endswith(f".{path}")]
    if len(exact) == 1 or len(ending) == 1:
        return (exact if len(exact) == 1 else ending)[0]
    names = [name or "the output itself" for name, _ in candidates]
    near = get_close_matches(path, names, n=1)
    raise TargetError(
        f'the part "{path}" of the output', f"{len(ending)} of that name" if ending else f"the parts {', '.join(names)}",
        "the name has to be unique", f'Name one by its path{f", such as {near[0]!r}" if near else ""}.',
    )  # fmt: skip
