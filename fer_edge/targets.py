"""From deployed networks to each target's files, by the stand-alone converter programs."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_edge.calibration import Calibration
from fer_edge.converter import run_converter

TfjsWeights = Literal["float32", "float16"]

DEPLOYED_NETWORK = "deployed.keras"
TFJS_FOLDER = "tfjs"
NOT_BY_TFLITE = ("float32", "keras", "mcu", "tfjs")  # float32 is always made


def convert_tflite(
    networks: Mapping[str, Any],
    variants: Sequence[str],
    calibration: Calibration | None,
    target: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Leaves TensorFlow Lite's files in an export's folder; returns the program's record.

    Args:
        networks: Deployed ones, by the option of the program that takes them.
        variants: Beside float32.
        calibration: For int8.
        target: A folder.
        say: Told what happens.

    Raises:
        ConversionError: The program failed.
    """
    converted = ["float32", *(v for v in variants if v not in NOT_BY_TFLITE)]
    say(f"converting to {', '.join(converted)}")
    with tempfile.TemporaryDirectory() as scratch:
        arguments = ["--out", str(target)]
        for option, network in networks.items():
            network.save(path := Path(scratch) / f"{option}.keras")
            arguments += [f"--{option}", str(path)]
        if calibration:
            np.save(path := Path(scratch) / "calibration.npy", calibration.images)
            arguments += ["--calibration", str(path)]
        for variant in converted:
            arguments += ["--variant", variant]
        answer = run_converter("tflite", arguments, say=say)
        if "keras" in variants:
            networks["network"].save(target / DEPLOYED_NETWORK)
    return {"program": "tflite.py", **answer["versions"]}


def convert_tfjs(
    network: Any, weights: TfjsWeights, target: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Leaves a TF.js graph model in an export's folder `tfjs`; returns the program's record.

    Args:
        network: Deployed.
        weights: How they are stored.
        target: The export's folder.
        say: Told what happens.

    Raises:
        ConversionError: The program failed.
    """
    say(f"converting to TF.js with {weights} weights")
    with tempfile.TemporaryDirectory() as scratch:
        network.save(path := Path(scratch) / "network.keras")
        arguments = ["--network", str(path), "--out", str(target / TFJS_FOLDER)]
        answer = run_converter("tfjs", [*arguments, "--weights", weights], say=say)
    return {"program": "tfjs.py", "weights": weights, **answer["versions"]}
