"""FER+: ten people's votes for each row of FER2013, joined to the images by row number.

Not by image name: names drift from the row number, 173 rows have none, and four occur twice.
Source: Barsoum et al., Training Deep Networks for Facial Expression Recognition with
Crowd-Sourced Label Distribution, arXiv:1608.01041; github.com/microsoft/FERPlus, src/ferplus.py.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import EMOTIONS
from fer_edge.data.fer2013 import USAGE
from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.split import SPLIT_NAMES, Dataset, LabelSet, Split, SplitName
from fer_edge.errors import ConfigError, DataError
from fer_edge.metrics import Interval, confusion_matrix, wilson_interval

CHOICES = (*ALL_EMOTIONS, "unknown", "not a face")
N_EMOTIONS = len(EMOTIONS)
CONTEMPT, UNKNOWN, NOT_A_FACE, NO_MAJORITY = range(N_EMOTIONS, N_EMOTIONS + 4)

_TAGS = "neutral happiness surprise sadness anger disgust fear contempt unknown NF"
COLUMNS = ("Usage", "Image name", *_TAGS.split())
_AS_CHOICES = [5, 6, 7, 2, 4, 3, 1, 8, 9, 10]  # columns of a parsed row, as CHOICES
_N_VOTES = {b"%d" % n: n for n in range(11)}  # ten taggers
MAX_LINE_BYTES = 256  # a row takes 46
MAX_ROWS = 100_000
MAX_BYTES = 8 * 1024 * 1024  # the published file takes 1.6 MB

MAX_STEP = 8  # gray levels between neighbours, see has_no_edge
MIN_AGREEMENT = 0.4  # 65.7% is known; votes that are off by one row agree in 18%
_WHICH_FILES = "fer2013new.csv goes with the whole fer2013.csv; a part of it with the same part."


@dataclass(frozen=True)
class Votes:
    """FER+ votes, row by row as FER2013's CSV.

    Attributes:
        counts: uint8, (n, 10), votes for each of `CHOICES`; a row sums to 10, rarely to less.
        usage: uint8, (n,), index into `SPLIT_NAMES`.
    """

    counts: NDArray[np.uint8]
    usage: NDArray[np.uint8]


@dataclass(frozen=True)
class FerPlusReport:
    """What the votes say of a data set's rows.

    A row is clear where one choice has more votes than any other of the ten, it is one of the
    seven emotions, and the image has edges. FER2013's known agreement of 65.7% is over these
    rows; over those that have a majority, and so stay in `ferplus7`, it is 67.9%.

    Attributes:
        labels: The mode.
        joined: Rows with votes: all.
        not_a_face: Rows whose majority says so, or whose image has no edge.
        unknown: Rows whose majority is unknown.
        no_majority: Rows where no choice has more than half of the votes.
        contempt: Rows whose majority is contempt.
        own_label: Rows that in mode `fer2013` keep a one-hot of their label; 0 in the others.
        kept: Rows left in each split.
        agreement: Share of clear rows where FER2013's label has the most votes; None without any.
        agreement_by_split: The same in each split that has clear rows.
        agreement_by_emotion: The same for each label of FER2013 that has clear rows.
        confusion: 7 x 7, clear rows by FER2013's label (row) and FER+'s (column).
    """

    labels: LabelSet
    joined: int
    not_a_face: int
    unknown: int
    no_majority: int
    contempt: int
    own_label: int
    kept: dict[SplitName, int]
    agreement: Interval | None
    agreement_by_split: dict[SplitName, Interval]
    agreement_by_emotion: dict[str, Interval]
    confusion: tuple[tuple[int, ...], ...]

    def notes(self) -> tuple[str, ...]:
        """Returns what a user should know, in words."""
        n_left = self.joined - sum(self.kept.values())
        fate = f"{n_left} left" if n_left else f"{self.own_label} keep their label alone"
        return (
            f"of {self.joined} rows with FER+ votes {self.not_a_face} show no face, "
            f"{self.unknown} are unknown, {self.no_majority} have no majority and "
            f"{self.contempt} are contempt: {fate}",
            *([f"{self.agreement.value:.1%} of the labels are FER+'s"] if self.agreement else []),
        )


@dataclass(frozen=True)
class _Joined:
    split: Split
    counts: NDArray[np.uint8]  # (n, 10), without single votes
    majority: NDArray[np.uint8]  # (n,), index into CHOICES, or NO_MAJORITY
    silent: NDArray[np.bool_]  # (n,), where the votes say nothing of the seven emotions
    confusion: NDArray[np.int64]  # (7, 7), as the report has it


def read_votes(path: Path) -> Votes:
    """Returns the votes in a `fer2013new.csv`.

    Raises:
        DataError: The file cannot be read, is too large, or a row breaks the format (with line).
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise DataError(f"Cannot read the FER+ votes {path}: {exc.strerror}.") from exc
    if len(text) > MAX_BYTES or text.count(b"\n") > MAX_ROWS + 1:
        raise DataError(f"{path}: expected at most {MAX_ROWS} rows and 8 MiB, found more.")
    first, *lines = text.split(b"\n")
    header = first[:MAX_LINE_BYTES].decode("utf-8", "replace")
    if tuple(name.strip() for name in header.split(",")) != COLUMNS:
        raise DataError(
            f"{path} is no CSV of FER+ votes, plain and with the header of fer2013new.csv: "
            f"expected {','.join(COLUMNS)!r}, found {header!r}."
        )
    rows = [_parse_row(path, n, line) for n, line in enumerate(lines, 2) if line.strip()]
    if not rows:
        raise DataError(f"{path} has a header and no rows. Expected one row a face.")
    table = np.array(rows, np.uint8)
    return Votes(table[:, _AS_CHOICES], table[:, 0])


def _parse_row(path: Path, number: int, line: bytes) -> list[int]:
    """Returns a row's index into SPLIT_NAMES and its ten counts; names the line if one is wrong."""
    usage, *rest = [field.strip() for field in line.split(b",", len(COLUMNS))]
    counts = [_N_VOTES.get(field, -1) for field in rest[1:]]
    if len(line) > MAX_LINE_BYTES or len(counts) != len(CHOICES):
        fault = f"{len(COLUMNS)} fields in {MAX_LINE_BYTES} bytes, found {line[:60]!r}"
    elif usage not in USAGE:
        fault = f"a Usage of {b', '.join(USAGE).decode()}, found {usage!r}"
    elif -1 in counts:
        fault = f"ten counts of 0 to 10 votes, found {rest[1 + counts.index(-1)]!r}"
    elif not 1 <= sum(counts) <= 10:
        fault = f"1 to 10 votes in all, found {sum(counts)}"
    else:
        return [SPLIT_NAMES.index(USAGE[usage]), *counts]
    raise DataError(f"{path}, line {number}: expected {fault}.")


def with_votes(
    dataset: Dataset, votes: Votes, *, labels: LabelSet
) -> tuple[Dataset, FerPlusReport]:
    """Returns FER2013 with labels after FER+'s votes, and what the votes say of its rows.

    A choice with a single vote counts as none. The majority is the choice with more than half of
    what remains, unknown and not-a-face included; FER+ evaluates on these labels in all modes.

    Args:
        dataset: FER2013 or some of its rows; ids are row numbers of its CSV.
        votes: Of the same rows, or of more.
        labels: `fer2013`: rows and labels stay; `soft` is the vote over the seven emotions, or
            one-hot of the label where the majority is unknown or not a face, or none is left.
            `ferplus7`: labels are the majority, no `soft`; other rows leave.
            `ferplus8`: likewise, with contempt as an eighth class; `soft` is the distribution of
            FER+'s "crossentropy" and "probability" modes: all to the majority where it has three
            quarters of the votes, else the vote over the eight.

    Raises:
        DataError: The votes are not of these rows.
        ConfigError: There is no such mode.
    """
    if labels not in get_args(LabelSet):
        raise ConfigError(f"Expected labels of {', '.join(get_args(LabelSet))}, found {labels!r}.")
    joined = _join(dataset, votes)
    splits = {name: _relabelled(part, labels) for name, part in joined.items()}
    report = _report(joined, splits, labels)
    same = report.agreement
    if same and same.high < MIN_AGREEMENT:
        raise DataError(
            f"Expected votes that agree with most labels of {dataset.source.name}, found that "
            f"{same.value:.0%} do: they are of other faces. {_WHICH_FILES}"
        )
    emotions = ALL_EMOTIONS if labels == "ferplus8" else EMOTIONS
    return dataclasses.replace(dataset, emotions=emotions, splits=splits), report


def not_a_face(dataset: Dataset, votes: Votes) -> dict[SplitName, NDArray[np.int64]]:
    """Returns each split's ids, int64 (k,), of images without a face, by votes or by pixels."""
    joined = _join(dataset, votes)
    return {name: part.split.ids[part.majority == NOT_A_FACE] for name, part in joined.items()}


def has_no_edge(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns bool, (n,): images, uint8 (n, h, w), whose neighbours differ by `MAX_STEP` at most.

    They are constant, or smooth background: FER2013's row 5274 is a gradient with steps up to 4
    that carries the votes of row 6968. The faintest face of FER2013 has a step of 25.
    """
    pairs = ((images[:, 1:], images[:, :-1]), (images[:, :, 1:], images[:, :, :-1]))
    steps = [(np.maximum(a, b) - np.minimum(a, b)).max(axis=(1, 2)) for a, b in pairs]
    return np.asarray(np.maximum(*steps) <= MAX_STEP)


def _join(dataset: Dataset, votes: Votes) -> dict[SplitName, _Joined]:
    """Returns the splits with their votes, which must be there and of the same Usage."""
    if dataset.emotions != EMOTIONS:
        raise DataError(f"Expected FER2013's labels {EMOTIONS}, found {dataset.emotions}.")
    for name, split in dataset.splits.items():
        there = (split.ids >= 0) & (split.ids < len(votes.usage))
        usage = votes.usage[np.where(there, split.ids, 0)]
        wrong = np.flatnonzero(~there | (usage != SPLIT_NAMES.index(name)))
        if len(wrong):
            row = wrong[0]
            found = f"votes for {SPLIT_NAMES[usage[row]]}" if there[row] else "none"
            raise DataError(
                f"Expected votes for {name} in row {split.ids[row]}, as in {dataset.source.name}, "
                f"found {found} among {len(votes.usage)} rows of votes. {_WHICH_FILES}"
            )
    return {name: _judge(split, votes) for name, split in dataset.splits.items()}


def _judge(split: Split, votes: Votes) -> _Joined:
    counts = votes.counts[split.ids]
    counts[counts == 1] = 0  # FER+ takes a single vote for a slip
    first, most = counts.argmax(axis=1), counts.max(axis=1)
    majority = np.where(2 * most > counts.sum(axis=1), first, NO_MAJORITY).astype(np.uint8)
    majority[has_no_edge(split.images)] = NOT_A_FACE
    silent = np.isin(majority, (UNKNOWN, NOT_A_FACE)) | ~counts[:, :N_EMOTIONS].any(axis=1)
    alone = np.sum(counts == most[:, None], axis=1) == 1
    clear = alone & (first < N_EMOTIONS) & (majority != NOT_A_FACE)
    confusion = confusion_matrix(split.labels[clear], first[clear], N_EMOTIONS)
    return _Joined(split, counts, majority, silent, confusion)


def _relabelled(part: _Joined, labels: LabelSet) -> Split:
    """Returns a split with labels as `with_votes` describes them."""
    split, majority = part.split, part.majority
    if labels == "fer2013":
        own = np.eye(N_EMOTIONS, dtype=np.uint8)[split.labels]
        seven = np.where(part.silent[:, None], own, part.counts[:, :N_EMOTIONS])
        return dataclasses.replace(split, soft=_shares(seven))
    stays = majority < (N_EMOTIONS if labels == "ferplus7" else len(ALL_EMOTIONS))
    soft = _shares(_up_to_three_quarters(part.counts[stays])) if labels == "ferplus8" else None
    return Split(split.images[stays], majority[stays], split.ids[stays], soft)


def _up_to_three_quarters(counts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns counts (n, 8) of rows (n, 10) with a majority: only that where it has 3/4 of all.

    FER+ adds emotions by falling votes until they have 3/4. Of ten votes with a majority and no
    strays, what remains is one choice or two equal ones, so that the second step is the last.
    """
    eight = counts[:, : len(ALL_EMOTIONS)]
    most = eight.max(axis=1, keepdims=True)
    enough = 4 * most >= 3 * counts.sum(axis=1, keepdims=True)  # (n, 1)
    return np.where(enough & (eight < most), np.uint8(0), eight)


def _shares(counts: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float32)


def _report(
    joined: dict[SplitName, _Joined], splits: dict[SplitName, Split], labels: LabelSet
) -> FerPlusReport:
    majority = np.concatenate([part.majority for part in joined.values()])
    tally = np.bincount(majority, minlength=NO_MAJORITY + 1).tolist()
    tables = {name: part.confusion for name, part in joined.items()}
    table = np.sum([*tables.values()], axis=0)
    n_silent = sum(int(part.silent.sum()) for part in joined.values())
    return FerPlusReport(
        labels=labels,
        joined=len(majority),
        not_a_face=tally[NOT_A_FACE],
        unknown=tally[UNKNOWN],
        no_majority=tally[NO_MAJORITY],
        contempt=tally[CONTEMPT],
        own_label=n_silent if labels == "fer2013" else 0,
        kept={name: len(split) for name, split in splits.items()},
        agreement=_share(table.trace(), table) if table.any() else None,
        agreement_by_split={k: _share(t.trace(), t) for k, t in tables.items() if t.any()},
        agreement_by_emotion={
            EMOTIONS[k]: _share(row[k], row) for k, row in enumerate(table) if row.any()
        },
        confusion=tuple(tuple(map(int, row)) for row in table),
    )


def _share(n_same: np.integer, clear: NDArray[np.int64]) -> Interval:
    return wilson_interval(int(n_same), int(clear.sum()))
