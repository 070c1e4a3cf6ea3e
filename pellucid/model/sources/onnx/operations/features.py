"""Columns of tables made ready: scaled, filled in, looked up, put side by side, as scikit-learn's exporter writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..operation import Node, operation
from .text import is_text, on_text, shaped, texts

ML = "ai.onnx.ml"


@operation("Scaler", domain=ML)
def scaler(node: Node, x: Tensor) -> Tensor:
    """(x - offset) scale"""
    x = x.to(torch.float32)
    return (x - x.new_tensor(node.get("offset", [0.0]))) * x.new_tensor(node.get("scale", [1.0]))


@operation("Normalizer", domain=ML)
def normalizer(node: Node, x: Tensor) -> Tensor:
    """Rows divided by their maximum, the sum of their absolute values, or their length; rows of zeros stay."""
    x = x.to(torch.float32)
    match node.get("norm", "MAX"):
        case "L1":
            size = x.abs().sum(-1, keepdim=True)
        case "L2":
            size = x.square().sum(-1, keepdim=True).sqrt()
        case _:
            size = x.amax(-1, keepdim=True)
    return x / size.masked_fill(size == 0, 1.0)


@operation("Imputer", domain=ML)
def imputer(node: Node, x: Tensor) -> Tensor:
    """What stands for a missing value replaced, by one number or one per column."""
    missing = node.get("replaced_value_float", 0.0) if x.is_floating_point() else node.get("replaced_value_int64", 0)
    values = node.get("imputed_value_floats" if x.is_floating_point() else "imputed_value_int64s")
    return torch.where(x.isnan() if missing != missing else x == missing, x.new_tensor(values), x)


@operation("Binarizer", domain=ML)
def binarizer(node: Node, x: Tensor) -> Tensor:
    return torch.gt(x, node.get("threshold", 0.0)).to(x.dtype)


@operation("FeatureVectorizer", domain=ML)
def feature_vectorizer(node: Node, *parts: Tensor) -> Tensor:
    return torch.cat([(one if one.dim() > 1 else one[None]).float() for one in parts], 1)


@operation("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(node: Node, x: Any, at: Tensor) -> Any:
    """Entries along the last axis."""
    if is_text(x):
        rows = x if isinstance(x[0], list) else [x]
        return [[row[one] for one in at.flatten().tolist()] for row in rows]
    return (x if x.dim() > 1 else x[None])[..., at.long().flatten()]


@operation("ZipMap", domain=ML)
def zip_map(node: Node, x: Tensor) -> Tensor:
    """The scores, whose names the file gives: a column each."""
    return x


@operation("OneHotEncoder", domain=ML)
def one_hot_encoder(node: Node, x: Any) -> Tensor:
    """A one in the place of the category, zeros elsewhere."""
    names, numbers = node.get("cats_strings"), node.get("cats_int64s")
    hot = _same(x, names) if names else _same(x.long(), numbers)
    if not node.get("zeros", 1) and not bool(hot.any(-1).all()):
        raise ValueError("a category that the file does not list")
    return hot.to(torch.float32)


@operation("LabelEncoder", "CategoryMapper", domain=ML)
def label_encoder(node: Node, x: Any) -> Any:
    """What a table gives for each entry; something else for what is not in it."""
    keys, values, other = _table(node, is_text(x))
    if isinstance(values[0], str):
        found = dict(zip(keys, values, strict=True))
        entries = texts(x) if is_text(x) else x.flatten().tolist()
        shape = () if isinstance(x, str) else x.shape if isinstance(x, Tensor) else _same(x, [""]).shape[:-1]
        return shaped([found.get(entry, other) for entry in entries], shape)
    same = _same(x, keys)
    last = same.shape[-1] - 1 - same.flip(-1).long().argmax(-1)  # of a key that stands there twice
    table = torch.as_tensor(values, device=same.device)
    return torch.where(same.any(-1), table[last], torch.as_tensor(other, dtype=table.dtype, device=same.device))


def _same(x: Any, keys: Sequence[Any] | Tensor) -> Tensor:
    """Whether each entry is each key, along a new last axis; no number is equal to itself where it is not a number."""
    if is_text(x):
        return torch.tensor(on_text(lambda word: [word == key for key in keys], x))
    known = torch.as_tensor(keys, dtype=x.dtype, device=x.device)
    same: Tensor = x[..., None] == known
    return same | (x[..., None].isnan() & known.isnan()) if x.is_floating_point() else same


def _table(node: Node, text: bool) -> tuple[Any, Any, Any]:
    """Keys, values, and the value for what is no key, from whichever attributes a version of the standard has for them."""
    pairs = node.get("classes_strings") or node.get("cats_strings")
    if pairs is not None:
        numbers = node.get("cats_int64s", list(range(len(pairs))))
        return (
            (pairs, numbers, node.get("default_int64", -1)) if text else (numbers, pairs, node.get("default_string", "_Unused"))
        )
    kinds = ("strings", "int64s", "floats", "tensor")
    keys = next(node.get(f"keys_{kind}") for kind in kinds if node.get(f"keys_{kind}") is not None)
    kind = next(kind for kind in kinds if node.get(f"values_{kind}") is not None)
    values = node.get(f"values_{kind}")
    if kind == "tensor":
        usual: Any = "_Unused" if is_text(values) else 0.0 if values.is_floating_point() else -1
        given = node.get("default_tensor")
        return keys, values, usual if given is None else next(texts(given)) if is_text(given) else given.reshape(())
    usual = {"strings": "_Unused", "int64s": -1, "floats": -0.0}[kind]
    return keys, values, node.get(f"default_{kind[:-1]}", usual)
