"""The same network gives the same map, however it is packed, written or batched: <= 1e-5 of the greatest entry, everywhere in the
map.
"""

from __future__ import annotations

import pytest
import torch

import pellucid as pl
from tests.cases import CONTAINERS, Case, contained, difference, each_case, each_method, expected, made, precision

BOUND = 1e-5


WIRINGS = [(container, inplace) for inplace in (False, True) for container in CONTAINERS if inplace or container != "eager"]
each_wiring = pytest.mark.parametrize(("container", "inplace"), WIRINGS, ids=[f"{c}{', in place' * i}" for c, i in WIRINGS])


@each_wiring
@each_method
@each_case
def test_eager_is_scripted_is_traced_is_exported_in_place_or_not(case: Case, method: str, container: str, inplace: bool):
    dtype = precision(case, method)
    net = contained(container, case, dtype, inplace)
    e = pl.explain(net, case.inputs(dtype), target=case.target, method=made(method))
    assert difference(e.values, expected(case, method, dtype).values) <= BOUND
    assert difference(e.output[:, None], expected(case, method, dtype).output[:, None]) <= BOUND


@each_method
@each_case
def test_a_sample_alone_is_explained_as_in_a_batch(case: Case, method: str):
    dtype = precision(case, method)
    net, x = case.net(dtype), case.inputs(dtype)
    alone = torch.cat([pl.explain(net, x[i : i + 1], target=case.target, method=made(method)).values for i in range(len(x))])
    assert difference(alone, expected(case, method, dtype).values) <= BOUND


@each_method
@each_case
def test_the_order_of_a_batch_is_no_matter(case: Case, method: str):
    dtype = precision(case, method)
    order = torch.tensor([2, 0, 1])
    e = pl.explain(case.net(dtype), case.inputs(dtype)[order], target=case.target, method=made(method))
    assert difference(e.values, expected(case, method, dtype).values[order]) <= BOUND


@each_method
@each_case
def test_how_the_input_lies_in_memory_is_no_matter(case: Case, method: str):
    dtype = precision(case, method)
    x = case.inputs(dtype)
    lying = (
        torch.empty(*reversed(x.shape), 2, dtype=dtype)[..., 1]
        .movedim(tuple(range(x.dim())), tuple(reversed(range(x.dim()))))
        .copy_(x)
    )
    assert not lying.is_contiguous()
    e = pl.explain(case.net(dtype), lying, target=case.target, method=made(method))
    assert difference(e.values, expected(case, method, dtype).values) <= BOUND


@each_method
@each_case
def test_explaining_twice_gives_the_same_bits(case: Case, method: str):
    e = pl.explain(case.net(), case.inputs(), target=case.target, method=made(method))
    assert torch.equal(e.values, expected(case, method).values)
