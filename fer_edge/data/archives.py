"""Zips and tars as trees of files. They are read in place: nothing is unpacked to a disk.

An archive of a few kilobytes can ask for gigabytes, of contents as of names; each is bounded
before it is read.
"""

import bz2
import contextlib
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from fer_edge.data.tree import (
    MAX_DEPTH,
    MAX_PICTURE_BYTES,
    Tree,
    ancestors,
    check_count,
    is_hidden,
    note_others,
)
from fer_edge.errors import DataError

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
MAX_BYTES = 16 * 2**30  # unpacked; a tar is walked over twice
MAX_NAME = 1024
MAX_DIRECTORY_BYTES = 64 * 2**20  # of a zip: 400,000 names of 100 bytes take 58 MiB
MAX_HEADER_BYTES = 16 * 1024  # of a tar's entry: pax and GNU put long names in front of it
BLOCK_BYTES = 16 * 1024


def open_archive(path: Path) -> Tree:
    """Returns the files in an archive; what it is, its first bytes say.

    Raises:
        DataError: It is no zip or tar, is damaged or locked, or holds what no data set holds.
    """
    with _as_data_error(path):
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        return ZipTree(path) if is_zip else TarTree(path)


class ZipTree:
    """The files in a zip."""

    def __init__(self, path: Path) -> None:
        """Reads the directory at the zip's end; raises as `open_archive` does."""
        self._path = path
        _check_zip_directory(path)
        self._zip = zipfile.ZipFile(path)
        entries = [(_inside(entry.filename, path), entry) for entry in self._zip.infolist()]
        check_count(len(entries), path)
        seen = [(name, entry) for name, entry in entries if _is_wanted(name)]
        folders = {name for name, entry in seen if entry.filename.endswith(("/", "\\"))}
        listed = [(name, entry) for name, entry in seen if name not in folders]
        found = dict(listed)
        if any(entry.flag_bits & 1 for entry in found.values()):
            raise DataError(f"{path} is locked with a password. Unpack it, and name the folder.")
        self._entries = {name: found[name] for name in sorted(found)}
        self.sizes = {name: entry.file_size for name, entry in self._entries.items()}
        _check_size(sum(self.sizes.values()), path)
        self.empty_folders = sorted(folders - ancestors((*self.sizes, *folders)))
        self.notes = _note_repeated(len(listed) - len(found))

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents; a damaged one comes as no bytes."""
        for name in sorted(names, key=lambda name: self._entries[name].header_offset):
            try:
                with self.open(name) as file:
                    content = file.read(MAX_PICTURE_BYTES + 1)
            except DataError:
                content = b""
            yield name, content

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Opens one file to be read as a stream."""
        with _as_data_error(self._path), self._zip.open(self._entries[name]) as file:
            yield file


class TarTree:
    """The files in a tar, packed or not; it has no directory, so listing it walks over it."""

    def __init__(self, path: Path) -> None:
        """Walks over the archive; raises as `open_archive` does."""
        self._path = path
        found: dict[str, tuple[int, int]] = {}
        folders: set[str] = set()
        others: list[str] = []
        n_bytes = n_repeated = 0
        with self._members() as members:
            for n, name, member, _ in members:
                check_count(n + 1, path)
                n_bytes += member.size
                _check_size(n_bytes, path)
                if not _is_wanted(name):
                    continue
                if member.isfile():
                    n_repeated += name in found
                    found[name] = n, member.size
                elif member.isdir():
                    folders.add(name)
                else:
                    others.append(name)
        self._number = {name: found[name][0] for name in sorted(found)}
        self.sizes = {name: found[name][1] for name in self._number}
        self.empty_folders = sorted(folders - ancestors((*self.sizes, *folders)))
        self.notes = [*note_others(others), *_note_repeated(n_repeated)]

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the named files' contents, in the archive's order."""
        wanted = {self._number[name]: name for name in names}
        with self._members() as members:
            for n, name, member, archive in members:
                if wanted.get(n) == name and (content := archive.extractfile(member)):
                    yield name, content.read(MAX_PICTURE_BYTES + 1)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Opens one file to be read as a stream."""
        with self._members() as members:
            for n, own_name, member, archive in members:
                if n == self._number[name] and own_name == name:
                    if content := archive.extractfile(member):
                        yield content
                        return
                    break
        raise DataError(f"{self._path} changed while it was read. Try again when it is whole.")

    @contextlib.contextmanager
    def _members(self) -> Iterator[Iterator[tuple[int, str, tarfile.TarInfo, tarfile.TarFile]]]:
        with _as_data_error(self._path), _open_packed(self._path) as file:
            stream = _Metered(file)
            with tarfile.open(  # type: ignore[call-overload]  # it needs no more than `read`
                fileobj=stream, mode="r|", bufsize=BLOCK_BYTES
            ) as archive:
                yield self._walk(archive, stream)

    def _walk(
        self, archive: tarfile.TarFile, stream: "_Metered"
    ) -> Iterator[tuple[int, str, tarfile.TarInfo, tarfile.TarFile]]:
        n = 0
        while member := archive.next():
            archive.members = []  # type: ignore[attr-defined]  # it would keep them all
            if member.size < 0:
                raise tarfile.ReadError(f"an entry's size is {member.size}")
            stream.allow(member.size)
            yield n, _inside(member.name, self._path), member, archive
            n += 1
        if stream.is_over:
            raise EOFError("it ends before its end mark")


class _Metered:
    """What a tar unpacks to; from one entry to the next no more than that and a header.

    `tarfile` reads extended headers whole, and a packed one of kilobytes may unpack to gigabytes.

    Attributes:
        is_over: Whether more was asked for than there is.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.is_over = False
        self.allow(0)

    def allow(self, n_bytes: int) -> None:
        """Sets how many bytes may be read, beside the next header and what is read ahead."""
        self._allowed = n_bytes + MAX_HEADER_BYTES + 2 * BLOCK_BYTES

    def read(self, n_bytes: int) -> bytes:
        content = self._file.read(n_bytes)
        self.is_over |= not content
        self._allowed -= len(content)
        if self._allowed < 0:
            raise tarfile.ReadError(f"an entry's header takes over {MAX_HEADER_BYTES} bytes")
        return content


def _open_packed(path: Path) -> IO[bytes]:
    """Opens what is packed in a file; how, its first bytes say."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(path)  # type: ignore[return-value]
    if magic == b"\xfd7zXZ\x00":
        return lzma.open(path)
    return bz2.open(path) if magic.startswith(b"BZh") else path.open("rb")


def _check_zip_directory(path: Path) -> None:
    """Raises DataError for a zip that lists too much, before `zipfile` reads it into memory.

    Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.14 to 4.3.16; found as `zipfile` finds it.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - 66_000)  # the end record and the longest comment
        file.seek(start)
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if not 0 <= at <= len(tail) - 22:
            raise zipfile.BadZipFile("the directory at its end is missing")
        (n_bytes,) = struct.unpack_from("<I", tail, at + 12)
        if tail[max(0, at - 20) :].startswith(b"PK\x06\x07"):  # large zips have one more record
            at = max(0, at - 76)
            (n_bytes,) = struct.unpack_from("<Q", tail, at + 40)
        if n_bytes > MAX_DIRECTORY_BYTES:
            raise DataError(
                f"{path} lists more than a data set has: its directory takes "
                f"{n_bytes / 2**20:,.0f} MiB, expected at most {MAX_DIRECTORY_BYTES // 2**20}."
            )
        file.seek(max(0, start + at - n_bytes))
        check_count(file.read(n_bytes).count(b"PK\x01\x02"), path)


def _inside(name: str, path: Path) -> str:
    """Returns an entry's name without `./`; raises DataError where no data set has such a name."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or name[:1] in ("/", "\\") or name[1:2] == ":":
        raise DataError(
            f"{path} holds an entry that points out of it: {name[:200]!r}. An archive like that "
            "is broken or means harm; it was not read."
        )
    if len(parts) > MAX_DEPTH + 1 or len(name) > MAX_NAME:
        raise DataError(
            f"{path} holds an entry that is over {MAX_DEPTH} folders deep, or whose name is over "
            f"{MAX_NAME} characters long: {name[:100]!r}… No data set needs that; it was not read."
        )
    return "/".join(parts)


def _note_repeated(n: int) -> list[str]:
    return [f"{n} skipped, their names come again: the last one counts"] if n > 0 else []


def _is_wanted(name: str) -> bool:
    return bool(name) and not any(map(is_hidden, name.split("/")))


def _check_size(n_bytes: int, path: Path) -> None:
    if n_bytes > MAX_BYTES:
        raise DataError(
            f"{path} unpacks to over {MAX_BYTES // 2**30} GiB; expected a data set of face "
            "images. Unpack what you need of it, and name that folder."
        )


@contextlib.contextmanager
def _as_data_error(path: Path) -> Iterator[None]:
    """Turns what reading a damaged archive raises into DataError."""
    damage = (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,  # headers nested without end
        NotImplementedError,  # a zip with a packing that Python does not know
        MemoryError,  # an xz may ask for 4 GiB
        struct.error,
        ValueError,
        OverflowError,
    )
    try:
        yield
    except damage as exc:
        said = str(exc) or "out of memory"
        raise DataError(
            f"Cannot read {path}: {said}. Expected a zip or a tar (plain, .gz, .xz or .bz2) that "
            "is whole; get it again."
        ) from exc
