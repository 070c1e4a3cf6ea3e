"""The scripts that made the arrays need peers that the test suite does not: they are kept, not collected."""

collect_ignore_glob = ["make_*.py"]
