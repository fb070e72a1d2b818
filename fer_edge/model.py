"""The network: a ladder of depthwise-separable nets as tables of layers, in backend-neutral Keras.

Also here, because it needs Keras: loading, and the float predictor. `model_cost` says what a
network costs, `deploy` makes the form of it that is converted. Nothing here knows data sets.
"""

from __future__ import annotations

import logging
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import INPUT_SHAPE
from fer_edge.errors import ConfigError, MissingExtraError, ModelFormatError
from fer_edge.metrics import softmax
from fer_edge.quiet import quiet_stderr

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Conv:
    """A dense convolution, batch-norm, ReLU6."""

    channels: int
    stride: int = 1
    kernel: int = 3


@dataclass(frozen=True)
class Block:
    """An inverted residual with a linear bottleneck; the shortcut exists where shapes allow.

    1x1 to `expand` times the input's channels, depthwise, 1x1 to `channels`.
    Source: Sandler et al., MobileNetV2, arXiv:1801.04381.
    """

    channels: int
    stride: int = 1
    expand: int = 4
    kernel: int = 3


# Few wide blocks after a dense stem that halves at once: in int8 on a CPU the operator count and
# the layers at 48 x 48 set the time (a stride-1 stem alone doubles it), and every output channel
# costs about 28 bytes of scales beside its weights. The sizes are those after the layer.
ARCHITECTURES: dict[str, tuple[Conv | Block, ...]] = {
    "nano": (
        Conv(16, stride=2),  # 24 x 24
        Conv(32, stride=2),  # 12 x 12
        Block(32, expand=2),
        Block(56, stride=2, expand=3),  # 6 x 6
        Block(56, expand=3),
        Conv(160, kernel=1),
    ),
    "small": (
        Conv(16, stride=2),  # 24 x 24
        Conv(24),
        Block(56, stride=2),  # 12 x 12
        Block(56, expand=3),
        Block(96, stride=2),  # 6 x 6
        Block(96, expand=3),
        Block(96, expand=3),
        Conv(320, kernel=1),
    ),
    "base": (
        Conv(24, stride=2),  # 24 x 24
        Conv(48),
        Block(96, stride=2),  # 12 x 12
        Block(96),
        Block(96),
        Block(160, stride=2),  # 6 x 6
        Block(160),
        Block(160),
        Conv(512, kernel=1),
    ),
}

# Powers of two are exact when the scale is folded into the first kernel. No offset: zero padding
# would then no longer mean black, and the fold would be wrong at the border.
PIXEL_SCALE = 1 / 128
NORM_MOMENTUM = 0.9  # Keras's 0.99 needs hundreds of steps, which small data sets do not have
DEPTHWISE_STDDEV = 1 / 3  # fan-in 9; Keras's default counts channels in and starts far too small


def import_keras() -> Any:
    """Returns the keras module.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    if (loaded := sys.modules.get("keras")) is not None:
        return loaded
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with quiet_stderr():
            import keras
    except ImportError as exc:
        raise MissingExtraError("keras", needed_for="training and float networks") from exc
    return keras


def build_model(
    arch: str,
    n_classes: int = 7,
    *,
    dropout: float = 0.2,
    seed: int = 0,
    fast_training: bool = False,
) -> keras.Model:
    """Builds a network that answers logits.

    Args:
        arch: A name in `ARCHITECTURES`.
        n_classes: How many emotions it tells apart.
        dropout: Share of the pooled features that is dropped in training.
        seed: Of the initial weights and of dropout.
        fast_training: Use the backend's fused batch-norm where it has one. Same weights, in the
            same order; but a network that is to be saved wants Keras's own layers.

    Returns:
        uint8 (n, 48, 48, 1), 0-255, to float32 (n, n_classes) logits.

    Raises:
        ConfigError: There is no such architecture.
    """
    if arch not in ARCHITECTURES:
        raise ConfigError(
            f"There is no architecture {arch!r}. Expected one of {', '.join(ARCHITECTURES)}."
        )
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    norm = _norm_layer(fast_training)
    inputs = keras.Input(INPUT_SHAPE[1:], dtype="uint8", name="image")
    x = keras.layers.Rescaling(PIXEL_SCALE, name="scale")(inputs)
    for number, layer in enumerate(ARCHITECTURES[arch], start=1):
        name = f"layer{number}"
        x = _conv(x, layer, name, norm) if isinstance(layer, Conv) else _block(x, layer, name, norm)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)  # (n, channels)
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    logits = keras.layers.Dense(n_classes, name="logits")(x)
    return keras.Model(inputs, logits, name=arch)


def _conv(x: Any, conv: Conv, name: str, norm: Any) -> Any:
    """Dense convolution, batch-norm, ReLU6."""
    layers = import_keras().layers
    x = layers.Conv2D(
        conv.channels,
        conv.kernel,
        strides=conv.stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = norm(momentum=NORM_MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(x)


def _block(x: Any, block: Block, name: str, norm: Any) -> Any:
    """Expand, depthwise, project; added to its input where the shape stays."""
    keras = import_keras()
    shortcut, channels_in = x, int(x.shape[-1])
    x = _conv(x, Conv(channels_in * block.expand, kernel=1), f"{name}_expand", norm)
    x = keras.layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.RandomNormal(stddev=DEPTHWISE_STDDEV),
        name=f"{name}_depthwise",
    )(x)
    x = norm(momentum=NORM_MOMENTUM, name=f"{name}_depthwise_norm")(x)
    x = keras.layers.ReLU(max_value=6.0, name=f"{name}_depthwise_relu")(x)
    x = keras.layers.Conv2D(
        block.channels,
        1,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_project",
    )(x)
    x = norm(momentum=NORM_MOMENTUM, name=f"{name}_project_norm")(x)
    if block.stride == 1 and block.channels == channels_in:
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _norm_layer(fast_training: bool) -> Any:
    """Returns the class of batch-norm to build with."""
    keras = import_keras()
    if fast_training and keras.backend.backend() == "tensorflow":
        from fer_edge.batch_norm import FusedBatchNormalization

        return FusedBatchNormalization
    return keras.layers.BatchNormalization


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
