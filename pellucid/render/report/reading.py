"""Results that were saved, as documents: explanations whole, documents as they are, pictures with what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from pellucid.core.files import parse_json
from pellucid.errors import OutputError
from pellucid.explanation.explanation import Explanation
from ..document import SCHEMA
from ..document.encoding import address

LARGEST = 1000  # pixels along the longer side of a picture that holds a result
DATA = re.compile(r'<script type="application/json" id="document">(.*?)</script>', re.DOTALL)
KINDS = ("case", "report", "concepts", "maximize", "examples", "evaluation", "card", "verification", "hiding")
ALSO = "Save the result as .safetensors or .html, and name that file."


def read(path: Path) -> dict[str, Any] | Explanation:
    """The explanation or the document of a file.

    Raises:
        OutputError: there is no such file, or it holds no result that can be shown.
    """
    asked = f"report {path}"
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise OutputError(asked, found, "a report is made of results in files", "Name files that pellucid saved.")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise OutputError(
            asked, f"the suffix {suffix or 'none'}", "such files hold no result", f"Name files that end in {known}."
        )
    return READERS[suffix](path, asked)


def from_tensors(path: Path, asked: str) -> Explanation:
    return Explanation.load(path)


def from_json(path: Path, asked: str) -> dict[str, Any]:
    try:
        data = parse_json(path.read_bytes())
    except ValueError as error:
        raise OutputError(asked, f"no JSON ({error})", "it cannot be read", ALSO) from None
    return checked(data, asked)


def from_page(path: Path, asked: str) -> dict[str, Any]:
    found = DATA.search(path.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        why = "pages saved with script=False, and pages of others, do not"
        raise OutputError(asked, "a page that holds no document", why, ALSO)
    try:
        return checked(parse_json(found[1]), asked)
    except ValueError as error:
        raise OutputError(asked, f"a document that is no JSON ({error})", "the page is damaged", ALSO) from None


def checked(data: Any, asked: str) -> dict[str, Any]:
    """A document of a version and kind that is known."""
    if not isinstance(data, dict) or "schema" not in data or "kind" not in data:
        found, why = "JSON that is no document", "a summary (.json of an explanation) has no values to show"
        raise OutputError(asked, found, why, ALSO)
    if data["schema"] != SCHEMA or data["kind"] not in KINDS:
        found = f"a document of schema {str(data['schema'])[:20]!r} and kind {str(data['kind'])[:20]!r}"
        known = f"this version reads schema {SCHEMA}: {', '.join(KINDS)}"
        raise OutputError(asked, found, known, "Save the result again with this version.")
    return data


def from_png(path: Path, asked: str) -> dict[str, Any]:
    """A page with the picture, the caption and the provenance in it."""
    try:
        with Image.open(path) as opened:
            text = dict(getattr(opened, "text", {}))
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise OutputError(asked, f"no picture ({type(error).__name__})", "it is damaged", ALSO) from None
    if "provenance" not in text:
        found, why = "a picture without a provenance", "it was not written by pellucid, or another program took it out"
        raise OutputError(asked, found, why, ALSO)
    caption, provenance = text.get("Description", ""), parse_json(text["provenance"])
    figure = {
        "title": "", "caption": caption, "svg": None, "src": address(picture, LARGEST), "alt": caption,
        "table": {"head": [], "rows": []},
    }  # fmt: skip
    note = "This page is made of a picture: values, regions and ledger are in the .safetensors file of the same result."
    return {
        "schema": SCHEMA, "kind": "card", "title": path.stem, "sentence": "", "notes": [note], "warnings": [],
        "provenance": provenance if isinstance(provenance, dict) else {}, "command": {"cli": None, "python": ""},
        "figures": [figure], "sections": [],
    }  # fmt: skip


READERS: dict[str, Callable[[Path, str], dict[str, Any] | Explanation]] = {
    ".safetensors": from_tensors, ".json": from_json, ".html": from_page, ".png": from_png,
}  # fmt: skip
