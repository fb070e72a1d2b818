# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "mediapipe==1.2.2",
#   "numpy==2.4.6",
#   "opencv-python-headless==4.14.0.94",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# # A second OpenCV, and microphones.
# override-dependencies = [
#   "opencv-contrib-python; sys_platform == 'never'",
#   "sounddevice; sys_platform == 'never'",
# ]
#
# [tool.fer-edge]
# download-mb = 140  # of wheels, on 64-bit Linux
# ///
"""Answers of an Android asset, by MediaPipe Tasks' ImageClassifier: the loader that Android has.

A program of its own: files in, files and one JSON line out.

    uv run --script mediapipe_answers.py --model asset.tflite --faces faces.npy --out answers.npy

`faces.npy` holds uint8 (n, h, w, 3), RGB; `answers.npy` gets float32 (n, k), in the order of the
labels inside the model. Linux needs libEGL and libGLESv2 (Debian: libegl1, libgles2).
"""

import argparse
import importlib.metadata
import json
import sys
import zipfile
from pathlib import Path

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python.core.base_options import BaseOptions
from mediapipe.tasks.python.vision import ImageClassifier, ImageClassifierOptions

LABELS = "labels.txt"


def main() -> int:
    """Classifies, and prints the labels and versions, as one line of JSON."""
    options = _parse_options()
    labels = read_labels(options.model)
    base = BaseOptions(model_asset_path=str(options.model), delegate=BaseOptions.Delegate.CPU)
    faces = np.load(options.faces, allow_pickle=False)
    answers = np.empty((len(faces), len(labels)), np.float32)
    with ImageClassifier.create_from_options(ImageClassifierOptions(base_options=base)) as found:
        for row, face in enumerate(faces):
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(face))
            [head] = found.classify(image).classifications
            for category in head.categories:
                answers[row, labels.index(category.category_name)] = category.score
    np.save(options.out, answers)
    version = importlib.metadata.version("mediapipe")
    print(json.dumps({"labels": labels, "versions": {"mediapipe": version}}))
    return 0


def read_labels(model: Path) -> list[str]:
    """Returns the labels that are packed into a model, in the order of its output."""
    with zipfile.ZipFile(model) as packed:
        return packed.read(LABELS).decode("utf-8").splitlines()


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path, required=True, help="a .tflite with metadata")
    parser.add_argument("--faces", type=Path, required=True, help="uint8 (n, h, w, 3) as .npy")
    parser.add_argument("--out", type=Path, required=True, help="answers, as .npy")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
