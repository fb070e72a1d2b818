"""Writes tests/golden/crops.json anew: `python scripts/golden.py`, after the face crop changed.

What other languages' crops are held to: a small picture, boxes in it, and what Python crops there.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.sample import draw_scene
from fer_edge.faces import FaceBox, crop_face

PLACE = Path(__file__).resolve().parents[1] / "tests" / "golden" / "crops.json"
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


def main() -> None:
    """Writes the file."""
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text(json.dumps(golden_crops(), indent=1) + "\n")
    print(f"{len(BOXES)} crops are in {PLACE.name}, {PLACE.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
