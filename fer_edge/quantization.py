"""What a good int8 model needs beside the converter: prepared weights, measured layers, checks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge import plots
from fer_edge.contract import INPUT_SHAPE, OUTPUT_SCALE, TensorSpec
from fer_edge.equalize import equalize
from fer_edge.errors import ConversionError
from fer_edge.inspect import read_graph
from fer_edge.rounding import round_weights
from fer_edge.runtime import Interpreter
from fer_edge.sensitivity import Sensitivity, compare, write_sensitivity

Rounding = Literal["calibrated", "nearest"]

TABLE, PICTURE = "sensitivity.csv", "sensitivity.png"
UINT8_IMAGE = TensorSpec(INPUT_SHAPE, "uint8", 1.0, 0)


def prepare_int8(
    deployed: Any, images: NDArray[np.uint8], rounding: Rounding, say: Callable[[str], None]
) -> Any:
    """Returns the network that int8 is made from.

    Args:
        deployed: With batch-norm folded; left as it is.
        images: The calibration sample, uint8 (n, 48, 48).
        rounding: `calibrated`, after ranges are equalised, so that the layers' answers move least;
            `nearest` leaves it to the converter.
        say: Told what happens.
    """
    if rounding == "nearest":
        return deployed
    say("equalising and rounding int8's weights")
    return round_weights(equalize(deployed, images), images)


def analyze_int8(
    deployed: Any,
    for_int8: Any,
    images: NDArray[np.uint8],
    folder: Path,
    say: Callable[[str], None],
) -> tuple[Sensitivity, ...]:
    """Returns how each layer minds int8, and leaves that as a table and a picture in a folder."""
    say("measuring what int8 does to each layer")
    found = compare(deployed, for_int8, images)
    write_sensitivity(folder / TABLE, found)
    plots.draw_sensitivity(
        [f"{row.trained.layer} {row.trained.part}" for row in found],
        [row.trained.change for row in found],
        [row.exported.change if row.exported else None for row in found],
        len(images),
        folder / PICTURE,
    )
    return found


def check_int8(content: bytes, n_classes: int) -> None:
    """Raises ConversionError unless a model is integer throughout and keeps the contract."""
    if floating := read_graph(content).not_integer():
        raise ConversionError(
            f"Expected every operator in int8, found floating point in {', '.join(floating[:5])}. "
            "Replace the layer, or export --float16 or --dynamic instead."
        )
    interpreter = Interpreter(content)
    wanted_output = TensorSpec((1, n_classes), "uint8", OUTPUT_SCALE, 0)
    for name, found, expected in (
        ("input", interpreter.input, UINT8_IMAGE),
        ("output", interpreter.output, wanted_output),
    ):
        if found != expected:
            raise ConversionError(f"Expected the {name} {expected}, found {found}.")
