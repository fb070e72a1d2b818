"""How fer-edge writes files: whole or not at all, and never over a result unless told to.

A file is written beside its place and renamed into it. That is not only tidiness: LiteRT maps a
model file into memory, and overwriting it in place kills the process that has it open.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fer_edge.errors import OutputError


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all.

    Raises:
        OutputError: The folder cannot be written or the disk is full; nothing is left behind.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Writes UTF-8 text whole or not at all; raises as `write_bytes` does."""
    write_bytes(path, content.encode())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and renames it there when the block succeeds.

    What the block makes may be a file or a folder; it replaces only its like.

    Raises:
        OutputError: The place cannot be written; `path` is as it was.
    """
    with _as_output_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        made = scratch / path.name
        with _as_output_error(path):
            yield made
        with _as_output_error(path):
            _move(made, path, scratch / "replaced")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _move(made: Path, path: Path, aside: Path) -> None:
    """Renames `made` to `path`; a folder that stands there goes aside, and back if that fails."""
    if not path.is_dir():
        made.replace(path)
        return
    if not made.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.rename(aside)
    try:
        made.replace(path)
    except BaseException:
        aside.rename(path)
        raise


@contextlib.contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise OutputError(
            f"Cannot write {path}: {exc.strerror or exc}. "
            "Nothing was changed there; choose a place with room that you may write to."
        ) from exc


def refuse_existing(path: Path, *, force: bool, or_else: str = "") -> None:
    """Raises OutputError when `path` exists (a folder: with something in it) and not `force`.

    Args:
        path: To be made or replaced.
        force: May be replaced.
        or_else: What else can be done, for the message.
    """
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not force:
        raise OutputError(
            f"{path} already exists. It was left as it is: "
            f"{or_else}pass --force to replace it, or choose another place."
        )


def is_writable_folder(path: Path) -> bool:
    """Tells whether files can be made in `path`, or in the nearest folder above that exists."""
    while not path.exists():
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
