"""Whole lines into files, and into streams that are open already. Knows nothing of what they say.

A line is there at once and whole. A full disk leaves no half of one, and a killed process cannot;
only a power cut may, and the next start ends that one before it goes on.
"""

import errno
import io
import os
import select
import stat
from pathlib import Path
from typing import TextIO

from fer_edge.camera.fanout import EndedError
from fer_edge.errors import OutputError

PATIENCE_S = 0.2  # with a pipe or terminal that takes nothing; it holds 64 KiB before that


class SlowReaderError(OSError):
    """A pipe or terminal takes nothing for a while.

    Args:
        n_written: Bytes that it took before.
    """

    def __init__(self, n_written: int) -> None:
        super().__init__()
        self.n_written = n_written


class LineFile:
    """A file that is appended to. After a failure it is opened anew: a disk may come back.

    Args:
        path: Is made, with its folders, where it is not there yet.
        header: The line that a new file begins with, and that an old one has to.
        begins: What an old file without a header has to begin with.

    Raises:
        OutputError: It cannot be written, or begins in another way.
    """

    def __init__(self, path: Path, *, header: str = "", begins: str = "") -> None:
        self._path, self._header = path, header.encode()
        self._begins = (header or begins).encode()
        self._file: io.FileIO | None = None
        self.write("")

    def write(self, text: str) -> None:
        """Appends lines, each with its newline.

        Raises:
            OutputError: They are not there, and no part of them is.
        """
        try:
            self._file = self._file or self._open()
            _append(self._file, text.encode())
        except OSError as exc:
            self.close()
            raise OutputError(
                f"Cannot write {self._path}: {exc.strerror or exc}. Expected a place with room "
                "that you may write to."
            ) from exc

    def _open(self) -> io.FileIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = io.FileIO(self._path, "a+")
        try:
            self._begin(file)
        except BaseException:
            file.close()
            raise
        return file

    def _begin(self, file: io.FileIO) -> None:
        """Writes the header where there is none, and ends a line that a power cut left."""
        if not _is_regular(file) or not file.seek(0, os.SEEK_END):
            _append(file, self._header)
            return
        file.seek(-1, os.SEEK_END)
        ends_whole = file.read(1) == b"\n"
        file.seek(0)
        found = file.read(len(self._begins))
        if found != self._begins:
            raise OutputError(
                f"{self._path} begins with {found[:80]!r}…, expected {self._begins[:80]!r}…: it is "
                "another file, or one of another model. It was left as it is; choose another name."
            )
        if not ends_whole:
            _append(file, b"\n")

    def close(self) -> None:
        """Closes the file; all lines are in it already."""
        if self._file is not None:
            self._file.close()
            self._file = None


class LineStream:
    """A stream that somebody else opened and closes, such as stdout.

    Args:
        stream: For text.
        name: For messages.
        patience_s: How long a reader who takes nothing is waited for.
    """

    def __init__(self, stream: TextIO, name: str, *, patience_s: float = PATIENCE_S) -> None:
        self._stream, self._name, self._patience_s = stream, name, patience_s
        self._raw = _raw(stream)
        self._rest = b""  # of a line of which a reader took the beginning

    def write(self, text: str) -> None:
        """Writes text, and has it on its way when this returns.

        Raises:
            EndedError: Nobody reads the other end of the pipe any more.
            OutputError: It was not written.
        """
        try:
            if self._raw is None:
                self._stream.write(text)
                self._stream.flush()
            else:
                content = self._rest + text.encode(self._stream.encoding, "replace")
                self._rest = b""
                _append(self._raw, content, self._patience_s)
        except SlowReaderError as exc:
            self._rest = content[exc.n_written :] if exc.n_written else b""
            raise OutputError(f"Nobody reads {self._name} fast enough.") from exc
        except BrokenPipeError as exc:
            raise EndedError(f"Nobody reads {self._name} any more; it has ended.") from exc
        except OSError as exc:
            raise OutputError(f"Cannot write to {self._name}: {exc.strerror or exc}.") from exc

    def close(self) -> None:
        """Does nothing: the stream is somebody else's, and has got everything."""


def _raw(stream: TextIO) -> io.FileIO | None:
    """Returns the file under a stream; None for one in memory.

    A stream's buffer would keep or lose a part of what did not go out, so lines go past it.
    """
    try:
        stream.flush()
        return io.FileIO(stream.fileno(), "w", closefd=False)
    except OSError:  # io.UnsupportedOperation is one
        return None


def _append(file: io.FileIO, content: bytes, patience_s: float = PATIENCE_S) -> None:
    """Writes all of it, or raises OSError and leaves nothing of it in a regular file."""
    n_written, is_regular = 0, _is_regular(file)
    if is_regular and not os.fstat(file.fileno()).st_nlink:
        raise FileNotFoundError(errno.ENOENT, "it was deleted")  # what goes there, nobody finds
    try:
        while n_written < len(content):
            if not is_regular and not select.select([], [file], [], patience_s)[1]:
                raise SlowReaderError(n_written)
            # What a pipe that is ready takes at once, so that no write waits for its reader.
            end = len(content) if is_regular else n_written + select.PIPE_BUF
            n_written += file.write(content[n_written:end]) or 0
    except OSError:
        if n_written and _is_regular(file):
            file.truncate(file.seek(-n_written, os.SEEK_CUR))
        raise


def _is_regular(file: io.FileIO) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
