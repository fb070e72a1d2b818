"""Files by relative name, whatever holds them: a folder, a zip or a tar. Nothing is unpacked.

Names and sizes come first and contents after, so that what is not wanted is not read. All of it
is hostile: names that leave the tree, loops of links, and counts and sizes without end.
"""

import contextlib
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from fer_edge.errors import DataError
from fer_edge.images import MAX_FILE_BYTES

MAX_FILES = 400_000
MAX_DEPTH = 16
MAX_DIRECTORY_BYTES = 64 * 2**20  # of a zip: 400,000 names of 100 bytes take 58 MiB
MAX_TAR_BYTES = 16 * 2**30  # unpacked; a tar is walked over twice
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")


class Tree(Protocol):
    """A set of files.

    Attributes:
        sizes: Of the files, in bytes, by relative name with `/`, in the order of names.
        empty_folders: Of the folders that hold nothing, likewise.
    """

    sizes: dict[str, int]
    empty_folders: list[str]

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents, in the order that is fastest.

        A file over `MAX_FILE_BYTES` comes as one byte too many: whoever decodes it refuses it.
        """

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Opens one file to be read as a stream."""


def open_tree(path: Path) -> Tree:
    """Returns the files in a folder or archive; what an archive is, its first bytes say.

    Raises:
        DataError: It is no folder, zip or tar, is damaged, or holds what no data set holds.
    """
    if path.is_dir():
        return open_folder(path)
    with _as_data_error(path):
        return ZipTree(path) if zipfile.is_zipfile(path) else TarTree(path)


def open_folder(path: Path) -> "FolderTree":
    """Returns the files in a folder; raises as `open_tree` does."""
    try:
        return FolderTree(path)
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror}. Check that you may.") from exc


class FolderTree:
    """The files in a folder. Links to folders are followed, but never round in a circle.

    Attributes:
        signature: Changes when a file does, as far as can be told without reading it.
    """

    def __init__(self, path: Path) -> None:
        """Lists the folder.

        Raises:
            DataError: It holds more files, or is deeper, than a data set is.
        """
        self._path = path
        self._n_seen = 0
        self.empty_folders: list[str] = []
        found = sorted(self._walk(str(path), "", ()))
        self.sizes = {name: stat.st_size for name, stat in found}
        stamps = [f"{n}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for n, s in found]
        self.signature = "\n".join([*stamps, *self.empty_folders]).encode("utf-8", "surrogatepass")

    def _walk(
        self, folder: str, prefix: str, above: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Yields the files, but those that are hidden."""
        stat = os.stat(folder)  # noqa: PTH116  (this is the loop over every folder)
        identity = (stat.st_dev, stat.st_ino)
        if identity in above:
            return  # a link back to a folder that this one is in
        if len(above) > MAX_DEPTH:
            raise DataError(f"{self._path} is over {MAX_DEPTH} folders deep: name one further in.")
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
        if not found:
            self.empty_folders.append(prefix.rstrip("/"))
        self._n_seen += 1
        _check_count(self._n_seen, self._path)
        for entry in found:
            if entry.is_dir():
                yield from self._walk(entry.path, f"{prefix}{entry.name}/", (*above, identity))
            elif entry.is_file():
                self._n_seen += 1
                _check_count(self._n_seen, self._path)
                yield prefix + entry.name, entry.stat()

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents; one that cannot be read comes as no bytes."""
        for name in names:
            try:
                with self.open(name) as file:
                    yield name, file.read(MAX_FILE_BYTES + 1)
            except OSError:
                yield name, b""

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Opens one file to be read as a stream."""
        return (self._path / name).open("rb")


class ZipTree:
    """The files in a zip."""

    def __init__(self, path: Path) -> None:
        """Reads the directory at the zip's end.

        Raises:
            DataError: It is damaged, or its directory is not one of a data set.
        """
        self._path = path
        _check_zip_directory(path)
        with _as_data_error(path):
            self._zip = zipfile.ZipFile(path)
        entries = [(_inside(entry.filename, path), entry) for entry in self._zip.infolist()]
        _check_count(len(entries), path)
        seen = [(name, entry) for name, entry in entries if not _is_hidden(name)]
        self._entries = {
            name: entry for name, entry in sorted(seen, key=_first) if not entry.is_dir()
        }
        self.sizes = {name: entry.file_size for name, entry in self._entries.items()}
        folders = [name for name, entry in seen if entry.is_dir()]
        self.empty_folders = _without_content(folders, self.sizes)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents; a damaged one comes as no bytes."""
        for name in sorted(names, key=lambda name: self._entries[name].header_offset):
            try:
                with self.open(name) as file:
                    yield name, file.read(MAX_FILE_BYTES + 1)
            except DataError:
                yield name, b""

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Opens one file to be read as a stream."""
        with _as_data_error(self._path), self._zip.open(self._entries[name]) as file:
            yield file


class TarTree:
    """The files in a tar, packed or not; it has no directory, so listing it walks over it."""

    def __init__(self, path: Path) -> None:
        """Walks over the archive.

        Raises:
            DataError: It is no tar, is damaged, or holds what no data set holds.
        """
        self._path = path
        sizes: dict[str, int] = {}
        folders, n_bytes = [], 0
        with self._members() as members:
            for n, member in enumerate(members):
                name = _inside(member.name, path)
                n_bytes += member.size
                _check_count(n, path)
                _check_tar_size(n_bytes, path)
                if member.isdir():
                    folders.append(name)
                elif member.isfile() and not _is_hidden(name):
                    sizes[name] = member.size
        self.sizes = dict(sorted(sizes.items()))
        self.empty_folders = _without_content(folders, self.sizes)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents, in the archive's order."""
        wanted = set(names)
        with self._members() as members:
            for member in members:
                name = _inside(member.name, self._path)
                if member.isfile() and name in wanted:
                    content = members.extractfile(member)
                    assert content is not None  # noqa: S101  (it is a file)
                    wanted.discard(name)
                    yield name, content.read(MAX_FILE_BYTES + 1)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Opens one file to be read as a stream."""
        with self._members() as members:
            for member in members:
                if member.isfile() and _inside(member.name, self._path) == name:
                    content = members.extractfile(member)
                    assert content is not None  # noqa: S101  (it is a file)
                    yield content
                    return

    @contextlib.contextmanager
    def _members(self) -> Iterator[tarfile.TarFile]:
        with _as_data_error(self._path), tarfile.open(self._path, "r|*") as archive:
            yield archive


def _check_count(n: int, path: Path) -> None:
    if n > MAX_FILES:
        raise DataError(
            f"{path} holds over {MAX_FILES:,} files; expected a data set of face images. "
            "Name the folder inside it that is one."
        )


def _check_zip_directory(path: Path) -> None:
    """Raises DataError for a zip whose directory is too large to be read into memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 66_000))  # the end record and the longest comment
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    (directory_bytes,) = struct.unpack_from("<I", tail.ljust(at + 16, b"\0"), at + 12)
    if directory_bytes == 0xFFFFFFFF and (at64 := tail.rfind(b"PK\x06\x06")) >= 0:
        (directory_bytes,) = struct.unpack_from("<Q", tail.ljust(at64 + 48, b"\0"), at64 + 40)
    if directory_bytes > MAX_DIRECTORY_BYTES:
        raise DataError(
            f"{path} lists more files than a data set has: its directory takes "
            f"{directory_bytes / 2**20:.0f} MiB, expected at most {MAX_DIRECTORY_BYTES // 2**20}."
        )


def _inside(name: str, path: Path) -> str:
    """Returns an entry's name; raises DataError when it leaves the archive."""
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or (pure.parts and pure.parts[0].endswith(":")):
        raise DataError(
            f"{path} holds an entry that points out of it: {name[:200]!r}. An archive like that "
            "is broken or means harm; it was not read."
        )
    return str(pure)


def _check_tar_size(n_bytes: int, path: Path) -> None:
    if n_bytes > MAX_TAR_BYTES:
        raise DataError(
            f"{path} unpacks to over {MAX_TAR_BYTES // 2**30} GiB; expected a data set of face "
            "images. Unpack what you need of it, and name that folder."
        )


def _first(pair: tuple[str, zipfile.ZipInfo]) -> str:
    return pair[0]


def _is_hidden(name: str) -> bool:
    """Tells whether an entry is hidden, or what macOS adds to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _without_content(folders: Iterable[str], names: Iterable[str]) -> list[str]:
    """Returns the folders that no name begins with."""
    full = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return sorted(folder for folder in set(folders) if folder not in full)


@contextlib.contextmanager
def _as_data_error(path: Path) -> Iterator[None]:
    """Turns what zip and tar raise for damage into DataError."""
    damage = (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,  # a zip with a password
        NotImplementedError,  # a zip with a packing that Python does not know
        struct.error,
        ValueError,
        OverflowError,
    )
    try:
        yield
    except damage as exc:
        raise DataError(
            f"Cannot read {path}: {exc}. Expected a folder, a zip or a tar (plain, .gz, .xz or "
            ".bz2) that is whole and has no password; get it again."
        ) from exc
