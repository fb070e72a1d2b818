"""int8 models of one operator each, for what a runtime can run."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SHAPE = (1, 4, 4, 8)
Spec = tuple[tuple[int, ...], int, float, int]  # shape, type, scale, zero point
INT8, INT32 = schema.TensorType.INT8, schema.TensorType.INT32
SAME: Spec = (SHAPE, INT8, 0.05, 3)
FLAT: Spec = ((1, 128), INT8, 0.05, 3)
HALVED: Spec = ((1, 2, 2, 8), INT8, 0.05, 3)
TWO = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")
POOL = schema.Pool2DOptionsT(strideH=2, strideW=2, filterHeight=2, filterWidth=2)

OUTPUTS: dict[str, Spec] = {
    "AVERAGE_POOL_2D": HALVED,
    "CONCATENATION": ((1, 4, 4, 16), INT8, 0.05, 3),
    "FULLY_CONNECTED": ((1, 5), INT8, 0.5, 0),
    "LOGISTIC": (SHAPE, INT8, 1 / 256, -128),
    "MAX_POOL_2D": HALVED,
    "MEAN": ((1, 8), INT8, 0.05, 3),
    "PAD": ((1, 6, 6, 8), INT8, 0.05, 3),
    "QUANTIZE": (SHAPE, INT8, 0.1, -5),
    "RESHAPE": FLAT,
    "SOFTMAX": (SHAPE, INT8, 1 / 256, -128),
    "TANH": (SHAPE, INT8, 1 / 128, 0),
}
# Constants behind the input: int8, but where they are int32.
CONSTANTS: dict[str, list[np.ndarray]] = {
    "CONV_2D": [np.arange(-36, 36).repeat(8).reshape(8, 3, 3, 8)],
    "DEPTHWISE_CONV_2D": [np.arange(-36, 36).reshape(1, 3, 3, 8)],
    "FULLY_CONNECTED": [np.arange(-320, 320).reshape(5, 128) // 3],
    "MEAN": [np.array([1, 2], np.int32)],
    "PAD": [np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)],
    "RESHAPE": [np.array([1, 128], np.int32)],
}
OPTIONS = {
    "ADD": schema.AddOptionsT(),
    "AVERAGE_POOL_2D": POOL,
    "CONCATENATION": schema.ConcatenationOptionsT(axis=3),
    "CONV_2D": schema.Conv2DOptionsT(strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1),
    "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptionsT(
        strideH=1, strideW=1, depthMultiplier=1, dilationHFactor=1, dilationWFactor=1
    ),
    "FULLY_CONNECTED": schema.FullyConnectedOptionsT(),
    "LEAKY_RELU": schema.LeakyReluOptionsT(alpha=0.1),
    "MAX_POOL_2D": POOL,
    "MEAN": schema.ReducerOptionsT(),
    "MUL": schema.MulOptionsT(),
    "RESHAPE": schema.ReshapeOptionsT(newShape=np.array([1, 128], np.int32)),
    "SOFTMAX": schema.SoftmaxOptionsT(beta=1.0),
    "SUB": schema.SubOptionsT(),
}


def one_operator(name: str) -> bytes:
    """Returns a `.tflite` file of one int8 operator on (1, 4, 4, 8), two of them where it adds."""
    model = schema.ModelT(version=3, buffers=[schema.BufferT()], description=b"")
    graph = schema.SubGraphT(tensors=[], name=b"main")
    image = FLAT if name == "FULLY_CONNECTED" else SAME
    inputs = [_add(model, graph, image)]
    if name in (*TWO, "CONCATENATION"):
        inputs.append(inputs[0])
    for values in CONSTANTS.get(name, ()):
        inputs.append(_add_constant(model, graph, values))
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        inputs.append(_add_bias(model, graph, inputs[1]))
    output = _add(model, graph, OUTPUTS.get(name, (SHAPE, INT8, 0.07, -4) if name in TWO else SAME))
    operator = schema.OperatorT(opcodeIndex=0, inputs=inputs, outputs=[output])
    if options := OPTIONS.get(name):
        operator.builtinOptions = options
        kind = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    graph.operators, graph.inputs, graph.outputs = [operator], inputs[:1], [output]
    code = getattr(schema.BuiltinOperator, name)
    model.operatorCodes = [
        schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=1)
    ]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _add(model: schema.ModelT, graph: schema.SubGraphT, spec: Spec, data: bytes = b"") -> int:
    shape, kind, scale, zero_point = spec
    model.buffers.append(schema.BufferT(data=np.frombuffer(data, np.uint8) if data else None))
    tensor = schema.TensorT(
        shape=np.array(shape, np.int32),
        type=kind,
        buffer=len(model.buffers) - 1,
        name=f"tensor{len(graph.tensors)}".encode(),
    )
    if scale:
        tensor.quantization = schema.QuantizationParametersT(
            scale=np.array([scale], np.float32), zeroPoint=np.array([zero_point], np.int64)
        )
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add_constant(model: schema.ModelT, graph: schema.SubGraphT, values: np.ndarray) -> int:
    if values.dtype == np.int32:
        return _add(model, graph, (values.shape, INT32, 0, 0), values.tobytes())
    return _add(model, graph, (values.shape, INT8, 0.01, 0), values.astype(np.int8).tobytes())


def _add_bias(model: schema.ModelT, graph: schema.SubGraphT, weights: int) -> int:
    shape = graph.tensors[weights].shape
    n = int(shape[3] if shape[0] == 1 and len(shape) == 4 else shape[0])
    values = np.arange(n, dtype=np.int32) * 100
    return _add(model, graph, (values.shape, INT32, 0.05 * 0.01, 0), values.tobytes())
