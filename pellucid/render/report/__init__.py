"""Reports: results as one HTML file that opens anywhere, with a still page for readers without scripts."""

from __future__ import annotations

from .page import html as html
from .report import Report as Report, report as report
from .results import comparison_page as comparison_page, page as page, result_page as result_page
