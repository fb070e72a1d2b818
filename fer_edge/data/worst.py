"""A sheet of what an audit found: a section a finding, some of its images with id and emotion."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.audit import Audit, Finding, Group
from fer_edge.data.sheet import GAP_PX, MARGIN_PX, PALE, PAPER, TILE_PX, TITLE_PX, write_line
from fer_edge.data.split import Dataset
from fer_edge.errors import DataError

N_PAIRS = 6
UNIT_GAP_PX = 14
WIDTH_PX = 2 * MARGIN_PX + N_PAIRS * (2 * TILE_PX + GAP_PX + UNIT_GAP_PX) - UNIT_GAP_PX
HEADING_PX, CAPTION_PX, FOOT_PX = 52, 34, 10

Faces = Mapping[int, tuple[NDArray[np.uint8], str]]
"""Row id → image, uint8 (48, 48), and emotion."""


def worst_sheet(audit: Audit, dataset: Dataset, *, title: str) -> NDArray[np.uint8]:
    """Returns a sheet with a section a finding: what it is, how many rows, and some of them.

    Rows that repeat, contradict or copy others are shown beside one of them. Findings without rows
    have a heading that says so.

    Args:
        audit: Of the data set.
        dataset: Where the images are.
        title: The line at the top; characters outside ASCII become question marks.

    Returns:
        uint8, (h, w, 3), BGR.

    Raises:
        DataError: The audit is of other data.
    """
    faces = _faces(dataset)
    if (audit.sha256, audit.n) != (dataset.sha256, len(faces)):
        raise DataError(
            f"Expected the audit of these {len(faces)} images ({dataset.sha256[:12]}), "
            f"found one of {audit.n} ({audit.sha256[:12]}). Audit the data set that is shown."
        )
    top = _paper(TITLE_PX)
    write_line(top, title, (MARGIN_PX, 29), 0.6, WIDTH_PX - 2 * MARGIN_PX)
    return np.concatenate([top, *(_section(finding, faces) for finding in audit.findings)])


def _faces(dataset: Dataset) -> Faces:
    return {
        int(row_id): (image, dataset.emotions[label])
        for split in dataset.splits.values()
        for row_id, image, label in zip(split.ids, split.images, split.labels, strict=True)
    }


def _section(finding: Finding, faces: Faces) -> NDArray[np.uint8]:
    """Returns one finding, uint8 (h, WIDTH_PX, 3): its heading, and a row of examples under it."""
    units = _units(finding, faces)
    section = _paper(HEADING_PX + (TILE_PX + CAPTION_PX + FOOT_PX if units else 0))
    section[0, MARGIN_PX:-MARGIN_PX] = PALE
    room = WIDTH_PX - 2 * MARGIN_PX
    write_line(section, f"{finding.name}: {_count(finding)}", (MARGIN_PX, 22), 0.55, room)
    write_line(section, finding.what, (MARGIN_PX, 41), 0.42, room)
    left = MARGIN_PX
    for unit in units:
        for row_id in unit:
            _place(section, left, row_id, *faces[row_id])
            left += TILE_PX + GAP_PX
        left += UNIT_GAP_PX - GAP_PX
    return section


def _units(finding: Finding, faces: Faces) -> list[list[int]]:
    """Returns the ids that are shown together: pairs where the finding has groups, else one."""
    unit_px = TILE_PX + UNIT_GAP_PX + (TILE_PX + GAP_PX if finding.groups else 0)
    n = (WIDTH_PX - 2 * MARGIN_PX + UNIT_GAP_PX) // unit_px
    pairs = [_pair(group, faces) for group in finding.groups[:n]]
    return pairs or [[row_id] for row_id in finding.ids[:n]]


def _pair(group: Group, faces: Faces) -> list[int]:
    """Returns a group's first id and the one that differs most: in pixels, then in its label."""
    first, *others = group.ids
    image, emotion = faces[first]

    def alike(row_id: int) -> tuple[bool, bool]:
        other, label = faces[row_id]
        return np.array_equal(other, image), label == emotion

    return [first, min(others, key=alike)]


def _count(finding: Finding) -> str:
    if not finding.n:
        return "none"
    rows = f"{finding.n} {'row' if finding.n == 1 else 'rows'}"
    n = len(finding.groups)
    return f"{rows} in {n} {'group' if n == 1 else 'groups'}" if n not in (0, finding.n) else rows


def _place(
    section: NDArray[np.uint8], left: int, row_id: int, image: NDArray[np.uint8], emotion: str
) -> None:
    """Puts an image, uint8 (48, 48), into a section with its id and emotion below, in place."""
    size = (TILE_PX, TILE_PX)
    tile = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)[..., None]
    section[HEADING_PX : HEADING_PX + TILE_PX, left : left + TILE_PX] = tile
    bottom = HEADING_PX + TILE_PX
    write_line(section, str(row_id), (left, bottom + 14), 0.4, TILE_PX)
    write_line(section, emotion, (left, bottom + 28), 0.4, TILE_PX)


def _paper(height: int) -> NDArray[np.uint8]:
    return np.full((height, WIDTH_PX, 3), PAPER, np.uint8)
