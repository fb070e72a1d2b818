"""`fer-edge inspect` of TF.js graph models: made by hand here, by the converter in test_web."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fer_edge.cli import app
from fer_edge.contract import EMOTIONS, Manifest, describe_file, write_manifest

SAME, VALID = (base64.b64encode(word).decode() for word in (b"SAME", b"VALID"))


def dims(*sides: int) -> dict[str, Any]:
    return {"dim": [{"size": str(side)} for side in sides]}


def convolution(name: str, op: str, before: str, stride: int, padding: str) -> dict[str, Any]:
    strides = {"list": {"i": ["1", str(stride), str(stride), "1"]}}
    attributes = {"strides": strides, "padding": {"s": padding}}
    return {"name": name, "op": op, "input": [before, f"{name}/w"], "attr": attributes}


def graph_model() -> dict[str, Any]:
    """A gray face, 4 kernels of 3 x 3 in steps of 2, a depthwise one, 1 x 1, mean, dense."""
    image = {"name": "image", "op": "Placeholder", "attr": {"shape": {"shape": dims(1, 48, 48, 1)}}}
    nodes = [
        {"name": "answer", "op": "Softmax", "input": ["dense:0"]},  # in no order
        image,
        convolution("a", "_FusedConv2D", "image", 2, SAME),
        convolution("b", "DepthwiseConv2dNative", "a", 1, VALID),
        convolution("c", "Conv2D", "b", 1, VALID),
        {"name": "axes", "op": "Const"},
        {"name": "mean", "op": "Mean", "input": ["c", "axes"]},
        {"name": "dense", "op": "MatMul", "input": ["mean", "dense/w", "^image"]},
    ]
    shapes = {"a/w": (3, 3, 1, 4), "b/w": (3, 3, 4, 2), "c/w": (1, 1, 8, 5), "dense/w": (5, 7)}
    weights: list[dict[str, Any]] = [
        {
            "name": name,
            "shape": list(shape),
            "dtype": "float32",
            "quantization": {"dtype": "float16"},
        }
        for name, shape in shapes.items()
    ]
    weights.append({"name": "axes", "shape": [2], "dtype": "int32"})
    return {
        "format": "graph-model",
        "signature": {
            "inputs": {
                "x": {"name": "image:0", "dtype": "DT_FLOAT", "tensorShape": dims(1, 48, 48, 1)}
            },
            "outputs": {"y": {"name": "answer:0", "dtype": "DT_FLOAT", "tensorShape": dims(1, 7)}},
        },
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }


N_WEIGHTS = 36 + 72 + 40 + 35
N_MACS = 24 * 24 * 4 * 9 + 22 * 22 * 8 * 9 + 22 * 22 * 5 * 8 + 7 * 5


def write(folder: Path, model: dict[str, Any], n_bytes: int = 2 * N_WEIGHTS + 8) -> Path:
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "w.bin").write_bytes(bytes(n_bytes))
    return folder


def inspect(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


@pytest.mark.parametrize("name", ["", "model.json"])
def test_a_graph_model_is_explained(name: str, tmp_path: Path) -> None:
    done = inspect(write(tmp_path, graph_model()) / name, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["model"]
    operators = {op["name"]: op for op in found["graph"]["operators"]}
    assert {name: op["outputs"][0]["shape"] for name, op in operators.items()} == {
        "_FusedConv2D": [1, 24, 24, 4],
        "DepthwiseConv2dNative": [1, 22, 22, 8],
        "Conv2D": [1, 22, 22, 5],
        "Mean": [1, 5],
        "MatMul": [1, 7],
        "Softmax": [1, 7],
    }
    assert {name: op["macs"] for name, op in operators.items() if op["macs"]} == {
        "_FusedConv2D": 24 * 24 * 4 * 9,
        "DepthwiseConv2dNative": 22 * 22 * 8 * 9,
        "Conv2D": 22 * 22 * 5 * 8,
        "MatMul": 7 * 5,
    }
    assert found["n_parameters"] == N_WEIGHTS
    assert operators["Conv2D"]["inputs"][1]["dtype"] == "float16"
    assert found["contract_faults"] == []
    assert found["size_bytes"] == 2 * N_WEIGHTS + 8 + (tmp_path / "model.json").stat().st_size


def test_its_table_names_weights_and_what_is_unknown(tmp_path: Path) -> None:
    model = graph_model()
    model["modelTopology"]["node"][6]["op"] = "FancyPooling"
    done = inspect(write(tmp_path, model))
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "float16 3 × 3 × 1 × 4" in text
    assert "FancyPooling │ ? " in text
    assert "contract: holds" in text


def open_batch(model: dict[str, Any]) -> None:
    model["signature"]["inputs"]["x"]["tensorShape"]["dim"][0]["size"] = "-1"
    model["modelTopology"]["node"][1]["attr"]["shape"]["shape"]["dim"][0]["size"] = "-1"


def uint8_input(model: dict[str, Any]) -> None:
    model["signature"]["inputs"]["x"]["dtype"] = "DT_UINT8"


def two_outputs(model: dict[str, Any]) -> None:
    model["signature"]["outputs"]["z"] = model["signature"]["outputs"]["y"]


def an_image_out(model: dict[str, Any]) -> None:
    model["signature"]["outputs"]["y"]["tensorShape"] = dims(1, 7, 7, 1)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (open_batch, "found float32 (-1, 48, 48, 1)"),
        (uint8_input, "found uint8 (1, 48, 48, 1)"),
        (two_outputs, "expected one input and one output, found 1 and 2"),
        (an_image_out, "expected the output float32 (1, emotions)"),
    ],
)
def test_what_breaks_the_contract_is_said(
    change: Callable[[dict[str, Any]], None], fault: str, tmp_path: Path
) -> None:
    change(model := graph_model())
    done = inspect(write(tmp_path, model))
    assert done.exit_code == 0, done.output
    assert fault in " ".join(done.stdout.split())
    assert f"{N_MACS:,} MACs" in " ".join(done.stdout.split())


def no_weights(model: dict[str, Any]) -> None:
    del model["weightsManifest"]


def an_input_from_nowhere(model: dict[str, Any]) -> None:
    model["modelTopology"]["node"][2]["input"][0] = "nowhere"


def a_circle(model: dict[str, Any]) -> None:
    model["modelTopology"]["node"][2]["input"][0] = "c"


def a_stride_of_nothing(model: dict[str, Any]) -> None:
    model["modelTopology"]["node"][2]["attr"]["strides"]["list"]["i"][1] = "0"


def an_endless_side(model: dict[str, Any]) -> None:
    model["weightsManifest"][0]["weights"][0]["shape"][0] = float("inf")


def layers_of_keras(model: dict[str, Any]) -> None:
    model["format"] = "layers-model"
    model["modelTopology"] = {"keras_version": "2.15.0", "model_config": {}}


def a_shard_twice(model: dict[str, Any]) -> None:
    model["weightsManifest"][0]["paths"] *= 2


def a_shard_elsewhere(model: dict[str, Any]) -> None:
    model["weightsManifest"][0]["paths"] = ["../w.bin"]


def an_absent_shard(model: dict[str, Any]) -> None:
    model["weightsManifest"][0]["paths"] = ["v.bin"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (no_weights, "no TF.js graph model"),
        (an_input_from_nowhere, "nothing makes 'nowhere'"),
        (a_circle, "CycleError"),
        (a_stride_of_nothing, "a stride of 0"),
        (an_endless_side, "no TF.js graph model"),
        (layers_of_keras, "is a TF.js Layers model"),
        (a_shard_twice, "each shard once"),
        (a_shard_elsewhere, "expected shards beside it"),
        (an_absent_shard, "Cannot read"),
    ],
)
def test_a_damaged_one_is_an_error(
    change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    change(model := graph_model())
    done = inspect(write(tmp_path, model))
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())


@pytest.mark.parametrize("found", [100, 2 * N_WEIGHTS + 9])
def test_a_shard_of_another_length_is_an_error(found: int, tmp_path: Path) -> None:
    done = inspect(write(tmp_path, graph_model(), n_bytes=found))
    assert done.exit_code == 1
    assert f"expected {2 * N_WEIGHTS + 8} bytes of weights, found {found}" in " ".join(
        done.output.split()
    )


@pytest.mark.parametrize("changed", ["model.json", "w.bin"])
def test_a_file_that_its_manifest_does_not_describe_is_an_error(
    changed: str, tmp_path: Path
) -> None:
    folder = write(tmp_path, graph_model())
    files = {name: describe_file(folder / name) for name in ("model.json", "w.bin")}
    write_manifest(folder, Manifest("made up", EMOTIONS, files))
    assert inspect(folder).exit_code == 0
    content = (folder / changed).read_bytes()
    other = content + b" " if changed == "model.json" else b"\1" + content[1:]
    (folder / changed).write_bytes(other)
    done = inspect(folder)
    assert done.exit_code == 1
    assert "is not the file that its manifest describes" in " ".join(done.output.split())


def test_older_and_stranger_models_are_read(tmp_path: Path) -> None:
    """The signature further in, padding by numbers, uint8 weights, a name that moves a cursor."""
    model = graph_model()
    model["userDefinedMetadata"] = {"signature": model.pop("signature")}
    nodes = model["modelTopology"]["node"]
    nodes[2]["attr"]["padding"]["s"] = base64.b64encode(b"EXPLICIT").decode()
    nodes[6]["op"] = "\x1b[31mMean"
    stored = model["weightsManifest"][0]["weights"][0]["quantization"]
    stored |= {"dtype": "uint8", "scale": 0.5, "min": -64.0}
    folder = write(tmp_path, model, n_bytes=2 * N_WEIGHTS + 8 - 36)
    done = inspect(folder, "--json")
    assert done.exit_code == 0, done.output
    first = json.loads(done.stdout)["model"]["graph"]["operators"][0]
    assert first["outputs"][0]["shape"] == [-1]
    assert first["inputs"][1]["quantization"] == {"scales": [0.5], "zero_points": [128], "axis": 0}
    assert "\x1b" not in inspect(folder).stdout


def test_a_model_without_tfjs_says_how_to_make_it() -> None:
    done = inspect("small", "--variant", "tfjs")
    assert done.exit_code == 1
    assert "fer-edge export small --tfjs" in " ".join(done.output.split())
