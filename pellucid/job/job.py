"""Job: what is computed, as plain data. Equal data means equal results, so that a digest of it identifies a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pellucid.core.files import finite
from pellucid.core.version import __version__
from .items import Items
from .worker import Work

SHARD = 256  # items


@dataclass(frozen=True)
class Job:
    """What is computed for many items, and what computes it.

    Arguments:
        spec: Plain data: model, data, method, target rule, pooling, seed, versions. It alone identifies the job.
        items: The inputs.
        work: Computes rows for items; it can be sent to other processes.
        shard: How many items are written together.
        threads: How many threads one worker computes with; part of the spec, since sums depend on it.

    Example:
        >>> one, other = (Job({"seed": seed}, None, None) for seed in (0, 1))
        >>> one.id == other.id, one.difference(other.data)
        (False, ['seed: 0 here, 1 there'])
    """

    spec: Mapping[str, Any]
    items: Items = field(repr=False, compare=False)
    work: Work = field(repr=False, compare=False)
    shard: int = SHARD
    threads: int = 1

    @property
    def data(self) -> dict[str, Any]:
        """The whole specification: what the work says of itself, and what every run has."""
        versions = {"pellucid": __version__, "torch": torch.__version__}
        whole = {**self.spec, "shard": self.shard, "threads": self.threads, "versions": versions}
        return dict(finite(whole))

    @property
    def json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @property
    def id(self) -> str:
        """The identity of the run: the sha256 of the canonical JSON."""
        return hashlib.sha256(self.json.encode()).hexdigest()

    @property
    def shards(self) -> int:
        return -(-len(self.items) // self.shard)

    def numbers(self, shard: int) -> list[int]:
        """The numbers of the items in a shard."""
        return list(range(shard * self.shard, min((shard + 1) * self.shard, len(self.items))))

    def difference(self, other: Mapping[str, Any]) -> list[str]:
        """In which entries another specification differs, a line each."""
        here, there = flat(self.data), flat(other)
        names = sorted({*here, *there})
        pairs = [(name, here.get(name, "nothing"), there.get(name, "nothing")) for name in names]
        return [f"{name}: {one} here, {other} there" for name, one, other in pairs if one != other]


def flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested data with dotted names.

    Example:
        >>> flat({"model": {"name": "net"}, "seed": 0})
        {'model.name': 'net', 'seed': 0}
    """
    found: dict[str, Any] = {}
    for name, value in data.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found
