"""The live loop: what is read, when, and what is told on the way; and that nothing grows."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.camera.capture import Camera, Retry
from fer_edge.camera.fanout import Outputs
from fer_edge.camera.frames import Frame, FrameRecord, Record, StatusRecord
from fer_edge.camera.loop import FrameReader, Loop, Pace
from fer_edge.camera.notify import Notifier
from fer_edge.data.sample import draw_scene
from fer_edge.errors import CameraGoneError, ConfigError
from fer_edge.faces import FaceBox
from fer_edge.predictor import Predictor, open_predictor
from tests.cameras import FakeCameras, fake_cameras
from tests.conftest import YUNET
from tests.load_script import load_script


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return open_predictor("nano", "none")


class Kept:
    """An output that keeps what it is given."""

    name = "kept"

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.images: list[NDArray[np.uint8] | None] = []

    def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:
        self.records.append(record)
        self.images.append(image)

    def close(self) -> None:
        pass

    @property
    def frames(self) -> list[FrameRecord]:
        return [record for record in self.records if isinstance(record, FrameRecord)]

    @property
    def events(self) -> list[str]:
        return [record.event for record in self.records if isinstance(record, StatusRecord)]


def no_words(_text: str) -> None:
    pass


def run(
    cameras: FakeCameras,
    predictor: Predictor,
    pace: Pace | None = None,
    *,
    retry: Retry | None = None,
    meanwhile: Callable[[threading.Event, Kept], None] | None = None,
) -> Kept:
    """Runs the loop on fake cameras; returns what an output got that shows images."""
    kept, ending = Kept(), threading.Event()
    with Camera(cameras, retry=retry or Retry(first_s=0.05)) as camera:
        loop = Loop(
            camera,
            FrameReader(predictor),
            Outputs([], with_images=[kept], say=no_words),
            pace=pace,
            stop=ending,
        )
        if meanwhile:
            threading.Thread(target=meanwhile, args=[ending, kept], daemon=True).start()
        try:
            loop.run()
        finally:
            cameras.release.set()
    return kept


def test_a_recording_is_read_whole(predictor: Predictor) -> None:
    kept = run(fake_cameras("ok*30 end", is_live=False, pace_s=0), predictor)
    assert [frame.frame for frame in kept.frames] == list(range(30))
    assert {frame.dropped for frame in kept.frames} == {0}
    assert kept.events == ["started", "stopping"]
    assert all(len(frame.faces) == 1 for frame in kept.frames)
    assert {(frame.width, frame.height) for frame in kept.frames} == {(64, 48)}
    assert all(image is not None for image in kept.images[1:-1])


@pytest.mark.parametrize(
    ("interval_s", "expected"),
    [(0.0, 30), (0.1, 30), (0.2, 15), (0.25, 12), (0.5, 6), (10.0, 1)],
)
def test_the_pace_is_of_the_films_own_time(
    interval_s: float, expected: int, predictor: Predictor
) -> None:
    """30 frames, a tenth of a second apart: of 0.1 to 3.0 s."""
    cameras = fake_cameras("ok*30 end", is_live=False, pace_s=0)
    frames = run(cameras, predictor, Pace(interval_s)).frames
    assert len(frames) == expected
    assert frames[-1].dropped == frames[-1].frame + 1 - expected


def test_it_ends_after_so_many_frames(predictor: Predictor) -> None:
    kept = run(fake_cameras("ok"), predictor, Pace(n_frames=7))
    assert len(kept.frames) == 7
    assert kept.frames[-1].dropped == kept.frames[-1].frame - 6


def test_a_fault_on_the_way_is_told_between_the_frames(predictor: Predictor) -> None:
    kept = run(fake_cameras("ok*5 raise", "ok"), predictor, Pace(n_frames=20))
    assert kept.events == ["started", "lost", "reopening", "back", "stopping"]
    assert isinstance(kept.records[-1], StatusRecord)
    assert "20 frames" in kept.records[-1].message


def test_it_gives_up_and_says_so_last(predictor: Predictor) -> None:
    kept = Kept()
    cameras = fake_cameras("ok*5 raise", "open-raise|")
    with Camera(cameras, retry=Retry(0.05, 0.1, give_up_after_s=0.5)) as camera:
        loop = Loop(camera, FrameReader(predictor), Outputs([kept], say=no_words))
        with pytest.raises(CameraGoneError):
            loop.run()
    assert kept.events[-2:] == ["gave-up", "stopping"]


def test_it_stops_while_the_camera_hangs(predictor: Predictor) -> None:
    def stop(ending: threading.Event, kept: Kept) -> None:
        while len(kept.frames) < 3:
            time.sleep(0.01)
        ending.set()

    started = time.monotonic()
    kept = run(fake_cameras("ok*3 stall"), predictor, meanwhile=stop)
    assert kept.events[-1] == "stopping"
    assert time.monotonic() - started < 20


def test_the_service_manager_hears_that_the_loop_turns(
    predictor: Predictor, tmp_path: Path
) -> None:
    """Also while the camera hangs: that is the camera's affair."""
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        cameras = fake_cameras("ok*3 stall")
        with Camera(cameras) as camera:
            outputs = Outputs([Kept()], say=no_words)
            notifier = Notifier(environment)
            ending = threading.Event()
            loop = Loop(camera, FrameReader(predictor), outputs, notifier=notifier, stop=ending)
            threading.Timer(1.0, ending.set).start()
            loop.run()
            cameras.release.set()
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(4096).decode())
    assert heard[0] == "READY=1"
    assert heard.count("WATCHDOG=1") >= 3
    assert heard[-1] == "STOPPING=1"
    assert "STATUS=1 face in sight" in heard
    assert any(text.startswith("STATUS=camera gives frames of") for text in heard)


@pytest.mark.parametrize("pace", [{"interval_s": float("inf")}, {"n_frames": -1}])
def test_a_pace_that_makes_no_sense(pace: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="from 0"):
        Pace(**pace)


def test_faces_are_looked_for_in_every_kth_frame_and_followed_between() -> None:
    scene = draw_scene(("happy",), np.random.default_rng(3), face_px=160)
    looks: list[int] = []

    class Counting:
        def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
            looks.append(1)
            return haar.detector.detect(image)

    haar = open_predictor("nano", "haar")
    predictor = Predictor(haar.emotions, Counting(), haar.interpreter, haar.unsure_below)
    reader = FrameReader(predictor, detect_every=3)
    records = [
        reader.read(Frame(scene.image, number, number / 30), is_live=False) for number in range(9)
    ]
    assert len(looks) == 3
    assert [record.latency.detect_ms is None for record in records] == [False, True, True] * 3
    assert [[face.id for face in record.faces] for record in records] == [[1]] * 9
    truth = haar.read(scene.image)[0]
    np.testing.assert_allclose(records[0].faces[0].probabilities, truth.probabilities, atol=1e-6)
    assert records[0].latency.total_ms >= records[0].latency.classify_ms > 0


def test_after_a_pause_faces_are_looked_for_again() -> None:
    scene = draw_scene(("happy",), np.random.default_rng(3), face_px=160)
    reader = FrameReader(open_predictor("nano", "haar"), detect_every=30)
    times_s = (0.0, 0.03, 9.0, 9.03)  # what was followed before is nobody's place any more
    looks = [
        reader.read(Frame(scene.image, n, time_s), is_live=False).latency.detect_ms is not None
        for n, time_s in enumerate(times_s)
    ]
    assert looks == [True, False, True, False]


def test_the_age_of_a_live_frame_counts(predictor: Predictor) -> None:
    now = [100.0]
    reader = FrameReader(predictor, clock=lambda: now[0])
    image = np.full((48, 64, 3), 90, np.uint8)
    record = reader.read(Frame(image, 0, 99.75), is_live=True, dropped=4)
    assert record.latency.total_ms == pytest.approx(250)
    assert record.dropped == 4
    assert reader.read(Frame(image, 1, 0.1), is_live=False).latency.total_ms == 0


def test_faces_cannot_be_looked_for_less_than_never(predictor: Predictor) -> None:
    with pytest.raises(ConfigError, match="every k-th, found 0"):
        FrameReader(predictor, detect_every=0)


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    return load_script("soak")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
def test_100_000_frames_leave_nothing_behind(soak: ModuleType, predictor: Predictor) -> None:
    found = soak.soak(predictor, 100_000, size=(64, 48), pace_s=2e-4)
    assert found.faults == []
    assert found.n_read == 100_000
    assert found.n_captured >= 100_000
    assert len(found.looks) == soak.N_LOOKS


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
@pytest.mark.skipif(not YUNET.exists(), reason=f"the detector is not here ({YUNET})")
def test_5_000_frames_with_a_detector_leave_nothing_behind(soak: ModuleType) -> None:
    found = soak.soak(open_predictor("small", f"yunet:{YUNET}"), 5_000, size=(640, 480))
    assert found.faults == []
    assert found.n_read == 5_000


def test_the_soak_sees_what_it_looks_for(soak: ModuleType) -> None:
    fine = soak.Soak(10, 12, 0, 1.0, 5 * 2**20, 0, 0, [])
    assert fine.faults == []
    leaky = soak.Soak(10, 12, 3, 1.0, 5 * 2**20 + 1, 1, 2, [])
    assert [fault.split()[0] for fault in leaky.faults] == ["memory", "1", "2", "3"]
