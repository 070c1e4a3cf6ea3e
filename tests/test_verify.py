"""Verification: every fault is caught, sound networks raise no alarm, and the self-check of explanations is cheap."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import pellucid as pl
from pellucid.cli import main
from pellucid.verbs.verify import self_check, slopes
from tests.cases import CASES, Case

torch.manual_seed(0)
HEAD = nn.Linear(6, 3)
X = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))

OWN = "What is explained is the answer to the input as it was given."
SLOPES = "Derivatives by the tape equal finite differences along random directions."
CALLS = "Two calls with the same input give the same output."
OTHERS = "Other samples of a batch have no influence on a sample's output."
ALONE = "A sample has the same output alone and in a batch."
VARIANTS = "Variants of a sample have the same output one by one and in one batch."
LEFT = "Nothing of the model, the input or PyTorch's settings is changed."


def through_numpy(x: Tensor) -> Tensor:
    """A branch leaves PyTorch."""
    return HEAD(x) + torch.from_numpy(x.detach().numpy()).sin().sum(1, keepdim=True)


class NoSlope(torch.autograd.Function):
    """A step in the forward pass; what its author calls a derivative is another function's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x * 64).round() / 64

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


def rounded(x: Tensor) -> Tensor:
    return HEAD(NoSlope.apply(x))


def mixing(x: Tensor) -> Tensor:
    return HEAD(x + x.roll(1, 0))


def branching(x: Tensor) -> Tensor:
    """One decision for all rows of a batch."""
    return HEAD(x * 2 if float(x[0].abs().mean()) > 0.4 else x)


def noisy(x: Tensor) -> Tensor:
    return HEAD(x + 0.1 * torch.randn_like(x))


class ReadsPadding(nn.Module):
    """The mean over all positions, padding included."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(12, 6, padding_idx=0), nn.Linear(6, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.head(self.words(input_ids).tanh().mean(1))


def failing(model: Any, x: Any) -> set[str]:
    return {claim.claim for claim in pl.verify(model, x).failures}


@pytest.mark.parametrize(
    "fault, claim", [(through_numpy, SLOPES), (mixing, OTHERS), (branching, VARIANTS), (noisy, CALLS)],
)  # fmt: skip
def test_every_fault_fails_its_claim(fault: Callable[[Tensor], Tensor], claim: str) -> None:
    assert claim in failing(fault, X)


def test_a_missing_derivative_is_no_slope() -> None:
    """Sixty-four steps per unit: in the large the network moves, and the tape says that it does not."""
    many = torch.randn(4, 6, generator=torch.Generator().manual_seed(2)) * 4
    assert SLOPES in failing(rounded, many)


def test_an_altered_input_is_told() -> None:
    """The mask says padding; the network, which has no use for it, reads it all the same."""
    torch.manual_seed(0)
    ids, mask = torch.tensor([[5, 6, 7, 0, 0, 0]]), torch.tensor([[1, 1, 1, 0, 0, 0]])
    net = ReadsPadding().eval()
    e = pl.explain(net, {"input_ids": ids, "attention_mask": mask}, 1, "gradient_x_input", verify=False)
    own = net(ids, mask)[:, 1].detach()
    if not torch.allclose(e.output, own, atol=1e-4):
        assert OWN in failing(net, {"input_ids": ids, "attention_mask": mask})
        with pytest.raises(pl.VerificationError):
            pl.explain(net, {"input_ids": ids, "attention_mask": mask}, 1, "gradient_x_input")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sound_networks_raise_no_alarm(case: Case) -> None:
    found = pl.verify(case.net(), case.inputs(batch=2), case.target)
    assert found.holds, found
    assert all(claim.holds for claim in found if claim.claim in (OWN, SLOPES, OTHERS, VARIANTS, CALLS, LEFT)), found


@pytest.mark.parametrize(("off", "holds"), [(1e-5, True), (1e-3, False)])
def test_a_variant_with_a_far_larger_output_is_measured_against_that(off: float, holds: bool) -> None:
    """As twice the input has on networks without norms: what rounds otherwise in a batch is a share of it."""

    def net(x: Tensor) -> Tensor:
        return HEAD(x**10) * (1 + off * (len(x) > 5))

    assert {claim.claim: claim.holds for claim in pl.verify(net, X[:1])}[VARIANTS] is holds


def test_what_rounding_alone_changes_as_much_is_not_taken_for_a_difference_between_batches() -> None:
    """A network that enlarges the last digit of its input ten thousand times, and rounds otherwise in a batch."""

    def rough(x: Tensor) -> Tensor:
        return HEAD((1e4 * x * (1 + 2e-7 * (len(x) > 1))).sin())

    found = {claim.claim: claim for claim in pl.verify(rough, X[:1])}
    assert found[VARIANTS].holds is None and found[ALONE].holds is None and "last digit" in found[VARIANTS].do
    assert {claim.claim: claim.holds for claim in pl.verify(lambda x: HEAD(x * (1 + 2e-3 * (len(x) > 1))), X[:1])}[ALONE] is False


def test_what_fails_says_what_to_do_and_what_holds_says_nothing() -> None:
    found = pl.verify(mixing, X)
    assert not found.holds and all(claim.do for claim in found.failures)
    assert all(claim.do == "" for claim in found if claim.holds)
    assert [row["claim"] for row in found.rows] == [claim.claim for claim in found]
    assert OTHERS in str(found) and "FAILS" in str(found)


def test_random_numbers_leave_batches_unmeasured() -> None:
    found = {claim.claim: claim for claim in pl.verify(noisy, X)}
    assert found[CALLS].holds is False and found[OTHERS].holds is None and "random" in found[OTHERS].do


def test_nothing_is_left_behind() -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).eval()
    found = {claim.claim: claim for claim in pl.verify(net, X)}
    assert found[LEFT].holds and found[LEFT].measured == 0


def test_a_network_that_writes_into_its_weights_is_found_out() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.seen = nn.Linear(6, 3), nn.Buffer(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.seen += 1
            return self.head(x)

    found = {claim.claim: claim for claim in pl.verify(Counts().eval(), X)}
    assert found[LEFT].holds is False and "the buffer seen" in found[LEFT].do


@pytest.mark.parametrize("method", ["gradient", "lrp", "integrated_gradients", "deeplift", "guided_backprop", "smoothgrad"])
def test_no_method_with_slopes_explains_half_a_network_in_silence(method: str) -> None:
    def net(x: Tensor) -> Tensor:
        return through_numpy(x)

    for _ in range(2):  # the first time and later ones
        with pytest.raises(pl.VerificationError):
            pl.explain(net, X, 1, method)
    assert any("PyTorch" in warning for warning in pl.explain(net, X, 1, method, verify=False).warnings())
    with pytest.raises(pl.NoRule):
        pl.explain(net, X, 1, method, strict=True, verify=False)


def test_a_wrong_derivative_is_refused_and_what_was_found_is_remembered() -> None:
    """An operation whose author gives its kernel another derivative than what it computes."""
    library = torch.library.Library("pellucid_tests", "FRAGMENT")
    library.define("doubled(Tensor x) -> Tensor")
    library.impl("doubled", lambda x: 2 * x, "CompositeExplicitAutograd")
    torch.library.register_autograd("pellucid_tests::doubled", lambda ctx, grad: 7 * grad, lib=library)

    def net(x: Tensor) -> Tensor:
        return HEAD(torch.ops.pellucid_tests.doubled(x))

    for method in ("gradient", "lrp", "gradient"):
        with pytest.raises(pl.VerificationError, match="other slopes"):
            pl.explain(net, X, 1, method)
    assert pl.explain(net, X, 1, "gradient", verify=False).values.isfinite().all()


def test_methods_that_only_run_the_network_explain_all_of_it() -> None:
    e = pl.explain(through_numpy, X, 1, pl.perturb.feature_ablation(imputer=0.0))
    without = X.clone()
    without[:, 2] = 0
    torch.testing.assert_close(e.values[:, 2], (through_numpy(X) - through_numpy(without))[:, 1].detach())


def test_the_check_can_be_turned_off() -> None:
    def net(x: Tensor) -> Tensor:
        return through_numpy(x)

    e = pl.explain(net, X, 1, "gradient", verify=False)
    torch.testing.assert_close(e.values, HEAD.weight[1].detach().expand(2, 6))


def test_what_is_detached_is_a_warning_in_the_caption() -> None:
    e = pl.explain(lambda x: HEAD(x + (3 * x).detach()), X, 1, "gradient")
    assert any("detaches" in warning for warning in e.warnings()) and "detaches" in e.caption()


def test_a_straight_through_estimator_is_what_its_author_says() -> None:
    e = pl.explain(lambda x: HEAD(x + ((x * 8).round() / 8 - x).detach()), X, 1, "gradient")
    torch.testing.assert_close(e.values, HEAD.weight[1].detach().expand(2, 6))
    assert not e.warnings()


def test_noise_is_a_warning() -> None:
    assert any("random numbers" in warning for warning in pl.explain(noisy, X, 1, "gradient").warnings())


def counted(net: Callable[[Tensor], Tensor]) -> tuple[Callable[[Tensor], Tensor], list[int]]:
    samples: list[int] = []

    def forward(x: Tensor) -> Tensor:
        samples.append(len(x))
        return net(x)

    return forward, samples


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("method", ["lrp", "gradient", "deeplift", "occlusion", "shapley"])
def test_the_first_explanation_takes_three_passes_more_at_most_and_later_ones_none(method: str, samples: int) -> None:
    rng = torch.Generator().manual_seed(0)
    body = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 3)).eval()
    forward, counts = counted(body)
    x, passes = torch.randn(samples, 6, generator=rng), []
    for _ in range(3):
        counts.clear()
        pl.explain(forward, x, 1, method)
        passes.append(sum(counts) / samples)
    assert passes[0] - passes[1] <= 3 and passes[2] == passes[1]


def test_another_kind_of_input_is_checked_anew() -> None:
    convolution, samples = counted(lambda x: HEAD(x.mean(2)))
    counts = []
    for length in (4, 4, 5):
        samples.clear()
        pl.explain(convolution, torch.randn(1, 6, length), 1, "gradient")
        counts.append(len(samples))
    assert counts[0] == counts[2] > counts[1]


def test_what_is_known_of_a_network_does_not_keep_it_alive() -> None:
    net = nn.Linear(6, 3).eval()
    pl.explain(net, X, 1, "gradient")
    before = len(self_check._findings)
    del net
    gc.collect()
    assert len(self_check._findings) < before


def test_the_first_map_is_bit_for_bit_the_second() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 3)).eval()
    x = torch.randn(1, 1, 6, 6)
    first, second = (pl.explain(net, x, 1, "lrp").values for _ in range(2))
    assert torch.equal(first, second)


def test_threads_check_each_for_itself() -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).eval()
    found: list[Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(pl.explain(net, X, 1, "lrp").values)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(torch.equal(values, found[0]) for values in found)


@pytest.mark.parametrize(
    "slope, differences, verdict",
    [
        (1.0, [1.0, 1.0, 1.0], True),  # linear
        (1.0, [3.0, 1.4, 1.01], True),  # curved
        (1.0, [2.0, 2.0, 2.0], False),  # a branch is missing
        (1.0, [3.0, 2.1, 2.0], False),  # and the rest is curved
        (1.0, [5.0, -2.0, 9.0], None),  # too rough
        (0.0, [2.0, 2.1, 0.0], False),  # a staircase without slopes
        (2.0, [2.0, 2.1, 0.0], True),  # a staircase that is given one
        (2.0, [9.0, 0.0, 0.0], None),  # one that is too coarse for these steps
        (0.0, [0.0, 0.0, 0.0], True),  # flat
    ],
)
def test_kinks_are_told_from_lost_branches(slope: float, differences: list[float], verdict: bool | None) -> None:
    steps = list(zip((1e-1, 1e-2, 1e-3), differences, strict=True))
    assert slopes.judge(slope, steps, 1e-9)[0] is verdict


def test_the_command_line_says_it(tmp_path: Any) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval()
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 2, 2),)), path)
    ran = CliRunner().invoke(main, ["inspect", str(path), "--trust", "--shape", "1,3,2,2", "--verify", "--json"])
    told = json.loads(ran.stdout)
    assert ran.exit_code == 0 and told["holds"] and {row["claim"] for row in told["claims"]} >= {SLOPES, LEFT}


def test_methods_of_two_objects_are_two_networks() -> None:
    class Wrapper:
        def __init__(self, followed: bool) -> None:
            self.followed = followed

        def predict(self, x: Tensor) -> Tensor:
            return HEAD(x) if self.followed else through_numpy(x)

    lost, sound = Wrapper(followed=False), Wrapper(followed=True)
    with pytest.raises(pl.VerificationError):
        pl.explain(lost.predict, X, 1, "gradient")
    torch.testing.assert_close(pl.explain(sound.predict, X, 1, "gradient").values, HEAD.weight[1].detach().expand(2, 6))
