"""What folders mean: emotions, splits, second copies. Names in, no file is opened here."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fer_edge.data.labels import ALL_EMOTIONS, emotion_of, split_of
from fer_edge.data.split import SplitName
from fer_edge.errors import DataError
from fer_edge.images import IMAGE_SUFFIXES

OTHER_PICTURES = (".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".pgm", ".ppm", ".jp2")


@dataclass(frozen=True)
class Place:
    """What a picture's folders say of it.

    Attributes:
        name: Of the file.
        emotion: The innermost folder that is one.
        split: Of a folder beside it; None where none is a split.
        root: The other folders above, by which two copies of a data set differ.
        rest: The file's name below all these.
    """

    name: str
    emotion: str
    split: SplitName | None
    root: tuple[str, ...]
    rest: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The pictures of a tree, each one once.

    Attributes:
        places: In the order of names.
        notes: What was left out, and why.
    """

    places: tuple[Place, ...]
    notes: tuple[str, ...]


def is_picture(name: str) -> bool:
    """Tells by its suffix whether a file is a picture of a kind that is read."""
    return name.lower().endswith(tuple(IMAGE_SUFFIXES))


def lay_out(sizes: Mapping[str, int], empty_folders: Sequence[str], source: str) -> Layout | None:
    """Returns where the pictures of a tree belong; None when no folder of it is an emotion.

    Args:
        sizes: Of all files, in bytes, by name.
        empty_folders: By name.
        source: What to call the tree in messages.

    Raises:
        DataError: A folder of pictures beside emotions is none that is known.
    """
    pictures = [name for name in sizes if is_picture(name)]
    placed = {name: place for name in pictures if (place := _place(name))}
    if not placed:
        return None
    _refuse_unknown(pictures, placed, source)
    kept, notes = _without_copies(list(placed.values()), sizes)
    if strays := len(pictures) - len(placed):
        notes.append(f"{strays} pictures outside the emotions' folders were left out")
    if others := sum(name.lower().endswith(OTHER_PICTURES) for name in sizes):
        notes.append(f"{others} pictures of kinds that are not read (GIF, TIFF, HEIC, …)")
    if empty := sorted({folder for folder in empty_folders if emotion_of(_last(folder))}):
        notes.append(f"no picture in {', '.join(map(shown, empty[:5]))}: left out as an emotion")
    return Layout(tuple(kept), tuple(notes))


def shown(name: str) -> str:
    """Returns a file's name as one line of printable text."""
    return name if name.isprintable() else repr(name)[1:-1]


def _place(name: str) -> Place | None:
    *folders, file = name.split("/")
    for at in range(len(folders) - 1, -1, -1):
        if emotion := emotion_of(folders[at]):
            break
    else:
        return None
    above, below = folders[:at], folders[at + 1 :]
    for part in (*reversed(above), *below):  # beside the emotion first
        if split := split_of(part):
            root = [folder for folder in above if folder != part]
            rest = [folder for folder in below if folder != part]
            return Place(name, emotion, split, tuple(root), (*rest, file))
    return Place(name, emotion, None, tuple(above), (*below, file))


def _refuse_unknown(pictures: Sequence[str], placed: Mapping[str, Place], source: str) -> None:
    """Raises DataError for folders of pictures that stand where emotions stand, and are none."""
    parents = set()
    for name in placed:
        above = name.split("/")[:-1]
        at = max(i for i, folder in enumerate(above) if emotion_of(folder))
        parents.add(tuple(above[:at]))
    unknown = {
        "/".join(folders)
        for name in pictures
        if name not in placed
        and (folders := tuple(name.split("/")[:-1]))
        and folders[:-1] in parents
        and not split_of(folders[-1])
    }
    if unknown:
        raise DataError(
            f"{source}: {', '.join(map(shown, sorted(unknown)[:8]))} stands among emotions and is "
            f"none that fer-edge knows. Known are {', '.join(ALL_EMOTIONS)}, in any case and with "
            "common spellings. Rename the folder, or take it out."
        )


def _without_copies(places: list[Place], sizes: Mapping[str, int]) -> tuple[list[Place], list[str]]:
    """Returns the places without second copies of the tree inside itself, and a note for each."""
    by_root: dict[tuple[str, ...], dict[tuple[object, ...], Place]] = defaultdict(dict)
    for place in places:
        by_root[place.root][place.split, place.emotion, place.rest] = place
    kept: list[Place] = []
    notes = []
    counted: list[tuple[str, ...]] = []
    for root in sorted(by_root, key=lambda root: (len(root), root)):
        keys = by_root[root]
        original = next(
            (o for o in counted if _is_copy(keys, by_root[o], sizes) and root[: len(o)] == o), None
        )
        if original is None:
            counted.append(root)
            kept += keys.values()
        else:
            notes.append(
                f"{shown('/'.join(root))} holds {len(keys)} pictures of "
                f"{shown('/'.join(original)) or 'the top folder'} again: they count once"
            )
    return sorted(kept, key=lambda place: place.name), notes


def _is_copy(
    keys: Mapping[tuple[object, ...], Place],
    others: Mapping[tuple[object, ...], Place],
    sizes: Mapping[str, int],
) -> bool:
    """Tells whether every picture has a namesake of its size among the others."""
    return all(
        (other := others.get(key)) is not None and sizes[place.name] == sizes[other.name]
        for key, place in keys.items()
    )


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]


def describe_places(places: Sequence[Place]) -> str:
    """Returns a layout in a line: `train, validation / 7 emotions`."""
    splits = [name for name in Counter(place.split for place in places) if name]
    n = len({place.emotion for place in places})
    above = f"{', '.join(sorted(splits))} / " if splits else ""
    return f"pictures in folders: {above}{n} emotions"
