# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "tensorflow==2.21.0",
#   "keras==3.15.1",
#   "tensorflowjs==4.22.0",
#   "tf-keras==2.21.0",
#   "tensorflow-hub==0.16.1",
#   "setuptools<81",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# # tensorflowjs asks for these and only imports them; the first has no build for this TensorFlow.
# override-dependencies = [
#   "tensorflow-decision-forests; sys_platform == 'never'",
#   "jax; sys_platform == 'never'",
#   "jaxlib; sys_platform == 'never'",
#   "flax; sys_platform == 'never'",
# ]
#
# [tool.fer-edge]
# download-mb = 640  # of wheels, on 64-bit Linux
# ///
"""Converts a deployed Keras network to a TF.js graph model.

A program of its own: files in, files and one JSON line out.

    uv run --script tfjs.py --network deployed.keras --out DIR [--weights float32|float16|uint8]

The network takes float32 (1, 48, 48, 1), 0-255, and answers probabilities; so does the graph model.
`DIR` gets `model.json` and its weights in shards under 4 MiB.
"""

import argparse
import importlib.metadata
import json
import os
import sys
import tempfile
import types
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

SHARD_BYTES = 4 * 1024 * 1024 - 1
VERSIONS = ("tensorflow", "keras", "tensorflowjs", "numpy")


def main() -> int:
    """Converts, and prints what was written with which versions, as one line of JSON."""
    options = _parse_options()
    import keras

    network = keras.models.load_model(options.network, compile=False, safe_mode=True)
    with tempfile.TemporaryDirectory() as folder:
        [image] = network.inputs
        one = keras.InputSpec(
            shape=image.shape, dtype=image.dtype, name=image.name
        )  # at a time: the batch is 1
        network.export(folder, verbose=False, input_signature=[one])
        convert(Path(folder), options.out, options.weights)
    written = sorted(path.name for path in options.out.iterdir())
    versions = {name: importlib.metadata.version(name) for name in VERSIONS}
    print(json.dumps({"written": written, "versions": versions}))
    return 0


def convert(saved_model: Path, out: Path, weights: str) -> None:
    """Writes a graph model.

    Args:
        saved_model: TensorFlow's folder.
        out: Folder for `model.json` and its shards.
        weights: How they are stored: `float32`, or `float16`. TF.js's third way, `uint8` with one
            scale a tensor, changes one answer in twenty of `small`: docs/BENCHMARKS.md.
    """
    _stand_in_for_what_is_only_imported()
    from tensorflowjs.converters import tf_saved_model_conversion_v2

    tf_saved_model_conversion_v2.convert_tf_saved_model(
        str(saved_model),
        str(out),
        quantization_dtype_map=None if weights == "float32" else {weights: "*"},
        weight_shard_size_bytes=SHARD_BYTES,
    )
    # An operator's attributes come in another order each time: the same network, the same bytes.
    topology = out / "model.json"
    content = json.loads(topology.read_text("utf-8"))
    for node in content["modelTopology"]["node"]:
        node.get("attr", {}).pop("_input_shapes", None)  # TensorFlow leaves it on some CPUs
    topology.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")), "utf-8")


def _stand_in_for_what_is_only_imported() -> None:
    """Lets tensorflowjs be imported without packages of which it uses nothing here."""
    forests = types.ModuleType("tensorflow_decision_forests")
    jax = types.ModuleType("tensorflowjs.converters.jax_conversion")
    jax.convert_jax = None  # type: ignore[attr-defined]
    sys.modules |= {forests.__name__: forests, jax.__name__: jax}


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--network", type=Path, required=True, help="a deployed .keras network")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--weights", choices=("float32", "float16", "uint8"), default="float32")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
