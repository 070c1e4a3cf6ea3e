"""An audit as a document: the clusters as a table, and of the first ones their pictures, mean map, figures and verdict."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.model import Model
from pellucid.render.document import SCHEMA
from pellucid.render.parts.palette import RED_BLUE
from ..explaining import read_item
from ..items import Items
from ..store import Store

SHOWN = 10  # clusters with pictures
PICTURES = 12  # of a cluster
SIDE = 112  # pixels of a picture on the sheet
MOST_ROWS = 400  # members in a table
HEAD = ["cluster", "class", "space", "items", "suspicion", "recurrence", "border", "accuracy", "of the rest", "verdict"]


def document(store: Store, clusters: Sequence[Mapping[str, Any]], items: Items, model: Model) -> dict[str, Any]:
    """The audit as plain data, by the schema of documents; its kind is "audit"."""
    confirmed = [one for one in clusters if (one["verdict"] or {}).get("confirmed")]
    rows = [row(one) for one in clusters]
    return {
        "schema": SCHEMA, "kind": "audit", "title": f"Audit of {model.name} on {len(items):,} inputs",
        "sentence": sentence(clusters, confirmed), "notes": [NOTE], "warnings": [],
        "provenance": dict(store.run["spec"]),
        "command": {"cli": f"pellucid audit confirm {store.path} --cluster {tested_next(clusters)}", "python": ""},
        "sections": [{"title": "Clusters, the most suspicious first", "head": HEAD, "rows": rows}],
        "figures": [sheet(store, one, items, model) for one in clusters[:SHOWN]],
    }  # fmt: skip


NOTE = (
    "A cluster is a group of inputs that are explained alike. It is only a pattern until its mark is taken away and pasted "
    "elsewhere: `pellucid audit confirm`."
)


def sentence(clusters: Sequence[Mapping[str, Any]], confirmed: Sequence[Mapping[str, Any]]) -> str:
    """How many clusters there are, and how many were confirmed."""
    tested = sum(one["verdict"] is not None for one in clusters)
    told = f"{len(clusters)} clusters of explanations; {tested} tested by intervention, {len(confirmed)} confirmed."
    return " ".join([told, *(f"Cluster {one['id']} ({one['class']}): {one['verdict']['sentence']}" for one in confirmed[:3])])


def tested_next(clusters: Sequence[Mapping[str, Any]]) -> int:
    """The first cluster that was not tested yet, or the first of all."""
    return next((int(one["id"]) for one in clusters if one["verdict"] is None), 0)


def row(one: Mapping[str, Any]) -> list[str]:
    """A cluster as a line of the table."""
    numbers = [figure(float(one[name])) for name in ("suspicion", "recurrence", "border", "accuracy", "accuracy_of_rest")]
    verdict = "not tested" if one["verdict"] is None else one["verdict"]["sentence"]
    return [str(one["id"]), str(one["class"]), one["space"], str(one["size"]), *numbers, verdict]


def sheet(store: Store, one: Mapping[str, Any], items: Items, model: Model) -> dict[str, Any]:
    """The figure of a cluster: its mean map, and the members nearest to its medoid; every member in the table."""
    places = {key: number for number, key in enumerate(items.keys)}
    corners = dict(zip(one["members"], one["mark"]["corners"], strict=True))
    shown = [key for key in one["nearest"] if key in places][:PICTURES]
    drawn = (marked(read_item(model, items, places[key]), corners[key], one["mark"]) for key in shown)
    pictures = [picture for picture in drawn if picture is not None]
    named = f"Cluster {one['id']}: {one['size']} of class {one['class']}"
    meta = [f"{entry['column']} = {entry['value']}" for entry in one["enrichment"][:2] if "column" in entry]
    caption = " ".join(filter(None, [row(one)[-1] + ".", f"More often than elsewhere: {', '.join(meta)}." if meta else ""]))
    return {
        "title": named, "caption": caption, "svg": None, "src": address([mean_map(store, one), *pictures]) if pictures else None,
        "alt": f"{named}: its mean map, and {len(pictures)} members, each with the place of its strongest evidence framed",
        "table": {"head": ["member"], "rows": [[key] for key in one["members"][:MOST_ROWS]]},
    }  # fmt: skip


def marked(x: Any, corner: Sequence[int], mark: Mapping[str, Any]) -> Image.Image | None:
    """A picture with the place of its strongest evidence framed; None for what is no picture."""
    if not isinstance(x, Tensor) or x.dim() != 4:
        return None
    pixels = x[0].detach().cpu().float()
    low, high = pixels.amin(), pixels.amax()
    grey = ((pixels - low) / (high - low).clamp(min=1e-9) * 255).byte()
    rgb = grey[:3] if len(grey) >= 3 else grey[:1].expand(3, -1, -1)
    image = Image.fromarray(rgb.permute(1, 2, 0).numpy()).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    down, across = (SIDE / cells for cells in mark["grid"])
    top, left = corner[0] * down, corner[1] * across
    frame = (left, top, left + mark["side"] * across - 1, top + mark["side"] * down - 1)
    ImageDraw.Draw(image).rectangle(frame, outline=(255, 255, 255), width=3)
    ImageDraw.Draw(image).rectangle(frame, outline=(190, 0, 28), width=1)
    return image


def mean_map(store: Store, one: Mapping[str, Any]) -> Image.Image:
    """The mean of the maps of a cluster, painted by itself."""
    heat = load_file(store.path / "analysis" / "maps.safetensors")[f"mean.{one['id']}"].double().numpy()
    strength = heat / max(float(np.abs(heat).max()), 1e-12)
    paper = np.full((*strength.shape, 3), 255.0)
    painted = RED_BLUE.paint(strength, paper, signed=True)
    return Image.fromarray(painted.round().astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def address(pictures: Sequence[Image.Image]) -> str:
    """Pictures side by side, as an address that holds them."""
    across, gap = min(len(pictures), 7), 6
    down = -(-len(pictures) // across)
    whole = Image.new("RGB", (across * (SIDE + gap) - gap, down * (SIDE + gap) - gap), "white")
    for number, picture in enumerate(pictures):
        whole.paste(picture, (number % across * (SIDE + gap), number // across * (SIDE + gap)))
    out = BytesIO()
    whole.save(out, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
