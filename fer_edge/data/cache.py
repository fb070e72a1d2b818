"""Parsed data sets, kept by the SHA-256 of what they were made from.

Hashing 300 MB takes longer than loading the result, so the hash is remembered by what the file
system tells of the files: where that has changed they are hashed, and so read, again.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from fer_edge import files
from fer_edge.data.rows import Sorted
from fer_edge.data.split import SPLIT_NAMES, Split
from fer_edge.errors import DataError, OutputError

VERSION = 2  # of the layout below and of how sources are read; another one is another folder


def cache_folder() -> Path:
    """Returns where caches live: FER_EDGE_CACHE, else `fer-edge` in the user's cache folder."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen)
    home = Path(os.environ.get("HOME") or tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "fer-edge"


def content_hash(path: Path) -> str:
    """Returns the SHA-256 of a file, remembered while its size and modification time stay."""
    signature = signature_of(path)
    if (known := remembered(path, signature)) is not None:
        return known
    sha256 = files.sha256_of(path)
    remember(path, signature, sha256)
    return sha256


def signature_of(path: Path) -> bytes:
    """Returns what changes when a file does, as far as can be told without reading it."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}".encode()


def remembered(path: Path, signature: bytes) -> str | None:
    """Returns the SHA-256 that was found when `path` had this signature; None when unknown."""
    try:
        known = json.loads(_memo(path).read_text())
        return str(known["sha256"]) if known["seen"] == _digest(signature) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no memo, or a damaged one


def remember(path: Path, signature: bytes, sha256: str) -> None:
    """Keeps what `path` hashed to when it had this signature."""
    memo = {"seen": _digest(signature), "sha256": sha256}
    with contextlib.suppress(OutputError):
        files.write_text(_memo(path), json.dumps(memo))


def load(sha256: str) -> Sorted | None:
    """Returns what is kept for a hash; None where there is nothing, or it is damaged."""
    folder = _folder(sha256)
    try:
        images, labels, ids, counts = (
            np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in ("images", "labels", "ids", "counts")
        )
        texts = json.loads((folder / "texts.json").read_text())
        bounds = np.concatenate([[0], np.cumsum(counts)])
        splits = {
            name: Split(images[start:stop], labels[start:stop], ids[start:stop])
            for name, start, stop in zip(SPLIT_NAMES, bounds, bounds[1:], strict=False)
        }
        emotions, notes, names = (tuple(texts[key]) for key in ("emotions", "notes", "names"))
        return Sorted(emotions, splits, notes, names, str(texts["format"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError, DataError):
        return None


def store(sha256: str, data: Sorted) -> None:
    """Keeps a data set for a hash. A cache that cannot be written is no error: it is only slower.

    Two processes may do so at once: each writes beside, and the later rename wins.
    """
    ordered = [data.splits[name] for name in SPLIT_NAMES]
    arrays = {
        "images": np.concatenate([split.images for split in ordered]),
        "labels": np.concatenate([split.labels for split in ordered]),
        "ids": np.concatenate([split.ids for split in ordered]),
        "counts": np.array([len(split) for split in ordered]),
    }
    texts = {
        "emotions": data.emotions,
        "notes": data.notes,
        "names": data.names,
        "format": data.format,
    }
    with contextlib.suppress(OutputError), files.replacing(_folder(sha256)) as folder:
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        (folder / "texts.json").write_text(json.dumps(texts))


def _folder(sha256: str) -> Path:
    return cache_folder() / f"data-v{VERSION}" / sha256


def _memo(path: Path) -> Path:
    key = _digest(os.fsencode(path.resolve()))[:32]
    return cache_folder() / f"hashes-v{VERSION}" / f"{key}.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
