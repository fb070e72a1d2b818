"""Draws web_demo/public/sample.jpg anew: `python scripts/web_sample.py`.

What the browser demo shows before it is given a camera or an image: three people of our own making.
"""

from pathlib import Path

import cv2
import numpy as np

from fer_edge.data.sample import draw_scene

PLACE = Path(__file__).resolve().parents[1] / "web_demo" / "public" / "sample.jpg"
EMOTIONS = ("happy", "surprise", "angry")
SEED = 10
FACE_PX = 210
SIZE = (540, 960)


def main() -> None:
    """Writes the picture."""
    scene = draw_scene(EMOTIONS, np.random.default_rng(SEED), face_px=FACE_PX, size=SIZE)
    cv2.imwrite(str(PLACE), scene.image[:, :, 0], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{', '.join(EMOTIONS)} are in {PLACE.name}, {PLACE.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
