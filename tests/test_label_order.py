"""Labels in another order give the same numbers everywhere: each place that has them is compared.

Planted faults in an export that is put together by hand.
"""

import dataclasses
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fer_edge.catalog import SHIPPED, find_model
from fer_edge.cli import app
from fer_edge.contract import EMOTIONS, describe_file, read_manifest, write_manifest
from fer_edge.errors import GateError
from fer_edge.material import collect

ROOT = Path(__file__).parents[1]
SWAPPED = (EMOTIONS[1], EMOTIONS[0], *EMOTIONS[2:])
ASSET = "android/fer_edge.tflite"


def relist(export: Path, **changes: Any) -> None:
    """Writes an export's manifest again, with what its files are now."""
    manifest = read_manifest(export)
    names = {*manifest.files, ASSET, "android/labels.txt"}
    listed = {name: describe_file(export / name) for name in sorted(names)}
    write_manifest(export, dataclasses.replace(manifest, files=listed, **changes))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = shutil.copytree(SHIPPED / "small", tmp_path / "export")
    (folder / "float.keras").unlink()
    shutil.copytree(ROOT / "android_assets", folder / "android")
    manifest = read_manifest(folder)
    only = {"int8.tflite": manifest.files["int8.tflite"]}
    write_manifest(folder, dataclasses.replace(manifest, files=only))
    relist(folder)
    return folder


def the_manifest(export: Path) -> None:
    training = {**read_manifest(export).training, "data": {}}
    relist(export, emotions=SWAPPED, training=training)


def the_manifest_but_not_where_it_was_trained(export: Path) -> None:
    for folder in (export, export / "android"):
        manifest = read_manifest(folder)
        write_manifest(folder, dataclasses.replace(manifest, emotions=SWAPPED))
    (export / "android" / "labels.txt").write_text("".join(f"{name}\n" for name in SWAPPED))
    relist(export)


def the_labels_inside(export: Path) -> None:
    content = (export / ASSET).read_bytes()
    packed = io.BytesIO(content[: content.index(b"PK\x03\x04")])
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr("labels.txt", "".join(f"{name}\n" for name in SWAPPED))
    (export / ASSET).write_bytes(packed.getvalue())
    relist(export)


def no_labels_inside(export: Path) -> None:
    content = (export / ASSET).read_bytes()
    (export / ASSET).write_bytes(content[: content.index(b"PK\x03\x04")])
    relist(export)


def the_metadata(export: Path) -> None:
    content = (export / ASSET).read_bytes()
    changed = content.replace(b"expression: angry, disgust", b"expression: disgust, angry")
    assert changed != content
    (export / ASSET).write_bytes(changed)
    relist(export)


def the_labels_beside(export: Path) -> None:
    (export / "android" / "labels.txt").write_text("".join(f"{name}\n" for name in SWAPPED))
    relist(export)


def a_parts_manifest(export: Path) -> None:
    manifest = read_manifest(export / "android")
    write_manifest(export / "android", dataclasses.replace(manifest, emotions=SWAPPED))


def test_a_sound_export_passes(export: Path) -> None:
    assert (
        collect(find_model(str(export)), lambda _text: None).android
        == (export / ASSET).read_bytes()
    )


@pytest.mark.parametrize(
    ("swap", "where"),
    [
        (the_manifest, "android/labels.txt says angry, disgust"),
        (the_manifest_but_not_where_it_was_trained, "the record of its training says angry"),
        (the_labels_inside, f"inside {ASSET} are disgust, angry"),
        (no_labels_inside, f"inside {ASSET} are not there"),
        (the_metadata, f"metadata of {ASSET} does not name angry, disgust"),
        (the_labels_beside, "android/labels.txt says disgust, angry"),
        (a_parts_manifest, "android/manifest.json says disgust, angry"),
    ],
)
def test_labels_in_another_order_are_caught(
    swap: Callable[[Path], None], where: str, export: Path
) -> None:
    swap(export)
    with pytest.raises(GateError, match=where):
        collect(find_model(str(export)), lambda _text: None)


def test_the_command_exits_with_the_gates_code(export: Path) -> None:
    the_labels_inside(export)
    done = CliRunner().invoke(app, ["verify", str(export), "--out", str(export / "verify.json")])
    assert done.exit_code == 3
    assert f"inside {ASSET} are disgust" in " ".join(done.output.split())
