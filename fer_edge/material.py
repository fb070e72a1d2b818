"""What `verify` runs: a model's files as they were exported, and what they lack made for this once.

An error in a file's place says why there is none; whoever wants to run that file raises it.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_edge.android import write_android
from fer_edge.catalog import Model
from fer_edge.contract import MANIFEST_NAME
from fer_edge.errors import (
    ConversionError,
    FerEdgeError,
    MissingExtraError,
    MissingProgramError,
)
from fer_edge.export import Export, export_model
from fer_edge.label_order import check_asset_labels, check_labels
from fer_edge.runtime import Interpreter
from fer_edge.targets import ANDROID_FILE, TFJS_FOLDER, TfjsWeights

Say = Callable[[str], None]

FLOAT32 = "float32.tflite"


@dataclass(frozen=True)
class GraphModel:
    """A TF.js model.

    Attributes:
        files: `model.json` and its shards, by name.
        weights: How they are stored.
    """

    files: Mapping[str, bytes]
    weights: TfjsWeights


@dataclass(frozen=True)
class Material:
    """A model's files, or why there is none.

    Attributes:
        network: The float network's path.
        float32: Of its conversion.
        int8: Of the full-integer model.
        tfjs: The TF.js model.
        android: The Android asset.
    """

    network: Path | FerEdgeError
    float32: bytes | FerEdgeError
    int8: bytes
    tfjs: GraphModel | FerEdgeError
    android: bytes | FerEdgeError


def collect(model: Model, say: Say) -> Material:
    """Returns a model's files; what its export lacks is made of what it has, for this once.

    Args:
        model: With an int8 file.
        say: Told what is made, and what is downloaded for it.

    Raises:
        ModelFormatError: It has no int8 file, or a file is not what its manifest says.
        GateError: Its labels stand in one order here, and in another there.
    """
    int8 = model.file("int8").read_bytes()
    model.check_network()
    if model.manifest:
        check_labels(model.manifest, model.file("int8").path.parent)
    android = _android_asset(model, int8, say)
    own = {file.variant: file for file in model.files}.get("float32")
    float32 = own.read_bytes() if own else None
    tfjs = _exported_graph(model)
    if model.network is None:
        absent = MissingProgramError("The model comes without its float network.")
        return Material(absent, float32 or absent, int8, tfjs or absent, android)
    if float32 and tfjs:
        return Material(model.network, float32, int8, tfjs, android)
    made_float32, made_tfjs = _make(model, say)
    return Material(model.network, float32 or made_float32, int8, tfjs or made_tfjs, android)


def _android_asset(model: Model, int8: bytes, say: Say) -> bytes | FerEdgeError:
    """Returns the Android asset of an export, or one that is made of its int8 file."""
    if model.manifest and ANDROID_FILE in model.manifest.files:
        asset = model.manifest.read_file(model.file("int8").path.parent, ANDROID_FILE)
        check_asset_labels(asset, model.manifest.emotions)
        return asset
    n_classes = Interpreter(int8).output.shape[1]
    emotions = model.manifest.emotions if model.manifest else tuple(map(str, range(n_classes)))
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "int8.tflite").write_bytes(int8)
        try:
            write_android(Path(scratch), model.name, emotions, say)
        except ConversionError as exc:
            return exc
        return (Path(scratch) / ANDROID_FILE).read_bytes()


def _exported_graph(model: Model) -> GraphModel | None:
    """Returns the TF.js model of an export; None where it has none."""
    names = model.manifest.part(TFJS_FOLDER).files if model.manifest else {}
    if not model.manifest or not names:
        return None
    folder = model.file("int8").path.parent
    files = {name: model.manifest.read_file(folder, f"{TFJS_FOLDER}/{name}") for name in names}
    return GraphModel(files, model.manifest.converter["tfjs"]["weights"])


def _make(model: Model, say: Say) -> tuple[bytes | FerEdgeError, GraphModel | FerEdgeError]:
    """Returns a float32 model and a TF.js one of the float network, of one export if it can be."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "made"
        graph = Export(("tfjs",), tfjs_weights="float32")
        if (failed := _try_export(model, graph, folder, say)) is None:
            files = [p for p in (folder / TFJS_FOLDER).iterdir() if p.name != MANIFEST_NAME]
            made = GraphModel({path.name: path.read_bytes() for path in files}, "float32")
            return (folder / FLOAT32).read_bytes(), made
        if (alone := _try_export(model, Export(()), folder, say)) is None:
            return (folder / FLOAT32).read_bytes(), failed
        return alone, failed


def _try_export(model: Model, export: Export, folder: Path, say: Say) -> FerEdgeError | None:
    """Exports a model; returns why not where that cannot be."""
    try:
        export_model(model, export, folder=folder, say=say)
    except (ConversionError, MissingExtraError) as exc:
        return exc
    return None
