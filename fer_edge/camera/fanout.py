"""Every record to every output: one that fails is left out for a while, and the others hear of it.

Knows no kind of output. What one may say beside `OutputError` is here: that it has ended for good,
or that it keeps what it is given until it can pass it on.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.frames import Output, Record, StatusRecord
from fer_edge.errors import OutputError

CLOSING_S = 1.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class EndedError(OutputError):
    """Nobody reads this output any more, and nobody will."""


class WaitingError(OutputError):
    """The record was taken and cannot be passed on yet; the next ones are taken, too.

    Args:
        message: Why.
        n_lost: Records that did not fit while this has been going on.
    """

    def __init__(self, message: str, *, n_lost: int = 0) -> None:
        super().__init__(message)
        self.n_lost = n_lost


@dataclass
class _Lane:
    """One output and how it fares.

    Attributes:
        output: Where the records go.
        gets_images: Whether frames go there, too.
        is_failing: Whether its last record was not taken.
        is_ended: Whether it gets no more.
        n_lost: Records that it did not get since it began to fail.
        pause_s: How long it is left alone after the next failure.
        next_s: When it is tried again, by the fan-out's clock.
    """

    output: Output
    gets_images: bool
    is_failing: bool = False
    is_ended: bool = False
    n_lost: int = 0
    pause_s: float = FIRST_PAUSE_S
    next_s: float = 0.0


class Outputs:
    """All outputs as one.

    Args:
        outputs: Get records.
        with_images: Get records and frames; nobody else ever gets a frame.
        say: Told what happens to an output, in words.
        clock: Monotonic, in seconds.
    """

    name = "outputs"

    def __init__(
        self,
        outputs: Sequence[Output],
        *,
        with_images: Sequence[Output] = (),
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes = [
            *(_Lane(output, gets_images=False) for output in outputs),
            *(_Lane(output, gets_images=True) for output in with_images),
        ]
        self._say, self._clock = say, clock

    @property
    def takes_images(self) -> bool:
        """Whether a frame that is given goes anywhere."""
        return any(lane.gets_images and not lane.is_ended for lane in self._lanes)

    def has_ended(self, output: Output) -> bool:
        """Tells whether an output gets no more."""
        return any(lane.output is output and lane.is_ended for lane in self._lanes)

    @property
    def is_useless(self) -> bool:
        """Whether every output has ended, so that nobody would miss what is read from now on."""
        return all(lane.is_ended for lane in self._lanes)

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:
        """Gives a record to each output, and to the others what became of one of them.

        Args:
            record: What was read or what happened.
            image: The frame as it came, uint8 (h, w, 3) BGR, for those who get frames.
        """
        waiting: deque[tuple[Record, _Lane | None]] = deque([(record, None)])
        while waiting:
            record, about = waiting.popleft()
            for lane in self._lanes:
                if lane is about:
                    continue
                seen = image if lane.gets_images else None
                if (status := self._write(lane, record, seen)) is not None:
                    self._say(status.message)
                    waiting.append((status, lane if lane.is_failing else None))
            image = None  # a status has none

    def _write(
        self, lane: _Lane, record: Record, image: NDArray[np.uint8] | None
    ) -> StatusRecord | None:
        """Gives one output a record; returns what changed by it."""
        if lane.is_ended:
            return None
        is_last = isinstance(record, StatusRecord) and record.event == "stopping"
        if lane.is_failing and self._clock() < lane.next_s and not is_last:
            lane.n_lost += 1
            return None
        try:
            lane.output.write(record, image)
        except OutputError as exc:
            return self._fail(lane, exc)
        return _recover(lane)

    def _fail(self, lane: _Lane, exc: OutputError) -> StatusRecord | None:
        """Notes a failure; returns what to say of it, which is something once a spell."""
        is_news = not lane.is_failing
        lane.is_failing = True
        if isinstance(exc, EndedError):
            lane.is_ended = is_news = True
        elif isinstance(exc, WaitingError):
            lane.n_lost = exc.n_lost
        else:
            lane.n_lost += 1
            lane.next_s = self._clock() + lane.pause_s
            lane.pause_s = min(2 * lane.pause_s, LONGEST_PAUSE_S)
        return StatusRecord("output-failed", f"{lane.output.name}: {exc}") if is_news else None

    def close(self) -> None:
        """Closes all outputs beside one another; one that takes over a second is left behind.

        Says what did not get to those that are failing then.
        """
        for lane in self._lanes:
            if lane.is_failing and lane.n_lost:
                self._say(f"{lane.output.name}: {lane.n_lost} records did not get there.")
        threads = [threading.Thread(target=lane.output.close, daemon=True) for lane in self._lanes]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + CLOSING_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _recover(lane: _Lane) -> StatusRecord | None:
    """Notes that an output took a record; returns what to say if it had not before."""
    if not lane.is_failing:
        return None
    lost = f"{lane.n_lost} records did not get there" if lane.n_lost else "nothing was lost"
    lane.is_failing, lane.n_lost, lane.pause_s = False, 0, FIRST_PAUSE_S
    return StatusRecord("output-back", f"{lane.output.name} works again; {lost}.")
