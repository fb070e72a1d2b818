"""What a network costs: parameters, multiply-accumulates and activation memory, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LayerCost:
    """What one layer holds and does for one image.

    Attributes:
        name: Of the layer.
        kind: Of the layer, as Keras calls it.
        output: Shape of its output, without the batch.
        n_parameters: Values that training sets or keeps, batch-norm statistics included.
        macs: Multiply-accumulates.
        activation_bytes: Inputs and output alive while it runs, one byte a value (int8).
    """

    name: str
    kind: str
    output: tuple[int, ...]
    n_parameters: int
    macs: int
    activation_bytes: int


def layer_costs(model: keras.Model) -> list[LayerCost]:
    """Returns the cost of each layer of a functional network, in order."""
    return [_layer_cost(layer) for layer in model.layers if layer.name != "image"]


def _layer_cost(layer: Any) -> LayerCost:
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    shapes = [tuple(tensor.shape[1:]) for tensor in (*inputs, layer.output)]
    return LayerCost(
        name=layer.name,
        kind=type(layer).__name__,
        output=shapes[-1],
        n_parameters=layer.count_params(),
        macs=_macs(layer, shapes[-1]),
        activation_bytes=sum(math.prod(shape) for shape in shapes),
    )


def _macs(layer: Any, output: tuple[int, ...]) -> int:
    """Returns multiply-accumulates: each output value sums over one kernel's worth of inputs."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    if type(layer).__name__ == "DepthwiseConv2D":
        return math.prod(output) * int(math.prod(kernel.shape[:2]))
    return math.prod(output) * int(math.prod(kernel.shape[:-1]))
