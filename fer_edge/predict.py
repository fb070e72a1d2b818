"""Faces and their emotions in one picture. Knows neither files nor what runs the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.faces import Detector, FaceBox, crop_face

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Gray face crops, uint8 (n, 48, 48), to probabilities, float32 (n, k)."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE_COLOUR = (80, 200, 255)  # BGR, as all colours here
_LABEL_COLOUR = (40, 34, 30)
_TEXT_COLOUR = (255, 255, 255)


@dataclass(frozen=True)
class Face:
    """One face and what the model says of it.

    Attributes:
        box: Where it is.
        probabilities: float32, (k,), in the order of the model's emotions.
        label: The index of the largest probability.
        is_unsure: Whether that probability is too small for the model to be believed.
    """

    box: FaceBox
    probabilities: NDArray[np.float32]
    label: int
    is_unsure: bool = False


def read_faces(
    image: NDArray[np.uint8],
    detector: Detector,
    classify: Classify,
    *,
    unsure_below: float = 0.0,
) -> list[Face]:
    """Returns the faces in a picture, in the detector's order: from left to right.

    Args:
        image: uint8, (h, w, 3), BGR.
        detector: What finds them.
        classify: What reads them; called once, and not at all where there are none.
        unsure_below: The largest probability under which a face is unsure.
    """
    boxes = detector.detect(image)
    if not boxes:
        return []
    probabilities = classify(np.stack([crop_face(image, box) for box in boxes]))
    return [
        Face(box, row, int(row.argmax()), float(row.max()) < unsure_below)
        for box, row in zip(boxes, probabilities, strict=True)
    ]


def annotate(
    image: NDArray[np.uint8], faces: Sequence[Face], emotions: Sequence[str]
) -> NDArray[np.uint8]:
    """Returns a copy of a picture with each face's box, emotion and percentage.

    A face that is unsure gets a question mark: `sad? 41%`.

    Args:
        image: uint8, (h, w, 3), BGR; left as it is.
        faces: What to draw, over one another in this order.
        emotions: The model's class names in label order.
    """
    drawn = image.copy()
    for face in faces:
        _draw_box(drawn, face.box)
    for face in faces:  # labels last, so that no box crosses one
        _draw_label(drawn, face.box, _caption(face, emotions))
    return drawn


def _caption(face: Face, emotions: Sequence[str]) -> str:
    doubt = "?" if face.is_unsure else ""
    return f"{emotions[face.label]}{doubt} {100 * float(face.probabilities[face.label]):.0f}%"


def _line_width(image: NDArray[np.uint8]) -> int:
    longer = int(max(image.shape[:2]))
    return max(1, round(longer / 400))


def _corner(image: NDArray[np.uint8], x: float, y: float) -> tuple[int, int]:
    """Returns the pixel of a picture that is nearest to a point."""
    height, width = image.shape[:2]
    # Bounded before it is rounded: a sum of two coordinates may be infinite.
    return round(min(max(x, 0), width - 1)), round(min(max(y, 0), height - 1))


def _draw_box(image: NDArray[np.uint8], box: FaceBox) -> None:
    start = _corner(image, box.x, box.y)
    end = _corner(image, box.x + box.width - 1, box.y + box.height - 1)
    cv2.rectangle(image, start, end, _LINE_COLOUR, _line_width(image))


def _draw_label(image: NDArray[np.uint8], box: FaceBox, text: str) -> None:
    """Writes above a box; where the picture ends, moves in until the label is whole."""
    scale, weight = _font_for(image, box, text)
    (text_width, text_height), descent = cv2.getTextSize(text, _FONT, scale, weight)
    pad = max(1, text_height // 3)
    label_width, label_height = text_width + 2 * pad, text_height + descent + 2 * pad
    width = image.shape[1]
    left, top = _corner(image, box.x, box.y)
    left = max(0, min(left, width - label_width))
    top = max(0, top - label_height)
    end = (left + label_width - 1, top + label_height - 1)
    cv2.rectangle(image, (left, top), end, _LABEL_COLOUR, cv2.FILLED)
    baseline = (left + pad, top + pad + text_height)
    cv2.putText(image, text, baseline, _FONT, scale, _TEXT_COLOUR, weight, cv2.LINE_AA)


def _font_for(image: NDArray[np.uint8], box: FaceBox, text: str) -> tuple[float, int]:
    """Returns the font's scale and weight.

    Letters grow with the face between 1.4% and 3% of the picture's longer side, are at least
    10 px tall so that they can be read, and small enough that the label fits the picture.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    wanted = max(10.0, min(max(0.09 * box.width, 0.014 * longer), 0.03 * longer))
    (unit_width, unit_height), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
    fitting = min(0.9 * width / unit_width, 0.4 * height / unit_height)
    scale = min(wanted / unit_height, fitting)
    return scale, max(1, round(1.6 * scale))
