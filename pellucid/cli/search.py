"""`pellucid search`: which pictures of a whole data set use a unit most, or are explained like another one."""

from __future__ import annotations

from pathlib import Path

import click

from . import output
from .errors import debug_option
from .progress import ProgressBar


@click.command()
@click.argument("store", type=click.Path(exists=True, file_okay=False), metavar="STORE")
@click.option("--unit", metavar="LAYER:N", help="A channel of a layer that the store keeps: stages.4:56.")
@click.option("--like", metavar="PICTURE", help="A picture of the run, by its path below the folder: tabby/0007.png.")
@click.option("--box", metavar="T,L,B,R", help="With --like: only these cells of its map; top, left, bottom, right.")
@click.option("--class", "target", metavar="N", help="Only items explained for this class, by name or index.")
@click.option("--top", type=click.IntRange(1), default=24, show_default=True, metavar="N", help="How many.")
@output.JSON
@debug_option
def search(
    store: str, unit: str | None, like: str | None, box: str | None, target: str | None, top: int, as_json: bool
) -> None:  # fmt: skip
    """The items of an audit that use a unit most, or that are explained like one of them, over the whole data set."""
    if (unit is None) == (like is None):
        raise click.UsageError("give --unit or --like: what is searched for")
    if box is not None and like is None:
        raise click.UsageError("--box is a part of a picture: give --like too")
    with ProgressBar()("searching"):
        from pellucid.job.audit.search import by_example, by_unit, document, parse_unit
        from pellucid.job.store import Store
        from .runs import class_index, items_of

        place = Store(Path(store))
        items, index = items_of(place), class_index(place, target)
        if unit is not None:
            found = by_unit(place, items.keys, *parse_unit(unit), target=index, top=top)
        else:
            cells = None if box is None else parse_box(box)
            found = by_example(place, items.keys, str(like), box=cells, target=index, top=top)
    if as_json:
        return output.print_json({"store": store, "found": document(found)})
    head = ("", "relevance" if unit else "likeness", "share of the layer" if unit else "", "probability")
    rows = [(one.key, f"{one.value:.3g}", f"{one.share:.1%}" if unit else "", f"{one.probability:.2f}") for one in found]
    output.print_table(head, rows)


def parse_box(text: str) -> tuple[int, int, int, int]:
    """Four whole numbers with commas between them."""
    try:
        top, left, bottom, right = (int(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"--box {text}: four whole numbers with commas between them are a box") from None
    return top, left, bottom, right
