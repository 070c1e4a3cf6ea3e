"""Forests of decision trees: all trees walked at once, a level at a time. Their outputs are steps, which have no slope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..operation import Node, operation
from .features import ML
from .linear_models import labelled, transformed

COMPARED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "BRANCH_LEQ": torch.le, "BRANCH_LT": torch.lt, "BRANCH_GTE": torch.ge,
    "BRANCH_GT": torch.gt, "BRANCH_EQ": torch.eq, "BRANCH_NEQ": torch.ne,
}  # fmt: skip
MODES = (*COMPARED, "BRANCH_MEMBER", "LEAF")
MEMBER, LEAF = MODES.index("BRANCH_MEMBER"), MODES.index("LEAF")


@dataclass(frozen=True)
class Forest:
    """Trees as tables with a row per node; a leaf leads to itself.

    Arguments:
        roots: Where each tree starts.
        modes: How a node compares: a place in `MODES`.
        columns: What it compares.
        splits: What with.
        members: What with, where it is a set; filled up with NaN.
        yes, no: Where it leads.
        missing: Whether a missing value holds.
        weights: What a leaf says, a column per target.
        compared: The modes that there are.
        depth: Of the deepest tree.
    """

    roots: Tensor
    modes: Tensor
    columns: Tensor
    splits: Tensor
    members: Tensor
    yes: Tensor
    no: Tensor
    missing: Tensor
    weights: Tensor
    compared: tuple[int, ...] = ()
    depth: int = 0

    def to(self, device: torch.device) -> Forest:
        moved: dict[str, Any] = {name: one.to(device) for name, one in vars(self).items() if isinstance(one, Tensor)}
        return replace(self, **moved)

    def leaves(self, x: Tensor) -> Tensor:
        """Where each row of a table ends, with shape (rows, trees)."""
        at = self.roots.expand(len(x), -1)
        for _ in range(self.depth):
            at = torch.where(self._holds(x.gather(1, self.columns[at]), at), self.yes[at], self.no[at])
        return at

    def _holds(self, x: Tensor, at: Tensor) -> Tensor:
        modes, splits = self.modes[at], self.splits[at]
        held = self.missing[at] & x.isnan()
        for mode in self.compared:
            same = COMPARED[MODES[mode]](x, splits) if mode < MEMBER else (x[..., None] == self.members[at]).any(-1)
            held = held | ((modes == mode) & same)
        return held


@operation("TreeEnsembleRegressor", domain=ML)
def tree_regressor(node: Node, x: Tensor) -> Tensor:
    forest = _forest(node, lambda: _older(node, "target", node.get("n_targets"))).to(x.device)
    made = _aggregated(forest, x, node.get("aggregate_function", "SUM"))
    return transformed(node, made + _base(node, made)).float()


@operation("TreeEnsembleClassifier", domain=ML)
def tree_classifier(node: Node, x: Tensor) -> tuple[Any, Tensor]:
    """The class with the highest sum over all trees, and the sums; of two classes there may be the score of the second alone."""
    names = node.get("classlabels_strings") or node.get("classlabels_int64s")
    forest = _forest(node, lambda: _older(node, "class", len(names))).to(x.device)
    scores = _aggregated(forest, x, "SUM")
    base = _base(node, scores)
    if len(names) == 2 and not any(node.get("class_ids")) and base.numel() < 2:  # the score of the second class alone
        rest = bool((_either(node, "class_weights") >= 0).all())
        label, made = labelled(node, scores[:, :1] + base, threshold=0.5 if rest else 0.0, of_two="rest" if rest else "opposite")
        return label, made.float()
    label, made = labelled(node, scores + base, threshold=0.0)
    return label, made.float()


@operation("TreeEnsemble", domain=ML)
def tree_ensemble(node: Node, x: Tensor) -> Tensor:
    forest = _forest(node, lambda: _newer(node)).to(x.device)
    made = _aggregated(forest, x, ("AVERAGE", "SUM", "MIN", "MAX")[node.get("aggregate_function", 1)])
    return transformed(node, made).to(x.dtype)


def _aggregated(forest: Forest, x: Tensor, how: str) -> Tensor:
    """What the leaves say of every target, over all trees; zero where none says anything."""
    x = x if x.is_floating_point() else x.float()
    said = forest.weights[forest.leaves(x)]
    if how in ("MIN", "MAX"):
        empty = torch.inf if how == "MIN" else -torch.inf
        found = said.masked_fill(said.isnan(), empty)
        best = found.amin(1) if how == "MIN" else found.amax(1)
        return best.masked_fill(best == empty, 0.0)
    total = said.nan_to_num(0.0).sum(1)
    return total / len(forest.roots) if how == "AVERAGE" else total


def _base(node: Node, like: Tensor) -> Tensor:
    given = _either(node, "base_values")
    return given.to(like) if given.numel() else like.new_zeros(())


_FORESTS: WeakKeyDictionary[Node, Forest] = WeakKeyDictionary()


def _forest(node: Node, make: Callable[[], Forest]) -> Forest:
    """The tables of a node, made once."""
    if node not in _FORESTS:
        _FORESTS[node] = make()
    return _FORESTS[node]


def _older(node: Node, what: str, targets: int) -> Forest:
    """From nodes and leaves in one list, which are named by their tree and their number in it."""
    trees, numbers = node.get("nodes_treeids"), node.get("nodes_nodeids")
    place = {name: at for at, name in enumerate(zip(trees, numbers, strict=True))}
    modes = torch.tensor([MODES.index(mode) for mode in node.get("nodes_modes")])
    own = torch.arange(len(modes))
    yes, no = (
        torch.where(modes == LEAF, own, torch.tensor([place.get(name, 0) for name in zip(trees, node.get(way), strict=True)]))
        for way in ("nodes_truenodeids", "nodes_falsenodeids")
    )
    leaves = [place[name] for name in zip(node.get(f"{what}_treeids"), node.get(f"{what}_nodeids"), strict=True)]
    splits, said = _either(node, "nodes_values"), _either(node, f"{what}_weights")
    weights = _weights(len(modes), targets, leaves, node.get(f"{what}_ids"), said)
    inner = {child for ends in (yes, no) for child in ends[modes != LEAF].tolist()}
    roots = [at for at in range(len(modes)) if at not in inner]
    return _measured(Forest(
        torch.tensor(roots), modes, torch.tensor(node.get("nodes_featureids")), splits, splits.new_empty(len(modes), 0),
        yes, no, _missing(node, len(modes)), weights,
    ))  # fmt: skip


def _newer(node: Node) -> Forest:
    """From a list of nodes and one of leaves; these follow those."""
    modes = node.get("nodes_modes").long()
    inner, said = len(modes), node.get("leaf_weights")
    leaves = inner + torch.arange(len(said))
    yes, no = (
        torch.cat([torch.tensor(node.get(f"nodes_{way}nodeids")) + inner * torch.tensor(node.get(f"nodes_{way}leafs")), leaves])
        for way in ("true", "false")
    )
    fill = torch.zeros(len(said), dtype=torch.int64)
    splits = torch.cat([node.get("nodes_splits"), fill.to(said.dtype)])
    columns = torch.cat([torch.tensor(node.get("nodes_featureids")), fill])
    weights = _weights(len(splits), node.get("n_targets"), leaves.tolist(), node.get("leaf_targetids"), said)
    return _measured(Forest(
        torch.tensor(node.get("tree_roots")), torch.cat([modes, fill + LEAF]), columns, splits,
        _members(node, modes, len(splits)), yes, no, _missing(node, len(splits)), weights,
    ))  # fmt: skip


def _members(node: Node, modes: Tensor, count: int) -> Tensor:
    """The sets that nodes compare with; in the file they follow each other, with NaN between."""
    values: Tensor | None = node.get("membership_values")
    if values is None:
        return torch.empty(count, 0)
    ends = values.isnan().nonzero().flatten().tolist()
    sets = [values[start + 1 : end] for start, end in pairwise([-1, *ends, len(values)])]
    table = values.new_full((count, max(map(len, sets))), torch.nan)
    for at, members in zip((modes == MEMBER).nonzero().flatten().tolist(), sets, strict=False):
        table[at, : len(members)] = members
    return table


def _weights(nodes: int, targets: int, leaves: Sequence[int], columns: Sequence[int], said: Tensor) -> Tensor:
    """What each node says of each target; NaN where nothing."""
    at = torch.tensor(leaves) * targets + torch.tensor(columns)
    total: Tensor = said.new_zeros(nodes * targets).index_add(0, at, said)
    silent = torch.ones(nodes * targets, dtype=torch.bool).index_fill(0, at, False)
    return total.masked_fill(silent, torch.nan).view(nodes, targets)


def _missing(node: Node, count: int) -> Tensor:
    given = torch.tensor(node.get("nodes_missing_value_tracks_true", [])).bool()
    return torch.cat([given, torch.zeros(count - len(given), dtype=torch.bool)])


def _either(node: Node, name: str) -> Tensor:
    """Numbers of a list, or in double precision of a tensor; none where the file has neither."""
    wide: Tensor | None = node.get(f"{name}_as_tensor")
    return torch.tensor(node.get(name, [])) if wide is None else wide


def _measured(forest: Forest) -> Forest:
    """With the ways to compare, and the depth, found by walking all ways at once.

    Raises:
        ValueError: A way does not end.
    """
    at = forest.roots
    for depth in range(len(forest.modes) + 1):
        at = at[forest.modes[at] != LEAF]
        if not len(at):
            return replace(forest, compared=tuple({*forest.modes.tolist()} - {LEAF}), depth=depth)
        at = torch.cat([forest.yes[at], forest.no[at]]).unique()  # type: ignore[no-untyped-call]
    raise ValueError("a tree that leads back to itself")
