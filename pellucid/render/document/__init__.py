"""Documents: results as plain JSON, by a versioned schema. What every field means stands in docs/document.md."""

from __future__ import annotations

from .case import case as case
from .kinds import document as document
from .schema import SCHEMA as SCHEMA
