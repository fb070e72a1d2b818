"""Which layers int8 hurts: each kernel and each answer quantized alone, the rest left in float.

A simulation of what the converter does: kernels in a step an output channel, answers in one step a
tensor over the range that the calibration sample gives, both of eight bits.
Source: Jacob et al., arXiv:1712.05877, sections 2 and 3.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import OUTPUT_SCALE
from fer_edge.keras_network import import_keras
from fer_edge.layerwise import Step, as_input, has_kernel, is_depthwise, run_steps, trace

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

ALL_WEIGHTS = "all"


@dataclass(frozen=True)
class Effect:
    """What quantizing one thing does to the answers.

    Attributes:
        layer: Its name.
        part: `weights` or `answer`.
        change: Mean absolute change of a probability.
        agreement: Share of images whose most likely emotion stays.
    """

    layer: str
    part: str
    change: float
    agreement: float


@dataclass(frozen=True)
class Sensitivity:
    """How much one thing minds 8 bits, in the network as it was trained and as int8 gets it.

    Attributes:
        trained: With batch-norm folded and nothing else done.
        exported: With ranges equalised and weights rounded; None for a layer's weights, which can
            then no longer be told from the others'.
    """

    trained: Effect
    exported: Effect | None


def compare(
    deployed: keras.Model, exported: keras.Model, images: NDArray[np.uint8]
) -> tuple[Sensitivity, ...]:
    """Returns the sensitivity of all weights together, then of each thing in the network's order.

    Args:
        deployed: As trained, float32 (1, 48, 48, 1) to probabilities, batch-norm folded.
        exported: The same function, from which int8 is made.
        images: The calibration sample, uint8 (n, 48, 48): ranges and answers are of these.
    """
    exact = _numpy(run_steps(trace(deployed), as_input(images), _call))
    totals = (
        _compare(ALL_WEIGHTS, "weights", exact, _numpy(run_steps(steps, as_input(images), visit)))
        for steps, visit in ((trace(deployed), _call_rounded), (trace(exported), _call_rounded))
    )
    after = {(effect.layer, effect.part): effect for effect in measure_effects(exported, images)}
    each = (
        Sensitivity(effect, after[effect.layer, effect.part] if effect.part == "answer" else None)
        for effect in measure_effects(deployed, images)
    )
    return Sensitivity(*totals), *each


def write_sensitivity(path: Path, found: Sequence[Sensitivity]) -> None:
    """Writes a table: a row a thing that is quantized; empty cells where nothing can be told."""
    columns = ("layer", "part", "change", "agreement", "exported_change", "exported_agreement")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in found:
            after = (row.exported.change, row.exported.agreement) if row.exported else ("", "")
            writer.writerow([*dataclasses.astuple(row.trained), *after])


def measure_effects(deployed: keras.Model, images: NDArray[np.uint8]) -> list[Effect]:
    """Returns what quantizing each layer alone does, in the order of the network.

    Args:
        deployed: float32 (1, 48, 48, 1) to probabilities, batch-norm folded; left as it is.
        images: The calibration sample, uint8 (n, 48, 48): ranges and answers are of these.
    """
    steps = trace(deployed)
    held: dict[int, Any] = {0: as_input(images)}

    def keep(step: Step, *inputs: Any, **options: Any) -> Any:
        held[step.slot] = step.layer(*inputs, **options)
        return held[step.slot]

    exact = _numpy(run_steps(steps, held[0], keep))
    found = []
    for step in steps:
        if has_kernel(step):
            answer = _call_rounded(step, *(held[slot] for slot in step.sources))
            found.append(_compare(step.name, "weights", exact, _answers(steps, held, step, answer)))
        if _is_stored(step, steps):
            answer = _rounded(_numpy(held[step.slot]), is_last=step is steps[-1])
            found.append(_compare(step.name, "answer", exact, _answers(steps, held, step, answer)))
    return found


def _answers(steps: list[Step], held: dict[int, Any], changed: Step, answer: Any) -> Floats:
    """Returns (n, k) probabilities when one step answers something else."""
    fresh = {changed.slot}

    def visit(step: Step, *inputs: Any, **options: Any) -> Any:
        if step is changed:
            return import_keras().ops.convert_to_tensor(answer)
        if not fresh & set(step.sources):
            return held[step.slot]
        fresh.add(step.slot)
        return step.layer(*inputs, **options)

    return _numpy(run_steps(steps, held[0], visit))


def _call(step: Step, *inputs: Any, **options: Any) -> Any:
    return step.layer(*inputs, **options)


def _call_rounded(step: Step, *inputs: Any, **options: Any) -> Any:
    """Returns what a layer answers when its kernel is rounded to 8 bits, a step a channel."""
    if not has_kernel(step):
        return step.layer(*inputs, **options)
    kernel, bias = step.layer.get_weights()
    axes = (0, 1, 3) if is_depthwise(step.layer) else tuple(range(kernel.ndim - 1))
    unit = np.maximum(np.abs(kernel).max(axis=axes, keepdims=True), 1e-30) / 127
    step.layer.set_weights([np.rint(kernel / unit) * unit, bias])
    answer = step.layer(*inputs, **options)
    step.layer.set_weights([kernel, bias])
    return answer


def _rounded(values: Floats, *, is_last: bool) -> Floats:
    """Returns values in 8 bits: over their range with 0 in it, the last ones over 0 to 1."""
    if is_last:
        return np.asarray(
            np.clip(np.rint(values / OUTPUT_SCALE), 0, 255) * OUTPUT_SCALE, np.float32
        )
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    unit = max(high - low, 1e-30) / 255
    zero = np.rint(-low / unit)
    return np.asarray((np.clip(np.rint(values / unit) + zero, 0, 255) - zero) * unit, np.float32)


def _is_stored(step: Step, steps: list[Step]) -> bool:
    """Tells whether a converter stores what a step answers; a ReLU right behind is part of it."""
    layers = import_keras().layers
    readers = [reader for reader in steps if step.slot in reader.sources]
    return not readers or not all(isinstance(reader.layer, layers.ReLU) for reader in readers)


def _compare(name: str, part: str, exact: Floats, found: Floats) -> Effect:
    same = exact.argmax(axis=1) == found.argmax(axis=1)
    return Effect(name, part, float(np.abs(exact - found).mean()), float(same.mean()))


def _numpy(tensor: Any) -> Floats:
    return np.asarray(import_keras().ops.convert_to_numpy(tensor), np.float32)
