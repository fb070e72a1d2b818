"""The network: a ladder of depthwise-separable nets as tables of layers, in backend-neutral Keras.

`model_cost` says what a network costs, `deploy` makes the form of it that is converted. Nothing
here knows data sets.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_edge import classics
from fer_edge.contract import INPUT_SHAPE
from fer_edge.errors import ConfigError
from fer_edge.keras_network import import_keras
from fer_edge.recipe import Precision, StartWeights

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


@dataclass(frozen=True)
class Residual:
    """Two dense 3x3 convolutions with a shortcut, which is a 1x1 where the shape changes.

    Source: He et al., Identity Mappings and Residual Networks, arXiv:1512.03385.
    """

    channels: int
    stride: int = 1


Layer = Conv | Block | Residual

# Few wide blocks after a dense stem that halves at once: in int8 on a CPU the operator count and
# the layers at 48 x 48 set the time (a stride-1 stem alone doubles it), and every output channel
# costs about 28 bytes of scales beside its weights. The sizes are those after the layer.
ARCHITECTURES: dict[str, tuple[Layer, ...]] = {
    "nano": (
        Conv(16, stride=2),  # 24 x 24
        Conv(32, stride=2),  # 12 x 12
        Block(32, expand=2),
        Block(32, expand=2),
        Block(64, stride=2, expand=3),  # 6 x 6
        Block(64, expand=3),
        Conv(176, kernel=1),
    ),
    "small": (
        Conv(16, stride=2),  # 24 x 24
        Conv(24),
        Block(56, stride=2),  # 12 x 12
        Block(56, expand=3),
        Block(112, stride=2),  # 6 x 6
        Block(112, expand=3),
        Block(112, expand=3),
        Conv(384, kernel=1),
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

# What the ladder's students learn from: dense, too large for the edge.
TEACHERS: dict[str, tuple[Layer, ...]] = {
    "teacher": (
        Conv(32),  # 48 x 48
        Conv(64, stride=2),  # 24 x 24
        Residual(64),
        Residual(128, stride=2),  # 12 x 12
        Residual(128),
        Residual(256, stride=2),  # 6 x 6
        Residual(256),
    ),
}

ALL_NAMES = (*ARCHITECTURES, *TEACHERS, "elu-cnn", "vgg16")

# Powers of two are exact when the scale is folded into the first kernel. No offset: zero padding
# would then no longer mean black, and the fold would be wrong at the border.
PIXEL_SCALE = 1 / 128
NORM_MOMENTUM = 0.9  # Keras's 0.99 needs hundreds of steps, which small data sets do not have
DEPTHWISE_STDDEV = 1 / 3  # fan-in 9; Keras's default counts channels in and starts far too small


@dataclass(frozen=True)
class TrainingForm:
    """How a network that is being trained differs from the one that is kept.

    It takes images of any side, uses the backend's fused batch-norm where it has one, and has the
    kept one's layers under the same names.

    Attributes:
        precision: Of activations: `float32`, or `mixed_bfloat16` with weights in float32, which
            halves the time of dense networks on CPUs with AMX and on accelerators.
        auxiliary: A second head as wide as the first, answered behind it.
    """

    precision: Precision = "float32"
    auxiliary: bool = False


def build_model(
    arch: str,
    n_classes: int = 7,
    *,
    dropout: float = 0.2,
    seed: int = 0,
    weights: StartWeights = "none",
    form: TrainingForm | None = None,
) -> keras.Model:
    """Builds a network that answers logits.

    Args:
        arch: A name in `ALL_NAMES`.
        n_classes: How many emotions it tells apart.
        dropout: Share of the last features that is dropped in training.
        seed: Of the initial weights and of dropout.
        weights: `imagenet` freezes `vgg16` at ImageNet's weights; the others know only `none`.
        form: Of a network that is only trained and never saved; None is the one that is kept.

    Returns:
        uint8 (n, 48, 48, 1), 0-255, to float32 (n, n_classes) logits; in training form
        uint8 (n, side, side, 1), and with an auxiliary head (n, 2 n_classes).

    Raises:
        ConfigError: There is no such architecture, or no such weights for it.
    """
    if arch not in ALL_NAMES:
        raise ConfigError(
            f"There is no architecture {arch!r}. Expected one of {', '.join(ALL_NAMES)}."
        )
    if weights != "none" and arch != "vgg16":
        raise ConfigError(f"Only vgg16 starts from ImageNet's weights; {arch} takes weights none.")
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    shape = INPUT_SHAPE[1:] if form is None else (None, None, INPUT_SHAPE[-1])
    inputs = keras.Input(shape, dtype="uint8", name="image")
    with _precision("float32" if form is None else form.precision):
        x = _features(arch, inputs, weights, seed, _norm_layer(form))  # (n, channels)
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    answers = keras.layers.Dense(n_classes, name="logits")(x)
    if form is not None and form.auxiliary:
        auxiliary = keras.layers.Dense(n_classes, name="auxiliary")(x)
        answers = keras.layers.Concatenate(name="heads")([answers, auxiliary])
    return keras.Model(inputs, answers, name=arch)


def _features(arch: str, inputs: Any, weights: StartWeights, seed: int, norm: Any) -> Any:
    """Returns (n, channels): what a network's body makes of images, uint8."""
    layers = import_keras().layers
    if arch == "vgg16":
        return classics.vgg16(inputs, weights, seed)
    x = layers.Rescaling(PIXEL_SCALE, name="scale")(inputs)
    if arch == "elu-cnn":
        return classics.elu_cnn(x, norm)
    build: dict[type, Any] = {Conv: _conv, Block: _block, Residual: _residual}
    for number, layer in enumerate((ARCHITECTURES | TEACHERS)[arch], start=1):
        x = build[type(layer)](x, layer, f"layer{number}", norm)
    return layers.GlobalAveragePooling2D(name="pool")(x)


def _conv(x: Any, conv: Conv, name: str, norm: Any) -> Any:
    """Dense convolution, batch-norm, ReLU6."""
    x = _linear_conv(x, conv, name, norm)
    return import_keras().layers.ReLU(max_value=6.0, name=f"{name}_relu")(x)


def _linear_conv(x: Any, conv: Conv, name: str, norm: Any) -> Any:
    """Dense convolution, batch-norm."""
    x = import_keras().layers.Conv2D(
        conv.channels,
        conv.kernel,
        strides=conv.stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return norm(name=f"{name}_norm")(x)


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
        dtype="float32",  # its gradient in bfloat16 is five times as slow on a CPU
        name=f"{name}_depthwise",
    )(x)
    x = norm(name=f"{name}_depthwise_norm")(x)
    x = keras.layers.ReLU(max_value=6.0, name=f"{name}_depthwise_relu")(x)
    x = keras.layers.Conv2D(
        block.channels,
        1,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_project",
    )(x)
    x = norm(name=f"{name}_project_norm")(x)
    if block.stride == 1 and block.channels == channels_in:
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _residual(x: Any, block: Residual, name: str, norm: Any) -> Any:
    """Two convolutions, added to the input, ReLU6."""
    layers = import_keras().layers
    shortcut = x
    if block.stride != 1 or block.channels != int(x.shape[-1]):
        shortcut = _linear_conv(x, Conv(block.channels, block.stride, 1), f"{name}_shortcut", norm)
    x = _conv(x, Conv(block.channels, block.stride), f"{name}_first", norm)
    x = _linear_conv(x, Conv(block.channels), f"{name}_second", norm)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(x)


@contextmanager
def _precision(policy: Precision) -> Iterator[None]:
    """Makes layers that are built inside compute in a precision."""
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _norm_layer(form: TrainingForm | None) -> Any:
    """Returns what makes a batch-norm layer of a name."""
    keras = import_keras()
    norm = keras.layers.BatchNormalization
    if form is not None and keras.backend.backend() == "tensorflow":
        from fer_edge.batch_norm import FusedBatchNormalization

        norm = FusedBatchNormalization
    return functools.partial(norm, momentum=NORM_MOMENTUM)
