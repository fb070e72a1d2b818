"""The runtimes that a model can run on: what each is compared with, and how far it may be off."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.android import as_rgb, classify_with_mediapipe, write_android
from fer_edge.arm64 import classify_on_arm64
from fer_edge.browser import Engine, classify_in_browser
from fer_edge.catalog import Model
from fer_edge.contract import MANIFEST_NAME, Manifest
from fer_edge.errors import ConversionError, FerEdgeError, MissingProgramError
from fer_edge.export import Export, export_model
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax
from fer_edge.runtime import Interpreter, Kernels
from fer_edge.targets import ANDROID_ASSET, TFJS_FOLDER

FLOAT32 = "float32.tflite"
NO_NETWORK = "The model comes without its float network."

Answer = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


@dataclass(frozen=True)
class Allowed:
    """How far a runtime may be from the one that it is compared with.

    Attributes:
        difference: Of a probability.
        margin: The most likely emotion has to be the same wherever the other's first two are
            further apart than this.
        reason: Why not nothing.
    """

    difference: float
    margin: float
    reason: str


@dataclass(frozen=True)
class Runtime:
    """One way to run a model.

    Attributes:
        name: For people.
        against: Name of the runtime that it is compared with, which stands before it.
        allowed: How far it may be from that.
        answer: Gets uint8 (n, 48, 48), returns (n, k) probabilities; raises where it cannot run.
    """

    name: str
    against: str
    allowed: Allowed
    answer: Answer


@dataclass(frozen=True)
class Material:
    """A model's files.

    Attributes:
        network: The float network's path; None where there is none.
        float32: Of its conversion; None likewise.
        int8: Of the full-integer model.
        tfjs: `model.json` and its shards by name; why not where they could not be made.
        android: The Android asset, or why not likewise.
    """

    network: Path | None
    float32: bytes | None
    int8: bytes
    tfjs: Mapping[str, bytes] | FerEdgeError
    android: bytes | FerEdgeError


def collect(model: Model) -> Material:
    """Returns a model's files; what its export lacks is made of what it has, for this once.

    Raises:
        ModelFormatError: It has no int8 file, or a file is not what its manifest says.
    """
    file = model.file("int8")
    int8, folder = file.read_bytes(), file.path.parent
    model.check_network()
    asset = _android_asset(model, int8, folder)
    if model.network is None:
        return Material(None, None, int8, MissingProgramError(NO_NETWORK), asset)
    has = {file.variant: file for file in model.files}
    graph = _graph_model(folder, model.manifest) if model.manifest else {}
    if "float32" in has and graph:
        return Material(model.network, has["float32"].read_bytes(), int8, graph, asset)
    float32, made = _make(model)
    return Material(model.network, float32, int8, graph or made, asset)


def _android_asset(model: Model, int8: bytes, folder: Path) -> bytes | ConversionError:
    """Returns the Android asset of an export, or one that is made of its int8 file."""
    if model.manifest and ANDROID_ASSET in model.manifest.files:
        return model.manifest.read_file(folder, ANDROID_ASSET)
    n_classes = Interpreter(int8).output.shape[1]
    emotions = model.manifest.emotions if model.manifest else tuple(map(str, range(n_classes)))
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "int8.tflite").write_bytes(int8)
        try:
            write_android(Path(scratch), model.name, emotions, lambda _text: None)
        except ConversionError as exc:
            return exc
        return (Path(scratch) / ANDROID_ASSET).read_bytes()


def _graph_model(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Returns the TF.js files of an export, by name; none where it has none."""
    names = manifest.part(TFJS_FOLDER).files
    return {name: manifest.read_file(folder, f"{TFJS_FOLDER}/{name}") for name in names}


def _make(model: Model) -> tuple[bytes, dict[str, bytes] | ConversionError]:
    """Returns a float32 model and a graph model, or why the second cannot be had."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "made"
        wanted = Export(("tfjs",), tfjs_weights="float32")
        try:
            export_model(model, wanted, folder=folder)
        except ConversionError as exc:
            export_model(model, Export(()), folder=folder)
            return (folder / FLOAT32).read_bytes(), exc
        files = [p for p in (folder / TFJS_FOLDER).iterdir() if p.name != MANIFEST_NAME]
        return (folder / FLOAT32).read_bytes(), {p.name: p.read_bytes() for p in files}


def find_runtimes(material: Material) -> list[Runtime]:
    """Returns the runtimes that could run a model's files, each behind what it is compared with."""
    same = "the same arithmetic in float32, in another order"
    other = Allowed(1e-4, 1e-3, same)
    builds = Allowed(2 / 256, 2 / 256, "another build of XNNPACK, which may round by a step")
    return [
        Runtime("Keras", "", Allowed(0, 0, ""), _keras(material)),
        Runtime("float32, LiteRT", "Keras", other, _float32(material)),
        Runtime("float32, TF.js WASM in Chromium", "Keras", other, _tfjs("tfjs-wasm", material)),
        Runtime("float32, TF.js CPU in Chromium", "Keras", other, _tfjs("tfjs-cpu", material)),
        Runtime(
            "int8, LiteRT reference kernels",
            "Keras",
            Allowed(0.2, 0.2, "8 bits; bench tells what they cost"),
            _int8("reference", material),
        ),
        Runtime(
            "int8, LiteRT XNNPACK",
            "int8, LiteRT reference kernels",
            Allowed(24 / 256, 16 / 256, "XNNPACK rounds each layer otherwise"),
            _int8("xnnpack", material),
        ),
        Runtime(
            "int8, LiteRT.js in Chromium", "int8, LiteRT XNNPACK", builds, _litert_js(material)
        ),
        Runtime(
            "int8, LiteRT XNNPACK on ARM, emulated",
            "int8, LiteRT XNNPACK",
            builds,
            lambda images: classify_on_arm64(material.int8, images[..., None], "xnnpack"),
        ),
        Runtime(
            "int8 for Android, MediaPipe Tasks", "int8, LiteRT XNNPACK", builds, _android(material)
        ),
    ]


def _keras(material: Material) -> Answer:
    def answer(images: NDArray[np.uint8]) -> NDArray[np.floating]:
        if material.network is None:
            raise MissingProgramError(NO_NETWORK)
        return softmax(logits_of(load_network(material.network), images))

    return answer


def _float32(material: Material) -> Answer:
    return lambda images: Interpreter(material.float32 or b"").probabilities(images[..., None])


def _int8(kernels: Kernels, material: Material) -> Answer:
    return lambda images: Interpreter(material.int8, kernels=kernels).probabilities(
        images[..., None]
    )


def _tfjs(engine: Engine, material: Material) -> Answer:
    def answer(images: NDArray[np.uint8]) -> NDArray[np.floating]:
        if isinstance(material.tfjs, FerEdgeError):
            raise material.tfjs
        return classify_in_browser(engine, material.tfjs, images)

    return answer


def _litert_js(material: Material) -> Answer:
    return lambda images: classify_in_browser("litert", {"model.tflite": material.int8}, images)


def _android(material: Material) -> Answer:
    def answer(images: NDArray[np.uint8]) -> NDArray[np.floating]:
        if isinstance(material.android, FerEdgeError):
            raise material.android
        return classify_with_mediapipe(material.android, as_rgb(images))

    return answer
