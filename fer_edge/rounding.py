"""Weights onto int8's grid, so that the layers' answers move least; nearest is not best.

Rounding each weight to the nearest level moves a layer's answer by a sum of errors that nobody
chose. Here each error is made up for by the weights that are still to be rounded, in proportion to
how their inputs vary together, and the mean that is left goes into the bias.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ConversionError
from fer_edge.keras_network import import_keras
from fer_edge.layerwise import (
    Step,
    as_input,
    channel_axes,
    has_kernel,
    is_depthwise,
    measure_answers,
    run_steps,
    trace,
    with_weights,
)

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]

LEVELS = 127  # of int8's symmetric grid, to either side
DAMPING = 0.01  # of the mean variance, added to each: inputs that hardly vary decide nothing
WINDOWS = 60_000  # of a layer's input that its covariance is taken from, about
BATCH = 25  # images; the windows of a wide layer take megabytes an image
BLOCK = 128  # rows that are rounded before the rest is corrected, so that it is touched seldom


def round_weights(deployed: keras.Model, images: NDArray[np.uint8]) -> keras.Model:
    """Returns a deployed network whose kernels stand on the grid that a converter will take.

    A converter's scale of an output channel is its largest weight / 127; that weight keeps its
    value, so the scales are the same and nothing is rounded twice. Layers are rounded in order,
    each for the inputs that the rounded ones before it give.

    Args:
        deployed: float32 (1, 48, 48, 1) to probabilities, batch-norm folded; left as it is.
        images: The calibration sample, uint8 (n, 48, 48).

    Raises:
        ConversionError: A layer's inputs are not finite.

    Source: Frantar et al., GPTQ, arXiv:2210.17323, section 3 (the order of the rounding);
    Nagel et al., arXiv:1906.04721, section 4.2 (bias correction).
    """
    steps = trace(deployed)
    means = answer_means(steps, images)

    def visit(step: Step, *inputs: Any, **options: Any) -> Any:
        if has_kernel(step):
            kernel, bias = step.layer.get_weights()
            weights = to_matrices(step.layer, np.asarray(kernel, np.float64))
            covariance, n = input_covariance(step.layer, inputs[0])
            if not np.isfinite(covariance).all():
                raise ConversionError(
                    f"Layer {step.name} gets inputs that are not finite on calibration images. "
                    "The network is broken: train it again."
                )
            kernel = from_matrices(step.layer, round_to_grid(weights, covariance, n), kernel.shape)
            step.layer.set_weights([kernel, bias])
            drift = _channel_means(step.layer(*inputs)) - means[step.name]
            step.layer.set_weights([kernel, bias - drift])
        return step.layer(*inputs, **options)

    run_steps(steps, as_input(images), visit)
    return with_weights(deployed, steps)


def round_to_grid(weights: Floats, covariance: Floats, n: int) -> Floats:
    """Returns weights on their columns' grids, each error made up for by the rows that follow.

    Args:
        weights: (groups, n_in, n_out).
        covariance: Of the inputs, (groups, n_in, n_in).
        n: Samples that it was taken from; the fewer, the less it is believed.

    Returns:
        Like the weights; a column's values are whole multiples of its largest magnitude / 127.
    """
    variance = np.einsum("gii->gi", covariance)
    order = np.argsort(-variance, axis=1, kind="stable")  # what varies most is rounded first
    factor = _inverse_factor(covariance, order, n)
    rest = np.take_along_axis(weights, order[:, :, None], 1)
    largest = np.abs(rest).argmax(axis=1)
    extreme = np.take_along_axis(rest, largest[:, None], 1)[:, 0]  # keeps its value
    scale = grid_step(extreme)
    result, error = np.empty_like(rest), np.empty_like(rest)
    for start in range(0, rest.shape[1], BLOCK):
        rows = range(start, min(start + BLOCK, rest.shape[1]))
        for row in rows:
            levels = np.clip(np.rint(rest[:, row] / scale), -LEVELS, LEVELS)
            result[:, row] = np.where(largest == row, extreme, levels * scale)
            error[:, row] = (rest[:, row] - result[:, row]) / factor[:, row, row, None]
            coming = slice(row + 1, rows.stop)
            rest[:, coming] -= factor[:, row, coming, None] * error[:, row, None]
        done, coming = slice(start, rows.stop), slice(rows.stop, None)
        rest[:, coming] -= factor[:, done, coming].transpose(0, 2, 1) @ error[:, done]
    return np.take_along_axis(result, np.argsort(order, axis=1)[:, :, None], 1)


def grid_step(extreme: Floats) -> Floats:
    """Returns the distance of a grid's levels, over zero, from its largest magnitudes."""
    return np.asarray(np.maximum(np.abs(extreme), 1e-30) / LEVELS)


def answer_means(steps: list[Step], images: NDArray[np.uint8]) -> dict[str, Floats]:
    """Returns (channels,) for each step: the mean of what it answers to images, uint8."""
    return measure_answers(steps, images, _channel_means)


def input_covariance(layer: Any, inputs: Any) -> tuple[Floats, int]:
    """Returns (groups, n_in, n_in), how what a layer multiplies varies together, and its samples.

    A dense layer or convolution is one group, whose inputs are the kernel's window over all
    channels; in a depthwise convolution each channel is a group.

    Args:
        layer: Convolution or dense.
        inputs: A tensor, images first; of a large one, some images are enough.
    """
    values = np.asarray(import_keras().ops.convert_to_numpy(inputs))
    values = values[:: max(1, values[..., 0].size // WINDOWS)]
    count, total, squares, centre = 0, np.zeros(1), np.zeros(1), None
    for start in range(0, len(values), BATCH):
        rows = _windows(layer, values[start : start + BATCH])  # (groups, samples, n_in)
        centre = rows.mean(axis=1, keepdims=True) if centre is None else centre
        rows = rows - centre  # sums of squares that are nearly their mean's lose their digits
        count += rows.shape[1]
        total = total + rows.sum(axis=1, dtype=np.float64)
        squares = squares + rows.transpose(0, 2, 1) @ rows
    mean = total / count
    return np.asarray(squares / count - mean[:, :, None] * mean[:, None, :]), count


def to_matrices(layer: Any, kernel: Floats) -> Floats:
    """Returns a kernel as (groups, n_in, n_out)."""
    if is_depthwise(layer):  # (h, w, channels, 1)
        return kernel.reshape(-1, kernel.shape[2]).T[:, :, None]
    return kernel.reshape(1, -1, kernel.shape[-1])


def from_matrices(layer: Any, matrices: Floats, shape: tuple[int, ...]) -> Floats:
    """Returns the kernel that `to_matrices` was given."""
    if is_depthwise(layer):
        matrices = matrices[:, :, 0].T
    return matrices.reshape(shape)


def _inverse_factor(covariance: Floats, order: NDArray[np.intp], n: int) -> Floats:
    """Returns the upper Cholesky factor of the inverse of a damped covariance, rows in order."""
    n_in = covariance.shape[1]
    variance = np.maximum(np.einsum("gii->gi", covariance), 0)
    damping = DAMPING * (1 + n_in / n) * variance.mean(axis=1)
    least = 1e-9 * max(1.0, float(variance.max()))  # for inputs that do not vary at all
    damped = covariance + (damping + least)[:, None, None] * np.eye(n_in)
    damped = np.take_along_axis(damped, order[:, :, None], 1)
    damped = np.take_along_axis(damped, order[:, None, :], 2)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).transpose(0, 2, 1))


def _windows(layer: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (groups, samples, n_in): what a layer's kernel is multiplied with, place by place."""
    if isinstance(layer, import_keras().layers.Dense):
        return inputs.reshape(1, -1, inputs.shape[-1])
    size, strides = layer.kernel_size, layer.strides
    if layer.padding == "same":
        sides = zip(inputs.shape[1:3], size, strides, strict=True)
        pads = [_same_padding(*side) for side in sides]
        inputs = np.pad(inputs, [(0, 0), *pads, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(inputs, size, axis=(1, 2))
    windows = windows[:, :: strides[0], :: strides[1]]  # (n, rows, columns, channels, h, w)
    if is_depthwise(layer):
        return windows.transpose(3, 0, 1, 2, 4, 5).reshape(inputs.shape[-1], -1, math.prod(size))
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(1, -1, math.prod(size) * inputs.shape[-1])


def _same_padding(side: int, size: int, stride: int) -> tuple[int, int]:
    """Returns the zeros before and behind a side of an image that `same` padding adds."""
    missing = max((math.ceil(side / stride) - 1) * stride + size - side, 0)
    return missing // 2, missing - missing // 2


def _channel_means(tensor: Any) -> Floats:
    ops = import_keras().ops
    return np.asarray(ops.convert_to_numpy(ops.mean(tensor, axis=channel_axes(tensor))), np.float64)
