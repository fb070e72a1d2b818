"""`fer-edge inspect`: what it says of our files, of strangers' and of broken ones."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema
from typer.testing import CliRunner, Result

from fer_edge.catalog import SHIPPED
from fer_edge.cli import app
from fer_edge.contract import INPUT_SHAPE
from fer_edge.inspect import Graph, Operator, Quantization, Tensor, read_graph
from fer_edge.runs import Run
from tests.one_operator import one_operator

SMALL = SHIPPED / "small" / "int8.tflite"
PEER = Path(__file__).parents[2] / "shared" / "data" / "peers" / "mini_xception_48_f32.tflite"
IMAGE = Tensor("image", INPUT_SHAPE, "uint8", is_constant=False)
ANSWER = Tensor("answer", (1, 7), "float32", is_constant=False)
INT8_IMAGE = dataclasses.replace(IMAGE, quantization=Quantization((1.0,), (0,), 0))
INT8_ANSWER = dataclasses.replace(
    ANSWER, dtype="uint8", quantization=Quantization((1 / 256,), (0,), 0)
)


def inspect(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def test_the_shipped_model_is_explained() -> None:
    done = inspect("small")
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert "277,591 parameters, 17,196,288 MACs" in text
    assert "1/256, 0" in text
    # The second convolution: 24 x 24 places, 24 kernels of 3 x 3 x 16.
    assert f"int8 24 × 3 × 3 × 16, 24 scales │ {24 * 24 * 24 * 3 * 3 * 16:,}" in text
    assert "not integer: nothing contract: holds" in text


def test_an_android_asset_keeps_the_contract() -> None:
    done = inspect(Path(__file__).parents[1] / "android_assets" / "fer_edge.tflite")
    assert done.exit_code == 0
    assert "1 × 48 × 48 × 3" in done.stdout
    assert "contract: holds" in done.stdout


def test_its_json_adds_up() -> None:
    document = json.loads(inspect(SMALL, "--json").stdout)
    assert (document["schema_version"], document["kind"]) == (1, "inspect")
    model = document["model"]
    assert model["size_bytes"] == SMALL.stat().st_size
    assert model["macs"] == sum(operator["macs"] for operator in model["graph"]["operators"])
    assert (model["not_integer"], model["contract_faults"]) == ([], [])
    kernel = model["graph"]["operators"][1]["inputs"][1]
    assert kernel["shape"] == [16, 3, 3, 1]
    assert len(kernel["quantization"]["scales"]) == 16
    assert kernel["quantization"]["axis"] == 0


@pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8"])
def test_every_variant_keeps_the_contract(variant: str, exported: Run) -> None:
    done = inspect(exported.folder, "--variant", variant)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert f"{variant}.tflite: " in text
    assert "contract: holds" in text
    assert ("not integer: nothing" in text) == (variant == "int8")


def test_a_strangers_model() -> None:
    if not PEER.exists():
        pytest.skip(f"the peers' models are not here ({PEER})")
    text = " ".join(inspect(PEER).stdout.split())
    assert "56,217 parameters" in text
    assert "CONV_2D" in text.partition("not integer: ")[2]
    assert "contract: expected the input uint8 (1, 48, 48, 1), found float32" in text


@pytest.mark.parametrize(
    ("image", "answer", "fault"),
    [
        pytest.param(IMAGE, ANSWER, "", id="float"),
        pytest.param(INT8_IMAGE, INT8_ANSWER, "", id="int8"),
        pytest.param(
            dataclasses.replace(IMAGE, shape=(1, 48, 48, 3)), ANSWER, "expected the input", id="RGB"
        ),
        pytest.param(
            dataclasses.replace(INT8_IMAGE, quantization=Quantization((0.996,), (0,), 0)),
            INT8_ANSWER,
            "a pixel is its byte",
            id="scale",
        ),
        pytest.param(
            INT8_IMAGE,
            dataclasses.replace(INT8_ANSWER, quantization=Quantization((1 / 255,), (0,), 0)),
            "scale 1/256",
            id="probabilities",
        ),
        pytest.param(
            dataclasses.replace(IMAGE, is_open=True), ANSWER, "batch of exactly 1", id="open batch"
        ),
        pytest.param(
            IMAGE, dataclasses.replace(ANSWER, shape=(7,)), r"\(1, emotions\)", id="no batch"
        ),
        pytest.param(
            IMAGE, dataclasses.replace(ANSWER, dtype="int8"), "uint8 or float32", id="int8 out"
        ),
    ],
)
def test_a_breach_of_the_contract_is_told(image: Tensor, answer: Tensor, fault: str) -> None:
    faults = Graph((), (image,), (answer,)).contract_faults()
    assert len(faults) == bool(fault)
    assert re.search(fault, " ".join(faults))


def test_a_second_input_is_a_breach() -> None:
    assert Graph((), (IMAGE, IMAGE), (ANSWER,)).contract_faults() == [
        "expected one input and one output, found 2 and 1"
    ]


def test_a_uint8_answer_of_float_operators_is_a_breach() -> None:
    graph = read_graph(SMALL.read_bytes())
    floating = dataclasses.replace(graph.operators[3], outputs=(ANSWER,))
    broken = dataclasses.replace(graph, operators=(*graph.operators, floating))
    assert broken.contract_faults() == ["expected integers throughout, found CONV_2D (answer)"]


def test_what_is_no_tflite_file(exported: Run, tmp_path: Path) -> None:
    done = inspect(exported.model)
    assert done.exit_code == 1
    assert "is no .tflite file" in done.output
    (tmp_path / "cut.tflite").write_bytes(SMALL.read_bytes()[:1000])
    done = inspect(tmp_path / "cut.tflite")
    assert done.exit_code == 1
    assert "damaged or cut short" in done.output
    done = inspect("small", "--variant", "float32")
    assert done.exit_code == 1
    assert "fer-edge export small" in done.output
    assert "--float32" not in done.output


def of_bytes(content: bytes, folder: Path) -> Result:
    (folder / "model.tflite").write_bytes(content)
    return inspect(folder / "model.tflite")


def written(model: Any) -> bytes:
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def opened(content: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


@pytest.mark.parametrize("outputs", [None, []])
def test_an_operator_that_makes_nothing_is_shown(outputs: list[int] | None, tmp_path: Path) -> None:
    """As one that assigns a variable; a stranger's file may hold it."""
    model = opened(one_operator("RELU"))
    model.subgraphs[0].operators[0].outputs = outputs
    model.subgraphs[0].tensors[0].type = schema.TensorType.FLOAT32
    done = of_bytes(written(model), tmp_path)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "RELU │ – │ –" in text
    assert "not integer: 1 RELU" in text


def test_of_several_graphs_the_first_is_explained(tmp_path: Path) -> None:
    model = opened(one_operator("RELU"))
    model.subgraphs *= 2
    done = of_bytes(written(model), tmp_path)
    assert done.exit_code == 0, done.output
    assert "RELU" in done.stdout
    assert "contract: expected one graph, found 2; the first is explained" in done.stdout


def test_older_files_keep_an_operators_code_elsewhere() -> None:
    """Before schema 3a it was one byte, in the field that is now deprecated; the other is 0."""
    model = opened(one_operator("RELU"))
    model.operatorCodes[0].builtinCode = 0  # ADD, which is what a reader of one field alone says
    assert [operator.name for operator in read_graph(written(model)).operators] == ["RELU"]


def test_an_answer_for_two_faces_is_a_breach() -> None:
    two = dataclasses.replace(ANSWER, shape=(2, 7))
    assert Graph((), (IMAGE,), (two,)).contract_faults() == [
        "expected the output (1, emotions), found (2, 7)"
    ]


def test_float16_weights_are_counted_where_they_are_stored() -> None:
    """They are widened by an operator of their own before the dense layer sees them."""
    stored = Tensor("w/half", (7, 10), "float16", is_constant=True)
    widened = Tensor("w", (7, 10), "float32", is_constant=False)
    bias = Tensor("b", (7,), "float32", is_constant=True)
    image = Tensor("x", (1, 10), "float32", is_constant=False)
    widen = Operator("DEQUANTIZE", (stored,), (widened,), 0)
    dense = Operator("FULLY_CONNECTED", (image, widened, bias), (ANSWER,), 70)
    assert Graph((widen, dense), (image,), (ANSWER,)).n_parameters == 7 * 10 + 7
