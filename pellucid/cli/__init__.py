"""The command line: parse, call, print. PyTorch is imported only by the commands that compute."""

from __future__ import annotations

import click

from .compare import compare
from .concepts import concepts
from .demo import demo
from .errors import Door, debuggable
from .evaluate import evaluate
from .explain import explain
from .inspect import inspect
from .maximize import maximize
from .methods import methods
from .metrics import metrics
from .models import models
from .prior import prior
from .recipes import recipes


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pellucid", message="pellucid %(version)s")
@debuggable
def main() -> None:
    """Which parts of a picture speak for a decision of a neural network, which against, and by how much.

    \b
    pellucid demo                             a cat, explained
    pellucid explain cat.jpg                  a picture of yours
    pellucid explain cat.jpg --versus lynx    why the one rather than the other
    pellucid compare cat.jpg                  what several methods say
    pellucid concepts cat.jpg                 which channels the decision was made with
    pellucid maximize espresso                what the network looks for
    pellucid evaluate photos/                 which method to trust
    """


for command in (explain, compare, concepts, maximize, evaluate, prior, inspect, methods, metrics, recipes, models, demo):
    main.add_command(command)
