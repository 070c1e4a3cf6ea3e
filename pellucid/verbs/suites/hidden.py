"""The experiment with hidden parts: does a method mark the parts that are seen, or the occluders in front of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from torch import Tensor, nn

from pellucid.core.progress import report_progress
from pellucid.errors import InputError
from pellucid.explanation.method import Method
from pellucid.model import Model, load
from pellucid.zoo.truth import OCCLUDERS, Problem, hidden, hidden_net
from ..attempts import distinct_methods
from ..call import keeping_call
from .findings import Findings
from .marks import HIT, NETSHARE, WIN
from .trial import METHODS, Trial

NAMED, REVEALED, ANEW, COVERED = "named right", "score when revealed", "|score| when drawn anew", "score with nothing visible"


@keeping_call
def hidden_parts(
    methods: Sequence[str | Method] | Mapping[str, str | Method] = METHODS,
    occluders: Sequence[str] = OCCLUDERS,
    *,
    seeds: int | Sequence[int] = 3,
    n: int = 256,
    visible: int = 1,
    steps: int = 700,
) -> Findings:
    """Which methods mark parts that are not there? Measured where it is known what is there.

    Small pictures show four parts of a class, or an occluder that says nothing of it in their place. A network learns the classes
    with parts hidden at random, and is then asked about pictures of which `visible` parts are seen, those that it names right.
    Occluders are no evidence; yet what would change the score is most of all their going away. Per method and occluder WIN, HIT
    and NETSHARE, see `pellucid.verbs.suites.marks`: their mean over networks, with Student's interval.

    Controls: how many pictures are named right; how far the score moves when occluders are drawn anew (they say nothing), when
    what they hide is revealed, and when the visible part is covered, too.

    References: Samek et al., 2017, Evaluating the visualization of what a deep neural network has learned (the argument),
        https://doi.org/10.1109/TNNLS.2016.2599820

    Arguments:
        methods: Names from the catalogue or method objects; a mapping gives them names of your own.
        occluders: "grey", "noise", "zero".
        seeds: How many networks, each with templates of its own; or their seeds.
        n: How many pictures of each.
        visible: How many parts of four are seen.
        steps: Of training.

    Raises:
        PellucidError: a method or an occluder is unknown, or not one method could answer.
    """
    chosen, worlds = distinct_methods(methods), list(range(seeds) if isinstance(seeds, int) else seeds)
    if not worlds or not occluders:
        found = "no seed" if not worlds else "no occluder"
        raise InputError("hidden_parts", found, "there is nothing to measure", 'Ask for seeds=3 and occluders=("grey",).')
    problems = {(w, o): hidden(n, seed=w + 1, occluder=o, visible=visible, world=w) for w in worlds for o in occluders}
    trial = Trial(chosen, len(worlds) * len(occluders) * len(chosen))
    for number, world in enumerate(worlds):
        if report_progress(number * len(occluders) * len(chosen), trial.total, "answers"):
            break
        model = load(_net(world, steps), name=f"hidden parts {world}")
        for occluder in occluders:
            _run(trial, model, occluder, problems[world, occluder])
    question = f"Hidden parts: {visible} of 4 seen, {n} pictures for each of {len(worlds)} networks, those that are named right"
    note = f"Hidden parts are {1 - visible / 4:.2f} of the area of all parts: a constant map's NETSHARE."
    nothing = InputError(
        "hidden_parts", "no answer", "no picture was named right, or all was called off", "Train for more steps."
    )
    return trial.findings("hidden-parts", question, "occluder", (WIN, HIT, NETSHARE), "seeds", note, nothing)


def _run(trial: Trial, model: Model, occluder: str, problem: Problem) -> None:
    """All methods on the pictures that are named right, and what of the experiment can be checked."""
    score = _score(model, problem, problem.inputs)
    correct = model(problem.inputs).argmax(1) == problem.labels
    changes = {change: (_score(model, problem, problem.after(change)) - score)[correct] for change in problem.changes}
    controls = {NAMED: correct.double().mean(), ANEW: changes["drawn anew"].abs().mean()}
    trial.check(occluder, controls | {REVEALED: changes["revealed"].mean(), COVERED: changes["nothing visible"].mean()})
    seen, hides = problem.masks[correct], problem.parts["hidden"][correct]
    trial.ask(occluder, model, problem.inputs[correct], problem.labels[correct], seen, hides)


@lru_cache(maxsize=16)
def _net(world: int, steps: int) -> nn.Module:
    """Trained once for all that is asked in this process; nobody else gets hold of it."""
    return hidden_net(world, steps=steps)


def _score(model: Model, problem: Problem, x: Tensor) -> Tensor:
    answer: Tensor = model(x).gather(1, problem.labels[:, None])[:, 0]
    return answer
