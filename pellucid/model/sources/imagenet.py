"""The names of the classes of ImageNet."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def class_names() -> tuple[str, ...]:
    """The 1000 classes of ImageNet (ILSVRC 2012) in the order of their indices, under short names.

    Example:
        >>> class_names()[285], class_names()[504]
        ('Egyptian cat', 'coffee mug')
    """
    return tuple(Path(__file__).with_name("imagenet.txt").read_text(encoding="utf-8").splitlines())
