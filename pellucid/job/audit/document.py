"""An audit as a document: what the page shows of it, whole, in one file; and the same in words and still pictures.

Every count opens the items behind it. Names, points and predictions of all items are there; pictures and maps of as many as fit:
members of clusters first, then the odd ones, then an even sample of the rest.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pellucid.core.progress import report_progress
from pellucid.model import Model
from pellucid.render.document.encoding import deflated
from pellucid.render.parts.palette import RED_BLUE
from ..items import Items
from ..store import Store
from . import pictures
from .view import ALL, HEAD, View, row, verdict

SHOWN = 10  # clusters with still pictures
PICTURES = 12  # of a cluster
SIDE = 112  # pixels of a picture on the sheet
MOST_ROWS = 400  # members in a table
BUDGET = 9_000_000  # bytes of pictures and maps
MOST_POINTS = 60_000  # steps along an axis of the scatter


def document(store: Store, items: Items, model: Model) -> dict[str, Any]:
    """The audit as plain data, by the schema of documents; its kind is "audit"."""
    return whole(View(store, items, model.preprocess))


def whole(view: View) -> dict[str, Any]:
    """All that a view shows."""
    said = view.summary()
    clusters = said["clusters"]
    sections = [
        {"title": "Clusters, the most suspicious first", "head": HEAD, "rows": [row(one) for one in clusters]},
        *tables_of_tests(clusters), *decided(said),
    ]  # fmt: skip
    return said | {"sections": sections, "figures": [sheet(view, one) for one in clusters[:SHOWN]], "packed": packed(view, said)}


# -- in words -----------------------------------------------------------------------------------------------------------------


def tables_of_tests(clusters: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What the counter-tests measured."""
    rows = []
    for one in clusters:
        for name, what in (("removed", "taken away"), ("pasted", "pasted on other classes")):
            if one["verdict"]:
                e = one["verdict"][name]
                cells = (f"{e['effect']:.3f}", f"{e['low']:.3f} to {e['high']:.3f}", f"{e['control']:.3f}")
                more = f"{e['more_low']:.3f} to {e['more_high']:.3f}"
                rows.append([str(one["id"]), what, *cells, more, f"{e['flips']} of {e['n']}", e["imputer"]])
    if rows:
        head = ["cluster", "mark", "change of the score", "95 % interval", "controls", "beyond controls", "flips", "filled in by"]
        yield {"title": "Tests by intervention", "head": head, "rows": rows}


def decided(said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What people decided."""
    if said["decisions"]:
        rows = [
            [one["time"], str(one["cluster"]), said["choices"][one["decision"]], one["name"], one["note"]]
            for one in said["decisions"]
        ]
        yield {"title": "Decisions", "head": ["time", "cluster", "decision", "by", "note"], "rows": rows}


# -- for the viewer -----------------------------------------------------------------------------------------------------------


def packed(view: View, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the page asks its server for, in one piece.

    Returns:
        "keys": the names of all items, a line each, deflated. "order": numbers of the items that have a result. "explained",
        "predicted", "probability": of those, in that order, as places among "names", and as shares of 255. "points": by class,
        space and plane. "shown": pictures, texts and maps by number, as far as they fit.
    """
    e = view.evidence
    names = sorted({*e.target.tolist(), *e.predicted.tolist()})
    place = {target: at for at, target in enumerate(names)}
    columns = {
        name: deflated(np.array([place[target] for target in values.tolist()], dtype="<u2").view(np.uint8))
        for name, values in (("explained", e.target), ("predicted", e.predicted))
    }
    return columns | {
        "keys": deflated_text("\n".join(key.replace("\n", " ") for key in view.items.keys)),
        "order": deflated(e.item.numpy().astype("<u4").view(np.uint8)), "names": [view.name(target) for target in names],
        "probability": deflated((e.probability.double().clamp(0, 1) * 255).round().byte().numpy()),
        "points": list(points(view, said)), "shown": shown(view, said),
    }  # fmt: skip


def deflated_text(text: str) -> str:
    press = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return b64encode(press.compress(text.encode(errors="replace")) + press.flush()).decode()


def points(view: View, said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The scatters of every class and of all items, as whole numbers of steps between the ends of each axis."""
    for target in (ALL, *(one["target"] for one in said["classes"])):
        for space in said["spaces"]:
            for plane in ("components", "clusters") if target != ALL else ("components",):
                found = view.points(target, space, plane)
                own = {"target": target, "space": space, "plane": plane}
                yield own | {"numbers": deflated(found[:, 0].astype("<u4").view(np.uint8)), "at": steps(found[:, 1:])}


def steps(at: NDArray[np.float32]) -> str:
    """Coordinates of points, in steps, x and y in turn."""
    low, high = at.min(0, initial=0), at.max(0, initial=0)
    scaled = (at - low) / np.maximum(high - low, 1e-12) * MOST_POINTS
    return deflated(scaled.round().astype("<u2").view(np.uint8))


def shown(view: View, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pictures and maps, in the order in which they matter, until the budget is spent."""
    wanted = list(dict.fromkeys(worth_showing(view, said)))
    made, spent = [], 0
    for done, number in enumerate(wanted):
        one = view.item(number)
        kept = {name: one[name] for name in ("item", "src", "text", "map", "meta", "label") if one[name]}
        spent += len(json.dumps(kept))
        if spent > BUDGET or report_progress(done + 1, len(wanted), "pictures"):
            break
        made.append(kept)
    return made


def worth_showing(view: View, said: Mapping[str, Any]) -> Iterator[int]:
    """Numbers of items: nearest to medoids, odd ones, members of the first clusters, then all, evenly spread."""
    for one in said["clusters"]:
        yield from one["nearest"]
    for one in said["classes"]:
        yield from one["odd"]
    for one in said["clusters"][: 2 * SHOWN]:
        yield from one["members"]
    every = view.evidence.item.tolist()
    for start in range(16):
        yield from every[start::16]


# -- still pictures -----------------------------------------------------------------------------------------------------------


def sheet(view: View, one: Mapping[str, Any]) -> dict[str, Any]:
    """The figure of a cluster: its mean map, and the members nearest to its medoid; every member in the table."""
    corners = dict(zip(one["members"], one["mark"]["corners"], strict=True))
    near = [number for number in one["nearest"] if number in corners][:PICTURES]
    drawn = (marked(view, number, corners[number], one["mark"]) for number in near)
    found = [picture for picture in drawn if picture is not None]
    named = f"Cluster {one['id']}: {one['size']} of class {one['class']}"
    said = f"{one['verdict']['sentence'] if one['verdict'] else verdict(one)}. What stands out: {one['sentence']}."
    caption = said[0].upper() + said[1:].replace("..", ".")
    return {
        "title": named, "caption": caption, "svg": None, "src": address([mean_map(view, one), *found]) if found else None,
        "alt": f"{named}: its mean map, and {len(found)} members, each with the place of its strongest evidence framed",
        "table": {"head": ["member"], "rows": [[view.items.keys[number]] for number in one["members"][:MOST_ROWS]]},
    }  # fmt: skip


def marked(view: View, number: int, corner: Sequence[int], mark: Mapping[str, Any]) -> Image.Image | None:
    """A picture with the place of its strongest evidence framed; None for what is no picture."""
    image = pictures.picture(view.items, number, view.how)
    if image is None and view.evidence.view is not None:
        image = pictures.of_view(view.evidence.view[view.rows[number]])
    if image is None:
        return None
    image = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    down, across = (SIDE / cells for cells in mark["grid"])
    top, left = corner[0] * down, corner[1] * across
    frame = (left, top, left + mark["side"] * across - 1, top + mark["side"] * down - 1)
    ImageDraw.Draw(image).rectangle(frame, outline=(255, 255, 255), width=3)
    ImageDraw.Draw(image).rectangle(frame, outline=(190, 0, 28), width=1)
    return image


def mean_map(view: View, one: Mapping[str, Any]) -> Image.Image:
    """The mean of the maps of a cluster, painted by itself."""
    heat = view.mean(one["members"]).double().numpy()
    strength = heat / max(float(np.abs(heat).max()), 1e-12)
    paper = np.full((*strength.shape, 3), 255.0)
    painted = RED_BLUE.paint(strength, paper, signed=True)
    return Image.fromarray(painted.round().astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def address(found: Sequence[Image.Image]) -> str:
    """Pictures side by side, as an address that holds them."""
    across, gap = min(len(found), 7), 6
    down = -(-len(found) // across)
    whole = Image.new("RGB", (across * (SIDE + gap) - gap, down * (SIDE + gap) - gap), "white")
    for number, picture in enumerate(found):
        whole.paste(picture, (number % across * (SIDE + gap), number // across * (SIDE + gap)))
    out = BytesIO()
    whole.save(out, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
