"""Programs of torch.export: in memory, and as .pt2 files, which can run code when they are opened."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch
from torch.export import ExportedProgram

from ..final_activation import BeforeActivation
from ..model import Model
from .weights import damaged

SOFTMAXES = {torch.ops.aten.softmax.int, torch.ops.aten._softmax.default}


def from_object(program: ExportedProgram, name: str = "exported program", source: str = "ExportedProgram") -> Model:
    """A program that was exported here."""
    module = program.module()
    return Model(module, name, source, module)


def load(path: Path) -> Model:
    """The program in a trusted file; a softmax at its end is left out."""
    log = logging.getLogger("torch.export")
    level = log.level
    try:
        log.setLevel(logging.CRITICAL)  # what it says of a damaged file is said once, by us
        program = torch.export.load(path)
    except Exception as error:
        raise damaged(path, error) from None
    finally:
        log.setLevel(level)
    model = from_object(program, path.stem, f"exported program {path.name}, trusted by the user")
    if not _ends_in_softmax(program):
        return model
    note = "The file ends in a softmax; the scores before it are explained."
    return replace(model, forward=BeforeActivation(model.forward), notes=(note,), links={"": "softmax"})


def _ends_in_softmax(program: ExportedProgram) -> bool:
    nodes = {node.name: node for node in program.graph.nodes}
    outputs = [spec.arg.name for spec in program.graph_signature.output_specs if hasattr(spec.arg, "name")]
    return len(outputs) == 1 and getattr(nodes.get(outputs[0]), "target", None) in SOFTMAXES
