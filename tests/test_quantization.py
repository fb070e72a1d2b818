"""Int8 without loss: other ranges, weights on a grid, the same function, and what layers cost."""

import csv
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from typer.testing import CliRunner

from fer_edge import quantization
from fer_edge.calibration import pick_calibration
from fer_edge.catalog import SHIPPED
from fer_edge.cli import app, export
from fer_edge.contract import read_manifest
from fer_edge.data.sample import sample_dataset
from fer_edge.data.sources import load_dataset
from fer_edge.deploy import deployed_probabilities, fold
from fer_edge.equalize import MARGIN, SILENT, equalize, find_groups, max_magnitudes
from fer_edge.errors import ConversionError
from fer_edge.keras_network import load_network
from fer_edge.layerwise import has_kernel, trace
from fer_edge.quantization import prepare_int8
from fer_edge.rounding import answer_means, input_covariance, round_to_grid, round_weights
from fer_edge.runs import Run
from fer_edge.sensitivity import compare, hold_answers, measure_effects, quantize_activation
from tests.test_model import with_lived_in_norms

DRAWN = sample_dataset(n_per_class=(8, 1, 8))
FACES, OTHERS = (DRAWN.split(name).images for name in ("train", "test"))
PLENTY = 10**9  # samples: a covariance that is believed


@pytest.fixture(scope="module")
def small() -> Any:
    """The shipped small network, deployed."""
    return fold(load_network(SHIPPED / "small" / "float.keras"))


def fused() -> Any:
    """A deployed network as strangers build it: activations inside the layers, max-pooling."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((48, 48, 1), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(8, 3, padding="same", activation="elu")(x)
    x = layers.Conv2D(8, 3, groups=2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(max_value=1.0)(x))
    return keras.Model(image, layers.Softmax()(layers.Dense(7)(x)))


def loss(error: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Returns the mean square of what an error of the weights does to the answers."""
    return float(np.einsum("gio,gij,gjo->", error, covariance, error))


def first(n: int, value: float) -> NDArray[np.float64]:
    """Returns (n,): a value, then ones."""
    return np.where(np.arange(n) == 0, float(value), 1.0)


def nearest(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns weights on the nearest level of their columns' grids."""
    scale = np.abs(weights).max(axis=1, keepdims=True) / 127
    return np.asarray(np.rint(weights / scale) * scale)


@pytest.mark.parametrize("arch", ["nano", "elu-cnn", "fused"])
def test_the_steps_are_the_network(arch: str) -> None:
    deployed = fused() if arch == "fused" else fold(with_lived_in_norms(arch))
    answers = hold_answers(deployed, FACES[:5]).probabilities
    np.testing.assert_allclose(answers, deployed_probabilities(deployed, FACES[:5]), atol=1e-5)


def test_activations_inside_layers_are_steps_and_groups_are_left_alone() -> None:
    steps = trace(fused())
    kernels = [step.name for step in steps if has_kernel(step)]
    assert len(kernels) == 3  # two convolutions and the dense layer; not the one in groups
    assert {step.layer.activation.__name__ for step in steps if has_kernel(step)} == {"linear"}
    names = [type(step.layer).__name__ for step in steps]
    assert names.count("ReLU") == 3
    assert names.count("Activation") == 1


def test_rounding_to_the_grid_keeps_the_converters_scales() -> None:
    rng = np.random.default_rng(0)
    weights, inputs = rng.normal(size=(2, 300, 6)), rng.normal(size=(2, 500, 300))
    weights[:, :, 5] = 0  # a channel that is gone
    covariance = inputs.transpose(0, 2, 1) @ inputs / 500
    grid = round_to_grid(weights, covariance, 500)
    largest = np.abs(weights).max(axis=1)
    np.testing.assert_allclose(np.abs(grid).max(axis=1), largest)
    where = np.abs(weights).argmax(axis=1)[:, None]
    np.testing.assert_array_equal(
        np.take_along_axis(grid, where, 1), np.take_along_axis(weights, where, 1)
    )
    levels = grid[..., :5] / (largest[:, None, :5] / 127)
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-9)


def test_without_correlations_the_nearest_level_is_best() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 20, 6))
    np.testing.assert_allclose(round_to_grid(weights, np.eye(20)[None], PLENTY), nearest(weights))


@pytest.mark.parametrize("n_in", [30, 300])  # more rows than are rounded in one go
def test_errors_are_made_up_for_where_inputs_vary_together(n_in: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(1, n_in, 8))
    common = rng.normal(size=(4000, n_in // 8)) @ rng.normal(size=(n_in // 8, n_in))
    covariance = np.cov((common + 0.1 * rng.normal(size=common.shape)).T)[None]
    ours = loss(round_to_grid(weights, covariance, 4000) - weights, covariance)
    assert ours < 0.3 * loss(nearest(weights) - weights, covariance)


def test_of_few_samples_little_is_believed() -> None:
    rng = np.random.default_rng(0)
    weights, inputs = rng.normal(size=(1, 60, 8)), rng.normal(size=(20, 60))  # independent
    covariance = np.cov(inputs.T)[None]
    losses = [
        loss(round_to_grid(weights, covariance, n) - weights, np.eye(60)[None])
        for n in (20, PLENTY)
    ]
    assert losses[0] < 0.9 * losses[1]


@pytest.mark.parametrize(("side", "strides"), [(9, 1), (9, 2), (8, 2)])
def test_a_layers_inputs_are_its_windows(side: int, strides: int) -> None:
    """The variance that the covariance foretells is the one that the layer's answers have."""
    import keras

    x = np.random.default_rng(0).normal(size=(40, side, side, 3)).astype(np.float32)
    x += np.arange(side, dtype=np.float32)[:, None, None]  # no place is like another
    layers = keras.layers
    for layer, shape in (
        (layers.Conv2D(4, 3, strides=strides, padding="same"), (1, 27, 4)),
        (layers.Conv2D(4, 3, strides=strides), (1, 27, 4)),
        (layers.DepthwiseConv2D(3, strides=strides, padding="same"), (3, 9, 1)),
        (layers.Dense(4), (1, 3, 4)),
    ):
        answers = np.asarray(layer(x))
        kernel = layer.get_weights()[0]
        matrix = kernel.reshape(shape) if shape[0] == 1 else kernel.reshape(9, 3).T[:, :, None]
        covariance, n = input_covariance(layer, x)
        assert n == answers[..., 0].size
        foretold = np.einsum("gio,gij,gjo->go", matrix, covariance, matrix)
        np.testing.assert_allclose(foretold.ravel(), answers.var(axis=(0, 1, 2)), rtol=1e-3)


def test_rounded_layers_answer_the_same_on_average(small: Any) -> None:
    rounded = round_weights(small, FACES)
    before, after = (answer_means(trace(model), FACES) for model in (small, rounded))
    made = [step.name for step in trace(small) if has_kernel(step)]
    assert max(np.abs(before[name] - after[name]).max() for name in made) < 1e-4
    pairs = zip(small.weights, rounded.weights, strict=True)
    assert not any(np.array_equal(a, b) for a, b in pairs)


def test_one_image_and_constant_inputs_are_rounded_too(small: Any) -> None:
    rounded = round_weights(small, np.zeros((1, 48, 48), np.uint8))
    assert np.isfinite(deployed_probabilities(rounded, FACES[:3])).all()


def test_a_broken_network_is_named() -> None:
    deployed = fold(with_lived_in_norms("nano"))
    kernel, bias = deployed.get_layer("layer1_conv").get_weights()
    deployed.get_layer("layer1_conv").set_weights([kernel * np.nan, bias])
    with pytest.raises(ConversionError, match="inputs that are not finite"):
        round_weights(deployed, FACES[:5])


def test_equalising_leaves_the_function_and_evens_the_ranges(small: Any) -> None:
    even = equalize(small, FACES)
    known, unknown = (
        np.abs(deployed_probabilities(even, images) - deployed_probabilities(small, images))
        for images in (FACES[:50], OTHERS[:50])
    )
    assert known.max() < 1e-5
    assert unknown.mean() < 1e-3  # of images that it has not seen
    before, after = (max_magnitudes(trace(model), FACES) for model in (small, even))
    spread = [np.std(np.log(largest["layer6_add"])) for largest in (before, after)]
    assert spread[1] < 0.9 * spread[0]
    name = "layer5_expand_relu"
    assert np.median(after[name]) > 1.3 * np.median(before[name])
    had_room = before[name] < 6 / MARGIN - 1e-3
    assert after[name][had_room].max() <= 6 / MARGIN + 1e-3


def test_a_channel_that_the_sample_hardly_shows_is_left_alone(small: Any) -> None:
    """Or it would be clipped at a fraction of its range on every other image."""
    before, after = (max_magnitudes(trace(m), FACES) for m in (small, equalize(small, FACES)))
    name = "layer5_expand_relu"
    silent = before[name] < SILENT
    assert silent.any()
    np.testing.assert_allclose(after[name][silent], before[name][silent], atol=1e-3)


@pytest.mark.parametrize("arch", ["nano", "elu-cnn", "fused"])
def test_what_int8_is_made_from_answers_like_the_network(arch: str) -> None:
    """With a batch-norm that cannot be folded, and with activations inside layers, too."""
    deployed = fused() if arch == "fused" else fold(with_lived_in_norms(arch))
    prepared = prepare_int8(deployed, FACES)
    before, after = (deployed_probabilities(model, OTHERS[:40]) for model in (deployed, prepared))
    assert np.abs(before - after).mean() < 0.2 * np.abs(before - before.mean(axis=0)).mean()


def test_what_is_added_shares_its_factors(small: Any) -> None:
    groups = [{step.name for step in group.members} for group in find_groups(trace(small))]
    stream = {"layer5_project", "layer6_project", "layer6_add", "layer7_project", "layer7_add"}
    assert stream in groups
    assert not any("logits" in group or "image" in group for group in groups)


def test_nothing_is_scaled_through_an_activation_that_bends() -> None:
    groups = find_groups(trace(fused()))
    kinds = {type(step.layer).__name__ for group in groups for step in group.members}
    assert "ReLU" in kinds
    assert "Activation" not in kinds


def test_what_is_added_to_a_kernels_own_input_is_left_alone() -> None:
    import keras

    layers = keras.layers
    image = keras.Input((48, 48, 1))
    first = layers.Conv2D(4, 3, name="first")(image)
    second = layers.Conv2D(4, 3, padding="same", name="second")(first)
    pooled = layers.GlobalAveragePooling2D()(
        layers.Conv2D(7, 1, name="third")(layers.Add()([first, second]))
    )
    deployed = keras.Model(image, layers.Softmax()(pooled))
    kernel, bias = deployed.get_layer("first").get_weights()
    deployed.get_layer("first").set_weights([kernel * [1, 10, 100, 1000] / 1000, bias])
    assert find_groups(trace(deployed)) == []
    before, after = (
        deployed_probabilities(m, FACES) for m in (deployed, equalize(deployed, FACES))
    )
    np.testing.assert_allclose(before, after, atol=1e-6)


def test_the_converter_takes_the_grid_as_it_is(exported: Run) -> None:
    calibration = pick_calibration(load_dataset(exported.data))
    prepared = prepare_int8(fold(load_network(exported.model)), calibration.images)
    content = (exported.export / "int8.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    stored = [_kernel(tensor, model) for tensor in model.subgraphs[0].tensors]
    found = [kernel for kernel in stored if kernel is not None]
    kernels = [layer.get_weights()[0] for layer in prepared.layers if layer.weights]
    assert len(found) == len(kernels) == 16
    for kernel in kernels:
        wanted = np.sort(kernel.ravel())
        assert any(
            len(values) == len(wanted) and np.allclose(values, wanted, rtol=1e-5, atol=1e-7)
            for values in found
        )
    assert read_manifest(exported.export).converter["int8_rounding"] == "calibrated"


def _kernel(tensor: Any, model: Any) -> NDArray[np.float32] | None:
    """Returns a kernel's values, in real numbers and in order; None for another tensor."""
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.INT8 or len(tensor.shape) < 2:
        return None
    shape = [1] * len(tensor.shape)
    shape[tensor.quantization.quantizedDimension] = -1
    scale = np.asarray(tensor.quantization.scale, np.float32).reshape(shape)
    values = np.frombuffer(data.tobytes(), np.int8).reshape(tensor.shape) * scale
    return np.sort(values.ravel())


def test_rounding_for_the_answers_beats_the_nearest_level(small: Any) -> None:
    """On faces that it was not fitted to."""
    prepared = prepare_int8(small, FACES)
    total, *_ = compare(small, prepared, OTHERS)
    assert (total.trained.layer, total.trained.part) == ("all layers", "weights")
    assert total.exported
    assert total.exported.change < 0.7 * total.trained.change


def test_what_is_left_to_the_converter_has_one_column(small: Any) -> None:
    found = compare(small, small, FACES[:5])
    assert {row.exported for row in found} == {None}
    assert len(found) == 44


def test_activations_are_quantized_as_the_contract_says() -> None:
    values = np.array([-1.0, 0.0, 0.004, 1.55], np.float32)
    scale = 2.55 / 255  # zero point 100
    np.testing.assert_allclose(quantize_activation(values), [-1, 0, 0, 155 * scale], atol=1e-6)
    np.testing.assert_allclose(quantize_activation(values + 2)[1], 2.0, atol=0.01)  # 0 is in it
    last = quantize_activation(np.array([0.5, 0.001, 1.0], np.float32), is_last=True)
    np.testing.assert_allclose(last, [128 / 256, 0, 255 / 256])


def test_effects_tell_the_weak_layers(small: Any) -> None:
    rounded = {
        (e.layer, e.part): e
        for e in measure_effects(hold_answers(round_weights(small, FACES), FACES))
    }
    assert rounded["layer5_project", "weights"].change < 1e-6  # on the grid already
    usual = {(e.layer, str(e.part)): e for e in measure_effects(hold_answers(small, FACES))}
    assert ("layer5_depthwise", "weights") in usual
    assert ("layer5_depthwise", "activation") not in usual  # the ReLU behind is part of it
    assert min(effect.change for effect in usual.values()) > 0

    one_channel = np.arange(112) == 0
    for part, factor, offset in (
        ("weights", first(224, 100)[:, None], np.zeros(112)),  # one input has all the levels
        ("activation", np.ones((224, 1)), 200.0 * one_channel),  # one output has the range
    ):
        spoilt = fold(load_network(SHIPPED / "small" / "float.keras"))
        kernel, bias = spoilt.get_layer("layer5_project").get_weights()
        spoilt.get_layer("layer5_project").set_weights([kernel * factor, bias + offset])
        if part == "activation":  # and nothing reads it, or it alone would be the answer
            for reader in ("layer6_expand_conv", "layer7_expand_conv", "layer8_conv"):
                kernel, bias = spoilt.get_layer(reader).get_weights()
                kernel[..., one_channel, :] = 0
                spoilt.get_layer(reader).set_weights([kernel, bias])
        worse = {(e.layer, str(e.part)): e for e in measure_effects(hold_answers(spoilt, FACES))}
        key = ("layer5_project", part)
        assert worse[key].change > 4 * usual[key].change


def test_the_analysis_stands_beside_the_export(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "analyzed"
    arguments = ["export", str(run.folder), "--int8", "--analyze", "--out", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((folder / "sensitivity.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        *("layer", "part", "trained_change", "trained_agreement"),
        *("exported_change", "exported_agreement"),
    ]
    assert (rows[0]["layer"], rows[-1]["layer"]) == ("all layers", "probabilities")
    assert float(rows[0]["exported_change"]) < float(rows[0]["trained_change"])
    assert {"sensitivity.csv", "sensitivity.png"} <= set(read_manifest(folder).files)
    text = " ".join(result.output.split())
    assert "200 calibration images" in text
    assert "of 280 validation images" in text


def test_the_nearest_level_is_the_converters_own(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "nearest"
    arguments = ["export", str(run.folder), "--int8", "--rounding", "nearest"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert read_manifest(folder).converter["int8_rounding"] == "nearest"
    kernel = load_network(run.model).get_layer("logits").get_weights()[0]
    content = (folder / "int8.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    stored = [_kernel(tensor, model) for tensor in model.subgraphs[0].tensors]
    wanted = np.sort(nearest(kernel[None].astype(np.float64)).ravel())
    assert any(
        values is not None and len(values) == kernel.size and np.allclose(values, wanted, atol=1e-6)
        for values in stored
    )


def test_the_analysis_is_of_int8(run: Run) -> None:
    result = CliRunner().invoke(app, ["export", str(run.folder), "--analyze"])
    assert result.exit_code != 0
    assert "Add --int8" in result.output + str(result.exception)


def test_the_command_knows_every_way_of_rounding() -> None:
    """It names them itself, since importing the converter's side takes long."""
    assert get_args(export.Rounding) == get_args(quantization.Rounding)
