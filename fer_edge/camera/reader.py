"""One opening of a source, read in a thread of its own until it ends, fails or is left behind.

Only this thread calls into the source, so only it can hang there.
"""

import math
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.frames import Source
from fer_edge.camera.health import FAULTS, Fault, Health, Limits, Verdict
from fer_edge.errors import CameraError, FerEdgeError

Outcome = FerEdgeError | Fault | Literal["end"]


@dataclass(frozen=True)
class Picture:
    """What a source gave.

    Attributes:
        image: uint8, (h, w, 3), BGR, unless the verdict says otherwise.
        position_s: In a recording that has positions.
        time_s: When it came, by the clock.
        verdict: What it says of the camera.
    """

    image: NDArray[np.uint8]
    position_s: float | None
    time_s: float
    verdict: Verdict


class Reader:
    """Opens a source, reads it and closes it.

    Its thread writes what it finds and calls `changed`; others read that, and call `leave`.

    Args:
        open_source: Opens the source.
        limits: What counts as a fault.
        clock: Seconds that never jump.
        take: Gets each picture, from the thread.
        changed: Is called, from the thread, when the source is open, at the end of reading, and
            at the end of the thread.

    Attributes:
        is_live: Whether the source is no recording; true until that is known.
        is_open: Whether the source could be opened.
        outcome: How reading ended, as soon as it has; the source may still hang in its `close`.
        well_since_s: When the first healthy frame came; infinite before.
        has_ended: Whether the source is closed, and nothing hangs any more.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        *,
        limits: Limits,
        clock: Callable[[], float],
        take: Callable[["Reader", Picture], None],
        changed: Callable[[], None],
    ) -> None:
        self.is_live = True
        self.is_open = False
        self.outcome: Outcome | None = None
        self.well_since_s = math.inf
        self.has_ended = False
        self._open_source = open_source
        self._limits = limits
        self._clock = clock
        self._take = take
        self._changed = changed
        self._began_s = clock()
        self._has_frames = False
        self._is_left = False
        self._health = Health(limits, is_live=True, start_s=self._began_s)
        self._thread = threading.Thread(target=self._run, name="camera-reader", daemon=True)

    @property
    def stalls_at(self) -> float:
        """The time at which it has stalled if nothing comes before; infinite for a recording."""
        return self._health.stalls_at

    @property
    def hopeless_at(self) -> float:
        """Likewise, at which to leave it: before the first frame, later than that it stalls."""
        if self._has_frames:
            return self.stalls_at
        return max(self.stalls_at, self._began_s + self._limits.open_s)

    def describe_stall(self, now_s: float) -> str:
        """Returns what it waits for, and for how long already."""
        what = "no frame came"
        if not self._has_frames:
            what = "no first frame came" if self.is_open else "it is still being opened"
        return f"{what} for {now_s - self.stalls_at + self._limits.stall_s:.1f} s"

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def leave(self) -> None:
        """Has the thread close the source and end, as soon as the call returns that it is in."""
        self._is_left = True

    def join(self, timeout_s: float) -> None:
        """Waits for the thread's end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with closing(self._open_source()) as source:
                self._note_open(source)
                # Noted before the source is closed, for that may hang.
                self._note(self._read(source))
        except FerEdgeError as exc:
            self._note(exc)
        finally:
            self.has_ended = True
            # What is no FerEdgeError is a defect of the source, and threading shows it.
            self._note(CameraError("The source broke off, by a defect of its own."))

    def _note_open(self, source: Source) -> None:
        self.is_live = source.is_live
        self._health = Health(self._limits, is_live=source.is_live, start_s=self._clock())
        self.is_open = True
        self._changed()

    def _note(self, outcome: Outcome | None) -> None:
        self.outcome = self.outcome or outcome
        self._changed()

    def _read(self, source: Source) -> Outcome | None:
        try:
            while not self._is_left:
                given = source.read()
                if given is None:
                    return "end"
                verdict = self._pass_on(*given)
                if verdict in FAULTS:
                    return verdict
        except FerEdgeError as exc:
            return exc
        return None

    def _pass_on(self, image: NDArray[np.uint8], position_s: float | None) -> Verdict:
        time_s = self._clock()
        verdict = self._health.judge(time_s, image)
        self._has_frames = True
        if verdict == "healthy":
            self.well_since_s = min(self.well_since_s, time_s)
        self._take(self, Picture(image, position_s, time_s, verdict))
        return verdict
