"""What is inside a `.tflite` file: operators, tensor types, multiply-accumulates, parameters.

Reads the flatbuffer; runs nothing. Source of the layout: TensorFlow Lite's schema.fbs, version 3.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.errors import MissingExtraError, ModelFormatError

FILE_IDENTIFIER = b"TFL3"
# By the schema's TensorType, from 0.
DTYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16"),
    *("complex64", "int8"),
)
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        name: As the converter left it.
        shape: With the batch.
        dtype: NumPy's name.
        is_constant: Whether its values stand in the file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool


@dataclass(frozen=True)
class Operator:
    """One operator of the graph.

    Attributes:
        name: TensorFlow Lite's, in capitals.
        inputs: In order; absent optional inputs are left out.
        outputs: In order.
        macs: Multiply-accumulates of one run.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    macs: int


@dataclass(frozen=True)
class Graph:
    """The one graph of a model file."""

    operators: tuple[Operator, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(operator.macs for operator in self.operators)

    @property
    def n_parameters(self) -> int:
        """Values of the weights and biases of convolutions and dense layers."""
        stored = {
            operator.outputs[0].name  # float16 weights are widened before they are used
            for operator in self.operators
            if operator.name == "DEQUANTIZE" and operator.inputs[0].is_constant
        }
        constants = {
            tensor.name: math.prod(tensor.shape)
            for operator in self.operators
            if operator.name in CONVOLUTIONS
            for tensor in operator.inputs[1:]
            if tensor.is_constant or tensor.name in stored
        }
        return sum(constants.values())

    def not_integer(self) -> list[str]:
        """Returns the operators that touch a floating-point tensor, by name and output."""
        return [
            f"{operator.name} ({operator.outputs[0].name})"
            for operator in self.operators
            if any(t.dtype.startswith("float") for t in (*operator.inputs, *operator.outputs))
        ]


def read_graph(content: bytes) -> Graph:
    """Returns the graph in a `.tflite` file's bytes.

    Raises:
        ModelFormatError: The bytes are no such file, are cut short, or hold several graphs.
    """
    if content[4:8] != FILE_IDENTIFIER:
        raise ModelFormatError(
            "Expected a .tflite file (identifier TFL3), found something else. Export it again."
        )
    schema = _schema()
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        if len(model.subgraphs) != 1:
            raise ModelFormatError(f"Expected one graph, found {len(model.subgraphs)}.")
        names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
        tensors = [_tensor(tensor, model.buffers) for tensor in model.subgraphs[0].tensors]
        return Graph(
            tuple(
                _operator(names[_code(model.operatorCodes[op.opcodeIndex])], op, tensors)
                for op in model.subgraphs[0].operators
            )
        )
    except (struct.error, IndexError, TypeError, ValueError, KeyError, AttributeError) as exc:
        raise ModelFormatError(
            f"The .tflite file is damaged or cut short ({exc!r}). Export it again."
        ) from exc


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as exc:
        raise MissingExtraError(
            "ai-edge-litert", needed_for="reading model files", extra=""
        ) from exc
    return schema_py_generated


def _code(code: Any) -> int:
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _tensor(tensor: Any, buffers: Sequence[Any]) -> Tensor:
    data = buffers[tensor.buffer].data
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    dtype = DTYPES[tensor.type] if tensor.type < len(DTYPES) else f"type {tensor.type}"
    return Tensor(
        tensor.name.decode("utf-8", "replace"), shape, dtype, bool(data is not None and len(data))
    )


def _operator(name: str, operator: Any, tensors: Sequence[Tensor]) -> Operator:
    inputs = tuple(tensors[index] for index in operator.inputs if index >= 0)
    outputs = tuple(tensors[index] for index in operator.outputs)
    return Operator(name, inputs, outputs, _macs(name, inputs, outputs))


def _macs(name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
    """Returns multiply-accumulates: outputs times the kernel values that each one sums over."""
    if name not in CONVOLUTIONS:
        return 0
    kernel, n_outputs = inputs[1].shape, math.prod(outputs[0].shape)
    if name == "DEPTHWISE_CONV_2D":
        return n_outputs * kernel[1] * kernel[2]  # (1, h, w, channels)
    return n_outputs * math.prod(kernel[1:])  # (out, h, w, in) or (out, in)
