"""The sheet of an audit: which rows stand where, and that nothing is cut off."""

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.data.audit import Audit, audit_dataset
from fer_edge.data.sheet import GAP_PX, MARGIN_PX, TILE_PX, TITLE_PX
from fer_edge.data.worst import CAPTION_PX, FOOT_PX, HEADING_PX, UNIT_GAP_PX, WIDTH_PX, worst_sheet
from fer_edge.errors import DataError
from tests.test_audit import FACES, PLANTED, Image, lit, made, named

LEFT, RIGHT = MARGIN_PX, MARGIN_PX + TILE_PX + GAP_PX


@pytest.fixture(scope="module")
def planted() -> Audit:
    return audit_dataset(PLANTED, not_a_face=np.array([203, 108]))


def section_tops(audit: Audit) -> dict[str, int]:
    """Returns where each finding's section begins on the sheet."""
    tops, top = {}, TITLE_PX
    for finding in audit.findings:
        tops[finding.name] = top
        top += HEADING_PX + (TILE_PX + CAPTION_PX + FOOT_PX if finding.n else 0)
    return {**tops, "end": top}


def tile(sheet: NDArray[np.uint8], top: int, left: int) -> NDArray[np.uint8]:
    return sheet[top + HEADING_PX : top + HEADING_PX + TILE_PX, left : left + TILE_PX, 0]


def enlarged(image: Image) -> NDArray[np.uint8]:
    larger = cv2.resize(image, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(larger, np.uint8)


def test_the_sheet_has_a_section_a_finding(planted: Audit) -> None:
    sheet = worst_sheet(planted, PLANTED, title="planted")
    assert sheet.dtype == np.uint8
    assert sheet.shape == (section_tops(planted)["end"], WIDTH_PX, 3)
    for name, top in section_tops(planted).items():
        if name != "end":
            assert (sheet[top + 8 : top + 24, MARGIN_PX:-MARGIN_PX] < 100).any(), name
    assert (sheet[:, :MARGIN_PX] == 250).all()
    assert (sheet[:, -MARGIN_PX:] == 250).all()


def test_pairs_stand_side_by_side_and_others_alone(planted: Audit) -> None:
    sheet, tops = worst_sheet(planted, PLANTED, title="planted"), section_tops(planted)
    near = tops["validation near train"]
    assert np.array_equal(tile(sheet, near, LEFT), enlarged(FACES[3][:, ::-1]))
    assert np.array_equal(tile(sheet, near, RIGHT), enlarged(FACES[3]))
    voted = tops["not a face"]
    assert (tile(sheet, voted, LEFT) == 7).all()
    second = MARGIN_PX + TILE_PX + UNIT_GAP_PX
    assert np.array_equal(tile(sheet, voted, second), enlarged(lit(FACES[10])))


def test_a_pair_shows_what_differs() -> None:
    """Beside 100 stands the near copy 102 or, where labels conflict, 103."""
    dataset = made(
        train=[(FACES[0], "sad"), (FACES[0], "sad"), (lit(FACES[0]), "sad"), (FACES[0], "happy")]
    )
    audit = audit_dataset(dataset)
    assert named(audit, "near copies in train").groups[0].ids == [100, 101, 103, 102]
    sheet, tops = worst_sheet(audit, dataset, title="t"), section_tops(audit)
    near = tile(sheet, tops["near copies in train"], RIGHT)
    assert np.array_equal(near, enlarged(lit(FACES[0])))
    labels = {
        (name, left): sheet[tops[name] + HEADING_PX + TILE_PX :][17:CAPTION_PX, left:][:, :TILE_PX]
        for name in ("near copies in train", "conflicting labels")
        for left in (LEFT, RIGHT)
    }
    sad = labels["conflicting labels", LEFT]
    assert (sad < 100).any()
    assert np.array_equal(labels["near copies in train", RIGHT], sad)  # 102 is sad, too
    assert not np.array_equal(labels["conflicting labels", RIGHT], sad)  # 103 is happy


def test_headings_count_rows_and_groups(planted: Audit) -> None:
    """OpenCV's own measure of the text says where the ink ends."""
    sheet, tops = worst_sheet(planted, PLANTED, title="t"), section_tops(planted)
    for name, count in {
        "repeated in train": "3 rows in 2 groups",
        "repeated in test": "none",
        "test also in train": "1 row",
        "near copies in train": "2 rows in 1 group",
        "not a face": "2 rows",
    }.items():
        (width, _), _ = cv2.getTextSize(f"{name}: {count}", cv2.FONT_HERSHEY_SIMPLEX, 0.55, 1)
        heading = sheet[tops[name] + 4 : tops[name] + 26, :, 0]
        assert np.flatnonzero((heading < 150).any(axis=0))[-1] == pytest.approx(LEFT + width, abs=4)
        what = sheet[tops[name] + 32 : tops[name] + 48]
        assert (what < 100).any()


def test_a_row_of_examples_ends_with_the_sheet() -> None:
    """Of 8 pairs 6 fit, of 13 single images 11."""
    blanks = [(np.full((48, 48), gray, np.uint8), "sad") for gray in range(13)]
    twice = [(face, "sad") for face in [*FACES[:8], *FACES[:8]]]
    dataset = made(train=[*blanks, *twice])
    audit = audit_dataset(dataset)
    sheet, tops = worst_sheet(audit, dataset, title="t"), section_tops(audit)
    pair, one = 2 * TILE_PX + GAP_PX + UNIT_GAP_PX, TILE_PX + UNIT_GAP_PX
    assert (sheet[:, -MARGIN_PX:] == 250).all()
    assert np.array_equal(
        tile(sheet, tops["repeated in train"], LEFT + 5 * pair), enlarged(FACES[5])
    )
    assert (tile(sheet, tops["blank"], LEFT + 10 * one) == 10).all()
    after = sheet[tops["blank"] + HEADING_PX : tops["blank"] + HEADING_PX + TILE_PX]
    assert (after[:, LEFT + 10 * one + TILE_PX :] == 250).all()


def test_a_long_title_fits(planted: Audit) -> None:
    band = worst_sheet(planted, PLANTED, title="a very long title — " * 20)[:TITLE_PX]
    assert (band[:, MARGIN_PX:-MARGIN_PX] < 100).any()
    assert (band[:, -MARGIN_PX + 2 :] == 250).all()


def test_the_audit_of_other_data_is_refused(planted: Audit) -> None:
    other = dataclasses.replace(PLANTED, sha256="1" * 64)
    fewer = dataclasses.replace(PLANTED, splits={"test": PLANTED.splits["test"]})
    with pytest.raises(DataError, match=r"22 images \(111111111111\), found one of 22 \(000000"):
        worst_sheet(planted, other, title="t")
    with pytest.raises(DataError, match=r"these 3 images .*, found one of 22"):
        worst_sheet(planted, fewer, title="t")
