"""Responses: what a network computes for the pictures that a trust report compares, made and real; their power spectra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.errors import InputError
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import Target
from ..optimize.task import Task
from ..pictures import Pictures
from .activity import Activity, activity

BINS = 24  # rings of a power spectrum, from the lowest frequency to the highest along an axis
FAINT = 1e-10  # added to powers: below a thousandth of a grey level out of 256


@dataclass(frozen=True, eq=False)
class Responses:
    """What the network computes for n pictures.

    Arguments:
        scores: The value of each distinct target, with shape (n, targets).
        classes: The predicted classes, with shape (n,); None where the output is no list of classes.
        activity: The activations of some layers.
        spectra: The logarithms of the power by frequency, with shape (n, bins).
    """

    scores: Tensor
    classes: Tensor | None
    activity: Activity
    spectra: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, task: Task, targets: Sequence[Target], layers: Sequence[str], batches: Iterable[Tensor]) -> Responses:
        """The responses to batches of inputs."""
        parts = [_batch(task, targets, layers, x) for x in batches]
        scores, power = torch.cat([part.scores for part in parts]), torch.cat([part.spectra for part in parts])
        classes = [part.classes for part in parts if part.classes is not None]
        every = torch.cat(classes) if len(classes) == len(parts) else None
        return cls(scores, every, Activity.concat([part.activity for part in parts]), power)


def _batch(task: Task, targets: Sequence[Target], layers: Sequence[str], x: Tensor) -> Responses:
    addresses = dict.fromkeys([*(at for target in targets for at in target.addresses), *layers, None])
    values = forward_values(task.model, x, tuple(addresses))
    scores = [target.take([0] * len(x)).read(lambda at: values[at]).float().cpu() for target in targets]
    output, tokens = values[None], len(task.frame.spatial) > 1
    classes = output.argmax(1).cpu() if output.dim() == 2 and output.shape[1] > 1 else None
    inside = activity(values, layers, tokens=tokens) if layers else activity({"": output}, [""], tokens=False)
    return Responses(torch.stack(scores, 1), classes, inside, spectra(task.frame.to_pictures(x)))


def real_responses(
    task: Task, targets: Sequence[Target], layers: Sequence[str], source: Pictures, most: int
) -> tuple[Responses, list[str]]:
    """The responses to the first `most` real pictures, and a note if the pass was called off."""
    done, notes = 0, list[str]()
    total = min(most, source.count) or most

    def inputs() -> Iterable[Tensor]:
        nonlocal done
        for x in islice(source.everything(64), (most + 63) // 64 if source.loader is None else None):
            for batch in torch.split(x[: max(0, most - done)], batch_size(x)):
                done += len(batch)
                yield batch
            if done >= most:
                return
            if report_progress(done, total, "pictures"):
                notes.append(f"Called off after {done} of {total} real pictures; the comparison is with those.")
                return

    return Responses.of(task, targets, layers, inputs()), notes


def spectra(pictures: Tensor) -> Tensor:
    """By picture: log10 of the mean power in rings of equal width from 0 to 1/2 cycles per pixel, of the mean over channels.

    The shape is (n, 24), or (n, 0) for rows of a table, which have no frequencies. Rings that no frequency of a small picture
    falls into take the power of the ring before them. The constant part is left out.

    Example:
        >>> x = torch.zeros(2, 1, 64)
        >>> x[1, 0] = torch.cos(torch.arange(64) * torch.pi / 2)
        >>> loud = spectra(x)[1].exp() > 1
        >>> loud.nonzero().flatten().tolist()  # a quarter of a cycle per pixel is in the middle
        [12]
    """
    if pictures.dim() < 3 or min(pictures.shape[2:]) < 4:
        return torch.zeros(len(pictures), 0)
    grey = pictures.float().mean(1)
    axes = tuple(range(1, grey.dim()))
    power = torch.fft.fftn(grey, dim=axes, norm="ortho").abs().square().flatten(1).cpu()
    squares = torch.meshgrid(*(torch.fft.fftfreq(side).square() for side in grey.shape[1:]), indexing="ij")
    radius = sum(squares, torch.zeros(())).sqrt().flatten()
    ring = (radius * 2 * BINS).long()
    inside = (ring < BINS) & (radius > 0)
    sums = torch.zeros(len(grey), BINS).index_add_(1, ring[inside], power[:, inside])
    counts = torch.zeros(BINS).index_add_(0, ring[inside], torch.ones(int(inside.sum())))
    means = sums / counts.clamp(min=1)
    filled = torch.where(counts > 0, torch.arange(BINS), -1).cummax(0).values
    first = int((counts > 0).nonzero()[0])
    return (means[:, filled.clamp(min=first)] + FAINT).log10()


def labels_of(real: Responses | None, classes: Sequence[int] | Tensor | None) -> Tensor | None:
    """The class of each real picture: as given, else as predicted."""
    if real is None or classes is None:
        return None if real is None else real.classes
    labels = torch.as_tensor(classes).flatten()
    if len(labels) < len(real):
        found = f"{len(labels)} of them and {len(real)} real pictures"
        raise InputError("classes", found, "each picture has one", "Give one for each.")
    return labels[: len(real)]
