"""`pellucid overview`: what many inputs say together: the rows of a table, the files of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.folders import read_text
from pellucid.errors import TargetError
from . import output
from .completion import METHODS
from .errors import debug_option, exit_if_incomplete
from .files import OPEN, OUT, Folder, file_names, format_option, open_first
from .inputs import TEXT, check_reads, expand, named_inputs, reads_texts
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import ProgressBar
from .settings import WITH, configured, split_names
from .target_options import TargetOptions, with_target_options

if TYPE_CHECKING:
    from pellucid.explanation.overview import Chart, Confusion, Overview
    from pellucid.model import Model

LINES = 12  # of a table that are printed


@click.command()
@click.argument("paths", nargs=-1, metavar="DATA...")
@TEXT
@MODEL
@click.option(
    "--method", default="lrp", show_default=True, shell_complete=METHODS, metavar="NAME", help="One of `pellucid methods`."
)
@WITH
@with_target_options
@click.option(
    "--column",
    "dependent",
    multiple=True,
    metavar="NAME",
    help="Also draw what a column of a table says, over what stands in it.",
)
@click.option("--errors", is_flag=True, help="Explain what the model takes for another class than it is, instead of everything.")
@click.option("--truth", metavar="COLUMN", help="The column of a table that holds the true class, for --errors.")
@OUT
@format_option("png,json", "png, svg, html, json, csv, txt, jpg, pdf")
@OPEN
@output.JSON
@with_model_options
@debug_option
def overview(
    paths: Sequence[str], texts: Sequence[str], model_options: ModelOptions, method: str, settings: Sequence[str],
    target_options: TargetOptions, dependent: Sequence[str], errors: bool, truth: str | None, out: str, formats: str,
    open_it: bool, as_json: bool,
) -> None:  # fmt: skip
    """What many inputs say together. DATA are tables, of which all rows count, or pictures, series or texts, or folders of them.

    \b
    of tables    a dot for every row and column (beeswarm), the mean size of each column (bars)
    of series    the mean size at every time
    of texts     the mean value of every word
    of pictures  the mean map of every class

    With --errors, what speaks for the wrong class where the model errs: of a folder with a folder for each class, or of a table
    whose column --truth holds the class.
    """
    inputs = named_inputs(paths, texts)
    progress = ProgressBar(what="samples")
    with progress("starting"):
        ((_, chosen),) = configured(split_names(method, "--method", "lrp")[:1], settings).items()
        folder = Folder.of(out, formats, "chart")
        folder.check([], [one.path for one in inputs])
        check_options(target_options, errors=errors)
        model = model_options.load()
        check_reads(model, inputs)
    with progress(f"{len(inputs)} input{'s' * (len(inputs) > 1)} by {method}"):
        found, charts = answered(model, paths, texts, chosen, target_options, dependent, truth, errors=errors)
    stem = paths[0] if len(paths) == 1 and not texts else inputs[0].path
    files = write(folder, found, charts, stem, method, target_options)
    for chart in charts:
        print_chart(chart, as_json=as_json)
    if as_json:
        output.print_json(output.by_format(files) if len(charts) == 1 else {"files": [str(file) for file in files]})
    else:
        output.print_files(files)
    if open_it:
        open_first(files)
    exit_if_incomplete(called_off=progress.called_off)


def check_options(target_options: TargetOptions, *, errors: bool) -> None:
    """Refuse what asks for one input, or for another question than that of errors."""
    alone = {"--row": target_options.row, "--generate": target_options.generate, "--continuation": target_options.continuation}
    given = [name for name, value in alone.items() if value is not None]
    if given:
        raise click.UsageError(f"{given[0]} is for a single input: use `pellucid explain`")
    if errors and (target_options.target or target_options.versus):
        raise click.UsageError("--errors explains the predicted class rather than the true one: leave out --target and --versus")


def answered(
    model: Model, paths: Sequence[str], texts: Sequence[str], method: Any, target_options: TargetOptions,
    dependent: Sequence[str], truth: str | None, *, errors: bool,
) -> tuple[Overview | Confusion, list[Chart]]:  # fmt: skip
    """What all inputs say together, and its charts."""
    if errors:
        wrong = of_errors(model, paths, truth, method, target_options)
        return wrong, [wrong.chart()]
    found = of_all(model, paths, texts, method, target_options)
    return found, [*found.charts, *(found.dependence(name) for name in dependent)]


def of_all(model: Model, paths: Sequence[str], texts: Sequence[str], method: Any, target_options: TargetOptions) -> Overview:
    """All inputs by one question."""
    from pellucid.verbs.overview import overview as verb

    about = {"versus": target_options.other(), "at": target_options.at, "strict": target_options.strict}
    target = target_options.resolve(model)
    return verb(model, data(model, paths, texts), target, method, verify=target_options.verify, **about)


def of_errors(model: Model, paths: Sequence[str], truth: str | None, method: Any, target_options: TargetOptions) -> Confusion:
    """The errors of the model."""
    from pellucid.model.readers.rows import as_rows
    from pellucid.verbs.confusion import confusion

    options = {"at": target_options.at, "strict": target_options.strict, "verify": target_options.verify}
    if truth is None:
        return confusion(model, data(model, paths, ()), None, method, **options)
    rows = [row for path in expand(paths) for row in as_rows(path)]
    if any(truth not in row for row in rows):
        do = f"Name one of: {', '.join(rows[0])}."
        raise TargetError(f"--truth {truth}", "no column of that name", "the true class stands in a column", do)
    return confusion(model, rows, [as_class(row[truth]) for row in rows], method, **options)


def as_class(word: Any) -> int | str:
    """A class by its number or its name."""
    return int(word) if str(word).strip().isdigit() else str(word)


def data(model: Model, paths: Sequence[str], texts: Sequence[str]) -> Any:
    """The inputs, as the verb takes them."""
    if reads_texts(model) and (texts or not (len(paths) == 1 and Path(paths[0]).is_dir())):
        return [read_text(Path(path)) for path in expand(paths)] + list(texts)
    if len(paths) == 1:
        path = Path(paths[0])
        return path if path.is_dir() else str(path) if path.suffix in (".csv", ".tsv") else [path]
    return [Path(path) for path in expand(paths)]


def write(
    folder: Folder, found: Confusion | Overview, charts: Sequence[Chart], stem: str, method: str, target_options: TargetOptions
) -> list[Path]:
    """One file per chart and format; where --out names one file, all charts in it."""
    if folder.stem:
        return folder.write(found, folder.stem)
    views: dict[str, int] = {}
    written: list[Path] = []
    for chart in charts:
        views[chart.view] = views.get(chart.view, 0) + 1
        ending = chart.view if views[chart.view] == 1 else f"{chart.view}-{views[chart.view]}"
        (name,) = file_names([stem], method, *target_options.words, ending)
        written += folder.write(chart, name)
    return written


def print_chart(chart: Chart, *, as_json: bool) -> None:
    """The words and the first rows of a chart."""
    from pellucid.explanation.overview.chart import to_dict
    from pellucid.render.overview.chart import cell_words

    if as_json:
        return output.print_json(to_dict(chart))
    output.echo(chart.title, bold=True)
    output.print_table(chart.head, [[cell_words(cell) for cell in row] for row in chart.rows[:LINES]])
    if len(chart.rows) > LINES:
        output.echo(f"and {len(chart.rows) - LINES:,} more; the files hold all of them.")
    output.print_text(chart.caption, *chart.warnings)
    output.echo()
