"""`pellucid repro`: whether a result can be computed again, from what the file itself says of where it comes from."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from pellucid.core import allocator
from pellucid.core.files import parse_json
from pellucid.errors import OutputError
from . import output
from .errors import SOME_FAILED, debug_option
from .files import PAINTED
from .inputs import Input
from .model_options import ModelOptions
from .progress import ProgressBar
from .settings import configured
from .target_options import TargetOptions

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from pellucid.model import Model

ROUNDING = {".safetensors": 1e-4}  # as a share of the largest value
PRINTED = 1e-2  # the same for what is drawn, or printed with few digits
AGAIN = "again"  # the entry of a provenance that says what was typed


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), metavar="FILE")
@click.option("--trust", is_flag=True, help="Run code that the file names: a builder, or a model file that holds code.")
@output.JSON
@debug_option
def repro(file: str, trust: bool, as_json: bool) -> None:
    """Compute again what a FILE of `pellucid explain` holds (.png, .html, .json, .safetensors), and print the largest difference.

    Model, input and options are those that stand in the file; names of files are looked up from here. The exit code is 0 where
    only rounding differs, else 1.
    """
    allocator.configure()
    path, progress = Path(file), ProgressBar()
    suffix = path.suffix.lower()
    with progress("starting"):
        from pellucid.core.differences import difference

        provenance = read_provenance(path)
        typed = provenance[AGAIN]
        model_options = options(ModelOptions, typed["model"])
        check_trusted(path, model_options, trust=trust)
        model = model_options.load()
    with progress(path.name):
        e = replace(compute(model, provenance), provenance=provenance)
        content = encode(e, suffix, typed["drawn"] if suffix in PAINTED else {})
        found = difference(path.read_bytes(), content, suffix)
    same = found <= ROUNDING.get(suffix, PRINTED)
    print_result(path, e, found, same=same, weights=same_weights(provenance, e, model), as_json=as_json)
    if not same:
        raise Exit(SOME_FAILED)


def typed_options(
    model: ModelOptions, target: TargetOptions, method: str, settings: Mapping[str, str], drawn: Mapping[str, Any]
) -> dict[str, Any]:
    """What was typed beside the input, as plain data for the provenance; what was left out is left out."""
    changed = {name: {key: value for key, value in asdict(one).items() if value is not None and value is not False}
               for name, one in (("model", model), ("target", target))}  # fmt: skip
    return {AGAIN: changed | {"method": method, "with": dict(settings), "drawn": dict(drawn)}}


def options(group: type[Any], typed: Mapping[str, Any]) -> Any:
    """The options of a group, from what `typed_options` kept of them."""
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in typed.items()}
    flags = ("strict", "verify")
    absent = {one.name: False if one.name in flags else None for one in fields(group) if one.default is MISSING}
    return group(**absent | plain)


def check_trusted(path: Path, model_options: ModelOptions, *, trust: bool) -> None:
    """Refuse to run code because a file says so."""
    if (model_options.trust or model_options.builder) and not trust:
        found = f"a model that runs code: {model_options.builder or model_options.model}"
        do = "Add --trust if the file and that code are yours."
        raise OutputError(f"repro {path}", found, "a result from elsewhere could run anything here", do)


def compute(model: Model, provenance: Mapping[str, Any]) -> Explanation:
    """The explanation that the provenance describes."""
    from pellucid.verbs import explain as verb

    typed = provenance[AGAIN]
    one = Input(provenance["picture"]) if "picture" in provenance else Input("text", provenance["text"])
    target_options: TargetOptions = options(TargetOptions, typed["target"])
    name = typed["method"]
    method = configured([name], [f"{key}={value}" for key, value in typed["with"].items()])[name]
    ask: Callable[..., Explanation] = verb.explain
    return target_options.run(ask, model, one, method=method)


def same_weights(provenance: Mapping[str, Any], e: Explanation, model: Model) -> bool:
    """Whether the weights are those of the file, as far as both have a digest."""
    from pellucid.model.provenance import fingerprint

    recorded = provenance.get("model")
    return not isinstance(recorded, dict) or recorded.get("fingerprint") in (None, fingerprint(model))


def encode(e: Explanation, suffix: str, drawn: Mapping[str, Any]) -> bytes:
    """What `pellucid explain` would write."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return e.save(Path(folder) / f"again{suffix}", **drawn).read_bytes()


def print_result(path: Path, e: Explanation, found: float, *, same: bool, weights: bool, as_json: bool) -> None:
    """The largest difference, for a program or for a person."""
    if as_json:
        data = {"file": str(path), "difference": found, "same": same, "weights": weights}
        return output.print_json(data)
    output.echo(e.headline())
    how = "nothing differs" if found == 0 else "within rounding" if same else "more than rounding"
    output.echo(f"Largest difference: {found:.3g} ({how}).")
    if not weights:
        output.echo("The weights of the model are not those that the file was made with.")


# -- what files say of themselves ---------------------------------------------------------------------------------------------


def read_provenance(path: Path) -> dict[str, Any]:
    """The provenance in a file, which says what was typed.

    Raises:
        OutputError: it has none, or was not written by `pellucid explain`.
    """
    asked, suffix = f"repro {path}", path.suffix.lower()
    if suffix not in READERS:
        do = f"Name one that ends in {', '.join(READERS)}."
        raise OutputError(asked, f"the suffix {suffix or 'none'}", "such files do not say where they come from", do)
    try:
        provenance = READERS[suffix](path)
    except (ValueError, KeyError, OSError, TypeError) as error:
        found, why = f"no provenance ({type(error).__name__}: {error})", "without it nothing says what to compute"
        raise OutputError(asked, found, why, "Name a file that `pellucid explain` wrote.") from None
    if not isinstance(provenance, dict) or AGAIN not in provenance:
        found, do = "a provenance that does not say what was typed", "Name a file that `pellucid explain` wrote."
        raise OutputError(asked, found, "results of other commands, and of Python, do not keep their inputs", do)
    return provenance


def _from_tensors(path: Path) -> Any:
    from pellucid.explanation.explanation import Explanation

    return Explanation.load(path).provenance


def _from_json(path: Path) -> Any:
    return parse_json(path.read_bytes())["provenance"]


def _from_png(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return parse_json(image.text["provenance"])  # type: ignore[attr-defined]


def _from_page(path: Path) -> Any:
    table = path.read_text(encoding="utf-8").partition('<table class="provenance">')[2].partition("</table>")[0]
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td></tr>", table, re.DOTALL)
    return {html.unescape(name): _plain(html.unescape(value)) for name, value in rows}


def _plain(text: str) -> Any:
    """A value of a table: what is no JSON is a word."""
    try:
        return parse_json(text) if text[:1] in "{[" else text
    except ValueError:
        return text


READERS: dict[str, Callable[[Path], Any]] = {
    ".png": _from_png, ".html": _from_page, ".json": _from_json, ".safetensors": _from_tensors,
}  # fmt: skip
