"""Many explanations at a glance: what was collected of them, and the charts that it makes."""

from __future__ import annotations

from .chart import Chart as Chart
from .confusion import Confusion as Confusion
from .overview import Overview as Overview, overview_of as overview_of
