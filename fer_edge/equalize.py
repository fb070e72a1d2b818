"""Weight-range equalisation: channels that share an int8 step are given ranges of like size.

A tensor's channels are quantized in one step, so one wide channel makes the steps of all the others
coarse. A positive factor a channel can be multiplied into the kernels that make a tensor and taken
out of those that read it, without a change of the function: through ReLU too, and through ReLU6 as
long as nothing new reaches its 6.
Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction,
arXiv:1906.04721, section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.keras_network import import_keras
from fer_edge.layerwise import (
    Step,
    as_input,
    has_kernel,
    is_depthwise,
    run_steps,
    trace,
    with_weights,
)

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]

MARGIN = 1.05  # of room that is left under ReLU6's 6, for images that the sample lacks
LARGEST = 64.0  # factor under ReLU6: a channel that is all but silent stays small
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


def equalize(deployed: keras.Model, images: NDArray[np.uint8]) -> keras.Model:
    """Returns the same function with channels of like range.

    Where ReLU6 stands before a depthwise kernel, channels grow until they reach its 6; what blocks
    hand on to each other is scaled by the inverse root of each channel's share of the widest.

    Args:
        deployed: float32 (1, 48, 48, 1) to probabilities, batch-norm folded; left as it is.
        images: The calibration sample, uint8 (n, 48, 48).
    """
    steps = trace(deployed)
    reach = channel_reach(steps, images)
    for group in find_groups(steps):
        factors = _factors(group, reach)
        if factors is None:
            continue
        for step in group.producers:
            kernel, bias = step.layer.get_weights()
            wide = factors[:, None] if is_depthwise(step.layer) else factors
            step.layer.set_weights([kernel * wide, bias * factors])
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
        whole = 0 not in slots and all(has_kernel(s) or _passes_on(s) for s in made)
        if whole and readers and all(map(has_kernel, readers)):
            groups.append(Group(tuple(made), tuple(readers)))
    return groups


def channel_reach(steps: list[Step], images: NDArray[np.uint8]) -> dict[str, Floats]:
    """Returns (channels,) for each step: the largest magnitude that images, uint8, give it."""
    reach = {}

    def visit(step: Step, *inputs: Any, **options: Any) -> Any:
        answer = step.layer(*inputs, **options)
        values = np.abs(np.asarray(import_keras().ops.convert_to_numpy(answer), np.float64))
        reach[step.name] = values.max(axis=tuple(range(values.ndim - 1)))
        return answer

    run_steps(steps, as_input(images), visit)
    return reach


def _factors(group: Group, reach: dict[str, Floats]) -> Floats | None:
    """Returns (channels,) factors over zero; None where a group is better left alone."""
    clipped = [s for s in group.members if isinstance(s.layer, import_keras().layers.ReLU)]
    if clipped:
        if not all(is_depthwise(step.layer) for step in group.consumers):
            return None
        top = np.max([reach[step.name] for step in clipped], axis=0)
        return np.asarray(np.clip(6.0 / MARGIN / np.maximum(top, 1e-6), 1.0, LARGEST))
    shares = [reach[s.name] / max(reach[s.name].max(), 1e-6) for s in group.members]
    return np.asarray(np.maximum(np.max(shares, axis=0), SMALLEST_SHARE) ** -0.5)


def _passes_on(step: Step) -> bool:
    """Tells whether a step's channels keep a factor that its inputs' channels have."""
    layers = import_keras().layers
    return isinstance(step.layer, layers.ReLU | layers.Add | layers.GlobalAveragePooling2D)
