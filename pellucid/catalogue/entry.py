"""Entry: one method, recipe or metric by name, where it comes from and what it claims; and how a name is looked up.

The rows themselves: methods.py, recipes.py, metrics.py; the papers that they cite: papers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from inspect import Parameter, signature
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from pellucid.errors import MethodError

if TYPE_CHECKING:
    from pellucid.metrics.metric import Need


@dataclass(frozen=True)
class Entry:
    """One method, recipe or metric, as users name it. It says of itself what a list shows; making it imports what it takes.

    Arguments:
        name: The name on the command line and in `explain`, `maximize` or `evaluate`.
        factory: "module:attribute" that makes it with its defaults.
        summary: What it claims, in one line.
        paper, year, doi: Where it comes from; doi is "" where the paper has none.
        family: What lists group it with; "": the package it is in, "lrp" of "pellucid.methods.lrp:Auto".

    Arguments of methods:
        signed: Whether positive and negative values differ in meaning: evidence for the target and against it.
        linear: Whether the map of a contrast a - b is the map of a minus the map of b; of signed methods only.
        repeats: Whether it runs the network many times, and takes as many times longer.
        forward: Whether it takes nothing but forward passes, and so explains anything that can be called.
        adds: Whether its values sum to the score, or to its difference from that of a baseline; with a ledger they always do.
        maps: Whether it needs a network with feature maps, as convolutional networks and vision transformers have.
        attends: Whether it needs a network with attention between tokens, as transformers have.

    Arguments of recipes:
        data: Whether it needs pictures of the user's own.
        several: Whether one target gets several pictures, one for each of its facets.
        codes: Whether it searches the codes of a generator, and takes a `GeneratorPrior` or its file as canvas.

    Arguments of metrics:
        higher: Whether higher values are better.
        needs: What it needs beside the map: "map" (nothing), "mask", "model" or "method", see `pellucid.metrics.metric`.
        scales: Whether a map and twice the map get the same score.
        curve: Whether it is read off a removal curve, and so comes with a random floor and a ceiling.
    """

    name: str
    factory: str
    summary: str
    paper: str
    year: int
    doi: str
    family: str = ""
    signed: bool = True
    linear: bool = True
    repeats: bool = False
    forward: bool = False
    adds: bool = False
    maps: bool = False
    attends: bool = False
    data: bool = False
    several: bool = False
    codes: bool = False
    higher: bool = True
    needs: Need = "model"
    scales: bool = True
    curve: bool = False

    def __post_init__(self) -> None:
        if not self.family:
            module = self.factory.partition(":")[0].removeprefix("pellucid.").removeprefix("methods.")
            object.__setattr__(self, "family", module.partition(".")[0])

    @property
    def better(self) -> str:
        """Which values of a metric are: "higher" or "lower"."""
        return "higher" if self.higher else "lower"

    def make(self, **options: Any) -> Any:
        """The method, recipe or metric itself, with its defaults except for the options given.

        Raises:
            MethodError: it has no such option.
        """
        if options:
            self._check(options)
        return resolve_name(self.factory)(**options)

    def settings(self) -> dict[str, Any]:
        """Its options with their defaults."""
        return {name: one.default for name, one in self._parameters().items()}

    def _parameters(self) -> Mapping[str, Parameter]:
        return signature(resolve_name(self.factory)).parameters

    def _check(self, options: dict[str, Any]) -> None:
        settings = self._parameters()
        unsettings = [name for name in options if name not in settings]
        if unsettings and all(one.kind is not Parameter.VAR_KEYWORD for one in settings.values()):
            text = ", ".join(f"{name}={one.default!r}" for name, one in settings.items())
            raise MethodError(
                f"{self.name!r} with {', '.join(unsettings)}", f"the settings {text}" if settings else "no settings at all",
                "only these can be set", "Correct the name, or leave it out.",
            )  # fmt: skip


def entries_of(package: str, **shared: Any) -> Callable[..., Entry]:
    """Writes entries whose factories are in one package, with what they have in common, so that each takes one line.

    Example:
        >>> cam = entries_of("methods.cam", signed=False, maps=True)
        >>> entry = cam("gradcam", "GradCAM", "feature maps weighted by their mean gradient", ("Selvaraju et al.", 2017, ""))
        >>> entry.factory, entry.family, entry.signed
        ('pellucid.methods.cam:GradCAM', 'cam', False)
    """

    def entry(name: str, attribute: str, summary: str, source: tuple[str, int, str], **claims: Any) -> Entry:
        separator = "" if ":" in attribute else ":"
        return Entry(name, f"pellucid.{package}{separator}{attribute}", summary, *source, **shared | claims)

    return entry


def installed(group: str) -> tuple[Entry, ...]:
    """What installed plug-ins list in an entry-point group."""
    return tuple(point.load() for point in entry_points(group=group))


def find(what: str, name: str, own: Sequence[Entry], group: str) -> Entry:
    """The entry of that name.

    Arguments:
        what: What is listed: "method".
        own: The entries of the package.
        group: Of the plug-ins, read where `own` has none of that name: that takes the metadata of all that is installed.

    Raises:
        MethodError: there is none; the nearest three are named.
    """
    from pellucid.model.where import nearest  # late: lists must not wait for torch

    entries = {entry.name: entry for entry in own}
    if name not in entries:
        entries |= {entry.name: entry for entry in installed(group)}
    if name not in entries:
        near = ", ".join(nearest(name, list(entries)))
        raise MethodError(
            f"{what} {name!r}", f"{len(entries)} {what}s, none of that name", f"only {what}s of the list can be named",
            f"Nearest: {near}. `pellucid {what}s` lists all.",
        )  # fmt: skip
    return entries[name]
