"""Every operation of the table of kinds, in a small network: what is promised of all of them, tried on each."""

from __future__ import annotations

import warnings
from functools import cache

import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.tape import kinds, record
from tests.operations import ELSEWHERE, EXAMPLES, TAKEN_APART, Example, table
from tests.random_networks import near

SAMPLES = 2
EVERY = [(name, k) for name in sorted(EXAMPLES) for k in range(len(EXAMPLES[name]))]
# Examples that the quick laws are tried on; the slow ones are tried on all.
SOME = EVERY[::10]
PARTS = 6  # of the table, for several processes


def test_every_operation_of_the_table_has_an_example():
    """Whoever adds an operation to `tape/kinds.py` adds an example of it to `operations.py`, and so tries all of this on it."""
    assert table() - set(EXAMPLES) == ELSEWHERE, "operations without an example, or with one that is not needed"
    assert set(EXAMPLES) - table() == set(TAKEN_APART)


# Recorded under the name of a twin, or as the numbers that complex ones are made of.
RENAMED = frozenset(
    """detach native_dropout _embedding_bag_forward_only repeat_interleave rrelu_with_noise view_as_complex
    view_as_real""".split()
)


@cache
def tried(name: str, k: int) -> tuple[Example, Tensor]:
    """A network of one operation and a head, and an input."""
    f = EXAMPLES[name][k]
    rng = torch.Generator().manual_seed(len(name) + k)
    x = torch.randn(SAMPLES, 12, generator=rng, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = torch.randn(f(x)[0].numel(), 2, generator=rng, dtype=torch.float64)
    return lambda x: f(x).reshape(len(x), -1) @ head, x


def explained(name: str, k: int, method: str, sample: slice = slice(None)) -> pl.Explanation:
    net, x = tried(name, k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, of operations in beta
        return pl.explain(net, x[sample].clone(), target=0, method=method, verify=False)


@pytest.mark.parametrize("start", range(PARTS))
def test_slopes_are_those_of_the_network_and_relevance_of_linear_ones_is_input_times_gradient(start: int):
    for name in sorted(EXAMPLES)[start::PARTS]:
        slopes_and_relevance(name, range(min(2, len(EXAMPLES[name]))))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in sorted(EXAMPLES) if len(EXAMPLES[name]) > 2])
def test_the_same_of_every_other_example(name: str):
    slopes_and_relevance(name, range(2, len(EXAMPLES[name])))


def slopes_and_relevance(name: str, examples: range) -> None:
    for k in examples:
        net, x = tried(name, k)
        g = explained(name, k, "gradient").values.double()
        along = torch.linspace(-1, 1.3, 12, dtype=torch.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slope = (net(x + 1e-6 * along) - net(x - 1e-6 * along))[:, 0] / 2e-6
            twice, y, at_zero = net(2 * x), net(x), net(0 * x)
            shifted, other = net(x + 3 * along), net(along.repeat(SAMPLES, 1))
        assert near((g * along).sum(1), slope, 1e-4), f"{name}, example {k}: gradient"

        e = explained(name, k, "lrp.zero")
        assert e.values.isfinite().all(), f"{name}, example {k}"
        assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all(), f"{name}, example {k}: {e.ledger.sentence()}"
        linear = near(shifted, y + 3 * other, 1e-9) and not at_zero.any()
        homogeneous = near(twice, 2 * y, 1e-9) and not at_zero.any()
        if linear:
            assert near(e.values, g * x, 1e-4), f"{name}, example {k}: linear"
        if homogeneous and not any("No rule" in warning for warning in e.warnings()):
            assert near(e.values.double().sum(1), y[:, 0], 1e-4), f"{name}, example {k}: homogeneous"


def _laws(name: str, k: int, methods: tuple[str, ...]) -> None:
    for method in methods:
        e = explained(name, k, method)
        assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all(), f"{method}: {e.ledger.sentence()}"
        alone = explained(name, k, method, slice(1, 2))
        assert near(alone.values, e.values[1:], 1e-4), f"{method}: a sample alone"


@pytest.mark.parametrize(("name", "k"), SOME)
def test_books_close_and_samples_alone_are_as_in_their_batch(name: str, k: int):
    _laws(name, k, ("lrp",))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "k"), EVERY)
def test_the_same_by_every_composite(name: str, k: int):
    _laws(name, k, ("lrp", "lrp.epsilon", "lrp.epsilon_plus", "lrp.gamma", "lrp.attention", "lrp.cp", "deep_taylor"))


@pytest.mark.parametrize("start", range(PARTS))
def test_an_example_runs_its_operation(start: int):
    for name in sorted(EXAMPLES)[start::PARTS]:
        _runs(name)


def _runs(name: str) -> None:
    if name in TAKEN_APART or name in kinds.COMPOUND:
        return
    packet = getattr(torch.ops.aten, name, None)
    if name in kinds.CONSTANTS or name in RENAMED or packet is None or _composite(packet):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert any(name in {op.name for op in record(*tried(name, k)).ops} for k in range(len(EXAMPLES[name]))), name


def _composite(packet: object) -> bool:
    """Whether an operation is one of several names for others, which are recorded."""
    overloads = [getattr(packet, name) for name in packet.overloads()]
    return any(torch._C._dispatch_has_kernel_for_dispatch_key(fn.name(), "CompositeImplicitAutograd") for fn in overloads[:1])
