"""What people read while the camera runs: one line that stays, or lines in a log. Plain text."""

import contextlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.documents import shown
from fer_edge.camera.frames import FrameRecord, Record, StatusRecord, TrackedFace
from fer_edge.camera.lines import LineStream
from fer_edge.errors import OutputError

TERMINAL_EVERY_S = 0.1  # numbers that change faster cannot be read
LOG_EVERY_S = 1.0
RATE_OVER_S = 2.0
ERASE_LINE = "\r\x1b[K"


class Terminal:
    """A line on faces, speed and drops: at each change of what is shown, and now and then.

    On a terminal it is one line that is written over; in a file or pipe it is many.

    Args:
        stream: For text; nobody closes it here.
        emotions: The model's class names in label order.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        emotions: Sequence[str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = "terminal"
        self._lines = LineStream(stream, "the terminal's lines")
        self._emotions, self._clock = emotions, clock
        self._is_terminal = stream.isatty()
        self._every_s = TERMINAL_EVERY_S if self._is_terminal else LOG_EVERY_S
        self._shown: object = None
        self._shown_s = 0.0
        self._ends_within_line = False
        self._times: deque[float] = deque()

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:  # noqa: ARG002
        """Writes a line if it is time for one.

        Raises:
            EndedError: Nobody reads the stream any more.
            OutputError: It was not written.
        """
        if isinstance(record, StatusRecord):
            self._write_whole(f"{record.event}: {record.message}")
            return
        now_s = self._clock()
        frames_per_s = self._rate(now_s)
        if not self._is_due(record, now_s):
            return
        line = describe(record, self._emotions, frames_per_s)
        if self._is_terminal:
            self._write_over(line)
        else:
            self._write_whole(line)

    def close(self) -> None:
        """Leaves the cursor on a line of its own."""
        if self._ends_within_line:
            with contextlib.suppress(OutputError):
                self._lines.write("\n")
            self._ends_within_line = False

    def _is_due(self, record: FrameRecord, now_s: float) -> bool:
        now = shown(record)
        if now == self._shown and now_s - self._shown_s < self._every_s:
            return False
        self._shown, self._shown_s = now, now_s
        return True

    def _rate(self, now_s: float) -> float:
        """Returns the records a second over the last two; 0 for the first."""
        self._times.append(now_s)
        while now_s - self._times[0] > RATE_OVER_S:
            self._times.popleft()
        seconds = now_s - self._times[0]
        return (len(self._times) - 1) / seconds if seconds else 0.0

    def _write_whole(self, line: str) -> None:
        before = ERASE_LINE if self._ends_within_line else ""
        self._lines.write(f"{before}{_plain(line)}\n")
        self._ends_within_line = False

    def _write_over(self, line: str) -> None:
        # One column stays free: some terminals wrap a full line.
        room = max(10, shutil.get_terminal_size().columns - 1)
        self._lines.write(f"{ERASE_LINE}{_plain(line)[:room]}")
        self._ends_within_line = True


def describe(record: FrameRecord, emotions: Sequence[str], frames_per_s: float) -> str:
    """Returns a frame in a line: `25.0 fps   31 ms  0 dropped | #1 happy 87%  #2 sad? 41%`."""
    faces = "  ".join(_describe_face(face, emotions) for face in record.faces) or "no face"
    speed = f"{frames_per_s:4.1f} fps {record.latency.total_ms:4.0f} ms"
    return f"{speed}  {record.dropped} dropped | {faces}"


def _describe_face(face: TrackedFace, emotions: Sequence[str]) -> str:
    doubt = "?" if face.is_unsure else ""
    percent = 100 * float(face.probabilities[face.label])
    return f"#{face.id} {emotions[face.label]}{doubt} {percent:.0f}%"


def _plain(text: str) -> str:
    """Returns text that cannot steer a terminal: names and messages may come from outside."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
