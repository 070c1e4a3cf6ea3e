"""Where: addresses by module, by kind, by order of execution."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pellucid import Where
from pellucid.model.where import inside, nearest


@dataclass(frozen=True)
class Done:
    module: str
    kind: str
    name: str = "op"


OPS = [
    Done("stem", "convolution", "convolution"),
    Done("layer1.0.conv1", "convolution", "convolution"),
    Done("layer1.0", "activation", "relu"),
    Done("layer1.0", "sum", "add"),
    Done("layer10.conv", "convolution", "convolution"),
    Done("", "pool", "mean"),
    Done("head", "dense", "addmm"),
]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Where(), [0, 1, 2, 3, 4, 5, 6]),
        (Where("layer1"), [1, 2, 3]),
        (Where("layer1.*"), [1, 2, 3]),
        (Where("layer*"), [1, 2, 3, 4]),
        (Where("*.conv1"), [1]),
        (Where("*.conv"), [4]),
        (Where("layer1.0.conv1"), [1]),
        (Where("layer1.1"), []),
        (Where(""), [5]),
        (Where("layer[12]"), [1, 2, 3]),
        (Where(op="convolution"), [0, 1, 4]),
        (Where(op="relu"), [2]),
        (Where(op=("convolution", "dense")), [0, 1, 4, 6]),
        (Where("layer1", op="convolution"), [1]),
        (Where(op="convolution", position="first"), [0]),
        (Where(op="convolution", position="last"), [4]),
        (Where(op="convolution", position=1), [1]),
        (Where(op="convolution", position=-2), [1]),
        (Where(op="convolution", position=3), []),
        (Where(op="convolution", position=-4), []),
        (Where("layer1", position="last"), [3]),
        (Where(position="last"), [6]),
        (Where(op="softmax", position="first"), []),
    ],
    ids=str,
)
def test_an_address_finds_what_it_names_in_the_order_given(where: Where, found: list[int]):
    assert [OPS.index(op) for op in where.pick(OPS)] == found


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Where(), "anything"),
        (Where("layer4.*", op="convolution"), "convolution in layer4.*"),
        (Where(op=("convolution", "dense"), position="first"), "first convolution or dense"),
        (Where(op="dense", position=-2), "number -2 of dense"),
        (Where("head"), "anything in head"),
    ],
    ids=str,
)
def test_an_address_reads_as_it_is_said(where: Where, said: str):
    assert str(where) == said


@pytest.mark.parametrize("position", ["second", "FIRST", ""])
def test_a_position_is_first_last_or_an_index(position: str):
    with pytest.raises(ValueError, match='position is "first", "last", an index or None'):
        Where(position=position)


def test_addresses_are_values():
    assert Where("a", op="dense") == Where("a", op="dense")
    assert len({Where("a"), Where("a"), Where("b")}) == 2


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [
        ("layer4.0.conv1", "layer4", True),
        ("layer4.0.conv1", "layer4.0", True),
        ("layer4.0.conv1", "layer4.1", False),
        ("layer4.0.conv1", "conv1", False),
        ("layer4.0.conv1", "*conv1", True),
        ("layer40.conv", "layer4", False),
        ("layer40.conv", "layer4?", True),
        ("Layer4", "layer4", False),
        ("", "", True),
        ("a", "", False),
        ("", "*", True),
    ],
)
def test_a_pattern_covers_what_is_inside_the_modules_it_names(path: str, pattern: str, found: bool):
    assert inside(path, pattern) is found


def test_the_nearest_names_are_three_and_in_order():
    names = ["layer1", "layer2", "layer3", "head", "stem"]
    assert nearest("layer", names)[0].startswith("layer") and len(nearest("layer", names)) == 3
    assert nearest("HEAD", names)[0] == "head"
    assert nearest("x", []) == []
