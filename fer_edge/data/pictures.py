"""Pictures in folders, or in archives of folders, as labelled faces."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.layout import Place, shown
from fer_edge.data.rows import Rows
from fer_edge.data.split import SPLIT_NAMES
from fer_edge.data.tree import Tree
from fer_edge.errors import DataError
from fer_edge.faces import Detector, NoDetector, crop_face
from fer_edge.images import decode_image
from fer_edge.lookahead import map_ahead

CHUNK = 64  # pictures that are decoded in one go, while the next ones are read
CHUNK_BYTES = 8 * 2**20  # where they are large, fewer
NAMED = 3  # of the files that were skipped, in a note


@dataclass(frozen=True)
class _Read:
    """One picture: its face, or why there is none; and the hash of its bytes."""

    name: str
    face: NDArray[np.uint8] | None
    fault: str
    sha256: bytes


def read_pictures(
    tree: Tree,
    places: Sequence[Place],
    *,
    source: str,
    detector: Detector | None = None,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> tuple[Rows, str]:
    """Returns the faces in a tree's pictures, and a SHA-256 of what they were made from.

    Args:
        tree: Where they are.
        places: Which, and what they mean.
        source: What to call the tree in messages.
        detector: Finds the face in photographs; the largest counts. None: pictures are crops.
        progress: Gets what is being done and the share that is done.

    Raises:
        DataError: No picture could be read.
    """
    find = detector or NoDetector()
    read: dict[str, _Read] = {}
    chunks = _chunks(tree.read([place.name for place in places]))
    for done in map_ahead(lambda chunk: [_read(*item, find) for item in chunk], chunks):
        read.update((one.name, one) for one in done)
        progress("reading pictures", len(read) / len(places))
    good = [place for place in places if place.name in read and read[place.name].face is not None]
    notes = _skipped(places, read)
    if not good:
        raise DataError(f"{source}: none of its {len(places)} pictures could be used. {notes[0]}.")
    digest = hashlib.sha256()
    for place in places:
        one = read.get(place.name)
        digest.update(place.name.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(one.sha256 if one else b"")
    rows = Rows(
        images=np.stack([_face(read[place.name]) for place in good]),
        labels=np.array([ALL_EMOTIONS.index(place.emotion) for place in good], np.uint8),
        splits=np.array([SPLIT_NAMES.index(p.split) if p.split else -1 for p in good], np.int8),
        names=tuple(place.name for place in good),
        notes=tuple(notes),
    )
    return rows, digest.hexdigest()


def _chunks(items: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    chunk: list[tuple[str, bytes]] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK or sum(len(content) for _, content in chunk) > CHUNK_BYTES:
            yield chunk
            chunk = []
    yield chunk


def _read(name: str, content: bytes, detector: Detector) -> _Read:
    sha256 = hashlib.sha256(content).digest()
    if not content:
        return _Read(name, None, "empty or cannot be read", sha256)
    try:
        image = decode_image(content, name)
    except DataError:
        return _Read(name, None, "damaged, too large or no picture", sha256)
    boxes = detector.detect(image)
    if not boxes:
        return _Read(name, None, "no face found", sha256)
    largest = max(boxes, key=lambda box: box.width * box.height)
    return _Read(name, crop_face(image, largest), "", sha256)


def _face(read: _Read) -> NDArray[np.uint8]:
    assert read.face is not None  # noqa: S101  (those without were left out)
    return read.face


def _skipped(places: Sequence[Place], read: dict[str, _Read]) -> list[str]:
    """Returns a note for each reason that pictures were skipped for."""
    faults = {
        place.name: read[place.name].fault if place.name in read else "missing from the archive"
        for place in places
    }
    counts = Counter(fault for fault in faults.values() if fault)
    notes = []
    for fault, n in counts.most_common():
        names = [shown(name) for name, own in faults.items() if own == fault][:NAMED]
        more = ", …" if n > NAMED else ""
        notes.append(f"{n} skipped, {fault}: {', '.join(names)}{more}")
    return notes
