"""Does a map mark what is seen, or what hides it? The suite `hidden-parts`, asked about candidates for the default of `lrp`.

    python bench/hidden_parts.py [--seeds 0 1 2] [--methods NAME ...] [--out FILE]

What is measured, and on what: `pellucid.hidden_parts`, `pellucid evaluate --suite hidden-parts`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from candidates import CANDIDATES, method

import pellucid as pl

BASELINES = ("gradient", "sensitivity", "gradient_x_input")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="*", help="candidates, or names of the catalogue; default: all of them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="table.csv, .json or .md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = options.methods or [*BASELINES, *CANDIDATES]
    found = pl.hidden_parts({name: method(name) for name in names}, seeds=options.seeds)
    print(found)
    if options.out:
        found.save(options.out)


if __name__ == "__main__":
    main()
