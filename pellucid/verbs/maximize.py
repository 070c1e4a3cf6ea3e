"""The verb `maximize`: checks its arguments, builds a task and runs the recipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import Embedding, EmbeddingBag, Module

from pellucid.catalogue.recipes import recipe as recipe_named, recipes
from pellucid.errors import InputError, MethodError, PellucidError, TargetError
from pellucid.model import Model, load
from pellucid.model.multi_input import input_layout, is_multi_input
from pellucid.model.provenance import fingerprint, provenance
from pellucid.model.surroundings import for_the_network_alone
from pellucid.synth.canvas import Row
from pellucid.synth.frame import Frame, framed
from pellucid.synth.generator.prior import GeneratorPrior
from pellucid.synth.maximized import Maximized, Maximizer, with_given
from pellucid.synth.optimize.task import Task
from pellucid.synth.revival import revived
from pellucid.tape.forward import forward_values
from pellucid.target import Target, as_target, channel, energy
from pellucid.target.classes import Logit, Predicted
from .addresses import address, with_axes, with_layers, with_paths
from .call import call
from .inputs import read_inputs, reads_rows
from .possible_rows import best_rows, has_categories
from .scores import scored

BESIDE = 3  # real pictures beside those made

USUAL = {"recipe": "auto", "seed": 0, "seeds": 1, "precision": "float32"} | dict.fromkeys(
    ("steps", "minutes", "shape", "bounds", "start", "data", "beside", "canvas", "priors", "robust", "ascent", "keep", "plateau",
     "coarse")
)  # fmt: skip


@for_the_network_alone
def maximize(
    model: Any,
    target: Any,
    recipe: str | Maximizer = "auto",
    *,
    seed: int = 0,
    seeds: int = 1,
    steps: int | None = None,
    minutes: float | None = None,
    shape: tuple[int, ...] | None = None,
    bounds: tuple[float, float] | None = None,
    start: Any = None,
    data: Any = None,
    beside: int | None = None,
    canvas: Any = None,
    priors: Sequence[Any] | None = None,
    robust: Any = None,
    ascent: Any = None,
    keep: Literal["last", "best", "majority"] | None = None,
    plateau: int | None = None,
    coarse: float | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Maximized:
    """What the network looks for: pictures that the target scores high.

    Arguments:
        model: A `Model`, or anything `load` takes: an `nn.Module`, a callable, a file, the name of a built-in model.
        target: A class by index or name, a `Target`, "layer:unit" for a channel of a layer, "layer" for all of them (its
            `energy`, what deepdream and caricature are for), a function of the output; or a list of these, with one picture each,
            which are optimised together, with the same result as alone.
        recipe: A name from `pl.recipes()`, or a recipe object with settings of your own.
        seed: Where it begins; the same seed gives the same picture.
        seeds: How many pictures per target, from seeds `seed`, `seed + 1`, ...
        steps: How many, in place of what the recipe says.
        minutes: When to stop, whatever is reached by then.
        shape: Of one input, where the model does not say: (1, 28, 28).
        bounds: The lowest and the highest value of an input, where the model does not say; pictures then run from 0 to 1.
        start: A picture to begin with, in place of the recipe's start: what `model.read` takes, or a tensor as the model expects.
            For a model of several inputs all of them, by position or name, the others held: `(picture, pl.held(row))`.
        data: Pictures of your own: a folder, a loader, or a tensor of inputs. Recipes may learn from them, and those that each
            target answers to most are shown beside what was made.
        beside: How many of these; None: 3, where the recipe does not itself ask for data.
        canvas, priors, robust, ascent, keep, plateau, coarse: Parts of the plan that you want otherwise, see `pl.synth.Plan`.
            Recipes dgn_am and ppgn take a `GeneratorPrior`, or the file of one, as canvas.
        precision: "bfloat16" lets the network compute in it, where that is quicker.

    Returns:
        `images` in [0, 1], `scores`, and what it takes to judge and repeat them. On Ctrl-C it returns what is there.

    Raises:
        PellucidError: in one of its kinds, when something asked for cannot be done; the message says what to do.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)).eval()
        >>> p = maximize(net, [0, 1], recipe="simonyan2013", shape=(1, 2, 2), bounds=(0, 1))
        >>> p.images.shape, p.targets
        (torch.Size([2, 1, 2, 2]), ('logit 0', 'logit 1'))
    """
    model = load(model)
    asked = call(
        "maximize", model, USUAL, target=target, recipe=recipe, seed=seed, seeds=seeds, steps=steps, minutes=minutes, shape=shape,
        bounds=bounds, start=start, data=data, beside=beside, canvas=canvas, priors=priors, robust=robust, ascent=ascent,
        keep=keep, plateau=plateau, coarse=coarse, precision=precision,
    )  # fmt: skip
    model, start, shape = _single_input(model, start, shape)
    model.ready()
    chosen = with_layers(model, _recipe(recipe))
    _check_canvas(chosen, canvas)
    _check_beside(beside, data)
    parts = dict(canvas=canvas, priors=priors, robust=robust, ascent=ascent, keep=keep, plateau=plateau, coarse=coarse)
    changes = {name: part for name, part in parts.items() if part is not None}
    with torch.inference_mode(mode=False):
        frame = _frame(model, canvas, shape, bounds)
        wanted = [as_maximization_target(model, one) for one in _as_list(target, seeds)]
        model, wanted = with_axes(scored(model, _even(frame), wanted), _even(frame), wanted)
        targets = _resolve_targets(model, frame, wanted)
        if canvas is None and has_categories(model, frame):
            changes["canvas"] = Row(model.preprocess)
            start = best_rows(model, frame, targets, seeds) if start is None else start
        task = Task(
            model, tuple(one for one in targets for _ in range(seeds)), frame, tuple(range(seed, seed + seeds)) * len(targets),
            start=_start_images(model, frame, start, len(targets) * seeds), data=data, steps=steps,
            seconds=None if minutes is None else 60 * minutes, changes=changes, precision=precision,
        )  # fmt: skip
        p = with_given(revived(chosen, task, chosen.maximize(task)), task)
    p = replace(p, provenance=_provenance(model, chosen, task) | asked | dict(p.provenance))
    beside = _examples_to_show(chosen, data) if beside is None else beside
    return p.beside(top=beside) if beside and not p.called_off else p


def _examples_to_show(recipe: Maximizer, data: Any) -> int:
    """How many real pictures are shown unless somebody says so: none that would have to be given twice."""
    once = not isinstance(data, (str, Tensor)) and hasattr(data, "__next__")
    return 0 if data is None or once or recipe.name in {entry.name for entry in recipes() if entry.data} else BESIDE


def _single_input(model: Model, start: Any, shape: Any) -> tuple[Model, Any, tuple[int, ...] | None]:
    """A model of one input, where it begins, and its shape: of a call with several inputs, the one that is not held."""
    if is_multi_input(start) and not reads_rows(model):
        batch = read_inputs(model, start)
        model, start, layout = batch.model, batch.x, input_layout(batch.model)
        if layout is not None:
            names = ", ".join(side.name for side in layout.sides)
            raise InputError(
                f"A maximization over the inputs {names}", f"{len(layout.sides)} of real numbers that are not held",
                "what is looked for is one input, drawn in its own shape", "Hold the others: start=(picture, pl.held(row)).",
            )  # fmt: skip
        shape = tuple(start.shape[1:]) if shape is None else shape
    if shape is None or (isinstance(shape, Sequence) and shape and all(isinstance(n, int) and n > 0 for n in shape)):
        return model, start, None if shape is None else tuple(shape)
    raise InputError(
        f"shape={shape!r}", "no shape of one input", "it is whole numbers, the channels first and the batch left out",
        "Say shape=(3, 224, 224), (12, 1000) for a series, or (30,) for a row.",
    )  # fmt: skip


def _as_list(target: Any, seeds: int) -> list[Any]:
    targets = list(target) if isinstance(target, (list, tuple)) else [target]
    if not targets or seeds < 1:
        raise TargetError(
            "A maximization", f"{len(targets)} targets and {seeds} seeds", "there is nothing to maximize",
            "Name one target and one seed at least.",
        )  # fmt: skip
    return targets


def _recipe(recipe: str | Maximizer) -> Maximizer:
    chosen = recipe_named(recipe) if isinstance(recipe, str) else recipe
    if not hasattr(chosen, "maximize") or isinstance(chosen, type):
        raise MethodError(
            f"recipe={recipe!r}", f"a {type(recipe).__name__}", "a recipe has a name and maximizes",
            'Pass a name such as "lucid", or pl.synth.recipes.Lucid(steps=128).',
        )  # fmt: skip
    return chosen


def _check_beside(beside: int | None, data: Any) -> None:
    """Before the work, not after it."""
    if beside and data is None:
        raise InputError(
            f"beside={beside}", "no pictures of yours", "it says how many of them stand beside those made",
            "Pass data=, a folder of pictures, say.",
        )  # fmt: skip


def _check_canvas(recipe: Maximizer, canvas: Any) -> None:
    """A generator's codes are searched by the recipes that were made for it, and by no other."""
    codes = tuple(entry.name for entry in recipes() if entry.codes)
    if recipe.name in codes or not (isinstance(canvas, (str, os.PathLike)) or hasattr(canvas, "codes")):
        return
    raise MethodError(
        f"recipe {recipe.name!r} with a generator prior", f"{canvas if isinstance(canvas, str) else type(canvas).__name__}",
        "it moves pictures, not the codes of a generator", f"Take recipe {' or '.join(codes)}, or leave the prior out.",
    )  # fmt: skip


def as_maximization_target(model: Model, target: Any) -> Target:
    """What users write as a target of a maximization: also "layer:unit", and "layer" for the energy of all its units; but no
    prediction, for there is no input yet.
    """
    if target is None:
        raise TargetError(
            "A maximization of the predicted class", "no input", "a class is predicted of inputs, and one is looked for here",
            'Name it: target="tabby", target=281 or target="layer4:17".',
        )  # fmt: skip
    if isinstance(target, Module):
        return energy(address(model, target))
    if not isinstance(target, str) or target.casefold() in {label.casefold() for label in model.labels or ()}:
        return with_paths(model, as_target(target))
    layer, colon, unit = target.rpartition(":")
    if colon and unit.strip().isdecimal():
        return channel(layer, int(unit))
    modules = {name for name, _ in model.module.named_modules()} - {""} if model.module is not None else set()
    if colon and layer in modules:
        raise TargetError(
            f"target {target!r}", f"{unit!r} for a unit of {layer}", "units are numbered",
            f'Write "{layer}:17", or "{layer}" for all.',
        )  # fmt: skip
    return energy(target) if target in modules and not target.isdecimal() else as_target(target)


def _resolve_targets(model: Model, frame: Frame, targets: Sequence[Target]) -> list[Target]:
    """The targets with all names looked up, read once from an even picture: what cannot be read is refused before any step."""
    x = _even(frame)
    try:
        values = forward_values(model, x, tuple(dict.fromkeys(at for target in targets for at in (*target.addresses, None))))
    except PellucidError:
        raise
    except Exception as error:
        raise _unfit(model, frame, error) from error
    for target in targets:  # of a map there is no predicted mask yet: whoever names a class alone has to say where
        for term in (term for _, term in target.terms if isinstance(term, (Logit, Predicted)) and values[term.at].dim() > 3):
            Logit(term.at, 0).read(values[term.at])
    resolved = [target.resolve(lambda at: values[at], model) for target in targets]
    for target in resolved:
        target.read(lambda at: values[at])
    return resolved


def _frame(model: Model, canvas: Any, shape: tuple[int, ...] | None, bounds: tuple[float, float] | None) -> Frame:
    """What a picture is: as it was asked for, or else as the model says, or as the pictures of a generator prior are."""
    prior = GeneratorPrior.load(canvas) if isinstance(canvas, (str, os.PathLike)) else canvas
    if not isinstance(prior, GeneratorPrior):
        return framed(model, shape, bounds)
    unknown = model.image_preprocess is None
    frame = framed(model, prior.shape if shape is None and unknown else shape, bounds)
    if bounds is not None or not unknown or prior.low is None or prior.high is None:
        return frame
    return replace(frame, low=prior.low.to(frame.device), high=prior.high.to(frame.device))


def _unfit(model: Model, frame: Frame, error: Exception) -> InputError:
    """Why the model cannot be called with inputs of this frame."""
    asked = f"A maximization on {model.name} with inputs of shape {frame.shape}"
    found = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    modules = () if model.module is None else model.module.modules()
    if any(isinstance(module, (Embedding, EmbeddingBag)) for module in modules):
        return InputError(
            asked, found, "it looks up whole numbers, such as the tokens of a text, and no gradient leads from one to the next",
            "Load a function that takes the vectors looked up, pl.load(lambda vectors: ...), and maximize over these.",
        )  # fmt: skip
    return InputError(
        asked, found, "the model cannot be called with such inputs",
        "Say shape=, that of one input without the batch, channels first: shape=(3, 224, 224).",
    )  # fmt: skip


def _even(frame: Frame) -> Tensor:
    """An even picture as an input."""
    return frame.to_inputs(torch.full((1, *frame.shape), 0.5 if frame.bounded else 0.0, device=frame.device, dtype=frame.dtype))


def _start_images(model: Model, frame: Frame, start: Any, count: int) -> Tensor | None:
    """The pictures to begin with, as the frame has them."""
    if start is None:
        return None
    inputs = start if isinstance(start, Tensor) else model.read(start)
    inputs = inputs[None] if inputs.dim() == len(frame.shape) else inputs
    if tuple(inputs.shape[1:]) != frame.shape or len(inputs) not in (1, count):
        raise InputError(
            "start", f"a tensor of shape {tuple(inputs.shape)}", f"there are {count} pictures of shape {frame.shape}",
            "Give one picture of that shape for all, or one for each; shape= says another size.",
        )  # fmt: skip
    return frame.to_pictures(inputs.detach().clone().to(frame.device, frame.dtype)).expand(count, *frame.shape)


def _provenance(model: Model, recipe: Maximizer, task: Task) -> dict[str, Any]:
    """What it takes to make these pictures again."""
    question = {"recipe": recipe.name, "options": str(recipe), "steps": task.steps, "seconds": task.seconds}
    changes = {name: str(part) for name, part in task.changes.items()}
    about = {"name": model.name, "source": model.source, "weights": fingerprint(model)}
    return provenance(device=str(task.frame.device), model=about, asked=question | {"changes": changes})
