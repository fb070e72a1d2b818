"""Files by relative name, whatever holds them: a folder here, archives in `archives`.

Names and sizes come first and contents after, so that what is not wanted is not read. All of it
is hostile: names that leave the tree, loops of links, pipes, and counts and sizes without end.
"""

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, Protocol

from fer_edge.errors import DataError

MAX_FILES = 400_000
MAX_DEPTH = 16
MAX_PICTURE_BYTES = 64 * 2**20
"""Of one file that is read at once: over any photograph as cameras store them."""

NAMED = 3  # of many, in a note


class Tree(Protocol):
    """A set of files. Those that are hidden are not in it.

    Attributes:
        sizes: Of the files, in bytes, by relative name with `/`, in the order of names.
        empty_folders: Of the folders that hold nothing, in the order of names.
        notes: What was left out, and why.
    """

    sizes: dict[str, int]
    empty_folders: list[str]
    notes: list[str]

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents, in the order that is fastest.

        One that cannot be read comes as no bytes, or not at all where the tree has changed.
        """

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Opens one file to be read as a stream."""


def open_folder(path: Path) -> "FolderTree":
    """Returns the files in a folder.

    Raises:
        DataError: It cannot be listed, or it holds more files, or is deeper, than a data set is.
    """
    try:
        return FolderTree(path)
    except OSError as exc:
        raise DataError(
            f"Cannot read {exc.filename or path}: {exc.strerror}. Check that you may, or take it "
            "out of the data set."
        ) from exc


class FolderTree:
    """The files in a folder. Links to folders are followed, but never round in a circle.

    Attributes:
        signature: Changes when a file does, as far as can be told without reading it.
    """

    def __init__(self, path: Path) -> None:
        """Lists the folder; raises as `open_folder` does."""
        self._path = path
        self._n_seen = 0
        self.empty_folders: list[str] = []
        self._others: list[str] = []
        found = sorted(self._walk(str(path), "", ()))
        self.empty_folders.sort()
        self.notes = note_others(self._others)
        self.sizes = {name: stat.st_size for name, stat in found}
        stamps = [f"{n}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for n, s in found]
        lines = [*stamps, *self.empty_folders, *self.notes]
        self.signature = "\n".join(lines).encode("utf-8", "surrogatepass")

    def _walk(
        self, folder: str, prefix: str, above: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Yields the files below a folder."""
        stat = os.stat(folder)  # noqa: PTH116  (this is the loop over every folder)
        identity = (stat.st_dev, stat.st_ino)
        if identity in above:
            return  # a link back to a folder that this one is in
        if len(above) > MAX_DEPTH:
            raise DataError(f"{self._path} is over {MAX_DEPTH} folders deep: name one further in.")
        is_empty = True
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                is_empty = False
                self._n_seen += 1
                check_count(self._n_seen, self._path)
                name, kind = prefix + entry.name, _kind(entry)
                if kind == "folder":
                    yield from self._walk(entry.path, f"{name}/", (*above, identity))
                elif kind == "file":
                    yield name, entry.stat()
                else:
                    self._others.append(name)
        if is_empty:
            self.empty_folders.append(prefix.rstrip("/"))

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents; one that cannot be read comes as no bytes."""
        for name in names:
            try:
                with self.open(name) as file:
                    yield name, file.read(MAX_PICTURE_BYTES + 1)
            except OSError:
                yield name, b""

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Opens one file to be read as a stream."""
        return (self._path / name).open("rb")


def _kind(entry: os.DirEntry[str]) -> Literal["folder", "file", "other"]:
    """Tells what an entry, or what it links to, is. A pipe or device must not be opened."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:  # a link to itself
        return "other"


def is_hidden(name: str) -> bool:
    """Tells whether a file or folder is hidden, or what macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


def check_count(n: int, path: Path) -> None:
    """Raises DataError for more files than a data set has."""
    if n > MAX_FILES:
        raise DataError(
            f"{path} holds over {MAX_FILES:,} files and folders; expected a data set of face "
            "images. Name the folder inside it that is one."
        )


def shown(*names: str) -> str:
    """Returns names, the first of many, as one line of printable text."""
    texts = [name if name.isprintable() else repr(name)[1:-1] for name in names[:NAMED]]
    cut = [text if len(text) <= 100 else f"{text[:50]}…{text[-50:]}" for text in texts]
    return ", ".join([*cut, "…"] if len(names) > NAMED else cut)


def note_others(names: list[str]) -> list[str]:
    """Returns a note for what is neither file nor folder; none where there is nothing."""
    skipped = f"{len(names)} skipped, links, pipes or devices: {shown(*sorted(names))}"
    return [skipped] if names else []


def ancestors(names: Sequence[str] | Collection[str]) -> set[str]:
    """Returns every folder that is named by the files and folders in it."""
    found: set[str] = set()
    for name in names:
        while (name := name.rpartition("/")[0]) and name not in found:
            found.add(name)
    return found
