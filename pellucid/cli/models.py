"""`pellucid models`: the built-in networks, and the other ways to name a model."""

from __future__ import annotations

import click

from . import output
from .errors import debug_option

SOURCES = (
    ("FILE", "weights in .safetensors or .pth with --builder; ONNX; Keras; with --trust TorchScript, .pt2, pickled modules"),
    ("FOLDER", "a Hugging Face model: config.json and weights (extra: hub)"),
    ("timm:NAME", "a timm architecture; NAME@FILE: with the weights in FILE, NAME?random: with random weights (extra: hub)"),
    ("torchvision:NAME", "a torchvision model; @ and ? as above, or @ the name of its weights (extra: hub)"),
    ("hf:PATH", "a folder, or the name of a model on the Hugging Face hub (extra: hub)"),
)


@click.command()
@output.JSON
@debug_option
def models(as_json: bool) -> None:
    """List the built-in models, and what else can be named as MODEL."""
    from pellucid.zoo import MODELS

    if as_json:
        for name, summary in MODELS.items():
            output.print_json({"name": name, "summary": summary})
        return
    output.print_table(("model", "what it is"), [*MODELS.items(), *SOURCES])
