"""Verification: what agrees, what differs and by how much, and planted faults."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from typer.testing import CliRunner

from fer_edge.catalog import find_model
from fer_edge.cli import app
from fer_edge.engines import Allowed, Answer, Runtime, find_runtimes
from fer_edge.errors import (
    ConversionError,
    EngineError,
    EnvironmentNotMadeError,
    GateError,
    MissingProgramError,
)
from fer_edge.golden import golden_inputs
from fer_edge.keras_network import load_network
from fer_edge.material import GraphModel, Material, collect
from fer_edge.runs import Run
from fer_edge.targets import TfjsWeights
from fer_edge.verify import Verification, compare, raise_differing, run_all

ALLOWED = Allowed(0.15, 0.05, "made up")
REFERENCE = np.array([[0.5, 0.3, 0.2], [0.4, 0.38, 0.22]])
NAMES = ("sure", "close")
ABSENT = MissingProgramError("not made for this test")


def quiet(_text: str) -> None:
    pass


def runtime(answer: Any = None) -> Runtime:
    return Runtime("second", "first", ALLOWED, answer)


def test_the_inputs_are_what_they_are_called() -> None:
    golden = golden_inputs()
    assert golden.images.shape == (256, 48, 48)
    assert golden.images.dtype == np.uint8
    by_name = dict(zip(golden.names, golden.images, strict=True))
    assert len(by_name) == 256
    assert len(np.unique(golden.images.reshape(256, -1), axis=0)) == 256
    assert set(by_name["all 255"].ravel()) == {255}
    assert by_name["checkerboard of 2, 0 first"][:4, :4].tolist() == [
        *([[0, 0, 255, 255]] * 2),
        *([[255, 255, 0, 0]] * 2),
    ]
    assert by_name["one white pixel at row 0, column 47"].astype(int).sum() == 255
    assert by_name["one white pixel at row 0, column 47"][0, 47] == 255
    assert by_name["ramp down, brighter"][[0, -1], 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("moved", "passed", "worst", "beyond"),
    [
        pytest.param([[0, 0, 0], [0, 0, 0]], True, "sure", (), id="equal"),
        pytest.param([[0, 0.05, 0], [0, 0, 0.09]], True, "close", (), id="within"),
        pytest.param([[0, 0, 0], [0, 0.03, 0]], True, "close", (), id="another, close"),
        pytest.param([[0, 0, 0.16], [0, 0, 0]], False, "sure", (), id="too far"),
        pytest.param([[-0.11, 0.11, 0], [0, 0, 0]], False, "sure", ("sure",), id="another"),
        pytest.param([[np.nan, 0, 0], [0, 0, 0]], False, "sure", (), id="not a number"),
    ],
)
def test_what_is_allowed(
    moved: list[list[float]], passed: bool, worst: str, beyond: tuple[str, ...]
) -> None:
    found = compare(REFERENCE, REFERENCE + np.array(moved), runtime(), NAMES)
    assert (found.passed, found.worst, found.beyond_margin) == (passed, worst, beyond)
    assert found.is_bit_equal == (not np.any(moved))
    verification = Verification("made up", 2, (found,))
    if passed:
        raise_differing(verification)
    else:
        with pytest.raises(GateError, match=f"second differs from first by .* on '{worst}'"):
            raise_differing(verification)


def test_what_is_not_there_is_not_run_and_what_breaks_has_failed() -> None:
    first = Runtime("first", "", ALLOWED, lambda _images: REFERENCE)
    for error, not_run, failed in (
        (MissingProgramError("no browser"), "no browser", ""),
        (EnvironmentNotMadeError("no network"), "no network", ""),
        (EngineError("it fell over"), "", "it fell over"),
        (ConversionError("it fell over"), "", "it fell over"),
    ):
        answer = raising(error)
        after = Runtime("third", "second", ALLOWED, lambda _images: REFERENCE)
        found = run_all([first, runtime(answer), after], golden_of_two())
        assert [v.passed for v in found] == [True, False, False]
        assert (found[1].not_run, found[1].failed) == (not_run, failed)
        assert (found[2].not_run, found[2].passed) == ("", False)
        assert "second, which it is compared with, did not run" in found[2].not_compared
        verification = Verification("made up", 2, found)
        if failed:
            with pytest.raises(GateError, match="second could not run the model: it fell over"):
                raise_differing(verification)
        else:
            with pytest.raises(MissingProgramError, match="Nothing was compared"):
                raise_differing(verification)


def test_without_the_first_the_others_are_compared_all_the_same() -> None:
    """As on an install without TensorFlow: int8's runtimes need no Keras."""
    first = Runtime("first", "", ALLOWED, raising(ABSENT))
    third = Runtime("third", "second", ALLOWED, lambda _images: REFERENCE + 0.01)
    found = run_all([first, runtime(lambda _images: REFERENCE), third], golden_of_two())
    assert [v.not_run for v in found] == [str(ABSENT), "", ""]
    assert [v.not_compared for v in found][1:] == [
        "first, which it is compared with, did not run",
        "",
    ]
    assert [v.passed for v in found] == [False, False, True]
    assert found[2].max_difference == pytest.approx(0.01)
    raise_differing(Verification("made up", 2, found))


def raising(error: Exception) -> Answer:
    def answer(_images: Any) -> Any:
        raise error

    return answer


@pytest.mark.parametrize("kind", [EnvironmentNotMadeError, ConversionError])
def test_a_graph_model_that_could_not_be_made_says_why(
    kind: type[ConversionError], material: Material
) -> None:
    """A network that does not convert is a failure; a converter that cannot be had is not."""
    without = dataclasses.replace(material, tfjs=kind("the converter's words"))
    runtimes = [r for r in find_runtimes(without, quiet) if r.name == "Keras" or "TF.js" in r.name]
    keras, *in_browser = run_all(runtimes, golden_inputs())
    assert keras.passed
    assert len(in_browser) == 2
    for verdict in in_browser:
        told = verdict.not_run if kind is EnvironmentNotMadeError else verdict.failed
        assert told == "the converter's words"


def test_an_exported_graph_is_allowed_what_its_weights_lost(material: Material) -> None:
    expected: dict[TfjsWeights, float] = {"float32": 1e-4, "float16": 0.01}
    for weights, allowed in expected.items():
        given = dataclasses.replace(material, tfjs=GraphModel({}, weights))
        in_browser = [r for r in find_runtimes(given, quiet) if "TF.js" in r.name]
        assert [r.name for r in in_browser] == [
            f"{weights}, TF.js {name} in Chromium" for name in ("WASM", "CPU")
        ]
        assert {r.allowed.difference for r in in_browser} == {allowed}


def golden_of_two() -> Any:
    from fer_edge.golden import Golden

    return Golden(golden_inputs().images[:2], NAMES)


@pytest.fixture(scope="module")
def material(exported: Run) -> Material:
    """A trained run's files, without TF.js's."""
    files = {v: (exported.export / f"{v}.tflite").read_bytes() for v in ("float32", "int8")}
    return Material(exported.model, files["float32"], files["int8"], ABSENT, ABSENT)


def here(material: Material) -> list[Runtime]:
    """Returns the runtimes that need no other program."""
    elsewhere = ("Chromium", "MediaPipe", "emulated")
    return [
        r for r in find_runtimes(material, quiet) if not any(name in r.name for name in elsewhere)
    ]


def test_the_runtimes_here_agree(material: Material) -> None:
    found = run_all(here(material), golden_inputs())
    assert len(found) == 4
    assert [v.runtime for v in found if not v.passed] == []


def changed(material: Material, change: Callable[[Any], None], folder: Path) -> Material:
    """Returns files whose float network is another than the one that they were made of."""
    assert isinstance(material.network, Path)
    network = load_network(material.network)
    change(network)
    network.save(folder / "changed.keras")
    return Material(folder / "changed.keras", material.float32, material.int8, ABSENT, ABSENT)


def one_weight(network: Any) -> None:
    kernel = network.get_layer("layer3_project").get_weights()[0]
    kernel[0, 0, 5, 7] += np.abs(kernel).max()
    network.get_layer("layer3_project").set_weights([kernel])


def swapped_channels(network: Any) -> None:
    [kernel] = network.get_layer("layer1_conv").get_weights()
    kernel[..., [0, 1]] = kernel[..., [1, 0]]
    network.get_layer("layer1_conv").set_weights([kernel])


def wrong_normalisation(network: Any) -> None:
    [kernel] = network.get_layer("layer1_conv").get_weights()
    network.get_layer("layer1_conv").set_weights([kernel * 128 / 127.5])


def wrong_label_order(network: Any) -> None:
    kernel, bias = network.get_layer("logits").get_weights()
    order = [1, 0, *range(2, len(bias))]
    network.get_layer("logits").set_weights([kernel[:, order], bias[order]])


@pytest.mark.parametrize(
    "fault", [one_weight, swapped_channels, wrong_normalisation, wrong_label_order]
)
def test_a_planted_fault_is_caught(
    fault: Callable[[Any], None], material: Material, tmp_path: Path
) -> None:
    found = run_all(here(changed(material, fault, tmp_path)), golden_inputs())
    verdicts = {verdict.runtime: verdict for verdict in found}
    assert not verdicts["float32, LiteRT"].passed
    with pytest.raises(GateError, match="float32, LiteRT differs from Keras"):
        raise_differing(Verification("changed", 256, found))


def test_a_changed_byte_of_int8_is_caught(material: Material) -> None:
    """The weight of the last layer that is furthest from zero gets the other sign."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(material.int8, 0))
    [dense] = [t for t in model.subgraphs[0].tensors if tuple(t.shape) == (7, 176)]
    weights = model.buffers[dense.buffer].data.astype(np.int8)
    at = int(np.abs(weights.astype(int)).argmax())
    content = bytearray(material.int8)
    start = material.int8.index(weights.tobytes())
    content[start + at] = int(-weights[at]) % 256
    spoilt = Material(material.network, material.float32, bytes(content), ABSENT, ABSENT)
    found = {verdict.runtime: verdict for verdict in run_all(here(spoilt), golden_inputs())}
    assert found["float32, LiteRT"].passed
    assert not found["int8, LiteRT reference kernels"].passed


@pytest.mark.slow
@pytest.mark.network
def test_the_whole_command(exported: Run, tmp_path: Path) -> None:
    """Every runtime that this machine has; the graph model, which is missing, is made for it."""
    assert not (exported.export / "tfjs").exists()
    said: list[str] = []
    tfjs = collect(find_model(str(exported.folder)), said.append).tfjs
    assert isinstance(tfjs, GraphModel), str(tfjs)
    assert "model.json" in tfjs.files
    assert any("TF.js" in text for text in said)
    out = tmp_path / "verify.json"
    done = CliRunner().invoke(app, ["verify", str(exported.folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    document = json.loads(out.read_text())
    assert (document["schema_version"], document["kind"], document["n"]) == (1, "verify", 256)
    assert len(document["verdicts"]) == 9
    for verdict in document["verdicts"]:
        assert verdict["passed"] != bool(verdict["not_run"])
        assert not verdict["not_compared"]
        assert not verdict["not_run"] or verdict["not_run"] in " ".join(done.output.split())
    assert "agrees" in done.output


def test_a_model_without_int8_is_told_what_to_do(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert CliRunner().invoke(app, ["export", str(run.folder), "--out", str(folder)]).exit_code == 0
    done = CliRunner().invoke(app, ["verify", str(folder)])
    assert done.exit_code == 1
    assert "has no int8 model" in done.output
