"""Sparse constants are what they are in dense form; sparse or nested values of the input are refused in plain words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import ModelError

RNG = torch.Generator().manual_seed(0)
A, X = (torch.rand(6, 6, generator=RNG) < 0.4).float() * 0.7, torch.randn(2, 6, 5, generator=RNG)
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {"coo": Tensor.to_sparse, "csr": Tensor.to_sparse_csr}


class Graph(nn.Module):
    """Two graph convolutions over a fixed graph."""

    def __init__(self, adjacency: Tensor, product: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(5, 4), nn.Linear(4, 3)
        self.register_buffer("adjacency", adjacency)
        self.product = product

    def forward(self, x: Tensor) -> Tensor:
        def convolved(nodes: Tensor) -> Tensor:
            hidden = self.product(self.adjacency, self.first(nodes)).relu()
            return self.second(self.product(self.adjacency, hidden)).mean(0)

        return torch.stack([convolved(nodes) for nodes in x])


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("product", [torch.matmul, torch.mm, torch.sparse.mm])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sparse_graph_is_explained_as_the_dense_one(layout: str, product: Callable[[Tensor, Tensor], Tensor]):
    sparse, dense = Graph(LAYOUTS[layout](A), product).eval(), Graph(A, torch.matmul).eval()
    for method in ("gradient", "lrp", "lrp.epsilon", "deeplift", "occlusion"):
        found, right = (pl.explain(net, X, 1, method).values for net in (sparse, dense))
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_and_sparse_values_of_the_input_are_refused_in_plain_words():
    nets = {
        "nested": lambda x: torch.nested.as_nested_tensor(list((x * 2).unbind(0))).to_padded_tensor(0.0).mean((1,)),
        "sparse": lambda x: (x * 2).flatten(1).to_sparse().to_dense()[:, :3],
    }
    for what, net in nets.items():
        with pytest.raises(ModelError, match=f"{what} tensors that descend from the input"):
            pl.explain(net, X, 1, "gradient")
