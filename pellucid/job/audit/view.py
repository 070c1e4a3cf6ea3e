"""View: what people look at of an audit, as plain data: classes, clusters, points, pictures. The page asks for it part by part,
and a report holds it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.core.files import parse_json
from pellucid.core.numbers import figure
from pellucid.errors import OutputError
from pellucid.render.document import SCHEMA
from pellucid.render.document.encoding import deflated
from ..items import Items
from ..store import Store
from . import decisions, pictures
from .findings import Evidence
from .planes import planes

CLUSTERS = "clusters.json"
ALL = -1  # instead of a class: all items
NOTE = (
    "A cluster is a group of inputs that are explained alike. It is only a pattern until its mark is taken away and pasted "
    "elsewhere: `pellucid audit confirm`, or Test it on the page."
)


@dataclass(frozen=True, eq=False)
class View:
    """An audit, looked at.

    Arguments:
        items: The inputs, with the folder they are in where that is known.
        how: What reads pictures for the model, so that they are shown as it saw them; None: whole.
    """

    store: Store
    items: Items
    how: Any = None
    _planes: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict, repr=False)

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence.of(self.store)

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of an item by its key."""
        return {key: number for number, key in enumerate(self.items.keys)}

    @cached_property
    def rows(self) -> dict[int, int]:
        """The row of the evidence by the number of an item."""
        return {item: row for row, item in enumerate(self.evidence.item.tolist())}

    @property
    def found(self) -> list[dict[str, Any]]:
        """What clusters.json says now."""
        return clusters_of(self.store)

    # -- words --------------------------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Classes and clusters, the most suspicious first, with every figure; members are numbers of items."""
        spec, clusters = self.store.run["spec"], self.clusters()
        done, total = len(self.evidence.item), len(self.items)
        name = spec["model"]["name"]
        return {
            "schema": SCHEMA, "kind": "audit", "title": f"Audit of {name} on {total:,} inputs", "sentence": sentence(clusters),
            "notes": [NOTE], "warnings": [f"{total - done:,} inputs have no result."] if done < total else [],
            "provenance": dict(spec), "command": {"cli": command(self.store, clusters), "python": ""},
            "count": done, "kept": self.items.kind, "grid": list(self.evidence.where.shape[1:]), "spaces": list(self.features),
            "classes": self.classes(clusters), "clusters": clusters, "decisions": decisions.decisions(self.store.path),
            "choices": decisions.CHOICES,
        }  # fmt: skip

    def classes(self, clusters: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Every class, that with the most suspicious cluster first."""
        e, odd = self.evidence, self.odd()
        right = e.predicted == e.target
        made = []
        for target in sorted(set(e.target.tolist())):
            own = e.target == target
            ids = [one["id"] for one in clusters if one["target"] == target]
            most = max((one["suspicion"] for one in clusters if one["target"] == target), default=0.0)
            made.append({
                "name": self.name(target), "target": int(target), "items": int(own.sum()), "suspicion": most, "clusters": ids,
                "accuracy": float(right[own].double().mean()), "odd": odd.get(self.name(target), []),
            })  # fmt: skip
        return sorted(made, key=lambda one: -float(one["suspicion"]))

    def clusters(self) -> list[dict[str, Any]]:
        """The clusters as in clusters.json, with numbers of items, and their mean maps."""
        made = []
        for one in self.found:
            members = [self.places[key] for key in one["members"]]
            nearest = [self.places[key] for key in one["nearest"]]
            own = {"members": members, "nearest": nearest, "medoid": self.places[one["medoid"]], "sentence": fact(one)}
            made.append(one | own | {"mean": packed_map(self.mean(members))})
        return made

    def mean(self, members: Sequence[int]) -> Tensor:
        """The mean map of some items."""
        return self.evidence.where[[self.rows[number] for number in members]].mean(0)

    def odd(self) -> dict[str, list[int]]:
        """By class, the items whose decision is least ordinary."""
        path = self.store.path / "analysis" / "ordinary.json"
        found = parse_json(path.read_bytes()) if path.is_file() else []
        return {one["class"]: [self.places[entry["key"]] for entry in one["odd"] if entry["key"] in self.places] for one in found}

    def name(self, target: int) -> str:
        labels = self.store.run["spec"]["model"].get("labels") or []
        return str(labels[target]) if target < len(labels) else f"class {target}"

    # -- points -------------------------------------------------------------------------------------------------------------

    @cached_property
    def features(self) -> dict[str, Tensor]:
        """What points are made of, by space: as clusters were found, see `findings.candidates`."""
        what = next(iter(self.evidence.what.values()), None)
        spaces = {"where": self.evidence.where.flatten(1).sqrt(), "what": what}
        return {name: x for name, x in spaces.items() if x is not None}

    def points(self, target: int, space: str, plane: str) -> NDArray[np.float32]:
        """Number, x and y of every item of a class, in float32; of all items where the class is `ALL`.

        Arguments:
            space: "where" or "what".
            plane: "components" or "clusters"; where clusters span no plane, that of the components.
        """
        own = torch.ones_like(self.evidence.target, dtype=torch.bool) if target == ALL else self.evidence.target == target
        if (target, space) not in self._planes:
            labels = self.labels(target)[own.numpy()]
            self._planes[target, space] = planes(self.features[space][own].float().numpy(), labels) if bool(own.any()) else {}
        found = self._planes[target, space]
        at = found.get(plane, found.get("components", np.zeros((0, 2), dtype=np.float32)))
        return np.column_stack([self.evidence.item[own].numpy().astype(np.float32), at])

    def labels(self, target: int) -> NDArray[np.int64]:
        """The cluster of every row: the most suspicious of its class that it is in; -1: none. Of all classes together, none."""
        made = np.full(len(self.evidence.item), -1)
        for one in reversed(self.found if target != ALL else []):
            if one["target"] == target:
                made[[self.rows[self.places[key]] for key in one["members"]]] = one["id"]
        return made

    # -- items --------------------------------------------------------------------------------------------------------------

    def known(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """What there is to see of some items: name, label, prediction, metadata, picture or text, and the map."""
        return [self.item(number) for number in numbers if number in self.rows]

    def item(self, number: int) -> dict[str, Any]:
        e, row = self.evidence, self.rows[number]
        image = pictures.picture(self.items, number, self.how)
        if image is None and e.view is not None:
            image = pictures.of_view(e.view[row])
        meta = dict(self.items.meta[number]) if self.items.meta else {}
        return {
            "item": number, "key": self.items.keys[number], "label": self.items.labels[number], "meta": meta,
            "explained": self.name(int(e.target[row])), "predicted": self.name(int(e.predicted[row])),
            "probability": float(e.probability[row]), "src": None if image is None else pictures.address(pictures.small(image)),
            "text": pictures.excerpt(self.items, number), "map": packed_map(e.where[row]),
        }  # fmt: skip


def clusters_of(store: Store) -> list[dict[str, Any]]:
    """The clusters, the most suspicious first: what stands in clusters.json.

    Raises:
        OutputError: there are none yet.
    """
    try:
        return list(parse_json((store.path / CLUSTERS).read_bytes()))
    except FileNotFoundError:
        do = "Run `pellucid audit` on it until it is complete."
        raise OutputError(f"the clusters in {store.path}", "none", "the audit is not finished", do) from None


def packed_map(heat: Tensor) -> str:
    """A map of shares as whole numbers of steps of its largest, deflated: 127 at the strongest place."""
    scaled = heat.float() / heat.max().clamp_min(1e-12)
    return deflated((scaled * 127).round().clamp(0, 127).to(torch.int8).numpy())


def sentence(clusters: Sequence[Mapping[str, Any]]) -> str:
    """How many clusters there are, and how many were confirmed."""
    confirmed = [one for one in clusters if (one["verdict"] or {}).get("confirmed")]
    tested = sum(one["verdict"] is not None for one in clusters)
    told = f"{len(clusters)} clusters of explanations; {tested} tested by intervention, {len(confirmed)} confirmed."
    return " ".join([told, *(f"Cluster {one['id']} ({one['class']}): {one['verdict']['sentence']}" for one in confirmed[:3])])


def command(store: Store, clusters: Sequence[Mapping[str, Any]]) -> str:
    """What tests the first cluster that was not tested yet, or the first of all."""
    number = next((int(one["id"]) for one in clusters if one["verdict"] is None), 0)
    return f"pellucid audit confirm {store.path} --cluster {number}"


def fact(one: Mapping[str, Any]) -> str:
    """What makes a cluster suspicious, in words."""
    said = []
    if one["recurrence"] > 0.1:
        place = "in one place" if one["mark"]["fixed"] else "at changing places"
        said.append(f"the same few cells come back {place}")
    if one["compactness"] > 0.05:
        said.append(f"{one['compactness']:+.0%} of its evidence in one small window")
    if one["border"] > 0.05:
        said.append(f"{one['border']:+.0%} at the border")
    sure = [entry for entry in one["enrichment"] if entry["q"] < 0.05]
    said += [f"{entry['share']:.0%} {entry['column']} {entry['value']}" for entry in sure[:1]]
    return "; ".join(said) or "nothing that stands out"


def row(one: Mapping[str, Any]) -> list[str]:
    """A cluster as a line of a table in words, as `HEAD` names its cells."""
    about = [str(one["id"]), str(one["class"]), one["space"], str(one["size"]), figure(float(one["suspicion"]))]
    return [*about, one["sentence"], verdict(one)]


def verdict(one: Mapping[str, Any]) -> str:
    """Whether a cluster was tested, and how that ended."""
    if one["verdict"] is None:
        return "not tested"
    return "confirmed by intervention" if one["verdict"]["confirmed"] else "only a pattern"


HEAD = ["cluster", "class", "space", "items", "suspicion", "what stands out", "verdict"]
