"""What a good int8 model needs beside the converter: prepared weights, measured layers, checks."""

import csv
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge import plots
from fer_edge.calibration import Calibration, check_agreement
from fer_edge.confidence import describe_confidence
from fer_edge.contract import Manifest
from fer_edge.data.split import Split
from fer_edge.equalize import equalize
from fer_edge.errors import ConversionError
from fer_edge.inspect import read_graph
from fer_edge.metrics import Interval
from fer_edge.rounding import round_weights
from fer_edge.runtime import Interpreter
from fer_edge.sensitivity import Effect, Sensitivity

Rounding = Literal["calibrated", "nearest"]

TABLE, PICTURE = "sensitivity.csv", "sensitivity.png"


@dataclass(frozen=True)
class Agreement:
    """How often int8 has float's answer.

    Attributes:
        share: Of the images.
        images: Which, in words.
    """

    share: Interval
    images: str


def prepare_int8(
    deployed: Any,
    images: NDArray[np.uint8],
    rounding: Rounding = "calibrated",
    say: Callable[[str], None] = lambda _text: None,
) -> Any:
    """Returns the network that int8 is made from.

    Args:
        deployed: With batch-norm folded; left as it is.
        images: The calibration sample, uint8 (n, 48, 48).
        rounding: `calibrated`, after ranges are equalised, so that the layers' answers move least;
            `nearest` leaves weights and ranges to the converter.
        say: Told what happens.
    """
    if rounding == "nearest":
        return deployed
    say("equalising and rounding int8's weights")
    return round_weights(equalize(deployed, images), images)


def write_analysis(folder: Path, found: Sequence[Sensitivity]) -> None:
    """Leaves how sensitive each layer is in a folder, as a table and a picture.

    Args:
        folder: Where `sensitivity.csv` and `sensitivity.png` go.
        found: In the order of the rows.
    """
    with (folder / TABLE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_fields("trained"), *_fields("exported")[2:]])
        for row in found:
            after = _figures(row.exported) if row.exported else ("", "")
            writer.writerow([row.trained.layer, row.trained.part, *_figures(row.trained), *after])
    plots.draw_sensitivity(
        [f"{row.trained.layer} {row.trained.part}" for row in found],
        trained=[row.trained.change for row in found],
        exported=[row.exported.change if row.exported else None for row in found],
        n=found[0].trained.agreement.n,
        path=folder / PICTURE,
    )


def _figures(effect: Effect) -> tuple[float, float]:
    return effect.change, effect.agreement.value


def _fields(prefix: str) -> list[str]:
    """Returns the columns of an effect: its name and part, and figures named for the network."""
    layer, part, *figures = (field.name for field in dataclasses.fields(Effect))
    return [layer, part, *(f"{prefix}_{figure}" for figure in figures)]


def check_contract(content: bytes, variant: str, n_classes: int) -> None:
    """Raises ConversionError unless a model keeps the contract; the int8 one is integer throughout.

    Args:
        content: Of a `.tflite` file.
        variant: `int8`, `float32`, ….
        n_classes: Probabilities that it has to answer.
    """
    graph = read_graph(content)
    if variant == "int8" and (floating := graph.not_integer()):
        raise ConversionError(
            f"Expected every operator in int8, found floating point in {', '.join(floating[:5])}. "
            "Replace the layer, or export --float16 or --dynamic instead."
        )
    faults = graph.contract_faults()
    if (found := graph.outputs[0].shape) != (1, n_classes):
        faults.append(f"expected the output (1, {n_classes}), found {found}")
    if faults:
        raise ConversionError(f"The {variant} model breaks the contract: {'; '.join(faults)}.")


@dataclass(frozen=True)
class Int8Record:
    """What is known of an int8 file, as a manifest keeps it; empty where there is no such file.

    Attributes:
        calibration: What its ranges were measured on.
        confidence: What its answers are worth.
        converter: How it was made.
        agreement: With float; None where nobody measured.
        scores: Of it and of the float network that it was made from.
    """

    calibration: Mapping[str, Any] = field(default_factory=dict)
    confidence: Mapping[str, Any] = field(default_factory=dict)
    converter: Mapping[str, Any] = field(default_factory=dict)
    agreement: Agreement | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> "Int8Record":
        """Returns what the manifest says that a file came with; its converter under `int8`."""
        made_by = manifest.converter.get("int8", manifest.converter)
        converter = {"int8": dict(made_by)}
        return cls(manifest.calibration, manifest.confidence, converter, scores=manifest.scores)


def measure_int8(
    folder: Path,
    calibration: Calibration,
    validation: Split | None,
    say: Callable[[str], None] = lambda _text: None,
) -> tuple[Agreement, dict[str, Any]]:
    """Returns how often int8 has float's answer, and what the manifest says of its confidence.

    Args:
        folder: Holds `float32.tflite` and `int8.tflite`.
        calibration: Its images are compared where there is no validation split; of confidence
            nothing is said then, {}.
        validation: Faces that int8 was not made from.
        say: Told what happens.

    Raises:
        ConversionError: They agree so seldom that quantization has broken the model.
    """
    images = validation.images if validation else calibration.images
    where = "validation images" if validation else "calibration images of the train split"
    say(f"measuring int8 on {len(images)} {where}")
    float32, int8 = (
        _answers((folder / f"{name}.tflite").read_bytes(), images) for name in ("float32", "int8")
    )
    found = Agreement(check_agreement(float32, int8), where)
    if validation is None:
        return found, {}
    return found, describe_confidence(int8, validation.labels, split="validation")


def _answers(content: bytes, images: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Returns (n, k) probabilities of a model for images, (n, 48, 48)."""
    interpreter = Interpreter(content)
    return interpreter.probabilities(images[..., None].astype(interpreter.input.dtype))
