"""ONNX files: read into plain PyTorch calls."""

from .load import load as load
