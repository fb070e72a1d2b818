"""A camera that is watched: what is delivered, what is noticed, and what is left behind."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fer_edge.camera import capture
from fer_edge.camera.capture import MAX_STUCK, Camera, Retry
from fer_edge.camera.frames import Frame
from fer_edge.camera.health import Limits
from fer_edge.camera.sources import open_source
from fer_edge.errors import CameraError, CameraGoneError, ConfigError, DataError
from tests.cameras import FakeCameras, fake_cameras, jpeg, mjpeg_server

LIMITS = Limits(stall_s=0.4, open_s=0.8, black_s=0.3, frozen_s=0.3, garbage_s=0.2)
RETRY = Retry(first_s=0.02, longest_s=0.1, give_up_after_s=60.0)
PATIENCE_S = 20.0  # of a machine that is busy; what is waited for comes far sooner


def camera_of(cameras: FakeCameras, *, limits: Limits = LIMITS, retry: Retry = RETRY) -> Camera:
    return Camera(cameras, name="The fake", limits=limits, retry=retry)


def frames_until(camera: Camera, is_enough: Callable[[], bool]) -> list[Frame]:
    """Takes frames until something holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    found = []
    while not is_enough():
        assert time.monotonic() < deadline_s
        if frame := camera.next(0.05):
            found.append(frame)
    return found


def take(camera: Camera, n: int) -> list[Frame]:
    """Takes so many frames."""
    enough = camera.counts.delivered + n
    return frames_until(camera, lambda: camera.counts.delivered >= enough)


class Log:
    """Collects the records of a camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._records: list[tuple[str, str]] = []

    def has(self, *events: str) -> bool:
        """Tells whether these are the first events."""
        return self.events[: len(events)] == list(events)

    @property
    def events(self) -> list[str]:
        self._records += [(record.event, record.message) for record in self._camera.drain()]
        return [event for event, _ in self._records]

    @property
    def messages(self) -> list[str]:
        return [message for _, message in self._records]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test all threads end that it began: those that were stuck too, once released."""
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + PATIENCE_S
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not left


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    camera = camera_of(fake_cameras("ok", pace_s=0.002))
    with camera:
        found = []
        for _ in range(10):
            time.sleep(0.03)
            frame = camera.next(PATIENCE_S)
            assert frame is not None
            found.append(frame)
    numbers = [frame.number for frame in found]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 20  # at 0.002 s a frame, most were dropped
    times = [frame.time_s for frame in found]
    assert times == sorted(set(times))
    assert abs(times[-1] - time.monotonic()) < PATIENCE_S
    counts = camera.counts
    waiting = camera.next(0)
    assert counts.delivered == 10
    assert counts.captured == 10 + counts.dropped + (waiting is not None)
    assert counts.dropped > 10


def test_each_number_is_a_frame_and_each_picture_is_new() -> None:
    camera = camera_of(fake_cameras("ok"))
    with camera:
        found = take(camera, 30)
    for frame in found:  # the n-th picture of the script has the level 32 + n
        assert int(frame.image[5, 5, 1]) == 32 + frame.number + 1
    assert len({id(frame.image) for frame in found}) == len(found)


def test_a_recording_waits_for_whoever_reads_it() -> None:
    cameras = fake_cameras("ok*40 end", is_live=False, pace_s=0)
    camera = camera_of(cameras)
    with camera:
        found = []
        while not camera.is_finished:
            time.sleep(0.01)
            if frame := camera.next(1.0):
                found.append(frame)
        assert [frame.number for frame in found] == list(range(40))
        assert [frame.time_s for frame in found] == [(n + 1) / 10 for n in range(40)]
        assert camera.counts.dropped == 0
        assert camera.next(1.0) is None
        frames_until(camera, lambda: cameras.closed == 1)
    assert [record.event for record in camera.drain()] == ["started"]


def test_a_recording_may_wait_longer_than_a_camera_may_stall() -> None:
    camera = camera_of(fake_cameras("ok*3 end", is_live=False), retry=Retry(give_up_after_s=0.5))
    with camera:
        time.sleep(1.0)
        assert len(frames_until(camera, lambda: camera.is_finished)) == 3


@pytest.mark.parametrize(
    ("script", "event", "says"),
    [
        ("ok*5 stall", "stalled", "no frame came for 0.[4-9] s"),
        ("ok*5 raise", "lost", "Opening 0 broke off"),
        ("ok*5 black", "black", "only black pictures"),
        ("ok*5 frozen", "frozen", "the same picture"),
        ("ok*5 wide", "garbage", "another size"),
        ("ok*5 garbage", "garbage", "no picture"),
        ("ok*5 none", "garbage", "no picture"),
        ("ok*5 float", "garbage", "no picture"),
        ("close-stall|ok*5 raise", "lost", "Opening 0 broke off"),
        ("close-stall|ok*5 black", "black", "only black pictures"),
        ("black", "black", "only black pictures"),
    ],
)
def test_a_fault_is_told_once_and_mended(script: str, event: str, says: str) -> None:
    cameras = fake_cameras(script, "ok")
    log = Log(camera := camera_of(cameras))
    with camera:
        frames_until(camera, lambda: log.has("started", event, "reopening", "back"))
        frame = take(camera, 20)[-1]
        cameras.release.set()
    assert log.events == ["started", event, "reopening", "back"]
    assert re.search(says, log.messages[1])
    assert re.search(says, log.messages[2])
    assert all("The fake" in message for message in log.messages)
    assert (frame.image[0, 0, 0], cameras.opened, camera.n_reopened) == (1, 2, 1)


@pytest.mark.parametrize(
    ("script", "event", "says"),
    [
        ("open-stall|ok", "stalled", "still being opened for 0.[4-9] s"),
        ("stall", "stalled", "no first frame came for 0.[4-9] s"),
        ("open-raise|ok", "lost", "Opening 0 failed"),
        ("raise", "lost", "Opening 0 broke off"),
        ("garbage", "garbage", "no picture"),
    ],
)
def test_a_camera_that_fails_before_its_first_frame(script: str, event: str, says: str) -> None:
    cameras = fake_cameras(script, "ok")
    log = Log(camera := camera_of(cameras))
    with camera:
        frames_until(camera, lambda: log.has(event, "reopening", "started"))
        cameras.release.set()
    assert log.events == [event, "reopening", "started"]
    assert re.search(says, log.messages[0])


def test_a_device_that_is_still_held_is_given_time() -> None:
    """While a close hangs, the next opening waits as long as a stall is borne."""
    cameras = fake_cameras("close-stall|ok*5 raise", "ok")
    log = Log(camera := camera_of(cameras))
    with camera:
        frames_until(camera, lambda: log.has("started", "lost"))
        lost_s = time.monotonic()
        frames_until(camera, lambda: log.has("started", "lost", "reopening", "back"))
        cameras.release.set()
    assert cameras.opened_at[1] - lost_s > LIMITS.stall_s - 0.1


def test_a_slow_opening_is_reported_and_waited_for() -> None:
    limits = Limits(stall_s=0.2, open_s=PATIENCE_S)
    cameras = fake_cameras("open-stall|ok")
    log = Log(camera := camera_of(cameras, limits=limits))
    with camera:  # `start` comes back all the same
        frames_until(camera, lambda: log.has("stalled"))
        cameras.release.set()
        frames_until(camera, lambda: log.has("stalled", "started"))
    assert (log.events, cameras.opened) == (["stalled", "started"], 1)


def test_the_limits_that_people_get_notice_a_stall_in_three_seconds() -> None:
    cameras = fake_cameras("ok*20 stall", "ok")
    log = Log(camera := Camera(cameras))
    with camera:
        last_s = 0.0
        while not log.has("started", "stalled"):
            if frame := camera.next(0.05):
                last_s = frame.time_s
        assert 1.9 < time.monotonic() - last_s < 3.0
        cameras.release.set()


@pytest.mark.parametrize("script", ["ok*3 garbage ok", "ok*3 none ok", "ok*3 wide ok"])
def test_one_bad_picture_is_left_out(script: str) -> None:
    cameras = fake_cameras(script)
    log = Log(camera := camera_of(cameras))
    with camera:
        found = take(camera, 20)
    assert {frame.image.shape for frame in found} == {(48, 64, 3)}
    assert (log.events, camera.n_refused, cameras.opened) == (["started"], 1, 1)


def test_another_size_is_taken_from_the_next_opening() -> None:
    log = Log(camera := camera_of(fake_cameras("ok*5 wide", "wide")))
    with camera:
        frames_until(camera, lambda: log.has("started", "garbage", "reopening", "back"))
        found = take(camera, 20)
    assert found[-1].image.shape == (48, 80, 3)


@pytest.mark.parametrize("script", ["black", "frozen", "garbage", "ok*1 stall"])
def test_a_fault_that_stays_is_not_taken_for_mended(script: str) -> None:
    """`ok*1 stall`: a first frame proves nothing after a fault; two that differ do."""
    cameras = fake_cameras("ok*5 raise", script)
    log = Log(camera := camera_of(cameras))
    with camera:
        found = frames_until(camera, lambda: cameras.opened >= 4)
        cameras.release.set()
    assert set(log.events) == {"started", "lost", "reopening"}
    assert log.events[:3] == ["started", "lost", "reopening"]
    assert {int(frame.image[0, 0, 0]) for frame in found} == {0}


def test_a_frame_of_an_opening_that_was_left_is_never_delivered() -> None:
    cameras = fake_cameras("ok*5 stall ok*50 end", "ok")
    log = Log(camera := camera_of(cameras))
    with camera:
        frames_until(camera, lambda: log.has("started", "stalled", "reopening", "back"))
        cameras.release.set()
        late = frames_until(camera, lambda: cameras.closed == 1)
        late += take(camera, 60)
    assert {int(frame.image[0, 0, 0]) for frame in late} == {1}
    assert not camera.is_finished  # the old one's end is not the camera's
    assert cameras.closed == 2


def test_pauses_grow_up_to_the_longest() -> None:
    cameras = fake_cameras("ok*3 raise")
    retry = Retry(first_s=0.1, longest_s=0.4)
    with camera_of(cameras, retry=retry) as camera:
        frames_until(camera, lambda: cameras.opened >= 6)
    pauses = np.diff(cameras.opened_at)
    assert all(pauses >= [0.1, 0.2, 0.4, 0.4, 0.4][: len(pauses)])
    assert pauses[0] < 5.0


def test_pauses_are_short_again_after_steady_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_STEADY_S", 0.1)
    cameras = fake_cameras("raise", "raise", "raise", "raise", "ok*100 raise", "ok")
    retry = Retry(first_s=0.1, longest_s=60.0)
    with camera_of(cameras, retry=retry) as camera:
        frames_until(camera, lambda: cameras.opened >= 6)
    pauses = np.subtract(cameras.opened_at[1:], cameras.closed_at[:5])
    assert pauses[3] >= 0.8
    assert pauses[4] < 1.6  # which it would be


def test_stuck_openings_are_bounded() -> None:
    cameras = fake_cameras(*["stall"] * MAX_STUCK, "ok")
    limits = Limits(stall_s=0.05, open_s=0.05)
    log = Log(camera := camera_of(cameras, limits=limits))
    with camera:
        frames_until(camera, lambda: cameras.opened == MAX_STUCK)
        time.sleep(0.5)
        assert cameras.opened == MAX_STUCK
        cameras.release.set()
        frames_until(camera, lambda: "started" in log.events)
    assert cameras.closed == cameras.opened == MAX_STUCK + 1


@pytest.mark.parametrize(
    "script", ["ok*5 raise", "ok*5 stall", "ok*5 black", "open-stall|ok", "open-raise|ok", "frozen"]
)
def test_waiting_ends(script: str) -> None:
    retry = Retry(first_s=0.02, longest_s=0.1, give_up_after_s=1.0)
    then = script if "open" in script else "open-raise|"
    cameras = fake_cameras(script, then)
    log = Log(camera := camera_of(cameras, retry=retry))
    with camera:
        start_s = time.monotonic()
        with pytest.raises(CameraGoneError, match=r"The fake gave no healthy frame for 1\.\d s"):
            frames_until(camera, lambda: False)
        assert time.monotonic() - start_s < PATIENCE_S
        with pytest.raises(CameraGoneError):
            camera.next(0)
        assert log.events[-1] == "gave-up"
        assert log.events.count("gave-up") == 1
        assert not camera.is_finished
        cameras.release.set()


def test_the_clock_that_is_given_decides() -> None:
    """Ten minutes pass at once on the camera's clock; nobody else's says so."""
    ahead = [0.0]
    cameras = fake_cameras("ok*5 stall", "open-raise|")
    camera = Camera(
        cameras,
        limits=LIMITS,
        retry=Retry(give_up_after_s=500.0),
        clock=lambda: time.monotonic() + ahead[0],
    )
    with camera:
        frames_until(camera, lambda: camera.counts.captured == 5)
        ahead[0] = 600.0
        with pytest.raises(CameraGoneError, match=r"for 60\d\.\d s"):
            frames_until(camera, lambda: False)
        cameras.release.set()


@pytest.mark.parametrize(
    ("script", "is_live", "error"),
    [("open-refuse|ok", True, ConfigError), ("open-refuse|ok", False, ConfigError)],
)
def test_what_waiting_cannot_mend_is_raised(
    script: str, is_live: bool, error: type[Exception]
) -> None:
    cameras = fake_cameras(script, is_live=is_live)
    camera = camera_of(cameras)
    with pytest.raises(error, match="Opening 0"):
        camera.start()
    with pytest.raises(error, match="Opening 0"):
        camera.next(0)
    assert cameras.opened == 1


def test_what_comes_later_may_be_mended_though() -> None:
    """A device that is plugged in again has not got its permissions yet."""
    log = Log(camera := camera_of(fake_cameras("ok*5 raise", "open-refuse|", "ok")))
    with camera:
        frames_until(camera, lambda: "back" in log.events)
    assert log.events == ["started", "lost", "reopening", "reopening", "back"]
    assert "Opening 1 is not allowed" in log.messages[3]


def test_a_recordings_frames_come_before_its_error() -> None:
    camera = camera_of(fake_cameras("ok*3 raise", is_live=False))
    with camera:
        assert len(take(camera, 3)) == 3
        with pytest.raises(CameraError, match="broke off"):
            camera.next(PATIENCE_S)


@pytest.mark.parametrize(
    ("script", "is_live"),
    [
        ("ok", True),
        ("ok", False),
        ("ok*3 end", True),
        ("ok*3 end", False),
        ("ok*3 stall", True),
        ("ok*3 stall", False),
        ("open-stall|ok", True),
        ("close-stall|ok", True),
        ("close-stall|ok*3 raise", True),
        ("ok*3 raise", True),
        ("black", True),
    ],
)
def test_it_stops_in_any_state(script: str, is_live: bool) -> None:
    cameras = fake_cameras(script, is_live=is_live)
    camera = camera_of(cameras, retry=Retry(first_s=30.0))
    camera.start()
    time.sleep(0.3)
    start_s = time.monotonic()
    camera.stop()
    assert time.monotonic() - start_s < 2.0
    while camera.next(PATIENCE_S):  # what waits may be taken, then nothing comes, at once
        pass
    assert time.monotonic() - start_s < PATIENCE_S
    cameras.release.set()


def test_a_camera_that_was_never_started_stops() -> None:
    cameras = fake_cameras("ok")
    camera = camera_of(cameras)
    camera.stop()
    assert (camera.next(0), cameras.opened) == (None, 0)


def test_whoever_waits_for_a_frame_is_woken_by_the_stop() -> None:
    cameras = fake_cameras("stall")
    camera = camera_of(cameras, limits=Limits(stall_s=60.0, open_s=60.0))
    with camera:
        waiting = threading.Thread(target=camera.next, args=[60.0])
        waiting.start()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    cameras.release.set()


@pytest.mark.parametrize("times", [{"first_s": 0.0}, {"first_s": 2.0, "longest_s": 1.0},
                                   {"give_up_after_s": 0.0}])  # fmt: skip
def test_retries_that_make_no_sense(times: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="found Retry"):
        Retry(**times)


def n_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("script", ["ok", "ok*5 drop", "ok*5 stall", "drop"])
def test_nothing_leaks(script: str) -> None:
    with mjpeg_server(script, pace_s=0.002) as server:
        before = 0
        for _ in range(4):
            with camera_of_url(server.url) as camera:
                deadline_s = time.monotonic() + 0.1
                frames_until(camera, lambda: time.monotonic() > deadline_s)  # noqa: B023
            server.release.set()
            wait_for(lambda: threading.active_count() == 2)
            before = before or n_descriptors()
        wait_for(lambda: n_descriptors() <= before)


def camera_of_url(url: str) -> Camera:
    return Camera(partial(open_source, url), name=url, limits=LIMITS, retry=RETRY)


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "event"),
    [
        ("ok*5 drop", "lost"),
        ("ok*5 stall", "stalled"),
        ("ok*5 drip", "stalled"),
        ("ok*5 huge", "lost"),
        ("ok*5 cut", "garbage"),
        ("ok*5 junk", "garbage"),
    ],
)
def test_a_network_camera_fails_and_comes_back(script: str, event: str) -> None:
    with mjpeg_server(script, "ok") as server:
        log = Log(camera := camera_of_url(server.url))
        with camera:
            frames_until(camera, lambda: log.has("started", event, "reopening", "back"))
            server.release.set()
    assert log.events[:4] == ["started", event, "reopening", "back"]


def test_a_damaged_picture_ends_a_folder(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(99)[: -400 if number == 2 else None])
    camera = Camera(partial(open_source, str(tmp_path)))
    with camera, pytest.raises(DataError, match=r"2\.jpg.*leave it out"):
        frames_until(camera, lambda: False)
    assert camera.counts.delivered == 2
