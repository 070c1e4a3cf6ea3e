"""Keras 3 on its PyTorch backend: files and models in memory. Channels last becomes channels first, a softmax is left out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from pellucid.errors import ModelError
from ..mode import NamedLayers
from ..model import Model
from .availability import missing
from .channels import TURNED, channels_last
from .weights import damaged, untrusted

SAFE_SINCE = (3, 12)  # earlier ones could be made to run code from files even in their safe mode (CVE-2025-9905, CVE-2025-9906)
VARIABLE = "KERAS_BACKEND"


def load(path: Path, trust: bool) -> Model:
    """The network in a file that Keras saved. Layers made of Python code (`Lambda`) run only if the file is trusted."""
    keras = _imported(f"model {path}")
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if not trust and (version < SAFE_SINCE or path.suffix != ".keras"):
        raise untrusted(path, f"a file of Keras {keras.__version__}" if path.suffix == ".keras" else "an HDF5 file of Keras")
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:
        message = " ".join(str(error).split())
        if "lambda" in message.lower() and "safe" in message.lower():
            raise untrusted(path, "layers made of Python code (Lambda)") from None
        if "Could not locate" in message or "custom" in message.lower():
            why = "a layer that Keras does not have must be imported, and registered, before its file is opened"
            do = "Build the model in Python and pass it: pl.load(keras_model)."
            raise ModelError(f"model {path}", f"a layer that is not known ({message[:160]})", why, do) from None
        raise damaged(path, error) from None
    remark = ", trusted by the user" if trust else ""
    return opened(network, path.stem, f"Keras {keras.__version__} file {path.name}{remark}")


def from_object(network: Any) -> Model:
    """A model of Keras that the user made."""
    keras = _imported("a Keras model")
    if not isinstance(network, nn.Module):  # standalone Keras 2 in TensorFlow, or another backend
        raise _wrong_backend("a Keras model", _backend(keras))
    return opened(network, str(network.name), f"Keras {keras.__version__} model")


def opened(network: Any, name: str, source: str) -> Model:
    """The handle on a built Keras model."""
    if not network.built:
        do = "Call it on some input once."
        raise ModelError(f"model {name}", "a Keras model that is not built", "it has no weights yet", do)
    inputs = [tuple(tensor.shape) for tensor in getattr(network, "inputs", None) or ()]
    turned = len(inputs) == 1 and _channels_last(network, inputs[0])
    sample = inputs[0][1:] if len(inputs) == 1 else ()
    known = bool(sample) and all(sample)
    shape = ((sample[-1], *sample[:-1]) if turned else tuple(sample)) if known else None
    forward: Any = _Inference(network, shape, turned)
    names = NamedLayers(dict(_layers(network)))
    model = Model(forward, name, source + (TURNED if turned else ""), names, shape=shape)
    return model.before_softmax() if _ends_in_softmax(network) else model


class _Inference:
    """The model in inference, whatever its training flag says, on pictures channels first."""

    def __init__(self, network: Any, shape: tuple[int, ...] | None, turned: bool) -> None:
        self.network, self.shape, self.turned = network, shape, turned

    def __call__(self, *inputs: Tensor) -> Any:
        x = inputs[0]
        x = channels_last(x, self.shape) if self.turned else x
        return self.network(x if len(inputs) == 1 else [x, *inputs[1:]], training=False)


def _imported(request: str) -> ModuleType:
    """Keras on PyTorch. Where nobody has chosen a backend, PyTorch is, for this import; the environment stays as it was."""
    chosen = VARIABLE in os.environ or "keras" in sys.modules
    if not chosen:
        os.environ[VARIABLE] = "torch"
    try:
        import keras
    except ImportError as error:
        wanted = os.environ.get(VARIABLE, "torch")
        if error.name and error.name != "keras" and wanted != "torch":
            raise _wrong_backend(request, wanted) from None
        raise missing(request, "keras", "keras", error) from None
    finally:
        if not chosen:
            del os.environ[VARIABLE]
    if _backend(keras) != "torch":
        raise _wrong_backend(request, _backend(keras))
    module: ModuleType = keras
    return module


def _backend(keras: Any) -> str:
    return str(keras.config.backend()) if hasattr(keras, "config") else "tensorflow"


def _wrong_backend(request: str, found: str) -> ModelError:
    why = "only computations of PyTorch can be recorded"
    do = f"Set {VARIABLE}=torch in the environment before Keras is imported; files saved on another backend load there too."
    return ModelError(request, f"Keras on the backend {found}", why, do)


def _channels_last(network: Any, shape: tuple[int | None, ...]) -> bool:
    """Whether pictures go in as (batch, height, width, channel): as its layers say, or else as Keras itself does."""
    if len(shape) != 4:
        return False
    formats = [layer.data_format for layer in network._flatten_layers() if getattr(layer, "data_format", None)]
    return formats[0] == "channels_last" if formats else shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4)


def _ends_in_softmax(network: Any) -> bool:
    """Whether the last layer is a softmax, or has one as its activation."""
    layers = [layer for layer in getattr(network, "layers", ()) if "Input" not in type(layer).__name__]
    if not layers:
        return False
    if hasattr(layers[-1], "layers"):  # a model in a model
        return _ends_in_softmax(layers[-1])
    function = getattr(layers[-1], "activation", None)
    return type(layers[-1]).__name__ == "Softmax" or getattr(function, "__name__", "") == "softmax"


def _layers(network: Any, prefix: str = "") -> Iterator[tuple[str, tuple[str, list[nn.Parameter]]]]:
    """The layers by their paths, with their class and what they learned; models within are followed."""
    for layer in getattr(network, "layers", ()):
        name = f"{prefix}{layer.name}".replace(".", "_") if not prefix else f"{prefix}{layer.name.replace('.', '_')}"
        if getattr(layer, "layers", None):
            yield from _layers(layer, f"{name}.")
        elif "Input" not in type(layer).__name__:
            yield name, (type(layer).__name__, [variable.value for variable in layer.weights])
