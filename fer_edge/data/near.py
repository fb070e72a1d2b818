"""Near copies: one photograph moved, mirrored, scaled a little, lightened or compressed again.

Two stages: 63 low frequencies an image pick, by matrix products, the pairs that may be copies; the
pixels' fine detail decides, once it is aligned. Different faces agree in pose and light, not there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.contents import content_ids

MIN_DETAIL = 2.0
"""Gray levels of fine detail (standard deviation) under which an image shows nothing to compare.
Of FER2013's public rows 12 blank ones and 3 others lie below, none of them a face; the next, from
2.6 on, are faces in the dark."""

N_FREQUENCIES, TAPER_PX = 8, 4
MIN_LIKENESS = 0.86
"""Agreement of the low frequencies that makes a pair a candidate: 1 in 9,000 pairs of FER2013.
Of 5,000 faces moved by one pixel the least alike agrees by 0.877 with where it was."""

MAX_CANDIDATES = 16
"""Candidates an image, on average over a block; FER2013 has 3. It bounds the time where most
images are alike, as in a film."""

MAX_SHIFT, WORTH_ALIGNING = 2, 0.6
"""Details are first compared under whole shifts of up to 2 pixels, and aligned if they correlate by
0.6 then. Of FER2013's candidates from 0.6 to 0.7 one in three is a copy; below, one in 13 and less,
which leaves out 3% of the copies."""

MAX_BEND = 0.25
"""By how much aligning may scale, turn or shear; at 0.12, 57 true copies of FER2013 were lost."""

MIN_CORRELATION = 0.95
"""Aligned details that correlate this well are one photograph. Seen by eye on FER2013's public
rows: of 3,568 pairs the lowest 196, 196 drawn at random and all 48 mirrored ones are; between 0.9
and 0.95 most still are. No two of 2,100 drawn faces, which resemble each other more, reach 0.945
(three seeds). Of 5,000 faces, each of shift, mirror, light ±5 and JPEG quality 50 to 90, and all of
them together, leaves 99.9% above."""

BLOCK = 256  # rows of likenesses at a time: 37 MB for 35,887 images
_INSIDE = np.pad(np.full((44, 44), 255, np.uint8), 2)  # blurring knows less about the border
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.005)


@dataclass(frozen=True)
class NearPairs:
    """Pairs of images that show one photograph; each pair once, in ascending order.

    Attributes:
        first: int64, (m,), rows.
        second: int64, (m,), rows, each after its first.
        correlation: float32, (m,), of the aligned fine detail, `MIN_CORRELATION` to 1.
        mirrored: bool, (m,), where one is the mirror image of the other.
        n_skipped: Candidates that were not compared, because there were too many.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    correlation: NDArray[np.float32]
    mirrored: NDArray[np.bool_]
    n_skipped: int = 0

    def __len__(self) -> int:
        return len(self.first)

    def rows(self) -> list[tuple[int, int]]:
        """Returns the pairs as tuples."""
        return list(zip(self.first.tolist(), self.second.tolist(), strict=True))


def near_pairs(images: NDArray[np.uint8]) -> NearPairs:
    """Returns the pairs of images that are near copies of one another.

    Of images with equal pixels only the first is compared, and none that shows too little.

    Args:
        images: uint8, (n, 48, 48), gray.
    """
    if not len(images):
        return _as_pairs({}, 0)
    # In the order of their contents, so that the order of the rows decides nothing.
    rows = np.unique(content_ids(images)[0], return_index=True)[1]
    rows = rows[detail_levels(images[rows]) >= MIN_DETAIL]
    details = np.array([_fine_detail(images[row]) for row in rows], np.float16)
    descriptions = _describe(images[rows])
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    n_skipped = 0
    for mirrored in (False, True):
        for pairs, skipped in _candidates(descriptions, mirrored=mirrored):
            n_skipped += skipped
            for one, other in pairs:
                correlation = _correlate(details[one], details[other], mirrored=mirrored)
                pair = min(rows[one], rows[other]), max(rows[one], rows[other])
                if correlation >= max(MIN_CORRELATION, found.get(pair, (0.0,))[0]):
                    found[pair] = correlation, mirrored
    return _as_pairs(found, n_skipped)


def near_groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Returns groups of rows, each row a near copy of the first in its group: no chains.

    The row with the most partners leads the first group, and so on with the rows that are left.
    Who keeps the first row of each group and drops the others has no near copies left. A row whose
    partners all went to other groups stands in none.
    """
    partners: dict[int, set[int]] = {}
    for one, other in pairs:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    left = set(partners)
    groups = []
    for row in sorted(partners, key=lambda row: (-len(partners[row]), row)):
        members = partners[row] & left
        if row in left and members:
            groups.append([row, *sorted(members)])
            left -= {row, *members}
    return groups


def detail_levels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns float32, (n,): how much fine detail images show, a standard deviation in gray levels.

    Args:
        images: uint8, (n, 48, 48), gray.
    """
    return np.array([_fine_detail(image).std() for image in images], np.float32)


def _fine_detail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns float32, (48, 48): what is finer than light and pose, coarser than JPEG's noise."""
    gray = image.astype(np.float32)
    fine, coarse = cv2.GaussianBlur(gray, (0, 0), 0.8), cv2.GaussianBlur(gray, (0, 0), 2.0)
    return np.asarray(fine - coarse, np.float32)


def _describe(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns float32, (n, 64), of unit length: low DCT frequencies, free of light and contrast.

    The border counts less, as a shift changes it. Frequencies are weighted by the root of their
    radius: the lowest are nearly the same in all faces, and the highest move with a shift.
    """
    from_edge = np.minimum(np.arange(48), np.arange(48)[::-1]) + 0.5
    taper = np.sin(np.pi / 2 * np.minimum(from_edge / TAPER_PX, 1)) ** 2
    frequencies = np.arange(N_FREQUENCIES)
    waves = taper * np.cos(np.pi / 48 * np.outer(frequencies, np.arange(48) + 0.5))  # (8, 48)
    of_flat = np.outer(waves.sum(axis=1), waves.sum(axis=1)) / waves[0].sum() ** 2
    weights = np.sqrt(np.hypot(frequencies[:, None], frequencies))
    waves, of_flat, weights = (a.astype(np.float32) for a in (waves, of_flat, weights))
    descriptions = np.empty((len(images), N_FREQUENCIES**2), np.float32)
    for start in range(0, len(images), BLOCK):
        seen = waves @ images[start : start + BLOCK].astype(np.float32) @ waves.T  # (BLOCK, 8, 8)
        seen = (seen - seen[:, :1, :1] * of_flat) * weights
        flat = seen.reshape(len(seen), -1)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        descriptions[start : start + BLOCK] = flat / np.maximum(length, 1e-6)
    return descriptions


def _candidates(
    descriptions: NDArray[np.float32], *, mirrored: bool
) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Yields pairs that may be copies, intp (m, 2), and how many more there were, block by block.

    Mirroring an image negates its odd horizontal frequencies.
    """
    sign = np.where(np.arange(N_FREQUENCIES**2) % 2, -1, 1).astype(np.float32)
    others = descriptions * sign if mirrored else descriptions
    for start in range(0, len(descriptions), BLOCK):
        likeness = descriptions[start : start + BLOCK] @ others[start:].T  # (BLOCK, n - start)
        one, other = np.divmod(np.flatnonzero(likeness >= MIN_LIKENESS), likeness.shape[1])
        one, other = one[one < other], other[one < other]
        skipped = max(0, len(one) - BLOCK * MAX_CANDIDATES)
        if skipped:
            best = np.argpartition(likeness[one, other], skipped)[skipped:]
            one, other = one[best], other[best]
        yield np.stack([one, other], axis=1) + start, skipped


def _correlate(one: NDArray[np.float16], other: NDArray[np.float16], *, mirrored: bool) -> float:
    """Returns how well two details, (48, 48), correlate where they fit best, -1 to 1."""
    one_detail = one.astype(np.float32)
    other_detail = np.ascontiguousarray(other[:, ::-1] if mirrored else other, np.float32)
    middle = one_detail[MAX_SHIFT:-MAX_SHIFT, MAX_SHIFT:-MAX_SHIFT]
    moved = cv2.matchTemplate(other_detail, middle, cv2.TM_CCOEFF_NORMED)  # (5, 5)
    _, correlation, _, (x, y) = cv2.minMaxLoc(moved)
    if correlation < WORTH_ALIGNING:
        return correlation
    shift = np.array([[1, 0, x - MAX_SHIFT], [0, 1, y - MAX_SHIFT]], np.float32)
    try:
        aligned, warp = cv2.findTransformECC(
            one_detail, other_detail, shift, cv2.MOTION_AFFINE, _STOP, _INSIDE, 1
        )
    except cv2.error:  # they cannot be aligned
        return correlation
    bend = np.abs(warp[:, :2] - np.eye(2)).max()
    return aligned if bend <= MAX_BEND else correlation


def _as_pairs(found: dict[tuple[int, int], tuple[float, bool]], n_skipped: int) -> NearPairs:
    pairs = sorted(found)
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    correlation = np.array([found[pair][0] for pair in pairs], np.float32)
    mirrored = np.array([found[pair][1] for pair in pairs], np.bool_)
    return NearPairs(first, second, correlation, mirrored, n_skipped)
