"""Int8 without loss: other ranges, weights on a grid, the same function, and what layers cost."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from typer.testing import CliRunner

from fer_edge.calibration import pick_calibration
from fer_edge.catalog import SHIPPED
from fer_edge.cli import app
from fer_edge.contract import read_manifest
from fer_edge.data.sample import sample_dataset
from fer_edge.data.sources import load_dataset
from fer_edge.deploy import deployed_probabilities, fold
from fer_edge.equalize import channel_reach, equalize, find_groups
from fer_edge.keras_network import load_network
from fer_edge.layerwise import as_input, run_steps, trace
from fer_edge.quantization import prepare_int8
from fer_edge.rounding import answer_means, input_covariance, round_to_grid, round_weights
from fer_edge.runs import Run
from fer_edge.sensitivity import compare, measure_effects
from tests.test_model import with_lived_in_norms

FACES = sample_dataset(n_per_class=(20, 1, 1)).split("train").images


@pytest.fixture(scope="module")
def small() -> Any:
    """The shipped small network, deployed."""
    return fold(load_network(SHIPPED / "small" / "float.keras"))


def loss(error: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Returns the mean square of what an error of the weights does to the answers."""
    return float(np.einsum("gio,gij,gjo->", error, covariance, error))


@pytest.mark.parametrize("arch", ["nano", "elu-cnn"])
def test_the_steps_are_the_network(arch: str) -> None:
    deployed = fold(with_lived_in_norms(arch))
    answers = run_steps(
        trace(deployed), as_input(FACES[:5]), lambda step, *a, **k: step.layer(*a, **k)
    )
    np.testing.assert_allclose(answers, deployed_probabilities(deployed, FACES[:5]), atol=1e-6)


def test_rounding_to_the_grid_keeps_the_converters_steps() -> None:
    rng = np.random.default_rng(0)
    weights, inputs = rng.normal(size=(2, 20, 6)), rng.normal(size=(2, 500, 20))
    covariance = inputs.transpose(0, 2, 1) @ inputs / 500
    grid = round_to_grid(weights, covariance)
    largest = np.abs(weights).max(axis=1)
    np.testing.assert_allclose(np.abs(grid).max(axis=1), largest)
    levels = grid / (largest / 127)[:, None]
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-9)


def test_without_correlations_the_nearest_step_is_best() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 20, 6))
    unit = np.abs(weights).max(axis=1, keepdims=True) / 127
    np.testing.assert_allclose(
        round_to_grid(weights, np.eye(20)[None]), np.rint(weights / unit) * unit
    )


def test_errors_are_made_up_for_where_inputs_vary_together() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(1, 30, 8))
    inputs = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(400, 30))
    covariance = np.cov(inputs.T)[None]
    unit = np.abs(weights).max(axis=1, keepdims=True) / 127
    nearest = np.rint(weights / unit) * unit
    ours = loss(round_to_grid(weights, covariance) - weights, covariance)
    assert ours < 0.3 * loss(nearest - weights, covariance)


@pytest.mark.parametrize("strides", [1, 2])
def test_a_layers_inputs_are_its_windows(strides: int) -> None:
    """The variance that the covariance foretells is the one that the layer's answers have."""
    import keras

    x = np.random.default_rng(0).normal(size=(40, 9, 9, 3)).astype(np.float32)
    for layer, shape in (
        (keras.layers.Conv2D(4, 3, strides=strides, padding="same"), (1, 27, 4)),
        (keras.layers.DepthwiseConv2D(3, strides=strides, padding="same"), (3, 9, 1)),
    ):
        answers = np.asarray(layer(x))
        kernel = layer.get_weights()[0]
        matrix = kernel.reshape(shape) if shape[0] == 1 else kernel.reshape(9, 3).T[:, :, None]
        foretold = np.einsum("gio,gij,gjo->go", matrix, input_covariance(layer, x), matrix)
        np.testing.assert_allclose(foretold.ravel(), answers.var(axis=(0, 1, 2)), rtol=1e-3)


def test_rounded_layers_answer_the_same_on_average(small: Any) -> None:
    rounded = round_weights(small, FACES)
    before, after = (answer_means(trace(model), FACES) for model in (small, rounded))
    largest = max(np.abs(before[name] - after[name]).max() for name in before if "conv" in name)
    assert largest < 1e-4  # rounding to the nearest step without correction: 0.03
    unchanged = [np.array_equal(a, b) for a, b in zip(small.weights, rounded.weights, strict=True)]
    assert not any(unchanged)


def test_equalising_leaves_the_function_and_evens_the_ranges(small: Any) -> None:
    even = equalize(small, FACES)
    np.testing.assert_allclose(
        deployed_probabilities(even, FACES[:50]),
        deployed_probabilities(small, FACES[:50]),
        atol=1e-5,
    )
    before, after = (channel_reach(trace(model), FACES) for model in (small, even))
    spread = [np.std(np.log(reach["layer6_add"])) for reach in (before, after)]
    assert spread[1] < 0.9 * spread[0]
    middle = [np.median(reach["layer5_expand_relu"]) for reach in (before, after)]
    assert middle[1] > 1.3 * middle[0]
    had_room = before["layer5_expand_relu"] < 5.7
    assert after["layer5_expand_relu"][had_room].max() < 6


@pytest.mark.parametrize("arch", ["nano", "elu-cnn"])
def test_what_int8_is_made_from_answers_like_the_network(arch: str) -> None:
    """With a batch-norm that cannot be folded, too."""
    deployed = fold(with_lived_in_norms(arch))
    prepared = prepare_int8(deployed, FACES, "calibrated", print)
    before, after = (deployed_probabilities(model, FACES[:40]) for model in (deployed, prepared))
    assert np.abs(before - after).mean() < 0.2 * np.abs(before - before.mean(axis=0)).mean()


def test_what_is_added_shares_its_factors(small: Any) -> None:
    groups = [{step.name for step in group.members} for group in find_groups(trace(small))]
    assert {
        "layer5_project",
        "layer6_project",
        "layer6_add",
        "layer7_project",
        "layer7_add",
    } in groups
    assert not any("logits" in group or "scale" in group for group in groups)


def test_the_converter_takes_the_grid_as_it_is(exported: Run) -> None:
    calibration = pick_calibration(load_dataset(exported.data))
    prepared = prepare_int8(
        fold(load_network(exported.model)), calibration.images, "calibrated", print
    )
    content = (exported.export / "int8.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    kernels = [layer.get_weights()[0] for layer in prepared.layers if layer.weights]
    found = [
        kernel
        for kernel in map(stored, model.subgraphs[0].tensors, [model] * 999)
        if kernel is not None
    ]
    assert len(found) == len(kernels) == 13
    for kernel in kernels:
        wanted = np.sort(kernel.ravel())
        assert any(
            len(values) == len(wanted) and np.allclose(values, wanted, rtol=1e-5, atol=1e-7)
            for values in found
        )


def stored(tensor: Any, model: Any) -> NDArray[np.float32] | None:
    """Returns a kernel's values, in real numbers and in order; None for another tensor."""
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.INT8 or len(tensor.shape) < 2:
        return None
    shape = [1] * len(tensor.shape)
    shape[tensor.quantization.quantizedDimension] = -1
    scale = np.asarray(tensor.quantization.scale, np.float32).reshape(shape)
    return np.sort((np.frombuffer(data.tobytes(), np.int8).reshape(tensor.shape) * scale).ravel())


def test_rounding_for_the_answers_beats_the_nearest_step(small: Any) -> None:
    total, *_ = compare(small, round_weights(equalize(small, FACES), FACES), FACES)
    assert total.exported
    assert total.exported.change < 0.5 * total.trained.change


def test_weights_on_the_grid_lose_nothing_and_a_wide_channel_loses_much(small: Any) -> None:
    effects = {(e.layer, e.part): e for e in measure_effects(round_weights(small, FACES), FACES)}
    assert effects["layer5_project", "weights"].change < 1e-6
    names = [name for name, _part in effects]
    assert names.count("layer6_project") == 2
    assert "layer5_depthwise" in names
    assert ("layer5_depthwise", "answer") not in effects  # the ReLU behind is part of it
    assert effects["probabilities", "answer"].agreement == 1

    wide = fold(load_network(SHIPPED / "small" / "float.keras"))
    kernel, bias = wide.get_layer("layer5_project").get_weights()
    kernel[0, 0, 0] *= 100  # one input has all the steps
    wide.get_layer("layer5_project").set_weights([kernel, bias])
    worse = {(e.layer, e.part): e for e in measure_effects(wide, FACES)}
    usual = {(e.layer, e.part): e for e in measure_effects(small, FACES)}
    key = ("layer5_project", "weights")
    assert worse[key].change > 5 * usual[key].change


def test_the_analysis_stands_beside_the_export(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "analyzed"
    arguments = ["export", str(run.folder), "--int8", "--analyze", "--out", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((folder / "sensitivity.csv").read_text().splitlines()))
    assert rows[0]["layer"] == "all"
    assert {row["part"] for row in rows} == {"weights", "answer"}
    assert rows[-1]["layer"] == "probabilities"
    assert {"sensitivity.csv", "sensitivity.png"} <= set(read_manifest(folder).files)
    assert "500 calibration images" in " ".join(result.output.split())


def test_the_analysis_is_of_int8(run: Run) -> None:
    result = CliRunner().invoke(app, ["export", str(run.folder), "--analyze"])
    assert result.exit_code != 0
    assert "Add --int8" in result.output + str(result.exception)
