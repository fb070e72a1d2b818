"""Whether all that names a model's answers names them in one order.

Runtimes cannot tell: a model with two labels swapped gives the same numbers everywhere.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fer_edge.android import FOLDER, LABELS
from fer_edge.contract import MANIFEST_NAME, Manifest, has_manifest, read_manifest
from fer_edge.errors import GateError
from fer_edge.targets import ANDROID_FILE, TFJS_FOLDER

PARTS = (FOLDER, TFJS_FOLDER, "web/model", "pi")  # of an export, with a manifest of their own
DESCRIBED = "Of each expression: {}."  # as converters/android.py writes it into the metadata


def check_labels(manifest: Manifest, folder: Path) -> None:
    """Compares an export's labels, wherever they stand, with those of its manifest.

    Args:
        manifest: Of the export.
        folder: Where it lies.

    Raises:
        GateError: Some are others, or in another order; it names where.
        ModelFormatError: A manifest of a part, or a listed file, is damaged.
    """
    differing = [
        f"{place} says {', '.join(found)}"
        for place, found in _told(manifest, folder)
        if tuple(found) != manifest.emotions
    ]
    if differing:
        raise GateError(
            f"Labels differ: {MANIFEST_NAME} says {', '.join(manifest.emotions)}; "
            f"{'; '.join(differing)}. One of them is wrong; export the model again."
        )


def check_asset_labels(asset: bytes, emotions: Sequence[str]) -> None:
    """Compares the labels inside an Android asset with what its model's answers mean.

    Raises:
        GateError: They are others, in another order, or not there.
    """
    found = read_labels(asset)
    if found != tuple(emotions):
        raise GateError(
            f"The labels inside {ANDROID_FILE} are {', '.join(found) or 'not there'}; expected "
            f"{', '.join(emotions)}. Export the model again."
        )
    if DESCRIBED.format(", ".join(emotions)).encode() not in asset:
        raise GateError(
            f"The metadata of {ANDROID_FILE} does not name {', '.join(emotions)} in this order. "
            "Export the model again."
        )


def read_labels(asset: bytes) -> tuple[str, ...]:
    """Returns the labels that are packed into an Android asset; none where there are none."""
    try:
        with zipfile.ZipFile(io.BytesIO(asset)) as packed:
            return tuple(packed.read(LABELS).decode("utf-8").splitlines())
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError):
        return ()


def _told(manifest: Manifest, folder: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Yields where labels stand beside the manifest's own, and what they are."""
    if trained := manifest.training.get("data", {}).get("emotions"):
        yield "the record of its training", trained
    labels = f"{FOLDER}/{LABELS}"
    if labels in manifest.files:
        yield labels, manifest.read_file(folder, labels).decode("utf-8", "replace").splitlines()
    for part in PARTS:
        if has_manifest(folder / part):
            yield f"{part}/{MANIFEST_NAME}", read_manifest(folder / part).emotions
