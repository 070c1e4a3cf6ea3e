"""What the classes are called."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def imagenet() -> tuple[str, ...]:
    """The 1000 classes of ImageNet (ILSVRC 2012) in the order of their indices, under short names.

    Example:
        >>> imagenet()[285], imagenet()[504]
        ('Egyptian cat', 'coffee mug')
    """
    return tuple(Path(__file__).with_name("imagenet.txt").read_text(encoding="utf-8").splitlines())
