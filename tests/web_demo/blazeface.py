"""The browser demo's face detector in Python: the same graph, on TensorFlow's operators.

A reference for tests, written apart from the page's own code.
"""

import base64
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.faces import FaceBox

FOLDER = Path(__file__).parents[2] / "web_demo/node_modules/@vladmandic/human/models"
SIDE = 256


class BlazeFace:
    """Opens `blazeface.json` and its weights."""

    def __init__(self, folder: Path = FOLDER) -> None:
        model = json.loads((folder / "blazeface.json").read_text())
        self._nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        self._weights: dict[str, NDArray[Any]] = {}
        blob, at = (folder / "blazeface.bin").read_bytes(), 0
        for spec in model["weightsManifest"][0]["weights"]:
            dtype, n = np.dtype(spec["dtype"]), math.prod(spec["shape"])
            values = np.frombuffer(blob, dtype, n, at).reshape(spec["shape"])
            self._weights[spec["name"]], at = values, at + n * dtype.itemsize
        assert at == len(blob)

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        """Returns the reference squares of faces in a BGR picture, from left to right."""
        scale = SIDE / max(image.shape[:2])
        size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        pixels = canvas[None, :, :, ::-1].astype(np.float32) / 127.5 - 1
        near, far, near_boxes, far_boxes = self._run(pixels)
        logits = np.concatenate([near[0, :, 0], far[0, :, 0]]).astype(np.float64)
        boxes = np.concatenate([near_boxes[0], far_boxes[0]])[:, :4].astype(np.float64)
        boxes[:, :2] += _anchors() - boxes[:, 2:] / 2
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        return sorted(_faces(scores, boxes, scale), key=lambda face: face.x)

    def _run(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Returns scores and boxes of the 16 x 16 grid and of the 8 x 8 grid, interleaved."""
        known: dict[str, Any] = {"input": pixels}
        for name in self._nodes:
            self._value(name, known)
        return [np.asarray(known[f"Identity{end}"]) for end in ("", "_1", "_2", "_3")]

    def _value(self, name: str, known: dict[str, Any]) -> Any:
        name = name.split(":")[0]
        if name not in known:
            node = self._nodes[name]
            inputs = [self._value(source, known) for source in node.get("input", [])]
            is_weight = node["op"] == "Const"
            known[name] = self._weights[name] if is_weight else _apply(node, inputs)
        return known[name]


def _apply(node: dict[str, Any], inputs: list[Any]) -> Any:
    """Returns what an operator of the graph makes of its inputs."""
    import tensorflow as tf

    def ints(key: str) -> list[int]:
        return [int(value) for value in node["attr"][key]["list"]["i"]]

    def padding() -> str:
        return base64.b64decode(node["attr"]["padding"]["s"]).decode()

    def depthwise() -> Any:
        return tf.nn.depthwise_conv2d(*inputs, ints("strides"), padding())

    def fused_conv() -> Any:
        fused = [base64.b64decode(op) for op in node["attr"]["fused_ops"]["list"]["s"]]
        assert set(fused) <= {b"BiasAdd", b"Relu"}
        answer = tf.nn.conv2d(inputs[0], inputs[1], ints("strides"), padding()) + inputs[2]
        return tf.nn.relu(answer) if b"Relu" in fused else answer

    operators: dict[str, Callable[[], Any]] = {
        "_FusedConv2D": fused_conv,
        "DepthwiseConv2dNative": lambda: tf.nn.depthwise_conv2d(
            *inputs, ints("strides"), padding()
        ),
        "AddV2": lambda: inputs[0] + inputs[1],
        "Relu": lambda: tf.nn.relu(inputs[0]),
        "Reshape": lambda: tf.reshape(*inputs),
        "Identity": lambda: inputs[0],
        "MaxPool": lambda: tf.nn.max_pool2d(inputs[0], ints("ksize"), ints("strides"), padding()),
        "Pad": lambda: tf.pad(*inputs),
    }
    return operators[node["op"]]()


def _anchors() -> NDArray[np.float64]:
    """Returns (896, 2): the middles that boxes are told from."""
    middles = []
    for cells, n in ((16, 2), (8, 6)):
        steps = (np.arange(cells) + 0.5) * SIDE / cells
        grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        middles.append(np.repeat(grid, n, axis=0))
    return np.concatenate(middles)


def _faces(scores: NDArray[np.float64], boxes: NDArray[np.float64], scale: float) -> list[FaceBox]:
    """Returns a face for each heap of boxes from 0.75 on that overlap by more than 0.3."""
    order = [i for i in np.argsort(-scores) if scores[i] >= 0.75]
    faces = []
    while order:
        overlaps = np.array([_overlap(boxes[i], boxes[order[0]]) for i in order])
        same = [i for i, shared in zip(order, overlaps, strict=True) if shared > 0.3]
        x, y, width, height = np.average(boxes[same], axis=0, weights=scores[same])
        side = 1.11 * math.sqrt(width * height)
        corner = x + width / 2 - side / 2, y + height / 2 - side / 2 - 0.16 * height
        left, top, size = (float(value / scale) for value in (*corner, side))
        faces.append(FaceBox(left, top, size, size, float(scores[order[0]])))
        order = [i for i, shared in zip(order, overlaps, strict=True) if shared <= 0.3]
    return faces


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / float(np.prod(a[2:]) + np.prod(b[2:]) - shared)
