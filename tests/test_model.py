"""The handle on a model: what it tells, what it refuses, and that it leaves the network alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pellucid.errors import ModelError, TargetError
from pellucid.model import Layer, Model, Preprocess, load

LABELS = ("Egyptian cat", "Persian cat", "espresso", "crane", "tabby, tabby cat", "Crane", "lynx, catamount")
GREY = Preprocess((6, 6), mean=(0.5,), std=(0.5,))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(32, 7)]
    return nn.Sequential(*layers).eval()


@pytest.fixture
def model() -> Model:
    return load(net(), preprocess=GREY, labels=LABELS, name="tiny")


def refusal(call: Callable[..., Any], *arguments: Any, error: type[ModelError | TargetError] = ModelError) -> str:
    with pytest.raises(error) as caught:
        call(*arguments)
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "a message has four parts"
    return str(caught.value)


# calling


def test_a_call_is_the_networks_own_output_without_a_graph(model: Model) -> None:
    assert model.module is not None
    x = torch.rand(2, 1, 6, 6, requires_grad=True)
    y = model(x)
    assert not y.requires_grad
    assert torch.equal(y, model.module(x).detach())
    assert torch.is_grad_enabled()


def test_several_inputs_and_any_output_pass_through() -> None:
    assert load(lambda a, b: {"sum": a + b})(torch.ones(1), torch.ones(1)) == {"sum": torch.tensor([2.0])}


def test_a_picture_becomes_a_batch_of_one_as_the_network_counts(model: Model) -> None:
    picture = np.zeros((9, 12, 3), dtype=np.uint8)
    x = model.read(picture)
    assert torch.equal(x, torch.full((1, 1, 6, 6), -1.0))
    assert model.crop(picture).size == (6, 6)
    double = load(net().double(), preprocess=GREY)
    assert double.read(Image.fromarray(picture)).dtype == torch.float64


def test_a_picture_for_a_model_without_preprocessing_is_refused_and_never_guessed() -> None:
    model = load(net())
    for call in (model.read, model.crop):
        message = refusal(call, np.zeros((9, 9), dtype=np.uint8))
        assert "a picture for Sequential: found a model that does not say how pictures become its input" in message
        assert "Load it with preprocess=pl.Preprocess(" in message


def test_device_and_type_are_those_of_the_first_floating_weight() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("steps", torch.zeros(1, dtype=torch.long))
            self.register_buffer("scale", torch.ones(1, dtype=torch.bfloat16))

    assert load(Counting()).dtype == torch.bfloat16
    assert load(net().to("meta")).device == torch.device("meta")
    assert (load(nn.ReLU()).device, load(nn.ReLU()).dtype) == (torch.device("cpu"), torch.float32)
    assert load(torch.sin).dtype == torch.float32


# names


def test_labels_by_index(model: Model) -> None:
    assert (model.label(0), model.label(7), model.label(-1)) == ("Egyptian cat", "class 7", "class -1")
    assert load(net()).label(3) == "class 3"


NAMES = {"espresso": 2, " ESPRESSO ": 2, "tabby, tabby cat": 4, "Tabby Cat": 4, "catamount": 6, "5": 5, "class 5": 5}


@pytest.mark.parametrize(("asked", "index"), NAMES.items())
def test_a_class_is_found_by_its_name_a_synonym_or_its_number(model: Model, asked: str, index: int) -> None:
    assert model.find(asked) == index


def test_every_label_that_is_given_out_is_found_again() -> None:
    for model in (load(net()), load(net(), labels=[str(9 - digit) for digit in range(10)])):
        assert [model.find(model.label(index)) for index in range(7)] == list(range(7))


def test_a_whole_name_outranks_a_synonym() -> None:
    model = load(net(), labels=["crane, bird", "crane"])
    assert model.find("crane") == 1


def test_an_unknown_class_suggests_the_nearest_three(model: Model) -> None:
    message = refusal(model.find, "expresso", error=TargetError)
    assert 'class "expresso": found 7 other names; none of them matches. Nearest: "espresso" (2), ' in message
    message = refusal(model.find, "cat", error=TargetError)
    nearest = message.partition("Nearest: ")[2]
    assert nearest == '"Persian cat" (1), "Egyptian cat" (0), "tabby, tabby cat" (4).'


def test_an_ambiguous_class_lists_its_numbers(model: Model) -> None:
    message = refusal(model.find, "crane", error=TargetError)
    assert 'class "crane": found 2 classes of that name: 3, 5; the name has to be unique. Pass the number, such as 3.' in message


def test_a_name_for_a_model_without_labels_is_refused() -> None:
    assert "found a model without class names" in refusal(load(net()).find, "cat", error=TargetError)


def test_the_best_classes_come_with_probabilities(model: Model) -> None:
    row = torch.tensor([0.0, 3.0, 1.0, -1.0, 0.0, 0.0, 0.0])
    top = model.top(row, 2)
    assert [(index, label) for index, label, _ in top] == [(1, "Persian cat"), (2, "espresso")]
    assert top[0][2] == pytest.approx(row.softmax(0)[1].item())
    assert len(model.top(row, 100)) == 7


def test_a_network_that_ends_in_a_softmax_is_not_given_a_second_one(model: Model) -> None:
    row = torch.tensor([0.0, 3.0, 1.0, -1.0, 0.0, 0.0, 0.0]).softmax(0)
    assert model.top(row, 1)[0][2] == pytest.approx(row[1].item())


@pytest.mark.parametrize("row", [torch.tensor(1.0), torch.ones(1), torch.ones(3, 4, 4)], ids=["number", "score", "map"])
def test_what_is_no_list_of_scores_has_no_classes(model: Model, row: Tensor) -> None:
    assert model.top(row) == []


def test_layers_are_listed_with_class_and_size(model: Model) -> None:
    assert model.layers()[0] == Layer("", "Sequential", 20 + 4 + 231)
    assert model.layers()[1:3] == (Layer("0", "Conv2d", 20), Layer("1", "BatchNorm2d", 4))
    assert load(torch.sin).layers() == ()


def test_the_repr_is_a_line(model: Model) -> None:
    assert repr(model) == "Model(tiny, nn.Module, 255 parameters, 7 labels)"
    assert repr(load(torch.sin)) == "Model(sin, callable)"


# training mode


def test_a_network_in_eval_mode_is_ready(model: Model) -> None:
    model.ready()
    load(torch.sin).ready()


def test_a_network_in_training_mode_is_refused_and_left_as_it_is() -> None:
    training = net().train()
    message = refusal(load(training).ready)
    assert "an explanation of Sequential: found `0` in training mode" in message
    assert "Call model.eval() first." in message
    assert training.training


def test_one_layer_in_training_mode_is_named() -> None:
    module = nn.Sequential(net(), nn.Identity()).eval()
    module[0][3].train()
    assert "found `0.3` in training mode" in refusal(load(module).ready)


def test_a_network_of_one_module_is_named_as_such() -> None:
    assert "found the network in training mode" in refusal(load(nn.Linear(1, 1)).ready)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_scripts_and_traces_are_ready_in_eval_mode_and_refused_in_training_mode() -> None:
    x = torch.rand(2, 1, 6, 6)
    load(torch.jit.script(net())).ready()
    load(torch.jit.trace(net(), x)).ready()
    load(torch.jit.freeze(torch.jit.script(net()))).ready()
    assert "found `0` in training mode" in refusal(load(torch.jit.script(net().train())).ready)
    late = torch.jit.trace(net().train(), x, check_trace=False).eval()  # too late: the trace holds what dropout did
    message = refusal(load(late).ready)
    assert "a program whose dropout is fixed in training mode" in message
    assert "Call model.eval() before the model is traced or exported." in message


def test_exported_programs_are_judged_by_their_operations_and_not_by_their_flag() -> None:
    x = torch.rand(2, 1, 6, 6)
    load(torch.export.export(net(), (x,))).ready()
    message = refusal(load(torch.export.export(net().train(), (x,))).ready)
    assert "a program whose batch_norm is fixed in training mode" in message


def test_an_exported_program_inside_a_network_does_not_count_as_training() -> None:
    outer = nn.Sequential(torch.export.export(net(), (torch.rand(2, 1, 6, 6),)).module())
    outer.training = False
    load(outer).ready()


def test_a_batch_norm_that_keeps_no_statistics_uses_the_batch_in_either_mode() -> None:
    module = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False)).eval()
    load(module).ready()
    load(torch.export.export(module, (torch.rand(2, 1, 6, 6),))).ready()


# do no harm


def test_nothing_a_handle_does_changes_the_network() -> None:
    module = net()
    module[0].weight.requires_grad_(False)
    before = {key: (id(value), value.clone()) for key, value in module.state_dict(keep_vars=True).items()}
    state = torch.random.get_rng_state()
    model = load(module, preprocess=GREY, labels=LABELS)
    model.ready()
    model.layers()
    model(model.read(np.zeros((9, 9), dtype=np.uint8)))
    after = module.state_dict(keep_vars=True)
    assert {key: id(value) for key, value in after.items()} == {key: name for key, (name, _) in before.items()}
    assert all(torch.equal(after[key], value) for key, (_, value) in before.items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [p.requires_grad for p in module[0].parameters()] == [False, True]
    assert not any(m._forward_hooks or m._forward_pre_hooks or m.training for m in module.modules())


def test_an_error_crosses_processes_whole():
    import pickle

    error = pickle.loads(pickle.dumps(TargetError("logit(9)", "3 classes", "classes run 0-2", "Ask for one of those.")))
    assert type(error) is TargetError and error.do == "Ask for one of those." and str(error).startswith("logit(9): found 3")
