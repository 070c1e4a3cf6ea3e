"""A document as one HTML file: a still page that is complete without scripts, the document as data, and the viewer."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pellucid.core.numbers import figure, percent
from pellucid.errors.printable import printable
from ..lettering.markup import in_html
from . import shades
from .charts import curve_figures
from .decode import Data
from .ledger import ledger_rows
from .panel import LARGE, SMALL, Detail, Panel
from .policy import data_block, policy
from .still import panels

HERE = Path(__file__).parent
TEMPLATES = {"case": "case", "concepts": "concepts", "maximize": "gallery", "examples": "gallery", "evaluation": "evaluation"}
KINDS_OF_ITEMS = {"audit", "evaluation"}  # painted by a viewer that is half as large again
SECTIONS = "sections"  # the template of every other kind: cards, verifications, tables in words


@dataclass(frozen=True, eq=False)
class Still:
    """One document as its section of the still page shows it.

    Arguments:
        heading: The element of its title.
        number: Of the section in its page.
        panels: Of a case or of concepts: layers with their figures.
        origin: In one line what it was computed with, for paper.
    """

    document: Data
    heading: str
    number: int
    panels: list[tuple[Data | None, list[Panel]]]
    provenance: list[tuple[str, str]]
    origin: str

    @property
    def template(self) -> str:
        return TEMPLATES.get(self.document["kind"], SECTIONS)

    @property
    def first(self) -> bool:
        return self.number == 0

    @property
    def targets(self) -> bool:
        """Whether layers are about different targets."""
        return len({layer["target"] for layer in self.document.get("layers", ())}) > 1

    @property
    def layout(self) -> str:
        """The class of the grid of figures."""
        count = max(len(self.panels), sum(len(shown) for _, shown in self.panels) if len(self.panels) < 3 else 0)
        whole = any(panel.runs or panel.walk or panel.svg for _, shown in self.panels for panel in shown)
        return "whole" if whole and count == 1 else "few" if count <= 2 else "many" if count > 4 else ""

    @property
    def about(self) -> str:
        """Method, model and layer of a single answer; the number of methods of several."""
        layers, model = self.document.get("layers", ()), model_name(self.document["provenance"])
        methods = list(dict.fromkeys(layer["method"] for layer in layers))
        names = methods[0] if len(methods) == 1 else f"{len(methods)} methods" if methods else ""
        at = f"at {layers[0]['at']}" if len(layers) == 1 and layers[0]["at"] else ""
        return "  ·  ".join(filter(None, (names, model, at)))


def html(document: Data, *, script: bool = True, views: Sequence[str] = ("map",)) -> str:
    """The page of a document.

    Arguments:
        script: Whether the viewer and the data it paints are inside; without them the still page has larger pictures.
        views: Which pictures of a map the still page has: names of `pellucid.render.VIEWS`.
    """
    bundle = "viewer-audit" if KINDS_OF_ITEMS & {page["kind"] for page in flat(document)} else "viewer"
    viewer = static(f"{bundle}.js") if script else ""
    stills = sections(document, SMALL if script else LARGE, views)
    walks = [one.walk for still in stills for _, shown in still.panels for one in shown if one.walk]
    styles = [f"{asset('report.css')}{shades.rules()}{''.join(walk.style for walk in walks)}"]
    styles += [static(f"{bundle}.css")] if viewer and static(f"{bundle}.css") else []
    return environment().get_template("page.html").render(
        document=document, stills=stills, styles=styles, viewer=viewer, policy=policy([viewer] if viewer else [], styles),
        data=data_block(document) if script else "",
    )  # fmt: skip


def sections(document: Data, detail: Detail, views: Sequence[str]) -> list[Still]:
    """The sections of a page: of a report one per page of it, else one."""
    heading = "h2" if document["kind"] == "report" else "h1"
    made = [still(page, heading, number, detail, views) for number, page in enumerate(flat(document))]
    return [replace(one, provenance=[]) if n and one.provenance == made[n - 1].provenance else one for n, one in enumerate(made)]


def flat(document: Data) -> list[dict[str, Any]]:
    """The pages of a report, those of reports inside it, too."""
    if document["kind"] != "report":
        return [dict(document)]
    return [page for one in document["pages"] for page in flat(one)]


def still(document: Data, heading: str, number: int, detail: Detail, views: Sequence[str]) -> Still:
    """One section."""
    shown = panels(document, views, detail, number) if document["kind"] in ("case", "concepts") else []
    rows = [
        (printable(str(name)), printable(value if isinstance(value, str) else json.dumps(value, default=str)))
        for name, value in document["provenance"].items()
    ]
    return Still(document, heading, number, shown, rows, origin(document["provenance"]))


def model_name(provenance: Data) -> str:
    """What a provenance calls the model; "" where it says nothing."""
    model = provenance.get("model", "")
    return str(model.get("name", "")) if isinstance(model, dict) else str(model)


def origin(provenance: Data) -> str:
    """Version, model and weights in one line."""
    model = provenance.get("model")
    mark = f"weights {str(model['fingerprint'])[:16]}" if isinstance(model, dict) and model.get("fingerprint") else ""
    version = provenance.get("pellucid") or provenance.get("version") or ""
    return "  ·  ".join(filter(None, (f"pellucid {version}".strip(), model_name(provenance), mark)))


# -- templates ----------------------------------------------------------------------------------------------------------------


@cache
def environment() -> Environment:
    """The templates; every text is escaped unless a template says otherwise."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
    made.globals.update(
        ledger_rows=ledger_rows, agreement_rows=agreement_rows, score_rows=score_rows, evaluation_rows=evaluation_rows,
        curve_figures=curve_figures,
    )  # fmt: skip
    made.filters.update(image=image, percent=percent, names=lambda text: Markup(in_html(text)))
    return made


@cache
def asset(name: str) -> str:
    """A file that stands beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


@cache
def static(name: str) -> str:
    """A file of the viewer, as it was built; "" where there is none."""
    path = HERE.parent / "static" / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def image(svg: str) -> str:
    """The address of an SVG as an image, in which nothing runs and nothing can be clicked, whoever wrote it."""
    whole = svg if "xmlns=" in svg else svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"data:image/svg+xml;base64,{b64encode(whole.encode()).decode()}"


def agreement_rows(document: Data) -> list[tuple[str, str, str]]:
    """Pairs of layers, those that agree most first."""
    names = {layer["id"]: layer["method"] for layer in document["layers"]}
    pairs = sorted(document["agreement"], key=lambda pair: -(-2.0 if pair["correlation"] is None else pair["correlation"]))
    head = ("methods", "rank correlation of the values", "overlap of the regions for it")
    named = [(names.get(pair["first"], pair["first"]), names.get(pair["second"], pair["second"]), pair) for pair in pairs]
    return [head, *((f"{one}, {other}", decimal(pair["correlation"]), decimal(pair["overlap"])) for one, other, pair in named)]


def decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def score_rows(shown: Sequence[Data]) -> list[tuple[str, str]]:
    """Pictures with their scores."""
    return [(one["caption"], "-" if one["score"] is None else figure(one["score"])) for one in shown]


def evaluation_rows(document: Data) -> list[tuple[Any, ...]]:
    """Methods and metrics with their scores, in words."""
    head = ("method", "metric", "score", "interval", "samples", "why not")
    return [head, *(evaluation_row(one) for one in document["rows"])]


def evaluation_row(one: Data) -> tuple[str, ...]:
    interval = "" if one["low"] is None or one["high"] is None else f"{figure(one['low'])} to {figure(one['high'])}"
    score = "-" if one["score"] is None else figure(one["score"])
    return one["method"], one["metric"], score, interval, str(one["n"] or ""), one["reason"] or ""
