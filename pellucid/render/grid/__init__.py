"""A batch as a grid of small panels on one scale, page by page."""

from __future__ import annotations

from .grid import PAGE as PAGE, grid as grid, pages as pages
