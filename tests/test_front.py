"""The front of the package: every public name stands once, and is there for users, type checkers and editors."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import pellucid as pl
from pellucid.catalogue import METHODS
from pellucid.core.lazy import public


@pytest.mark.parametrize("package", [pl, pl.synth], ids=["pellucid", "synth"])
def test_every_name_can_be_had_and_is_listed_once(package: ModuleType):
    assert len(package.__all__) == len(set(package.__all__))
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


def test_the_folder_of_methods_can_be_called():
    assert [entry.name for entry in pl.methods()][: len(METHODS)] == [entry.name for entry in METHODS]
    assert pl.methods.lrp is pl.lrp and pl.suite.hidden_parts is pl.hidden_parts


def test_names_cost_nothing_before_they_are_used():
    code = "import sys, pellucid, pellucid.synth; dir(pellucid), pellucid.__all__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_public_names_are_told_from_what_is_only_needed():
    text = "from .a import b as b\nfrom .c import d\nfrom .e import F\n\ng = d\nh: F  # callable\n"
    assert public(text) == {"b": (".a", "b"), "g": (".c", "d"), "h": (".", "h")}
