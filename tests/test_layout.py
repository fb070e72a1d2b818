"""What folders mean, by their names alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.data.layout import Layout, lay_out
from fer_edge.errors import DataError


def laid(*names: str, empty: tuple[str, ...] = ()) -> Layout:
    found = lay_out(names, empty, "faces")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "emotion", "split", "root"),
    [
        ("happy/1.jpg", "happy", None, ""),
        ("Suprise/1.PNG", "surprise", None, ""),
        ("train/happy/1.jpg", "happy", "train", ""),
        ("happy/train/1.jpg", "happy", "train", ""),
        ("faces/Training/3_Sad/x/1.jpg", "sad", "train", "faces"),
        ("a/PublicTest/b/fear/1.webp", "fear", "validation", "a/b"),
        ("test/data/train/fear/1.bmp", "fear", "train", "test/data"),  # the nearest one counts
        ("happy/Happiness/1.jpeg", "happy", None, "happy"),
    ],
)
def test_one_picture(name: str, emotion: str, split: str | None, root: str) -> None:
    (place,) = laid(name).places
    assert (place.emotion, place.split, "/".join(place.root)) == (emotion, split, root)
    assert sorted((*place.root, *place.inner)) == sorted(name.split("/"))


def test_no_emotion_is_no_layout() -> None:
    assert lay_out(["a.jpg", "happy.jpg", "photos/1.jpg"], ["happy"], "faces") is None
    assert lay_out(["happy/notes.txt"], [], "faces") is None
    assert lay_out([], [], "faces") is None


def test_two_spellings_of_one_emotion_both_count() -> None:
    found = laid("Happiness/1.jpg", "happy/1.jpg", "happy2/1.jpg", "sad/1.jpg")
    assert [place.emotion for place in found.places] == ["happy", "happy", "happy", "sad"]
    assert found.namesakes == {}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["happy/1.jpg", "ahegao/1.jpg"], "faces: ahegao stands among emotions"),
        (["train/happy/1.jpg", "train/ahegao/a/b/1.jpg"], "train/ahegao stands"),
        (["x/happy/1.jpg", "x/a\nb/1.jpg"], "x/a\\nb stands"),
        (["sad/happy/1.jpg"], "sad/happy/1.jpg name more than one emotion, sad and happy"),
        (["happy/natural/1.jpg", "sad/1.jpg"], "happy and neutral"),
    ],
)
def test_folders_that_are_refused(names: list[str], says: str) -> None:
    with pytest.raises(DataError) as caught:
        lay_out(names, [], "faces")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("names", "empty", "notes"),
    [
        (["happy/1.jpg"], [], ()),
        (
            ["train/happy/1.jpg", "logo.png", "docs/a/x.jpg"],
            [],
            ("2 skipped, in no emotion's folder: logo.png, docs/a/x.jpg",),
        ),
        (
            ["happy/1.jpg", "more/happy/1.jpg", "more/x.jpg", "test/1.jpg"],
            [],
            ("2 skipped, in no emotion's folder: more/x.jpg, test/1.jpg",),
        ),
        (
            ["happy/1.jpg", "happy/2.gif", "happy/Thumbs.db", "readme.md"],
            [],
            ("2 skipped, not JPEG, PNG, BMP or WebP: happy/2.gif, happy/Thumbs.db",),
        ),
        (["happy/1.jpg"], ["sad", "sketches"], ("no picture in sad",)),
        (["happy/1.jpg"], ["sad/a/b"], ("no picture in sad",)),
        (
            ["train/sad/1.jpg", "test/sad/x.txt"],
            [],
            (
                "1 skipped, not JPEG, PNG, BMP or WebP: test/sad/x.txt",
                "no picture in test/sad",
            ),
        ),
    ],
)
def test_notes(names: list[str], empty: list[str], notes: tuple[str, ...]) -> None:
    assert laid(*names, empty=tuple(empty)).notes == notes


def test_namesakes_are_looked_for_further_out_only() -> None:
    once = ["images/train/happy/1.jpg", "images/val/sad/1.jpg"]
    inner = ["images/images/train/happy/1.jpg", "images/images/images/val/sad/1.jpg"]
    others = [
        "images/images/val/happy/1.jpg",  # another split
        "images/images/train/Happy/1.jpg",  # another folder
        "images/images/train/happy/2.jpg",
        "sibling/train/happy/1.jpg",
    ]
    assert laid(*once, *inner, *others).namesakes == dict(zip(inner, once, strict=True))


PARTS = st.sampled_from(["happy", "Sad", "train", "test", "a", "b", "happy.jpg", "1.png", "x.txt"])


@given(names=st.sets(st.lists(PARTS, min_size=1, max_size=6).map("/".join), max_size=12))
def test_every_picture_is_placed_or_counted_or_refused(names: set[str]) -> None:
    pictures = {name for name in names if name.endswith(("jpg", "png"))}
    try:
        found = lay_out(sorted(names), [], "faces")
    except DataError:
        return
    if found is None:
        return
    n_skipped = sum(int(n.split()[0]) for n in found.notes if "in no emotion's folder" in n)
    assert len({place.name for place in found.places}) == len(found.places)
    assert len(found.places) + n_skipped == len(pictures)
    assert all(len(name) > len(original) for name, original in found.namesakes.items())
