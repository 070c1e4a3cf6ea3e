"""The files of the page: markup, script and style, as they come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from .settings import Settings

TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
NAMES = frozenset({"page.js", "page.css"})  # what may be asked for; everything else does not exist
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>pellucid: {name}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/page.css">
<script src="/static/page.js" defer></script>
</head>
<body data-profile="{profile}">
<main id="viewer"><noscript>This page needs scripts; they come from this server alone.</noscript></main>
</body>
</html>
"""


@dataclass(frozen=True)
class Asset:
    """A file and its type."""

    content: bytes
    media_type: str


@cache
def find(name: str) -> Asset | None:
    """A file of the page; None where there is none of that name."""
    if name not in NAMES:
        return None
    suffix = name[name.rindex(".") :]
    return Asset((files("pellucid.serve") / "static" / name).read_bytes(), TYPES[suffix])


def page(settings: Settings) -> str:
    """The markup, which holds nothing that is secret."""
    return PAGE.format(name=escape(settings.name), profile=settings.profile)
