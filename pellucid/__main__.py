"""`python -m pellucid` is `pellucid`."""

from __future__ import annotations

from pellucid.cli import main

if __name__ == "__main__":
    main(prog_name="pellucid")
