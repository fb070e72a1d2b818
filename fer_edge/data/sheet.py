"""A contact sheet: what a split looks like, class by class. Arrays in, a picture out."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.split import Split
from fer_edge.errors import ConfigError, DataError

ENLARGE = 2
TILE_PX = 48 * ENLARGE
GAP_PX, MARGIN_PX, LABEL_PX, TITLE_PX = 3, 16, 132, 44
PAPER, INK, PALE, ACCENT = (250, 250, 250), (40, 36, 33), (226, 222, 219), (176, 114, 46)  # BGR


def contact_sheet(
    split: Split, emotions: Sequence[str], *, title: str, columns: int = 16, seed: int = 0
) -> NDArray[np.uint8]:
    """Returns a sheet with a row a class: its name and share at the left, then some of its images.

    Args:
        split: What to show; classes may be empty.
        emotions: Class names in label order.
        title: The line at the top; characters outside ASCII become question marks.
        columns: Images a row, drawn at random without repetition.
        seed: Decides which.

    Returns:
        uint8, (h, w, 3), BGR.

    Raises:
        ConfigError: There are no columns.
        DataError: A label has no emotion.
    """
    if columns < 1:
        raise ConfigError(f"Expected at least 1 column in a contact sheet, found {columns}.")
    if len(split) and split.labels.max() >= len(emotions):
        raise DataError(
            f"Expected labels 0 to {len(emotions) - 1}, one an emotion, found {split.labels.max()}."
        )
    pitch = TILE_PX + GAP_PX
    height = TITLE_PX + len(emotions) * pitch + MARGIN_PX
    width = LABEL_PX + columns * pitch + MARGIN_PX
    sheet = np.full((height, width, 3), PAPER, np.uint8)
    write_line(sheet, title, (MARGIN_PX, 29), 0.6, width - 2 * MARGIN_PX)
    for label, emotion in enumerate(emotions):
        top = TITLE_PX + label * pitch
        rows = np.flatnonzero(split.labels == label)
        _label_row(sheet, top, emotion, len(rows), len(split))
        shown = np.random.default_rng([seed, label]).permutation(rows)[:columns]
        strip = sheet[top : top + TILE_PX, LABEL_PX : width - MARGIN_PX]
        _fill_row(strip, split.images[shown], columns)
    return sheet


def _label_row(sheet: NDArray[np.uint8], top: int, emotion: str, n: int, n_all: int) -> None:
    """Writes a class's name, count and share, with the share as a bar, in place."""
    room = LABEL_PX - MARGIN_PX - 12
    share = n / max(n_all, 1)
    write_line(sheet, emotion, (MARGIN_PX, top + 40), 0.55, room)
    write_line(sheet, f"{n}  {share:.0%}", (MARGIN_PX, top + 62), 0.42, room)
    bar_top = top + 72
    sheet[bar_top : bar_top + 4, MARGIN_PX : MARGIN_PX + room] = PALE
    sheet[bar_top : bar_top + 4, MARGIN_PX : MARGIN_PX + round(room * share)] = ACCENT


def _fill_row(strip: NDArray[np.uint8], images: NDArray[np.uint8], columns: int) -> None:
    """Puts images, uint8 (n, 48, 48), side by side into a strip, in place; pale where none is."""
    for column in range(columns):
        left = column * (TILE_PX + GAP_PX)
        tile = strip[:, left : left + TILE_PX]
        if column < len(images):
            size = (TILE_PX, TILE_PX)
            tile[:] = cv2.resize(images[column], size, interpolation=cv2.INTER_CUBIC)[..., None]
        else:
            tile[:] = PALE


def write_line(
    sheet: NDArray[np.uint8], text: str, origin: tuple[int, int], scale: float, room_px: int
) -> None:
    """Writes a line of text in place, smaller than `scale` where it would not fit."""
    text = text.encode("ascii", "replace").decode()  # OpenCV's fonts have nothing else
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, scale, 1)
    fitting = scale * min(1.0, room_px / max(width, 1))
    cv2.putText(sheet, text, origin, font, fitting, INK, 1, cv2.LINE_AA)
