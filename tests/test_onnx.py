"""ONNX files: the same function as in PyTorch, up to the softmax at the end; and what cannot be converted is named."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

import pellucid as pl
from pellucid.errors import InputError, MissingExtra, ModelError, ThreadLost

onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402

from pellucid.model.sources.onnx import runtime  # noqa: E402
from tests import onnx_nets  # noqa: E402

X = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8).sin()


@pytest.fixture(scope="module")
def net():
    return onnx_nets.twin()


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        pl.load(path)
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "a message has four parts"
    return str(caught.value)


@pytest.mark.parametrize("nhwc", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("softmax", [False, True], ids=["scores", "softmax"])
def test_a_file_computes_the_scores_of_the_network_it_was_made_from(net, tmp_path, nhwc, softmax):
    model = pl.load(onnx_nets.save(net, tmp_path / "net.onnx", nhwc=nhwc, softmax=softmax))
    torch.testing.assert_close(model(X), net(X).detach(), rtol=0, atol=1e-5)
    assert model.shape == (3, 8, 8)
    assert ("The file ends in a softmax; the scores before it are explained." in model.notes) == softmax
    assert ("channels last" in model.source) == nhwc and "by-hand" in model.source
    assert len(model.fingerprint) == 64
    model.ready()


def test_a_log_softmax_is_the_models_own_answer_and_stays(tmp_path):
    nodes = [helper.make_node("Flatten", ["input"], ["a"], "flat"), helper.make_node("LogSoftmax", ["a"], ["y"], "log", axis=-1)]
    model = pl.load(onnx_nets.write(nodes, [], ["N", 1, 2, 2], "y", ["N", 4], tmp_path / "log.onnx"))
    x = torch.rand(2, 1, 2, 2)
    torch.testing.assert_close(model(x), x.flatten(1).log_softmax(1))
    assert model.notes == ()


@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon_plus", "gradient_x_input", "deeplift", "gradcam", "occlusion"])
def test_an_explanation_is_that_of_the_network_it_was_made_from(net, tmp_path, method):
    model = pl.load(onnx_nets.save(net, tmp_path / "net.onnx", nhwc=True))
    ours, theirs = (pl.explain(one, X, target=1, method=method).values for one in (model, net))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_dense_layers_that_come_as_matmul_and_add_get_the_rules_of_dense_layers(net, tmp_path):
    card = pl.inspect(pl.load(onnx_nets.save(net, tmp_path / "net.onnx")))
    assert [row.count for row in card.rules if row.kind == "dense"] == [2]
    assert {"net/one": 36 * 6, "net/two": 6 * 3}.items() <= {layer.name: layer.parameters for layer in card.layers}.items()
    assert card.parameters == sum(p.numel() for p in net.parameters()), "constants count where they work"
    assert all(verdict.works for verdict in card.methods if verdict.family in ("lrp", "gradient"))


def test_layers_can_be_asked_by_the_names_in_the_file(net, tmp_path):
    model = pl.load(onnx_nets.save(net, tmp_path / "net.onnx"))
    e = pl.explain(model, X, target=0, at="net/pool", method="lrp.epsilon")
    theirs = pl.explain(net, X, target=0, at=pl.Where(op="max_pool2d_with_indices"), method="lrp.epsilon")
    torch.testing.assert_close(e.values, theirs.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 4])
def test_a_file_that_fixes_its_batch_takes_every_multiple_of_it(net, tmp_path, size):
    model = pl.load(onnx_nets.save(net, tmp_path / "net.onnx", batch=size))
    x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(x), net(x).detach(), rtol=0, atol=1e-5)
    for method in ("lrp", "occlusion"):
        ours, theirs = (pl.explain(one, x, target=1, method=method).values for one in (model, net))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_batch_that_cannot_be_loosened_is_filled_up(tmp_path, count):
    token = numpy_helper.from_array(torch.full((2, 1, 3), 7.0).numpy(), "token")  # one row per sample, as some exporters write it
    node = helper.make_node("Concat", ["input", "token"], ["y"], "net/token", axis=1)
    model = pl.load(onnx_nets.write([node], [token], [2, 4, 3], "y", [2, 5, 3], tmp_path / "net.onnx"))
    x = torch.rand(count, 4, 3)
    assert torch.equal(model(x), torch.cat([x, torch.full((count, 1, 3), 7.0)], 1))


def test_pictures_that_lie_channels_last_are_refused_with_the_turn_they_need(net, tmp_path):
    model = pl.load(onnx_nets.save(net, tmp_path / "net.onnx", nhwc=True))
    with pytest.raises(InputError, match=r"found shape \(2, 8, 8, 3\); channels come before height and width. Turn it"):
        model(X.permute(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "expected"),
    [
        ([1], [3], [1], [1], lambda x: x[:, 1:3]),
        ([-1], [-9], [1], [-1], lambda x: x.flip(1)),
        ([-2], [-9], [-1], [-2], lambda x: x.flip(1)[:, 1::2]),
        ([0, 0], [2**63 - 1, 2], [0, 1], [1, 1], lambda x: x[:, :2]),
        ([5], [9], [1], [1], lambda x: x[:, 5:9]),
    ],
    ids=["some", "backwards", "every second, backwards", "to the end", "none"],
)
def test_slices_cut_as_numpy_does(tmp_path, starts, ends, axes, steps, expected):
    names = dict(starts=starts, ends=ends, axes=axes, steps=steps)
    weights = [numpy_helper.from_array(torch.tensor(value).numpy(), name) for name, value in names.items()]
    node = helper.make_node("Slice", ["input", *names], ["y"], "cut")
    model = pl.load(onnx_nets.write([node], weights, ["N", 4], "y", ["N", "M"], tmp_path / "cut.onnx"))
    x = torch.arange(8.0).view(2, 4)
    assert torch.equal(model(x), expected(x))


def test_a_slice_whose_ends_are_attributes_cuts_too(tmp_path):
    node = helper.make_node("Slice", ["input"], ["y"], "cut", starts=[1], ends=[3], axes=[1])
    model = pl.load(onnx_nets.write([node], [], ["N", 4], "y", ["N", 2], tmp_path / "cut.onnx", opset=9))
    assert torch.equal(model(torch.arange(8.0).view(2, 4)), torch.tensor([[1.0, 2], [5, 6]]))


# files that are refused


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.5, 0.95])
def test_truncated_files(net, tmp_path, share):
    path = onnx_nets.save(net, tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes()[: max(1, int(path.stat().st_size * share))])
    assert "found data that cannot be read (" in refusal(path)


def unreadable(path: Path) -> Path:
    nodes = [
        helper.make_node("Relu", ["input"], ["a"], "net/relu"),
        helper.make_node("Warp", ["a"], ["b"], "net/warp", domain="com.example"),
        helper.make_node("Gather", ["b"], ["y"], "net/gather", domain="com.example"),
    ]
    return onnx_nets.write(nodes, [], ["N", 3, 3], "y", ["N"], path, domains={"com.example": 1})


def test_operations_that_cannot_be_read_are_named_with_their_place(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "available", lambda: False)
    message = refusal(unreadable(tmp_path / "net.onnx"))
    assert "found 2 of 3 operations that cannot be read: com.example.Gather, com.example.Warp, first at `net/warp`" in message
    assert "Install onnxruntime for methods that only ask for outputs" in message


def test_files_that_only_onnxruntime_knows_are_explained_by_asking(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    nodes = [
        helper.make_node("UnfoldTensor", ["input"], ["pairs"], "net/pairs", domain="com.microsoft", dim=-1, size=2, step=1),
        helper.make_node("ReduceSumSquare", ["pairs"], ["y"], "net/sum", axes=[2], keepdims=0),
    ]
    onnx_nets.write(nodes, [], ["N", 4], "y", ["N", 3], path, domains={"com.microsoft": 1})
    model = pl.load(path)
    assert "run by onnxruntime" in model.source and "com.microsoft.UnfoldTensor PyTorch cannot compute" in model.notes[0]
    x = torch.tensor([[1.0, 0.5, -3.0, 2.0]])
    values = pl.explain(model, x, target=1, method="feature_ablation").values
    torch.testing.assert_close(values, torch.tensor([[0.0, 0.25, 9.0, 0.0]]), rtol=0, atol=1e-5)  # what x1^2 + x2^2 loses
    with pytest.raises(ThreadLost):
        pl.explain(model, x, target=1, method="lrp")


def test_a_file_that_nothing_here_can_run_says_so(tmp_path):
    pytest.importorskip("onnxruntime")
    assert "onnxruntime cannot run them either" in refusal(unreadable(tmp_path / "net.onnx"))


def test_weights_beside_the_file_are_read_and_elsewhere_refused(net, tmp_path):
    path = onnx_nets.save(net, tmp_path / "net.onnx", external="net.data")
    torch.testing.assert_close(pl.load(path)(X), net(X).detach(), rtol=0, atol=1e-5)
    (tmp_path / "net.data").rename(tmp_path / "moved")
    assert "found weights kept in 'net.data'" in refusal(path)
    os.symlink(tmp_path / "moved", tmp_path / "net.data")
    assert "read only from the model's own folder, as plain files" in refusal(path)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/net.data", "n" * 300, "a\0b"])
def test_a_file_cannot_reach_out_of_its_folder(net, tmp_path, location):
    path = onnx_nets.save(net, tmp_path / "net.onnx", external="net.data")
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(proto.SerializeToString())
    assert f"found weights kept in {location!r}" in refusal(path)


def test_a_file_without_operations_is_none(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07")
    assert "no operations in it" in refusal(tmp_path / "net.onnx")


def test_what_is_not_installed_is_said_with_its_extra(net, tmp_path, monkeypatch):
    path = onnx_nets.save(net, tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"found no package onnx; .* pip install 'pellucid\[onnx\]'"):
        pl.load(path)


def test_a_network_crosses_processes(net, tmp_path):
    loaded = pl.load(onnx_nets.save(net, tmp_path / "net.onnx"))
    assert torch.equal(pickle.loads(pickle.dumps(loaded.module))(X), loaded(X))


def test_a_network_computes_in_the_precision_it_is_moved_to(net, tmp_path):
    moved = pl.load(onnx_nets.save(net, tmp_path / "net.onnx")).module.double()
    twin = copy.deepcopy(net).double()
    torch.testing.assert_close(moved(X.double()), twin(X.double()), rtol=0, atol=1e-12)
