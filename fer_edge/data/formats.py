"""What a source is: one of FER2013's CSVs, or pictures in folders; plain, or in an archive.

Told by names and first bytes, said in words, never guessed silently.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fer_edge.data import cache
from fer_edge.data.fer2013 import SUFFIXES as CSV_SUFFIXES
from fer_edge.data.fer2013 import read_fer2013
from fer_edge.data.layout import describe_places, lay_out, shown
from fer_edge.data.pictures import read_pictures
from fer_edge.data.rows import Sorted, sort_rows
from fer_edge.data.tree import ARCHIVE_SUFFIXES, Tree, open_folder, open_tree
from fer_edge.errors import ConfigError, DataError
from fer_edge.faces import make_detector

KNOWN_CSVS = ("fer2013.csv", "icml_face_data.csv", "train.csv")
"""Of several CSVs in one place the first of these is read; it holds all that the later ones do."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Found:
    """A data set that was read.

    Attributes:
        sha256: Of the bytes that it was made from, and of the options that changed it.
        data: Its rows in their splits.
    """

    sha256: str
    data: Sorted


def read_path(path: Path, *, detect: str = "", progress: Progress) -> Found:
    """Reads the data set at a path, or takes it from the cache.

    Args:
        path: A CSV, an archive, or a folder.
        detect: A detector for photographs, as `make_detector` takes it; empty for crops.
        progress: Gets what is being done and the share that is done.

    Raises:
        DataError: It is none of these, or what it holds cannot be read.
        ConfigError: There is no such detector.
    """
    if path.is_file() and path.name.lower().endswith(CSV_SUFFIXES):
        _refuse_detector(path, detect)
        return _read_csv_file(path)
    if path.is_file() and not path.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise DataError(
            f"{path} is not a data set that fer-edge can read. Expected a folder, or a name that "
            f"ends in {', '.join((*CSV_SUFFIXES, *ARCHIVE_SUFFIXES))}."
        )
    folder = open_folder(path) if path.is_dir() else None
    signature = f"{detect}\n".encode() + (folder.signature if folder else cache.signature_of(path))
    known = cache.remembered(path, signature)
    if known is not None and (data := cache.load(known)) is not None:
        return Found(known, data)
    tree = folder or open_tree(path)
    csv = _choose_csv(tree, path)
    if csv:
        _refuse_detector(path / csv, detect)
    found = (
        _read_csv_inside(tree, path, csv) if csv else _read_pictures(tree, path, detect, progress)
    )
    cache.remember(path, signature, found.sha256)
    return found


def _read_csv_file(path: Path) -> Found:
    try:
        sha256 = cache.content_hash(path)
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror}. Check its permissions.") from exc
    return Found(sha256, _cached_csv(sha256, lambda: path.open("rb"), str(path), path.name))


def _read_csv_inside(tree: Tree, path: Path, csv: str) -> Found:
    """Reads a CSV in a folder or archive; its hash is its own, wherever it lies."""
    if path.is_dir():
        return _read_csv_file(path / csv)
    with tree.open(csv) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    format_ = f"{csv} in {path.name}"
    return Found(sha256, _cached_csv(sha256, lambda: tree.open(csv), f"{path}:{csv}", format_))


def _cached_csv(
    sha256: str,
    open_file: Callable[[], contextlib.AbstractContextManager[IO[bytes]]],
    name: str,
    format: str,
) -> Sorted:
    if (known := cache.load(sha256)) is not None:
        return known
    data = sort_rows(read_fer2013(open_file, name), name, f"FER2013 rows: {format}")
    cache.store(sha256, data)
    return data


def _refuse_detector(path: Path, detect: str) -> None:
    if detect:
        raise ConfigError(
            f"{path} holds faces that are cropped already. Leave --detect out: it is for folders "
            "of photographs."
        )


def _choose_csv(tree: Tree, path: Path) -> str | None:
    """Returns the CSV of a tree that is to be read; None when it has none.

    Raises:
        DataError: It has several, and none by a name that is known.
    """
    names = [name for name in tree.sizes if name.lower().endswith(CSV_SUFFIXES)]
    for known in KNOWN_CSVS:
        stem = known.removesuffix(".csv")
        endings = {stem + suffix for suffix in CSV_SUFFIXES}
        for name in sorted(names, key=lambda name: (name.count("/"), name)):
            if name.rpartition("/")[2].lower() in endings:
                return name
    if not names or lay_out(tree.sizes, tree.empty_folders, str(path)):
        return None
    if len(names) == 1:
        return names[0]
    raise DataError(
        f"{path} holds {len(names)} CSVs: {', '.join(map(shown, names[:5]))}. Expected one, or one "
        f"called {', '.join(KNOWN_CSVS)}. Name the file itself."
    )


def _read_pictures(tree: Tree, path: Path, detect: str, progress: Progress) -> Found:
    layout = lay_out(tree.sizes, tree.empty_folders, str(path))
    if layout is None:
        raise _nothing(tree, path)
    detector = make_detector(detect) if detect else None
    rows, content = read_pictures(
        tree, layout.places, source=str(path), detector=detector, progress=progress
    )
    sha256 = hashlib.sha256(f"{detect}\n{content}".encode()).hexdigest()
    rows = dataclasses.replace(rows, notes=(*layout.notes, *rows.notes))
    data = sort_rows(rows, str(path), describe_places(layout.places))
    cache.store(sha256, data)
    return Found(sha256, data)


def _nothing(tree: Tree, path: Path) -> DataError:
    """Returns the error for a tree without a CSV and without a folder that is an emotion."""
    folders = sorted({name.rpartition("/")[0] for name in tree.sizes if "/" in name})
    inner = [name for name in tree.sizes if name.lower().endswith(ARCHIVE_SUFFIXES)]
    seen = ", ".join(map(shown, (inner or folders or list(tree.sizes))[:6])) or "nothing"
    advice = "Name that archive itself" if inner else "Rename the folders, or name one further in"
    return DataError(
        f"{path} holds no data set: expected a CSV of FER2013's kind, or a folder of pictures for "
        f"each emotion (happy, Sadness, Suprise, …); found {seen}. {advice}."
    )
