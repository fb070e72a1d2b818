"""What a source is: one of FER2013's CSVs, or pictures in folders; plain, or in an archive.

Told by names and first bytes, said in words, never guessed silently.
"""

import contextlib
import dataclasses
import hashlib
import io
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fer_edge import files
from fer_edge.data import cache
from fer_edge.data.archives import ARCHIVE_SUFFIXES, open_archive
from fer_edge.data.fer2013 import MAX_LINE_BYTES, MAX_ROWS, OpenFile, read_fer2013
from fer_edge.data.fer2013 import SUFFIXES as CSV_SUFFIXES
from fer_edge.data.layout import Layout, is_picture, lay_out
from fer_edge.data.pictures import read_pictures
from fer_edge.data.rows import Found, Rows, sort_rows
from fer_edge.data.split import SPLIT_NAMES
from fer_edge.data.tree import Tree, open_folder, shown
from fer_edge.errors import ConfigError, DataError
from fer_edge.faces import Detector, make_detector

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WHOLE_CSVS = ("fer2013.csv", "icml_face_data.csv")
"""Of several CSVs in one place the first of these is read; it holds all that the others do."""

PART_CSV = "train.csv"  # the competition's; elsewhere a list of files is often called that

Progress = Callable[[str, float], None]


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
    detector, identity = _detector(detect)
    is_folder = _is_folder(path)
    is_csv = not is_folder and path.name.lower().endswith(CSV_SUFFIXES)
    if not (is_folder or is_csv or path.name.lower().endswith(ARCHIVE_SUFFIXES)):
        raise DataError(
            f"{path} is not a data set that fer-edge can read. Expected a folder, or a name that "
            f"ends in {', '.join((*CSV_SUFFIXES, *ARCHIVE_SUFFIXES))}."
        )
    folder = open_folder(path) if is_folder else None
    seen = folder.signature if folder else cache.signature_of(path)
    signature = f"{identity}\n".encode() + seen
    if known := cache.remembered(path, signature):
        return known
    if is_csv:
        _refuse_detector(path, detector)
        size = path.stat().st_size
        found = _read_csv(lambda: path.open("rb"), size, name=str(path), words=path.name)
    else:
        found = _read_tree(folder or open_archive(path), path, detector, identity, progress)
    cache.remember(path, signature, found)
    return found


def _detector(detect: str) -> tuple[Detector | None, str]:
    """Returns a detector, and what tells it from all others; None where there is none to be."""
    if detect in ("", "none"):
        return None, ""
    detector = make_detector(detect)
    name, _, model = detect.partition(":")
    return detector, f"{name}:{files.sha256_of(Path(model))}" if model else name


def _is_folder(path: Path) -> bool:
    """Tells a folder from a file; raises DataError for all else: a pipe could wait for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as exc:
        raise DataError(f"Cannot read {path}: {exc}. Check its name, and that you may.") from exc
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise DataError(f"{path} is a pipe or a device. Expected a folder or a file.")
    return stat.S_ISDIR(mode)


def _refuse_detector(path: Path, detector: Detector | None) -> None:
    if detector:
        raise ConfigError(
            f"{path} holds faces that are cropped already. Leave --detect out: it is for folders "
            "of photographs."
        )


def _read_csv(open_file: OpenFile, size: int, *, name: str, words: str) -> Found:
    """Reads a CSV, and hashes it as it goes by."""
    if size > MAX_ROWS * MAX_LINE_BYTES:
        raise DataError(
            f"{name} takes {size / 2**30:.1f} GiB. Expected a CSV of at most {MAX_ROWS:,} rows."
        )
    digest = hashlib.sha256()

    @contextlib.contextmanager
    def open_hashed() -> Iterator[IO[bytes]]:
        with open_file() as file:
            yield io.BufferedReader(_Hashed(file, digest))

    data = sort_rows(read_fer2013(open_hashed, name), name, f"FER2013 rows: {words}")
    return Found(digest.hexdigest(), data)


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: IO[bytes], digest: "hashlib._Hash") -> None:
        self._file = file
        self._digest = digest

    def readable(self) -> bool:
        """Says yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fills a buffer, as far as there is something."""
        n_bytes: int = self._file.readinto(buffer)  # type: ignore[attr-defined]  # files have it
        self._digest.update(memoryview(buffer)[:n_bytes])
        return n_bytes


def _read_tree(
    tree: Tree, path: Path, detector: Detector | None, identity: str, progress: Progress
) -> Found:
    """Reads what a folder or archive holds."""
    chosen = _choose(tree, path)
    others = [n for n in tree.sizes if _is_data(n) and n != chosen]
    notes = [f"also there, and not read: {shown(*others)}"] if others else []
    if isinstance(chosen, str):
        _refuse_detector(path / chosen, detector)
        if n_pictures := sum(map(is_picture, tree.sizes)):
            notes.append(f"also there, and not read: {n_pictures} pictures")
        words = chosen if path.is_dir() else f"{chosen} in {path.name}"
        found = _read_csv(
            lambda: tree.open(chosen), tree.sizes[chosen], name=f"{path}: {chosen}", words=words
        )
    else:
        rows, content = read_pictures(
            tree, chosen, source=str(path), detector=detector, progress=progress
        )
        notes += [*tree.notes, *chosen.notes]
        sha256 = hashlib.sha256(f"{identity}\n{content}".encode()).hexdigest()
        found = Found(sha256, sort_rows(rows, str(path), _describe(rows)))
    data = dataclasses.replace(found.data, notes=(*notes, *found.data.notes))
    return dataclasses.replace(found, data=data)


def _describe(rows: Rows) -> str:
    """Returns what pictures stood in: `pictures in folders: train, validation / 7 emotions`."""
    splits = [name for number, name in enumerate(SPLIT_NAMES) if number in rows.splits]
    above = f"{', '.join(splits)} / " if splits else ""
    return f"pictures in folders: {above}{len(set(rows.labels.tolist()))} emotions"


def _choose(tree: Tree, path: Path) -> str | Layout:
    """Returns the CSV of a tree that is to be read, or its pictures.

    Raises:
        DataError: It has neither, or several CSVs and none by a name that is known.
    """
    csvs = [name for name in tree.sizes if name.lower().endswith(CSV_SUFFIXES)]
    by_name = {_plain_name(name): name for name in sorted(csvs, key=_nearest, reverse=True)}
    for known in WHOLE_CSVS:
        if known in by_name:
            return by_name[known]
    if layout := lay_out(tree.sizes, tree.empty_folders, str(path)):
        return layout
    if PART_CSV in by_name or len(csvs) == 1:
        return by_name.get(PART_CSV) or csvs[0]
    if csvs:
        raise DataError(
            f"{path} holds {len(csvs)} CSVs: {shown(*csvs)}. Expected one, or one called "
            f"{', '.join((*WHOLE_CSVS, PART_CSV))}. Name the file itself."
        )
    raise _nothing(tree, path)


def _plain_name(name: str) -> str:
    return name.rpartition("/")[2].lower().removesuffix(".gz").removesuffix(".xz")


def _nearest(name: str) -> tuple[int, str]:
    return name.count("/"), name


def _is_data(name: str) -> bool:
    return name.lower().endswith((*CSV_SUFFIXES, *ARCHIVE_SUFFIXES))


def _nothing(tree: Tree, path: Path) -> DataError:
    """Returns the error for a tree without a CSV and without a folder that is an emotion."""
    folders = sorted({name.rpartition("/")[0] for name in tree.sizes if "/" in name})
    inner = [name for name in tree.sizes if name.lower().endswith(ARCHIVE_SUFFIXES)]
    seen = shown(*(inner or folders or tree.sizes)) or "nothing"
    advice = "Name that archive itself" if inner else "Rename the folders, or name one further in"
    return DataError(
        f"{path} holds no data set: expected a CSV of FER2013's kind, or a folder of pictures for "
        f"each emotion (happy, Sadness, Suprise, …); found {seen}. {advice}."
    )
