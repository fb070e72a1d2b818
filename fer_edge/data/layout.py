"""What folders mean: emotions, splits, second copies. Names in, no file is opened here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fer_edge.data.labels import ALL_EMOTIONS, emotion_of, split_of
from fer_edge.data.split import SplitName
from fer_edge.data.tree import ancestors, shown
from fer_edge.errors import DataError
from fer_edge.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Place:
    """What a picture's folders say of it.

    Attributes:
        name: Of the file.
        emotion: The folder that is one.
        split: Of the folder nearest to it that is one; None where none is.
        root: The other folders above, by which two copies of a data set differ.
        inner: The rest of the name, split and emotion included.
    """

    name: str
    emotion: str
    split: SplitName | None
    root: tuple[str, ...]
    inner: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The pictures of a tree.

    Attributes:
        places: In the order of names.
        namesakes: Of a picture in a tree inside its own tree, the one of the same name further
            out. Where they are equal the inner one is a second copy.
        notes: What was left out, and why.
    """

    places: tuple[Place, ...]
    namesakes: Mapping[str, str]
    notes: tuple[str, ...]


def is_picture(name: str) -> bool:
    """Tells by its suffix whether a file is a picture of a kind that is read."""
    return name.lower().endswith(tuple(IMAGE_SUFFIXES))


def lay_out(names: Collection[str], empty_folders: Sequence[str], source: str) -> Layout | None:
    """Returns where the pictures of a tree belong; None when no folder with one is an emotion.

    Args:
        names: Of all files.
        empty_folders: Their names.
        source: What to call the tree in messages.

    Raises:
        DataError: A folder of pictures beside emotions is none that is known, or a picture lies
            in two.
    """
    pictures = [name for name in names if is_picture(name)]
    places = [place for name in pictures if (place := _place(name, source))]
    if not places:
        return None
    used = ancestors([place.name for place in places])
    placed = {place.name for place in places}
    strays = [name for name in pictures if name not in placed]
    _refuse_unknown(strays, used, source)
    notes = []
    if strays:
        notes.append(f"{len(strays)} skipped, in no emotion's folder: {shown(*strays)}")
    others = [name for name in names if not is_picture(name) and any(map(emotion_of, _in(name)))]
    if others:
        notes.append(f"{len(others)} skipped, not JPEG, PNG, BMP or WebP: {shown(*others)}")
    folders = ancestors([*names, *empty_folders]).union(empty_folders)
    if empty := sorted(folder for folder in folders - used if emotion_of(_last(folder))):
        notes.append(f"no picture in {shown(*empty)}")
    return Layout(tuple(places), _namesakes(places), tuple(notes))


def _place(name: str, source: str) -> Place | None:
    *folders, file = name.split("/")
    found = {at: emotion for at, folder in enumerate(folders) if (emotion := emotion_of(folder))}
    if not found:
        return None
    if len(set(found.values())) > 1:
        raise DataError(
            f"{source}: the folders of {shown(name)} name more than one emotion, "
            f"{' and '.join(found.values())}. Rename one, or take it out."
        )
    at, emotion = max(found.items())
    above, below = folders[:at], folders[at:]
    for part in (*reversed(above), *below):  # beside the emotion first
        if split := split_of(part):
            root = [folder for folder in above if folder != part]
            inner = [part, *(folder for folder in below if folder != part), file]
            return Place(name, emotion, split, tuple(root), tuple(inner))
    return Place(name, emotion, None, tuple(above), (*below, file))


def _refuse_unknown(strays: Sequence[str], used: set[str], source: str) -> None:
    """Raises DataError for folders of pictures that stand where emotions stand, and are none.

    Args:
        strays: Pictures without an emotion.
        used: The folders of all others.
        source: What to call the tree.
    """
    parents = {folder.rpartition("/")[0] for folder in used if emotion_of(_last(folder))}
    unknown = sorted(
        folder
        for folder in ancestors(strays) - used
        if folder.rpartition("/")[0] in parents and not split_of(_last(folder))
    )
    if unknown:
        raise DataError(
            f"{source}: {shown(*unknown)} stands among emotions and is none that fer-edge knows. "
            f"Known are {', '.join(ALL_EMOTIONS)}, in any case and with common spellings. Rename "
            "the folder, or take it out."
        )


def _in(name: str) -> list[str]:
    return name.split("/")[:-1]


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]


def _namesakes(places: Sequence[Place]) -> dict[str, str]:
    """Returns, by name, the picture of the same inner name that is furthest out above it."""
    name_of = {(place.root, place.inner): place.name for place in places}
    found = {}
    for place in places:
        for depth in range(len(place.root)):
            if name := name_of.get((place.root[:depth], place.inner)):
                found[place.name] = name
                break
    return found
