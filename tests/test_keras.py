"""Keras 3 on PyTorch: its models explain as the same network in plain PyTorch, channels first; other backends are named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.errors import InputError, MissingExtra, ModelError

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, with new numpy

X = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8).sin()


def made(softmax: bool = True):
    """A Keras model with statistics of its own, and the same network in PyTorch, up to the softmax."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Dropout(0.5, seed=0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax" if softmax else None, name="last"),
        ],
        name="tiny",
    )
    generator = torch.Generator().manual_seed(0)
    model.set_weights([torch.rand(w.shape, generator=generator).numpy() + 0.1 for w in model.weights if "seed" not in w.name])
    conv, norm, last = (model.get_layer(name) for name in ("conv", "norm", "last"))
    twin = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, eps=1e-3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()
    values = [layer.get_weights() for layer in (conv, norm, last)]
    with torch.no_grad():
        twin[0].weight.copy_(torch.tensor(values[0][0]).permute(3, 2, 0, 1))
        twin[0].bias.copy_(torch.tensor(values[0][1]))
        for own, value in zip((twin[1].weight, twin[1].bias, twin[1].running_mean, twin[1].running_var), values[1], strict=True):
            own.copy_(torch.tensor(value))
        twin[5].weight.copy_(torch.tensor(values[2][0]).T)
        twin[5].bias.copy_(torch.tensor(values[2][1]))
    return model, twin


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "scores"])
def test_a_model_in_memory_answers_with_its_scores(softmax):
    network, twin = made(softmax)
    network.train()  # Keras takes no notice of that flag when it is called
    model = pl.load(network)
    model.ready()
    torch.testing.assert_close(model(X), twin(X).detach(), rtol=0, atol=1e-5)
    assert (model.shape, model.name) == ((3, 8, 8), "tiny")
    assert "channels last" in model.source and bool(model.notes) == softmax
    assert [layer.kind for layer in model.layers()][1:3] == ["Conv2D", "BatchNormalization"]


def test_the_users_model_stays_as_it_was():
    network, _ = made()
    network.train()
    before = [w.copy() for w in network.get_weights()]
    pl.explain(network, X, target=1)
    assert network.training and all((a == b).all() for a, b in zip(before, network.get_weights(), strict=True))
    assert network.get_layer("last").activation is keras.activations.softmax


@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon", "gradient_x_input", "deeplift", "gradcam", "occlusion"])
def test_an_explanation_is_that_of_the_same_network_in_pytorch(method):
    network, twin = made()
    ours, theirs = (pl.explain(one, X, target=1, method=method).values for one in (network, twin))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_saved_file_loads_without_trust(tmp_path):
    network, twin = made()
    network.save(tmp_path / "tiny.keras")
    model = pl.load(tmp_path / "tiny.keras", labels=["a", "b", "c"])
    torch.testing.assert_close(model(X), twin(X).detach(), rtol=0, atol=1e-5)
    assert model.fingerprint is not None and "file tiny.keras" in model.source


def test_code_in_a_file_runs_only_when_it_is_trusted(tmp_path):
    network = keras.Sequential([keras.layers.Input((4,)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(2)])
    network.save(tmp_path / "code.keras")
    with pytest.raises(ModelError, match=r"found layers made of Python code \(Lambda\); opening it can run any code"):
        pl.load(tmp_path / "code.keras")
    model = pl.load(tmp_path / "code.keras", trust=True)
    assert "trusted by the user" in model.source and model(torch.ones(1, 4)).shape == (1, 2)


def test_the_old_format_needs_trust(tmp_path):
    network, twin = made()
    network.save(tmp_path / "tiny.h5")
    with pytest.raises(ModelError, match="found an HDF5 file of Keras"):
        pl.load(tmp_path / "tiny.h5")
    torch.testing.assert_close(pl.load(tmp_path / "tiny.h5", trust=True)(X), twin(X).detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(tmp_path, share):
    made()[0].save(tmp_path / "tiny.keras")
    path = tmp_path / "tiny.keras"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ModelError, match="found data that cannot be read"):
        pl.load(path)


def test_a_model_that_was_never_called_is_refused():
    with pytest.raises(ModelError, match="found a Keras model that is not built"):
        pl.load(keras.Sequential([keras.layers.Dense(2)]))


def test_pictures_that_lie_channels_last_are_refused_with_the_turn_they_need():
    model = pl.load(made()[0])
    with pytest.raises(InputError, match="channels come before height and width"):
        model(X.permute(0, 2, 3, 1))


def elsewhere(code: str, tmp_path: Path, **environment: str) -> str:
    """What a Python of its own says, in a home of its own."""
    own = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    own |= {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(Path(pl.__file__).parents[1])} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=own, timeout=120)
    return done.stdout + done.stderr.strip().splitlines()[-1:][0] if done.stderr.strip() else done.stdout


def test_another_backend_is_named_with_what_to_do(tmp_path):
    made()[0].save(tmp_path / "tiny.keras")
    code = f"import pellucid as pl; pl.load({str(tmp_path / 'tiny.keras')!r})"
    for backend in ("tensorflow", "numpy"):
        said = elsewhere(code, tmp_path, KERAS_BACKEND=backend)
        assert f"found Keras on the backend {backend}" in said and "Set KERAS_BACKEND=torch" in said


def test_where_nobody_chose_a_backend_pytorch_is_taken_and_the_environment_left_alone(tmp_path):
    made()[0].save(tmp_path / "tiny.keras")
    code = f"import os, pellucid as pl; print(pl.load({str(tmp_path / 'tiny.keras')!r}), 'KERAS_BACKEND' in os.environ)"
    assert elsewhere(code, tmp_path).strip().endswith("False")


def test_what_is_not_installed_is_said_with_its_extra(tmp_path, monkeypatch):
    made()[0].save(tmp_path / "tiny.keras")
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingExtra, match=r"found no package keras; .* pip install 'pellucid\[keras\]'"):
        pl.load(tmp_path / "tiny.keras")


@pytest.mark.filterwarnings("ignore")
def test_what_keras_writes_as_onnx_is_explained_as_its_model(tmp_path):
    pytest.importorskip("onnx")
    model, _ = made()
    model(X.permute(0, 2, 3, 1))  # an export needs a call before it
    model.export(tmp_path / "tiny.onnx", format="onnx", verbose=False)
    file = pl.load(tmp_path / "tiny.onnx")
    one, other = (pl.explain(source, X, target=1, method="lrp").values for source in (model, file))
    assert "channels last" in file.source
    assert float((one - other).abs().max() / one.abs().max()) <= 1e-5
