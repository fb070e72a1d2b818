"""What is inside a `.tflite` file: operators, tensors, quantization, multiply-accumulates.

Reads the flatbuffer; runs nothing. Source of the layout: TensorFlow Lite's schema.fbs, version 3.
"""

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.contract import INPUT_SHAPE, OUTPUT_SCALE, RGB_INPUT_SHAPE
from fer_edge.errors import MissingExtraError, ModelFormatError

FILE_IDENTIFIER = b"TFL3"
# By the schema's TensorType, from 0.
DTYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16"),
    *("complex64", "int8"),
)
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# TensorFlow's own, as TF.js keeps them.
TF_CONVOLUTIONS = ("Conv2D", "_FusedConv2D")
TF_DEPTHWISE = ("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
TF_DENSE = ("MatMul", "_FusedMatMul")
TF_KERNELS = TF_CONVOLUTIONS + TF_DEPTHWISE + TF_DENSE


@dataclass(frozen=True)
class Quantization:
    """What a tensor's integers mean: `scale * (integer - zero_point)`.

    Attributes:
        scales: One for the tensor, or one a channel.
        zero_points: Likewise.
        axis: The channels' axis.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int

    @property
    def is_per_channel(self) -> bool:
        """Whether channels have scales of their own."""
        return len(self.scales) > 1


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        name: As the converter left it.
        shape: With the batch.
        dtype: NumPy's name.
        is_constant: Whether its values stand in the file.
        quantization: None where its values mean themselves.
        is_open: Whether a side may change, such as a batch of any size.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool
    quantization: Quantization | None = None
    is_open: bool = False


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

    @property
    def weights(self) -> Tensor | None:
        """The kernel of a convolution or dense layer; None for another operator."""
        is_kernel = self.name in CONVOLUTIONS + TF_KERNELS and len(self.inputs) > 1
        return self.inputs[1] if is_kernel else None


@dataclass(frozen=True)
class Graph:
    """The first graph of a model file; ours have no other.

    Attributes:
        operators: In the order in which they run.
        inputs: What it eats.
        outputs: What it answers.
        n_graphs: How many the file has: others are bodies of loops, or signatures of their own.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    n_graphs: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(operator.macs for operator in self.operators)

    @property
    def n_parameters(self) -> int:
        """Values of the weights and biases of convolutions and dense layers."""
        stored = {
            tensor.name  # float16 weights are widened before they are used
            for operator in self.operators
            for tensor in operator.outputs
            if operator.name == "DEQUANTIZE" and any(t.is_constant for t in operator.inputs)
        }
        constants = {
            tensor.name: math.prod(tensor.shape)
            for operator in self.operators
            if operator.name in CONVOLUTIONS + TF_KERNELS
            for tensor in operator.inputs[1:]
            if tensor.is_constant or tensor.name in stored
        }
        return sum(constants.values())

    def not_integer(self) -> list[str]:
        """Returns the operators that touch a floating-point tensor, by name and outputs."""
        return [
            f"{operator.name} ({', '.join(t.name for t in operator.outputs) or '–'})"
            for operator in self.operators
            if any(t.dtype.startswith("float") for t in (*operator.inputs, *operator.outputs))
        ]

    def contract_faults(
        self, input_shapes: Sequence[tuple[int, ...]] = (INPUT_SHAPE,)
    ) -> list[str]:
        """Returns in what it differs from what every client of this project expects.

        One uint8 face in, at scale 1 where the graph is quantized; probabilities out, float32, or
        uint8 in steps of 1/256 and then integer throughout.

        Args:
            input_shapes: What the face may be: gray; an Android asset takes RGB.
        """
        if self.n_graphs != 1:
            return [f"expected one graph, found {self.n_graphs}; the first is explained"]
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            found = f"found {len(self.inputs)} and {len(self.outputs)}"
            return [f"expected one input and one output, {found}"]
        [image], [answer] = self.inputs, self.outputs
        faults = []
        if image.shape not in input_shapes or image.dtype != "uint8":
            faults.append(
                f"expected the input uint8 {INPUT_SHAPE}, found {image.dtype} {image.shape}"
            )
        if image.is_open:
            faults.append("expected a batch of exactly 1, found an open one: LiteRT.js refuses it")
        if image.quantization not in (None, Quantization((1.0,), (0,), 0)):
            faults.append("expected the input's scale 1 and zero point 0: a pixel is its byte")
        if len(answer.shape) != 2 or answer.shape[0] != 1 or answer.shape[1] < 2:
            faults.append(f"expected the output (1, emotions), found {answer.shape}")
        if answer.dtype == "uint8":
            if answer.quantization != Quantization((OUTPUT_SCALE,), (0,), 0):
                faults.append("expected the output's scale 1/256 and zero point 0")
            faults += [f"expected integers throughout, found {name}" for name in self.not_integer()]
        elif answer.dtype != "float32":
            faults.append(f"expected the output uint8 or float32, found {answer.dtype}")
        return faults


@dataclass(frozen=True)
class Inspection:
    """What is known of a model file.

    Attributes:
        name: Of the file.
        size_bytes: Of the file.
        sha256: Of its bytes.
        graph: What it holds.
        n_parameters: Values of the weights and biases.
        macs: Multiply-accumulates of one run.
        not_integer: Operators that touch a floating-point tensor.
        contract_faults: In what it differs from what clients expect; empty where it does not.
    """

    name: str
    size_bytes: int
    sha256: str
    graph: Graph
    n_parameters: int
    macs: int
    not_integer: tuple[str, ...]
    contract_faults: tuple[str, ...]

    @classmethod
    def of(cls, graph: Graph, name: str, content: bytes, faults: Sequence[str]) -> "Inspection":
        """Returns what is known of the bytes that hold a graph."""
        return cls(
            name,
            len(content),
            hashlib.sha256(content).hexdigest(),
            graph,
            graph.n_parameters,
            graph.macs,
            tuple(graph.not_integer()),
            tuple(faults),
        )


def inspect_model(content: bytes, name: str) -> Inspection:
    """Returns what is known of a `.tflite` file from its bytes.

    Raises:
        ModelFormatError: As `read_graph`.
    """
    graph = read_graph(content)
    faults = graph.contract_faults((INPUT_SHAPE, RGB_INPUT_SHAPE))
    return Inspection.of(graph, name, content, faults)


def read_graph(content: bytes) -> Graph:
    """Returns the graph in a `.tflite` file's bytes.

    Raises:
        ModelFormatError: The bytes are no such file, or are cut short.
    """
    if content[4:8] != FILE_IDENTIFIER:
        raise ModelFormatError(
            "Expected a .tflite file (identifier TFL3), found something else. Export it again."
        )
    schema = _schema()
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
        graph = model.subgraphs[0]
        tensors = [_tensor(tensor, model.buffers) for tensor in graph.tensors]
        return Graph(
            operators=tuple(
                _operator(names[_code(model.operatorCodes[op.opcodeIndex])], op, tensors)
                for op in graph.operators
            ),
            inputs=tuple(tensors[index] for index in graph.inputs),
            outputs=tuple(tensors[index] for index in graph.outputs),
            n_graphs=len(model.subgraphs),
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
        name=tensor.name.decode("utf-8", "replace"),
        shape=shape,
        dtype=dtype,
        is_constant=bool(data is not None and len(data)),
        quantization=_quantization(tensor.quantization),
        is_open=tensor.shapeSignature is not None and bool((tensor.shapeSignature < 0).any()),
    )


def _quantization(found: Any) -> Quantization | None:
    if found is None or found.scale is None or not len(found.scale):
        return None
    scales, zero_points = (tuple(values.tolist()) for values in (found.scale, found.zeroPoint))
    return Quantization(scales, zero_points, int(found.quantizedDimension))


def _operator(name: str, operator: Any, tensors: Sequence[Tensor]) -> Operator:
    inputs, outputs = (
        tuple(tensors[index] for index in ([] if indices is None else indices) if index >= 0)
        for indices in (operator.inputs, operator.outputs)  # None where there is not one
    )
    return Operator(name, inputs, outputs, _macs(name, inputs, outputs))


def _macs(name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
    """Returns multiply-accumulates: outputs times the kernel values that each one sums over."""
    if name not in CONVOLUTIONS:
        return 0
    kernel, n_outputs = inputs[1].shape, math.prod(outputs[0].shape)
    if name == "DEPTHWISE_CONV_2D":
        return n_outputs * kernel[1] * kernel[2]  # (1, h, w, channels)
    return n_outputs * math.prod(kernel[1:])  # (out, h, w, in) or (out, in)
