"""Samples that lose one region after the other are the same bits as samples under masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import pellucid as pl
from pellucid.methods.perturb import Along, Entries, Grid
from pellucid.methods.perturb.regions.division import Groups
from pellucid.metrics import Every, Scheme, question
from pellucid.metrics.removal.experiment import Ablation, experiment
from pellucid.metrics.removal.order import by_chance
from pellucid.target import as_target
from tests.cases import CASE

SOME = torch.full((16, 16), -1)
SOME[2:9, 3:12] = torch.arange(63).reshape(7, 9) % 5
DIVISIONS = {
    "plain": {"pixels": Entries(), "cells": Grid(4), "channels": Along(1), "some places": Groups(SOME)},
    "dense": {"columns": Entries()},
    "signal": {"steps": Entries(), "stretches": Grid(5)},
}
FILLS = {"zero": 0.0, "blur": pl.perturb.blur(), "noise": pl.perturb.noise(), "own": lambda x, gone: x.flip(-1)}


TRIED = [(name, parts, fill) for name, known in DIVISIONS.items() for parts in known for fill in FILLS]


@pytest.mark.parametrize("name, parts, fill", [one for one in TRIED if one[::2] != ("dense", "blur")])  # no neighbours there
def test_what_goes_step_by_step_is_what_a_mask_takes_away(name, parts, fill):
    case = CASE[name]
    asked = question(pl.load(case.net()), case.inputs(), as_target(case.target))
    study = experiment(asked, Scheme(DIVISIONS[name][parts], FILLS[fill], Every(1)))
    assert study.steady == (fill in ("zero", "blur"))
    n = study.parts[0].n
    orders = {sample: [by_chance(n, 0, sample), by_chance(n, 1, sample)] for sample in range(3)}
    counts = (1, 2, n // 2, n, 1, n - 1)  # back to the beginning, too
    ablations = [Ablation(sample, order, gone) for sample, both in orders.items() for order in both for gone in counts]
    ablations += [Ablation(2, torch.tensor([1, 0] * n)[:n], 1)]  # a set that no order begins with
    found, rows = study._variants(ablations)
    under, same = replace(study, steady=False)._variants(ablations)
    assert torch.equal(found, under) and list(rows) == list(same)


def test_a_network_that_writes_into_its_input_changes_nothing_of_the_users():
    net, x = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 2)).eval(), torch.randn(3, 4)
    kept = x.clone()
    t = pl.evaluate(net, x, ["gradient"], ["pixel_flipping"], 0)
    assert torch.equal(x, kept) and t.rows[0]["score"] is not None
