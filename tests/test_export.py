"""Export: real conversions of a small trained network, and what must never be left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fer_edge import converter
from fer_edge.calibration import Calibration, check_agreement, pick_calibration
from fer_edge.catalog import SHIPPED, find_model
from fer_edge.confidence import describe_confidence
from fer_edge.contract import INPUT_SHAPE, TensorSpec, read_manifest
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import Dataset
from fer_edge.errors import ConversionError, ModelFormatError, OutputError
from fer_edge.export import Export, export_model
from fer_edge.inspect import read_graph
from fer_edge.keras_network import load_model, logits_of
from fer_edge.metrics import softmax
from fer_edge.quantization import check_contract, measure_int8
from fer_edge.runs import Run
from fer_edge.runtime import Interpreter
from tests.test_model import with_lived_in_norms

ROOT = Path(__file__).parents[1]


def probabilities(run: Run, variant: str, images: np.ndarray) -> np.ndarray:
    content = (run.export / f"{variant}.tflite").read_bytes()
    return Interpreter(content).probabilities(images[..., None])


def test_the_int8_contract(exported: Run) -> None:
    entry = read_manifest(exported.export).files["int8.tflite"]
    assert entry.input == TensorSpec(INPUT_SHAPE, "uint8", 1.0, 0)
    assert entry.output == TensorSpec((1, 7), "uint8", 1 / 256, 0)
    content = (exported.export / "int8.tflite").read_bytes()
    assert len(content) <= 100 * 1024
    graph = read_graph(content)
    assert graph.not_integer() == []
    weights = [op.inputs[1] for op in graph.operators if "CONV_2D" in op.name]
    assert {tensor.dtype for tensor in weights} == {"int8"}


def test_weights_are_quantized_per_channel(exported: Run) -> None:
    from ai_edge_litert import schema_py_generated as schema

    content = (exported.export / "int8.tflite").read_bytes()
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)).subgraphs[0]
    tensors = {t.name.decode(): t for t in graph.tensors}
    kernels = [
        tensors[op.inputs[1].name]
        for op in read_graph(content).operators
        if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    ]
    assert len(kernels) == 15
    for kernel in kernels:
        axis = kernel.quantization.quantizedDimension
        assert len(kernel.quantization.scale) == kernel.shape[axis] >= 16


def test_int8_stores_equal_vectors_once(exported: Run) -> None:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    content = (exported.export / "int8.tflite").read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    builder = flatbuffers.Builder()
    builder.Finish(schema.ModelT.InitFromObj(model).Pack(builder), b"TFL3")
    repeated = bytes(builder.Output())
    assert len(content) < 0.9 * len(repeated)
    images = sample_dataset(n_per_class=(1, 1, 10)).split("test").images[..., None]
    ours, theirs = (Interpreter(each).probabilities(images) for each in (content, repeated))
    np.testing.assert_array_equal(ours, theirs)

    start = np.frombuffer(content, np.uint8).ctypes.data
    weights = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength())]
    offsets = [array.ctypes.data - start for array in weights if isinstance(array, np.ndarray)]
    assert len(offsets) > 20
    assert len(set(offsets)) == len(offsets)  # no two layers share weights
    assert {offset % 16 for offset in offsets} == {0}


@pytest.mark.parametrize(
    ("variant", "tolerance"),
    [
        ("float32", 1e-5),
        ("float16", 1e-2),  # weights keep 11 bits
        ("dynamic", 0.15),  # weights keep 8 bits, per channel
        ("int8", 0.25),  # activations keep 8 bits too; agreement below says more
    ],
)
def test_every_variant_answers_like_the_network(
    variant: str, tolerance: float, exported: Run
) -> None:
    split = sample_dataset(n_per_class=(1, 1, 30)).split("test")
    reference = softmax(logits_of(load_model(exported.model), split.images))
    answers = probabilities(exported, variant, split.images)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=0.03)
    assert np.abs(answers - reference).max() <= tolerance
    assert (answers.argmax(axis=1) == reference.argmax(axis=1)).mean() >= 0.95


def test_saved_model_and_deployed_network(exported: Run) -> None:
    assert (exported.export / "saved_model" / "saved_model.pb").is_file()
    deployed = load_model(exported.export / "deployed.keras")
    assert deployed.input_shape == (1, 48, 48, 1)
    assert "deployed.keras" in read_manifest(exported.export).files


def test_the_manifest_traces_everything(exported: Run) -> None:
    manifest = read_manifest(exported.export)
    assert manifest.training["recipe"]["seed"] == 0
    assert manifest.training["data"]["source"] == "sample"
    calibration = manifest.calibration
    assert (calibration["split"], calibration["n"]) == ("train, cleaned", 500)
    assert sum(calibration["class_counts"]) == len(calibration["ids"]) == 500
    assert set(calibration["ids"]) <= set(sample_dataset().split("train").ids.tolist())
    assert manifest.converter["tensorflow"]


def test_the_manifest_says_what_int8s_confidence_is_worth(exported: Run) -> None:
    split = sample_dataset().split("validation")
    answers = probabilities(exported, "int8", split.images)
    record = read_manifest(exported.export).confidence
    assert (record["split"], record["n"]) == ("validation", len(split))
    right = answers.argmax(axis=1) == split.labels
    assert record["curve"][0]["accuracy"]["value"] == pytest.approx(right.mean())
    answered = answers.max(axis=1).astype(float) >= record["unsure_below"]
    assert record["coverage"] == pytest.approx(answered.mean())
    assert record["accuracy"]["value"] == pytest.approx(right[answered].mean())
    assert record["accuracy"]["value"] >= record["target_accuracy"] == 0.8
    assert record == describe_confidence(answers, split.labels, split="validation")


def test_no_or_too_few_validation_faces_say_nothing_of_confidence(exported: Run) -> None:
    said: list[str] = []
    faces = Calibration(sample_dataset().split("train").images[:30], {})
    few = sample_dataset().split("validation").take(np.arange(20))
    found, confidence = measure_int8(exported.export, faces, None, said.append)
    assert (found.share.n, confidence) == (30, {})
    assert said == ["measuring int8 on 30 calibration images of the train split"]
    found, confidence = measure_int8(exported.export, faces, few, said.append)
    assert (found.share.n, found.images, confidence) == (20, "validation images", {})


def test_calibration_is_seeded_and_in_class_shares(drawn: Dataset) -> None:
    few = pick_calibration(drawn, n=14, seed=1)
    assert few.provenance["class_counts"] == [2] * 7
    assert few.provenance["ids"] == pick_calibration(drawn, n=14, seed=1).provenance["ids"]
    assert few.provenance["ids"] != pick_calibration(drawn, n=14, seed=2).provenance["ids"]
    assert pick_calibration(drawn, n=10_000).provenance["n"] == 210


def test_an_existing_export_is_kept(exported: Run) -> None:
    before = read_manifest(exported.export)
    with pytest.raises(OutputError, match="--force"):
        export_model(find_model(str(exported.folder)), Export(("int8",)))
    assert read_manifest(exported.export) == before


def test_a_float_model_fails_the_int8_check(exported: Run) -> None:
    with pytest.raises(ConversionError, match=r"floating point in CAST|floating point in CONV"):
        check_contract((exported.export / "float32.tflite").read_bytes(), "int8", 7)


def test_another_number_of_classes_fails_the_int8_check(exported: Run) -> None:
    with pytest.raises(ConversionError, match="expected the output"):
        check_contract((exported.export / "int8.tflite").read_bytes(), "int8", 8)


def test_int8_keeps_the_answers_of_the_calibration_sample(exported: Run) -> None:
    faces = sample_dataset().split("train").images[:100]
    found = check_agreement(
        probabilities(exported, "float32", faces),
        probabilities(exported, "int8", faces),
    )
    assert found.n == 100
    assert found.value > 0.9


def test_int8_that_answers_otherwise_is_refused(exported: Run) -> None:
    """The shipped network knows photographs and the other one drawings: on noise they differ."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 48)).astype(np.uint8)
    stranger = Interpreter((SHIPPED / "small" / "int8.tflite").read_bytes())
    answers = probabilities(exported, "int8", noise)
    with pytest.raises(ConversionError, match="answer on only"):
        check_agreement(answers, stranger.probabilities(noise[..., None]))


@pytest.mark.slow
def test_elu_becomes_integer_and_keeps_its_positive_half(tmp_path: Path) -> None:
    """Of the converter's own ELU nothing is quantized; of one with a minimum, half is clipped."""
    with_lived_in_norms("elu-cnn").save(tmp_path / "elu.keras")
    model = find_model(str(tmp_path / "elu.keras"))
    done = export_model(model, Export(("int8",)), data="sample", folder=tmp_path / "out")
    assert "EXP" in {
        op.name for op in read_graph((tmp_path / "out" / "int8.tflite").read_bytes()).operators
    }
    assert done.agreement is not None
    assert done.agreement.share.value > 0.8


def test_nothing_to_export_from(exported: Run, tmp_path: Path) -> None:
    model = find_model(str(exported.export / "int8.tflite"))
    with pytest.raises(ConversionError, match="no float network"):
        export_model(model, Export(("int8",)), folder=tmp_path / "out")
    with pytest.raises(ModelFormatError, match="There is no model"):
        find_model(str(tmp_path / "absent"))


def test_a_full_or_read_only_folder_leaves_nothing(exported: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    model = find_model(str(exported.folder))
    with pytest.raises(OutputError, match="Cannot write"):
        export_model(model, Export(()), folder=tmp_path / "file" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_converter_that_is_killed_leaves_nothing(exported: Run, tmp_path: Path) -> None:
    """The real program, killed by SIGKILL while it converts."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "fer_edge", "export", str(exported.folder), "--int8"]
    with subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        child = wait_for_converter(process.pid)
        time.sleep(1)
        os.kill(child, signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "killed (signal 9)" in errors
    assert list(tmp_path.iterdir()) == []


def wait_for_converter(parent: int) -> int:
    """Returns the process that a process started for the converter."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
                arguments = (entry.parent / "cmdline").read_bytes()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[1]) == parent and b"tflite.py" in arguments:
                return int(entry.parent.name)
        time.sleep(0.05)
    raise AssertionError("no converter was started")


def test_a_converter_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "junk.keras").write_text("junk")
    arguments = ["--network", str(tmp_path / "junk.keras"), "--out", str(tmp_path / "out")]
    with pytest.raises(ConversionError, match=r"failed \(exit 1\)"):
        converter.run_converter("tflite", [*arguments, "--variant", "float32"])


def test_a_model_whose_bytes_changed_is_not_opened(exported: Run, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(exported.export, folder)
    path = folder / "int8.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="not the file that its manifest describes"):
        find_model(str(folder)).file("int8").read_bytes()
