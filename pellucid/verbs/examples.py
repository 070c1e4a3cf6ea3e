"""The verb `examples`: which of the user's own pictures a unit answers to, and which of them it is used for."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from pellucid.catalogue.methods import as_method
from pellucid.errors import InputError, MethodError
from pellucid.explanation.method import Method
from pellucid.model import Model, load
from pellucid.synth.examples.example import Examples
from pellucid.synth.examples.search import search
from pellucid.synth.examples.top_activating import group_units
from pellucid.synth.frame import framed
from pellucid.synth.pictures import pictures
from pellucid.tape.axes.channel_axis import FIRST, channel_axis
from pellucid.tape.forward import forward_values
from pellucid.target import Target, channel
from .addresses import address, with_axes
from .call import keeping_call
from .maximize import as_maximization_target
from .scores import scored


@keeping_call
def examples(
    model: Any,
    units: Any,
    data: Any,
    *,
    top: int = 9,
    by: Literal["activation", "relevance"] = "activation",
    crop: bool = True,
    pool: Literal["max", "mean"] = "max",
    target: Any = None,
    method: str | Method = "lrp",
) -> Examples:
    """The pictures of yours that a unit answers to most, or that it is used for most, each with where and what it looks at there.

    One pass over the data serves all units; kept are `top` numbers for each. A picture's crop (what the unit can see from where
    it peaked) and mask (the unit's own relevance there) are reckoned only for those that somebody looks at.

    References: Yosinski et al., 2015, Understanding neural networks through deep visualization,
        https://doi.org/10.48550/arXiv.1506.06579 (top pictures with the place of the peak); Achtibat et al., 2023, From
        attribution maps to human-understandable explanations through concept relevance propagation,
        https://doi.org/10.1038/s42256-023-00711-8 (top pictures by relevance, cropped and masked)

    Arguments:
        model: A `Model`, or anything `load` takes.
        units: "layer:unit", a class, a `Target`, or a list of these; "layer" alone means all of its channels.
        data: Your pictures: a folder, a list of pictures, a loader, or a tensor of inputs.
        top: How many per unit.
        by: "activation": what a unit says. "relevance": what a unit contributes to the picture's class, summed over its map;
            for units inside.
        crop: Whether examples are cropped to what the unit can see.
        pool: Whether a unit says its peak or its mean over places. Classes and other targets say what they are.
        target: For relevance: the class it is for, one for all pictures or one for each; None: the one predicted for each.
        method: What explains units.

    Returns:
        By unit its examples, the best first: `found[0][0].name`, `.value`, `.position`, `.crop`, `.mask`; `found.save("x.png")`.

    Raises:
        PellucidError: in one of its kinds, when something asked for cannot be done; the message says what to do.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1, bias=False), torch.nn.Flatten(), torch.nn.Linear(4, 2)).eval()
        >>> _ = net[0].weight.data.fill_(1.0)
        >>> x = torch.zeros(3, 1, 2, 2)
        >>> x[1, 0, 1, 0] = 5.0
        >>> best = examples(net, "0:0", x, top=1)[0][0]
        >>> best.index, best.value, best.position, best.box
        (1, 5.0, (1, 0), ((1, 2), (0, 1)))
    """
    model = load(model)
    model.ready()
    _check(top, by, pool)
    source, explainer = pictures(model, data), as_method(method)
    first = next(iter(source.everything(1)))[:1]
    frame = framed(model, tuple(first.shape[1:]))
    model, targets = _units(model, first, units)
    return search(model, targets, source, frame, explainer, top=top, by=by, crop=crop, pool=pool, target=target)


def _units(model: Model, x: Tensor, units: Any) -> tuple[Model, list[Target]]:
    """The targets, resolved, and the model they are read from; what cannot be read is refused here, before the pass."""
    modules = {} if model.module is None else dict(model.module.named_modules())
    labels = {label.casefold() for label in model.labels or ()}
    targets: list[Target] = []
    for one in units if isinstance(units, (list, tuple)) else [units]:
        one = address(model, one)
        if isinstance(one, str) and one in modules and one and one.casefold() not in labels:
            shape = tuple(forward_values(model, x, (one,))[one].shape)
            found = channel_axis(model, x, one)
            axis = FIRST if found is None else found.axis
            targets += [channel(one, unit, axis=axis) for unit in range(shape[axis] if len(shape) > 1 else 1)]
        else:
            targets.append(as_maximization_target(model, one))
    if not targets:
        raise InputError("Examples", "no unit", "there is nothing to look for", 'Name one: "layer4:17", or "layer4" for all.')
    model, targets = with_axes(scored(model, x, targets), x, targets)
    values = forward_values(model, x, tuple(dict.fromkeys(at for target in targets for at in (*target.addresses, None))))
    resolved = [target.resolve(lambda at: values[at], model) for target in targets]
    for group in group_units(resolved):
        for row in group.rows:
            resolved[row].read(lambda at: values[at])
    return model, resolved


def _check(top: int, by: str, pool: str) -> None:
    if top < 1 or by not in ("activation", "relevance") or pool not in ("max", "mean"):
        raise MethodError(
            f"Examples: top={top}, by={by!r}, pool={pool!r}", "a setting that cannot be",
            'top is 1 or more, by is "activation" or "relevance", pool is "max" or "mean"', "Correct it.",
        )  # fmt: skip
