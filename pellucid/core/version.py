"""The version of pellucid, as the metadata of the installed package has it: provenance and files carry it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pellucid")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "unknown"
