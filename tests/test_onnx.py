"""ONNX files: the same function as in PyTorch, up to the softmax at the end; and what cannot be converted is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

import pellucid as pl
from pellucid.errors import InputError, MissingExtra, ModelError

pytest.importorskip("onnx2torch")
onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402

from tests import onnx_nets  # noqa: E402
