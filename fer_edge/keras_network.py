"""A Keras network from outside its making: importing Keras, loading, checking, and asking it."""

from __future__ import annotations

import logging
import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import INPUT_SHAPE
from fer_edge.errors import MissingExtraError, ModelFormatError
from fer_edge.metrics import softmax
from fer_edge.quiet import quiet_stderr

if TYPE_CHECKING:
    import keras


def import_keras() -> Any:
    """Returns the keras module.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    if (loaded := sys.modules.get("keras")) is not None:
        return loaded
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow itself turns it on only where a processor has VNNI; it is faster without, too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with quiet_stderr():
            import keras
    except ImportError as exc:
        raise MissingExtraError("keras", needed_for="training and float networks") from exc
    return keras


def load_model(path: str | Path) -> keras.Model:
    """Loads a `.keras` network.

    Raises:
        ModelFormatError: The file is absent, damaged, or asks for code of its own.
    """
    keras = import_keras()
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as exc:
        raise ModelFormatError(
            f"Cannot load the Keras network {path}: {exc}. Expected a .keras file of Keras 3."
        ) from exc


def load_network(path: str | Path) -> keras.Model:
    """Loads a trained network: one that `build_model` made, answering logits.

    Raises:
        ModelFormatError: It cannot be loaded, takes something else, or answers no logits.
    """
    network = load_model(path)
    last = network.layers[-1]
    if network.input_shape != (None, *INPUT_SHAPE[1:]):
        raise ModelFormatError(
            f"Expected {path} to take any number of (48, 48, 1) images, found "
            f"{network.input_shape}. A deployed network is for converters; name the trained one."
        )
    if type(last).__name__ != "Dense" or last.activation.__name__ != "linear":
        raise ModelFormatError(
            f"Expected {path} to answer logits from a Dense layer without activation, found "
            f"{type(last).__name__} {getattr(last, 'activation', '')}."
        )
    return network


def logits_of(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns float32 (n, k): what a network answers to images, uint8 (n, 48, 48), in inference."""
    answers = model.predict(images[..., None], batch_size=256, verbose=0)
    return np.asarray(answers, np.float32)


class KerasRunner:
    """The float predictor: a trained network, answering probabilities one batch at a time."""

    def __init__(self, network: keras.Model) -> None:
        """Wraps a network that answers logits, uint8 (n, 48, 48, 1) to (n, k)."""
        self._network = network
        self.delegate: str = import_keras().backend.backend()
        self._input = np.zeros(INPUT_SHAPE, np.uint8)
        self._output = np.zeros(0, np.float32)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns the input for one face, uint8 (48, 48)."""
        return image[None, ..., None]

    def set_input(self, values: NDArray[np.uint8]) -> None:
        """Sets the input of `invoke`."""
        self._input = values

    def invoke(self) -> None:
        """Runs once on the input that was set."""
        self._output = np.asarray(self._network.predict_on_batch(self._input))[0]

    def get_output(self) -> NDArray[np.float32]:
        """Returns the logits of the last run."""
        return self._output

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns float32 (n, k) for faces, uint8 (n, 48, 48)."""
        return softmax(logits_of(self._network, images)).astype(np.float32)
