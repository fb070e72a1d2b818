"""What frames come from: every kind of source that can be had here, and what is refused."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.camera import devices, streams
from fer_edge.camera.frames import Source
from fer_edge.camera.sources import check_source, open_source
from fer_edge.camera.stdin import Pipe, PipeSource
from fer_edge.camera.streams import Parts, decode_jpeg, shown
from fer_edge.errors import CameraError, ConfigError, DataError
from tests.cameras import jpeg, mjpeg_server
from tests.test_video import y4m

WITH_USER = "http://me:p%40ss%2Fw%3Ard@"


@contextlib.contextmanager
def opened(spec: str, **options: Any) -> Iterator[Source]:
    source = open_source(spec, **options)
    try:
        yield source
    finally:
        source.close()


def given_by(source: Source, n: int) -> list[tuple[tuple[int, ...], int, float | None]]:
    """Returns the shape, gray level to the nearest 4, and position of some frames."""
    found = []
    for _ in range(n):
        frame = source.read()
        if frame is None:
            break
        image, position_s = frame
        assert image.dtype == np.uint8
        level = 4 * round(float(image.mean()) / 4) if image.size else -1
        found.append((image.shape, level, position_s))
    return found


# Recordings


def test_a_video(tmp_path: Path) -> None:
    (tmp_path / "clip.y4m").write_bytes(y4m(3))
    with opened(str(tmp_path / "clip.y4m")) as source:
        assert not source.is_live
        found = given_by(source, 9)
    assert found == [((48, 64, 3), level, time_s) for level, time_s in
                     [(0, 0.0), (20, pytest.approx(0.1)), (40, pytest.approx(0.2))]]  # fmt: skip


def test_a_folder_of_pictures_and_one_picture(tmp_path: Path) -> None:
    for name, level in [("b.jpg", 80), ("a.jpg", 40)]:
        (tmp_path / name).write_bytes(jpeg(level))
    with opened(str(tmp_path)) as source:
        assert not source.is_live
        assert given_by(source, 9) == [((48, 64, 3), 40, 0.0), ((48, 64, 3), 80, 1.0)]
        assert source.read() is None
    with opened(str(tmp_path / "b.jpg")) as source:
        assert given_by(source, 9) == [((48, 64, 3), 80, 0.0)]


def test_a_video_that_is_closed_lets_go_of_its_file(tmp_path: Path) -> None:
    (path := tmp_path / "clip.y4m").write_bytes(y4m(3))

    def is_held() -> bool:
        links = Path("/proc/self/fd").iterdir()
        return path in [link.readlink() for link in links if link.is_symlink()]

    with opened(str(path)) as source:
        source.read()
        assert is_held()
    assert not is_held()


def test_a_video_that_is_none(tmp_path: Path) -> None:
    """In a process of its own: FFmpeg asks once what it may write to stderr."""
    (path := tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(500))
    program = (
        "import sys\n"
        "from fer_edge.camera.sources import open_source\n"
        "from fer_edge.errors import DataError\n"
        "try:\n"
        "    open_source(sys.argv[1])\n"
        "except DataError as exc:\n"
        "    print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith(f"Cannot open {path} as a video")
    assert done.stderr == ""


# What is refused


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "Expected auto, picamera2"),
        ("webcam", "found 'webcam', and there is no such file"),
        ("absent.mp4", "found 'absent.mp4', and there is no such file"),
        ("no\0file", "there is no such file"),
        ("ftp://host/x", "found ftp://host/x, an address of another kind"),
        ("file:///etc/passwd", "an address of another kind"),
        ("http://", "Expected an address such as http://HOST"),
        ("http://host:port/", "Expected an address such as http://HOST"),
        ("http://host:99999/", "Expected an address such as http://HOST"),
        ("http://a b/", "Expected an address such as http://HOST"),
        ("http://host/\r\nX: y", "Expected an address such as http://HOST"),
        ("rtsp://", "Expected an address such as http://HOST"),
        ("7", r"no camera .*video7; found: .*video0, .*video2, .*video10\. Connect it"),
        ("/dev/video77", r"There is no camera /dev/video77"),
        ("0", "found no device. Name a /dev/video"),
        ("auto", "found no device. Name a /dev/video"),
        ("picamera2", "sudo apt install python3-picamera2.*--system-site-packages"),
        ("{pipe}", "neither file, folder nor camera"),
        ("{folder}", "holds no picture"),
    ],
)
def test_what_is_no_source(
    spec: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is opened, and where it is opened all the same."""
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    monkeypatch.setitem(sys.modules, "picamera2", None)
    for name in ("video0", "video2", "video10"):
        (tmp_path / name).touch()
    (folder := tmp_path / "folder").mkdir()
    os.mkfifo(pipe := tmp_path / "pipe")
    spec = spec.format(folder=folder, pipe=pipe)
    for function in (check_source, open_source):
        with pytest.raises((ConfigError, DataError), match=says):
            function(spec)


@pytest.mark.parametrize(
    ("spec", "options", "says"),
    [
        ("{folder}", {"size": (640, 480)}, "size is for cameras"),
        ("http://host/", {"size": (640, 480)}, "size is for cameras"),
        ("{folder}", {"fps": 10.0}, "for cameras"),
        ("-", {"fps": 10.0, "size": (64, 48)}, "for cameras"),
        ("-", {"size": (0, 480)}, r"found \(0, 480\)"),
        ("-", {"size": (99999, 99999)}, r"found \(99999, 99999\)"),
        ("-", {"size": (-64, -48)}, "found"),
        ("/dev/null", {"fps": 0.0}, "over 0, found 0.0"),
        ("/dev/null", {"fps": float("inf")}, "over 0, found inf"),
    ],
)
def test_options_that_do_not_fit(
    spec: str, options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        check_source(spec.format(folder=tmp_path), **options)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may look into, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_device_that_others_own(open_folder: Path) -> None:
    """In a process without root's rights, where this one has them."""
    (device := open_folder / "video0").touch()
    device.chmod(0)
    program = (
        "import grp, os, sys\n"  # while it may read them
        "from pathlib import Path\n"
        "from fer_edge.camera import devices\n"
        "from fer_edge.errors import ConfigError\n"
        "os.getuid() or os.setuid(65534)\n"
        "try:\n"
        "    devices.check_device(Path(sys.argv[1]))\n"
        "except ConfigError as exc:\n"
        "    print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(device)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == (
        f"May not use {device}: its group is {device.group()}, which nobody should join: "
        "give it to another with chgrp video.\n"
    )
    assert done.stderr == ""


def test_a_device_that_is_no_camera(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraError, match=r"/dev/null cannot be opened: .*picamera2"):
        open_source("/dev/null")
    assert capfd.readouterr().err == ""


# Cameras of the machine, played by an external program's fake


class FakeCapture:
    """What `cv2.VideoCapture` does with a camera that gives two frames and a broken one."""

    made: ClassVar[list["FakeCapture"]] = []

    def __init__(self, *opened: object) -> None:
        self.opened = opened
        self.settings: dict[int, float] = {}
        self.released = False
        self.left: list[np.ndarray[Any, Any] | None] = [np.zeros((4, 4, 3), np.uint8), None]
        FakeCapture.made.append(self)

    def isOpened(self) -> bool:
        return True

    def set(self, setting: int, value: float) -> bool:
        self.settings[setting] = value
        return False  # as a device says that cannot

    def grab(self) -> bool:
        return bool(self.left)

    def retrieve(self) -> tuple[bool, Any]:
        image = self.left.pop(0)
        return image is not None, image

    def release(self) -> None:
        self.released = True


@pytest.mark.skipif(sys.platform != "linux", reason="V4L2 is Linux's")
def test_a_v4l2_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    with opened("/dev/null", size=(1280, 720), fps=15.0) as source:
        assert source.is_live
        assert given_by(source, 2) == [((4, 4, 3), 0, None), ((0, 0, 3), -1, None)]
        with pytest.raises(CameraError, match="/dev/null gives no frames any more"):
            source.read()
    capture = FakeCapture.made[-1]
    assert capture.opened == ("/dev/null", cv2.CAP_V4L2)
    assert capture.released
    assert capture.settings == {
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }


class FakePicamera2:
    """What `picamera2.Picamera2` does."""

    cameras: ClassVar[list[dict[str, str]]] = [{"Model": "imx708"}]
    fails_in: ClassVar[str] = ""
    calls: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self._note("open")

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_in:
            raise RuntimeError(f"{name} failed")

    @classmethod
    def global_camera_info(cls) -> list[dict[str, str]]:
        return cls.cameras

    def create_video_configuration(self, main: object, controls: object) -> object:
        return main, controls

    def configure(self, configuration: object) -> None:
        self._note(f"configure {configuration}")

    def start(self) -> None:
        self._note("start")

    def capture_array(self, name: str) -> np.ndarray[Any, Any]:
        self._note(f"capture {name}")
        return np.full((4, 4, 3), 8, np.uint8)

    def stop(self) -> None:
        self._note("stop")

    def close(self) -> None:
        self._note("close")


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakePicamera2]:
    """A Raspberry Pi, and its camera."""
    (board := tmp_path / "model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    module = types.ModuleType("picamera2")
    module.Picamera2 = FakePicamera2  # type: ignore[attr-defined]
    monkeypatch.setattr(devices, "BOARD", board)
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(FakePicamera2, "calls", [])
    return FakePicamera2


@pytest.mark.parametrize("spec", ["picamera2", "auto"])
def test_a_raspberry_pis_camera(spec: str, pi: type[FakePicamera2]) -> None:
    check_source(spec, size=(320, 240), fps=10.0)
    assert pi.calls == []
    with opened(spec, size=(320, 240), fps=10.0) as source:
        assert source.is_live
        assert given_by(source, 1) == [((4, 4, 3), 8, None)]
    with opened(spec):
        pass
    ask = "configure ({'size': %s, 'format': 'RGB888'}, %s)"
    assert pi.calls == [
        *("open", ask % ("(320, 240)", "{'FrameRate': 10.0}"), "start"),
        *("capture main", "stop", "close"),
        *("open", ask % ("(640, 480)", "{}"), "start", "stop", "close"),
    ]


@pytest.mark.parametrize(
    ("fails_in", "says", "is_closed"),
    [
        ("open", "cannot be opened: open failed", False),
        ("start", "does not start: start failed", True),
        ("capture main", "broke off: capture main failed", True),
    ],
)
def test_a_raspberry_pis_camera_fails(
    fails_in: str,
    says: str,
    is_closed: bool,
    pi: type[FakePicamera2],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pi, "fails_in", fails_in)
    with pytest.raises(CameraError, match=says), opened("picamera2") as source:
        source.read()
    assert ("close" in pi.calls) == is_closed


def test_a_raspberry_pi_without_a_camera(
    pi: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pi, "cameras", [])
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    with pytest.raises(ConfigError, match="ribbon cable"):
        check_source("picamera2")
    with pytest.raises(ConfigError, match=r"no camera .*video0; found: none"):
        check_source("auto")


def test_picamera2_is_for_raspberry_pis_alone(
    pi: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del pi
    devices.BOARD.write_text("Some other board\0")
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    with pytest.raises(ConfigError, match=r"no camera .*video0"):
        check_source("auto")


# Cameras in the network


@pytest.mark.parametrize(
    ("script", "levels"),
    [
        ("ok*4", [32, 40, 48, 56]),
        ("bare*4", [32, 40, 48, 56]),
        ("ok cut ok", [32, -1, 48]),
        ("bare torn bare", [32, -1, 48]),
        ("ok junk ok", [32, -1, 48]),
        ("lies ok*3", [32, 48]),  # it takes the head of the one after it
    ],
)
@pytest.mark.parametrize("boundary", ["frame", "--frame"])
def test_pictures_of_a_network_camera(script: str, levels: list[int], boundary: str) -> None:
    with mjpeg_server(f"{script} drop", boundary=boundary) as server, opened(server.url) as source:
        assert source.is_live
        assert [level for _, level, _ in given_by(source, len(levels))] == levels


def test_a_jpeg_without_its_end_is_not_trusted() -> None:
    assert decode_jpeg(jpeg(40) + b"\0" * 500, "test").shape == (48, 64, 3)
    assert decode_jpeg(jpeg(40)[:-2], "test").shape == (0, 0, 3)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("ok drop", "ended the stream"),
        ("ok huge", "up to 16 MiB, found a larger one"),
        ("ok drip", "no whole picture came in 0.3 s"),
        ("ok stall", "broke off: timed out"),
    ],
)
def test_a_network_camera_that_breaks_off(
    script: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "TIMEOUT_S", 0.3)
    with mjpeg_server(script) as server, opened(server.url) as source:
        source.read()
        with pytest.raises(CameraError, match=says) as caught:
            source.read()
        assert server.url in str(caught.value)
        server.release.set()


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("/404", ConfigError, "answers 404 Not Found. Check its path"),
        ("/403", ConfigError, "answers 403"),
        ("/503", CameraError, "answers 503"),
        ("/500", CameraError, "answers 500"),
        ("/page", ConfigError, "expected MJPEG .* found text/html"),
        ("/secret", ConfigError, "answers 401 Unauthorized"),
    ],
)
def test_addresses_that_give_no_pictures(path: str, error: type[Exception], says: str) -> None:
    with mjpeg_server("ok") as server:
        check_source(url := server.url.replace("/stream", path))
        with pytest.raises(error, match=says) as caught:
            open_source(url)
    assert type(caught.value) is error


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_nobody_answers(scheme: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraError, match=r"\*\*\*@127.0.0.1:9/x does not answer: .*refused"):
        open_source(f"{scheme}://me:secret@127.0.0.1:9/x")
    assert capfd.readouterr().err == ""


def test_what_answers_is_no_rtsp(capfd: pytest.CaptureFixture[str]) -> None:
    with mjpeg_server("ok") as server:
        url = server.url.replace("http://", "rtsp://me:secret@")
        with pytest.raises(CameraError, match="gives no RTSP stream") as caught:
            open_source(url)
    assert "secret" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_password() -> None:
    with mjpeg_server("ok") as server:
        url = server.url.replace("http://", WITH_USER).replace("/stream", "/secret")
        with opened(url) as source:
            assert len(given_by(source, 2)) == 2
        server.scripts = ("drop",)
        with opened(url) as source, pytest.raises(CameraError) as caught:
            source.read()
    assert "***@127.0.0.1" in str(caught.value)
    assert "p%40ss" not in str(caught.value)


def test_a_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with mjpeg_server("ok") as server, opened(server.url) as source:
        assert len(given_by(source, 2)) == 2


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("http://host:8080/video", "http://host:8080/video"),
        ("http://me:secret@host/video", "http://***@host/video"),
        ("rtsp://me:se/cr@et@host/video", "rtsp://***@host/video"),
        ("http://host/video?user=me&pwd=secret", "http://host/video?***"),
        ("http://host/video#secret", "http://host/video?***"),
    ],
)
def test_no_password_is_shown(url: str, is_shown: str) -> None:
    assert shown(url) == is_shown
    with pytest.raises(ConfigError) as caught:
        check_source(url.replace("://", "x://"))
    assert is_shown.partition("://")[2] in str(caught.value)
    assert "secret" not in str(caught.value)


def chunks_of(content: bytes, sizes: list[int]) -> Callable[[int], bytes]:
    """Returns a `read` that gives a content in pieces of these sizes, over and over."""
    pieces = []
    at = 0
    while at < len(content):
        for size in sizes:
            pieces.append(content[at : at + size])
            at += size
    left = iter([piece for piece in pieces if piece])
    return lambda _: next(left, b"")


@given(sizes=st.lists(st.integers(1, 900), min_size=1, max_size=5), states_length=st.booleans())
@settings(max_examples=40, deadline=None)
def test_parts_come_whole_however_they_are_sent(sizes: list[int], states_length: bool) -> None:
    contents = [jpeg(level) for level in (40, 80, 120)]
    stream = b"preamble\r\n"
    for content in contents:
        length = b"Content-Length: %d\r\n" % len(content) if states_length else b""
        stream += b"--b\r\nContent-Type: image/jpeg\r\n%s\r\n%s\r\n" % (length, content)
    parts = Parts(chunks_of(stream + b"--b--", sizes), b"b", "test")
    assert [parts.next().removesuffix(b"\r\n") for _ in contents] == contents
    with pytest.raises(CameraError, match="test ended the stream"):
        parts.next()


@given(content=st.binary(max_size=400) | st.lists(st.sampled_from(
    [b"--b", b"\r\n", b"\n\n", b"Content-Length:", b" 5", b"99999999999999999999", b"\xff\xd8"]
)).map(b"".join))  # fmt: skip
def test_a_hostile_stream_only_ever_ends(content: bytes) -> None:
    parts = Parts(chunks_of(content, [7]), b"b", "test")
    with contextlib.suppress(CameraError):
        for _ in range(len(content) + 1):
            parts.next()
        pytest.fail("it has more parts than bytes")


# Standard input

PROGRAM = """
import sys
from fer_edge.camera.sources import open_source
from fer_edge.errors import FerEdgeError
size = (4, 2) if "raw" in sys.argv else None
try:
    source = open_source("-", size=size)
    while given := source.read():
        print(given[0].shape, int(round(given[0].mean())) if given[0].size else "-", flush=True)
    print("end")
except FerEdgeError as exc:
    print(type(exc).__name__, exc)
"""


def read_stdin(content: bytes, *options: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *options], input=content, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def raw(level: int) -> bytes:
    return bytes([level]) * 24  # 4 x 2 x 3


def test_raw_frames_on_standard_input() -> None:
    assert read_stdin(raw(7) + raw(9) + raw(1)[:5], "raw") == ["(2, 4, 3) 7", "(2, 4, 3) 9", "end"]


def test_jpegs_on_standard_input() -> None:
    cut = jpeg(80)[:-20]
    content = jpeg(40) + cut + jpeg(120) + b"\0\0" + jpeg(160)
    lines = read_stdin(content)
    assert lines == ["(48, 64, 3) 40", "(0, 0, 3) -", "(48, 64, 3) 120", "(48, 64, 3) 160", "end"]


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", ["raw"], "4 x 2 x 3 = 24 bytes .bgr24., found 0 bytes in all. Check --size"),
        (b"12345", ["raw"], "found 5 bytes in all"),
        (b"", [], "ended before one picture"),
        (raw(7), [], "expected JPEGs, found .* Raw frames need their size: --size 640x480.*bgr24"),
        (jpeg(40)[:200], [], "ended before one picture"),
    ],
)
def test_standard_input_without_frames(content: bytes, options: list[str], says: str) -> None:
    (line,) = read_stdin(content, *options)
    assert re.match(f"ConfigError Standard input.*{says}", line)


def test_a_program_ends_while_standard_input_is_silent() -> None:
    """A thread that hangs in `sys.stdin.buffer` would make Python abort."""
    program = (
        "import threading, time\n"
        "from fer_edge.camera.sources import open_source\n"
        "source = open_source('-', size=(4, 2))\n"
        "threading.Thread(target=source.read, daemon=True).start()\n"
        "time.sleep(0.5)\n"
        "print('done')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.wait(60) == 0
        assert (process.stdout.read(), process.stderr.read()) == (b"done\n", b"")


def test_standard_input_that_is_closed() -> None:
    program = f"import os, sys; os.close(0); sys.argv.append('raw')\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert "ConfigError Standard input cannot be read: Bad file descriptor" in done.stdout
    assert done.stderr == ""


@pytest.fixture
def pipe() -> Iterator[tuple[Pipe, int]]:
    """A pipe and its writing end."""
    reads, writes = os.pipe()
    yield Pipe(reads), writes
    os.close(reads)
    with contextlib.suppress(OSError):
        os.close(writes)


def test_the_next_opening_goes_on_where_a_frame_begins(pipe: tuple[Pipe, int]) -> None:
    """The old one hangs in the middle of a frame; what is left of it is not the new one's."""
    shared, writes = pipe
    old, new = PipeSource(shared, (4, 2)), PipeSource(shared, (4, 2))
    found = []
    os.write(writes, raw(7)[:10])
    first = threading.Thread(target=lambda: found.append(old.read()))
    first.start()
    while first.is_alive() and not shared._lock.locked():
        pass
    second = threading.Thread(target=lambda: found.append(new.read()))
    second.start()
    os.write(writes, raw(7)[10:] + raw(9))
    first.join(20)
    second.join(20)
    assert [set(frame[0].ravel()) for frame in found if frame] == [{7}, {9}]


@given(content=st.binary(max_size=300), starts=st.booleans())
@settings(max_examples=100, deadline=None)
def test_hostile_bytes_on_standard_input(content: bytes, starts: bool) -> None:
    reads, writes = os.pipe()
    os.write(writes, (b"\xff\xd8\xff" if starts else b"") + content)
    os.close(writes)
    source = PipeSource(Pipe(reads), None)
    with contextlib.suppress(ConfigError):
        while source.read():
            pass
    os.close(reads)
