"""What `bench` measures: anything that answers faces, opened with a number of threads."""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.catalog import Model, ModelFile
from fer_edge.contract import TensorSpec
from fer_edge.errors import ConfigError, ModelFormatError
from fer_edge.inspect import read_graph
from fer_edge.runtime import Interpreter


class Runner(Protocol):
    """An opened model.

    Attributes:
        delegate: What runs it: `XNNPACK`, `none` (the runtime's own kernels), or Keras's backend.
    """

    delegate: str

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Returns the input tensor for one face, uint8 (48, 48)."""

    def set_input(self, values: NDArray[Any]) -> None:
        """Sets the input tensor."""

    def invoke(self) -> None:
        """Runs once on the input that was set."""

    def get_output(self) -> NDArray[Any]:
        """Returns the raw answer of the last run."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns float32 (n, k) for faces, uint8 (n, 48, 48)."""


@dataclass(frozen=True)
class Candidate:
    """One model in a benchmark.

    Attributes:
        name: In tables and gates, unique in the benchmark.
        variant: `int8`, `float32`, …, `keras`.
        family: Models of one family compare with that family's float reference.
        path: Its file.
        sha256: Of the file.
        size_bytes: Of the file.
        n_parameters: Values that the file holds: before the fold, batch-norm's among them.
        macs: Multiply-accumulates of one run.
        threads: Thread counts that it is timed with.
        open: Opens it with so many threads.
    """

    name: str
    variant: str
    family: str
    path: Path
    sha256: str
    size_bytes: int
    n_parameters: int
    macs: int
    threads: tuple[int, ...]
    open: Callable[[int], Runner]


@dataclass(frozen=True)
class InputRange:
    """What a stranger's float input expects pixel 0 and pixel 255 to be."""

    low: float
    high: float


def parse_input_range(text: str) -> InputRange:
    """Returns the range in `LOW,HIGH`.

    Raises:
        ConfigError: The text is not two different numbers.
    """
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise ConfigError(f"Expected an input range as LOW,HIGH such as -1,1; found {text!r}.")
    return InputRange(low, high)


class TfliteRunner:
    """A `.tflite` model; faces are resized to its input where that is not 48 x 48."""

    def __init__(self, interpreter: Interpreter, input_range: InputRange | None) -> None:
        """Wraps an interpreter.

        Raises:
            ModelFormatError: The input is no gray face, or is float and nobody said its range.
        """
        self._interpreter, spec = interpreter, interpreter.input
        self.set_input, self.invoke = interpreter.set_input, interpreter.invoke
        self.get_output, self.delegate = interpreter.get_output, interpreter.delegate
        self._height, self._width = spec.shape[1:3] if len(spec.shape) == 4 else (0, 0)
        if spec.shape != (1, self._height, self._width, 1) or min(spec.shape) < 1:
            raise ModelFormatError(
                f"Expected an input of one gray face, (1, h, w, 1), found {spec.shape}."
            )
        if len(interpreter.output.shape) != 2:
            raise ModelFormatError(
                f"Expected an output of shape (1, k), found {interpreter.output.shape}."
            )
        if spec.dtype == "float32" and input_range is None:
            raise ModelFormatError(
                "The model takes float32, and nothing says how pixels are scaled for it. "
                "Pass --input-range, such as --input-range -1,1 for x / 127.5 - 1."
            )
        if spec.dtype not in ("float32", "uint8", "int8"):
            raise ModelFormatError(f"Expected a uint8, int8 or float32 input, found {spec.dtype}.")
        self._range = input_range

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Returns the input tensor for one face, uint8 (48, 48)."""
        if image.shape != (self._height, self._width):
            import cv2

            image = np.asarray(cv2.resize(image, (self._width, self._height)))
        return scale_pixels(image[None, ..., None], self._interpreter.input, self._range)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns float32 (n, k) for faces, uint8 (n, 48, 48)."""
        return np.concatenate(
            [self._interpreter.probabilities(self.prepare(image)) for image in images]
        )


def scale_pixels(
    pixels: NDArray[np.uint8], spec: TensorSpec, input_range: InputRange | None
) -> NDArray[Any]:
    """Returns pixels, 0-255, as an input wants them: in its range, in steps of its scale.

    Args:
        pixels: uint8, of the input's shape.
        spec: Of the input.
        input_range: What 0 and 255 mean to it; None means themselves.
    """
    if spec.dtype == "uint8" and (spec.scale == 0 or (spec.scale == 1 and not input_range)):
        return pixels  # as the contract has it: a pixel's byte is the tensor's
    low, high = (input_range.low, input_range.high) if input_range else (0.0, 255.0)
    real: NDArray[np.float32] = pixels * np.float32((high - low) / 255) + np.float32(low)
    if spec.dtype == "float32":
        return real
    kind = np.iinfo(spec.dtype)
    steps = np.rint(real / (spec.scale or 1.0)) + spec.zero_point
    return np.asarray(np.clip(steps, kind.min, kind.max), spec.dtype)


def candidates_of(
    model: Model, *, threads: tuple[int, ...], input_range: InputRange | None, prefix: str = ""
) -> list[Candidate]:
    """Returns what there is to measure of a model, its float network first where Keras is here.

    Args:
        model: Found by name.
        threads: Thread counts for the timing.
        input_range: For float inputs of files without a manifest.
        prefix: Before each name, where several models stand in one benchmark.

    Raises:
        ModelFormatError: A file is damaged, or nothing can be measured.
    """
    found = []
    if model.network and (has_keras() or not model.files):
        found.append(_keras_candidate(model, prefix))
    found += [_tflite_candidate(model, file, threads, input_range, prefix) for file in model.files]
    if not found:
        raise ModelFormatError(f"{model.name} holds no model that can be measured.")
    return found


def has_keras() -> bool:
    """Tells whether float networks can be measured here; on a board they cannot."""
    return importlib.util.find_spec("keras") is not None


def _tflite_candidate(
    model: Model,
    file: ModelFile,
    threads: tuple[int, ...],
    input_range: InputRange | None,
    prefix: str,
) -> Candidate:
    content = file.read_bytes()
    graph = read_graph(content)
    scaling = None if file.manifest else input_range  # ours take bytes, whatever strangers take

    def open_with(n_threads: int) -> TfliteRunner:
        return TfliteRunner(Interpreter(content, n_threads=n_threads), scaling)

    return Candidate(
        name=prefix + file.variant,
        variant=file.variant,
        family=model.name,
        path=file.path,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        n_parameters=graph.n_parameters,
        macs=graph.macs,
        threads=threads,
        open=open_with,
    )


def _keras_candidate(model: Model, prefix: str) -> Candidate:
    from fer_edge.keras_network import KerasRunner, load_network
    from fer_edge.model_cost import layer_costs

    assert model.network is not None  # noqa: S101  (the caller looked)
    model.check_network()
    content = model.network.read_bytes()
    network = load_network(model.network)
    return Candidate(
        name=prefix + "keras",
        variant="keras",
        family=model.name,
        path=model.network,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        n_parameters=network.count_params(),
        macs=sum(layer.macs for layer in layer_costs(network)),
        threads=(0,),  # the backend's own choice
        open=lambda _n_threads: KerasRunner(network),
    )
