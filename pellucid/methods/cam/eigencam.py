"""Eigen-CAM: the first principal component of a feature map, whatever the target."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .base import CAM, Heat, LayerActivation


@dataclass(frozen=True)
class EigenCAM(CAM):
    """Eigen-CAM: the projection of every place's activations on their first principal component. It does not read the target.

    With M = U S V^T, the activations as (places, channels), the map is M v_1 = s_1 u_1. Of the two signs it has, the one is taken
    with which it rises with the sum of all channels. (A centred map sums to 0, so that its own sum could not decide.)

    Arguments:
        centred: Whether each channel's mean over the places is taken off first, as in principal component analysis and in the
            package grad-cam. The paper does not; the map then is mostly the mean activation.
        relu: As elsewhere. The paper sets nothing to 0. A negative value is no evidence against anything: such a place shows less
            of what the map shows most.

    References: Eigen-CAM: class activation map using principal components (Muhammad and Yeasin, 2020),
        https://doi.org/10.1109/IJCNN48605.2020.9206626
    """

    centred: bool = True

    name = "eigencam"

    def heat_of(self, layer: LayerActivation) -> Heat:
        A = layer.A
        M = A.flatten(2).mT.double()  # components of float32 matrices differ between batches in their last digits
        total = M.sum(2)
        M = M - M.mean(1, keepdim=True) if self.centred else M
        U, S, _ = torch.linalg.svd(M, full_matrices=False)
        heat = U[:, :, 0] * S[:, :1]
        sign = torch.where((heat * total).sum(1, keepdim=True) < 0, -1.0, 1.0)
        notes = ("Blind to the target: it shows what stands out most in this layer.",)
        return Heat((sign * heat).to(A.dtype).reshape(len(A), *A.shape[2:]), len(layer.x), notes)
