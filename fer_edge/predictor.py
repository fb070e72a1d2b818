"""From paths to faces with emotions: opens the model and the detector once, walks the files.

The model's labels and scaling come from its manifest; a model without one cannot name emotions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.catalog import ModelFile, find_model
from fer_edge.contract import INPUT_SHAPE
from fer_edge.errors import DataError, ModelFormatError, OutputError
from fer_edge.faces import Detector, make_detector
from fer_edge.images import encode_image, find_images, read_image
from fer_edge.predict import Face, annotate, read_faces
from fer_edge.runtime import Interpreter
from fer_edge.video import is_video, read_frames


@dataclass(frozen=True)
class Picture:
    """One picture, or one frame of a film.

    Attributes:
        path: The file.
        image: uint8, (h, w, 3), BGR.
        frame: Index in the film; None for a picture.
        time_s: Position in the film; None for a picture.
    """

    path: Path
    image: NDArray[np.uint8]
    frame: int | None = None
    time_s: float | None = None


PictureFaces = tuple[Picture, list[Face]]


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Predictor:
    """A detector and a model, opened once.

    Attributes:
        emotions: The model's class names in label order.
        detector: What finds faces.
        interpreter: What reads them.
        unsure_below: The probability under which its answer is unsure; 0 for never.
    """

    emotions: tuple[str, ...]
    detector: Detector
    interpreter: Interpreter
    unsure_below: float = 0.0

    def read(self, image: NDArray[np.uint8]) -> list[Face]:
        """Returns the faces in a picture, uint8 (h, w, 3), BGR."""
        return read_faces(image, self.detector, self.classify, unsure_below=self.unsure_below)

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the probabilities, float32 (n, k), of gray face crops, uint8 (n, 48, 48)."""
        return self.interpreter.probabilities(crops[..., None])


def open_predictor(model: str, detector: str) -> Predictor:
    """Opens a model and a detector by name.

    Args:
        model: A shipped name, a run, an export folder or a `.tflite` file beside its manifest.
        detector: `haar`, `yunet:PATH` or `none`.

    Raises:
        ModelFormatError: The model is absent, damaged or nameless, or breaks the contract.
        ConfigError: There is no such detector.
    """
    file = model_file(model)
    if file.manifest is None:
        raise ModelFormatError(
            f"{file.path} has no manifest.json beside it that describes it, so nobody knows what "
            "its answers are called. Use a model that fer-edge export has made."
        )
    interpreter = Interpreter(file.read_bytes())
    described = file.manifest.files[file.path.name]
    if (interpreter.input, interpreter.output) != (described.input, described.output):
        raise ModelFormatError(
            f"{file.path} takes {interpreter.input} and answers {interpreter.output}; its manifest "
            f"says {described.input} and {described.output}. Export it again."
        )
    if interpreter.input.shape != INPUT_SHAPE:
        raise ModelFormatError(
            f"Expected a model that takes {INPUT_SHAPE}, found {interpreter.input.shape} in "
            f"{file.path}. What is for Android stays there: use the int8.tflite beside it."
        )
    manifest = file.manifest
    return Predictor(manifest.emotions, make_detector(detector), interpreter, manifest.unsure_below)


def walk_pictures(
    paths: Sequence[Path],
    *,
    every_s: float,
    strict: bool,
    skip: Callable[[Skipped], None],
) -> Iterator[Picture]:
    """Yields pictures and frames in order.

    Args:
        paths: Pictures, films, and folders of pictures.
        every_s: Seconds of a film from one frame to the next; 0 is every frame.
        strict: Raise at the first file that cannot be read instead of skipping it.
        skip: Told of each file that is skipped.

    Raises:
        DataError: Nothing could be read, or `strict` and a file cannot be read.
    """
    found = find_images(paths)
    if not found:
        raise DataError(
            f"There is no picture in {', '.join(map(str, paths))}. "
            "Expected JPEG, PNG, BMP or WebP files, films, or folders of pictures."
        )
    n_read = 0
    for path in found:
        try:
            for picture in _frames(path, every_s) if is_video(path) else _picture(path):
                n_read += 1
                yield picture
        except DataError as exc:
            # With nothing read, the last bad file of all is an error and not one to pass over.
            if strict or (not n_read and path == found[-1]):
                raise
            skip(Skipped(path, str(exc)))


class SavedCopies:
    """Annotated copies in a folder; names that would meet get a number."""

    def __init__(self, folder: Path, *, force: bool) -> None:
        """Checks the folder before any work.

        Raises:
            OutputError: The folder holds something and not `force`, or cannot be written.
        """
        files.refuse_existing(folder, force=force)
        if not files.is_writable_folder(folder):
            raise OutputError(f"Cannot write into {folder}. Choose a folder that you may write to.")
        self._folder, self._taken = folder, set[str]()

    def write(self, picture: Picture, faces: Sequence[Face], emotions: Sequence[str]) -> Path:
        """Writes a picture with its faces drawn in, and returns where."""
        stem = picture.path.stem
        stem += "" if picture.frame is None else f"-{picture.frame:06d}"
        name, number = stem, 1
        while name in self._taken:
            name, number = f"{stem}-{number}", number + 1
        self._taken.add(name)
        path = self._folder / f"{name}.jpg"
        if path.resolve() == picture.path.resolve():
            raise OutputError(f"{path} is the picture itself. Save the copies in another folder.")
        encoded = encode_image(annotate(picture.image, faces, emotions), ".jpg")
        files.write_bytes(path, encoded)
        return path


def read_pictures(
    predictor: Predictor, pictures: Iterable[Picture], copies: SavedCopies | None
) -> Iterator[PictureFaces]:
    """Yields each picture with its faces as it is done; writes annotated copies on the way."""
    for picture in pictures:
        faces = predictor.read(picture.image)
        if copies:
            copies.write(picture, faces, predictor.emotions)
        yield picture, faces


def model_file(name: str) -> ModelFile:
    """Returns the int8 file of a model, or the one file that was named."""
    model = find_model(name)
    return model.files[0] if len(model.files) == 1 else model.file("int8")


def _picture(path: Path) -> Iterator[Picture]:
    yield Picture(path, read_image(path))


def _frames(path: Path, every_s: float) -> Iterator[Picture]:
    """Yields a film's frames, `every_s` apart by their own clock."""
    due = 0.0
    for frame, time_s, image in read_frames(path):
        if time_s + 1e-6 >= due:
            due = time_s + every_s
            yield Picture(path, image, frame, time_s)
