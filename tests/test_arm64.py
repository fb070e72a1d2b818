"""A Raspberry Pi's arithmetic, emulated: the same bits, and where a step of difference is."""

from pathlib import Path

import numpy as np
import pytest

from fer_edge.arm64 import classify_on_arm64, find_root
from fer_edge.catalog import SHIPPED
from fer_edge.errors import EngineError, MissingProgramError
from fer_edge.golden import golden_inputs
from fer_edge.runtime import Interpreter

SMALL = (SHIPPED / "small" / "int8.tflite").read_bytes()
INPUTS = golden_inputs().images[::8, ..., None]


@pytest.fixture(scope="module")
def emulation() -> None:
    """Skips where `scripts/arm64` has not made it."""
    try:
        find_root()
    except MissingProgramError as exc:
        pytest.skip(str(exc))


@pytest.mark.usefixtures("emulation")
def test_reference_kernels_give_the_same_bits() -> None:
    found = classify_on_arm64(SMALL, INPUTS, "reference")
    expected = Interpreter(SMALL, kernels="reference").probabilities(INPUTS)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(expected, axis=0)) > 25


@pytest.mark.usefixtures("emulation")
def test_xnnpack_is_within_two_steps() -> None:
    found = classify_on_arm64(SMALL, INPUTS, "xnnpack")
    expected = Interpreter(SMALL).probabilities(INPUTS)
    assert np.abs(found - expected).max() <= 2 / 256


@pytest.mark.usefixtures("emulation")
def test_a_model_that_does_not_open_is_an_error() -> None:
    with pytest.raises(EngineError, match=r"Expected a \.tflite model"):
        classify_on_arm64(b"no model at all", INPUTS, "xnnpack")


def test_without_it_one_is_told_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_ARM64", str(tmp_path))
    with pytest.raises(MissingProgramError, match="scripts/arm64"):
        find_root()
