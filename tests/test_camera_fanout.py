"""Every record to every output, and what is said when one of them fails."""

import threading
import time
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.camera.fanout import EndedError, Outputs, WaitingError
from fer_edge.camera.frames import Record, StatusRecord
from fer_edge.errors import OutputError
from tests.camera_records import face, frame, picture, status


class Shelf:
    """An output that keeps what it gets, and raises what it is told to raise instead."""

    def __init__(self, name: str, *raised: OutputError | None) -> None:
        self.name = name
        self.raised = list(raised)
        self.tries: list[Record] = []
        self.kept: list[Record] = []
        self.images: list[NDArray[np.uint8] | None] = []
        self.is_closed = False

    def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:
        self.tries.append(record)
        if self.raised and (exc := self.raised.pop(0)) is not None:
            raise exc
        self.kept.append(record)
        self.images.append(image)

    def close(self) -> None:
        self.is_closed = True


class Clock:
    """A clock that somebody turns."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def full() -> OutputError:
    return OutputError("No space left.")


def said_in(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(item.event, item.message) for item in records if isinstance(item, StatusRecord)]


FAILED = ("output-failed", "bad: No space left.")


def test_every_output_gets_every_record_and_few_get_frames() -> None:
    plain, seeing = Shelf("plain"), Shelf("seeing")
    outputs = Outputs([plain], with_images=[seeing], say=pytest.fail)
    records: list[Record] = [frame(face()), status()]
    image = picture()
    outputs.write(records[0], image)
    outputs.write(records[1])
    assert plain.kept == seeing.kept == records
    assert plain.images == [None, None]
    assert seeing.images[0] is image
    assert seeing.images[1] is None
    assert outputs.takes_images
    assert not Outputs([plain], say=pytest.fail).takes_images


def test_a_failure_is_said_once_to_the_others_and_so_is_its_end() -> None:
    bad, good, said, clock = Shelf("bad", full(), full()), Shelf("good"), list[str](), Clock()
    outputs = Outputs([bad, good], say=said.append, clock=clock)
    for clock.now_s in (0, 0.4, 0.5, 1.4, 1.5):  # tried at 0, after 0.5 s and after another 1 s
        outputs.write(frame())
    back = ("output-back", "bad works again; 4 records did not get there.")
    assert said_in(good.kept) == [FAILED, back]
    assert said_in(bad.kept) == [back]
    assert said == [FAILED[1], back[1]]
    assert len(bad.tries) == 4  # thrice a frame, then what became of itself
    assert len(good.kept) == 7


def test_the_last_word_is_tried_in_a_pause_and_no_status_has_an_image() -> None:
    bad, seeing = Shelf("bad", full()), Shelf("seeing")
    outputs = Outputs([bad], with_images=[seeing], say=lambda _: None, clock=Clock())
    outputs.write(frame(), picture())
    outputs.write(frame(), picture())
    stopping = status(event="stopping")
    outputs.write(stopping)
    assert bad.kept[0] is stopping
    assert said_in(seeing.kept)[0] == FAILED
    has_image = [image is not None for image in seeing.images]
    assert has_image == [not isinstance(record, StatusRecord) for record in seeing.kept]


def test_the_pauses_grow_to_half_a_minute_and_begin_anew() -> None:
    bad, clock, tried = Shelf("bad", *[full() for _ in range(9)]), Clock(), []
    outputs = Outputs([bad], say=lambda _: None, clock=clock)
    for clock.now_s in np.arange(0, 130, 0.25).tolist():
        before = len(bad.tries)
        outputs.write(frame())
        tried += [clock.now_s] * (before < 10 and before < len(bad.tries))
    assert np.diff(tried).tolist()[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    bad.raised = [full()]
    clock.now_s = 200.0
    outputs.write(frame())
    n_tries = len(bad.tries)
    clock.now_s = 200.5
    outputs.write(frame())
    assert len(bad.tries) > n_tries


def test_who_waits_is_given_everything() -> None:
    waits = [WaitingError("no broker", n_lost=n) for n in (0, 0, 7)]
    bad, good, said = Shelf("bad", *waits), Shelf("good"), list[str]()
    outputs = Outputs([bad, good], say=said.append, clock=Clock())
    for _ in range(4):
        outputs.write(frame())
    assert [type(record).__name__ for record in bad.tries] == ["FrameRecord"] * 4 + ["StatusRecord"]
    assert said == ["bad: no broker", "bad works again; 7 records did not get there."]
    assert len(said_in(good.kept)) == 2


def test_nothing_was_lost_by_waiting() -> None:
    said: list[str] = []
    outputs = Outputs([Shelf("bad", WaitingError("no broker"))], say=said.append)
    outputs.write(frame())
    outputs.write(frame())
    assert said == ["bad: no broker", "bad works again; nothing was lost."]


def test_what_has_ended_is_left_alone() -> None:
    bad, good = Shelf("bad", full(), EndedError("Gone.")), Shelf("good")
    said, clock = list[str](), Clock()
    outputs = Outputs([bad, good], say=said.append, clock=clock)
    for clock.now_s in range(0, 100, 10):
        outputs.write(frame())
    assert len(bad.tries) == 2
    assert said == ["bad: No space left.", "bad: Gone."]
    assert said_in(good.kept) == [FAILED, ("output-failed", "bad: Gone.")]
    assert not outputs.is_useless


def test_useless_once_all_have_ended() -> None:
    seeing = Shelf("seeing", None, EndedError("Gone."))
    outputs = Outputs([Shelf("bad", EndedError("Gone."))], with_images=[seeing], say=lambda _: None)
    assert not outputs.is_useless
    outputs.write(frame(), picture())  # the first ends, and the second is told, which ends it, too
    assert outputs.is_useless
    assert not outputs.takes_images


def test_an_output_that_fails_when_told_of_another() -> None:
    one, two, three = Shelf("one", full()), Shelf("two", None, full()), Shelf("three")
    outputs = Outputs([one, two, three], say=lambda _: None, clock=Clock())
    outputs.write(frame())
    assert [message for _, message in said_in(three.kept)] == [
        "one: No space left.",
        "two: No space left.",
    ]


def test_an_error_of_ours_is_not_hidden() -> None:
    class Broken(Shelf):
        def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:
            raise KeyError(record, image)

    with pytest.raises(KeyError):
        Outputs([Broken("broken")], say=pytest.fail).write(frame())


def test_closing_waits_two_seconds_for_all_together() -> None:
    release = threading.Event()

    class Slow(Shelf):
        def close(self) -> None:
            release.wait(30)

    good = Shelf("good")
    outputs = Outputs([Slow("a"), Slow("b"), Slow("c"), good], say=pytest.fail)
    before = time.monotonic()
    outputs.close()
    took_s = time.monotonic() - before
    release.set()
    assert good.is_closed
    assert took_s < 5  # one after the other would be six at least
