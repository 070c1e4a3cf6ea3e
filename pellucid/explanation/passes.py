"""Passes: how often a method is about to run the network on an input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passes:
    """How many samples a method is about to send through the network, forwards and backwards.

    Arguments:
        forward, backward: Their numbers; together they are what `Explanation.forwards` counts afterwards.
        batch: How many samples the method sends through together.
        least: The share of that work which is certain: less than 1 where the method may stop early, or where less than the whole
            network is run for each pass. 0 where nothing can be said of the time.

    Example:
        >>> str(Passes(4001)), str(Passes(66, 64)), str(Passes(482, 480, least=0.07))
        ('4,001 forward passes', '66 forward and 64 backward passes', 'at most 482 forward and 480 backward passes')
    """

    forward: int
    backward: int = 0
    batch: int = 1
    least: float = 1.0

    @property
    def total(self) -> int:
        return self.forward + self.backward

    @property
    def timed(self) -> int:
        """How many of them take time: a backward pass is timed together with its forward pass."""
        return self.backward or self.forward

    def __str__(self) -> str:
        count = f"{self.forward:,} forward and {self.backward:,} backward" if self.backward else f"{self.forward:,} forward"
        return f"{'at most ' if self.least < 1 else ''}{count} passes"
