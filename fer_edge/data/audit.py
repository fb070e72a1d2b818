"""What is wrong with a labelled data set: copies, leaks, conflicts, blanks, outliers.

Arrays in, typed findings out; each names its rows by id. Findings judge nothing: what leaves
Training is decided in `clean`, and what counts as a near copy in `near`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.contents import content_ids, is_blank
from fer_edge.data.near import MIN_DETAIL, NearPairs, detail_levels, near_groups, near_pairs
from fer_edge.data.split import SPLIT_NAMES, Dataset, Split, SplitName
from fer_edge.errors import DataError

OUTLIER_Z = 3.0
"""Robust z beyond which a mean gray level or a sharpness is an outlier. Of FER2013's public rows
none of the 22 that are too bright is a face: they say that an image is missing. The 127 harsh ones
are mostly drawings."""


@dataclass(frozen=True)
class Group:
    """Rows that belong together: their ids, and what each is labelled."""

    ids: list[int]
    emotions: list[str]


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    Attributes:
        name: What it is called.
        what: What its rows are, in words.
        n: How many rows it has; 0 where all is well.
        ids: Their ids, by split and row; the worst first for dark, bright, blurred and harsh.
        groups: The rows with those that they repeat, contradict or copy; the largest first. The
            rows of a group of near copies are all near its first one.
    """

    name: str
    what: str
    n: int
    ids: list[int]
    groups: list[Group]


@dataclass(frozen=True)
class ClassBalance:
    """How many images each emotion has in a split.

    Attributes:
        split: Its name.
        n: Its images.
        counts: Images an emotion, in label order.
        imbalance: Largest count over smallest; None where an emotion has no image.
    """

    split: SplitName
    n: int
    counts: dict[str, int]
    imbalance: float | None


@dataclass(frozen=True)
class NearPair:
    """Two rows that show one photograph in different pixels.

    Attributes:
        ids: Of both; of rows with the same pixels only the first is named.
        correlation: Of their fine detail, once aligned.
        mirrored: One is the mirror image of the other.
    """

    ids: tuple[int, int]
    correlation: float
    mirrored: bool


@dataclass(frozen=True)
class Audit:
    """What a data set holds and what is wrong with it; `dataclasses.asdict` of it goes to JSON.

    Attributes:
        source: What the user named, in words.
        sha256: Of the data set.
        n: Images in all splits.
        balance: One a split that has images.
        findings: In this order: repeated in SPLIT; SPLIT also in SPLIT; near copies in SPLIT;
            SPLIT near SPLIT; conflicting labels; conflicting near copies; blank; nearly blank;
            not a face, where votes were given; dark; bright; blurred; harsh.
        near_pairs: All pairs of near copies.
        near_skipped: Likely near copies that were not compared, because there were too many.
    """

    source: str
    sha256: str
    n: int
    balance: list[ClassBalance]
    findings: list[Finding]
    near_pairs: list[NearPair]
    near_skipped: int


def audit_dataset(dataset: Dataset, *, not_a_face: NDArray[np.int64] | None = None) -> Audit:
    """Returns what is wrong with a data set.

    Args:
        dataset: Splits may be missing, empty, or hold a single image.
        not_a_face: Ids, int64 (k,), of rows that people voted to be no face; None without votes.

    Raises:
        DataError: It has no images at all.
    """
    splits = {name: dataset.splits[name] for name in SPLIT_NAMES if name in dataset.splits}
    splits = {name: split for name, split in splits.items() if len(split)}
    if not splits:
        raise DataError(f"{dataset.source.name} has no images. Expected some to audit.")
    rows = _gather(splits, dataset.emotions)
    pairs = near_pairs(rows.images)
    findings = [
        *_exact_copies(rows),
        *_near_copies(rows, pairs.rows()),
        *_conflicts(rows, pairs.rows()),
        *_unusable(rows, not_a_face),
        *_outliers(rows),
    ]
    return Audit(
        source=dataset.source.title,
        sha256=dataset.sha256,
        n=len(rows.ids),
        balance=[_balance(name, split, rows.emotions) for name, split in splits.items()],
        findings=findings,
        near_pairs=_by_id(rows, pairs),
        near_skipped=pairs.n_skipped,
    )


@dataclass(frozen=True)
class _Rows:
    """The rows of all splits, one after the other.

    Attributes:
        images: uint8, (n, 48, 48).
        labels: uint8, (n,).
        ids: int64, (n,).
        faint: bool, (n,), where too little is shown to compare, or nothing.
        emotions: Class names in label order.
        copies: For each split, content → its rows there. A content is the first row of all that
            shows it.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    ids: NDArray[np.int64]
    faint: NDArray[np.bool_]
    emotions: tuple[str, ...]
    copies: Mapping[SplitName, Mapping[int, list[int]]]

    def finding(
        self, name: str, what: str, rows: Iterable[int], groups: Iterable[list[int]] = ()
    ) -> Finding:
        """Returns a finding of rows in their order, with groups of rows, the largest first."""
        ids = [int(self.ids[row]) for row in rows]
        ordered = sorted(groups, key=lambda group: (-len(group), group[0]))
        return Finding(name, what, len(ids), ids, [self._group(group) for group in ordered])

    def _group(self, rows: list[int]) -> Group:
        emotions = [self.emotions[self.labels[row]] for row in rows]
        return Group([int(self.ids[row]) for row in rows], emotions)


def _gather(splits: Mapping[SplitName, Split], emotions: tuple[str, ...]) -> _Rows:
    images = np.concatenate([split.images for split in splits.values()])
    labels = np.concatenate([split.labels for split in splits.values()])
    ids = np.concatenate([split.ids for split in splits.values()])
    _, first, numbers = np.unique(content_ids(images)[0], return_index=True, return_inverse=True)
    names = [name for name, split in splits.items() for _ in range(len(split))]
    copies: dict[SplitName, dict[int, list[int]]] = {name: {} for name in splits}
    for row, (name, content) in enumerate(zip(names, first[numbers].tolist(), strict=True)):
        copies[name].setdefault(content, []).append(row)
    return _Rows(images, labels, ids, detail_levels(images) < MIN_DETAIL, emotions, copies)


def _balance(name: SplitName, split: Split, emotions: tuple[str, ...]) -> ClassBalance:
    counts = split.class_counts(len(emotions))
    imbalance = max(counts) / min(counts) if min(counts) else None
    return ClassBalance(name, len(split), dict(zip(emotions, counts, strict=True)), imbalance)


def _exact_copies(rows: _Rows) -> Iterator[Finding]:
    for name, copies in rows.copies.items():
        groups = [group for group in copies.values() if len(group) > 1]
        further = sorted(row for group in groups for row in group[1:])
        what = f"further copies of an image of {name}, pixel for pixel"
        yield rows.finding(f"repeated in {name}", what, further, groups)
    for earlier, later in combinations(rows.copies, 2):
        own, there = rows.copies[later], rows.copies[earlier]
        groups = [[row, *there[key]] for key in own.keys() & there.keys() for row in own[key]]
        leaked = sorted(group[0] for group in groups)
        what = f"images of {later} that stand in {earlier} too, pixel for pixel"
        yield rows.finding(f"{later} also in {earlier}", what, leaked, groups)


def _near_copies(rows: _Rows, pairs: list[tuple[int, int]]) -> Iterator[Finding]:
    for name, copies in rows.copies.items():
        inside = [pair for pair in pairs if pair[0] in copies and pair[1] in copies]
        groups = [[r for content in g for r in copies[content]] for g in near_groups(inside)]
        found = sorted(row for content in set().union(*inside) for row in copies[content])
        what = f"images of {name} with a near copy there: moved, mirrored, relit, recompressed"
        yield rows.finding(f"near copies in {name}", what, found, groups)
    partners: dict[int, list[int]] = {}
    for one, other in [*pairs, *((other, one) for one, other in pairs)]:
        partners.setdefault(one, []).append(other)
    for earlier, later in combinations(rows.copies, 2):
        own, there = rows.copies[later], rows.copies[earlier]
        near = {key: [there[p][0] for p in partners.get(key, ()) if p in there] for key in own}
        groups = [
            [row, *sorted(near[key])]
            for key in own.keys() - there.keys()
            for row in own[key]
            if near[key]
        ]
        found = sorted(group[0] for group in groups)
        what = f"further images of {later} with a near copy in {earlier}"
        yield rows.finding(f"{later} near {earlier}", what, found, groups)


def _conflicts(rows: _Rows, pairs: list[tuple[int, int]]) -> Iterator[Finding]:
    copies: dict[int, list[int]] = {}
    for of_split in rows.copies.values():
        for content, found in of_split.items():
            copies.setdefault(content, []).extend(found)
    near = [[row for content in group for row in copies[content]] for group in near_groups(pairs)]
    for name, what, groups in (
        ("conflicting labels", "equal images that are labelled differently", copies.values()),
        ("conflicting near copies", "near copies that are labelled differently", near),
    ):
        apart = [group for group in groups if len(set(rows.labels[group].tolist())) > 1]
        yield rows.finding(name, what, sorted(row for group in apart for row in group), apart)


def _unusable(rows: _Rows, not_a_face: NDArray[np.int64] | None) -> Iterator[Finding]:
    blank = is_blank(rows.images)
    yield rows.finding("blank", "one gray level throughout", np.flatnonzero(blank).tolist())
    what = f"less than {MIN_DETAIL:g} gray levels of detail; not compared for near copies"
    yield rows.finding("nearly blank", what, np.flatnonzero(rows.faint & ~blank).tolist())
    if not_a_face is not None:
        found = np.flatnonzero(np.isin(rows.ids, not_a_face)).tolist()
        yield rows.finding("not a face", "no face is shown, by people's votes", found)


def _outliers(rows: _Rows) -> Iterator[Finding]:
    variance = [cv2.Laplacian(image, cv2.CV_32F).var() for image in rows.images]
    sharpness = np.log(np.maximum(variance, 1e-6))  # it spans decades
    gray = rows.images.mean(axis=(1, 2))
    for name, what, values in (
        ("dark", "a low mean gray level", -gray),
        ("bright", "a high mean gray level", gray),
        (
            "blurred",
            "a low variance of the Laplacian: out of focus, or low in contrast",
            -sharpness,
        ),
        ("harsh", "a high variance of the Laplacian: a drawing, text or noise", sharpness),
    ):
        z = _robust_z(values, ~rows.faint)
        worst = np.argsort(-z, kind="stable")[: int(np.sum(z > OUTLIER_Z))]
        yield rows.finding(name, what, worst.tolist())


def _robust_z(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns float64, (n,): distance from the median in deviations; 0 where not counted.

    A deviation is 1.4826 times the median distance: the standard deviation of normal values.

    Source: Iglewicz, Hoaglin, How to Detect and Handle Outliers (1993).
    """
    z = np.zeros(len(values))
    if counted.any():
        distance = values[counted] - np.median(values[counted])
        deviation = 1.4826 * np.median(np.abs(distance))
        z[counted] = distance / deviation if deviation > 0 else 0
    return z


def _by_id(rows: _Rows, pairs: NearPairs) -> list[NearPair]:
    numbers = zip(pairs.correlation.tolist(), pairs.mirrored.tolist(), strict=True)
    return [
        NearPair((int(rows.ids[one]), int(rows.ids[other])), round(correlation, 3), mirrored)
        for (one, other), (correlation, mirrored) in zip(pairs.rows(), numbers, strict=True)
    ]
