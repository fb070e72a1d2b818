"""Opening a model for prediction: what its manifest says is what it must be."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from fer_edge.contract import TensorSpec, read_manifest, write_manifest
from fer_edge.errors import DataError, ModelFormatError, OutputError
from fer_edge.predictor import SavedCopies, Skipped, open_predictor, walk_pictures
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
