"""What a model eats and answers, in one place. Written into every artifact, read by every client.

The manifest is the contract's written form. It is read before a model is opened, and a model
whose bytes are not the ones that it describes is not opened.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fer_edge import files
from fer_edge.errors import ModelFormatError

INT8_FILE = "int8.tflite"
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Class names in label order. Source: FER2013, arXiv:1307.0414."""

INPUT_SHAPE = (1, 48, 48, 1)
"""One gray face, batch first, channel last; uint8, 0-255. Scaling happens inside the graph."""

ANDROID_ASSET = "fer_edge.tflite"
RGB_INPUT_SHAPE = (1, 48, 48, 3)
"""Of the Android asset alone, whose first operator makes gray of it."""

OUTPUT_SCALE = 1 / 256
"""Of the int8 file's uint8 probabilities; their zero point is 0."""

PREPROCESSING: Mapping[str, str] = {
    "face": "the square that OpenCV's haarcascade_frontalface_alt gives, margin 0",
    "border": "edge replication",
    "gray": "BT.601 luma, 0-255",
    "resize": "area, to 48 x 48",
}
"""How a face becomes the input, for people; `fer_edge.faces.crop_face` is the definition."""

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1
MAX_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class TensorSpec:
    """One tensor at the edge of a model file.

    Attributes:
        shape: With the batch, which is 1.
        dtype: NumPy's name.
        scale: Real value of one step where the tensor is quantized, else 0.
        zero_point: The step that means zero.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class Artifact:
    """One file of an export.

    Attributes:
        sha256: Of its bytes.
        size_bytes: How many.
        input: Its input tensor, None for what is not a `.tflite`.
        output: Its output tensor, likewise.
    """

    sha256: str
    size_bytes: int
    input: TensorSpec | None = None
    output: TensorSpec | None = None


@dataclass(frozen=True)
class Manifest:
    """What an export holds and where it came from.

    Attributes:
        name: Of the model.
        emotions: Class names in the order of the output.
        files: By name, relative to the manifest.
        training: Data, split counts, recipe, seed, versions and commit.
        calibration: Split, seed, class counts and row ids of the calibration sample.
        converter: The program and the versions that converted.
        scores: By variant, figures with split, n and interval.
        preprocessing: How a face becomes the input.
        confidence: What the int8 model's confidence is worth and under which it is unsure, as
            `confidence.describe_confidence` measured; empty where nobody did.
        not_reproducible: By file, why another export of the same has other bytes there.
    """

    name: str
    emotions: tuple[str, ...]
    files: Mapping[str, Artifact]
    training: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    converter: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, str] = field(default_factory=lambda: dict(PREPROCESSING))
    confidence: Mapping[str, Any] = field(default_factory=dict)
    not_reproducible: Mapping[str, str] = field(default_factory=dict)

    @property
    def unsure_below(self) -> float:
        """The top probability under which an answer is unsure; 0, so never, without a record."""
        return float(self.confidence.get("unsure_below", 0.0))

    def part(self, folder: str) -> "Manifest":
        """Returns the manifest of one folder of an export: of its files alone."""
        files = {
            name.removeprefix(f"{folder}/"): artifact
            for name, artifact in self.files.items()
            if name.startswith(f"{folder}/") and name != f"{folder}/{MANIFEST_NAME}"
        }
        return self.of_files(files)

    def of_files(self, files: Mapping[str, Artifact]) -> "Manifest":
        """Returns the manifest of some of its files, by their names in another folder."""
        return dataclasses.replace(self, files=files, not_reproducible={})

    def to_json(self) -> str:
        """Returns the manifest as JSON, with its schema version."""
        document = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        if not self.not_reproducible:
            del document["not_reproducible"]
        return json.dumps(document, indent=1) + "\n"

    def read_file(self, folder: Path, name: str) -> bytes:
        """Returns a file's bytes after its hash was checked.

        Raises:
            ModelFormatError: The file is absent, or not the one described here.
        """
        if name not in self.files:
            raise ModelFormatError(
                f"The manifest in {folder} lists no {name}. It lists: {', '.join(self.files)}."
            )
        path = folder / name
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise ModelFormatError(f"Cannot read {path}: {exc.strerror}.") from exc
        found = hashlib.sha256(content).hexdigest()
        if found != self.files[name].sha256:
            raise ModelFormatError(
                f"{path} is not the file that its manifest describes: expected SHA-256 "
                f"{self.files[name].sha256[:16]}…, found {found[:16]}…. "
                "It is damaged or was replaced; export it again, or restore it."
            )
        return content


def describe_file(
    path: Path, *, input: TensorSpec | None = None, output: TensorSpec | None = None
) -> Artifact:
    """Returns an artifact's entry from the file on disk."""
    return Artifact(files.sha256_of(path), path.stat().st_size, input, output)


def has_manifest(folder: Path) -> bool:
    """Tells whether a folder's manifest.json is meant to be ours; other tools use the name too."""
    path = folder / MANIFEST_NAME
    return path.is_file() and b'"schema_version"' in path.read_bytes()[:MAX_MANIFEST_BYTES]


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks the manifest in a folder.

    Raises:
        ModelFormatError: It is absent, damaged, of another schema, or names an impossible model.
    """
    path = folder / MANIFEST_NAME
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelFormatError(f"{path} is over 4 MiB: that is no manifest of fer-edge.")
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelFormatError(f"Cannot read the manifest {path}: {exc}.") from exc
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ModelFormatError(
            f"{path}: expected schema version {SCHEMA_VERSION}, found {version!r}. "
            "Use the fer-edge that wrote it, or export the model again."
        )
    try:
        manifest = _from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ModelFormatError(f"{path} lacks a field or holds a wrong one: {exc!r}.") from exc
    _check(manifest, path)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes a manifest into a folder, whole or not at all."""
    files.write_text(folder / MANIFEST_NAME, manifest.to_json())


def _from_document(document: dict[str, Any]) -> Manifest:
    document = {"confidence": {}, "not_reproducible": {}, **document}  # many have none
    fields = {spec.name: document[spec.name] for spec in dataclasses.fields(Manifest)}
    fields["emotions"] = tuple(map(str, fields["emotions"]))
    fields["files"] = {
        str(name): Artifact(
            str(entry["sha256"]),
            int(entry["size_bytes"]),
            _tensor(entry["input"]),
            _tensor(entry["output"]),
        )
        for name, entry in fields["files"].items()
    }
    return Manifest(**fields)


def _tensor(entry: dict[str, Any] | None) -> TensorSpec | None:
    if entry is None:
        return None
    shape = tuple(map(int, entry["shape"]))
    return TensorSpec(shape, str(entry["dtype"]), float(entry["scale"]), int(entry["zero_point"]))


def _check(manifest: Manifest, path: Path) -> None:
    """Raises ModelFormatError for labels, file names or a confidence that cannot be."""
    _check_confidence(manifest.confidence, path)
    emotions = manifest.emotions
    if not 2 <= len(emotions) <= 64 or len(set(emotions)) != len(emotions):
        raise ModelFormatError(f"{path}: expected 2 to 64 different labels, found {emotions}.")
    if odd := [name for name in emotions if not name.isprintable() or not name.strip()]:
        raise ModelFormatError(f"{path}: expected labels of one line of text, found {odd}.")
    for name, artifact in manifest.files.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not name:
            raise ModelFormatError(f"{path}: expected names inside its folder, found {name!r}.")
        is_for_android = PurePosixPath(name).name == ANDROID_ASSET
        shape = RGB_INPUT_SHAPE if is_for_android else INPUT_SHAPE
        if artifact.input and artifact.input.shape != shape:
            raise ModelFormatError(
                f"{path}: expected {name} to take {shape}, found {artifact.input.shape}."
            )
        if artifact.output and artifact.output.shape != (1, len(emotions)):
            raise ModelFormatError(
                f"{path}: expected {name} to answer {len(emotions)} probabilities, "
                f"one a label, found {artifact.output.shape}."
            )


def _check_confidence(record: Any, path: Path) -> None:
    """Raises ModelFormatError unless a record is empty or has a threshold that can be one."""
    if not isinstance(record, dict):
        raise ModelFormatError(f"{path}: expected confidence as an object, found {record!r:.60}.")
    if not record:
        return
    found = record.get("unsure_below")
    # bool is an int to Python, and nan is in no range.
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= 1:
        raise ModelFormatError(
            f"{path}: expected confidence.unsure_below as a number from 0 to 1, "
            f"found {found!r:.60}. Export the model again."
        )
