"""FER+ votes: every rule on votes that a reader can recount, and what must not be joined."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_edge.contract import EMOTIONS
from fer_edge.data.ferplus import (
    CHOICES,
    COLUMNS,
    MAX_BYTES,
    MAX_ROWS,
    FerPlusReport,
    Votes,
    has_no_edge,
    not_a_face,
    read_votes,
    with_votes,
)
from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import SPLIT_NAMES, Dataset, LabelSet, Source, Split, SplitName
from fer_edge.errors import ConfigError, DataError
from fer_edge.metrics import wilson_interval

FACE = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
GRADIENT = np.add.outer(4 * np.arange(48), np.arange(48)).astype(np.uint8)
HEADER = ",".join(COLUMNS) + "\n"
GOOD = "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\n"


def count(text: str) -> list[int]:
    """Returns the ten counts of votes such as `happy 6, not a face 4`."""
    found = {
        name.strip(): int(n) for name, _, n in (one.rpartition(" ") for one in text.split(","))
    }
    assert set(found) <= set(CHOICES)
    return [found.get(choice, 0) for choice in CHOICES]


def votes(*rows: str, usage: SplitName = "train") -> Votes:
    counts = np.array([count(row) for row in rows], np.uint8)
    return Votes(counts, np.full(len(rows), SPLIT_NAMES.index(usage), np.uint8))


def dataset(*labels: str, images: NDArray[np.uint8] | None = None, first_id: int = 0) -> Dataset:
    images = np.array([FACE] * len(labels)) if images is None else images
    numbers = np.array([EMOTIONS.index(label) for label in labels], np.uint8)
    split = Split(images, numbers, np.arange(first_id, first_id + len(labels)))
    return Dataset(Source("made.csv"), "", EMOTIONS, {"train": split})


def soft_of(split: Split, emotions: tuple[str, ...]) -> list[dict[str, float]]:
    """Returns each row's distribution without its zeros."""
    assert split.soft is not None
    assert split.soft.dtype == np.float32
    assert split.soft.shape == (len(split), len(emotions))
    named = [zip(emotions, row.tolist(), strict=True) for row in split.soft]
    return [{emotion: round(share, 6) for emotion, share in row if share} for row in named]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


# --- the file


@pytest.mark.parametrize("change", [str, lambda text: text.replace("\n", "\r\n"), str.rstrip])
def test_counts_stand_in_the_order_of_the_emotions(change, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = (
        f"{HEADER}Training,fer0000000.png,1,2,3,4,0,0,0,0,0,0\n"
        "PublicTest,,0,0,0,0,4,3,2,1,0,0\n"
        "\n"
        "PrivateTest,fer0032220.png,0,0,0,0,0,0,0,0,3,6\n"
    )
    found = read_votes(write(tmp_path / "v.csv", change(text)))
    rows = ["neutral 1, happy 2, surprise 3, sad 4", "angry 4, disgust 3, fear 2, contempt 1"]
    assert found.counts.tolist() == [*map(count, rows), count("unknown 3, not a face 6")]
    assert found.counts.dtype == found.usage.dtype == np.uint8
    assert found.usage.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "expected 'Usage,Image name,neutral", id="empty file"),
        pytest.param(HEADER, "a header and no rows", id="no rows"),
        pytest.param(HEADER.replace("NF", "nf") + GOOD, "found 'Usage,Image", id="another column"),
        pytest.param(HEADER.replace("fear,", "") + GOOD, "no CSV of FER+", id="a column less"),
        pytest.param("emotion,pixels,Usage\n", "found 'emotion,pixels", id="FER2013's own CSV"),
        pytest.param("\x1f\x8b", "plain", id="gzip"),
        pytest.param(HEADER + GOOD + "Training,x,4\n", "line 3: expected 12 fields", id="short"),
        pytest.param(HEADER + "\n" + GOOD.replace(",0\n", "\n"), "line 3: expected 12", id="11"),
        pytest.param(HEADER + GOOD.replace("\n", ",0\n"), "line 2: expected 12 fields", id="13"),
        pytest.param(
            HEADER + GOOD.replace("fer", "f" * 240), "line 2: expected 12 fields in 256", id="long"
        ),
        pytest.param(HEADER + GOOD.replace("Tr", "tr"), "a Usage of Training, Public", id="usage"),
        pytest.param(HEADER + GOOD.replace(",4,", ",11,"), "found b'11'", id="11 votes"),
        pytest.param(HEADER + GOOD.replace(",4,", ",-1,"), "found b'-1'", id="negative"),
        pytest.param(HEADER + GOOD.replace(",4,", ",1.0,"), "found b'1.0'", id="fraction"),
        pytest.param(HEADER + GOOD.replace(",4,", ",,"), "found b''", id="no number"),
        pytest.param(HEADER + GOOD.replace(",4,", ",5,"), "in all, found 11", id="sum of 11"),
        pytest.param(HEADER + "Training,x" + ",0" * 10, "in all, found 0", id="sum of 0"),
    ],
)
def test_faults_are_named(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_votes(write(tmp_path / "v.csv", text))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEADER + GOOD * (MAX_ROWS + 1), id="rows"),
        pytest.param(HEADER + "\n" * (MAX_ROWS + 1), id="blank rows"),
        pytest.param(HEADER + "," * MAX_BYTES, id="bytes"),
    ],
)
def test_reading_is_bounded(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at most 100000 rows and 8 MiB"):
        read_votes(write(tmp_path / "v.csv", text))


def test_a_message_does_not_repeat_a_long_header(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_votes(write(tmp_path / "v.csv", "x" * 1_000_000))
    assert len(str(caught.value)) < 1000


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(DataError, match="Cannot read the FER"):
            read_votes(path)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300) | st.binary(max_size=300).map(lambda b: HEADER.encode() + b))
def test_arbitrary_bytes_are_an_error_of_ours(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("junk") / "v.csv"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_votes(path)


FIELDS = st.sampled_from(["Training", "PublicTest", "fer1.png", *"0001234", "10", "11", "", " 1 "])
ROWS = st.lists(
    st.lists(FIELDS, min_size=11, max_size=13).map(",".join)
    | st.integers(0, 10).map(lambda n: f"PrivateTest,x,{n},{10 - n}{',0' * 8}"),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_near_valid_rows_are_votes_or_an_error_of_ours(
    rows: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.mktemp("near") / "v.csv", HEADER + "\n".join(rows))
    try:
        found = read_votes(path)
    except DataError:
        return
    assert found.counts.shape == (len(rows), 10)
    assert found.usage.shape == (len(rows),)
    assert found.usage.max() <= 2
    totals = found.counts.sum(axis=1)
    assert totals.min() >= 1
    assert totals.max() <= 10


# --- the rules

STRAYS = "sad 1, fear 1, angry 1, surprise 1"
SINGLES = ", ".join(f"{choice} 1" for choice in CHOICES)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        pytest.param("happy 10", "happy", id="all"),
        pytest.param(f"happy 5, neutral 1, {STRAYS}", "happy", id="5 of 5, strays apart"),
        pytest.param("happy 5, sad 4, fear 1", "happy", id="5 of 9"),
        pytest.param("happy 5, sad 3, fear 2", "no_majority", id="5 of 10, half"),
        pytest.param("happy 5, sad 5", "no_majority", id="tie"),
        pytest.param("happy 4, sad 3, fear 3", "no_majority", id="4 of 10"),
        pytest.param("happy 2, sad 2, unknown 2, contempt 1", "no_majority", id="2 of 6"),
        pytest.param(SINGLES, "no_majority", id="ten strays"),
        pytest.param("happy 1", "no_majority", id="one stray"),
        pytest.param("neutral 4, sad 3, fear 1, unknown 1", "neutral", id="4 of 7, sum of 9"),
        pytest.param("unknown 6, happy 4", "unknown", id="unknown"),
        pytest.param("unknown 5, happy 5", "no_majority", id="unknown ties"),
        pytest.param("unknown 4, happy 6", "happy", id="unknown loses"),
        pytest.param("not a face 6, happy 4", "not_a_face", id="not a face"),
        pytest.param("contempt 6, neutral 4", "contempt", id="contempt"),
    ],
)
def test_the_majority_is_more_than_half_of_what_strays_leave(row: str, verdict: str) -> None:
    data = dataset("fear")
    seven, report = with_votes(data, votes(row), labels="ferplus7")
    eight, report8 = with_votes(data, votes(row), labels="ferplus8")
    reasons = ("not_a_face", "unknown", "no_majority", "contempt")
    assert [getattr(report, reason) for reason in reasons] == [verdict == name for name in reasons]
    named = [EMOTIONS[label] for label in seven.splits["train"].labels]
    assert named == ([verdict] if verdict in EMOTIONS else [])
    named = [ALL_EMOTIONS[label] for label in eight.splits["train"].labels]
    assert named == ([verdict] if verdict in ALL_EMOTIONS else [])
    assert seven.splits["train"].soft is None
    assert (seven.emotions, eight.emotions) == (EMOTIONS, ALL_EMOTIONS)
    assert (report.kept["train"], report8.kept["train"]) == (len(seven.splits["train"]), len(named))


@pytest.mark.parametrize(
    ("row", "soft"),
    [
        pytest.param("happy 6, sad 4", {"happy": 0.6, "sad": 0.4}, id="two"),
        pytest.param(
            f"happy 4, neutral 2, {STRAYS}", {"happy": 0.666667, "neutral": 0.333333}, id="stray"
        ),
        pytest.param("happy 5, sad 5", {"happy": 0.5, "sad": 0.5}, id="no majority needed"),
        pytest.param("happy 8, sad 2", {"happy": 0.8, "sad": 0.2}, id="no cut at three quarters"),
        pytest.param("happy 3, sad 2, contempt 5", {"happy": 0.6, "sad": 0.4}, id="less contempt"),
        pytest.param("happy 5, unknown 5", {"happy": 1.0}, id="less unknown"),
        pytest.param("contempt 6, neutral 4", {"neutral": 1.0}, id="contempt first"),
        pytest.param("contempt 8, neutral 1, sad 1", None, id="contempt alone"),
        pytest.param("unknown 6, happy 4", None, id="unknown first"),
        pytest.param("not a face 6, happy 4", None, id="not a face first"),
        pytest.param(SINGLES, None, id="nothing left"),
    ],
)
def test_fer2013_keeps_rows_and_labels(row: str, soft: dict[str, float] | None) -> None:
    joined, report = with_votes(dataset("fear"), votes(row), labels="fer2013")
    split = joined.split("train")
    assert (split.labels.tolist(), split.ids.tolist()) == ([EMOTIONS.index("fear")], [0])
    assert joined.emotions == EMOTIONS
    assert soft_of(split, EMOTIONS) == [soft or {"fear": 1.0}]
    assert (report.own_label, report.kept) == (soft is None, {"train": 1})


@pytest.mark.parametrize(
    ("row", "soft"),
    [
        pytest.param("happy 8, sad 2", {"happy": 1.0}, id="8 of 10 are three quarters"),
        pytest.param("happy 7, sad 3", {"happy": 0.7, "sad": 0.3}, id="7 of 10 are not"),
        pytest.param("happy 6, sad 2, fear 1, angry 1", {"happy": 1.0}, id="6 of 8, strays apart"),
        pytest.param("happy 6, sad 2, fear 2", {"happy": 0.6, "sad": 0.2, "fear": 0.2}, id="three"),
        pytest.param("happy 6, unknown 4", {"happy": 1.0}, id="unknown goes"),
        pytest.param("happy 6, sad 2, unknown 2", {"happy": 0.75, "sad": 0.25}, id="it counts"),
        pytest.param("contempt 6, happy 4", {"contempt": 0.6, "happy": 0.4}, id="contempt"),
    ],
)
def test_ferplus8_has_the_distribution_of_ferplus(row: str, soft: dict[str, float]) -> None:
    joined, _ = with_votes(dataset("fear"), votes(row), labels="ferplus8")
    assert soft_of(joined.split("train"), ALL_EMOTIONS) == [soft]


def by_steps(counts: list[int]) -> list[float]:
    """Returns a distribution as FER+ builds it, most voted first, ties together; or nothing.

    It stops at three quarters of the votes, at three choices, or at unknown or not a face. There
    is none where no emotion has more than half of the votes.
    """
    left = {choice: n for choice, n in enumerate(counts) if n > 1}
    total, taken = sum(left.values()), dict[int, int]()
    if not any(2 * n > total for choice, n in left.items() if choice < 8):
        return []
    while sum(taken.values()) < 0.75 * total and len(taken) < 3:
        step = {choice: n for choice, n in left.items() if n == max(left.values())}
        taken |= {choice: n for choice, n in step.items() if choice < 8}
        if max(step) >= 8:
            break
        left = {choice: n for choice, n in left.items() if choice not in step}
    return [taken.get(choice, 0) / sum(taken.values()) for choice in range(8)]


def test_ferplus8_agrees_with_these_steps_on_all_votes_for_five_choices() -> None:
    found = [n for n in itertools.product(range(11), repeat=5) if 1 <= sum(n) <= 10]
    counts = np.zeros((len(found), 10), np.uint8)
    counts[:, [0, 3, 7, 8, 9]] = found  # two emotions, contempt, unknown, not a face
    own = [EMOTIONS[label] for label in counts[:, :7].argmax(axis=1)]
    joined, report = with_votes(
        dataset(*own), Votes(counts, np.zeros(len(found), np.uint8)), labels="ferplus8"
    )
    soft = joined.split("train").soft
    expected = [by_steps(row) for row in counts.tolist()]
    assert report.joined == len(expected) == 3002
    assert soft is not None
    np.testing.assert_allclose(soft, np.array([row for row in expected if row]), rtol=1e-6)


# --- images without a face


@pytest.mark.parametrize(
    ("image", "blank"),
    [
        pytest.param(np.full((48, 48), 7), True, id="constant"),
        pytest.param(GRADIENT, True, id="gradient"),
        pytest.param(np.add.outer(np.arange(48) % 2 * 8, np.zeros(48)), True, id="steps of 8"),
        pytest.param(np.add.outer(np.arange(48) % 2 * 9, np.zeros(48)), False, id="9 down"),
        pytest.param(np.add.outer(np.zeros(48), np.arange(48) % 2 * 9), False, id="9 across"),
        pytest.param(np.eye(48) * 255, False, id="255 and 0"),
        pytest.param(FACE, False, id="noise"),
    ],
)
def test_an_image_without_an_edge_is_no_face(image: NDArray[np.uint8], blank: bool) -> None:
    images = np.array([image, FACE]).astype(np.uint8)
    assert has_no_edge(images).tolist() == [blank, False]
    ballots = votes("neutral 9, fear 1", "not a face 7, happy 3")
    data = dataset("neutral", "happy", images=images)
    assert not_a_face(data, ballots)["train"].tolist() == ([0, 1] if blank else [1])
    seven, report = with_votes(data, ballots, labels="ferplus7")
    assert seven.splits["train"].ids.tolist() == ([] if blank else [0])
    assert report.not_a_face == 1 + blank
    assert report.agreement == (None if blank else wilson_interval(1, 1))
    joined, report = with_votes(data, ballots, labels="fer2013")
    assert report.own_label == 1 + blank
    assert soft_of(joined.split("train"), EMOTIONS) == [{"neutral": 1.0}, {"happy": 1.0}]


# --- the report


def test_rows_and_agreement_by_hand() -> None:
    labels = ("happy", "happy", "happy", "sad", "sad", "fear", "angry")
    ballots = votes(
        "happy 10",
        "happy 4, sad 3, fear 3",  # most votes, no majority: clear
        "sad 10",
        "sad 6, neutral 4",
        "sad 5, neutral 5",  # tied: not clear
        "surprise 5, contempt 5",  # tied with contempt
        "unknown 6, angry 4",  # first is no emotion
    )
    images = np.array([np.roll(FACE, k) for k in range(len(labels))])
    joined, report = with_votes(dataset(*labels, images=images), ballots, labels="ferplus8")
    split = joined.split("train")
    assert split.ids.tolist() == [0, 2, 3]
    np.testing.assert_array_equal(split.images, images[[0, 2, 3]])
    happy, sad = EMOTIONS.index("happy"), EMOTIONS.index("sad")
    expected = np.zeros((7, 7), np.int64)
    expected[happy, happy], expected[happy, sad], expected[sad, sad] = 2, 1, 1
    assert report == FerPlusReport(
        labels="ferplus8",
        joined=7,
        not_a_face=0,
        unknown=1,
        no_majority=3,
        contempt=0,
        own_label=0,
        kept={"train": 3},
        agreement=wilson_interval(3, 4),
        agreement_by_split={"train": wilson_interval(3, 4)},
        agreement_by_emotion={"happy": wilson_interval(2, 3), "sad": wilson_interval(1, 1)},
        confusion=tuple(map(tuple, expected.tolist())),
    )
    text = json.dumps(dataclasses.asdict(report), allow_nan=False)
    assert json.loads(text)["agreement"]["n"] == 4
    assert report.notes() == (
        "of 7 rows with FER+ votes 0 show no face, 1 are unknown, 3 have no majority and 0 are "
        "contempt: 4 left",
        "75.0% of the labels are FER+'s",
    )


def test_notes_without_agreement() -> None:
    _, report = with_votes(dataset("happy"), votes("unknown 10"), labels="fer2013")
    assert report.notes() == (
        "of 1 rows with FER+ votes 0 show no face, 1 are unknown, 0 have no majority and 0 are "
        "contempt: 1 keep their label alone",
    )


# --- the join


def in_splits(*sizes: int) -> Dataset:
    """Returns a data set with all splits; row numbers run through them."""
    whole = dataset(*["happy"] * sum(sizes)).split("train")
    usage = np.repeat([0, 1, 2], sizes)
    splits = {name: whole.take(usage == number) for number, name in enumerate(SPLIT_NAMES)}
    return Dataset(Source("made.csv"), "", EMOTIONS, splits)


def ballots_for(*sizes: int) -> Votes:
    counts = votes(*["happy 10"] * sum(sizes)).counts
    return Votes(counts, np.repeat([0, 1, 2], sizes).astype(np.uint8))


@pytest.mark.parametrize(
    ("data", "ballots", "says"),
    [
        pytest.param((3, 2, 2), (3, 2, 1), "test in row 6, as in made.csv, found none", id="short"),
        pytest.param((3, 2, 0), (2, 3, 0), "train in row 2, .* votes for validation", id="usage"),
        pytest.param((3, 2, 0), (2, 2, 0), "train in row 2, .* votes for validation", id="shift"),
        pytest.param((3, 2, 0), (4, 2, 0), "validation in row 3, .* votes for train", id="shift 2"),
        pytest.param((0, 2, 1), (0, 3, 0), "test in row 2, .* votes for validation", id="last"),
    ],
)
def test_votes_of_other_rows_are_refused(
    data: tuple[int, ...], ballots: tuple[int, ...], says: str
) -> None:
    for join in (not_a_face, lambda *both: with_votes(*both, labels="fer2013")):
        with pytest.raises(DataError, match=f"Expected votes for {says}"):
            join(in_splits(*data), ballots_for(*ballots))


def test_negative_row_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="train in row -1"):
        with_votes(dataset("happy", first_id=-1), votes("happy 10"), labels="fer2013")


def test_votes_that_fit_by_usage_and_are_of_other_faces_are_refused() -> None:
    labels = ["happy", "sad", "fear", "neutral"] * 30
    own = [f"{label} 10" for label in labels]
    with_votes(dataset(*labels), votes(*own), labels="ferplus7")
    with pytest.raises(DataError, match="found that 0% do: they are of other faces"):
        with_votes(dataset(*labels), votes(*own[1:], own[0]), labels="ferplus7")
    two_of_five = [*own[:50], *own[51:], own[50]]  # 50 of 120: the interval reaches over 0.4
    with_votes(dataset(*labels), votes(*two_of_five), labels="ferplus7")


def test_rows_of_the_votes_may_be_more_and_those_of_the_data_a_part() -> None:
    part = in_splits(4, 2, 0)
    picked = {name: split.take(split.ids % 2 == 1) for name, split in part.splits.items()}
    joined, report = with_votes(
        dataclasses.replace(part, splits=picked), ballots_for(4, 2, 3), labels="ferplus8"
    )
    assert {name: split.ids.tolist() for name, split in joined.splits.items()} == {
        "train": [1, 3],
        "validation": [5],
        "test": [],
    }
    assert report.kept == {"train": 2, "validation": 1, "test": 0}
    assert set(report.agreement_by_split) == {"train", "validation"}


def test_other_labels_and_modes_are_refused() -> None:
    data, ballots = dataset("happy"), votes("happy 10")
    eight, _ = with_votes(data, ballots, labels="ferplus8")
    with pytest.raises(DataError, match="Expected FER2013's labels"):
        with_votes(eight, ballots, labels="fer2013")
    with pytest.raises(ConfigError, match="found 'ferplus9'"):
        with_votes(data, ballots, labels="ferplus9")  # type: ignore[arg-type]


# --- the real rows


@pytest.fixture(scope="module")
def real(fer2013: Path) -> tuple[Dataset, Votes]:
    """FER2013's Training and PublicTest rows with their votes."""
    return load_dataset(str(fer2013)), read_votes(fer2013.parent / "fer2013new_train_public.csv")


def test_the_real_votes(real: tuple[Dataset, Votes]) -> None:
    """All rows have ten votes but one; see the data's README."""
    _, ballots = real
    totals = ballots.counts.sum(axis=1)
    assert np.flatnonzero(totals != 10).tolist() == [10435]
    assert totals[10435] == 9
    assert np.bincount(ballots.usage).tolist() == [28709, 3589]
    np.testing.assert_array_equal(ballots.counts[5274], ballots.counts[6968])


@pytest.mark.parametrize(
    ("labels", "train", "validation"),
    [
        ("fer2013", [3995, 436, 4097, 7215, 4830, 3171, 4965], [467, 56, 496, 895, 653, 415, 607]),
        ("ferplus7", [2100, 119, 532, 7287, 3014, 3149, 8739], [287, 24, 62, 865, 351, 415, 1182]),
        (
            # FER+'s own code keeps 25,060 and 3,199 rows; row 5274 is one neutral more.
            "ferplus8",
            [2100, 119, 532, 7287, 3014, 3149, 8739, 119],
            [287, 24, 62, 865, 351, 415, 1182, 13],
        ),
    ],
)
def test_the_real_rows(
    labels: LabelSet, train: list[int], validation: list[int], real: tuple[Dataset, Votes]
) -> None:
    joined, report = with_votes(*real, labels=labels)
    n_classes = len(joined.emotions)
    assert joined.split("train").class_counts(n_classes) == train
    assert joined.split("validation").class_counts(n_classes) == validation
    assert report.kept == {"train": sum(train), "validation": sum(validation), "test": 0}
    assert (report.joined, report.own_label) == (32298, 295 if labels == "fer2013" else 0)
    assert (report.not_a_face, report.unknown) == (161, 89)
    assert (report.no_majority, report.contempt) == (3790, 132)
    for split in joined.splits.values():
        if split.soft is not None:
            np.testing.assert_allclose(split.soft.sum(axis=1), 1, rtol=1e-6)


def test_real_labels_agree_as_known(real: tuple[Dataset, Votes]) -> None:
    _, report = with_votes(*real, labels="ferplus7")
    assert report.agreement == wilson_interval(19817, 30149)
    assert f"{report.agreement.value:.1%}" == "65.7%"
    assert {name: one.n for name, one in report.agreement_by_split.items()} == {
        "train": 26777,
        "validation": 3372,
    }
    assert f"{report.agreement_by_emotion['happy'].value:.1%}" == "92.9%"
    assert f"{report.agreement_by_emotion['fear'].value:.1%}" == "13.9%"


def test_the_real_blank_rows_are_not_faces(real: tuple[Dataset, Votes]) -> None:
    """Row 5274 is the only one that the pixels tell and the votes do not."""
    data, ballots = real
    found = not_a_face(data, ballots)
    assert all(ids.dtype == np.int64 for ids in found.values())
    assert [len(found[name]) for name in SPLIT_NAMES] == [151, 10, 0]
    by_votes = np.flatnonzero(ballots.counts[:, CHOICES.index("not a face")] > 5)
    assert set(np.concatenate([*found.values()])) - set(by_votes) == {5274}
    blank = [int(has_no_edge(data.splits[name].images).sum()) for name in SPLIT_NAMES]
    assert blank == [13, 1, 0]


def test_real_votes_off_by_one_row_are_refused(real: tuple[Dataset, Votes]) -> None:
    data, ballots = real
    moved = Votes(np.roll(ballots.counts, 1, axis=0), ballots.usage)
    with pytest.raises(DataError, match="found that 18% do"):
        with_votes(data, moved, labels="ferplus7")
