"""The script that computes the patch statistics of the photographs that come with the package.

python -m pellucid.methods.perturb.imputers.photographs
"""

from __future__ import annotations

from pellucid import zoo
from pellucid.model import read_picture
from pellucid.zoo.efficientnet import preprocess
from .statistics import Statistics, measured


def photographs() -> Statistics:
    """All photographs of the zoo as its network sees them, black = 0 and white = 1."""
    low, high = preprocess().bounds()
    pictures = [preprocess()(read_picture(path)) for path in zoo.pictures().values()]
    return measured([(picture - low) / (high - low) for picture in pictures], pixels=True)


if __name__ == "__main__":
    print(photographs().save(zoo.patch_statistics()))
