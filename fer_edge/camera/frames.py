"""What the parts of the live camera pass on: frames, faces that are followed, and records.

Two clocks: `time_s` is monotonic and decides, `at` is the wall's and is only written down.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.faces import FaceBox

Event = Literal[
    "started",  # the source gave its first frame
    "stalled",  # no frame in time, or the source is stuck in a call
    "lost",  # the source said that it cannot be read any more
    "black",  # all frames are black
    "frozen",  # all frames are the same, byte for byte
    "garbage",  # what comes is no picture, or one of another size
    "reopening",  # an attempt to open the source again begins
    "back",  # frames come again
    "gave-up",  # frames did not come again in time; the process ends
    "output-failed",  # an output does not take records; it is tried again
    "output-back",  # it takes them again
    "stopping",  # the loop ends as it was asked
]


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes:
        image: uint8, (h, w, 3), BGR, owned by whoever takes the frame.
        number: From 0; counts every frame that was captured, dropped ones too.
        time_s: When: by the monotonic clock where the source is live, else its position.
    """

    image: NDArray[np.uint8]
    number: int
    time_s: float


@dataclass(frozen=True)
class TrackedFace:
    """A face that is followed from frame to frame.

    Attributes:
        id: From 1; the same number is the same face, and no number comes twice.
        box: Where it is, smoothed.
        probabilities: float32, (k,), smoothed, in the order of the model's emotions.
        label: The index of the emotion that is shown: it stays until another is clearly surer.
        is_unsure: Whether its probability is too small for the model to be believed.
    """

    id: int
    box: FaceBox
    probabilities: NDArray[np.float32]
    label: int
    is_unsure: bool = False


@dataclass(frozen=True)
class Latency:
    """Milliseconds that one frame took.

    Attributes:
        detect_ms: To find faces; None where this frame only followed them.
        classify_ms: To crop and read all faces.
        total_ms: From the frame's capture to its record; of a recorded source, the work alone.
    """

    detect_ms: float | None
    classify_ms: float
    total_ms: float


def now() -> datetime:
    """Returns the wall's clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class FrameRecord:
    """What was read in one frame.

    Attributes:
        frame: Its number.
        time_s: Of the frame.
        width: Of the frame, in pixels.
        height: Likewise.
        faces: In the order of their ids.
        latency: What it took.
        dropped: Frames that were captured and never read, since the start.
        at: When this was written down.
    """

    frame: int
    time_s: float
    width: int
    height: int
    faces: tuple[TrackedFace, ...]
    latency: Latency
    dropped: int
    at: datetime = field(default_factory=now)


@dataclass(frozen=True)
class StatusRecord:
    """What happened to the camera or to an output, in words.

    Attributes:
        event: What.
        message: For people: what was expected, what was found, what is done about it.
        at: When.
    """

    event: Event
    message: str
    at: datetime = field(default_factory=now)


Record = FrameRecord | StatusRecord


class Source(Protocol):
    """An opened source of frames. Each call may hang; it is made from a thread of its own."""

    is_live: bool
    """Whether frames come by themselves, so that late ones are dropped; else each is waited for."""

    def read(self) -> tuple[NDArray[np.uint8], float | None] | None:
        """Returns the next frame, uint8 (h, w, 3) BGR, and its position in seconds if it has one.

        None is the end of a recording. A picture without pixels, (0, 0, 3), came and could not
        be decoded.

        Raises:
            CameraError: A live source cannot be read any more.
        """

    def close(self) -> None:
        """Lets go of the device."""


class Output(Protocol):
    """Where records go."""

    name: str
    """For status records: `mqtt mqtt://broker:1883/faces`."""

    def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:
        """Takes a record; with `image`, the frame as it came, where frames may leave the loop.

        Never blocks for longer than a write to a file or pipe takes.

        Raises:
            OutputError: It was not taken. The next record is tried all the same.
        """

    def close(self) -> None:
        """Sends what is left, within a second, and lets go. Raises nothing."""
