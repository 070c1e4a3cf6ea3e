"""Arguments of Python functions in messages as options of the command line: `builder=` becomes `--builder`.

Errors are raised by rooms that know Python alone. Before the command line prints one, `in_options` replaces the arguments it
names by options; no other file knows both. A suggestion that no option can follow is printed as what it is, "In Python: ...".
"""

from __future__ import annotations

import re

from pellucid.errors import PellucidError

PLACEHOLDERS = {  # argument: what follows the option of that name where the error gives no value
    "at": "LAYER", "beside": "N", "builder": "MODULE:FUNCTION", "by": "NAME", "data": "DIR", "dtype": "TYPE", "labels": "FILE",
    "method": "NAME", "versus": "CLASS", "window": "N",
    "minutes": "M", "other": "MODEL", "recipe": "NAME", "seeds": "N", "start": "PICTURE", "steps": "N", "target": "CLASS",
    "top": "SHARE",
}  # fmt: skip
PIXELS = "--size 224 --resize 256 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
EXPRESSIONS = {  # what stands in an error: what a user of the command line types or does instead
    r"builder=lambda: \w+\([^)]*\)": "--builder MODULE:FUNCTION",
    r"canvas=GeneratorPrior\.fit\([^)]*\)": "--prior FILE, which `pellucid prior fit` writes",
    r"preprocess=pl\.Columns\([^)]*\)": "--columns FILE",
    r"preprocess=pl\.Preprocess\(.*?=\.\.\.\)": PIXELS,
    r"pl\.Text\(tokenizer, window=(\d+)\)": r"--window \1",
    r"chat=True": "--chat",
    r"pl\.sequence\(([^)]*)\)": r"--sequence \1",
    r"preprocess=pl\.Text\([^)]*\)": "--model hf:FOLDER, a folder that holds its tokenizer too",
    r"shape=\(1, 28, 28\), and bounds=\(0, 1\)[^.]*": PIXELS,
    r"strict=True": "--strict",
    r"trust=True": "--trust",
    r"verify=False": "--no-verify",
    r"pl\.verify\(model, x\)": "`pellucid inspect MODEL --verify`",
    r"^Route it, .*": "Leave out --strict: the derivative is taken there, and the caption says so.",
    r"^Preprocess$": "--size, --resize, --interpolation, --mean, --std",
    r"that argument": "that option",
    r"pl\.record\(model, x\)\.show\(\)": "`pellucid inspect MODEL --depth 9`",
    r"pl\.similarity\(input=[^)]*\)": "--like INPUT",
    r"GeneratorPrior\.save": "`pellucid prior fit`",
    r",? [oO]r pass (a tensor|an nn\.Module)[^.;]*": "",
}
VALUE = r"""(?P<value>\.\.\.|"[^"]*"|'[^']*'|[\w/:-]+(?:\.\w+)*)?"""
ARGUMENT = re.compile(rf"(?<![\w.(-])(?P<name>{'|'.join(PLACEHOLDERS)})={VALUE}")
PYTHON = re.compile(r"\bpl\.\w|(?<![\w-])[a-z_]\w*=")


def in_options(error: PellucidError) -> PellucidError:
    """The same error as the command line says it.

    Example:
        >>> from pellucid.errors import ModelError
        >>> print(in_options(ModelError("class 'cat'", "no names", "it cannot be found", "Load the model with labels=.")))
        class 'cat': found no names; it cannot be found. Load the model with --labels FILE.
    """
    return type(error)(translated(error.asked), error.found, error.why, suggestion(error.do))


def suggestion(text: str) -> str:
    """What to do next; announced as Python where no option does it.

    Example:
        >>> suggestion('Name a layer: at="layer4".'), suggestion("Pass masks=, True where the truth lies.")
        ('Name a layer: --at layer4.', 'In Python: pass masks=, True where the truth lies.')
    """
    options = translated(text)
    return f"In Python: {text[:1].lower()}{text[1:]}" if "--" not in text and PYTHON.search(options) else options


def translated(text: str) -> str:
    """The text with options in place of arguments; one that speaks of options already is left alone."""
    if "--" in text:
        return text
    for pattern, option in EXPRESSIONS.items():
        text = re.sub(pattern, option, text)
    return ARGUMENT.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    return f"--{name} {PLACEHOLDERS[name] if value in (None, '...') else value.strip(chr(34) + chr(39))}"
