"""The contact sheet: its layout, which images stand on it, and the splits that are hard to show."""

import numpy as np
import pytest

from fer_edge.data.sheet import GAP_PX, LABEL_PX, MARGIN_PX, PALE, TILE_PX, TITLE_PX, contact_sheet
from fer_edge.data.split import Split
from fer_edge.errors import ConfigError, DataError

EMOTIONS = ("angry", "happy", "sad")
PITCH = TILE_PX + GAP_PX


def flat_split(labels: list[int]) -> Split:
    """Returns images that are one gray each: 10, 20, 30 … by row."""
    n = len(labels)
    grays = np.arange(1, n + 1, dtype=np.uint8) * 10
    images = np.broadcast_to(grays[:, None, None], (n, 48, 48)).copy()
    return Split(images, np.array(labels, np.uint8), np.arange(n))


def tile_grays(sheet: np.ndarray, label: int, columns: int) -> list[tuple[int, ...]]:
    """Returns the colour in the middle of each tile of a row."""
    y = TITLE_PX + label * PITCH + TILE_PX // 2
    xs = [LABEL_PX + column * PITCH + TILE_PX // 2 for column in range(columns)]
    return [tuple(int(value) for value in sheet[y, x]) for x in xs]


def test_a_row_a_class_and_a_tile_a_column() -> None:
    sheet = contact_sheet(flat_split([0, 1, 2]), EMOTIONS, title="t", columns=5)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (
        TITLE_PX + 3 * PITCH + MARGIN_PX,
        LABEL_PX + 5 * PITCH + MARGIN_PX,
        3,
    )


def test_images_stand_in_the_row_of_their_class_and_only_once() -> None:
    sheet = contact_sheet(flat_split([0, 1, 0, 1, 0]), EMOTIONS, title="t", columns=3)
    assert sorted(tile_grays(sheet, 0, 3)) == [(10,) * 3, (30,) * 3, (50,) * 3]
    assert sorted(tile_grays(sheet, 1, 2)) == [(20,) * 3, (40,) * 3]


def test_empty_places_are_pale() -> None:
    sheet = contact_sheet(flat_split([0]), EMOTIONS, title="t", columns=2)
    assert tile_grays(sheet, 0, 2) == [(10,) * 3, PALE]
    assert tile_grays(sheet, 2, 2) == [PALE, PALE]


def test_a_split_without_images_gives_an_empty_sheet() -> None:
    sheet = contact_sheet(flat_split([]), EMOTIONS, title="t", columns=2)
    assert tile_grays(sheet, 0, 2) == [PALE, PALE]


def test_the_seed_chooses() -> None:
    split = flat_split([0] * 20)
    first, again, other = (
        tile_grays(contact_sheet(split, EMOTIONS, title="t", columns=6, seed=seed), 0, 6)
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_title_is_written_and_fits() -> None:
    split = flat_split([0, 1, 2])
    short, long = (
        contact_sheet(split, EMOTIONS, title=title, columns=2)[:TITLE_PX]
        for title in ("sample: train", "a very long title — " * 20)
    )
    for band in (short, long):
        assert (band[:, MARGIN_PX:-MARGIN_PX] < 100).any()
        assert (band[:, -MARGIN_PX + 2 :] == 250).all()


def test_the_share_of_a_class_is_a_bar() -> None:
    sheet = contact_sheet(flat_split([0, 0, 0, 1]), EMOTIONS, title="t", columns=1)
    bars = [sheet[TITLE_PX + label * PITCH + 74, MARGIN_PX : LABEL_PX - 12] for label in range(3)]
    filled = [int((bar[:, 0] != PALE[0]).sum()) for bar in bars]
    assert filled == [78, 26, 0]  # of 104 pixels: three quarters, one quarter, none


def test_no_columns_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 column"):
        contact_sheet(flat_split([0]), EMOTIONS, title="t", columns=0)


def test_a_label_without_emotion_is_refused() -> None:
    with pytest.raises(DataError, match=r"labels 0 to 2.*found 3"):
        contact_sheet(flat_split([3]), EMOTIONS, title="t")
