"""Networks that the field's tutorials use, to stand beside ours: `elu-cnn` and `vgg16`.

They are made for comparison: trained, exported and measured as any other, never shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fer_edge.errors import ConfigError
from fer_edge.keras_network import import_keras
from fer_edge.recipe import StartWeights


@dataclass(frozen=True)
class EluConv:
    """A dense 3x3 convolution, ELU, batch-norm, in the order of the classic notebooks."""

    channels: int


@dataclass(frozen=True)
class Pool:
    """2x2 max-pooling, then dropout."""

    dropout: float


# Six convolutions and a dense layer; the sizes are those after the layer.
# Source: Clevert et al., arXiv:1511.07289, for ELU; the stack is the notebooks' common ground.
ELU_CNN: tuple[EluConv | Pool, ...] = (
    EluConv(32),  # 48 x 48
    EluConv(32),
    Pool(0.2),  # 24 x 24
    EluConv(64),
    EluConv(64),
    Pool(0.3),  # 12 x 12
    EluConv(128),
    EluConv(128),
    Pool(0.4),  # 6 x 6
)
ELU_CNN_UNITS = 128

# What VGG16's authors subtracted from blue, green and red, 0-255.
# Source: Simonyan and Zisserman, arXiv:1409.1556, section 2.1.
IMAGENET_MEAN = (103.939, 116.779, 123.68)
SCALE = 1 / 64  # to a standard deviation of about one, whatever the weights


def elu_cnn(image: Any, norm: Any) -> Any:
    """Returns (n, 128) features of scaled images, (n, 48, 48, 1)."""
    layers = import_keras().layers
    x = image
    for number, layer in enumerate(ELU_CNN, start=1):
        if isinstance(layer, EluConv):
            name = f"layer{number}"
            x = layers.Conv2D(
                layer.channels,
                3,
                padding="same",
                kernel_initializer="he_normal",
                name=f"{name}_conv",
            )(x)
            x = layers.ELU(name=f"{name}_elu")(x)
            x = norm(name=f"{name}_norm")(x)
        else:
            x = layers.MaxPooling2D(name=f"pool{number}")(x)
            x = layers.Dropout(layer.dropout, name=f"dropout{number}")(x)
    x = layers.Flatten(name="flatten")(x)  # (n, 4608)
    x = layers.Dense(ELU_CNN_UNITS, kernel_initializer="he_normal", name="dense")(x)
    return layers.ELU(name="dense_elu")(x)


def vgg16(image: Any, weights: StartWeights, seed: int) -> Any:
    """Returns (n, 512) features of images, (n, 48, 48, 1), 0-255.

    With ImageNet's weights VGG16 is a frozen feature extractor; without, all of it is trained.
    From Keras's own start thirteen layers without batch-norm do not learn (25.5% after an epoch):
    then kernels start as He et al. derived for such networks, arXiv:1502.01852, section 2.2.

    Raises:
        ConfigError: Keras can neither find nor download the weights.
    """
    keras = import_keras()
    x = keras.layers.Concatenate(name="blue_green_red")([image, image, image])
    x = keras.layers.Rescaling(SCALE, [-mean * SCALE for mean in IMAGENET_MEAN], name="centre")(x)
    imagenet = weights == "imagenet"
    try:
        network = keras.applications.VGG16(
            include_top=False, weights=weights if imagenet else None, input_tensor=x
        )
    except Exception as exc:  # Keras's downloader raises nothing narrower
        if not isinstance(exc.__context__, OSError):
            raise
        raise ConfigError(
            f"Keras cannot get VGG16's ImageNet weights: {exc}. Go online once (Keras keeps them "
            "in ~/.keras/models), or train VGG16 from scratch with --weights none."
        ) from exc
    for number, layer in enumerate(network.layers):
        layer.trainable = not imagenet
        if isinstance(layer, keras.layers.Conv2D) and not imagenet:
            start = keras.initializers.HeNormal(seed=seed + number)
            layer.kernel.assign(start(layer.kernel.shape))
    if imagenet:  # its first kernel expects the pixels as they are
        first = network.get_layer("block1_conv1").kernel
        first.assign(first / SCALE)
    return keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
