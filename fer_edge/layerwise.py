"""A deployed network as a list of steps, so that it can be run one layer at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import INPUT_SHAPE
from fer_edge.keras_network import import_keras

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Slot:
    """Where a tensor is found: 0 is the image, n what the n-th step answers."""

    number: int


@dataclass(frozen=True)
class Step:
    """One layer or operation at work; an activation inside a layer is a step of its own.

    Attributes:
        layer: A copy of the network's own, with its weights.
        arguments: Positional and named ones, a `Slot` for each tensor.
        slot: Number of the one that its answer fills.
        last: Slots that no later step reads.
    """

    layer: Any
    arguments: tuple[Any, Any]
    slot: int
    last: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of the slots that it reads."""
        leaves = import_keras().tree.flatten(self.arguments)
        return tuple(leaf.number for leaf in leaves if isinstance(leaf, Slot))


def trace(deployed: keras.Model) -> list[Step]:
    """Returns a deployed network's steps in an order in which they can run, for any batch."""
    keras = import_keras()
    slots: dict[int, Slot] = {}
    steps: list[Step] = []

    def add(layer: Any, *args: Any, **kwargs: Any) -> Any:
        answer = layer(*args, **kwargs)
        arguments = keras.tree.map_structure(lambda leaf: slots.get(id(leaf), leaf), (args, kwargs))
        steps.append(Step(layer, arguments, len(steps) + 1))
        slots[id(answer)] = Slot(len(steps))
        return answer

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        activation = getattr(layer, "activation", keras.activations.linear)
        is_fused = activation is not keras.activations.linear and has_weights(layer)
        if not is_fused:
            return add(layer, *args, **kwargs)
        layer.activation = keras.activations.linear
        name = f"{layer.name}_activation"
        plain = activation is keras.activations.relu
        layers = keras.layers
        behind = layers.ReLU(name=name) if plain else layers.Activation(activation, name=name)
        return add(behind, add(layer, *args, **kwargs))

    def clone(layer: Any) -> Any:
        copy = type(layer).from_config(layer.get_config())
        if has_weights(layer):
            copy.build(layer.input.shape)
            copy.set_weights(layer.get_weights())
            copy.trainable = False
        return copy

    image = keras.Input(INPUT_SHAPE[1:], name="image")
    slots[id(image)] = Slot(0)
    keras.models.clone_model(
        deployed, input_tensors=image, clone_function=clone, call_function=call
    )
    last = {source: step.slot for step in steps for source in step.sources}
    return [
        dataclasses.replace(step, last=tuple(slot for slot in last if last[slot] == step.slot))
        for step in steps
    ]


def run_steps(steps: list[Step], image: Any, visit: Callable[..., Any]) -> Any:
    """Returns what the last step answers.

    Args:
        steps: In order.
        image: What the first slot holds.
        visit: Gets a step and its arguments, slots replaced by what they hold, and returns what
            the step's slot shall hold.
    """
    held: dict[int, Any] = {0: image}
    answer = image
    for step in steps:
        args, kwargs = import_keras().tree.map_structure(
            lambda leaf: held[leaf.number] if isinstance(leaf, Slot) else leaf, step.arguments
        )
        answer = held[step.slot] = visit(step, *args, **kwargs)
        for slot in step.last:
            del held[slot]
    return answer


def measure_answers(
    steps: list[Step], images: NDArray[np.uint8], measure: Callable[[Any], Any]
) -> dict[str, Any]:
    """Returns what `measure` says of each step's answer to images, uint8 (n, 48, 48)."""
    found = {}

    def visit(step: Step, *inputs: Any, **options: Any) -> Any:
        answer = step.layer(*inputs, **options)
        found[step.name] = measure(answer)
        return answer

    run_steps(steps, as_input(images), visit)
    return found


def as_input(images: NDArray[np.uint8]) -> Any:
    """Returns images, uint8 (n, 48, 48), as a deployed network takes them."""
    return import_keras().ops.convert_to_tensor(images[..., None].astype(np.float32))


def with_weights(deployed: keras.Model, steps: list[Step]) -> keras.Model:
    """Returns a copy of a deployed network with the steps' weights."""
    copy = import_keras().models.clone_model(deployed)
    for step in steps:
        if has_weights(step.layer):
            copy.get_layer(step.name).set_weights(step.layer.get_weights())
    return copy


def has_kernel(step: Step) -> bool:
    """Tells whether a step is a plain convolution or dense layer, with a bias.

    Groups, dilation and several answers a channel are left to the converter.
    """
    layer, layers = step.layer, import_keras().layers
    if isinstance(layer, layers.Dense):
        return bool(layer.use_bias)
    if not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D) or not layer.use_bias:
        return False
    multiplier = getattr(layer, "depth_multiplier", 1)
    groups = 1 if is_depthwise(layer) else layer.groups
    return bool(groups == multiplier == 1 and set(layer.dilation_rate) == {1})


def has_weights(layer: Any) -> bool:
    """Tells whether a layer has weights; an operation of `keras.ops` has none."""
    return bool(getattr(layer, "weights", ()))


def is_depthwise(layer: Any) -> bool:
    """Tells whether a layer is a depthwise convolution."""
    return isinstance(layer, import_keras().layers.DepthwiseConv2D)


def channel_axes(tensor: Any) -> tuple[int, ...]:
    """Returns all axes of a tensor but the last."""
    return tuple(range(len(tensor.shape) - 1))
