"""A camera that is watched: read in a thread of its own, judged, and opened again when it fails.

Three threads: the loop's calls `next`, a `Reader` calls into the source and may hang there, and
the supervisor notices that and begins the next opening. A reader that was left behind is not
`_reader` any more, and what it still brings is not taken.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from fer_edge.camera.frames import Event, Frame, Source, StatusRecord
from fer_edge.camera.health import FAULTS, Limits
from fer_edge.camera.mailbox import Counts, Mailbox
from fer_edge.camera.reader import Outcome, Picture, Reader
from fer_edge.errors import CameraError, CameraGoneError, ConfigError, FerEdgeError

MAX_STUCK = 8
"""Readers that may hang at a time; no further opening is tried until one of them ends."""

_MAX_RECORDS = 256  # that wait to be drained; the oldest go first
_STEADY_S = 10.0  # of health after which the next fault counts as the first again
_START_S = 0.4  # that starting waits for the source
_STOP_S = 0.5  # that stopping waits for threads which are in a call
_LONGEST_WAIT_S = 3600.0  # threading takes no infinity


@dataclass(frozen=True)
class Retry:
    """How a live source that failed is opened again.

    Attributes:
        first_s: Pause before the first attempt; each further one is twice as long.
        longest_s: The longest pause.
        give_up_after_s: Without a healthy frame; then `Camera.next` raises. May be infinite.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    give_up_after_s: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s or not self.give_up_after_s > 0:
            raise ConfigError(f"Expected times over 0 s and longest_s >= first_s, found {self}.")


class Camera:
    """A source of frames that is opened again when it fails.

    A live source's newest frame waits in a box and gives way to a newer one; a recording waits
    until its frame is taken. Threads begin in `start` and end in `stop`; a `with` block does both.

    Args:
        open_source: Opens the source; called from threads that may be left behind in it.
        name: The source, for messages; without passwords.
        limits: What counts as a fault.
        retry: How the source is opened again.
        clock: Seconds that never jump.

    Attributes:
        n_refused: Pictures that were never passed on: garbage, or of a camera that had failed
            and has not yet shown that it is well.
        n_reopened: Attempts to open the source again.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        *,
        name: str = "camera",
        limits: Limits | None = None,
        retry: Retry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.n_refused = 0
        self.n_reopened = 0
        self._open_source = open_source
        self._limits = limits or Limits()
        self._retry = retry or Retry()
        self._clock = clock
        self._box = Mailbox()
        self._supervisor = threading.Thread(target=self._supervise, name="camera", daemon=True)
        # Notified of all but frames, which wait in the box. Its lock guards what follows, and is
        # taken before the box's.
        self._changed = threading.Condition()
        self._records: deque[StatusRecord] = deque(maxlen=_MAX_RECORDS)
        self._reader: Reader | None = None
        self._readers: list[Reader] = []  # with those that were left, while they live
        self._well_s = clock()  # when the last healthy frame came
        self._has_started = False
        self._is_live = True
        self._trouble = ""  # what is wrong, from its report on
        self._is_over = False
        self._has_ended = False  # as a recording does
        self._error: FerEdgeError | None = None

    def start(self) -> None:
        """Begins to open the source, and waits a moment for it; `next` waits for the rest.

        Raises:
            FerEdgeError: What the first opening raised in that moment, where it is no CameraError:
                waiting cannot mend it.
        """
        self._well_s = self._clock()
        self._supervisor.start()
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_over or self._trouble or (self._reader and self._reader.is_open),
                _START_S,
            )
        if self._error is not None:
            self.stop()
            raise self._error

    def next(self, timeout_s: float) -> Frame | None:
        """Returns the newest frame that was not yet taken, or None where none comes in time.

        Raises:
            CameraGoneError: No healthy frame came for as long as `retry` bears.
            FerEdgeError: A recording, or what a first opening gave, cannot be read.
        """
        return self._box.take(timeout_s)

    def drain(self) -> list[StatusRecord]:
        """Returns what happened since the last call, in order."""
        with self._changed:
            records = list(self._records)
            self._records.clear()
        return records

    @property
    def is_live(self) -> bool:
        """Whether the source is no recording; true until the first frame tells."""
        return self._is_live

    @property
    def is_finished(self) -> bool:
        """Whether a recording has ended and all its frames were taken."""
        return self._has_ended and self._box.is_empty

    @property
    def counts(self) -> Counts:
        """What became of the frames so far."""
        return self._box.counts

    def stop(self) -> None:
        """Ends the threads and lets go of the source, within two seconds; stuck ones are left."""
        with self._changed:
            self._end()
            readers = list(self._readers)
        deadline_s = time.monotonic() + _STOP_S
        if self._supervisor.ident is not None:
            self._supervisor.join(_STOP_S)
        for reader in readers:
            reader.join(max(0.0, deadline_s - time.monotonic()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # The supervisor's thread, which holds the lock but while it waits.

    def _supervise(self) -> None:
        pause_s = self._retry.first_s
        with self._changed:
            try:
                while not self._is_over:
                    reader = self._open()
                    self._watch(reader)
                    reader.leave()
                    self._reader = None
                    if self._well_s - reader.well_since_s >= _STEADY_S:
                        pause_s = self._retry.first_s
                    self._pause(pause_s)
                    pause_s = min(2 * pause_s, self._retry.longest_s)
            finally:  # nobody may wait for frames that cannot come any more
                self._end(CameraError(f"{self.name} is not watched any more, by a defect."))

    def _open(self) -> Reader:
        if self._trouble:
            self.n_reopened += 1
            self._report("reopening", f"{self.name} is opened again. Before: {self._trouble}.")
        reader = Reader(
            self._open_source,
            limits=self._limits,
            clock=self._clock,
            take=self._take,
            changed=self._notify,
        )
        self._reader = reader
        self._readers = [*self._stuck(), reader]
        reader.start()
        return reader

    def _watch(self, reader: Reader) -> None:
        """Returns when an opening has failed, or all is over."""
        while not self._is_over:
            if reader.outcome is not None:
                self._weigh(reader.outcome, is_live=reader.is_live)
                return
            now_s = self._clock()
            if now_s >= reader.stalls_at:
                self._report_trouble("stalled", reader.describe_stall(now_s))
                if now_s >= reader.hopeless_at:
                    return
            if reader.is_live:
                self._wait_until(reader.stalls_at, reader.hopeless_at)
            else:
                self._changed.wait()

    def _weigh(self, outcome: Outcome, *, is_live: bool) -> None:
        """Reports how an opening ended; where another cannot mend it, all is over."""
        if outcome == "end":
            self._has_ended = True
            self._end()
        elif not isinstance(outcome, FerEdgeError):
            self._report_trouble(outcome, FAULTS[outcome])
        elif is_live and (self._has_started or isinstance(outcome, CameraError)):
            self._report_trouble("lost", str(outcome).removesuffix("."))
        else:
            self._end(outcome)

    def _pause(self, pause_s: float) -> None:
        """Waits before another opening: the device is busy while an earlier one holds it."""
        earliest_s = self._clock() + pause_s
        latest_s = earliest_s + self._limits.stall_s
        while not self._is_over:
            now_s, n_stuck = self._clock(), len(self._stuck())
            if now_s >= (latest_s if n_stuck else earliest_s) and n_stuck < MAX_STUCK:
                return
            self._wait_until(earliest_s, latest_s)

    def _wait_until(self, *times_s: float) -> None:
        """Waits for a change, or the first of some times that is to come; may give up."""
        now_s = self._clock()
        give_up_s = self._well_s + self._retry.give_up_after_s
        if now_s >= give_up_s:
            self._give_up(now_s - self._well_s)
        else:
            waits = [at_s - now_s for at_s in (*times_s, give_up_s) if at_s > now_s]
            self._changed.wait(min(*waits, _LONGEST_WAIT_S))

    def _give_up(self, without_s: float) -> None:
        message = (
            f"{self.name} gave no healthy frame for {without_s:.1f} s: {self._trouble}. "
            "See that it is connected, powered and used by no other program, then start again."
        )
        self._report("gave-up", message)
        self._end(CameraGoneError(message))

    def _stuck(self) -> list[Reader]:
        """Returns the openings that have not let go of the source."""
        return [reader for reader in self._readers if not reader.has_ended]

    # Either thread's.

    def _take(self, reader: Reader, picture: Picture) -> None:
        """Gets what a reader read; called from its thread."""
        if not reader.is_live:
            self._box.wait_until_empty()
        with self._changed:
            if reader is not self._reader or self._is_over:
                return
            if picture.verdict in ("healthy", "" if self._trouble else "doubtful"):
                self._note_frame(picture)
                self._is_live = reader.is_live
                at_s = picture.time_s if reader.is_live else picture.position_s
                self._box.put(picture.image, at_s)
            else:
                self.n_refused += 1

    def _note_frame(self, picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        if not self._has_started:
            self._has_started = True
            self._report("started", f"{self.name} gives frames of {width} x {height}.")
        elif self._trouble:
            without_s = picture.time_s - self._well_s
            self._report("back", f"{self.name} gives frames again, after {without_s:.1f} s.")
        self._trouble = ""
        if picture.verdict == "healthy":
            self._well_s = picture.time_s

    def _report_trouble(self, event: Event, what: str) -> None:
        """Reports a fault, once until frames come again."""
        if not self._trouble:
            self._report(event, f"{self.name}: {what}.")
        self._trouble = what
        self._changed.notify_all()

    def _report(self, event: Event, message: str) -> None:
        self._records.append(StatusRecord(event, message))

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _end(self, error: FerEdgeError | None = None) -> None:
        self._error = error if not self._is_over else self._error
        self._is_over = True
        self._box.close(error)
        self._changed.notify_all()
