"""The ladder: sizes, costs that a reader can recompute, and the fold."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.deploy import check_fold, deployed_probabilities, fold
from fer_edge.errors import ConfigError, ConversionError, ModelFormatError
from fer_edge.keras_network import load_model, logits_of
from fer_edge.metrics import softmax
from fer_edge.model import ALL_NAMES, ARCHITECTURES, build_model
from fer_edge.model_cost import layer_costs

LIMITS = {"nano": 70_000, "small": 300_000, "base": 1_000_000}
FACES = np.random.default_rng(1).integers(0, 256, (9, 48, 48)).astype(np.uint8)


def with_lived_in_norms(arch: str, seed: int = 0) -> Any:
    """Returns a network whose batch-norms have seen something: an untrained one proves nothing."""
    model, rng = build_model(arch, seed=seed), np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            n = len(layer.get_weights()[0])
            layer.set_weights(
                [
                    rng.uniform(-1.5, 1.5, n),  # a negative gamma flips a channel
                    rng.normal(0, 0.5, n),
                    rng.normal(0, 0.5, n),
                    rng.uniform(0.2, 2.0, n),
                ]
            )
    return model


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_parameters_within_the_ladder(arch: str) -> None:
    assert build_model(arch).count_params() <= LIMITS[arch]


def test_costs_of_the_first_layers_of_nano() -> None:
    costs = {cost.name: cost for cost in layer_costs(build_model("nano"))}
    stem = costs["layer1_conv"]
    assert stem.output == (24, 24, 16)
    assert stem.n_parameters == 3 * 3 * 1 * 16
    assert stem.macs == 24 * 24 * 16 * 3 * 3 * 1
    assert stem.activation_bytes == 48 * 48 * 1 + 24 * 24 * 16
    depthwise = costs["layer3_depthwise"]
    assert depthwise.n_parameters == 3 * 3 * 64
    assert depthwise.macs == 12 * 12 * 64 * 3 * 3
    assert costs["layer3_add"].activation_bytes == 3 * 12 * 12 * 32
    assert costs["logits"].macs == 176 * 7


def test_the_seed_decides_the_weights() -> None:
    first, second, other = (build_model("nano", seed=seed) for seed in (3, 3, 4))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


@pytest.mark.parametrize("arch", ALL_NAMES)
def test_folding_keeps_the_function(arch: str) -> None:
    model = with_lived_in_norms(arch)
    reference = softmax(logits_of(model, FACES))
    assert reference.std() > 0.01
    deployed = fold(model)
    np.testing.assert_allclose(deployed_probabilities(deployed, FACES), reference, atol=1e-5)
    kinds = {type(layer).__name__ for layer in deployed.layers}
    assert "Dropout" not in kinds
    if arch in ARCHITECTURES:
        assert not kinds & {"BatchNormalization", "Rescaling"}
    assert deployed.input_shape == (1, 48, 48, 1)


def test_sizes_of_the_networks_to_compare_with() -> None:
    """VGG16's convolutions have 14,714,688 parameters (arXiv:1409.1556, table 2)."""
    assert build_model("vgg16").count_params() == 14_714_688 + 512 * 7 + 7
    conv = [3 * 3 * i * o + o for i, o in [(1, 32), (32, 32), (32, 64), (64, 64)]]
    conv += [3 * 3 * i * o + o for i, o in [(64, 128), (128, 128)]]
    norms = 4 * (2 * 32 + 2 * 64 + 2 * 128)
    head = 6 * 6 * 128 * 128 + 128 + 128 * 7 + 7
    assert build_model("elu-cnn").count_params() == sum(conv) + norms + head


def test_imagenet_weights_are_for_vgg16() -> None:
    with pytest.raises(ConfigError, match="Only vgg16"):
        build_model("small", weights="imagenet")


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    """Real Keras, kept from the network by a proxy that refuses, and from its own cache."""
    code = "from fer_edge.model import build_model; build_model('vgg16', weights='imagenet')"
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "ConfigError: Keras cannot get VGG16's ImageNet weights" in done.stderr
    assert "--weights none" in done.stderr


def test_a_wrong_fold_is_caught() -> None:
    model = with_lived_in_norms("nano")
    deployed = fold(model)
    layer = deployed.get_layer("layer3_depthwise")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel[:, :, ::-1], bias])
    with pytest.raises(ConversionError, match="changed a probability"):
        check_fold(model, deployed, FACES)


def test_unknown_architecture() -> None:
    with pytest.raises(ConfigError, match="nano, small, base"):
        build_model("large")


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_a_damaged_network(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="Cannot load"):
        load_model(path)
    with pytest.raises(ModelFormatError, match="Cannot load"):
        load_model(tmp_path / "absent.keras")
