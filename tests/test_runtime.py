"""The interpreter: real models, damaged models, every kind of kernel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.data.sample import sample_dataset
from fer_edge.errors import ModelFormatError
from fer_edge.inspect import read_graph
from fer_edge.keras_network import load_model
from fer_edge.runs import Run
from fer_edge.runtime import Interpreter, Kernels


def content(run: Run, variant: str = "int8") -> bytes:
    return (run.export / f"{variant}.tflite").read_bytes()


@pytest.mark.parametrize("kernels", ["builtin", "reference"])
def test_kernels_agree_on_nearly_all(kernels: Kernels, exported: Run) -> None:
    """They round differently; on faces the answers hardly move."""
    images = sample_dataset(n_per_class=(1, 1, 20)).split("test").images[..., None]
    model = content(exported)
    expected = Interpreter(model).probabilities(images)
    found = Interpreter(model, kernels=kernels).probabilities(images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.95
    assert found.std() > 0.05


def test_threads_do_not_change_the_bytes(exported: Run) -> None:
    images = sample_dataset(n_per_class=(1, 1, 5)).split("test").images[..., None]
    one, two = (Interpreter(content(exported), n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.probabilities(images), two.probabilities(images))


def test_answers_are_steps_of_the_output(exported: Run) -> None:
    images = sample_dataset(n_per_class=(1, 1, 2)).split("test").images[..., None]
    steps = Interpreter(content(exported)).probabilities(images) * 256
    np.testing.assert_array_equal(steps, np.rint(steps))


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 5_000, 60_000])
def test_a_truncated_model(keep: int, exported: Run) -> None:
    cut = content(exported)[:keep]
    with pytest.raises(ModelFormatError):
        read_graph(cut)
    with pytest.raises(ModelFormatError):
        Interpreter(cut)


@settings(max_examples=50, deadline=None)
@given(junk=st.binary(max_size=200))
def test_junk_is_no_graph(junk: bytes) -> None:
    for start in (b"", b"\x1c\x00\x00\x00TFL3"):
        with pytest.raises(ModelFormatError):
            read_graph(start + junk)


def test_the_graph_adds_up(exported: Run) -> None:
    """Against sums that a reader can do for the first and the last layer."""
    graph = read_graph(content(exported, "float32"))
    convolutions = [op for op in graph.operators if op.name == "CONV_2D"]
    assert convolutions[0].macs == 24 * 24 * 16 * 9
    dense = [op for op in graph.operators if op.name == "FULLY_CONNECTED"]
    assert dense[0].macs == 176 * 7
    deployed = load_model(exported.export / "deployed.keras")
    for variant in ("float32", "float16", "dynamic", "int8"):
        assert read_graph(content(exported, variant)).n_parameters == deployed.count_params()
        assert read_graph(content(exported, variant)).macs == graph.macs


def test_the_delegate_is_looked_up(exported: Run) -> None:
    assert Interpreter(content(exported)).delegate == "XNNPACK"
    assert Interpreter(content(exported), kernels="reference").delegate == "none"
