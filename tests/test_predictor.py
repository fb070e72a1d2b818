"""Opening a model for prediction: what its manifest says is what it must be."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_edge import show_faces
from fer_edge.catalog import SHIPPED
from fer_edge.contract import TensorSpec, read_manifest, write_manifest
from fer_edge.errors import DataError, ModelFormatError, OutputError
from fer_edge.faces import FaceBox
from fer_edge.predict import Face
from fer_edge.predictor import (
    Picture,
    PictureFaces,
    SavedCopies,
    Skipped,
    open_predictor,
    walk_pictures,
)
from fer_edge.runs import Run


@pytest.fixture
def copy(exported: Run, tmp_path: Path) -> Path:
    """An export that a test may spoil."""
    folder = tmp_path / "export"
    shutil.copytree(exported.export, folder)
    return folder


def test_int8_is_taken_and_its_labels_with_it(copy: Path) -> None:
    opened = open_predictor(str(copy), "none")
    assert opened.emotions[3] == "happy"
    assert opened.interpreter.output.dtype == "uint8"


@pytest.mark.parametrize(
    ("confidence", "unsure"),
    [({}, False), ({"unsure_below": 0.0}, False), ({"unsure_below": 1.0}, True)],
)
def test_the_manifest_says_under_what_a_face_is_unsure(
    confidence: dict[str, float], unsure: bool, copy: Path
) -> None:
    """An int8 model's probability is 255/256 at most, so under 1 it is unsure of everything."""
    write_manifest(copy, dataclasses.replace(read_manifest(copy), confidence=confidence))
    (face,) = open_predictor(str(copy), "none").read(np.full((48, 48, 3), 90, np.uint8))
    assert face.is_unsure is unsure


def test_the_shipped_model_is_opened_with_its_own_threshold() -> None:
    """Its manifest may be older than the record; then it is never unsure."""
    opened = open_predictor("small", "none")
    assert opened.unsure_below == read_manifest(SHIPPED / "small").confidence.get("unsure_below", 0)


def sad_faces() -> list[PictureFaces]:
    """One picture with a face that is surely sad, and one that hardly is."""
    sure = Face(FaceBox(1, 2, 30, 30, 1.0), np.array([0.25, 0.75], np.float32), 1)
    unsure = Face(FaceBox(40, 2, 30, 30, 0.5), np.array([0.40625, 0.59375], np.float32), 1, True)
    return [(Picture(Path("two.png"), np.zeros((50, 90, 3), np.uint8)), [sure, unsure])]


def test_json_tells_the_unsure(capsys: pytest.CaptureFixture[str]) -> None:
    show_faces.as_json_lines(sad_faces(), ["happy", "sad"])
    assert json.loads(capsys.readouterr().out) == {
        "schema_version": 1,
        "path": "two.png",
        "frame": None,
        "time_s": None,
        "width": 90,
        "height": 50,
        "faces": [
            {
                "box": [1, 2, 30, 30],
                "score": 1.0,
                "emotion": "sad",
                "unsure": False,
                "probabilities": {"happy": 0.25, "sad": 0.75},
            },
            {
                "box": [40, 2, 30, 30],
                "score": 0.5,
                "emotion": "sad",
                "unsure": True,
                "probabilities": {"happy": 0.40625, "sad": 0.59375},
            },
        ],
    }


def test_the_table_tells_the_unsure(capsys: pytest.CaptureFixture[str]) -> None:
    show_faces.as_table(sad_faces(), ["happy", "sad"])
    rows = [line for line in capsys.readouterr().out.splitlines() if "two.png" in line]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert [row[2:] for row in cells] == [
        ["sad", "75%", "happy 25%"],
        ["unsure (sad)", "59%", "happy 41%"],
    ]


@pytest.mark.parametrize(
    "spec",
    [TensorSpec((1, 48, 48, 1), "uint8", 0.5, 0), TensorSpec((1, 48, 48, 1), "int8", 1.0, 0)],
)
def test_a_manifest_that_describes_another_input(spec: TensorSpec, copy: Path) -> None:
    manifest = read_manifest(copy)
    entry = dataclasses.replace(manifest.files["int8.tflite"], input=spec)
    files = {**manifest.files, "int8.tflite": entry}
    write_manifest(copy, dataclasses.replace(manifest, files=files))
    with pytest.raises(ModelFormatError, match="its manifest says"):
        open_predictor(str(copy), "none")


def test_a_truncated_model_with_a_fitting_hash(copy: Path) -> None:
    """The hash was made of the damaged file: the interpreter still refuses it."""
    from fer_edge.contract import describe_file

    path = copy / "int8.tflite"
    path.write_bytes(path.read_bytes()[:20_000])
    manifest = read_manifest(copy)
    old = manifest.files["int8.tflite"]
    files = {
        **manifest.files,
        "int8.tflite": describe_file(path, input=old.input, output=old.output),
    }
    write_manifest(copy, dataclasses.replace(manifest, files=files))
    with pytest.raises(ModelFormatError, match="LiteRT cannot open"):
        open_predictor(str(copy), "none")


def test_no_picture_at_all(tmp_path: Path) -> None:
    skipped: list[Skipped] = []
    with pytest.raises(DataError):
        list(walk_pictures([tmp_path], every_s=1, strict=False, skip=skipped.append))


def test_copies_go_where_one_may_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write into"):
        SavedCopies(tmp_path / "file" / "out", force=False)
