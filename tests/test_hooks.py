"""The one listener to modules: it hears one thread during one block, and leaves nothing behind."""

from threading import Thread

import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks

from pellucid.model.hooks import listening, visible


def net() -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Flatten()).eval()


def test_it_is_gone_after_an_error():
    module, before = net(), (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks))

    def refuse(path, value):
        raise RuntimeError(path)

    with pytest.raises(RuntimeError, match="0"), listening({id(module[0]): "0"}, enter=print, leave=refuse):
        module(torch.ones(1, 2))
    assert (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)) == before


def test_what_it_returns_takes_the_place_of_the_output():
    module = net()
    with listening({id(module[0]): "relu"}, leave=lambda path, output: output + 1):
        assert torch.equal(module(torch.ones(1, 2)), torch.full((1, 2), 2.0))
    assert torch.equal(module(torch.ones(1, 2)), torch.ones(1, 2))


def test_other_threads_are_not_listened_to():
    module, paths = net(), []
    with listening(visible(module), leave=lambda path, output: paths.append(path)):
        thread = Thread(target=module, args=(torch.ones(1, 2),))
        thread.start()
        thread.join()
        assert paths == []
        module(torch.ones(1, 2))
    assert paths == ["0", "1", ""]


def test_scripted_code_has_nothing_to_listen_to():
    assert visible(torch.jit.script(net())) == visible(None) == {}
