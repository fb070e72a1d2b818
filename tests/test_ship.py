"""Shipping: all that ships is made from the halved network, and can be made from it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from fer_edge import files
from fer_edge.catalog import find_source
from fer_edge.contract import read_manifest
from fer_edge.data.ferplus import COLUMNS
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import SPLIT_NAMES, Dataset
from fer_edge.errors import ConfigError, ConversionError
from fer_edge.export import Export, export_model
from fer_edge.half import halve
from fer_edge.keras_network import load_network, logits_of
from fer_edge.model import build_model
from fer_edge.runs import Run, training_provenance
from tests.load_script import load_script
from tests.test_model import with_lived_in_norms

ship = load_script("ship")


@pytest.fixture(scope="module")
def shipped(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run as a shipped model."""
    into: Path = tmp_path_factory.mktemp("models")
    ship.main([str(run.folder), "tiny", "--data", "sample", "--into", str(into)])
    return into / "tiny"


@pytest.mark.slow
def test_the_float_network_is_the_runs_halved_one(shipped: Path, run: Run, tmp_path: Path) -> None:
    halve(run.model, tmp_path / "half.keras")
    assert (shipped / "float.keras").read_bytes() == (tmp_path / "half.keras").read_bytes()
    found = {path.name for path in shipped.iterdir()}
    assert found == {"float.keras", "int8.tflite", "manifest.json"}
    assert set(read_manifest(shipped).files) == {"float.keras", "int8.tflite"}


@pytest.mark.slow
def test_exporting_what_ships_gives_the_int8_file_that_ships(shipped: Path, tmp_path: Path) -> None:
    done = export_model(
        find_source(str(shipped)), Export(("int8",)), data="sample", folder=tmp_path / "out"
    )
    assert (tmp_path / "out/int8.tflite").read_bytes() == (shipped / "int8.tflite").read_bytes()
    assert done.manifest.calibration == read_manifest(shipped).calibration


@pytest.mark.slow
def test_the_manifest_keeps_where_it_came_from(shipped: Path, run: Run) -> None:
    manifest = read_manifest(shipped)
    assert manifest.name == "tiny"
    assert manifest.training == json.loads(json.dumps(training_provenance(run.read_config())))
    assert manifest.training["recipe"]["arch"] == "nano"
    made_from = {"weights": "float16", "made_from": files.sha256_of(run.model)}
    assert manifest.converter["float_network"] == made_from
    assert manifest.converter["tensorflow"]


@pytest.mark.slow
def test_shipping_it_again_changes_nothing(shipped: Path, tmp_path: Path) -> None:
    ship.main([str(shipped), "tiny", "--data", "sample", "--into", str(tmp_path)])
    for name in ("float.keras", "int8.tflite"):
        assert (tmp_path / "tiny" / name).read_bytes() == (shipped / name).read_bytes()
    before, after = read_manifest(shipped), read_manifest(tmp_path / "tiny")
    assert after.training == before.training
    assert after.converter == before.converter


@pytest.mark.slow
def test_the_scores_are_of_the_files_that_ship(shipped: Path) -> None:
    scores = read_manifest(shipped).scores
    assert set(scores) == {"keras", "int8"}
    validation = sample_dataset().split("validation")
    answers = logits_of(load_network(shipped / "float.keras"), validation.images).argmax(axis=1)
    assert scores["keras"]["top1"]["value"] == pytest.approx((answers == validation.labels).mean())
    assert scores["keras"]["split"] == scores["int8"]["split"] == "validation"
    assert scores["int8"]["against_float"]["agreement"]["value"] > 0.9


@pytest.mark.slow
def test_fer_plus_labels_reach_the_export(drawn: Dataset, drawn_csv: Path, tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text(votes_for(drawn))
    eight_classes().save(tmp_path / "float.keras")
    options = ["--data", str(drawn_csv), "--ferplus", str(votes), "--labels", "ferplus8"]
    network = str(tmp_path / "float.keras")
    ship.main([network, "plus", *options, "--into", str(tmp_path / "models")])
    manifest = read_manifest(tmp_path / "models" / "plus")
    assert manifest.emotions[-1] == "contempt"
    assert manifest.calibration["class_counts"][-1] > 0
    assert "ferplus8" in manifest.calibration["source"]


def test_other_data_than_it_was_trained_on_are_refused(
    run: Run, drawn_csv: Path, tmp_path: Path
) -> None:
    into = ["--into", str(tmp_path / "models")]
    with pytest.raises(ConversionError, match="was trained on other data"):
        ship.main([str(run.folder), "tiny", "--data", str(drawn_csv), *into])
    with pytest.raises(ConfigError, match="--ferplus"):
        ship.main([str(run.folder), "tiny", "--data", "sample", "--labels", "ferplus7", *into])
    assert not (tmp_path / "models").exists()


def eight_classes() -> Any:
    """Returns a network whose batch-norms have seen something, with a class for contempt."""
    known, network = with_lived_in_norms("nano"), build_model("nano", n_classes=8)
    for layer in network.layers:
        if layer.name != "logits":
            layer.set_weights(known.get_layer(layer.name).get_weights())
    return network


def votes_for(dataset: Dataset) -> str:
    """Returns FER+ votes as its CSV: ten for each face's label, of every fourth for contempt."""
    tags = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    usage = dict(zip(SPLIT_NAMES, ("Training", "PublicTest", "PrivateTest"), strict=True))
    lines = [",".join(COLUMNS)]
    for name, split in dataset.splits.items():
        for label, number in zip(split.labels, split.ids, strict=True):
            chosen = "contempt" if number % 4 == 0 else tags[int(label)]
            counts = ["10" if column == chosen else "0" for column in COLUMNS[2:]]
            lines.append(",".join([usage[name], f"fer{number:07}.png", *counts]))
    return "\n".join(lines) + "\n"
