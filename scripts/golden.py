"""Writes tests/golden/*.json anew: `python scripts/golden.py`, after what they hold changed.

What other languages are held to: a small picture, boxes in it and what Python crops there; what
becomes of probabilities over time, and which are the largest.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.smoothing import EmotionSmoother
from fer_edge.camera.tracking import Track
from fer_edge.data.sample import draw_scene
from fer_edge.faces import FaceBox, crop_face

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "golden"
SIZE = (150, 200)
BOXES = (
    ("inside, twice 48", (52.0, 20.0, 96.0, 96.0)),
    ("48 itself", (60.25, 30.75, 48.0, 48.0)),
    ("three times 48", (30.0, 2.0, 144.0, 144.0)),
    ("no multiple", (41.3, 12.9, 101.4, 101.4)),
    ("off the upper left", (-20.5, -31.0, 90.0, 90.0)),
    ("off the lower right", (150.2, 99.9, 77.0, 77.0)),
    ("larger than the picture", (-50.0, -60.0, 300.0, 300.0)),
    ("not square", (70.0, 15.0, 60.0, 100.0)),
    ("smaller than 48", (80.0, 50.0, 31.0, 31.0)),
    ("a few pixels", (99.0, 60.0, 7.0, 7.0)),
    ("one pixel", (100.0, 70.0, 1.0, 1.0)),
    ("nothing", (100.0, 70.0, 0.0, 0.0)),
    ("outside altogether", (500.0, 400.0, 60.0, 60.0)),
    ("half a pixel", (50.5, 20.5, 97.0, 97.0)),
)


def golden_crops() -> dict[str, Any]:
    """Returns the document: colours that differ by channel, so that a swapped one shows."""
    rng = np.random.default_rng(7)
    scene = draw_scene(("surprise",), rng, face_px=70, size=SIZE).image.astype(np.int64)
    tint = np.stack(
        [np.linspace(-60, 60, SIZE[1]), np.zeros(SIZE[1]), np.linspace(50, -50, SIZE[1])]
    )
    picture = np.clip(scene + tint.T.astype(np.int64)[None], 0, 255).astype(np.uint8)
    return {
        "schema_version": 1,
        "width": SIZE[1],
        "height": SIZE[0],
        "rgb": _packed(picture[:, :, ::-1]),
        "crops": [_golden_crop(picture, name, box) for name, box in BOXES],
    }


def _golden_crop(
    picture: NDArray[np.uint8], name: str, box: tuple[float, float, float, float]
) -> dict[str, Any]:
    face = crop_face(picture, FaceBox(*box, score=1.0))
    return {"name": name, "box": box, "face": _packed(face)}


def _packed(pixels: NDArray[np.uint8]) -> str:
    """Returns uint8 pixels, row by row, as base64 of a zlib stream."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(pixels).tobytes(), 9)).decode()


def golden_answers() -> dict[str, Any]:
    """Returns the document of what follows a model: means over time, and the largest."""
    rng = np.random.default_rng(11)
    probabilities = rng.dirichlet(np.full(7, 0.6), 24).astype(np.float32)
    probabilities[5] = np.float32(1 / 7)  # all alike
    probabilities[6, :] = [0, 0.5, 0, 0.5, 0, 0, 0]
    times_s = np.cumsum(rng.choice([0.0, 0.016, 0.04, 0.1, 0.3], len(probabilities)))
    smoother = EmotionSmoother()
    box = FaceBox(100.0, 100.0, 50.0, 50.0, score=1.0)
    means = [
        smoother.update([Track(1, box, is_seen=True)], {1: row}, time_s)[0].probabilities
        for row, time_s in zip(probabilities, times_s.tolist(), strict=True)
    ]
    order = np.argsort(-probabilities, axis=1, kind="stable")  # of equal ones the earlier first
    return {
        "schema_version": 1,
        "times_ms": [round(1000 * time_s, 6) for time_s in times_s.tolist()],
        "probabilities": probabilities.astype(float).round(7).tolist(),
        "smoothed": np.array(means, float).round(7).tolist(),
        "order": order.tolist(),
    }


def documents() -> dict[str, dict[str, Any]]:
    """Returns every document by its file's name."""
    return {"crops.json": golden_crops(), "answers.json": golden_answers()}


def main() -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents().items():
        place = FOLDER / name
        place.write_text(json.dumps(document, indent=1) + "\n")
        print(f"{name}, {place.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
