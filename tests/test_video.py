"""Video frames from outside: what is read, and what is refused before it can do harm."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge import video
from fer_edge.errors import ConfigError, DataError
from tests.test_images import encoded


def frames(n: int) -> list[NDArray[np.uint8]]:
    return [np.full((48, 64, 3), 20 * i, np.uint8) for i in range(n)]


def y4m(n: int) -> bytes:
    planes = [cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes() for frame in frames(n)]
    header = b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n"
    return header + b"".join(b"FRAME\n" + plane for plane in planes)


def mjpeg(n: int) -> bytes:
    return b"".join(encoded("jpg", frame) for frame in frames(n))


@pytest.mark.parametrize(
    ("name", "content", "step_s"),
    [("clip.y4m", y4m(10), 0.1), ("clip.mjpeg", mjpeg(10), 0.04)],  # mjpeg has no clock: 25 Hz
)
@pytest.mark.parametrize("every", [1, 4])
def test_frames_come_with_index_and_time(
    name: str, content: bytes, step_s: float, every: int, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = list(video.read_frames(path, every=every))
    assert [index for index, _, _ in found] == list(range(0, 10, every))
    for index, time_s, frame in found:
        assert time_s == pytest.approx(index * step_s, abs=1e-6)
        assert frame.shape == (48, 64, 3)
        assert abs(float(frame.mean()) - 20 * index) < 3


@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "mp4v"), ("clip.avi", "MJPG")])
def test_written_videos_are_read_back(name: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / name
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV cannot write {codec}")
    for frame in frames(6):
        writer.write(frame)
    writer.release()
    found = list(video.read_frames(path, every=5))
    assert [(index, round(time_s, 3)) for index, time_s, _ in found] == [(0, 0.0), (5, 0.5)]
    assert abs(float(found[1][2].mean()) - 100) < 4


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("junk.mp4", b"no video " * 50, "Cannot open"),
        ("empty.mp4", b"", "Cannot open"),
        ("header.y4m", y4m(0), "no frame"),
        ("huge.y4m", y4m(1).replace(b"W64 H48", b"W16000 H16000"), "found 256,000,000|Cannot open"),
    ],
)
def test_what_is_no_video_is_refused(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        list(video.read_frames(path))
    assert str(path) in str(caught.value)


def test_addresses_and_missing_files_are_no_videos() -> None:
    for name in ("missing.mp4", "http://127.0.0.1:9/x.mp4", "0"):
        with pytest.raises(DataError, match="expected a file, found none"):
            next(video.read_frames(Path(name)))


def test_frames_refuse_a_step_of_zero(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every=0"):
        next(video.read_frames(tmp_path / "clip.y4m", every=0))


def test_videos_are_told_by_suffix() -> None:
    names = ["a.MP4", "a.y4m", "a.jpg", "mp4", "a.mp4.png"]
    assert [video.is_video(Path(name)) for name in names] == [True, True, False, False, False]
