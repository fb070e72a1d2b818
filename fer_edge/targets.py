"""From deployed networks to each target's files, by the stand-alone converter programs."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_edge import android
from fer_edge.calibration import Calibration
from fer_edge.contract import ANDROID_ASSET
from fer_edge.converter import run_converter
from fer_edge.keras_file import save_reproducibly
from fer_edge.mcu import write_mcu

TfjsWeights = Literal["float32", "float16"]  # that are offered
Stored = TfjsWeights | Literal["uint8"]  # that the program knows

DEPLOYED_NETWORK = "deployed.keras"
TFJS_FOLDER = "tfjs"
WITH_MANIFEST = (TFJS_FOLDER, android.FOLDER)  # what people take out of an export
ANDROID_FILE = f"{android.FOLDER}/{ANDROID_ASSET}"
SAVED_MODEL = "saved_model"
BY_TFLITE = ("float16", "dynamic", "int8", SAVED_MODEL)  # beside float32, always


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
        calibration: For int8, which is made where there is one.
        target: A folder.
        say: Told what happens.

    Raises:
        ConversionError: The program failed.
    """
    wanted = {*variants, "int8"} if calibration else {*variants} - {"int8"}
    converted = ["float32", *(variant for variant in BY_TFLITE if variant in wanted)]
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
            save_reproducibly(networks["network"], target / DEPLOYED_NETWORK)
    return {"program": "tflite.py", **answer["versions"]}


def convert_for_targets(
    network: Any,
    variants: Sequence[str],
    name: str,
    emotions: Sequence[str],
    target: Path,
    say: Callable[[str], None],
    *,
    tfjs_weights: TfjsWeights,
) -> dict[str, Any]:
    """Leaves what is made of a network, or of its int8 file, in an export's folders.

    Args:
        network: Deployed.
        variants: Of `tfjs`, which `web` needs, `mcu` and `android`; others are left alone.
        name: Of the model.
        emotions: What its answers mean.
        target: The export's folder, with `int8.tflite` for the last two.
        say: Told what happens.
        tfjs_weights: How TF.js's weights are stored.

    Returns:
        What the manifest says of the programs.

    Raises:
        ConversionError: A program failed, or a target lacks an operator.
    """
    converted: dict[str, Any] = {}
    if {"tfjs", "web"} & set(variants):
        converted["tfjs"] = convert_tfjs(network, tfjs_weights, target, say)
    if "mcu" in variants:
        write_mcu(target, name, emotions)
    if "android" in variants:
        converted["android"] = android.write_android(target, name, emotions, say)
    return converted


def convert_tfjs(
    network: Any, weights: Stored, target: Path, say: Callable[[str], None]
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
