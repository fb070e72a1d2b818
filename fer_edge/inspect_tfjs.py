"""What is inside a TF.js graph model: operators, weights, multiply-accumulates.

Reads `model.json` and the lengths of its shards; runs nothing. Source of the layout: TensorFlow's
GraphDef as JSON, and TF.js's weights manifest.
"""

import graphlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_edge.contract import INPUT_SHAPE, has_manifest, read_manifest
from fer_edge.errors import ModelFormatError
from fer_edge.inspect import (
    TF_CONVOLUTIONS,
    TF_DENSE,
    TF_DEPTHWISE,
    TF_KERNELS,
    Graph,
    Inspection,
    Operator,
    Quantization,
    Tensor,
)

TOPOLOGY = "model.json"
MAX_TOPOLOGY_BYTES = 64 * 1024 * 1024
DAMAGE = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError),
)
UNKNOWN = (-1,)  # of a shape that this file does not say and we do not work out

_BYTES = {"float32": 4, "int32": 4, "float16": 2, "uint16": 2, "uint8": 1, "bool": 1}
_DTYPES = {"DT_FLOAT": "float32", "DT_INT32": "int32", "DT_UINT8": "uint8", "DT_BOOL": "bool"}
_PADDINGS = {"U0FNRQ==": "SAME", "VkFMSUQ=": "VALID"}  # base64, as GraphDef's JSON has bytes
_SAME_SHAPE = ("AddV2", "Add", "BiasAdd", "Mul", "Relu", "Relu6", "Softmax", "Identity", "Sub")


def inspect_tfjs(path: Path) -> Inspection:
    """Returns what is known of a TF.js graph model.

    Args:
        path: Of its `model.json`, beside which its shards lie.

    Raises:
        ModelFormatError: It is no graph model, a shard is absent or cut short, or a file is not
            the one that a manifest beside it describes.
    """
    topology, shards = _read(path)
    try:
        weights = [spec for group in topology["weightsManifest"] for spec in group["weights"]]
        expected = sum(math.prod(spec["shape"]) * _size(spec) for spec in weights)
        constants = {spec["name"]: _weight(spec) for spec in weights}
        graph = _graph(topology, constants)
    except DAMAGE as exc:
        raise ModelFormatError(
            f"{path} is no TF.js graph model, or a damaged one ({exc!r:.200}). Export it again."
        ) from exc
    found = sum(map(len, shards))
    if found != expected:
        raise ModelFormatError(
            f"{path}: expected {expected:,} bytes of weights, found {found:,}. A shard is cut "
            "short or of another model; export it again."
        )
    content = path.read_bytes() + b"".join(shards)
    name = f"{path.parent.name}/{path.name}"
    return Inspection.of(graph, name, content, _contract_faults(graph))


def _read(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Returns the topology and the shards' bytes."""
    folder = path.parent
    try:
        if path.stat().st_size > MAX_TOPOLOGY_BYTES:
            raise ModelFormatError(f"{path} is over 64 MiB: that is no model.json.")
        topology: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if topology.get("format") == "layers-model":
            raise ModelFormatError(
                f"{path} is a TF.js Layers model: layers of Keras, not yet a graph of operators. "
                "Expected a graph model; of a network of ours, fer-edge export NETWORK.keras "
                "--tfjs makes one."
            )
        names = [name for group in topology["weightsManifest"] for name in group["paths"]]
        if odd := [name for name in names if Path(name).name != name]:
            raise ModelFormatError(f"{path}: expected shards beside it, found {odd[0]!r}.")
        if len(set(names)) < len(names):
            raise ModelFormatError(f"{path}: expected each shard once, found one twice.")
        shards = [(folder / name).read_bytes() for name in names]
    except OSError as exc:
        raise ModelFormatError(f"Cannot read {exc.filename}: {exc.strerror}.") from exc
    except DAMAGE as exc:
        raise ModelFormatError(f"{path} is no TF.js graph model ({exc!r:.200}).") from exc
    if has_manifest(folder):
        manifest = read_manifest(folder)
        for name in (path.name, *names):
            manifest.read_file(folder, name)
    return topology, shards


def _size(spec: Mapping[str, Any]) -> int:
    """Returns the bytes of one stored value."""
    return _BYTES[spec.get("quantization", spec)["dtype"]]


def _weight(spec: Mapping[str, Any]) -> Tensor:
    stored = spec.get("quantization", {})
    meaning = None
    if "scale" in stored:
        scale = float(stored["scale"])
        meaning = Quantization((scale,), (round(-float(stored["min"]) / scale),), 0)
    dtype = str(stored.get("dtype", spec["dtype"]))
    shape = tuple(_side(side) for side in spec["shape"])
    return Tensor(_plain(spec["name"]), shape, dtype, is_constant=True, quantization=meaning)


def _graph(topology: Mapping[str, Any], constants: Mapping[str, Tensor]) -> Graph:
    """Returns the graph; shapes are worked out from its input on where operators are known."""
    nodes = {n["name"]: n for n in topology["modelTopology"]["node"] if n["op"] != "Const"}
    before = {
        name: [source for source in map(_source, node.get("input", ())) if source not in constants]
        for name, node in nodes.items()
    }
    made: dict[str, Tensor] = dict(constants)
    operators = []
    for name in graphlib.TopologicalSorter(before).static_order():  # a cycle is a ValueError
        if name not in nodes:
            raise ValueError(f"nothing makes {name!r}")
        node = nodes[name]
        inputs = tuple(made[_source(source)] for source in node.get("input", ()))
        output = Tensor(_plain(name), _shape(node, inputs), "float32", is_constant=False)
        made[name] = output
        if node["op"] not in ("Placeholder", "Identity"):
            macs = _macs(node["op"], inputs, output)
            operators.append(Operator(_plain(node["op"]), inputs, (output,), macs))
    signature = topology.get("signature") or topology["userDefinedMetadata"]["signature"]
    edges = {
        edge: tuple(_edge(entry) for entry in signature[edge].values())
        for edge in ("inputs", "outputs")
    }
    return Graph(tuple(operators), edges["inputs"], edges["outputs"])


def _source(name: str) -> str:
    """Returns the node that an input comes from: `^` marks control, `:0` which output."""
    return name.removeprefix("^").partition(":")[0]


def _edge(entry: Mapping[str, Any]) -> Tensor:
    shape = _dims(entry["tensorShape"])
    dtype = _DTYPES.get(entry["dtype"], entry["dtype"])
    return Tensor(_plain(entry["name"]), shape, dtype, is_constant=False, is_open=-1 in shape)


def _dims(shape: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(_side(dim["size"]) for dim in shape.get("dim", ()))


def _side(value: Any) -> int:
    """Returns one side of a shape; -1 is an open one."""
    if (side := int(value)) < -1:
        raise ValueError(f"a side of {side}")
    return side


def _plain(text: str) -> str:
    """Returns a text that a terminal only prints."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _shape(node: Mapping[str, Any], inputs: Sequence[Tensor]) -> tuple[int, ...]:
    """Returns the shape of what a node makes; UNKNOWN where we do not work it out."""
    op, attributes = node["op"], node.get("attr", {})
    if op == "Placeholder":
        return _dims(attributes["shape"]["shape"])
    if not inputs or inputs[0].shape == UNKNOWN:
        return UNKNOWN
    first = inputs[0].shape
    if op in _SAME_SHAPE:
        return first
    if op in TF_DENSE:
        return (first[0], inputs[1].shape[1])
    if op == "Mean" and len(first) == 4:
        return (first[0], first[3])
    padding = _PADDINGS.get(attributes.get("padding", {}).get("s"))
    if op in TF_CONVOLUTIONS + TF_DEPTHWISE and padding:
        kernel = inputs[1].shape  # (h, w, in, out), or (h, w, channels, multiplier)
        if (stride := int(attributes["strides"]["list"]["i"][1])) < 1:
            raise ValueError(f"a stride of {stride}")
        lost = {"SAME": (0, 0), "VALID": (kernel[0] - 1, kernel[1] - 1)}
        margins = lost[padding]
        sides = (-(-(side - m) // stride) for side, m in zip(first[1:3], margins, strict=True))
        channels = kernel[3] if op in TF_CONVOLUTIONS else kernel[2] * kernel[3]
        return (first[0], *sides, channels)
    return UNKNOWN


def _macs(op: str, inputs: Sequence[Tensor], output: Tensor) -> int:
    if output.shape == UNKNOWN or op not in TF_KERNELS:
        return 0
    kernel = inputs[1].shape
    summed = {4: 3 if op in TF_CONVOLUTIONS else 2, 2: 1}[len(kernel)]
    one_image = output.shape[1:]  # a batch may be open
    return math.prod(one_image) * math.prod(kernel[:summed])


def _contract_faults(graph: Graph) -> list[str]:
    """Returns in what a graph model differs from what clients expect: gray 0-255 in, as float32."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        found = f"found {len(graph.inputs)} and {len(graph.outputs)}"
        return [f"expected one input and one output, {found}"]
    [image], [answer] = graph.inputs, graph.outputs
    faults = []
    if (image.shape, image.dtype) != (INPUT_SHAPE, "float32"):
        faults.append(
            f"expected the input float32 {INPUT_SHAPE}, found {image.dtype} {image.shape}"
        )
    if answer.dtype != "float32" or len(answer.shape) != 2 or answer.shape[0] != 1:
        faults.append(
            f"expected the output float32 (1, emotions), found {answer.dtype} {answer.shape}"
        )
    return faults
