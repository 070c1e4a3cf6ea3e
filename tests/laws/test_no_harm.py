"""After any call, and after any call that failed, the user's model, inputs and settings are what they were."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import skimage.segmentation
import sklearn.linear_model
import torch
import torch._dynamo  # PyTorch imports it with its first dispatch mode, and adds a warning filter then
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

import pellucid as pl
from tests.cases import CASE, ENTRY, EVERY, RELEVANCE, each_method, each_method_for_vectors, expected, made, precision

FIRST_IMPORTS = (skimage.segmentation, sklearn.linear_model)  # what methods import late sets warnings of its own
HOOKS = [name for name, value in vars(nn.Module()).items() if name.endswith("_hooks") and isinstance(value, dict)]
GLOBAL_HOOKS = [name for name in dir(global_hooks) if name.startswith("_global_") and name.endswith("_hooks")]
CASES = ["residual", "mobile", "written", "attending"]


def settings() -> dict[str, Any]:
    """Everything of the process that a library could forget to put back."""
    cuda, cudnn, mha = torch.backends.cuda, torch.backends.cudnn, torch.backends.mha
    return {
        "rng": (torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())),
        "default dtype": torch.get_default_dtype(),
        "default device": str(torch.get_default_device()),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "autocast": torch.is_autocast_enabled("cpu"),
        "sdp": (cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled(), cuda.cudnn_sdp_enabled()),
        "mha": mha.get_fastpath_enabled(),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "mkldnn": (torch._C._get_mkldnn_enabled(), torch._C._get_mkldnn_deterministic()),
        "deterministic": (torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "modes": [type(mode) for mode in _get_current_dispatch_mode_stack()],
        "global hooks": {
            name: list(getattr(global_hooks, name).items())
            for name in GLOBAL_HOOKS
            if isinstance(getattr(global_hooks, name), dict)
        },
        "warnings": list(warnings.filters),
        "functions": [
            getattr(nn.functional, name) for name in ("relu", "conv2d", "linear", "max_pool2d", "batch_norm", "softmax")
        ],
        "methods": {
            (kind, name): value
            for kind in (nn.Module, nn.ReLU, nn.Conv2d, nn.Linear, Tensor)
            for name, value in vars(kind).items()
        },
    }


def state(net: nn.Module) -> dict[str, Any]:
    """Everything of a network, bits and identities."""
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return {
        "identity": {name: (id(t), t.data_ptr(), t._version) for name, t in tensors.items()},
        "bits": {name: t.detach().clone().view(torch.uint8 if t.dim() else t.dtype) for name, t in tensors.items()},
        "flags": {name: t.requires_grad for name, t in tensors.items()},
        "grads": {name: None if t.grad is None else (id(t.grad), t.grad.clone()) for name, t in tensors.items()},
        "modules": {name: (id(module), type(module), module.training) for name, module in net.named_modules()},
        "attributes": {name: sorted(vars(module)) for name, module in net.named_modules()},
        "hooks": {name: {hook: list(getattr(module, hook).items()) for hook in HOOKS} for name, module in net.named_modules()},
        "keys": list(net.state_dict()),
    }


def told(tensor: Tensor) -> dict[str, Any]:
    """Everything of an input."""
    grad = tensor.grad if tensor.is_leaf else None
    return {
        "place": (id(tensor), tensor.data_ptr(), tensor._version, tensor.shape, tensor.stride()),
        "bits": tensor.detach().clone(),
        "grad": (tensor.requires_grad, tensor.grad_fn, None if grad is None else (id(grad), grad.clone())),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a is b or a == b)


@contextmanager
def untouched(net: nn.Module, *inputs: Tensor) -> Iterator[None]:
    before = settings(), state(net), [told(x) for x in inputs]
    yield
    after = settings(), state(net), [told(x) for x in inputs]
    for was, now in zip((before[0], before[1], *before[2]), (after[0], after[1], *after[2]), strict=True):
        for part in was:
            assert same(was[part], now[part]), f"{part} changed"


@pytest.fixture(scope="module", params=CASES)
def lived_in(request: pytest.FixtureRequest) -> nn.Module:
    """A network in the middle of a life: gradients, hooks of the user's own, some weights frozen."""
    net = copy.deepcopy(CASE[request.param].net(inplace=True))
    out = net(CASE[request.param].inputs())
    out.sum().backward()
    parameters = list(net.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = None
    modules = list(net.modules())
    net.calls = []  # a hook that answers nothing, on a module inside and on the whole
    for module in (net, modules[-1]):
        module.register_forward_hook(lambda module, args, out: net.calls.append(module))
        module.register_forward_pre_hook(lambda module, args: None)
        module.register_full_backward_hook(lambda module, grad_in, grad_out: None)
    net.of = CASE[request.param]
    return net


@each_method
def test_a_call_leaves_no_trace(lived_in: nn.Module, method: str):
    x = lived_in.of.inputs().requires_grad_()
    x.grad = torch.ones_like(x)
    with untouched(lived_in, x):
        pl.explain(lived_in, x, target=1, method=made(method))


@each_method
def test_a_users_hooks_do_not_change_the_answer(lived_in: nn.Module, method: str):
    before, dtype = len(lived_in.calls), precision(lived_in.of, method)  # sums may be taken in another order
    e = pl.explain(lived_in.to(dtype), lived_in.of.inputs(dtype), target=1, method=made(method))
    assert len(lived_in.calls) > before, "the model ran as it is, hooks and all"
    bare = copy.deepcopy(lived_in.of.net()).to(dtype)
    values = pl.explain(bare, lived_in.of.inputs(dtype), target=1, method=made(method)).values
    assert torch.allclose(e.values, values, rtol=1e-5, atol=1e-6 * float(e.values.abs().max()))


class Breaking(nn.Module):
    """A network that can fail half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(4)), nn.Linear(4, 5)
        self.how = ""

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x).mean((2, 3))
        if self.how == "raise":
            raise RuntimeError("half-way")
        if self.how == "numpy":
            y = torch.from_numpy(y.detach().numpy() * 2)
        if self.how == "nan":
            y = y * float("nan")
        if self.how == "unknown":
            y = torch.special.i0(y)
        return self.head(y)


FAILURES: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "no such class": ({"target": 99}, pl.TargetError),
    "no such name": ({"target": "tabby"}, pl.TargetError),
    "no such place": ({"at": "nowhere"}, pl.WhereError),
    "raise": ({}, RuntimeError),
    "numpy": ({}, pl.ThreadLost),
    "nan": ({}, pl.ModelError),
    "nan in the input": ({}, pl.InputError),
    "a target that raises": ({"target": lambda out: 1 / 0}, ZeroDivisionError),
    "training": ({}, pl.ModelError),
    "wrong shape": ({}, RuntimeError),
}


@pytest.mark.parametrize("how", FAILURES)
@each_method
def test_a_call_that_fails_leaves_no_trace(method: str, how: str):
    options, error = FAILURES[how]
    if how == "numpy" and ENTRY[method].forward:
        pytest.skip("it asks the model from outside, whatever that computes with")
    net = Breaking().eval()
    net.how = how
    if how == "training":
        net.body[2].train()
    x = torch.randn(2, 4 if how == "wrong shape" else 3, 6, 6, generator=torch.Generator().manual_seed(1))
    if how == "nan in the input":
        x[1, 0, 0, 0] = float("nan")
    with untouched(net, *() if how == "nan in the input" else (x,)), pytest.raises(error):
        pl.explain(net, x, method=made(method), **{"target": 1, **options})


@pytest.mark.parametrize("method", RELEVANCE)
def test_a_refused_operation_leaves_no_trace(method: str):
    net = Breaking().eval()
    net.how = "unknown"
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    with untouched(net, x), pytest.raises(pl.NoRule):
        pl.explain(net, x, target=1, method=made(method), strict=True)


@each_method_for_vectors
def test_a_network_that_writes_into_its_input_does_not_write_into_the_users(method: str):
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 4)).eval()
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    with untouched(net, x):
        pl.explain(net, x, target=1, method=made(method))


class Noisy(nn.Module):
    """A network that draws random numbers on its way, also in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + 0.1 * torch.randn_like(x))


@each_method_for_vectors
def test_a_network_that_draws_random_numbers_does_not_use_up_the_users(method: str):
    net, x = Noisy().eval(), torch.ones(2, 6)
    with untouched(net, x):
        pl.explain(net, x, target=1, method=made(method))


@contextmanager
def doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SURROUNDINGS: dict[str, Callable[[], Any]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "enable_grad": torch.enable_grad,
    "another default type": doubles,
    "deterministic": lambda: torch.random.fork_rng(devices=[]),
}


@pytest.mark.parametrize("around", SURROUNDINGS)
@each_method
def test_what_the_caller_has_switched_on_changes_neither_the_answer_nor_itself(method: str, around: str):
    case = CASE["attending" if ENTRY[method].attends else "residual"]
    net, x = case.net(), case.inputs()
    with SURROUNDINGS[around](), untouched(net, x):
        e = pl.explain(net, x, target=1, method=made(method))
    assert e.values.dtype == torch.float32
    assert torch.equal(e.values, expected(case, method).values)


def test_importing_all_of_it_changes_no_setting():
    import subprocess
    import sys

    code = """
import random, numpy as np, torch, warnings
from torch.nn.modules import module as hooks
before = torch.get_rng_state(), random.getstate(), torch.get_num_threads(), list(warnings.filters), torch.is_grad_enabled()
import pellucid as pl
for name in pl.__all__: getattr(pl, name)
for entry in pl.methods(): entry.make()
after = torch.get_rng_state(), random.getstate(), torch.get_num_threads(), list(warnings.filters), torch.is_grad_enabled()
assert torch.equal(before[0], after[0]) and before[1:] == after[1:]
assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_every_method_of_the_catalogue_is_held_to_this():
    from pellucid.catalogue.methods import METHODS

    assert [entry.name for entry in METHODS] == EVERY
