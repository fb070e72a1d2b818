"""Planted faults in the shipped int8 file: which `verify` catches, and which only the hash does."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from fer_edge.catalog import find_model
from fer_edge.engines import KERAS, REFERENCE, Allowed, Runtime, find_runtimes
from fer_edge.errors import GateError, ModelFormatError
from fer_edge.golden import golden_inputs
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax
from fer_edge.verify import Verdict, Verification, raise_differing, run_all, verify
from tests.test_verify import SHIPPED_SMALL, SMALL, quiet


@pytest.fixture(scope="module")
def of_keras() -> NDArray[np.float64]:
    """What the shipped small network answers to the golden inputs."""
    assert isinstance(SMALL.network, Path)
    return softmax(logits_of(load_network(SMALL.network), golden_inputs().images))


def of_int8(content: bytes, of_keras: NDArray[np.float64]) -> Verdict:
    """Returns how reference kernels, whose bits no CPU changes, compare with Keras."""
    first = Runtime(KERAS, "", Allowed(0, 0, ""), lambda _images: of_keras)
    material = dataclasses.replace(SMALL, int8=content)
    [reference] = [r for r in find_runtimes(material, quiet) if r.name == REFERENCE]
    return run_all([first, reference], golden_inputs())[1]


def kernels_of(content: bytes) -> dict[tuple[int, ...], tuple[int, NDArray[np.int8]]]:
    """Returns where each kernel of an int8 file begins, and its values, by its shape."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    tensors = [t for t in model.subgraphs[0].tensors if t.type == schema.TensorType.INT8]
    stored = [(t, model.buffers[t.buffer].data) for t in tensors]
    return {
        tuple(t.shape.tolist()): (
            content.index(data.tobytes()),
            data.view(np.int8).reshape(t.shape),
        )
        for t, data in stored
        if data is not None
    }


def turned_sign(kernel: NDArray[np.int8]) -> NDArray[np.int8]:
    at = np.unravel_index(np.abs(kernel.astype(int)).argmax(), kernel.shape)
    changed = kernel.copy()
    changed[at] *= -1
    return changed


def negated_filter(kernel: NDArray[np.int8]) -> NDArray[np.int8]:
    channel = np.abs(kernel.astype(int)).sum(axis=(0, 1, 2)).argmax()
    changed = kernel.copy()
    changed[..., channel] *= -1
    return changed


@pytest.mark.parametrize(
    ("fault", "shape"),
    [
        pytest.param(turned_sign, (16, 3, 3, 1), id="one weight of the first layer"),
        pytest.param(turned_sign, (96, 1, 1, 24), id="one weight of a pointwise layer"),
        pytest.param(negated_filter, (1, 3, 3, 96), id="one filter of a depthwise layer"),
        pytest.param(lambda kernel: -kernel, (7, 384), id="the last layer negated"),
        pytest.param(
            lambda kernel: kernel[[1, 0, *range(2, 7)]], (7, 384), id="two emotions swapped"
        ),
    ],
)
def test_a_changed_int8_file_is_caught(
    fault: Callable[[NDArray[np.int8]], NDArray[np.int8]],
    shape: tuple[int, ...],
    of_keras: NDArray[np.float64],
) -> None:
    start, kernel = kernels_of(SMALL.int8)[shape]
    changed = fault(kernel).astype(np.int8).tobytes()
    content = SMALL.int8[:start] + changed + SMALL.int8[start + kernel.size :]
    found = of_int8(content, of_keras)
    assert not found.passed
    with pytest.raises(GateError, match="int8, LiteRT reference kernels differs from Keras"):
        raise_differing(Verification("changed", 256, (found,)))


def test_a_fault_under_int8s_own_noise_shows_in_the_hash_alone(
    of_keras: NDArray[np.float64], tmp_path: Path
) -> None:
    """One weight of a layer far behind moves the answers less than 8 bits do."""
    sound = of_int8(SMALL.int8, of_keras)
    assert sound.passed
    start, kernel = kernels_of(SMALL.int8)[(112, 1, 1, 224)]
    content = SMALL.int8[:start] + turned_sign(kernel).tobytes() + SMALL.int8[start + kernel.size :]
    found = of_int8(content, of_keras)
    assert found.passed
    assert found.mean_difference < 1.2 * sound.mean_difference
    folder = shutil.copytree(SHIPPED_SMALL, tmp_path / "small")
    (folder / "int8.tflite").write_bytes(content)
    with pytest.raises(ModelFormatError, match="is not the file that its manifest describes"):
        verify(find_model(str(folder)))
