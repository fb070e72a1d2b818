"""An export's folder: all of it described, the same bytes again, nobody else's file deleted."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from fer_edge.catalog import SHIPPED, find_model
from fer_edge.contract import read_manifest
from fer_edge.errors import ModelFormatError, OutputError
from fer_edge.export import Export, export_model
from fer_edge.export_folder import refuse_folder

VARIANTS = ("keras", "saved_model", "mcu", "android", "pi")
SAVED_MODEL = {
    f"saved_model/{name}"
    for name in (
        *("fingerprint.pb", "saved_model.pb", "variables/variables.index"),
        "variables/variables.data-00000-of-00001",
    )
}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_two_exports_are_the_same_bytes_or_the_manifest_says_why(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_model(find_model("nano"), Export(VARIANTS), folder=out)
    first, manifest = digests(out), read_manifest(out)
    assert set(first) - {"manifest.json"} == set(manifest.files)
    assert {"pi.tar.gz", "pi/manifest.json", "android/manifest.json"} < set(first)
    assert all(manifest.files[name].sha256 == first[name] for name in manifest.files)
    assert set(manifest.not_reproducible) == {*SAVED_MODEL, "manifest.json"}
    for part in ("pi", "android"):
        assert not read_manifest(out / part).not_reproducible
        assert "manifest.json" not in read_manifest(out / part).files
    with zipfile.ZipFile(out / "deployed.keras") as saved:
        assert b"1980-01-01" in saved.read("metadata.json")

    export_model(find_model("nano"), Export(VARIANTS), folder=out, force=True)
    second = digests(out)
    assert second.keys() == first.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert differing == set(manifest.not_reproducible)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped nano's files, as an export that lists them."""
    return shutil.copytree(SHIPPED / "nano", tmp_path / "nano")


def test_files_that_an_export_does_not_list_are_not_deleted(folder: Path) -> None:
    refuse_folder(folder, force=True)
    with pytest.raises(OutputError, match="--force"):
        refuse_folder(folder, force=False)
    for older in ("web/index.html", "pi/run.py", "pi.tar.gz", "android/manifest.json"):
        (folder / older).parent.mkdir(exist_ok=True)
        (folder / older).write_text("listed by no manifest of before")
    refuse_folder(folder, force=True)
    (folder / "notes").mkdir()
    (folder / "notes" / "thesis.txt").write_text("mine")
    for force in (True, False):
        with pytest.raises(OutputError, match=r"notes/thesis\.txt" if force else "--force"):
            export_model(find_model("nano"), Export(()), folder=folder, force=force)
    assert (folder / "notes" / "thesis.txt").read_text() == "mine"


def test_a_damaged_manifest_tells_nobody_what_may_be_deleted(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"schema_version": 1}')
    with pytest.raises(ModelFormatError, match="lacks a field"):
        refuse_folder(folder, force=True)
