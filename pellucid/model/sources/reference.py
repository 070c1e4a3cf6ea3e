"""A model of a hub by name, KIND:NAME, with where its weights come from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import torch

from pellucid.errors import ModelError

SEED = 0  # of random weights: the same name is the same network


@dataclass(frozen=True)
class Reference:
    """What was asked for.

    Arguments:
        kind: "timm", "torchvision", "hf" or "gguf".
        name: The architecture there, or the model.
        weights: Where the numbers come from, if not from the hub: a file; for torchvision the name of one of its weights, for
            hf a revision.
        random: Whether the weights are to be drawn at random (seed 0): nothing is fetched then.
        dtype: Which type the numbers are to have; None: that of the file.

    Example:
        >>> Reference.parse("timm:resnet50@mine.safetensors")
        Reference(kind='timm', name='resnet50', weights='mine.safetensors', random=False)
        >>> print(Reference.parse("torchvision:vgg16?random"))
        torchvision:vgg16?random
    """

    kind: str
    name: str
    weights: str | None = None
    random: bool = False
    dtype: torch.dtype | None = field(default=torch.float32, repr=False)

    @classmethod
    def parse(cls, text: str) -> Reference:
        kind, _, rest = text.partition(":")
        if kind == "gguf" and rest:  # a path, which may have any sign in it
            return cls(kind, rest)
        named, mark, option = rest.partition("?")
        if mark and option not in ("random", "pretrained"):
            do = f"Ask for {kind}:{named}?random, or {kind}:{named} for trained weights."
            raise ModelError(f"model {text}", f"the option {option!r}", "only ?random and ?pretrained exist", do)
        name, at, weights = named.partition("@")
        name = name.removesuffix("/") if kind == "hf" and not Path(name).exists() else name
        if not name or (at and not weights) or (weights and option == "random"):
            why = "a file of weights and random ones exclude each other" if name and weights else "a part of it is empty"
            do = f"Write {kind}:NAME, {kind}:NAME@WEIGHTS or {kind}:NAME?random."
            raise ModelError(f"model {text}", "no complete name", why, do)
        return cls(kind, name, weights or None, option == "random")

    @property
    def file(self) -> Path | None:
        """The file of weights that was named, where `weights` looks like one."""
        if self.weights is None:
            return None
        path = Path(self.weights).expanduser()
        return path if path.exists() or re.search(r"[/\\]|\.(safetensors|pth?|ckpt|bin)$", self.weights) else None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"@{self.weights}" if self.weights else "") + ("?random" if self.random else "")
