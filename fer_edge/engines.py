"""The runtimes that a model can run on: what each is compared with, and how far it may be off."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_edge.android import as_rgb, classify_with_mediapipe
from fer_edge.arm64 import classify_on_arm64
from fer_edge.browser import Engine, classify_in_browser
from fer_edge.errors import FerEdgeError, MissingExtraError, ModelFormatError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.material import GraphModel, Material, Say
from fer_edge.metrics import softmax
from fer_edge.runtime import Interpreter, Kernels

TFJS_ENGINES: Mapping[str, Engine] = {"WASM": "tfjs-wasm", "CPU": "tfjs-cpu"}

KERAS, FLOAT32, REFERENCE = "Keras", "float32, LiteRT", "int8, LiteRT reference kernels"
XNNPACK = "int8, LiteRT XNNPACK"

T = TypeVar("T")
Answer = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


@dataclass(frozen=True)
class Allowed:
    """How far a runtime may be from the one that it is compared with.

    Attributes:
        difference: Of a probability.
        margin: The most likely emotion has to be the same wherever the other's first two are
            further apart than this.
        reason: Why not nothing.
        mean: Of all probabilities' differences, patterns' too.
        of_faces: Whether the first two are asked of faces alone, and not of patterns.
    """

    difference: float
    margin: float
    reason: str
    mean: float = 1.0
    of_faces: bool = False


@dataclass(frozen=True)
class Runtime:
    """One way to run a model.

    Attributes:
        name: For people.
        against: Name of the runtime that it is compared with, which stands before it.
        allowed: How far it may be from that.
        answer: Gets uint8 (n, 48, 48), returns (n, k) probabilities; raises where it cannot run.
        instead: Name of the one that it is compared with where that did not run; "" for none.
    """

    name: str
    against: str
    allowed: Allowed
    answer: Answer
    instead: str = ""


# Most that each kind of comparison may differ by, and why.
SAME = Allowed(1e-4, 1e-3, "the same arithmetic in float32, in another order")
HALF = Allowed(0.01, 0.02, "weights rounded to half precision")
# The shipped models differ by up to 0.045 on faces and by 0.0028 to 0.0063 in the mean; patterns
# leave the ranges that int8 was calibrated on, where nano was seen 0.38 off. Of small's 19 kernels,
# each with its largest weight's sign turned, 5 are beyond this; the others move less than 8 bits
# do, and only the manifest's SHA-256 tells them.
EIGHT_BITS = Allowed(
    0.1,
    0.1,
    "8 bits; a change of the weights that moves less shows in the file's SHA-256 alone",
    mean=0.01,
    of_faces=True,
)
KERNELS = Allowed(24 / 256, 16 / 256, "XNNPACK rounds each layer otherwise", mean=0.01)
COARSEST = 32 / 256  # margin that logits in coarse steps get at most
BUILDS = Allowed(2 / 256, 2 / 256, "another build of XNNPACK, which may round by a step")
BITS = Allowed(0, 0, "gray of a gray face is exact, and behind it stands the same model")


def find_runtimes(material: Material, say: Say) -> list[Runtime]:
    """Returns the runtimes that could run a model's files, each behind what it is compared with.

    Args:
        material: The files.
        say: Told what is downloaded for a runtime.
    """
    weights = material.tfjs.weights if isinstance(material.tfjs, GraphModel) else "float32"
    in_tfjs = SAME if weights == "float32" else HALF
    return [
        Runtime(KERAS, "", Allowed(0, 0, ""), _keras(material)),
        Runtime(FLOAT32, KERAS, SAME, _float32(material)),
        *(
            Runtime(f"{weights}, TF.js {name} in Chromium", KERAS, in_tfjs, answer, FLOAT32)
            for name, answer in _tfjs(material).items()
        ),
        Runtime(REFERENCE, KERAS, EIGHT_BITS, _int8("reference", material), FLOAT32),
        Runtime(XNNPACK, REFERENCE, _kernels(material.int8), _int8("xnnpack", material)),
        Runtime("int8, LiteRT.js in Chromium", XNNPACK, BUILDS, _litert_js(material)),
        Runtime("int8, LiteRT XNNPACK on ARM, emulated", XNNPACK, BUILDS, _arm64(material)),
        Runtime("int8 for Android, MediaPipe Tasks", XNNPACK, BITS, _android(material, say)),
    ]


def _kernels(int8: bytes) -> Allowed:
    """Returns how far XNNPACK may be from the reference kernels on a model.

    Two logits that are rounded a step apart, one up and one down, swap emotions whose probabilities
    differ by up to tanh(step): 10 to 21 steps of 1/256 in the shipped networks. Of 12 networks of
    the quickstart's recipe, 6 epochs, seeds 0 to 11, seed 0's logits have steps of 0.104, so 26.6,
    and emotions 26 apart were swapped.
    """
    try:
        step = Interpreter(int8, kernels="reference").logits_step
    except (MissingExtraError, ModelFormatError):  # the runtimes that need it say so
        return KERNELS
    margin = max(KERNELS.margin, min(math.tanh(step), COARSEST))
    return dataclasses.replace(KERNELS, margin=margin)


def _given(file: T | FerEdgeError) -> T:
    """Returns a file, or raises why there is none."""
    if isinstance(file, FerEdgeError):
        raise file
    return file


def _keras(material: Material) -> Answer:
    return lambda images: softmax(logits_of(load_network(_given(material.network)), images))


def _float32(material: Material) -> Answer:
    return lambda images: Interpreter(_given(material.float32)).probabilities(images[..., None])


def _int8(kernels: Kernels, material: Material) -> Answer:
    return lambda images: Interpreter(material.int8, kernels=kernels).probabilities(
        images[..., None]
    )


def _tfjs(material: Material) -> dict[str, Answer]:
    """Returns what answers on each of TF.js's backends, by its name."""

    def on(engine: Engine) -> Answer:
        return lambda images: classify_in_browser(engine, _given(material.tfjs).files, images)

    return {name: on(engine) for name, engine in TFJS_ENGINES.items()}


def _litert_js(material: Material) -> Answer:
    return lambda images: classify_in_browser("litert", {"model.tflite": material.int8}, images)


def _arm64(material: Material) -> Answer:
    return lambda images: classify_on_arm64(material.int8, images[..., None], "xnnpack")


def _android(material: Material, say: Say) -> Answer:
    return lambda images: classify_with_mediapipe(_given(material.android), as_rgb(images), say)
