"""Which layers int8 hurts: each kernel and each activation quantized alone, the rest in float.

A simulation of what the converter does: kernels with a scale an output channel, activations with
one scale and zero point a tensor, over the range that the calibration sample gives.
Source: Jacob et al., arXiv:1712.05877, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import OUTPUT_SCALE
from fer_edge.keras_network import import_keras
from fer_edge.layerwise import Step, as_input, has_kernel, run_steps, trace
from fer_edge.metrics import Interval, agreement
from fer_edge.rounding import from_matrices, grid_step, to_matrices

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

ALL_LAYERS = "all layers"
MAX_IMAGES = 200  # that effects are measured on; all activations of them are held in memory

Part = Literal["weights", "activation"]


@dataclass(frozen=True)
class Effect:
    """What quantizing one thing does to a network's probabilities.

    Attributes:
        layer: Its name.
        part: Of the layer.
        change: Mean absolute change of a probability.
        agreement: How often the most likely emotion stays.
    """

    layer: str
    part: Part
    change: float
    agreement: Interval


@dataclass(frozen=True)
class Sensitivity:
    """How sensitive to 8 bits one thing is, in the network as trained and as int8 is made from it.

    Attributes:
        trained: With batch-norm folded and nothing else done.
        exported: With ranges equalised and weights rounded. An activation's is beside that
            network's own probabilities in float; that of all layers' weights, beside those of the
            trained one. None where weights are left to the converter, and for a single layer's
            weights, which make up for each other.
    """

    trained: Effect
    exported: Effect | None


@dataclass(frozen=True)
class Held:
    """A network in float with what each of its steps answers to some images.

    Attributes:
        steps: In order.
        answers: By slot; 0 is the images.
    """

    steps: list[Step]
    answers: dict[int, Any]

    @property
    def probabilities(self) -> Floats:
        """What the last step answers, (n, k)."""
        return _numpy(self.answers[self.steps[-1].slot])


def compare(
    deployed: keras.Model, exported: keras.Model, images: NDArray[np.uint8]
) -> tuple[Sensitivity, ...]:
    """Returns the sensitivity of all weights together, then of each thing in the network's order.

    Args:
        deployed: As trained, float32 (1, 48, 48, 1) to probabilities, batch-norm folded.
        exported: From which int8 is made; the same object where that is `deployed`.
        images: The calibration sample, uint8 (n, 48, 48): ranges and effects are of its first
            `MAX_IMAGES`.
    """
    trained = hold_answers(deployed, images[:MAX_IMAGES])
    effects = [_all_weights(trained, trained), *measure_effects(trained)]
    after: dict[tuple[str, Part], Effect] = {}
    if exported is not deployed:
        prepared = hold_answers(exported, images[:MAX_IMAGES])
        total = _all_weights(trained, prepared)
        rest = measure_effects(prepared, parts=("activation",))
        after = {(effect.layer, effect.part): effect for effect in (total, *rest)}
    return tuple(Sensitivity(effect, after.get((effect.layer, effect.part))) for effect in effects)


def hold_answers(deployed: keras.Model, images: NDArray[np.uint8]) -> Held:
    """Returns a network with all that it answers to images, uint8 (n, 48, 48).

    Args:
        deployed: float32 (1, 48, 48, 1) to probabilities, batch-norm folded; left as it is.
        images: Ranges and effects are of these.
    """
    steps = trace(deployed)
    answers: dict[int, Any] = {0: as_input(images)}

    def keep(step: Step, *inputs: Any, **options: Any) -> Any:
        answers[step.slot] = step.layer(*inputs, **options)
        return answers[step.slot]

    run_steps(steps, answers[0], keep)
    return Held(steps, answers)


def measure_effects(held: Held, parts: Sequence[Part] = ("weights", "activation")) -> list[Effect]:
    """Returns what quantizing each layer alone does, in the order of the network.

    Args:
        held: The network and its answers.
        parts: What is quantized.
    """
    found = []
    for step in held.steps:
        if "weights" in parts and has_kernel(step):
            answer = _call_quantized(step, *(held.answers[slot] for slot in step.sources))
            changed = _with_answer(held, step, answer)
            found.append(_compare(step.name, "weights", held.probabilities, changed))
        if "activation" in parts and _is_stored(step, held.steps):
            is_last = step is held.steps[-1]
            answer = quantize_activation(_numpy(held.answers[step.slot]), is_last=is_last)
            changed = _with_answer(held, step, answer)
            found.append(_compare(step.name, "activation", held.probabilities, changed))
    return found


def quantize_activation(values: Floats, *, is_last: bool = False) -> Floats:
    """Returns values in 8 bits: over their range with 0 in it, the last ones over 0 to 1."""
    if is_last:
        levels = np.clip(np.rint(values / OUTPUT_SCALE), 0, 255)
        return np.asarray(levels * OUTPUT_SCALE, np.float32)
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = max(high - low, 1e-30) / 255
    zero_point = np.rint(-low / scale)
    levels = np.clip(np.rint(values / scale) + zero_point, 0, 255)
    return np.asarray((levels - zero_point) * scale, np.float32)


def _all_weights(trained: Held, exported: Held) -> Effect:
    """Returns what all kernels in 8 bits do, beside the trained network in float."""
    changed = _numpy(run_steps(exported.steps, exported.answers[0], _call_quantized))
    return _compare(ALL_LAYERS, "weights", trained.probabilities, changed)


def _with_answer(held: Held, changed: Step, answer: Any) -> Floats:
    """Returns (n, k) probabilities when one step answers something else."""
    fresh = {changed.slot}

    def visit(step: Step, *inputs: Any, **options: Any) -> Any:
        if step is changed:
            return import_keras().ops.convert_to_tensor(answer)
        if not fresh & set(step.sources):
            return held.answers[step.slot]
        fresh.add(step.slot)
        return step.layer(*inputs, **options)

    return _numpy(run_steps(held.steps, held.answers[0], visit))


def _call_quantized(step: Step, *inputs: Any, **options: Any) -> Any:
    """Returns what a layer answers when its kernel has 8 bits, with a scale an output channel."""
    if not has_kernel(step):
        return step.layer(*inputs, **options)
    kernel, bias = step.layer.get_weights()
    weights = to_matrices(step.layer, kernel)
    scale = grid_step(np.abs(weights).max(axis=1, keepdims=True))
    on_grid = from_matrices(step.layer, np.rint(weights / scale) * scale, kernel.shape)
    step.layer.set_weights([on_grid, bias])
    answer = step.layer(*inputs, **options)
    step.layer.set_weights([kernel, bias])
    return answer


def _is_stored(step: Step, steps: list[Step]) -> bool:
    """Tells whether a converter stores what a step answers; a ReLU right behind is part of it."""
    layers = import_keras().layers
    readers = [reader for reader in steps if step.slot in reader.sources]
    return not readers or not all(isinstance(reader.layer, layers.ReLU) for reader in readers)


def _compare(name: str, part: Part, exact: Floats, found: Floats) -> Effect:
    return Effect(name, part, float(np.abs(exact - found).mean()), agreement(exact, found))


def _numpy(tensor: Any) -> Floats:
    return np.asarray(import_keras().ops.convert_to_numpy(tensor), np.float32)
