"""Range equalisation: channels that share an int8 scale are given ranges of like size.

A tensor's channels are quantized with one scale, so one wide channel leaves few levels to the
others. A positive factor a channel can be multiplied into the kernels that make a tensor and taken
out of those that read it, without a change of the function: through ReLU too, and through ReLU6 as
long as nothing new reaches its 6.
Source of that identity: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias
Correction, arXiv:1906.04721, section 4.1. There the kernels' ranges are balanced; here those of
the activations are, on the calibration sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.keras_network import import_keras
from fer_edge.layerwise import (
    Step,
    channel_axes,
    has_kernel,
    is_depthwise,
    measure_answers,
    trace,
    with_weights,
)

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]

MARGIN = 1.05  # of room that is left under ReLU6's 6, for images that the sample lacks
SILENT = 0.2  # of a largest magnitude: the sample hardly shows such a channel, so it is left alone
SMALLEST_SHARE = 0.02  # of the widest channel's range: what is below is scaled like this


@dataclass(frozen=True)
class Group:
    """Tensors whose channels have to keep one common factor, since they are added or passed on.

    Attributes:
        members: The steps that answer them.
        consumers: The steps that read them.
    """

    members: tuple[Step, ...]
    consumers: tuple[Step, ...]

    @property
    def producers(self) -> list[Step]:
        """The members that have a kernel."""
        return [step for step in self.members if has_kernel(step)]

    @property
    def cap(self) -> float | None:
        """What the members' ReLUs are clipped at; None without one that clips."""
        caps = [
            step.layer.max_value
            for step in self.members
            if isinstance(step.layer, import_keras().layers.ReLU)
        ]
        return min((float(cap) for cap in caps if cap is not None), default=None)


def equalize(deployed: keras.Model, images: NDArray[np.uint8]) -> keras.Model:
    """Returns the same function with channels of like range.

    Where a clipped ReLU stands before a depthwise kernel, channels grow until they nearly reach
    its cap; what is not clipped is scaled by the inverse root of each channel's share of the
    widest. On images whose activations are over `MARGIN` times the sample's, a channel that has
    grown is clipped a little earlier than before.

    Args:
        deployed: float32 (1, 48, 48, 1) to probabilities, batch-norm folded; left as it is.
        images: The calibration sample, uint8 (n, 48, 48).
    """
    steps = trace(deployed)
    largest = max_magnitudes(steps, images)
    for group in find_groups(steps):
        factors = _factors(group, largest)
        if factors is None:
            continue
        for step in group.producers:
            kernel, bias = step.layer.get_weights()
            by_channel = factors[:, None] if is_depthwise(step.layer) else factors
            step.layer.set_weights([kernel * by_channel, bias * factors])
        for step in group.consumers:
            kernel, bias = step.layer.get_weights()
            step.layer.set_weights([kernel / factors[:, None], bias])
    return with_weights(deployed, steps)


def find_groups(steps: list[Step]) -> list[Group]:
    """Returns the groups of tensors that kernels make and nothing but kernels read."""
    leader = list(range(len(steps) + 1))  # of each slot

    def find(slot: int) -> int:
        return slot if leader[slot] == slot else find(leader[slot])

    for step in filter(_passes_on, steps):
        for source in step.sources:
            leader[find(source)] = find(step.slot)
    members: dict[int, list[int]] = {}
    for slot in range(len(steps) + 1):
        members.setdefault(find(slot), []).append(slot)
    groups = []
    for slots in members.values():
        made = [steps[slot - 1] for slot in slots if slot]
        readers = [s for s in steps if set(s.sources) & set(slots) and s not in made]
        # A kernel that reads its own group is a maker, and what it reads would stay scaled.
        loops = any(has_kernel(s) and set(s.sources) & set(slots) for s in made)
        whole = 0 not in slots and not loops and all(has_kernel(s) or _passes_on(s) for s in made)
        if whole and readers and all(map(has_kernel, readers)):
            groups.append(Group(tuple(made), tuple(readers)))
    return groups


def max_magnitudes(steps: list[Step], images: NDArray[np.uint8]) -> dict[str, Floats]:
    """Returns (channels,) for each step: the largest magnitude that images, uint8, give it."""
    ops = import_keras().ops

    def largest(answer: Any) -> Floats:
        top = ops.max(ops.abs(answer), axis=channel_axes(answer))
        return np.asarray(ops.convert_to_numpy(top), np.float64)

    return measure_answers(steps, images, largest)


def _factors(group: Group, largest: dict[str, Floats]) -> Floats | None:
    """Returns (channels,) factors over zero; None where a group is better left alone."""
    relu = import_keras().layers.ReLU
    if group.cap is not None:
        if not all(is_depthwise(step.layer) for step in group.consumers):
            return None
        clipped = [largest[step.name] for step in group.members if isinstance(step.layer, relu)]
        top = np.max(clipped, axis=0)
        room = np.maximum(group.cap / MARGIN / np.maximum(top, SILENT), 1.0)
        return np.where(top < SILENT, 1.0, room)
    shares = [largest[s.name] / max(largest[s.name].max(), 1e-6) for s in group.members]
    return np.asarray(np.maximum(np.max(shares, axis=0), SMALLEST_SHARE) ** -0.5)


def _passes_on(step: Step) -> bool:
    """Tells whether a step's channels keep a factor that its inputs' channels have."""
    layer, layers = step.layer, import_keras().layers
    if isinstance(layer, layers.ReLU):
        return not layer.negative_slope and not layer.threshold
    return isinstance(layer, layers.Add | layers.GlobalAveragePooling2D | layers.MaxPooling2D)
