"""The models that ship: what their manifests say is what they are, and what they can do."""

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from fer_edge import catalog
from fer_edge.bench import Timer, run_bench
from fer_edge.catalog import SHIPPED, find_model, find_source, shipped_names
from fer_edge.contract import EMOTIONS, INPUT_SHAPE, TensorSpec
from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import LabelSet, Source
from fer_edge.errors import ConversionError, ModelFormatError
from fer_edge.export import Export, export_model
from fer_edge.inspect import read_graph
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax
from fer_edge.plan import make_plan
from fer_edge.recipe import read_recipe, recipe_from_dict, shipped_recipes
from fer_edge.runtime import Interpreter

INT8_LIMIT_KIB = {"nano": 100, "small": 384, "base": 1024}  # by architecture
FLOAT_LIMIT_KIB = 2048


def arch_of(name: str) -> str:
    """Returns the architecture that a shipped model's name says: `base-ferplus` is a `base`."""
    return name.partition("-")[0]


def emotions_of(name: str) -> tuple[str, ...]:
    """Returns what a shipped model tells apart."""
    return ALL_EMOTIONS if name.endswith("-ferplus") else EMOTIONS


def source_of(name: str, fer2013: Path) -> Source:
    """Returns the data that a shipped model was trained on, with FER+'s votes where it had them."""
    manifest = find_model(name).manifest
    assert manifest is not None
    if not (votes := manifest.training["data"]["ferplus"]):
        return Source(str(fer2013))
    labels: LabelSet = "ferplus8" if name.endswith("-ferplus") else "fer2013"
    return Source(str(fer2013), ferplus=str(fer2013.parent / votes), labels=labels)


def test_what_ships_has_a_recipe() -> None:
    assert "small" in shipped_names()
    assert set(shipped_names()) <= set(shipped_recipes())


@pytest.mark.parametrize(
    ("machine", "suits"),
    [("x86_64", "base"), ("arm64", "base"), ("aarch64", "small"), ("armv7l", "small")],
)
def test_a_machine_gets_the_model_that_suits_it(
    machine: str, suits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(catalog, "shipped_names", lambda: ["base", "nano", "small"])
    assert catalog.default_model() == suits
    monkeypatch.setattr(catalog, "shipped_names", lambda: ["nano", "small"])
    assert catalog.default_model() == "small"


@pytest.mark.parametrize("name", shipped_names())
def test_the_contract_holds(name: str) -> None:
    model = find_model(name)
    assert model.manifest is not None
    emotions = emotions_of(name)
    assert model.manifest.emotions == emotions
    model.check_network()
    content = model.file("int8").read_bytes()
    assert len(content) <= 1024 * INT8_LIMIT_KIB[arch_of(name)]
    assert model.network is not None
    assert model.network.stat().st_size <= 1024 * FLOAT_LIMIT_KIB
    assert read_graph(content).not_integer() == []
    opened = Interpreter(content)
    assert opened.input == TensorSpec(INPUT_SHAPE, "uint8", 1.0, 0)
    assert opened.output == TensorSpec((1, len(emotions)), "uint8", 1 / 256, 0)


@pytest.mark.parametrize("name", shipped_names())
def test_the_manifest_traces_data_recipe_and_commit(name: str) -> None:
    text = (SHIPPED / name / "manifest.json").read_text()
    document = json.loads(text)
    assert len(document["training"]["fer_edge"]["commit"]) == 40  # a clean checkout
    assert document["training"]["data"]["emotions"] == list(emotions_of(name))
    assert document["training"]["data"]["counts"]["validation"] >= 3_199  # as FER+'s own code keeps
    assert document["training"]["recipe"]["arch"] == arch_of(name)
    assert document["calibration"]["split"] == "train, cleaned"
    assert max(document["calibration"]["ids"]) < 28_709
    assert {"int8", "keras"} == set(document["scores"])
    assert '"/' not in text  # nobody's folders


@pytest.mark.parametrize("name", shipped_names())
def test_every_training_behind_it_has_the_recipe_that_ships(name: str) -> None:
    shipped = {recipe: read_recipe(recipe) for recipe in shipped_recipes()}
    training = json.loads((SHIPPED / name / "manifest.json").read_text())["training"]
    while training:
        run = recipe_from_dict(training["recipe"])
        same = [
            found
            for found in shipped.values()
            if found == run.replace(stop_after=found.stop_after)  # it may have gone on in vain
        ]
        assert len(same) == 1, run
        if ended := training.get("ended"):
            assert same[0].stop_after in (0, ended["kept_epoch"])
        assert same[0].last_epoch <= run.last_epoch
        training = training["init"].get("training")


@pytest.mark.parametrize("name", shipped_names())
def test_int8_answers_like_its_float_network(name: str) -> None:
    """On drawn faces, which it has never seen: no accuracy, only agreement."""
    model = find_model(name)
    assert model.network is not None
    images = sample_dataset(n_per_class=(1, 1, 30)).split("test").images
    reference = softmax(logits_of(load_network(model.network), images))
    answers = Interpreter(model.file("int8").read_bytes()).probabilities(images[..., None])
    assert (answers.argmax(axis=1) == reference.argmax(axis=1)).mean() >= 0.95
    assert np.abs(answers - reference).mean() <= 0.02


@pytest.mark.parametrize("name", shipped_names())
def test_the_recorded_scores_are_reproduced(name: str, fer2013: Path) -> None:
    plan = make_plan([name], data=source_of(name, fer2013), split="validation")
    bench = run_bench(plan.candidates, plan.data, Timer(rounds=5, cold_start=False))
    manifest = find_model(name).manifest
    assert manifest is not None
    for result in bench.results:
        recorded = manifest.scores[result.variant]
        assert (
            result.evaluation.n
            == recorded["n"]
            == manifest.training["data"]["counts"]["validation"]
        )
        # Another CPU's kernels may round a face or two the other way; of a rare emotion one counts.
        found = result.evaluation
        assert found.top1.value == pytest.approx(recorded["top1"]["value"], abs=0.002)
        assert found.macro_f1.value == pytest.approx(recorded["macro_f1"]["value"], abs=0.01)
        assert found.ece.value == pytest.approx(recorded["ece"]["value"], abs=0.005)
        if against := recorded["against_float"]:
            assert found.against_float is not None
            agreement = found.against_float.agreement.value
            assert agreement == pytest.approx(against["agreement"]["value"], abs=0.003)


@pytest.mark.parametrize("name", shipped_names())
def test_the_int8_file_is_made_of_the_network_beside_it(
    name: str, fer2013: Path, tmp_path: Path
) -> None:
    shipped = find_model(name)
    assert shipped.manifest is not None
    assert shipped.manifest.converter["int8_rounding"] == "calibrated"
    out = tmp_path / "out"
    done = export_model(
        find_source(name), Export(("int8",)), data=source_of(name, fer2013), folder=out
    )
    assert done.manifest.calibration == shipped.manifest.calibration
    made, kept = (out / "int8.tflite").read_bytes(), shipped.file("int8").read_bytes()
    assert len(made) == len(kept)
    images = sample_dataset(n_per_class=(1, 1, 30)).split("test").images[..., None]
    answers, expected = (Interpreter(content).probabilities(images) for content in (made, kept))
    # Equal to the byte on one machine; another's kernels may round a weight the other way.
    assert np.abs(answers - expected).mean() < 0.004
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.97


def test_a_stranger_can_export_it_without_the_training_data(tmp_path: Path) -> None:
    done = export_model(find_source("small"), Export(("float16",)), folder=tmp_path / "out")
    assert {"float16.tflite", "float32.tflite", "float.keras"} == set(done.manifest.files)
    assert done.manifest.emotions == EMOTIONS


def test_int8_wants_the_very_training_images(tmp_path: Path) -> None:
    small = find_source("small")
    with pytest.raises(ConversionError, match="Pass the data that it was trained on"):
        export_model(small, Export(("int8",), rounding="nearest"), folder=tmp_path / "out")
    with pytest.raises(ConversionError, match="was trained on other data than sample"):
        export_model(small, Export(("int8",)), data="sample", folder=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_float_network_is_not_opened(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(SHIPPED / "small", tmp_path / "small")
    network = tmp_path / "small" / "float.keras"
    network.write_bytes(network.read_bytes() + b"x")
    with pytest.raises(ModelFormatError, match="not the file that its manifest describes"):
        find_source(str(tmp_path / "small"))
