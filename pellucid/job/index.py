"""items.sqlite: an index of the items of a store, by key, class and score; derived from the shards, and made anew at will."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from .disk import flush_folder
from .store import Store

TABLE = (
    "create table items (number integer primary key, key text, label text, target integer, predicted integer, score real, "
    "probability real, shard integer, row integer)"
)


def build(store: Store, keys: Sequence[str], labels: Sequence[str | None]) -> Path:
    """Write the index of all shards that are there, whole or not at all."""
    path, temporary = store.path / "items.sqlite", store.path / f".{os.urandom(16).hex()}.sqlite"
    try:
        with sqlite3.connect(temporary) as connection:
            connection.execute(TABLE)
            for shard in store.valid():
                rows, items = shard.rows, shard.rows["item"].tolist()
                columns = [rows[name].tolist() if name in rows else [None] * len(items) for name in ("target", "predicted")]
                columns += [rows[name].tolist() if name in rows else [None] * len(items) for name in ("score", "probability")]
                entries = zip(items, *columns, range(len(items)), strict=True)
                connection.executemany(
                    "insert into items values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(item, keys[item], labels[item], *values, shard.number, row) for item, *values, row in entries],
                )
            connection.execute("create index by_key on items (key)")
            connection.execute("create index by_class on items (target, score)")
        connection.close()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(store.path)
    return path
