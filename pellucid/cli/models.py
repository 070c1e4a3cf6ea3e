"""`pellucid models`: the networks that come along."""

from __future__ import annotations

import click

from . import output
from .errors import debuggable

SOURCES = (
    ("FILE", "safetensors and .pth with --builder, ONNX, Keras; with --trust TorchScript, .pt2, pickled modules"),
    ("FOLDER", "a Hugging Face model: config.json and weights (extra: hub)"),
    ("timm:NAME", "an architecture of timm; NAME@FILE: with weights of a file, NAME?random: with random ones (extra: hub)"),
    ("torchvision:NAME", "a model of torchvision; @ and ? as above, or @ the name of its weights (extra: hub)"),
    ("hf:PATH", "a folder, or the name of a model on the Hugging Face hub (extra: hub)"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per model.")
@debuggable
def models(as_json: bool) -> None:
    """The built-in models, and what else can be named as one."""
    from pellucid.zoo import MODELS

    if as_json:
        for name, summary in MODELS.items():
            output.document({"name": name, "summary": summary})
        return
    output.table(("model", "what it is"), [*MODELS.items(), *SOURCES])
