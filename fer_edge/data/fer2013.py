"""FER2013's CSVs, one face a row, plain or packed with gzip or xz.

`fer2013.csv` and `icml_face_data.csv` have an emotion, pixels and a Usage; the competition's
`train.csv` has no Usage, its `test.csv` no emotion either. Everything in such a file is hostile
until checked: rows, fields and the whole are bounded.
Source: Goodfellow et al., Challenges in Representation Learning, arXiv:1307.0414.
"""

import contextlib
import gzip
import itertools
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import EMOTIONS
from fer_edge.data.rows import Rows
from fer_edge.data.split import SPLIT_NAMES, SplitName
from fer_edge.errors import DataError
from fer_edge.lookahead import map_ahead

SUFFIXES = (".csv", ".csv.gz", ".csv.xz")
COLUMNS = ("emotion", "pixels", "Usage")  # the last may be absent
USAGE: dict[bytes, SplitName] = {
    b"Training": "train",
    b"PublicTest": "validation",
    b"PrivateTest": "test",
}
SIDE = 48
N_PIXELS = SIDE * SIDE
MAX_LINE_BYTES = 16 * 1024  # 2304 pixels of three digits and their commas take 9.3 KiB
MAX_ROWS = 500_000  # 1.1 GiB of pixels; a decompression bomb ends here
READ_BYTES = 4 * 1024 * 1024  # at a time: decompression runs without the interpreter's lock
XZ_MEMORY_BYTES = 256 * 1024 * 1024  # the largest preset takes 65 MiB
BLOCK_ROWS = 512  # about 4 MiB of text: fits the cache while it is parsed


OpenFile = Callable[[], contextlib.AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class _Block:
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    splits: NDArray[np.int8]  # index into SPLIT_NAMES, -1 where there is no Usage


def read_fer2013(open_file: OpenFile, name: str) -> Rows:
    """Returns the rows of a CSV of FER2013's kind.

    Decompression and parsing overlap, each on a core of its own.

    Args:
        open_file: Opens the CSV for one pass.
        name: Of the file, for messages.

    Raises:
        DataError: The file is damaged, too large, or a row breaks the format (named by line).
    """
    try:
        with open_file() as file, _chunks_ahead(file) as chunks:
            lines = _lines(name, chunks)
            columns = _columns(name, next(lines, (1, b""))[1])
            blocks = list(_parsed_blocks(name, lines, columns))
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as exc:
        raise DataError(
            f"Cannot read {name}: {exc}. Expected a FER2013 CSV, plain, .gz or .xz; "
            "if it was downloaded or copied, fetch it again."
        ) from exc
    if not blocks:
        raise DataError(f"{name} has a header and no rows. Expected one face a row.")
    return Rows(
        images=np.concatenate([block.images for block in blocks]),
        labels=np.concatenate([block.labels for block in blocks]),
        splits=np.concatenate([block.splits for block in blocks]),
    )


def _chunks_ahead(
    file: IO[bytes],
) -> contextlib.AbstractContextManager[Iterator[bytes | None]]:
    """Gives the text inside a file, unpacked while what came before is parsed; None at its end."""
    chunks = _chunks(file)
    return map_ahead(lambda _: next(chunks, None), itertools.count())


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the text inside a file; what it is packed with is read from its first bytes."""
    magic = file.peek(6)  # type: ignore[attr-defined]  # files have it, in zips and tars too
    if magic.startswith(b"\xfd7zXZ\x00"):
        yield from _unpacked_xz(file)
        return
    stream = gzip.GzipFile(fileobj=file) if magic.startswith(b"\x1f\x8b") else file
    while chunk := stream.read(READ_BYTES):
        yield chunk


def _unpacked_xz(file: IO[bytes]) -> Iterator[bytes]:
    """Yields what xz streams, one behind the other, unpack to.

    As `lzma.open` does it, but in large steps: that one reads 8 KiB at a time and takes back the
    interpreter's lock each time, which the parser holds, and so the two hardly overlap.
    """
    packed = file.read(READ_BYTES)
    while packed:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
        while not unpacker.eof:
            if unpacker.needs_input and not packed and not (packed := file.read(READ_BYTES)):
                raise EOFError("the xz data end before their end marker")
            yield unpacker.decompress(packed, READ_BYTES)
            packed = b""
        packed = unpacker.unused_data.lstrip(b"\x00") or file.read(READ_BYTES)


def _columns(name: str, header: bytes) -> dict[str, int]:
    """Returns where each column stands."""
    if not header.strip():
        raise DataError(f"{name} is empty. Expected the header {','.join(COLUMNS)} and rows.")
    names = [column.strip() for column in header.decode("utf-8", "replace").split(",")]
    missing = [column for column in COLUMNS[:2] if column not in names]
    if missing == ["emotion"]:
        raise DataError(
            f"{name} has pixels and no emotions, like the competition's test.csv: there is nothing "
            "to learn from it or to measure. Use icml_face_data.csv or fer2013.csv instead."
        )
    if missing:
        raise DataError(
            f"{name} has no column {' and no column '.join(missing)}. "
            f"Expected the header {','.join(COLUMNS)}, found {','.join(names)[:200]!r}."
        )
    found = {column: names.index(column) for column in COLUMNS if column in names}
    return found | {"": len(names)}


def _parsed_blocks(
    name: str, lines: Iterator[tuple[int, bytes]], columns: dict[str, int]
) -> Iterator[_Block]:
    """Yields parsed blocks in order; what follows is decompressed meanwhile."""
    while block := list(itertools.islice(lines, BLOCK_ROWS)):
        yield _parse_block(name, block, columns)


def _lines(name: str, chunks: Iterator[bytes | None]) -> Iterator[tuple[int, bytes]]:
    """Yields the numbered lines that are not blank, each bounded, and only so many of them."""
    number, rest = 1, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n") if chunk is not None else (rest, b"")
        for line in (*lines, rest) if len(rest) >= MAX_LINE_BYTES else lines:
            if len(line) >= MAX_LINE_BYTES or number - 1 > MAX_ROWS:
                raise DataError(
                    f"{name}, line {number}: expected at most {MAX_ROWS} rows of "
                    f"{MAX_LINE_BYTES // 1024} KiB each, found more. It was not read further."
                )
            if line.strip() or number == 1:
                yield number, line
            number += 1
        if chunk is None:
            return


def _parse_block(name: str, lines: list[tuple[int, bytes]], columns: dict[str, int]) -> _Block:
    """Returns one block's arrays; when it is faulty, looks for the line and names it."""
    rows = [line.strip().replace(b'"', b"").split(b",") for _, line in lines]
    _raise_first(name, lines, (_fault_in_row(row, columns) for row in rows))
    pixels = [row[columns["pixels"]].strip() for row in rows]
    images = _parse_pixels(pixels)
    if images is None:
        _raise_first(name, lines, map(_fault_in_pixels, pixels))
        raise AssertionError("the fast and the slow pixel parser disagree")
    labels = np.array([int(row[columns["emotion"]]) for row in rows], np.uint8)
    splits = [_split_number(row, columns) for row in rows]
    return _Block(images, labels, np.array(splits, np.int8))


def _split_number(row: list[bytes], columns: dict[str, int]) -> int:
    return SPLIT_NAMES.index(USAGE[row[columns["Usage"]].strip()]) if "Usage" in columns else -1


def _raise_first(name: str, lines: list[tuple[int, bytes]], faults: Iterable[str]) -> None:
    """Raises DataError for the first fault that is not empty, with its line."""
    for (number, _), fault in zip(lines, faults, strict=True):
        if fault:
            raise DataError(f"{name}, line {number}: {fault}.")


def _fault_in_row(row: list[bytes], columns: dict[str, int]) -> str:
    """Returns what is wrong with a row's fields, the pixels aside; else an empty string."""
    if len(row) != columns[""]:
        return f"expected {columns['']} fields, found {len(row)}"
    emotion = row[columns["emotion"]].strip()
    usage = row[columns["Usage"]].strip() if "Usage" in columns else b"Training"
    if emotion not in {b"%d" % label for label in range(len(EMOTIONS))}:
        return f"expected an emotion from 0 to {len(EMOTIONS) - 1}, found {_shown(emotion)}"
    if usage not in USAGE:
        expected = ", ".join(name.decode() for name in USAGE)
        return f"expected a Usage of {expected}, found {_shown(usage)}"
    return ""


def _parse_pixels(fields: list[bytes]) -> NDArray[np.uint8] | None:
    """Returns uint8 (n, 48, 48) from n texts of 2304 decimal numbers, or None if one is faulty.

    All texts at once, by the positions of the digits: ten times faster than a loop over numbers.
    """
    text = np.frombuffer(b" ".join(fields) + b" ", np.uint8)
    ends = np.flatnonzero(text == ord(" "))  # one past each number's last digit
    row_ends = np.cumsum([len(field) + 1 for field in fields]) - 1
    if len(ends) != N_PIXELS * len(fields) or np.any(ends[N_PIXELS - 1 :: N_PIXELS] != row_ends):
        return None
    n_digits = np.diff(ends, prepend=-1) - 1
    digits = text - np.uint8(ord("0"))  # a space wraps to 240
    if n_digits.min() < 1 or n_digits.max() > 3 or np.sum(digits > 9) != len(ends):
        return None
    values = digits[ends - 1].astype(np.uint16)
    values += 10 * np.where(n_digits > 1, digits[ends - 2], 0).astype(np.uint16)
    values += 100 * np.where(n_digits > 2, digits[ends - 3], 0).astype(np.uint16)
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(-1, SIDE, SIDE)


def _fault_in_pixels(field: bytes) -> str:
    """Returns what is wrong with one row's pixels; else an empty string."""
    numbers = field.split(b" ")
    for position, number in enumerate(numbers):
        if not number.isdigit() or len(number) > 3 or int(number) > 255:
            return (
                f"expected pixels from 0 to 255 with one space between, "
                f"found {_shown(number)} as pixel {position + 1}"
            )
    if len(numbers) != N_PIXELS:
        return f"expected {N_PIXELS} pixels ({SIDE} x {SIDE}), found {len(numbers)}"
    return ""


def _shown(field: bytes) -> str:
    return repr(field[:40].decode("utf-8", "replace"))
