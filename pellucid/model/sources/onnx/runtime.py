"""Files that PyTorch cannot compute, run by onnxruntime where it is installed: methods that only ask what the model says work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..availability import optional

NOTE = "It runs in onnxruntime, which keeps no derivatives: {} PyTorch cannot compute. Methods that only ask for outputs work."


def available() -> bool:
    return find_spec("onnxruntime") is not None


def opened(path: Path) -> tuple[Session | None, str]:
    """The file in onnxruntime, or why it does not run there either."""
    if not available():
        return None, "onnxruntime, which may know them, is not installed"
    session = Session(path)
    try:
        session.session  # noqa: B018  it is opened now
    except Exception as error:
        return None, f"onnxruntime cannot run them either ({' '.join(str(error).split())[:160]})"
    return session, ""


@dataclass(frozen=True, eq=False)
class Session:
    """A file as a function of tensors, without derivatives.

    Arguments:
        path: Of the file.
    """

    path: Path

    @cached_property
    def session(self) -> Any:
        runtime = optional(f"model {self.path}", "onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        return runtime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        session = self.session
        ports = [port.name for port in session.get_inputs()]
        given = {**dict(zip(ports, inputs, strict=False)), **named}
        device = next((value.device for value in given.values() if isinstance(value, Tensor)), torch.device("cpu"))
        fed = {name: value.detach().cpu().numpy() if isinstance(value, Tensor) else value for name, value in given.items()}
        made = [torch.as_tensor(one).to(device) for one in session.run(None, fed)]
        return made[0] if len(made) == 1 else dict(zip((port.name for port in session.get_outputs()), made, strict=True))
