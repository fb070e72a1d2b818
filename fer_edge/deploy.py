"""From the trained network to the deployed one: batch-norm and scaling folded in, softmax added.

The one place where this happens. Every converter receives the same small graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import INPUT_SHAPE
from fer_edge.errors import ConversionError
from fer_edge.keras_network import import_keras, logits_of
from fer_edge.metrics import softmax

if TYPE_CHECKING:
    import keras

PIXEL_SCALE_LAYER = "scale"
FOLD_TOLERANCE = 1e-4  # of a probability, between the trained and the deployed network


def fold(model: keras.Model) -> keras.Model:
    """Returns the deployed network: the same function, small enough to convert anywhere.

    Batch-norm and the pixel scale go into the convolutions, dropout goes, softmax comes.

    Args:
        model: A network that answers logits, from `build_model` or trained with it.

    Returns:
        float32 (1, 48, 48, 1), 0-255, to float32 (1, n_classes) probabilities. The batch is
        static: runtimes plan their memory for it, and LiteRT.js takes no other.
    """
    keras = import_keras()
    norms = {_producer(layer).name: layer for layer in model.layers if _follows_conv(layer)}
    scales = {
        _consumer(model, layer).name: layer.scale
        for layer in model.layers
        if layer.name == PIXEL_SCALE_LAYER
    }
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    gone = {PIXEL_SCALE_LAYER, *(layer.name for layer in [*norms.values(), *dropouts])}

    def clone(layer: Any) -> Any:
        config = layer.get_config() | ({"use_bias": True} if layer.name in norms else {})
        return type(layer).from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.layers.ELU):
            return _elu_in_parts(args[0])
        return args[0] if layer.name in gone else layer(*args, **kwargs)

    image = keras.Input(batch_shape=INPUT_SHAPE, name="image")
    body = keras.models.clone_model(
        model, input_tensors=image, clone_function=clone, call_function=call
    )
    for layer in body.layers:
        if layer.weights:
            source = model.get_layer(layer.name)
            scale = scales.get(layer.name, 1.0)
            layer.set_weights(_folded_weights(source, norms.get(layer.name), scale))
    probabilities = keras.layers.Softmax(name="probabilities")(body.output)
    return keras.Model(image, probabilities, name=f"{model.name}_deployed")


def check_fold(network: Any, deployed: Any, images: NDArray[np.uint8]) -> float:
    """Returns the largest difference of a probability between a network and its deployed form.

    Raises:
        ConversionError: It is over the tolerance.
    """
    reference = softmax(logits_of(network, images))
    error = float(np.abs(reference - deployed_probabilities(deployed, images)).max())
    if not error <= FOLD_TOLERANCE:
        raise ConversionError(
            f"Folding batch-norm changed a probability by {error:.2g}; expected at most "
            f"{FOLD_TOLERANCE:g}. The network has layers that cannot be folded as they are."
        )
    return error


def _folded_weights(layer: Any, norm: Any | None, scale: float) -> list[NDArray[np.float64]]:
    """Returns a layer's weights with what follows (batch-norm) and precedes (scale) folded in.

    y = gamma (W x s + b - mean) / sqrt(variance + epsilon) + beta is a convolution itself.
    Source: Jacob et al., arXiv:1712.05877, section 3.2.
    """
    kernel, *bias = [np.asarray(w, np.float64) for w in layer.get_weights()]
    kernel = kernel * scale
    if norm is None:
        return [kernel, *bias]
    gamma, beta, mean, variance = [np.asarray(w, np.float64) for w in norm.get_weights()]
    factor = gamma / np.sqrt(variance + norm.epsilon)  # one an output channel
    by_channel = factor[:, None] if type(layer).__name__ == "DepthwiseConv2D" else factor
    return [kernel * by_channel, beta + ((bias[0] if bias else 0) - mean) * factor]


def _elu_in_parts(x: Any) -> Any:
    """Returns ELU of x from parts that TensorFlow Lite can quantize; ELU itself it leaves in float.

    The negative part is a difference and no minimum: that has one scale for input and output, which
    clips what the convolution in front answers to values under zero.
    """
    ops = import_keras().ops
    positive = ops.relu(x)
    return positive + (ops.exp(x - positive) - 1.0)


def _follows_conv(layer: Any) -> bool:
    """Tells whether a layer is a batch-norm right behind a linear convolution."""
    layers = import_keras().layers
    if not isinstance(layer, layers.BatchNormalization):
        return False
    producer = _producer(layer)
    convolution = isinstance(producer, layers.Conv2D | layers.DepthwiseConv2D)
    return convolution and producer.activation.__name__ == "linear"


def _producer(layer: Any) -> Any:
    return layer.input._keras_history.operation


def _consumer(model: Any, layer: Any) -> Any:
    """Returns the one layer that reads another's output."""
    consumers = [other for other in model.layers if other is not layer and _reads(other, layer)]
    if len(consumers) != 1:
        raise ConversionError(
            f"Expected one layer behind {layer.name}, found {len(consumers)}: its scale cannot be "
            "folded."
        )
    return consumers[0]


def _reads(reader: Any, layer: Any) -> bool:
    inputs = reader.input if isinstance(reader.input, list) else [reader.input]
    return any(tensor is layer.output for tensor in inputs)


def deployed_probabilities(deployed: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns float32 (n, k): what a deployed network, whose batch is one, answers to images."""
    answers = [
        deployed(image[None, ..., None].astype(np.float32), training=False) for image in images
    ]
    return np.concatenate([import_keras().ops.convert_to_numpy(answer) for answer in answers])
