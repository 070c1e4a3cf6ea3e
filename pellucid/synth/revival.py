"""Revival: pictures that ended where no gradient reaches them are sought again, from the best of many pictures of noise."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from pellucid.errors import PellucidError
from .canvas import Pixel
from .maximized import Maximized, Maximizer, maximized, scored
from .optimize.feature_matching import input_gradients
from .optimize.gradient_ascent import gradient_ascent
from .optimize.step_rules import Adam
from .optimize.task import Plan, Task
from .random import generators, normal

NOISES = 256  # pictures of noise for each that is stuck
AMOUNTS = (0.1, 0.3, 1.0, 3.0)  # standard deviations of noise around an even picture, one after the other; bounds cut it
STEPS = 200  # of the plain ascent, where the recipe itself does not leave the noise it is given
RATE = 0.05  # of its Adam
RISE = 1e-6  # by how much of its size a score has to be higher to be higher


def revived(recipe: Maximizer, task: Task, p: Maximized) -> Maximized:
    """The result with pictures that stayed without a gradient in place of which better ones were found, and notes on all of them.

    Units behind rectifiers are often off for even pictures and weak noise. The recipe is begun again from the picture of noise
    that scores highest; where that does not get on either, or cannot begin from a picture, plain steps of Adam are taken from it.
    """
    generated = "prior" in p.provenance  # codes of a generator are no pictures of noise
    if p.called_off or generated or p.images.shape[1:] != task.frame.shape or len(p) != len(task):
        return p
    rows = [row for row in range(len(p)) if not _risen(p, row) and _stuck(task.take([row]), p.images[row : row + 1])]
    for row in rows:
        p = _revived_row(recipe, task.take([row]), p, row)
    return p


def _risen(p: Maximized, row: int) -> bool:
    """Whether a picture had a gradient, and scores higher than what it began with."""
    trace = p.trace[:, row][p.trace[:, row].isfinite()]
    first = float(trace[0]) if len(trace) else float("inf")
    return bool(p.fired[row]) and float(p.scores[row]) > first + RISE * (1 + abs(first))


def _stuck(task: Task, picture: Tensor) -> bool:
    """Whether no gradient reaches a picture."""
    try:
        gradient = input_gradients(task, picture.to(task.frame.device, task.frame.dtype))
    except (PellucidError, RuntimeError):  # a score without any path back: said when it was asked for
        return False
    return not bool(gradient.ne(0).any())


def _revived_row(recipe: Maximizer, task: Task, p: Maximized, row: int) -> Maximized:
    name, score = p.targets[row], float(p.scores[row])
    if task.start is not None:
        return _noted(
            p, f"{name}: no gradient reaches the picture it was to start from; another start=, or none, may get further."
        )
    noise, best = _best_noise(task)
    if best <= score + RISE * (1 + abs(score)):
        note = (
            f"{name}: no gradient reaches the picture, and none of {NOISES} pictures of noise scores higher than its {score:.3g}."
        )
        return p if any("never fired" in one and one.startswith(f"{name}:") for one in p.notes) else _noted(p, note)
    found, how = _from(recipe, replace(task, start=noise), noise, best)
    note = f"{name}: {recipe.name} stayed where no gradient reaches the picture; {how}."
    kept = tuple(one for one in p.notes if not (one.startswith(f"{name}:") and "never fired" in one))
    return _put(replace(p, notes=(*kept, note)), found, row)


def _from(recipe: Maximizer, task: Task, noise: Tensor, best: float) -> tuple[Maximized, str]:
    """What is reached from a picture of noise, and how, in words."""
    rise = best + RISE * (1 + abs(best))
    try:
        again = recipe.maximize(task)
    except PellucidError:  # it cannot begin from a picture
        again = None
    if again is not None and float(again.scores[0]) > rise:
        return again, f"this one began with the best of {NOISES} pictures of noise, which scores {best:.3g}"
    canvas = Pixel(picture=noise[0])
    plan = Plan(canvas, Adam(RATE), STEPS if task.steps is None else task.steps, keep="best")
    plain = replace(task, start=None, changes={}, steps=None)
    found = maximized(plain, recipe.name, plan, gradient_ascent(plain, plan))
    if float(found.scores[0]) > rise:
        return (
            found,
            f"this one was made by plain steps of Adam from the best of {NOISES} pictures of noise, which scores {best:.3g}",
        )
    if again is not None and float(again.scores[0]) > float(found.scores[0]):
        found = again
    if float(found.scores[0]) < best:
        scores, classes = scored(plain, noise)
        found = replace(found, images=noise.float().cpu(), scores=scores, classes=classes)
    return found, f"no way up was found from noise either: this one is the best of {NOISES} pictures of it"


@torch.no_grad()
def _best_noise(task: Task) -> tuple[Tensor, float]:
    """The picture of noise that scores highest, (1, *frame.shape), and its score."""
    frame, top, best = task.frame, -torch.inf, None
    for first in range(0, NOISES, 32):
        seeds = [task.seeds[0] + 1_000_003 * (first + n + 1) for n in range(32)]
        draws = normal(generators(seeds), frame.shape, frame).to(frame.dtype)
        amounts = torch.tensor([AMOUNTS[n % len(AMOUNTS)] for n in range(32)], device=frame.device, dtype=frame.dtype)
        noise = (0.5 if frame.bounded else 0.0) + draws * amounts.view(-1, *[1] * len(frame.shape))
        noise = noise.clamp(0, 1) if frame.bounded else noise
        scores, _ = scored(task.take([0] * 32), noise)
        scores = scores.nan_to_num(-torch.inf, posinf=-torch.inf)
        if float(scores.max()) > top:
            top, best = float(scores.max()), noise[int(scores.argmax())][None]
    assert best is not None
    return best, top


def _noted(p: Maximized, note: str) -> Maximized:
    return replace(p, notes=(*p.notes, note))


def _put(p: Maximized, found: Maximized, row: int) -> Maximized:
    """The result with one picture replaced."""

    def at(whole: Tensor, part: Tensor) -> Tensor:
        return whole.index_copy(0, torch.tensor([row]), part[:1].to(whole.dtype))

    longest = max(len(p.trace), len(found.trace))
    trace, new = (pad(one, (0, 0, 0, longest - len(one)), value=torch.nan) for one in (p.trace, found.trace))
    trace = at(trace.T, new.T).T
    snapshots = {name: at(whole, found.snapshots.get(name, found.images)) for name, whole in p.snapshots.items()}
    classes = (*p.classes[:row], *found.classes[:1], *p.classes[row + 1 :]) if p.classes else ()
    extras = {name: at(one, found.extras[name]) for name, one in p.extras.items() if name in found.extras and len(one) == len(p)}
    return replace(
        p, images=at(p.images, found.images), scores=at(p.scores, found.scores), fired=at(p.fired, found.fired), trace=trace,
        snapshots=snapshots, classes=classes, extras=extras,
    )  # fmt: skip
