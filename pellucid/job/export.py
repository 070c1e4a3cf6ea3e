"""The results of a run for other programs: CSV, Parquet (extra: export), Zarr (extra: export)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pellucid.errors import MissingExtra, OutputError
from .disk import write_durably
from .store import Store

FORMATS = (".csv", ".parquet", ".zarr")


def export(store: Store, path: Path, keys: Sequence[str], labels: Sequence[str | None] = ()) -> Path:
    """All rows of a store in one file: numbers of one column each as CSV; maps and channels too as Parquet or Zarr.

    Raises:
        OutputError: the suffix is none of these.
        MissingExtra: what writes it is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        found = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise OutputError(f"export to {path}", found, "it chooses the format", f"Use one of {', '.join(FORMATS)}.")
    rows = store.rows(*store.columns)
    items = rows["item"].tolist()
    named = {"key": [keys[item] for item in items]}
    if any(label is not None for label in labels):
        named["label"] = [labels[item] or "" for item in items]
    {".csv": to_csv, ".parquet": to_parquet, ".zarr": to_zarr}[suffix](path, named, rows)
    return path


def to_csv(path: Path, named: dict[str, list[str]], rows: dict[str, Tensor]) -> None:
    """A line per item: what is one number, or a few."""
    columns: dict[str, list[Any]] = {**named}
    for name, value in rows.items():
        if value.dim() == 1:
            columns[name] = value.tolist()
        elif value.dim() == 2 and value.shape[1] <= 8:
            columns |= {f"{name}.{place}": value[:, place].tolist() for place in range(value.shape[1])}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_durably(path, text.getvalue().encode(errors="surrogateescape"))


def to_parquet(path: Path, named: dict[str, list[str]], rows: dict[str, Tensor]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise missing("Parquet", "pyarrow") from None
    arrays: dict[str, Any] = dict(named)
    for name, value in rows.items():
        flat = value.reshape(len(value), -1)
        if flat.shape[1] == 1:
            arrays[name] = pyarrow.array(flat[:, 0].numpy())
        else:
            entries = pyarrow.array(flat.float().flatten().numpy())
            arrays[name] = pyarrow.FixedSizeListArray.from_arrays(entries, flat.shape[1])
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), sink)
    write_durably(path, sink.getvalue())


def to_zarr(path: Path, named: dict[str, list[str]], rows: dict[str, Tensor]) -> None:
    try:
        import zarr
    except ImportError:
        raise missing("Zarr", "zarr") from None
    group = zarr.open_group(str(path), mode="w")
    group.attrs.update(named)
    for name, value in rows.items():
        group.create_array(name, data=value.numpy())


def missing(what: str, package: str) -> MissingExtra:
    return MissingExtra(
        f"an export as {what}", f"no package {package}", "it is an optional dependency",
        "Install it: pip install 'pellucid[export]'. Or export as .csv.",
    )  # fmt: skip
