"""What a browser may run, load and apply in a page: a strict content security policy with a digest per script and style sheet."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pellucid.errors.printable import escaped


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """The policy of a page with these inline scripts and style sheets, and nothing else: no request leaves the file.

    Example:
        >>> policy([], [])
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"
    """
    rules = ["default-src 'none'", "img-src data:"]
    rules += [f"script-src {' '.join(map(digest, scripts))}"] if scripts else []
    rules += [f"style-src {' '.join(map(digest, styles))}"] if styles else []
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def digest(text: str) -> str:
    """The source expression of an inline block with exactly this text.

    Example:
        >>> digest("")
        "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def data_block(document: Mapping[str, Any]) -> str:
    """A document as JSON that can stand inside a script element, whatever texts it holds.

    Example:
        >>> print(data_block({"label": "</script>"}))
        {"label":"\\u003c/script>"}
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return escaped(text).replace("<", "\\u003c")  # so that no text ends the element, and none is changed when it is written
