"""Parsed data sets, kept by what they were made from: one file each, with a checksum.

Reading 36,000 pictures takes seconds, so what became of them is remembered by what the file
system tells of the files: where that has changed they are read again.
"""

import contextlib
import hashlib
import json
import os
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np

from fer_edge import files
from fer_edge.data.rows import Found, Sorted
from fer_edge.data.split import SPLIT_NAMES, Split
from fer_edge.errors import OutputError

VERSION = 3  # of the layout below and of how sources are read; another one is another folder
IMAGE_BYTES = 48 * 48


def cache_folder() -> Path:
    """Returns where caches live: FER_EDGE_CACHE, else `fer-edge` in the user's cache folder."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen)
    home = Path(os.environ.get("HOME") or tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "fer-edge"


def signature_of(path: Path) -> bytes:
    """Returns what changes when a file does, as far as can be told without reading it."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}".encode()


def remembered(path: Path, signature: bytes) -> Found | None:
    """Returns what `path` held when it had this signature; None when that is not known."""
    try:
        seen, key = _memo(path).read_text().split()
    except (OSError, ValueError):
        return None  # no memo, or a damaged one
    return load(key) if seen == _digest(signature) else None


def remember(path: Path, signature: bytes, found: Found) -> None:
    """Keeps what `path` held when it had this signature.

    A cache that cannot be written is no error: it is only slower. Two processes may do this at
    once: each writes beside, and the later rename wins.
    """
    with contextlib.suppress(OutputError):
        key = store(found)
        files.write_text(_memo(path), f"{_digest(signature)} {key}\n")


def load(key: str) -> Found | None:
    """Returns what is kept under a key; None where there is nothing, or it is damaged."""
    try:
        content = np.fromfile(_place(key), np.uint8)
        checksum, n_text = struct.unpack_from("<II", content.data)
        if zlib.crc32(content[4:].data) != checksum:
            return None
        text = json.loads(content[8 : 8 + n_text].tobytes())
        bounds = np.cumsum([0, *text["counts"]])
        n = bounds[-1]
        parts = np.split(content[8 + n_text :], [8 * n, (8 + IMAGE_BYTES) * n])
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None
    ids, images, labels = parts[0].view(np.int64), parts[1].reshape(-1, 48, 48), parts[2]
    splits = {
        name: Split(images[start:stop], labels[start:stop], ids[start:stop])
        for name, start, stop in zip(SPLIT_NAMES, bounds, bounds[1:], strict=False)
    }
    emotions, notes, names = (tuple(text[name]) for name in ("emotions", "notes", "names"))
    return Found(text["sha256"], Sorted(emotions, splits, notes, names, text["format"]))


def store(found: Found) -> str:
    """Keeps a data set, and returns the key to it: alike ones share it.

    Layout: CRC-32 of the rest, length of the text, text (JSON), ids, images, labels.

    Raises:
        OutputError: The cache cannot be written; nothing is left behind.
    """
    data = found.data
    splits = [data.splits[name] for name in SPLIT_NAMES]
    text = {
        "sha256": found.sha256,
        "format": data.format,
        "emotions": data.emotions,
        "notes": data.notes,
        "names": data.names,
        "counts": [len(split) for split in splits],
    }
    encoded = json.dumps(text).encode()
    encoded += b" " * (-len(encoded) % 8)  # the ids behind it are of 8 bytes each
    parts: list[bytes | memoryview] = [
        struct.pack("<I", len(encoded)),
        encoded,
        np.concatenate([split.ids for split in splits]).data,
        np.concatenate([split.images for split in splits]).data,
        np.concatenate([split.labels for split in splits]).data,
    ]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    key = _digest(encoded)
    with files.replacing(_place(key)) as temporary, temporary.open("wb") as file:
        file.writelines([struct.pack("<I", checksum), *parts])
    return key


def _place(key: str) -> Path:
    return cache_folder() / f"data-v{VERSION}" / f"{key}.bin"


def _memo(path: Path) -> Path:
    key = _digest(os.fsencode(path.resolve()))[:32]
    return cache_folder() / f"hashes-v{VERSION}" / f"{key}.txt"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
