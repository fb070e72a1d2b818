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
"""Converts a deployed Keras network to TensorFlow Lite files.

A program of its own: files in, files and one JSON line out.

    uv run --script tflite.py --network deployed.keras --out DIR --variant float32 \
        [--variant float16] [--variant dynamic] \
        [--variant int8 --calibration images.npy [--int8-network rounded.keras]]

The network takes float32 (1, 48, 48, 1), 0-255, and answers probabilities; so does the one that
int8 is made from where it is another, with its weights already on int8's grid. Every written model
takes uint8; the int8 one is full integer and answers uint8, the others answer float32.
`--variant saved_model` writes TensorFlow's SavedModel of the network.
"""

import argparse
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

FLOAT_VARIANTS = ("float32", "float16", "dynamic")
WEIGHTS_ALIGNMENT = 16  # bytes, of the buffers in TensorFlow Lite's schema


def main() -> int:
    """Converts, and prints what was written with which versions, as one line of JSON."""
    options = _parse_options()
    network = _load(options.network)
    options.out.mkdir(parents=True, exist_ok=True)
    written = []
    for variant in options.variant:
        if variant == "saved_model":
            _save(network, options.out / "saved_model")
            written.append("saved_model")
            continue
        content = (
            convert_int8(
                _load(options.int8_network or options.network),
                np.load(options.calibration, allow_pickle=False),
            )
            if variant == "int8"
            else convert_float(network, variant)
        )
        path = options.out / f"{variant}.tflite"
        path.write_bytes(content)
        written.append(path.name)
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    print(json.dumps({"written": written, "versions": versions}))
    return 0


def convert_float(network: keras.Model, variant: str) -> bytes:
    """Returns a model with float activations; its first operator casts the uint8 input.

    Args:
        network: float32 in, probabilities out.
        variant: `float32`; `float16` (weights stored in half precision); or `dynamic` (weights
            int8, activations quantized as they come).
    """
    image = keras.Input(batch_shape=network.input_shape, dtype="uint8", name="image")
    as_float = keras.layers.Rescaling(1.0, name="as_float")(image)
    converter = _converter(keras.Model(image, network(as_float)))
    if variant != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def convert_int8(network: keras.Model, images: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Returns the full-integer model: int8 throughout, weights per channel, uint8 in and out.

    Args:
        network: float32 in, probabilities out.
        images: The calibration sample, uint8 (n, 48, 48).
    """
    converter = _converter(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset(images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    return share_vectors(bytes(converter.convert()))


def share_vectors(content: bytes) -> bytes:
    """Returns the same model with equal vectors stored once.

    A quantized channel costs 28 bytes beside its weights, 16 of them zero points that are all 0: a
    tenth of a small file. Readers follow offsets, and need not know that some are the same.
    """
    return pack(schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)), len(content))


def pack(model: Any, size: int) -> bytes:
    """Returns a model's bytes with equal vectors stored once; the size is a first guess."""
    builder = _SharingBuilder(size)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes a vector of numbers once; weights stay apart, and aligned as the schema asks."""

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray[Any, Any]) -> int:
        if x.dtype == np.uint8:
            self.StartVector(1, len(x), WEIGHTS_ALIGNMENT)
            self.head -= len(x)
            self.Bytes[self.head : self.head + len(x)] = x.tobytes()
            return int(self.EndVector())
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            self._written[key] = int(super().CreateNumpyVector(x))
        return self._written[key]


def representative_dataset(
    images: np.ndarray[Any, np.dtype[np.uint8]],
) -> Callable[[], Iterator[list[np.ndarray[Any, np.dtype[np.float32]]]]]:
    """Returns the converter's callback over a calibration sample, uint8 (n, 48, 48).

    The first image gets one black and one white pixel in a corner: with 0 and 255 both seen, the
    input's scale is exactly 1 and its zero point 0, so that a pixel's byte is the tensor's byte.
    """
    sample = images[..., None].astype(np.float32)
    sample[0, 0, 0], sample[0, 0, 1] = 0, 255
    return lambda: ([image[None]] for image in sample)


def _load(path: Path) -> keras.Model:
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _converter(network: keras.Model) -> Any:
    """Returns TensorFlow's converter for a network, by way of a SavedModel."""
    folder = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
    _save(network, folder)
    return tf.lite.TFLiteConverter.from_saved_model(folder)


def _save(network: keras.Model, folder: str | Path) -> None:
    """Writes a SavedModel for one image at a time.

    Keras would leave the batch open, and LiteRT.js refuses such a model.
    """
    [image] = network.inputs
    one = keras.InputSpec(shape=image.shape, dtype=image.dtype, name=image.name)
    network.export(folder, verbose=False, input_signature=[one])


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--network", type=Path, required=True, help="a deployed .keras network")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--int8-network", type=Path, help="another deployed network, for int8")
    parser.add_argument("--calibration", type=Path, help="uint8 (n, 48, 48) as .npy, for int8")
    parser.add_argument(
        "--variant",
        action="append",
        required=True,
        choices=[*FLOAT_VARIANTS, "int8", "saved_model"],
        help="may be given several times",
    )
    options = parser.parse_args()
    if "int8" in options.variant and not options.calibration:
        parser.error("--variant int8 needs --calibration")
    return options


if __name__ == "__main__":
    sys.exit(main())
