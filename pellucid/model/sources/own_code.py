"""Own code: what in a folder of Hugging Face would run code of whoever made it, found by reading its JSON files as data.

The libraries that open such folders ask on standard input, or do not ask, depending on where in a file it stands: in the
configuration of an encoder inside, or among the arguments of an architecture. So all of it is looked for before they are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pellucid.core.files import parse_json

#: What is read when a network is built: nothing in it may lead to code.
OF_NETWORKS = ("config*.json", "generation_config*.json", "adapter_config.json", "quantiz*_config.json")
INDEX = "*.index.json"  # which files hold the weights

#: Names whose values lead to code: classes in Python files; who is to be trusted; files of weights that other libraries unpickle.
KEYS = frozenset({"auto_map", "trust_remote_code", "custom_generate", "checkpoint_path"})
#: Names whose values lead to code where they name a place, as "owner/kernel" and "local-dir:..." do.
PLACES = frozenset({"_attn_implementation", "attn_implementation", "_experts_implementation", "kernel_config", "architecture"})


def of_network(path: Path) -> list[str]:
    """What in a folder would run code, or read files elsewhere, while the network is built, in words.

    Raises:
        ValueError: one of the files is no JSON.
    """
    files = sorted({file for pattern in OF_NETWORKS for file in path.glob(pattern)})
    found = [words for file in files for words in _in_file(file)]
    return found + [words for index in sorted(path.glob(INDEX)) for words in _outside(index)]


def of_reader(path: Path, files: tuple[str, ...]) -> bool:
    """Whether a tokenizer or an image processor, which these files describe, names classes of its own."""
    for name in files:
        try:
            described = parse_json((path / name).read_bytes()) if name.endswith(".json") and (path / name).is_file() else None
        except (OSError, ValueError):
            continue
        if isinstance(described, dict) and described.get("auto_map"):
            return True
    return False


def _in_file(file: Path) -> Iterator[str]:
    for key, value in _entries(parse_json(file.read_bytes())):
        if key in KEYS and value:
            classes = ", ".join(sorted(map(str, value))) if isinstance(value, dict) else str(value)
            yield f"{key} in {file.name}: {classes}"[:200]
        elif key in PLACES and isinstance(value, str) and ("/" in value or ":" in value or "\\" in value):
            yield f"{key} in {file.name}: {value}"[:200]


def _entries(data: Any) -> Iterator[tuple[str, Any]]:
    """Every name with its value, at any depth."""
    left = [data]
    while left:
        inside = left.pop()
        if isinstance(inside, dict):
            yield from inside.items()
        left += inside.values() if isinstance(inside, dict) else inside if isinstance(inside, list) else ()


def _outside(index: Path) -> Iterator[str]:
    """Files of weights that lie elsewhere."""
    data = parse_json(index.read_bytes())
    files = data.get("weight_map") if isinstance(data, dict) else None
    for name in sorted({str(name) for name in files.values()} if isinstance(files, dict) else ()):
        if Path(name).name != name or "\\" in name:
            yield f"weights outside the folder, in {index.name}: {name}"[:200]
