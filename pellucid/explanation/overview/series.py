"""What many series say: the mean size of their values at every time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pellucid.errors import InputError
from pellucid.model.modality import Series
from ..explanation import Explanation
from .about import About, few
from .chart import Chart
from .running import Running


@dataclass(frozen=True, eq=False)
class Times:
    """What was collected of many series of one length.

    Arguments:
        names: Of the channels.
        rate: Steps per second; None: not known.
        size: The mean of |value|, with shape (channel, step).
        mean: Of the values themselves.
    """

    names: tuple[str, ...]
    rate: float | None
    size: Running
    mean: Running

    @property
    def n(self) -> int:
        return self.size.n

    def time(self, step: float) -> float:
        """When a step is: seconds, or its number."""
        return step if self.rate is None else step / self.rate

    @property
    def unit(self) -> str:
        return "step" if self.rate is None else "s"


def collect(times: Times | None, e: Explanation) -> Times:
    """What was collected, with the samples of one more explanation.

    Raises:
        InputError: it is of another length.
    """
    values = e.values.detach().cpu().double().numpy()
    values = values if e.signed else np.abs(values)
    if times is None:
        known = e.subject if isinstance(e.subject, Series) else None
        names = known.names if known is not None else tuple(f"channel {n}" for n in range(values.shape[1]))
        return Times(names, None if known is None else known.rate, Running.of(np.abs(values)), Running.of(values))
    if values.shape[1:] != times.size.mean.shape:
        found = f"{' x '.join(map(str, values.shape[1:]))} and {' x '.join(map(str, times.size.mean.shape))} channels and steps"
        do = "Read them at one length: pl.Signal(..., window=(0, 1))."
        raise InputError("a mean over series", found, "a mean at every time is of series of one length", do)
    return replace(times, size=times.size.add(np.abs(values)), mean=times.mean.add(values))


def over_time(times: Times, about: About) -> Chart:
    """The mean size at every time."""
    size, mean = times.size, times.mean.mean
    table = [
        (name, times.time(step), *size.interval(n, step), float(mean[n, step]))
        for n, name in enumerate(times.names)
        for step in range(mean.shape[1])
    ]
    caption = (
        f"The dark line is the mean size of the values by {about.by} over {times.n:,} series, for and against alike; the grey "
        f"band is its 95 % interval{few(times.n, 'series')}."
    )
    if about.signed:
        caption += " The coloured line is the mean with its sign: red speaks for the target, blue against it."
    head = "channel", "steps" if times.rate is None else "seconds", "mean |value|", "low", "high", "mean value"
    title = f"When {about.target} is decided, {times.n:,} series"
    return Chart("over_time", title, caption, head, tuple(table), times, about.warnings, about.provenance)
