"""The table of names: what people call the emotions and the splits."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.contract import EMOTIONS
from fer_edge.data.labels import (
    ALL_EMOTIONS,
    SPELLINGS,
    SPLIT_SPELLINGS,
    emotion_of,
    labels_present,
    split_of,
)
from fer_edge.data.split import SPLIT_NAMES


@pytest.mark.parametrize(
    ("folder", "emotion"),
    [
        ("happy", "happy"),
        ("Happy", "happy"),
        ("HAPPINESS", "happy"),
        ("Suprise", "surprise"),
        ("surprised", "surprise"),
        ("3_Sadness!", "sad"),
        ("0-angry", "angry"),
        ("Anger", "angry"),
        ("fearful ", "fear"),
        ("Disgústed", "disgust"),
        ("SURPR\u0130SE", "surprise"),  # Turkish capital I with a dot
        ("ｈａｐｐｙ", "happy"),  # full-width letters
        ("Natural", "neutral"),
        ("contempt", "contempt"),
        ("happy sad", None),
        ("ahegao", None),
        ("unhappily", None),
        ("", None),
        ("3", None),
        ("...", None),
        ("\udcff\n", None),
    ],
)
def test_emotions_by_name(folder: str, emotion: str | None) -> None:
    assert emotion_of(folder) == emotion


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train_set", "train"),
        ("PublicTest", "validation"),
        ("val", "validation"),
        ("TEST", "test"),
        ("Private-Test", "test"),
        ("images", None),
        ("happy", None),
    ],
)
def test_splits_by_name(folder: str, split: str | None) -> None:
    assert split_of(folder) == split


def test_no_spelling_means_two_things_and_each_is_found() -> None:
    both = [*SPELLINGS.values(), *SPLIT_SPELLINGS.values()]
    spellings = list(itertools.chain.from_iterable(both))
    assert len(set(spellings)) == len(spellings)
    assert set(SPELLINGS) == set(ALL_EMOTIONS)
    assert set(SPLIT_SPELLINGS) == set(SPLIT_NAMES)
    for name, all_ in SPELLINGS.items():
        assert {emotion_of(spelling) for spelling in (name, *all_)} == {name}
    for split, all_ in SPLIT_SPELLINGS.items():
        assert {split_of(spelling) for spelling in (split, *all_)} == {split}


def test_labels_follow_fer2013_and_contempt_comes_last() -> None:
    assert (*EMOTIONS, "contempt") == ALL_EMOTIONS
    assert labels_present({"contempt", "sad", "angry"}) == ("angry", "sad", "contempt")
    assert labels_present(set()) == ()


@given(name=st.text(st.characters(), max_size=50))
def test_any_name_gives_an_answer(name: str) -> None:
    assert emotion_of(name) in (*ALL_EMOTIONS, None)
    assert split_of(name) in (*SPLIT_NAMES, None)
