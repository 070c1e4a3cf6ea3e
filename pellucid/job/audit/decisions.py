"""Decisions: what people decided about clusters, and why: lines of `decisions.jsonl` in the store, which are only added to."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from ..disk import flush_folder

FILE = "decisions.jsonl"
ARTEFACT = "artefact"
#: What may be decided, in words. Only a cluster that was confirmed by intervention may be called an artefact.
CHOICES = {
    ARTEFACT: "Artefact: the network should not use it",
    "evidence": "Sound evidence: the network may use it",
    "unclear": "Unclear: look at it again",
}
NAME, NOTE = 80, 2000  # characters
# Control characters, and those that turn the direction of what stands around them.
UNFIT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Decision:
    """One decision.

    Arguments:
        cluster: The id of the cluster.
        decision: One of `CHOICES`.
        name: Who decided.
        note: Why.
        time: When, in ISO 8601, UTC.
    """

    cluster: int
    decision: str
    name: str
    note: str = ""
    time: str = ""

    def checked(self, clusters: Sequence[Mapping[str, Any]]) -> Decision:
        """The decision, without space around its texts.

        Raises:
            InputError: it is about no cluster, is none of the choices, is not signed, or its texts are no plain text.
        """
        asked = f"a decision on cluster {self.cluster}"
        about = next((one for one in clusters if one["id"] == self.cluster), None)
        if about is None:
            raise InputError(asked, f"{len(clusters)} clusters", "there is no such id", "Name one of clusters.json.")
        if self.decision not in CHOICES:
            raise InputError(asked, repr(self.decision)[:40], "it is none of the choices", f"Choose among {', '.join(CHOICES)}.")
        if self.decision == ARTEFACT and not (about["verdict"] or {}).get("confirmed"):
            found = "only a pattern" if about["verdict"] else "a cluster that was not tested"
            raise InputError(asked, found, "an artefact is what a test by intervention confirmed", "Test it first.")
        name, note = self.name.strip(), self.note.strip()
        if not name or len(name) > NAME or "\n" in name:
            raise InputError(asked, f"a name of {len(name)} characters", f"it is signed with 1-{NAME} on one line", "Sign it.")
        if len(note) > NOTE:
            raise InputError(asked, f"a note of {len(note):,} characters", f"{NOTE:,} are kept", "Shorten it.")
        if UNFIT.search(name + note):
            raise InputError(asked, "control characters", "names and notes are plain text", "Take them out.")
        return Decision(self.cluster, self.decision, name, note, self.time)


def decide(
    store: Path, clusters: Sequence[Mapping[str, Any]], cluster: int, decision: str, name: str, note: str = ""
) -> Decision:
    """Add a decision to a store; it is on the disk when this returns.

    Raises:
        InputError: see `Decision.checked`.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = Decision(cluster, decision, name, note, now).checked(clusters)
    path = store / FILE
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        torn = file.seek(0, os.SEEK_END) > 0 and path.read_bytes()[-1:] != b"\n"  # by a power failure
        file.write(b"\n" * torn + json.dumps(asdict(made), ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    flush_folder(store)
    return made


def decisions(store: Path) -> list[dict[str, Any]]:
    """All decisions, in the order they were made; lines that are no decision are passed over."""
    path = store / FILE
    return [asdict(one) for one in read(path.read_bytes())] if path.exists() else []


def read(content: bytes) -> Iterator[Decision]:
    for line in content.splitlines():
        try:
            entry = json.loads(line)
            one = Decision(*(entry[name] for name in ("cluster", "decision", "name", "note", "time")))
        except (ValueError, KeyError, TypeError):
            continue
        texts = (one.name, one.note, one.time, one.decision)
        if isinstance(one.cluster, int) and all(isinstance(text, str) for text in texts) and one.decision in CHOICES:
            yield one
