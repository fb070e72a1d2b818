"""Parsed data sets, kept by the SHA-256 of the file they came from.

Hashing 300 MB takes longer than loading the result, so the hash of a file is remembered by its
path, size and modification time: a file that changed is hashed, and so parsed, again.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fer_edge import files
from fer_edge.data.split import SPLIT_NAMES, Split, SplitName
from fer_edge.errors import DataError, OutputError

VERSION = 1  # of the layout below; another version is another folder


def cache_folder() -> Path:
    """Returns where caches live: FER_EDGE_CACHE, else `fer-edge` in the user's cache folder."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen)
    home = Path(os.environ.get("HOME") or tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "fer-edge"


def content_hash(path: Path) -> str:
    """Returns the SHA-256 of a file, remembered while its size and modification time stay."""
    stat = path.stat()
    seen = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    memo = cache_folder() / "hashes" / f"{_key(path)}.json"
    try:
        known = json.loads(memo.read_text())
        if known["seen"] == seen:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no memo, or a damaged one: hash the file
    sha256 = files.sha256_of(path)
    _try_write(memo, json.dumps({"seen": seen, "sha256": sha256}).encode())
    return sha256


def load(sha256: str) -> dict[SplitName, Split] | None:
    """Returns the splits kept for a hash; None where there are none, or they are damaged."""
    folder = _folder(sha256)
    try:
        images = np.load(folder / "images.npy", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        ids = np.load(folder / "ids.npy", allow_pickle=False)
        counts = np.load(folder / "counts.npy", allow_pickle=False)
        bounds = np.concatenate([[0], np.cumsum(counts)])
        return {
            name: Split(images[start:stop], labels[start:stop], ids[start:stop])
            for name, start, stop in zip(SPLIT_NAMES, bounds, bounds[1:], strict=False)
        }
    except (OSError, ValueError, EOFError, DataError):
        return None


def store(sha256: str, splits: Mapping[SplitName, Split]) -> None:
    """Keeps splits for a hash. A cache that cannot be written is no error: it is only slower."""
    ordered = [splits[name] for name in SPLIT_NAMES]
    arrays = {
        "images": np.concatenate([split.images for split in ordered]),
        "labels": np.concatenate([split.labels for split in ordered]),
        "ids": np.concatenate([split.ids for split in ordered]),
        "counts": np.array([len(split) for split in ordered]),
    }
    with contextlib.suppress(OutputError), files.replacing(_folder(sha256)) as folder:
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)


def _folder(sha256: str) -> Path:
    return cache_folder() / f"data-v{VERSION}" / sha256


def _key(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]


def _try_write(path: Path, content: bytes) -> None:
    with contextlib.suppress(OutputError):
        files.write_bytes(path, content)
