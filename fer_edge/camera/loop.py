"""The live loop: the newest frame, its faces, a record to the outputs; again, for months.

Everything is built once, before the first frame. The loop waits for frames in short slices and
for nothing else; in every round the service manager is told that it turns.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from fer_edge.camera.capture import Camera
from fer_edge.camera.fanout import Outputs
from fer_edge.camera.frames import Frame, FrameRecord, Latency, StatusRecord
from fer_edge.camera.notify import Notifier
from fer_edge.camera.smoothing import SMOOTHING_S, EmotionSmoother, read_tracks
from fer_edge.camera.tracking import Tracker
from fer_edge.errors import ConfigError
from fer_edge.predictor import Predictor

SLICE_S = 0.25
"""The longest that the loop waits at a time: how soon it sees that it is to stop."""

_EARLY_S = 1e-3  # that a frame may be before its time: a film's clock counts in milliseconds


@dataclass(frozen=True)
class Pace:
    """How much is read.

    Attributes:
        interval_s: From one frame that is read to the next; 0 for as fast as it goes.
        n_frames: After which the loop ends; 0 for never.
    """

    interval_s: float = 0.0
    n_frames: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.interval_s < math.inf or self.n_frames < 0:
            raise ConfigError(f"Expected an interval and a number of frames from 0, found {self}.")


@dataclass(frozen=True)
class Summary:
    """What a loop did.

    Attributes:
        n_read: Frames.
        n_captured: Frames that the source gave.
        n_dropped: Of these, frames that were never read: a newer one was there first, or the pace
            left them out.
        elapsed_s: From the loop's start to its end.
    """

    n_read: int
    n_captured: int
    n_dropped: int
    elapsed_s: float


class FrameReader:
    """From a frame to its record: faces found or followed, read, and smoothed over time.

    Args:
        predictor: The detector and the model.
        detect_every: Frames from one in which faces are looked for to the next; 1 for each.
        smoothing_s: Time constant of the probabilities; 0 for none.
        clock: Monotonic, in seconds; the one that live frames carry.

    Raises:
        ConfigError: A number is out of range.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        detect_every: int = 1,
        smoothing_s: float = SMOOTHING_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if detect_every < 1:
            raise ConfigError(
                f"Expected faces to be looked for in every frame (1) or every k-th, "
                f"found {detect_every}."
            )
        self._predictor, self._clock = predictor, clock
        self._detect_every, self._until_detection = detect_every, 0
        self._tracker = Tracker()
        self._smoother = EmotionSmoother(
            unsure_below=predictor.unsure_below, smoothing_s=smoothing_s
        )

    def read(self, frame: Frame, *, is_live: bool, dropped: int = 0) -> FrameRecord:
        """Returns what is seen in a frame.

        Args:
            frame: The next of its source.
            is_live: Whether `frame.time_s` is of this reader's clock.
            dropped: Frames that were never read, up to now.
        """
        started = self._clock()
        detect_ms = None
        if self._until_detection == 0 or self._tracker.is_stale(frame.time_s):
            self._until_detection = self._detect_every
            boxes = self._predictor.detector.detect(frame.image)
            detect_ms = 1000 * (self._clock() - started)
            tracks = self._tracker.update(boxes, frame.time_s)
        else:
            tracks = self._tracker.coast(frame.time_s)
        self._until_detection -= 1
        classify_from = self._clock()
        answers = read_tracks(frame.image, tracks, self._predictor.classify)
        ended = self._clock()
        faces = self._smoother.update(tracks, answers, frame.time_s)
        total_s = ended - (frame.time_s if is_live else started)
        latency = Latency(detect_ms, 1000 * (ended - classify_from), 1000 * total_s)
        height, width = frame.image.shape[:2]
        return FrameRecord(frame.number, frame.time_s, width, height, faces, latency, dropped)


class Loop:
    """Reads a camera until it ends or is told to.

    Args:
        camera: Started.
        reader: What reads its frames.
        outputs: Where records go.
        pace: How much is read.
        notifier: The service manager.
        stop: Set from elsewhere, it ends the loop.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        camera: Camera,
        reader: FrameReader,
        outputs: Outputs,
        *,
        pace: Pace | None = None,
        notifier: Notifier | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._camera, self._reader, self._outputs = camera, reader, outputs
        self._pace, self._clock = pace or Pace(), clock
        self._notifier = notifier or Notifier()
        self._stop = stop or threading.Event()
        self._n_read = 0
        self._due_s = -math.inf

    def run(self) -> Summary:
        """Reads frames until the source or the outputs end, enough were read, or `stop` is set.

        Raises:
            CameraGoneError: No healthy frame came for too long.
            FerEdgeError: A recording cannot be read.
        """
        started = self._clock()
        self._notifier.say("READY=1")
        try:
            while not self._is_done():
                self._notifier.beat()
                frame = self._camera.next(SLICE_S)
                self._pass_on()
                if frame and self._is_due(frame):
                    self._read(frame)
        finally:
            self._notifier.say("STOPPING=1")
            self._pass_on()
            self._outputs.write(StatusRecord("stopping", f"{self._n_read} frames were read."))
        n_captured = self._camera.counts.captured
        elapsed_s = self._clock() - started
        return Summary(self._n_read, n_captured, n_captured - self._n_read, elapsed_s)

    def _is_done(self) -> bool:
        return (
            self._stop.is_set()
            or self._outputs.is_useless
            or self._camera.is_finished
            or 0 < self._pace.n_frames <= self._n_read
        )

    def _is_due(self, frame: Frame) -> bool:
        """Tells whether a frame is to be read, by its own clock: of a recording, its position."""
        if frame.time_s + _EARLY_S < self._due_s:
            return False
        following_s = self._due_s + self._pace.interval_s  # so that what is late does not add up
        is_late = following_s <= frame.time_s
        self._due_s = frame.time_s + self._pace.interval_s if is_late else following_s
        return True

    def _read(self, frame: Frame) -> None:
        dropped = frame.number - self._n_read
        record = self._reader.read(frame, is_live=self._camera.is_live, dropped=dropped)
        self._n_read += 1
        self._outputs.write(record, frame.image)
        if self._camera.is_live:
            n = len(record.faces)
            self._notifier.show(f"{n} {'face' if n == 1 else 'faces'} in sight")

    def _pass_on(self) -> None:
        """Gives to the outputs what the camera has to say of itself."""
        for status in self._camera.drain():
            self._notifier.show(status.message)
            self._outputs.write(status)
