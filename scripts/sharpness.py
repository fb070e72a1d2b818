"""Whether networks were trained on blurred faces: a table in TRAINING.md.

`python scripts/sharpness.py base small nano --data fer2013.csv` shows them validation's faces as
they are, and moved by a share of a pixel, each new pixel taken from between four old ones: that
blurs as a training does whose images are warped with `resampling = "linear"`. A network that
answers the blurred ones better has learnt from such.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from paired import signed

from fer_edge import metrics
from fer_edge.catalog import find_network
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Split
from fer_edge.keras_network import load_network, logits_of
from fer_edge.page import check_page, write_part
from fer_edge.tables import Table, percent

PART = "sharpness"  # of the page
PAGE = Path(__file__).resolve().parents[1] / "docs" / "TRAINING.md"
MOVES_PX = (0.0, 0.1, 0.25, 0.5)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the table and writes it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("models", nargs="+", help="Networks by name, run folder or file.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    check_page(options.page, PART)
    dataset = load_dataset(options.data)
    split = dataset.split("validation")
    rows = [row for model in options.models for row in rows_of(model, split)]
    title = (
        f"{Path(dataset.source.name).name}, validation split, n = {len(split)}, single crop, "
        "float, 95% intervals; difference of the cross-entropy, image by image, to the faces as "
        "they are"
    )
    columns = ("network", "moved by", "top-1 %", "cross-entropy", "difference")
    text = Table(title, columns, tuple(rows)).to_markdown()
    write_part(options.page, PART, text)
    print(text)


def rows_of(model: str, split: Split) -> list[tuple[str, ...]]:
    """Returns a row for each distance that the faces are moved by."""
    network = load_network(find_network(model))
    as_they_are: NDArray[np.float64] | None = None
    rows: list[tuple[str, ...]] = []
    for px in MOVES_PX:
        logits = logits_of(network, moved(split.images, px))
        loss = metrics.log_losses(metrics.softmax(logits), split.labels)
        as_they_are = loss if as_they_are is None else as_they_are
        right = int((logits.argmax(axis=1) == split.labels).sum())
        rows.append(
            (
                f"`{model}`",
                f"{px:g} px" if px else "as they are",
                percent(metrics.wilson_interval(right, len(split))),
                f"{loss.mean():.3f}",
                signed(metrics.mean_interval(loss - as_they_are)) if px else "",
            )
        )
    return rows


def moved(images: NDArray[np.uint8], px: float) -> NDArray[np.uint8]:
    """Returns images moved to the right and down, between pixels bilinearly."""
    n, height, width = images.shape
    matrix = np.array([[1.0, 0.0, px], [0.0, 1.0, px]])
    out = np.empty((n, height, width), np.uint8)
    for image, target in zip(images, out, strict=True):
        cv2.warpAffine(
            image,
            matrix,
            (width, height),
            dst=target,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return out


if __name__ == "__main__":
    main()
