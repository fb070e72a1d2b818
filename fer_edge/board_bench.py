"""The live loop's speed on this board: where a frame's time goes, and what heat does to it.

A drawn face at 640 x 480 is found, cropped and read again and again as the live loop does it, with
OpenCV's own threads. Results of several boards go into one document.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge import files
from fer_edge.board import read_board, read_temperature_c, read_throttling
from fer_edge.camera.frames import Frame
from fer_edge.camera.loop import FrameReader
from fer_edge.coldstart import peak_memory_bytes
from fer_edge.data.sample import draw_scene
from fer_edge.errors import ConfigError, DataError
from fer_edge.faces import crop_face
from fer_edge.machine import describe_machine
from fer_edge.metrics import percentile
from fer_edge.predictor import Predictor

SCHEMA_VERSION = 1
KIND = "device-bench"
FACE_PX = 160
N_WARM_UP = 10
LOOK_EVERY_S = 1.0
STAGES = ("detect", "crop", "classify", "frame")


@dataclass(frozen=True)
class Look:
    """The board at a moment.

    Attributes:
        at_s: From the start.
        frames_per_s: Since the last look.
        temperature_c: Of the processor; None where nothing measures it.
        throttling: What slows it down now; None where nothing tells.
    """

    at_s: float
    frames_per_s: float
    temperature_c: float | None
    throttling: tuple[str, ...] | None


@dataclass(frozen=True)
class BoardBench:
    """What one model and detector came to on one board.

    Attributes:
        board: Its name, or the processor's.
        model: Name.
        model_sha256: Of the file.
        detector: `haar` or `yunet`.
        n_threads: That OpenCV may use; the model has one.
        delegate: What runs the model.
        n_faces: That were found in the picture.
        samples_ns: int64 samples by stage: `detect`; `classify`, crops and network; `frame`, all;
            and of `classify` the `crop` alone, done once more beside.
        frames_per_s: Of all frames' own time.
        peak_memory_bytes: Of the process.
        looks: On the way.
        machine: What it ran on.
    """

    board: str
    model: str
    model_sha256: str
    detector: str
    n_threads: int
    delegate: str
    n_faces: int
    samples_ns: dict[str, list[int]]
    frames_per_s: float
    peak_memory_bytes: int
    looks: list[Look]
    machine: dict[str, Any] = field(default_factory=dict)

    def percentile_ms(self, stage: str, p: float) -> float:
        """Returns a percentile of a stage's time."""
        return percentile(np.array(self.samples_ns[stage], np.float64), p) / 1e6

    @property
    def key(self) -> tuple[str, ...]:
        """What a later result replaces: one of the same board, system, file and runtime."""
        system = str(self.machine.get("system", ""))
        runs = (self.model, self.model_sha256, self.detector, self.delegate)
        return (self.board, system, *runs)


def measure_board(
    predictor: Predictor,
    *,
    model: str,
    model_sha256: str,
    detector: str,
    seconds: float,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> BoardBench:
    """Returns how fast frames are read on this machine.

    Args:
        predictor: The detector and the model.
        model: Its name.
        model_sha256: Of its file.
        detector: Its name.
        seconds: How long it is measured.
        progress: Told the share that is done.

    Raises:
        ConfigError: There is no time to measure in.
        DataError: The detector finds no face in the picture, so nothing would be measured.
    """
    if seconds <= 0:
        raise ConfigError(f"Expected to measure for over 0 seconds, found {seconds}.")
    image = draw_scene(("happy",), np.random.default_rng(3), face_px=FACE_PX).image
    reader = FrameReader(predictor)
    for number in range(N_WARM_UP):
        first = reader.read(Frame(image, number, number / 30), is_live=False)
    if not first.faces:
        raise DataError(
            f"The detector {detector} finds no face in the drawn picture that is measured with. "
            "Expected haar, or a YuNet by yunet:FILE."
        )
    samples: dict[str, list[int]] = {stage: [] for stage in STAGES}
    looks: list[Look] = []
    started = last = time.perf_counter()
    n_then = 0
    while (now := time.perf_counter()) - started < seconds or not samples["frame"]:
        n = len(samples["frame"])
        if now - last >= LOOK_EVERY_S:
            looks.append(_look(now - started, (n - n_then) / (now - last)))
            progress("measuring", (now - started) / seconds)
            last, n_then = time.perf_counter(), n
        _sample(reader, Frame(image, N_WARM_UP + n, (N_WARM_UP + n) / 30), samples)
    ended, n = time.perf_counter(), len(samples["frame"])
    looks.append(_look(ended - started, (n - n_then) / (ended - last)))
    return BoardBench(
        read_board() or str(describe_machine()["cpu"]),
        model,
        model_sha256,
        detector,
        cv2.getNumThreads(),
        predictor.interpreter.delegate,
        len(first.faces),
        samples,
        n / (sum(samples["frame"]) / 1e9),
        peak_memory_bytes(),
        looks,
        describe_machine(),
    )


def _sample(reader: FrameReader, frame: Frame, samples: dict[str, list[int]]) -> None:
    started = time.perf_counter_ns()
    record = reader.read(frame, is_live=False)
    ended = time.perf_counter_ns()
    for face in record.faces:
        crop_face(frame.image, face.box)
    samples["crop"].append(time.perf_counter_ns() - ended)
    samples["frame"].append(ended - started)
    samples["detect"].append(round(1e6 * (record.latency.detect_ms or 0.0)))
    samples["classify"].append(round(1e6 * record.latency.classify_ms))


def _look(at_s: float, frames_per_s: float) -> Look:
    throttling = read_throttling()
    return Look(at_s, frames_per_s, read_temperature_c(), throttling.now if throttling else None)


def read_results(path: Path) -> list[BoardBench]:
    """Returns the results in a document, none where there is no file.

    Raises:
        DataError: It is no such document.
    """
    if not path.exists():
        return []
    try:
        document = json.loads(path.read_text("utf-8"))
        if (document["schema_version"], document["kind"]) != (SCHEMA_VERSION, KIND):
            raise ValueError(f"{document['kind']} {document['schema_version']}")
        return [_result(entry) for entry in document["results"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise DataError(
            f"{path} holds no results of boards ({exc!r:.100}). Expected what bench --device "
            "--out wrote; choose another file."
        ) from exc


def add_result(path: Path, found: BoardBench) -> list[BoardBench]:
    """Writes a result beside those of other boards, models and detectors; returns them all.

    Raises:
        DataError: The file is there and is no such document.
        OutputError: It cannot be written.
    """
    kept = [result for result in read_results(path) if result.key != found.key]
    results = [*kept, found]
    files.write_text(path, to_json(results))
    return results


def to_json(results: list[BoardBench]) -> str:
    """Returns results as a versioned document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "results": list(map(asdict, results)),
    }
    return json.dumps(document, indent=1) + "\n"


def _result(entry: dict[str, Any]) -> BoardBench:
    for stage in STAGES:
        samples = entry["samples_ns"][stage]
        if not samples or not all(type(sample) is int for sample in samples):
            raise ValueError(f"no samples of {stage} in whole nanoseconds")
    looks = [
        Look(
            **{
                **look,
                "throttling": None if look["throttling"] is None else tuple(look["throttling"]),
            }
        )
        for look in entry["looks"]
    ]
    return BoardBench(**{**entry, "looks": looks})
