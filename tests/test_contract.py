"""The manifest: a round trip, and every way in which it may be wrong."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.contract import (
    EMOTIONS,
    INPUT_SHAPE,
    MANIFEST_NAME,
    Manifest,
    TensorSpec,
    describe_file,
    read_manifest,
    write_manifest,
)
from fer_edge.errors import ModelFormatError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export folder with one file."""
    (tmp_path / "int8.tflite").write_bytes(b"model")
    entry = describe_file(
        tmp_path / "int8.tflite",
        input=TensorSpec(INPUT_SHAPE, "uint8", 1.0, 0),
        output=TensorSpec((1, 7), "uint8", 1 / 256, 0),
    )
    write_manifest(
        tmp_path,
        Manifest("made", EMOTIONS, {"int8.tflite": entry}, training={"recipe": {"seed": 1}}),
    )
    return tmp_path


def test_round_trip(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.emotions == EMOTIONS
    assert manifest.files["int8.tflite"].output == TensorSpec((1, 7), "uint8", 1 / 256, 0)
    assert manifest.training["recipe"]["seed"] == 1
    assert manifest.read_file(folder, "int8.tflite") == b"model"
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest


def test_a_confidence_record_survives(folder: Path) -> None:
    record = {"unsure_below": 0.54, "coverage": 0.6, "accuracy": None, "curve": [{"n": 1}]}
    write_manifest(folder, dataclasses.replace(read_manifest(folder), confidence=record))
    assert read_manifest(folder).confidence == record
    assert read_manifest(folder).unsure_below == 0.54


def test_a_manifest_from_before_confidence_was_recorded(folder: Path) -> None:
    document = json.loads((folder / MANIFEST_NAME).read_text())
    del document["confidence"]
    (folder / MANIFEST_NAME).write_text(json.dumps(document))
    assert read_manifest(folder).confidence == {}
    assert read_manifest(folder).unsure_below == 0.0


def test_a_file_with_another_hash_is_not_read(folder: Path) -> None:
    (folder / "int8.tflite").write_bytes(b"modeL")
    with pytest.raises(ModelFormatError, match="not the file that its manifest describes"):
        read_manifest(folder).read_file(folder, "int8.tflite")


def test_a_file_that_is_absent_or_unlisted(folder: Path) -> None:
    manifest = read_manifest(folder)
    (folder / "int8.tflite").unlink()
    with pytest.raises(ModelFormatError, match="Cannot read"):
        manifest.read_file(folder, "int8.tflite")
    with pytest.raises(ModelFormatError, match=r"lists no float16\.tflite"):
        manifest.read_file(folder, "float16.tflite")


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(_set("schema_version", to=2), "expected schema version 1", id="schema"),
        pytest.param(_set("emotions", to=EMOTIONS[:6]), "to answer 6", id="a label short"),
        pytest.param(_set("emotions", to=["a", "a"]), "different labels", id="label twice"),
        pytest.param(_set("emotions", to=7), "wrong one", id="labels no list"),
        pytest.param(
            _set("files", "int8.tflite", "input", "shape", to=[1, 64, 64, 1]),
            "to take",
            id="input shape",
        ),
        pytest.param(
            _set("files", "int8.tflite", "output", "shape", to=[1, 8]), "to answer", id="output"
        ),
        pytest.param(_set("files", to={"../x": None}), "wrong one", id="entry no record"),
        pytest.param(lambda document: document.pop("name"), "lacks a field", id="no name"),
        pytest.param(_set("confidence", to=[]), "as an object", id="confidence a list"),
        pytest.param(_set("confidence", to=None), "as an object", id="confidence null"),
        pytest.param(_set("confidence", to={"n": 9}), "found None", id="no threshold"),
        *(
            pytest.param(
                _set("confidence", to={"unsure_below": bad}),
                r"unsure_below as a number from 0 to 1, found .{1,60}\. Export",
                id=f"threshold {str(bad)[:9]}",
            )
            for bad in (-0.01, 1.01, math.nan, math.inf, 10**400, True, "0.5", [0.5], "9" * 999)
        ),
    ],
)
def test_faults(change: Callable[[dict[str, Any]], object], says: str, folder: Path) -> None:
    document = json.loads((folder / MANIFEST_NAME).read_text())
    change(document)
    (folder / MANIFEST_NAME).write_text(json.dumps(document))
    with pytest.raises(ModelFormatError, match=says):
        read_manifest(folder)


def test_a_name_that_leaves_the_folder(folder: Path) -> None:
    manifest = read_manifest(folder)
    escaping = {"../int8.tflite": manifest.files["int8.tflite"]}
    write_manifest(folder, dataclasses.replace(manifest, files=escaping))
    with pytest.raises(ModelFormatError, match="names inside its folder"):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "nul", "[" * 100_000])
def test_no_json_or_no_object(text: str, folder: Path) -> None:
    (folder / MANIFEST_NAME).write_text(text)
    with pytest.raises(ModelFormatError):
        read_manifest(folder)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="Cannot read the manifest"):
        read_manifest(tmp_path)
