"""`document`: any result as plain JSON, which one viewer paints in a page, in a report and in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.core.files import finite
from pellucid.errors import InputError
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from . import schema
from .case import case, of_comparison


def document(result: Any) -> dict[str, Any]:
    """A result as plain data for JSON, by the schema in docs/document.md.

    Numbers that are not finite are None. Pictures are inside, as addresses; maps are deflated bytes in base64.

    Raises:
        InputError: it is no result of pellucid.

    Example:
        >>> import torch
        >>> e = Explanation(torch.tensor([[[[2.0, -1.0]]]]), torch.tensor([1.5]), "logit 0", "gradient_x_input", True)
        >>> one = document(e)
        >>> one["kind"], one["title"], one["layers"][0]["values"]
        ('case', 'logit 0 = 1.50', [2.0, -1.0])
    """
    for kind, write in KINDS:
        if isinstance(result, kind):
            made: dict[str, Any] = finite(write(result))
            return made
    found = f"an object of type {type(result).__name__}"
    known = ", ".join(kind.__name__ for kind, _ in KINDS)
    raise InputError("A document", found, "it is no result", f"Pass a result of one of the verbs: {known}.")


def of_explanation(e: Explanation) -> schema.Document:
    """One sample as a case."""
    return case([e])


KINDS: list[tuple[type, Callable[[Any], schema.Document]]] = [(Explanation, of_explanation), (Comparison, of_comparison)]
