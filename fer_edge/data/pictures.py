"""Pictures in folders, or in archives of folders, as labelled faces."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.layout import Layout, Place
from fer_edge.data.rows import Rows
from fer_edge.data.split import SPLIT_NAMES
from fer_edge.data.tree import MAX_PICTURE_BYTES, Tree, shown
from fer_edge.errors import DataError
from fer_edge.faces import Detector, NoDetector, crop_face
from fer_edge.images import decode_image
from fer_edge.lookahead import map_ahead

CHUNK = 64  # pictures that are decoded in one go, while the next ones are read
CHUNK_BYTES = 8 * 2**20  # where they are large, fewer


@dataclass(frozen=True)
class _Seen:
    """What was found in a picture: a face, uint8 (48, 48), or why there is none."""

    sha256: bytes
    face: NDArray[np.uint8] | None = None
    fault: str = ""


_NOT_READ = {
    True: _Seen(bytes(32), fault=f"over {MAX_PICTURE_BYTES // 2**20} MiB"),
    False: _Seen(bytes(32), fault="gone while the others were read"),
}


def read_pictures(
    tree: Tree,
    layout: Layout,
    *,
    source: str,
    detector: Detector | None = None,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> tuple[Rows, str]:
    """Returns the faces in a tree's pictures, and a SHA-256 of what they were made from.

    Args:
        tree: Where they are.
        layout: Which, and what they mean.
        source: What to call the tree in messages.
        detector: Finds the face in photographs; the largest counts. None: pictures are crops.
        progress: Gets what is being done and the share that is done.

    Raises:
        DataError: No picture could be read.
    """
    seen = _read_all(tree, layout, detector or NoDetector(), progress)
    places, again = _without_copies(layout, seen)
    skipped = _skipped(places, seen)
    faces = [face for place in places if (face := seen[place.name].face) is not None]
    good = [place for place in places if seen[place.name].face is not None]
    if not good:
        raise DataError(
            f"{source}: none of its {len(places)} pictures could be used. {skipped[0]}."
        )
    digest = hashlib.sha256()
    for place in places:
        digest.update(place.name.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(seen[place.name].sha256)
    gone = {place.emotion for place in places} - {place.emotion for place in good}
    lost = [f"no picture of {emotion} could be used" for emotion in sorted(gone)]
    rows = Rows(
        images=np.stack(faces),
        labels=np.array([ALL_EMOTIONS.index(place.emotion) for place in good], np.uint8),
        splits=np.array([SPLIT_NAMES.index(p.split) if p.split else -1 for p in good], np.int8),
        names=tuple(place.name for place in good),
        notes=(*again, *skipped, *lost),
    )
    return rows, digest.hexdigest()


def _read_all(
    tree: Tree, layout: Layout, detector: Detector, progress: Callable[[str, float], None]
) -> dict[str, _Seen]:
    """Returns what is in each picture, by name; equal ones are decoded once."""
    by_content: dict[bytes, _Seen] = {}

    def look(content: bytes) -> _Seen:
        sha256 = hashlib.sha256(content).digest()
        if sha256 not in by_content:
            by_content[sha256] = _look(content, sha256, detector)
        return by_content[sha256]

    small = {p.name: tree.sizes[p.name] <= MAX_PICTURE_BYTES for p in layout.places}
    seen = {name: _NOT_READ[not is_small] for name, is_small in small.items()}
    chunks = _chunks(tree.read([name for name, is_small in small.items() if is_small]))
    n_done = 0
    with map_ahead(lambda chunk: [(name, look(data)) for name, data in chunk], chunks) as looked_at:
        for done in looked_at:
            seen.update(done)
            n_done += len(done)
            progress("reading pictures", n_done / len(small))
    return seen


def _chunks(items: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    chunk: list[tuple[str, bytes]] = []
    n_bytes = 0
    for name, content in items:
        chunk.append((name, content))
        n_bytes += len(content)
        if len(chunk) == CHUNK or n_bytes > CHUNK_BYTES:
            yield chunk
            chunk, n_bytes = [], 0
    yield chunk


def _look(content: bytes, sha256: bytes, detector: Detector) -> _Seen:
    """Returns the largest face in a picture."""
    if not content:
        return _Seen(sha256, fault="empty or cannot be read")
    try:
        image = decode_image(content, "a picture")
    except DataError:
        return _Seen(sha256, fault="damaged, too large or no picture")
    boxes = detector.detect(image)
    if not boxes:
        return _Seen(sha256, fault="no face found")
    largest = max(boxes, key=lambda box: box.width * box.height)
    return _Seen(sha256, crop_face(image, largest))


def _without_copies(layout: Layout, seen: dict[str, _Seen]) -> tuple[list[Place], list[str]]:
    """Returns the places without second copies of the tree inside itself, and a note for them."""
    copies = {
        name: original
        for name, original in layout.namesakes.items()
        if seen[name].sha256 == seen[original].sha256
    }
    places = [place for place in layout.places if place.name not in copies]
    if not copies:
        return places, []
    name, original = next(iter(copies.items()))
    note = f"{len(copies)} pictures stand there twice, such as {shown(name)}: they count once"
    return places, [f"{note}, as {shown(original)}"]


def _skipped(places: list[Place], seen: dict[str, _Seen]) -> list[str]:
    """Returns a note for each reason that pictures were skipped for, the commonest first."""
    names: dict[str, list[str]] = defaultdict(list)
    for place in places:
        if fault := seen[place.name].fault:
            names[fault].append(place.name)
    reasons = sorted(names.items(), key=lambda item: -len(item[1]))
    return [f"{len(own)} skipped, {fault}: {shown(*own)}" for fault, own in reasons]
