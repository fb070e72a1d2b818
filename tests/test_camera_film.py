"""The camera's video file: what is drawn, how fast it runs, and what is left when it goes wrong."""

import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.camera.film import RESERVE_BYTES, VideoFile, draw_faces
from fer_edge.errors import ConfigError, OutputError
from tests.camera_records import EMOTIONS, face, frame, picture, status

ROOT = Path(__file__).parents[1]


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1].astype(np.uint8))
    capture.release()
    return found


def test_faces_are_drawn_with_their_numbers() -> None:
    before = picture(240, 320)
    one, two = (draw_faces(before, [face(n)], EMOTIONS) for n in (1, 2))
    assert (before == 90).all()
    assert (one != 90).any()
    assert (one != two).any()
    assert (draw_faces(before, [], EMOTIONS) == before).all()


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_video_of_the_frames(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    output = VideoFile(path, 10, EMOTIONS)
    assert not path.exists()
    for number in range(10):
        output.write(frame(face(), time_s=5 + number / 10), picture(240, 320))
        output.write(status(), None)
        output.write(frame(face()), None)
    output.close()
    output.close()
    found = frames_of(path)
    assert len(found) == 10
    expected = draw_faces(picture(240, 320), [face()], EMOTIONS).astype(int)
    drawn = np.abs(expected - 90).max(axis=2) > 60
    assert drawn.sum() > 300
    # Both codecs blur colours of thin lines; without the box the first would be over 60.
    assert np.abs(found[5].mean(axis=2) - expected.mean(axis=2))[drawn].mean() < 20
    assert np.abs(found[5].mean(axis=2) - 90)[~drawn].mean() < 5


@pytest.mark.parametrize(
    ("times", "n"),
    [
        ([0, 0.1, 0.2], 3),
        ([0, 0.2, 0.4], 5),  # slower: each second one is repeated
        ([0, 0.05, 0.1, 0.15, 0.2], 3),  # faster: some are left out
        ([0, 0.09, 0.21, 0.3], 4),  # trembling
        ([0, 100, 100.1], 22),  # of a gap two seconds stay
        ([50, 0, 0.1], 3),  # a recording that was opened again
    ],
)
def test_a_video_is_as_fast_as_what_it_shows(times: list[float], n: int, tmp_path: Path) -> None:
    output = VideoFile(tmp_path / "out.avi", 10, EMOTIONS)
    for time_s in times:
        output.write(frame(time_s=time_s), picture())
    output.close()
    assert len(frames_of(tmp_path / "out.avi")) == n


def test_frames_of_another_size_are_fitted(tmp_path: Path) -> None:
    output = VideoFile(tmp_path / "out.avi", 10, EMOTIONS)
    for number, shape in enumerate([(48, 64), (480, 320)]):
        output.write(frame(time_s=number / 10), np.full((*shape, 3), 200, np.uint8))
    output.close()
    first, second = frames_of(tmp_path / "out.avi")
    assert first.shape == second.shape == (48, 64, 3)
    lit = second.mean(axis=(0, 2))  # 32 columns of 64, in the middle
    assert (lit[20:44] > 180).all()
    assert (lit[:12] < 20).all()
    assert (lit[52:] < 20).all()


@pytest.mark.parametrize(
    ("name", "fps", "says"),
    [
        ("out.mkv", 10, "to end in .avi or .mp4, found out.mkv"),
        ("out.avi", 0, "found 0"),
        ("out.avi", float("nan"), "found nan"),
        ("out.avi", 241, "found 241"),
    ],
)
def test_videos_that_cannot_be(name: str, fps: float, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        VideoFile(tmp_path / name, fps, EMOTIONS)


def test_a_video_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (path := tmp_path / "out.avi").write_bytes(b"precious")
    with pytest.raises(OutputError, match="already exists"):
        VideoFile(path, 10, EMOTIONS)
    assert path.read_bytes() == b"precious"
    output = VideoFile(path, 10, EMOTIONS, force=True)
    output.write(frame(), picture())
    output.close()
    assert len(frames_of(path)) == 1


def test_a_video_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="Choose a place"):
        VideoFile(tmp_path / "file" / "out.avi", 10, EMOTIONS)


def test_a_video_stops_before_the_disk_is_full(small_disk: Path) -> None:
    assert RESERVE_BYTES > 64 * 1024
    output = VideoFile(small_disk / "out.avi", 10, EMOTIONS)
    for _ in range(2):
        with pytest.raises(OutputError, match=r"0 MiB are free .* at least 16"):
            output.write(frame(), picture())
    output.close()


def test_what_a_killed_process_leaves_of_an_avi_plays(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    script = f"""
        import os, sys; sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        import numpy as np
        from fer_edge.camera.film import VideoFile
        from tests.camera_records import EMOTIONS, frame
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
        output = VideoFile(Path({str(path)!r}), 10, EMOTIONS)
        for number in range(100):
            output.write(frame(time_s=number / 10), noise)
        os._exit(9)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9
    assert len(frames_of(path)) >= 80
