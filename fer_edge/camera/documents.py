"""Records as documents: lines of strict JSON and rows of CSV. Knows neither files nor the network.

`camera.schema.json` beside it is the JSON Schema of a line; `SCHEMA` names its version.
"""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fer_edge.camera.frames import FrameRecord, Record, StatusRecord, TrackedFace

SCHEMA = "fer-edge.camera/1"
SCHEMA_FILE = Path(__file__).with_name("camera.schema.json")
Document = dict[str, Any]
Cell = str | int | float | None

_FRAME_COLUMNS = ("timestamp", "time_s", "frame", "width", "height")
_FACE_COLUMNS = ("face", "x", "y", "w", "h", "emotion", "unsure")
_COST_COLUMNS = ("detect_ms", "classify_ms", "total_ms", "dropped")


def to_document(record: Record, emotions: Sequence[str]) -> Document:
    """Returns a record as a document of the schema.

    Args:
        record: What was read or what happened.
        emotions: The model's class names in label order.
    """
    if isinstance(record, StatusRecord):
        return status_document(record.event, record.message, record.at)
    return {
        "schema": SCHEMA,
        "type": "frame",
        "timestamp": _timestamp(record.at),
        "time_s": _rounded(record.time_s, 3),
        "frame": record.frame,
        "width": record.width,
        "height": record.height,
        "faces": [_face_document(face, emotions) for face in record.faces],
        "latency_ms": _latencies(record),
        "dropped": record.dropped,
    }


def status_document(event: str, message: str, at: datetime) -> Document:
    """Returns what happened as a document; events of outputs are no records: `online`."""
    return {
        "schema": SCHEMA,
        "type": "status",
        "timestamp": _timestamp(at),
        "event": event,
        # A path may hold bytes that are no text; JSON for strict readers may not.
        "message": message.encode("utf-8", "replace").decode(),
    }


def to_json(document: Document) -> str:
    """Returns a document as one line of strict JSON: ASCII, without NaN, without a newline."""
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def csv_header(emotions: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the columns."""
    probabilities = tuple(f"p_{emotion}" for emotion in emotions)
    return (*_FRAME_COLUMNS, *_FACE_COLUMNS, *probabilities, *_COST_COLUMNS)


def csv_rows(record: FrameRecord, emotions: Sequence[str]) -> list[list[Cell]]:
    """Returns a row a face, in the order of `csv_header`.

    A frame without faces gives one row whose cells of the face are empty: so a table tells that
    nobody was there from that nobody looked.
    """
    document = to_document(record, emotions)
    frame = [document[column] for column in _FRAME_COLUMNS]
    cost = [*document["latency_ms"].values(), document["dropped"]]
    faces = [_face_cells(face) for face in document["faces"]]
    nobody: list[Cell] = [None] * (len(_FACE_COLUMNS) + len(emotions))
    return [[*frame, *face, *cost] for face in faces or [nobody]]


def shown(record: FrameRecord) -> tuple[tuple[int, int, bool], ...]:
    """Returns what people see change: each face's id, label, and whether it is unsure."""
    return tuple((face.id, face.label, face.is_unsure) for face in record.faces)


def _face_document(face: TrackedFace, emotions: Sequence[str]) -> Document:
    box = face.box
    return {
        "id": face.id,
        "box": [_rounded(side, 1) for side in (box.x, box.y, box.width, box.height)],
        "emotion": emotions[face.label],
        "unsure": face.is_unsure,
        "probabilities": {
            emotion: _rounded(float(probability), 4)
            for emotion, probability in zip(emotions, face.probabilities, strict=True)
        },
    }


def _face_cells(face: Document) -> list[Cell]:
    probabilities = face["probabilities"].values()
    return [face["id"], *face["box"], face["emotion"], int(face["unsure"]), *probabilities]


def _latencies(record: FrameRecord) -> dict[str, float | None]:
    latency = record.latency
    return {
        "detect": None if latency.detect_ms is None else _rounded(latency.detect_ms, 2),
        "classify": _rounded(latency.classify_ms, 2),
        "total": _rounded(latency.total_ms, 2),
    }


def _rounded(number: float, digits: int) -> float | None:
    """Returns a rounded number, None for one that JSON has no word for."""
    return round(number, digits) + 0.0 if math.isfinite(number) else None  # no -0.0


def _timestamp(at: datetime) -> str:
    """Returns a time as ISO 8601 in UTC: `2026-11-22T09:42:29.125Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
