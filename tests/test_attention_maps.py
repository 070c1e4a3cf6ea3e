"""Attention rollout and Chefer's relevance: equal to the papers, found in any transformer, refused with reasons elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import MethodError
from tests.cases import difference
from tests.reference import attention_twins

WIDTH, HEADS, DEPTH = 8, 2, 3


class Block(nn.Module):
    """Attention written out, so that its weights can be had."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.norm, self.again = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, WIDTH))
        self.causal = causal
        self.seen: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        batch, n, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2)
        if self.causal:
            scores = scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), float("-inf"))
        self.seen = scores.softmax(-1)
        x = x + self.out((self.seen @ v).transpose(1, 2).reshape(batch, n, WIDTH))
        return x + self.mlp(self.again(x))


class Vision(nn.Module):
    """Patches, a class token, blocks, and a head on the class token or on the mean of all patches."""

    def __init__(self, patch: int = 4, pooled: bool = False, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, WIDTH, patch, stride or patch, padding)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.blocks = nn.Sequential(*[Block(causal=False) for _ in range(DEPTH)])
        self.head, self.pooled = nn.Linear(WIDTH, 4), pooled

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = self.blocks(torch.cat([self.token.expand(len(x), -1, -1), x], 1))
        return self.head(x[:, 1:].mean(1) if self.pooled else x[:, 0])


class Decoder(nn.Module):
    """A causal reader of word vectors that answers at its last word."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks, self.head = nn.Sequential(*[Block(causal=True) for _ in range(DEPTH)]), nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x)[:, -1])


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, list[int], slice]] = {
    # network, shape of a sample, tokens, those that are read, those that are places
    "class token": (Vision, (3, 12, 16), 13, [0], slice(1, None)),
    "pooled": (lambda: Vision(pooled=True), (3, 12, 16), 13, list(range(1, 13)), slice(1, None)),
    "decoder": (Decoder, (6, WIDTH), 6, [5], slice(None)),
}
each_net = pytest.mark.parametrize("name", NETS)


def built(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = make().double().eval()
        for parameter in net.parameters():  # attention that is not almost even
            nn.init.normal_(parameter, std=0.6)
    return net


def inputs(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def explicit(net: nn.Module, x: Tensor, target: int) -> tuple[list[Tensor], list[Tensor]]:
    """The weights of all layers for one sample, and the derivative of the target with respect to them."""
    y = net(x)
    weights = [block.seen for block in net.blocks]
    gradients = torch.autograd.grad(y[0, target], weights)
    return [w.detach()[0] for w in weights], [g[0] for g in gradients]


@pytest.mark.parametrize("method", ["attention_rollout", "chefer"])
@each_net
def test_maps_are_those_of_the_slow_twin(name: str, method: str):
    make, shape, count, read, real = NETS[name]
    net, x = built(make), inputs(shape)
    e = pl.explain(net, x, target=2, method=method)
    for k in range(len(x)):
        weights, gradients = explicit(net, x[k : k + 1], 2)
        R = attention_twins.rollout(weights) if method == "attention_rollout" else attention_twins.chefer(weights, gradients)
        wanted = attention_twins.rows(R, read)
        if method == "chefer":
            wanted = wanted - attention_twins.rows(attention_twins.identity(count), read)
        found = e.values[k, 0, ::4, ::4].flatten() if len(shape) == 3 else e.values[k, :, 0]
        assert difference(found[None], wanted[real][None]) <= 1e-10


@pytest.mark.parametrize("method", ["attention_rollout", "chefer"])
def test_the_pixels_of_a_patch_share_its_number(method: str):
    values = pl.explain(built(Vision), inputs((3, 12, 16)), target=2, method=method).values
    patches = values.reshape(3, 3, 3, 4, 4, 4).permute(0, 2, 4, 1, 3, 5).flatten(3)
    assert (patches == patches[..., :1]).all()


def test_overlapping_patches_are_averaged_and_pixels_in_none_get_nothing():
    net = built(lambda: Vision(patch=4, stride=2))
    values = pl.explain(net, inputs((3, 7, 8)), target=2, method="chefer").values[:, 0]
    heat = pl.explain(net, inputs((3, 7, 8)), target=2, method="chefer", at="embed").values[:, 0]
    assert heat.shape == (3, 2, 3)
    assert torch.allclose(values[:, 0, 0], heat[:, 0, 0]) and torch.allclose(values[:, 3, 2], heat[:, :, :2].mean((1, 2)))
    assert (values[:, 6] == 0).all()  # two patches of four rows, two apart, end at the sixth


def test_padding_of_the_patches_moves_them():
    net = built(lambda: Vision(patch=4, padding=2))
    x = inputs((3, 12, 12))
    values, heat = (pl.explain(net, x, target=2, method="chefer", at=at).values[:, 0] for at in (None, "embed"))
    assert heat.shape == (3, 4, 4)
    assert torch.equal(values[:, 0, 1], heat[:, 0, 0]) and torch.equal(values[:, 2, 6], heat[:, 1, 2])


def test_only_the_layers_after_a_value_count_there():
    net, x = built(Decoder), inputs((6, WIDTH))
    weights, gradients = explicit(net, x[:1], 2)
    found = pl.explain(net, x, target=2, method="chefer", at="blocks.0").values[0, :, 0]
    wanted = attention_twins.rows(attention_twins.chefer(weights[1:], gradients[1:]), [5])
    wanted[5] -= 1
    assert difference(found[None], wanted[None]) <= 1e-10


def test_a_causal_decoder_hears_nothing_of_what_comes_after_the_word_that_is_asked():
    class Earlier(Decoder):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.blocks(x)[:, 2])

    for method in ("attention_rollout", "chefer"):
        values = pl.explain(built(Earlier), inputs((6, WIDTH)), target=2, method=method).values
        assert (values[:, 3:] == 0).all() and (values[:, :3].amax((1, 2)) > 0).all()


@pytest.mark.parametrize("method", ["attention_rollout", "chefer"])
def test_pytorchs_own_attention_is_found_eager_and_exported(method: str):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x)[:, 0]

    net, x = Net().double().eval(), inputs((6, WIDTH))
    wanted = pl.explain(net, x, target=1, method=method).values
    assert wanted.amax() > 0
    exported = torch.export.export(net, (x,))
    assert difference(pl.explain(exported, x, target=1, method=method).values, wanted) <= 1e-10


# -- what cannot be done, and why -----------------------------------------------------------------------------------------


class Channels(nn.Module):
    """Attention between channels, as XCiT."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Conv2d(3, WIDTH, 4, 4), nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2)
        x = x + (x @ x.transpose(1, 2)).softmax(-1) @ x
        return self.head(x.mean(2))


class Windows(nn.Module):
    """Attention within windows, as Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Conv2d(3, WIDTH, 2, 2), nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).permute(0, 2, 3, 1)
        batch, height, width, _ = x.shape
        w = x.view(batch, height // 2, 2, width // 2, 2, WIDTH).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, WIDTH)
        w = F.scaled_dot_product_attention(w, w, w)
        return self.head(w.reshape(batch, -1, WIDTH).mean(1))


class Pooling(nn.Module):
    """Fewer keys than queries, as PVT."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.scaled_dot_product_attention(x, x[:, ::2], x[:, ::2]).mean(1))


class Gates(nn.Module):
    """A softmax that weighs no values of others."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, WIDTH, 3), nn.ReLU(), nn.Flatten(2))
        self.head = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        return self.head((x * x.softmax(1)).mean(2))


REFUSED = {
    "channels": (Channels, (3, 8, 8), "which weighs channels (3 x 8 x 8)", "say nothing of places"),
    "windows": (Windows, (3, 8, 8), "within windows of 4 tokens", "does not attend beyond its window"),
    "fewer keys": (Pooling, (6, WIDTH), "of 6 tokens over 3 others", "do not attend to themselves"),
    "no attention": (Gates, (3, 8, 8), "no attention among its", "no weights of one token for another"),
}


@pytest.mark.parametrize("method", ["attention_rollout", "chefer"])
@pytest.mark.parametrize("name", REFUSED)
def test_other_networks_are_refused_with_what_was_found(name: str, method: str):
    make, shape, found, why = REFUSED[name]
    with pytest.raises(MethodError) as error:
        pl.explain(built(make), inputs(shape), target=1, method=method)
    assert error.value.asked == f"{method} of this model"
    assert found in error.value.found and why in error.value.why and "lrp" in error.value.do
