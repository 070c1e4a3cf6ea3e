"""Files that fix the size of their batch: made to take any where that can be, run as often as it takes where not."""

from __future__ import annotations

from typing import Any

from . import file


def loosen(onnx: Any, proto: Any) -> bool:
    """Let a file that fixes its batch take any: reshapes to (batch, ...) copy that axis from what they reshape."""
    taken = file.inputs(proto)
    shape = file.shape(taken[0]) if len(taken) == 1 else ()
    if not shape or not shape[0]:
        return False
    known = onnx.shape_inference.infer_shapes(proto).graph
    sizes = {value.name: value.type.tensor_type.shape.dim for value in (*known.input, *known.value_info)}
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        target = onnx.numpy_helper.to_array(constants[node.input[1]]).copy()
        before = sizes.get(node.input[0])
        if len(target) and target[0] == shape[0] and before and before[0].dim_value == shape[0]:
            if any(entry.name == "allowzero" and entry.i for entry in node.attribute):
                if 0 in target:
                    continue
                kept = [entry for entry in node.attribute if entry.name != "allowzero"]
                del node.attribute[:]
                node.attribute.extend(kept)
            target[0] = 0  # as it stands in the input
            name = f"{node.input[1]} of {node.name or node.output[0]}"
            proto.graph.initializer.append(onnx.numpy_helper.from_array(target, name))
            node.input[1] = name
    return True
