"""Models by name: timm, torchvision and Hugging Face, without a network; and what each says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

import pellucid as pl
from pellucid import zoo
from pellucid.errors import MissingExtra, ModelError
from pellucid.model.sources import architectures, availability, metadata
from pellucid.model.sources.reference import Reference

CAT = zoo.pictures()["chelsea"]


def refusal(source: object, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        pl.load(source, **options)
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "a message has four parts"
    return str(caught.value)


@pytest.fixture
def unreachable(monkeypatch, tmp_path):
    """No hub answers, and none was ever asked from here."""
    monkeypatch.setattr(availability.socket, "create_connection", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    monkeypatch.setattr(availability, "getproxies", dict)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path), raising=False)


# names


@pytest.mark.parametrize(
    ("text", "name", "weights", "random"),
    [
        ("timm:resnet50", "resnet50", None, False),
        ("timm:resnet50?pretrained", "resnet50", None, False),
        ("timm:resnet50.a1_in1k?random", "resnet50.a1_in1k", None, True),
        ("torchvision:vgg16@/data/w@1.pth", "vgg16", "/data/w@1.pth", False),
        ("hf:google/vit@main", "google/vit", "main", False),
    ],
)
def test_a_name_says_kind_model_and_weights(text, name, weights, random):
    assert Reference.parse(text) == Reference(text.partition(":")[0], name, weights, random)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timm:", "a part of it is empty"),
        ("timm:resnet18@", "a part of it is empty"),
        ("timm:resnet18?best", "found the option 'best'; only ?random and ?pretrained exist"),
        ("timm:resnet18@w.pth?random", "exclude each other"),
        ("tim:resnet18", "Did you mean timm:resnet18?"),
        ("keras:resnet", "found the source 'keras'; models come from timm, torchvision, hf, gguf, or files"),
    ],
)
def test_names_that_say_nothing(text, said):
    assert said in refusal(text)


# timm


def test_a_timm_name_with_random_weights_is_the_same_network_every_time_and_draws_nothing_of_the_users():
    pytest.importorskip("timm")
    before = torch.random.get_rng_state()
    one, two = (pl.load("timm:resnet10t?random") for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    x = torch.rand(1, *one.shape)
    assert torch.equal(one(x), two(x))
    assert "random weights" in one.source and one.notes == ("The weights are random: the network is untrained.",)
    assert one.labels is None and one.fingerprint is None
    one.ready()


def test_pictures_are_read_as_timm_says_and_as_timm_does():
    timm = pytest.importorskip("timm")
    from PIL import Image

    for name in ("resnet10t", "vit_tiny_patch16_224", "tf_efficientnet_lite0"):
        net = timm.create_model(name).eval()
        model = pl.load(net)
        theirs = timm.data.create_transform(**timm.data.resolve_model_data_config(net))
        with Image.open(CAT) as picture:
            torch.testing.assert_close(model.read(CAT)[0], theirs(picture.convert("RGB")), rtol=0, atol=1e-5)
        assert "timm's pretrained_cfg" in model.preprocess.source
    assert model.labels is not None and model.labels[285] == "Egyptian cat" and "tagged in1k" in model.notes[0]


def test_weights_of_a_file_say_how_many_classes_there_are(tmp_path):
    timm = pytest.importorskip("timm")
    net = timm.create_model("resnet10t", num_classes=7).eval()
    safetensors.torch.save_file(net.state_dict(), tmp_path / "mine.safetensors")
    model = pl.load(f"timm:resnet10t@{tmp_path / 'mine.safetensors'}")
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model(x), net(x).detach())
    assert model.labels is None and len(model.fingerprint) == 64 and "weights of" in model.source
    torch.save({"w": torch.ones(2)}, tmp_path / "other.pth")
    assert "missing" in refusal(f"timm:resnet10t@{tmp_path / 'other.pth'}")
    assert "found no file" in refusal("timm:resnet10t@nowhere.safetensors")


def test_timm_names_that_are_none_suggest_some():
    pytest.importorskip("timm")
    assert "Nearest: resnet18" in refusal("timm:resnet_18?random")
    assert "no weights have that tag. Nearest: resnet18." in refusal("timm:resnet18.best?random")


def test_a_hub_that_does_not_answer_is_said_at_once_with_the_way_around(unreachable):
    pytest.importorskip("timm")
    message = refusal("timm:resnet18.tv_in1k")
    assert "found no answer from huggingface.co; its trained weights are not on this machine." in message
    assert "timm:resnet18.tv_in1k@weights.safetensors" in message and "timm:resnet18.tv_in1k?random" in message
    assert "found no answer from huggingface.co" in refusal("hf:google/vit-base-patch16-224")


def test_nothing_is_tried_where_the_user_said_offline(monkeypatch):
    pytest.importorskip("timm")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "found HF_HUB_OFFLINE, which forbids to fetch" in refusal("timm:resnet18.tv_in1k")


# torchvision


def test_a_torchvision_name_with_random_weights(unreachable):
    pytest.importorskip("torchvision")
    model = pl.load("torchvision:squeezenet1_1?random")
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
    assert "random weights" in model.source and "transforms of the published weights" in model.preprocess.source
    model.ready()


def test_pictures_are_read_as_torchvision_does():
    torchvision = pytest.importorskip("torchvision")
    from PIL import Image

    for weights in (torchvision.models.ResNet50_Weights.IMAGENET1K_V2, torchvision.models.ViT_B_16_Weights.DEFAULT):
        how = metadata.as_preprocess(weights.transforms())
        with Image.open(CAT) as picture:
            torch.testing.assert_close(how(picture), weights.transforms()(picture), rtol=0, atol=1e-5)


def test_transforms_of_the_user_are_read_step_by_step():
    pytest.importorskip("torchvision")
    from PIL import Image
    from torchvision import transforms as T

    normal = T.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    for steps in ([T.Resize(40), T.CenterCrop(32)], [T.Resize((32, 32), T.InterpolationMode.BICUBIC)]):
        transform = T.Compose([*steps, T.ToTensor(), normal])
        model = pl.load(nn.Flatten().eval(), preprocess=transform)
        with Image.open(CAT) as picture:
            torch.testing.assert_close(model.read(CAT)[0], transform(picture), rtol=0, atol=1e-5)
    assert "a step RandomHorizontalFlip" in refusal(nn.Flatten(), preprocess=T.Compose([T.RandomHorizontalFlip(), T.ToTensor()]))
    assert "no crop" in refusal(nn.Flatten(), preprocess=T.Compose([T.Resize(40), T.ToTensor()]))
    assert "found an object of type int" in refusal(nn.Flatten(), preprocess=3)


def test_torchvision_names_that_are_none_suggest_some(tmp_path):
    pytest.importorskip("torchvision")
    assert "Nearest: resnet18" in refusal("torchvision:resnet-18?random")
    assert "torchvision publishes IMAGENET1K_V1" in refusal("torchvision:resnet18@IMAGENET1K_V9")
    assert "found no file nowhere.pth" in refusal("torchvision:resnet18@nowhere.pth")


def test_torchvision_imports_beside_a_pytorch_that_it_was_not_built_for():
    pytest.importorskip("torchvision")
    code = """
import pellucid as pl, torch
from pellucid.model.sources import torchvision
module = torchvision.imported("a test")
print(module.models.resnet18 is not None, torchvision.imported("again") is module)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(pl.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.split() == ["True", "True"], done.stderr


# Hugging Face


@pytest.fixture
def folder(tmp_path):
    """A small vision transformer as transformers saves it."""
    transformers = pytest.importorskip("transformers")
    names = {0: "cat", 1: "dog", 2: "owl"}
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8,
        id2label=names, label2id={v: k for k, v in names.items()},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = transformers.ViTForImageClassification(config).eval()
    net.save_pretrained(tmp_path / "vit")
    processor = {
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 32, "width": 32}, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3,
    }  # fmt: skip
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(processor))
    return tmp_path / "vit", net


def test_a_folder_brings_network_names_and_the_way_pictures_are_read(folder):
    path, net = folder
    model = pl.load(f"hf:{path}")
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(model(x)["logits"], net(x).logits.detach())
    assert model.labels == ("cat", "dog", "owl") and model.shape == (3, 32, 32)
    how = pl.Preprocess((32, 32), (32, 32), interpolation="bilinear", mean=(0.5,) * 3, std=(0.25,) * 3)
    torch.testing.assert_close(model.read(CAT), how(pl.model.read_picture(CAT))[None])
    assert "preprocessor_config.json of vit" in model.preprocess.source
    assert len(model.fingerprint) == 64 and "ViTForImageClassification" in model.source
    e = pl.explain(model, CAT, method="gradient_x_input")
    assert e.picture.shape == (32, 32, 3) and e.classes[0][1] in model.labels
    assert pl.load(path).labels == model.labels, "a folder needs no prefix"
    assert pl.load(net).labels == ("cat", "dog", "owl"), "an object says its names too"


def test_random_weights_of_a_folder_need_none(folder):
    path, _ = folder
    (path / "model.safetensors").unlink()
    assert "found no weights beside config.json" in refusal(f"hf:{path}")
    model = pl.load(f"hf:{path}?random")
    assert model(torch.zeros(1, 3, 32, 32))["logits"].shape == (1, 3)
    assert model.notes == ("The weights are random: the network is untrained.",)


def test_weights_that_are_missing_in_the_file_are_named(folder):
    path, net = folder
    state = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith("classifier")}
    safetensors.torch.save_file(state, path / "model.safetensors", metadata={"format": "pt"})
    assert pl.load(path).notes == ("Not in the file, and initialised at random: classifier.bias, classifier.weight.",)


def test_code_in_a_folder_needs_trust(folder):
    path, _ = folder
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "mine.Net"}}))
    message = refusal(path)
    assert "a model whose own Python code is to run (auto_map in config.json: AutoModel); opening it can run any code" in message
    assert "trust=True" in message


def test_folders_that_are_no_models(folder, tmp_path):
    path, _ = folder
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    assert "found no config.json in it (notes.txt)" in refusal(tmp_path / "other")
    assert "found no folder" in refusal("hf:./nowhere")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"architectures": ["Perfect"]}))
    assert "found the architecture Perfect; transformers" in refusal(path)
    (path / "config.json").write_text("{")
    assert "found a config.json that is no JSON" in refusal(path)


@pytest.mark.parametrize(
    ("settings", "found", "do"),
    [
        (
            {"model_type": "vit"},
            "names no architecture (its model_type is vit)",
            '"architectures": ["ViTForImageClassification"], or',
        ),
        ({"model_type": "vit", "architectures": []}, "names no architecture (its model_type is vit)", "or ViTModel."),
        ({"model_type": "of mine"}, "names no architecture (its model_type is of mine)", 'Add "architectures" to config.json.'),
        ({"hidden": 3, "sizes": [1]}, "names no architecture (it has hidden, sizes)", 'Add "architectures" to config.json.'),
        ({"architecture": "resnet10t"}, "a config.json of timm's resnet10t", "timm:resnet10t@FOLDER/model.safetensors"),
    ],
)
def test_settings_that_name_no_architecture_are_told_as_such(folder, settings, found, do):
    """Without a name the network could have any head, or none, and a map would be one of something else."""
    path, _ = folder
    (path / "config.json").write_text(json.dumps(settings))
    for source in (path, f"hf:{path}?random"):
        said = refusal(source)
        assert found in said and do in said


class BrokenImport:
    """Has torchvision raise an error while it is imported, as a build for another PyTorch does."""

    def __init__(self, error):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self, is_package=True) if name == "torchvision" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Detected that PyTorch and torchvision were compiled with different CUDA major versions."),
        OSError("_C.so: undefined symbol: _ZN3c105ErrorC2E"),
        AttributeError("partially initialized module 'torchvision' has no attribute 'extension'"),
        ImportError("cannot import name 'GuessedError' from 'torch'"),
    ],
)
@pytest.mark.parametrize("name", ["torchvision:vgg16?random", "timm:resnet10t?random", "hf"])
def test_a_torchvision_that_does_not_import_is_told_as_such(folder, monkeypatch, name, error):
    """transformers and timm import it for whatever model; what they say of it names neither."""
    for module in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [BrokenImport(error), *sys.meta_path])
    with pytest.raises(MissingExtra) as caught:
        pl.load(folder[0] if name == "hf" else name)
    said = caught.value
    assert f"which does not import beside torch {torch.__version__} ({error})" in said.found
    assert "built for another PyTorch" in said.why
    minor = int(torch.__version__.split(".")[1]) + 15
    assert f"pip install --no-deps 'torchvision==0.{minor}.*'" in said.do and "pip uninstall torchvision" in said.do


def test_a_torchvision_that_lacks_a_package_says_which(folder, monkeypatch):
    for module in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, module)
    error = ModuleNotFoundError("No module named 'nothing_here'", name="nothing_here")
    monkeypatch.setattr(sys, "meta_path", [BrokenImport(error), *sys.meta_path])
    with pytest.raises(MissingExtra, match=r"it needs nothing_here\. Install it with: pip install nothing_here"):
        pl.load(folder[0])


def test_a_class_that_does_not_import_says_what_of_it_does_not(folder, monkeypatch):
    transformers = pytest.importorskip("transformers")

    def broken(name):
        raise ModuleNotFoundError(f"Could not import module '{name}'.") from ImportError("libfoo.so: no such file")

    class Broken:
        __version__ = transformers.__version__
        __getattr__ = staticmethod(broken)

    with pytest.raises(
        MissingExtra, match=r"whose ViTForImageClassification does not import \(ImportError: libfoo.so: no such file"
    ):
        architectures.of_config(Broken(), {"architectures": ["ViTForImageClassification"]}, "hf:vit")


def test_damaged_weights_of_a_folder(folder):
    path, _ = folder
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "found a folder that does not load (" in refusal(path)


class Processor:
    """What an image processor of Hugging Face looks like from outside."""

    def __init__(self, **told):
        usual = {"size": {}, "image_mean": [0.5], "image_std": [0.5], "rescale_factor": 1 / 255, "resample": 3}
        self.__dict__.update(usual | told)


@pytest.mark.parametrize(
    ("told", "size", "resize"),
    [
        ({"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 30}}, (32, 30), 40),
        ({"size": {"height": 32, "width": 30}}, (32, 30), (32, 30)),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 224), 256),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, (384, 384), (384, 384)),
    ],
    ids=["crop", "stretch", "ConvNeXt", "large ConvNeXt"],
)
def test_image_processors_are_read_by_what_they_say(told, size, resize):
    how = metadata.as_preprocess(Processor(**told))
    assert (how.size, how.resize, how.interpolation) == (size, resize, "bicubic")
    assert "Processor" in how.source


def test_rescaling_is_part_of_mean_and_std():
    whole = {"size": {"height": 2, "width": 2}}
    low, high = metadata.as_preprocess(Processor(**whole, do_normalize=False)).bounds()
    assert (low.item(), high.item()) == (0, 1)
    low, high = metadata.as_preprocess(
        Processor(**whole, rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False)
    ).bounds()
    assert (low.item(), high.item()) == pytest.approx((-1, 1))
    low, high = metadata.as_preprocess(Processor(**whole, do_rescale=False, do_normalize=False)).bounds()
    assert (low.item(), high.item()) == pytest.approx((0, 255))


def test_a_processor_that_leaves_the_size_open_is_not_guessed():
    assert "every picture would have a shape of its own" in refusal(nn.Flatten(), preprocess=Processor(size={"longest_edge": 9}))


@pytest.mark.parametrize(
    ("name", "package"), [("timm:resnet18", "timm"), ("torchvision:vgg16", "torchvision"), ("hf:a/b", "transformers")]
)
def test_what_is_not_installed_is_said_with_its_extra(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"found no package {package}; .* pip install 'pellucid\[hub\]'"):
        pl.load(name)
