"""Records of a made-up camera, two of them as documents, and the schema of every document."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.documents import SCHEMA_FILE
from fer_edge.camera.frames import Event, FrameRecord, Latency, StatusRecord, TrackedFace
from fer_edge.faces import FaceBox

AT = datetime(2026, 11, 22, 9, 42, 29, 125400, UTC)
EMOTIONS = ("sad", "happy")


def face(number: int = 1, happy: float = 0.75, *, is_unsure: bool = False) -> TrackedFace:
    probabilities = np.array([1 - happy, happy], np.float32)
    box = FaceBox(10.04, -0.04, 31.26, 31.26, 1.0)
    return TrackedFace(number, box, probabilities, 1, is_unsure)


def frame(*faces: TrackedFace, number: int = 7, time_s: float = 12.34567) -> FrameRecord:
    at = AT + timedelta(seconds=time_s - 12.34567)
    return FrameRecord(number, time_s, 64, 48, faces, Latency(8.3141, 0.6, 31.4), 2, at)


def status(message: str = "no frame for 5 s", event: Event = "stalled") -> StatusRecord:
    return StatusRecord(event, message, AT)


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 90, np.uint8)


FRAME_LINE = (
    '{"schema":"fer-edge.camera/1","type":"frame","timestamp":"2026-11-22T09:42:29.125Z",'
    '"time_s":12.346,"frame":7,"width":64,"height":48,"faces":[{"id":1,"box":[10.0,0.0,31.3,31.3],'
    '"emotion":"happy","unsure":false,"probabilities":{"sad":0.25,"happy":0.75}}],'
    '"latency_ms":{"detect":8.31,"classify":0.6,"total":31.4},"dropped":2}'
)
STATUS_LINE = (
    '{"schema":"fer-edge.camera/1","type":"status","timestamp":"2026-11-22T09:42:29.125Z",'
    '"event":"stalled","message":"no frame for 5 s"}'
)


def check(document: Any, schema: Mapping[str, Any] | None = None) -> None:
    """Raises ValueError for a document that the published schema does not allow.

    As much of JSON Schema as that schema uses; what is not known here is refused.
    """
    whole = json.loads(SCHEMA_FILE.read_text())
    found = list(_faults(document, whole if schema is None else schema, whole, "document"))
    if found:
        raise ValueError(found)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
LIMITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value is None or value >= limit,
    "maximum": lambda value, limit: value is None or value <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "minProperties": lambda value, limit: len(value) >= limit,
    "pattern": lambda value, limit: re.search(limit, value) is not None,
    "const": lambda value, limit: value == limit,
    "enum": lambda value, limit: value in limit,
    "required": lambda value, limit: set(limit) <= set(value),
}
SAYS_NOTHING = {"$schema", "$id", "$defs", "title", "description"}


def _faults(value: Any, schema: Mapping[str, Any], whole: Any, where: str) -> Iterator[str]:
    known = {"$ref", "oneOf", "type", "properties", "additionalProperties", "items"}
    assert set(schema) <= known | set(LIMITS) | SAYS_NOTHING
    if "$ref" in schema:
        yield from _faults(value, whole["$defs"][schema["$ref"].split("/")[-1]], whole, where)
    if "oneOf" in schema:
        choices = [list(_faults(value, choice, whole, where)) for choice in schema["oneOf"]]
        if sum(not faults for faults in choices) != 1:
            yield f"{where}: none or several of {choices}"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(TYPES[kind](value) for kind in kinds):
        yield f"{where}: {value!r} is no {kinds}"
        return
    yield from (
        f"{where}: {value!r} is not {name} {schema[name]}"
        for name, holds in LIMITS.items()
        if name in schema and not holds(value, schema[name])
    )
    for name, item in value.items() if isinstance(value, dict) else ():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
        yield from _faults(item, inner, whole, f"{where}.{name}")
    for item in value if isinstance(value, list) else ():
        yield from _faults(item, schema.get("items", {}), whole, f"{where}[]")
