"""Data sets as people publish them: Kaggle's layouts, and the same files in folder, zip and tar."""

import io
import itertools
import lzma
import tarfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.fer2013 import read_fer2013
from fer_edge.data.formats import read_path
from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.rows import Found
from fer_edge.data.split import SPLIT_NAMES, Dataset, Source, Split, SplitName
from fer_edge.images import encode_image
from tests.conftest import csv_text

PHOTOGRAPHED = {"angry": "Angry", "fear": "Fear", "happy": "Happy", "sad": "Sad"} | {
    "surprise": "Suprise"
}


def read(path: Path, detect: str = "") -> Found:
    """Reads a data set as the command line does."""
    return read_path(path, detect=detect, progress=lambda _what, _share: None)


def real_rows(csv: Path, n_per_class: int = 60) -> Dataset:
    """Returns real rows of FER2013: of each emotion a tenth as validation and a tenth as test."""
    with lzma.open(csv) as packed:
        text = b"".join(itertools.islice(packed, 2001))  # 29 of them are disgust, the rarest
    rows = read_fer2013(lambda: io.BufferedReader(io.BytesIO(text)), "rows")
    numbers = np.full(len(rows.labels), -1)
    for label in range(7):
        mine = np.flatnonzero(rows.labels == label)[:n_per_class]
        numbers[mine] = np.resize([0, 0, 0, 1, 0, 0, 0, 2, 0, 0], len(mine))
    whole = Split(rows.images, rows.labels, np.arange(len(numbers)))
    splits = {name: whole.take(numbers == number) for number, name in enumerate(SPLIT_NAMES)}
    return Dataset(Source(str(csv)), "", ALL_EMOTIONS[:7], splits)


def write_fer2013_kaggle(folder: Path, dataset: Dataset) -> Path:
    """Writes ashishpatel26/facial-expression-recognitionferchallenge."""
    return write_tree(folder, {"fer2013/fer2013/fer2013.csv": csv_text(dataset).encode()})


def write_competition(folder: Path, dataset: Dataset) -> Path:
    """Writes challenges-in-representation-learning-facial-expression-recognition-challenge."""
    text = csv_text(dataset)
    rows = [line.split(",") for line in text.splitlines()[1:]]
    whole = [" Usage, pixels", *(f"{usage},{pixels}" for _, pixels, usage in rows)]
    labels = ["emotion", *(label for label, _, _ in rows)]
    train = [f'{label},"{pixels}"' for label, pixels, usage in rows if usage == "Training"]
    test = [f'"{pixels}"' for _, pixels, usage in rows if usage != "Training"]
    icml = "\n".join(f"{label},{rest}" for label, rest in zip(labels, whole, strict=True))
    write_tree(
        folder,
        {
            "icml_face_data.csv": icml.encode(),
            "train.csv": "\n".join(["emotion,pixels", *train]).encode(),
            "test.csv": "\n".join(["pixels", *test]).encode(),
        },
    )
    inner = {"fer2013/fer2013.csv": text.encode(), "fer2013/README": b"FER2013"}
    write_tar(folder / "fer2013.tar.gz", inner)
    return folder


def write_face_expression(folder: Path, dataset: Dataset) -> Path:
    """Writes jonathanoheix/face-expression-recognition-dataset, with its second copy."""
    once = _faces(dataset, {"train": "train", "validation": "validation"}, "{:05d}.jpg")
    return write_tree(
        folder,
        {
            f"{above}/{name}": content
            for above in ("images", "images/images")
            for name, content in once
        },
    )


def write_human_face_emotions(folder: Path, dataset: Dataset) -> Path:
    """Writes sanidhyak/human-face-emotions: photographs, wider than the face in their middle."""
    rng = np.random.default_rng(5)
    names = ("{} ({}).jpg", "{}-{}.JPG", "Screenshot {} {}.png", "{}_{}.jpeg")
    contents = {}
    splits = dataset.splits.values()
    pairs = [pair for split in splits for pair in zip(split.images, split.labels, strict=True)]
    for number, (image, label) in enumerate(pairs):
        emotion = dataset.emotions[label]
        if emotion in PHOTOGRAPHED:
            name = names[number % len(names)].format(emotion, number)
            suffix = Path(name).suffix.lower()
            contents[f"{PHOTOGRAPHED[emotion]}/{name}"] = encode_image(
                photograph(image, rng), suffix
            )
    return write_tree(folder, contents)


def write_fer2013_folders(folder: Path, dataset: Dataset) -> Path:
    """Writes msambare/fer2013: its test merges PublicTest and PrivateTest."""
    above: dict[SplitName, str] = {"train": "train", "validation": "test", "test": "test"}
    return write_tree(folder, dict(_faces(dataset, above, "PrivateTest_{:d}.jpg")))


def _faces(
    dataset: Dataset, above: Mapping[SplitName, str], name: str
) -> Iterable[tuple[str, bytes]]:
    return [
        (
            f"{above[split]}/{dataset.emotions[label]}/{name.format(number)}",
            encode_image(image, ".jpg"),
        )
        for split, part in dataset.splits.items()
        if split in above
        for image, label, number in zip(part.images, part.labels, part.ids, strict=True)
    ]


def photograph(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a face, uint8 (48, 48), as the middle of a colour picture, two to four times it."""
    side = int(rng.integers(96, 200))
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    blue, red = rng.uniform(0.9, 1.1, 2)
    green = (1 - 0.114 * blue - 0.299 * red) / 0.587  # keeps BT.601's gray
    wide = np.pad(large, ((0, 0), (side // 4, side // 4)), constant_values=90)
    colours = np.stack([wide * blue, wide * green, wide * red], axis=-1)
    return np.asarray(np.clip(colours, 0, 255), np.uint8)


def face(seed: int) -> NDArray[np.uint8]:
    """Returns noise for a face, uint8 (48, 48), another one for every seed."""
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)


def faces(*folders: str, n: int = 10, suffix: str = ".png", start: int = 0) -> dict[str, bytes]:
    """Returns `n` pictures for each folder, no two of all alike, by name."""
    numbers = itertools.count(start)
    return {
        f"{folder}/{k}{suffix}": encode_image(face(next(numbers)), suffix)
        for folder in folders
        for k in range(n)
    }


def write_tree(folder: Path, contents: Mapping[str, bytes]) -> Path:
    """Writes files by relative name; a name that ends in `/` is an empty folder."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content)
    return folder


def write_zip(path: Path, contents: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Path:
    """Writes a zip; names may come twice."""
    items = contents.items() if isinstance(contents, Mapping) else contents
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # duplicate names
        for name, content in items:
            archive.writestr(name, content)
    return path


def write_tar(
    path: Path,
    contents: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    extra: Iterable[tarfile.TarInfo] = (),
) -> Path:
    """Writes a tar, packed as its name says, and entries without contents behind."""
    items = contents.items() if isinstance(contents, Mapping) else contents
    packing = path.suffix.lstrip(".").replace("tgz", "gz")
    mode = f"w:{packing}" if packing in ("gz", "xz", "bz2") else "w"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in items:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(entry, io.BytesIO(content))
        for entry in extra:
            archive.addfile(entry)
    return path
