# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "tensorflow==2.21.0",
#   "keras==3.15.1",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
#
# [tool.fer-edge]
# download-mb = 640  # of wheels, on 64-bit Linux
# ///
"""Makes an int8 model one that Android's libraries take as it is: RGB in, with metadata.

A program of its own (with tflite.py beside it): files in, files and one JSON line out.

    uv run --script android.py --int8 int8.tflite --labels labels.txt --name small --out FILE

Android's bitmaps are RGB, and MediaPipe Tasks refuses one channel. So the model gets one more
operator in front, which turns RGB to gray; everything after it stays as it is, to the byte of every
weight. Where red, green and blue are equal the gray is exactly that value, and the answers are the
bits of the model without it. The labels travel inside the file.
"""

import argparse
import importlib.metadata
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tflite import pack

# BT.601's luma, (0.299, 0.587, 0.114), as what int8 holds exactly and what sums to 1.
LUMA, LUMA_SUM = (65, 127, 25), 217

METADATA = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
MIN_PARSER_VERSION = "1.0.0"
LABELS = "labels.txt"


def main() -> int:
    """Converts, and prints what was written with which versions, as one line of JSON."""
    options = _parse_options()
    content, labels = options.int8.read_bytes(), options.labels.read_text("utf-8")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    add_luminance(model)
    add_metadata(model, options.name, labels.splitlines())
    options.out.write_bytes(pack_labels(pack(model, len(content)), labels))
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "flatbuffers")}
    print(json.dumps({"written": [options.out.name], "versions": versions}))
    return 0


def add_luminance(model: Any) -> None:
    """Makes an int8 model take RGB.

    Args:
        model: Takes uint8 (1, h, w, 1), one step a gray level, and its first operator makes int8
            of it.

    Raises:
        ValueError: It begins otherwise.
    """
    [graph] = model.subgraphs
    image, quantize = graph.tensors[graph.inputs[0]], graph.operators[0]
    gray = graph.tensors[quantize.outputs[0]]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    if (
        codes[quantize.opcodeIndex] != schema.BuiltinOperator.QUANTIZE
        or (image.type, gray.type) != (schema.TensorType.UINT8, schema.TensorType.INT8)
        or image.quantization.scale != [1.0]
        or gray.quantization.scale != [1.0]
    ):
        raise ValueError("expected a model whose first operator makes int8 of uint8 gray levels")
    image.shape = np.array([*image.shape[:3], 3], np.int32)
    image.name = b"image"
    as_int8 = _tensor(b"rgb", image.shape, schema.TensorType.INT8, 1.0, -128)
    luma = _tensor(b"luma", [1, 1, 1, 3], schema.TensorType.INT8, 1 / LUMA_SUM, 0)
    bias = _tensor(b"luma_bias", [1], schema.TensorType.INT32, 1 / LUMA_SUM, 0)
    luma.buffer = _add_buffer(model, np.array(LUMA, np.int8))
    bias.buffer = _add_buffer(model, np.zeros(1, np.int32))
    first = len(graph.tensors)
    graph.tensors += [as_int8, luma, bias]
    if schema.BuiltinOperator.CONV_2D not in codes:
        code = schema.BuiltinOperator.CONV_2D
        model.operatorCodes.append(schema.OperatorCodeT(deprecatedBuiltinCode=code, version=3))
        model.operatorCodes[-1].builtinCode = code
        codes.append(code)
    to_gray = schema.OperatorT(
        opcodeIndex=codes.index(schema.BuiltinOperator.CONV_2D),
        inputs=np.array([first, first + 1, first + 2], np.int32),
        outputs=quantize.outputs,
        builtinOptionsType=schema.BuiltinOptions.Conv2DOptions,
        builtinOptions=schema.Conv2DOptionsT(
            padding=schema.Padding.VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1
        ),
    )
    quantize.outputs = np.array([first], np.int32)
    graph.operators.insert(1, to_gray)


def add_metadata(model: Any, name: str, labels: list[str]) -> None:
    """Gives a model TensorFlow Lite's metadata: what goes in, and what comes out."""
    entry = schema.MetadataT(name=METADATA.encode())
    entry.buffer = _add_buffer(model, np.frombuffer(describe(name, labels), np.uint8))
    model.metadata = [*(model.metadata or []), entry]


def pack_labels(content: bytes, labels: str) -> bytes:
    """Returns a model with its labels behind it, as a zip that readers of the model do not see."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as packed:
        packed.writestr(zipfile.ZipInfo(LABELS), labels)
    return file.getvalue()


def describe(name: str, labels: list[str]) -> bytes:
    """Returns metadata as TensorFlow Lite Support's metadata_schema.fbs has it."""
    to = _Writer()
    image = to.table(
        {
            0: to.text("image"),
            1: to.text("A face, cropped to its square and scaled to 48 x 48; RGB, 0-255."),
            3: to.table({0: ("uint8", IMAGE), 1: to.table({0: ("uint8", RGB)})}),
            4: to.tables([_no_normalization(to)]),
            5: to.table({0: to.floats([255.0]), 1: to.floats([0.0])}),
        }
    )
    file = to.table({0: to.text(LABELS), 2: ("uint8", TENSOR_AXIS_LABELS)})
    probabilities = to.table(
        {
            0: to.text("probability"),
            1: to.text(f"Of each expression: {', '.join(labels)}."),
            3: to.table({0: ("uint8", FEATURE), 1: to.table({})}),
            5: to.table({0: to.floats([1.0]), 1: to.floats([0.0])}),
            6: to.tables([file]),
        }
    )
    graph = to.table({2: to.tables([image]), 3: to.tables([probabilities])})
    whole = {
        0: to.text(f"fer-edge {name}"),
        1: to.text("Which expression a face shows."),
        3: to.tables([graph]),
        7: to.text(MIN_PARSER_VERSION),
    }
    return to.finish(to.table(whole))


# Values of the schema's enumerations and unions.
FEATURE, IMAGE = 1, 2
RGB = 1
NORMALIZATION = 1
TENSOR_AXIS_LABELS = 2


def _no_normalization(to: "_Writer") -> Any:
    options = to.table({0: to.floats([0.0]), 1: to.floats([1.0])})
    return to.table({0: ("uint8", NORMALIZATION), 1: options})


class _Writer:
    """Writes tables of a FlatBuffers schema by their slots; what a table holds is written first."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def text(self, value: str) -> int:
        return int(self._builder.CreateString(value))

    def floats(self, values: list[float]) -> int:
        return int(self._builder.CreateNumpyVector(np.array(values, np.float32)))

    def tables(self, offsets: list[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def table(self, slots: dict[int, Any]) -> int:
        self._builder.StartObject(max(slots, default=-1) + 1)
        for slot, value in slots.items():
            if isinstance(value, tuple):
                self._builder.PrependUint8Slot(slot, value[1], 0)
            else:
                self._builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        return int(self._builder.EndObject())

    def finish(self, root: int) -> bytes:
        self._builder.Finish(root, METADATA_IDENTIFIER)
        return bytes(self._builder.Output())


def _tensor(name: bytes, shape: Any, dtype: int, scale: float, zero_point: int) -> Any:
    quantization = schema.QuantizationParametersT(
        scale=np.array([scale], np.float32), zeroPoint=np.array([zero_point], np.int64)
    )
    return schema.TensorT(
        name=name, shape=np.array(shape, np.int32), type=dtype, quantization=quantization
    )


def _add_buffer(model: Any, values: "np.ndarray[Any, Any]") -> int:
    model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    return len(model.buffers) - 1


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--int8", type=Path, required=True, help="an int8 model of fer-edge")
    parser.add_argument("--labels", type=Path, required=True, help="its labels, one a line")
    parser.add_argument("--name", required=True, help="of the model")
    parser.add_argument("--out", type=Path, required=True, help="file for the result")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
