"""The fault campaign: the real command beside cameras, brokers and disks that fail.

Each row says what has to be reported, how soon, and the exit code. The command is another process,
as on a board; what misbehaves is a server, a pipe or a device of the system.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fer_edge.video import read_frames
from tests.cameras import mjpeg_server
from tests.test_camera_mqtt import Mosquitto

ROOT = Path(__file__).parents[1]
NOTICED_S = 3.0
STOPPED_S = 2.0
PATIENCE_S = 60.0  # of these tests; nothing is expected to take as long
READ = ("--model", "nano", "--detector", "none")

Document = dict[str, Any]


@dataclass
class Runner:
    """A running command whose JSON lines are read as they come.

    Attributes:
        process: It.
        documents: All so far.
    """

    process: subprocess.Popen[bytes]
    documents: list[Document]
    path: Path

    def read(self) -> list[Document]:
        """Returns all documents so far; a line that is being written is left for later."""
        text = self.path.read_bytes() if self.path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        self.documents = [json.loads(line) for line in whole.splitlines()]
        return self.documents

    def wait_for(self, is_there: Callable[[list[Document]], bool], what: str) -> None:
        """Waits until documents say something; fails when that takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_there(self.read()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"{what} did not come: {self.events()}, {self.stderr()}")
            time.sleep(0.02)

    def wait_for_event(self, event: str) -> Document:
        """Returns the first status of a kind, once it has come."""
        self.wait_for(lambda found: event in events_of(found), event)
        return next(d for d in self.documents if d.get("event") == event)

    def wait_for_frames(self, n: int) -> None:
        """Waits for so many frames, all told."""
        self.wait_for(lambda found: len(frames_of(found)) >= n, f"{n} frames")

    def events(self) -> list[str]:
        return events_of(self.read())

    def stderr(self) -> str:
        assert self.process.stderr is not None
        self.process.kill()
        return self.process.stderr.read().decode()[-2000:]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Sends a signal; returns the exit code and the seconds until then."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        return code, time.monotonic() - started

    def end_in_time(self) -> None:
        """Sends SIGTERM, which has to end it well, and soon."""
        code, seconds = self.end()
        assert (code, seconds < STOPPED_S) == (0, True), seconds


def events_of(documents: Sequence[Document]) -> list[str]:
    return [d["event"] for d in documents if d["type"] == "status"]


def frames_of(documents: Sequence[Document]) -> list[Document]:
    return [d for d in documents if d["type"] == "frame"]


def at(document: Document) -> float:
    return datetime.fromisoformat(document["timestamp"]).timestamp()


@contextlib.contextmanager
def command(
    tmp_path: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Runner]:
    """Runs `fer-edge camera`, its JSON lines into a file; it is killed if it does not end."""
    out = tmp_path / "out.jsonl"
    line = [sys.executable, "-m", "fer_edge", "camera", *READ, "--quiet", "--json", str(out)]
    line = ["env", "--default-signal=HUP", *line]  # which tests under nohup would ignore
    with subprocess.Popen(
        [*line, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            yield Runner(process, [], out)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize(
    ("script", "event"),
    [
        pytest.param("ok*20 stall", "stalled", id="stalls inside read"),
        pytest.param("ok*20 drip", "stalled", id="0 fps, a byte now and then"),
        pytest.param("ok*20 drop", "lost", id="unplugged"),
        pytest.param("ok*20 black", "black", id="black"),
        pytest.param("ok*20 frozen", "frozen", id="frozen"),
        pytest.param("ok*20 wide", "garbage", id="another size"),
        pytest.param("ok*20 cut", "garbage", id="truncated JPEGs"),
        pytest.param("ok*20 junk", "garbage", id="no JPEGs"),
    ],
)
def test_a_camera_that_fails_is_reported_in_time_and_comes_back(
    script: str, event: str, tmp_path: Path
) -> None:
    with (
        mjpeg_server(script, "ok", pace_s=0.03) as server,
        command(tmp_path, "--source", server.url) as runner,
    ):
        fault = runner.wait_for_event(event)
        last = frames_of(runner.documents[: runner.documents.index(fault)])[-1]
        assert at(fault) - at(last) < NOTICED_S
        runner.wait_for_event("back")
        runner.wait_for_frames(len(frames_of(runner.documents)) + 5)
        assert runner.events()[:4] == ["started", event, "reopening", "back"]
        code, seconds = runner.end()
        assert (code, runner.events()[-1]) == (0, "stopping")
        assert seconds < STOPPED_S
        numbers = [frame["frame"] for frame in frames_of(runner.documents)]
        assert numbers == sorted(set(numbers))


def test_a_fast_camera_is_read_as_fast_as_it_goes_and_all_is_counted(tmp_path: Path) -> None:
    """240 frames a second, of which some are dropped, each of them told."""
    with (
        mjpeg_server("ok", pace_s=1 / 240) as server,
        command(tmp_path, "--source", server.url, "--fps-limit", "20") as runner,
    ):
        runner.wait_for_frames(40)
        assert runner.end()[0] == 0
        frames = frames_of(runner.read())
        assert frames[-1]["dropped"] > 40
        for number, frame in enumerate(frames):
            assert frame["dropped"] == frame["frame"] - number
        seconds = frames[-1]["time_s"] - frames[0]["time_s"]
        assert (len(frames) - 1) / seconds < 21


@pytest.mark.parametrize(
    ("script", "state"),
    [
        pytest.param("ok", "", id="healthy"),
        pytest.param("ok*5 stall", "stalled", id="stuck in read"),
        pytest.param("ok*5 drop", "reopening", id="being opened again"),
        pytest.param("ok*5 black", "black", id="black"),
        pytest.param("ok*5 frozen", "frozen", id="frozen"),
        pytest.param("ok*5 junk", "garbage", id="garbage"),
        pytest.param("stall", "", id="before the first frame"),
    ],
)
def test_sigterm_ends_it_in_every_state(script: str, state: str, tmp_path: Path) -> None:
    with (
        mjpeg_server(script, pace_s=0.03) as server,
        command(tmp_path, "--source", server.url, "--csv", str(tmp_path / "a.csv")) as runner,
    ):
        if state:
            runner.wait_for_event(state)
        elif script == "ok":
            runner.wait_for_frames(3)
        else:
            runner.wait_for(lambda _: server.connections > 0, "a connection")
        runner.end_in_time()
        assert runner.events()[-1] == "stopping"


SCRIPTED = str(ROOT / "tests/board_camera")


def test_a_camera_that_hangs_in_close_is_left_and_opened_again(tmp_path: Path) -> None:
    scripts = {"CAMERA_SCRIPTS": "close-stall|ok*20 raise;ok", "PYTHONPATH": SCRIPTED}
    with command(tmp_path, "--source", "picamera2", environment=scripts) as runner:
        fault = runner.wait_for_event("lost")
        assert at(fault) - at(frames_of(runner.documents)[-1]) < NOTICED_S
        runner.wait_for_event("back")
        runner.wait_for_frames(25)
        assert runner.events() == ["started", "lost", "reopening", "back"]
        runner.end_in_time()


@pytest.mark.parametrize(
    ("scripts", "state"),
    [
        pytest.param("close-stall|ok*5 raise", "lost", id="stuck in close"),
        pytest.param("close-stall|ok", "started", id="close will hang"),
        pytest.param("ok*5 raise;open-stall|ok", "reopening", id="stuck in open"),
        pytest.param("close-stall|ok*5 stall", "stalled", id="stuck in read, then in close"),
    ],
)
def test_sigterm_ends_it_in_a_driver_that_hangs(scripts: str, state: str, tmp_path: Path) -> None:
    environment = {"CAMERA_SCRIPTS": scripts, "PYTHONPATH": SCRIPTED}
    with command(tmp_path, "--source", "picamera2", environment=environment) as runner:
        runner.wait_for_event(state)
        runner.end_in_time()
        assert runner.events()[-1] == "stopping"


def test_a_clock_that_is_set_changes_timestamps_and_nothing_else(tmp_path: Path) -> None:
    """An hour on and back again, as by NTP on a board without a clock of its own."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed here")
    library, offset = tmp_path / "set_clock.so", tmp_path / "offset"
    source = f"{SCRIPTED}/set_clock.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    offset.write_text("0")
    faked = {"LD_PRELOAD": str(library), "SET_CLOCK": str(offset)}
    with (
        mjpeg_server("ok", pace_s=0.03) as server,
        command(tmp_path, "--source", server.url, environment=faked) as runner,
    ):
        for clock in ("0", "3600", "0"):
            offset.write_text(clock)
            runner.wait_for_frames(len(frames_of(runner.documents)) + 30)
        runner.end_in_time()
    frames = frames_of(runner.read())
    jumps_s = [at(b) - at(a) for a, b in itertools.pairwise(frames)]
    assert 3500 < max(jumps_s) < 3700
    assert -3700 < min(jumps_s) < -3500
    assert runner.events() == ["started", "stopping"]
    steps_s = [b["time_s"] - a["time_s"] for a, b in itertools.pairwise(frames)]
    assert all(0 < step < NOTICED_S for step in steps_s)
    assert all(0 <= frame["latency_ms"]["total"] < 1000 * NOTICED_S for frame in frames)


def test_a_broker_that_is_killed_and_comes_back_gets_what_it_missed(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous true")
    broker.start()
    try:
        with (
            mjpeg_server("ok", pace_s=0.03) as server,
            command(tmp_path, "--source", server.url, "--mqtt", broker.url) as runner,
        ):
            runner.wait_for_frames(5)
            broker.stop()
            failed = runner.wait_for_event("output-failed")
            assert "mqtt" in failed["message"]
            runner.wait_for_frames(len(frames_of(runner.documents)) + 5)
            broker.start()
            back = runner.wait_for_event("output-back")
            assert "nothing was lost" in back["message"]
            broker.stop()
            runner.wait_for(lambda found: events_of(found).count("output-failed") == 2, "failure")
            runner.end_in_time()  # while it is away
    finally:
        broker.stop()


@pytest.mark.parametrize("stderr", ["closed", "full"])
def test_stderr_that_nobody_reads_does_not_stop_the_loop(stderr: str, tmp_path: Path) -> None:
    """As after `2>&1 | head -1`, or with a terminal that stands still; faults are said there."""
    reader, writer = os.pipe()
    if stderr == "full":
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writer, bytes(4096)):
                pass
        os.set_blocking(writer, True)
    table = tmp_path / "a.csv"
    line = [sys.executable, "-m", "fer_edge", "camera", *READ, "--quiet", "--csv", str(table)]
    with (
        mjpeg_server("ok*10 drop", "ok", pace_s=0.03) as server,
        subprocess.Popen(
            [*line, "--source", server.url], cwd=ROOT, stdin=subprocess.DEVNULL, stderr=writer
        ) as process,
    ):
        os.close(writer)
        if stderr == "closed":
            os.close(reader)
        deadline = time.monotonic() + PATIENCE_S
        while not table.exists() or len(table.read_bytes().splitlines()) < 30:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = time.monotonic()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < STOPPED_S
    if stderr == "full":
        os.close(reader)


@pytest.mark.parametrize("option", ["--save", "--json", "--csv"])
def test_an_output_does_not_replace_its_source(option: str, tmp_path: Path) -> None:
    film = tmp_path / "clip.avi"
    film.write_bytes(b"RIFF")
    line = [sys.executable, "-m", "fer_edge", "camera", *READ, "--source", str(film), "--force"]
    done = subprocess.run(
        [*line, option, str(film)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, film.read_bytes()) == (1, b"RIFF")
    assert "outputs beside the source" in done.stderr


def test_ctrl_c_is_an_interruption(tmp_path: Path) -> None:
    with mjpeg_server("ok") as server, command(tmp_path, "--source", server.url) as runner:
        runner.wait_for_frames(3)
        code, seconds = runner.end(signal.SIGINT)
        assert (code, seconds < STOPPED_S) == (130, True)
        assert runner.events()[-1] == "stopping"
        assert "frames read in" in runner.stderr()


def test_a_camera_that_stays_away_is_given_up(tmp_path: Path) -> None:
    with (
        mjpeg_server("ok*20 drop", "stall", pace_s=0.03) as server,
        command(tmp_path, "--source", server.url, "--give-up-after", "4") as runner,
    ):
        assert runner.process.wait(PATIENCE_S) == 4
        assert runner.events()[-2:] == ["gave-up", "stopping"]
        gone = next(
            d for d in runner.documents if d["event" if "event" in d else "type"] == "gave-up"
        )
        assert 3.9 <= at(gone) - at(frames_of(runner.documents)[-1]) < 4 + NOTICED_S
        error = runner.stderr()
        assert "Traceback" not in error
        assert error.count("Error: ") == 1


def test_a_disk_that_fills_up_does_not_stop_the_others(small_disk: Path, tmp_path: Path) -> None:
    """64 KiB are full after some hundred rows; with room again, rows come again."""
    with (
        mjpeg_server("ok", pace_s=0.01) as server,
        command(tmp_path, "--source", server.url, "--csv", str(small_disk / "a.csv")) as runner,
    ):
        runner.wait_for_frames(1)
        (small_disk / "others").write_bytes(bytes(40 * 1024))
        failed = runner.wait_for_event("output-failed")
        assert "a.csv" in failed["message"]
        runner.wait_for_frames(len(frames_of(runner.documents)) + 20)
        (small_disk / "others").unlink()
        runner.wait_for_event("output-back")
        assert runner.events().count("output-failed") == 1
        assert runner.end()[0] == 0
    *whole, last = (small_disk / "a.csv").read_bytes().split(b"\n")
    assert last == b""
    assert len({row.count(b",") for row in whole}) == 1


def test_a_stick_that_is_pulled_does_not_stop_the_others(tmp_path: Path) -> None:
    """Its folder goes away while a film is written there."""
    (stick := tmp_path / "stick").mkdir()
    with (
        mjpeg_server("ok", pace_s=0.03) as server,
        command(tmp_path, "--source", server.url, "--save", str(stick / "a.avi")) as runner,
    ):
        runner.wait_for_frames(5)
        shutil.rmtree(stick)
        failed = runner.wait_for_event("output-failed")
        assert "a.avi" in failed["message"]
        runner.wait_for_frames(len(frames_of(runner.documents)) + 5)
        assert runner.end()[0] == 0


def test_a_reader_that_stands_still_holds_nothing_up(tmp_path: Path) -> None:
    """Nobody reads stdout any more, and the pipe is full: the file goes on, and SIGTERM ends it."""
    out, table = tmp_path / "lines", tmp_path / "table.csv"
    line = [sys.executable, "-m", "fer_edge", "camera", *READ, "--json", "-", "--csv", str(table)]
    with (
        mjpeg_server("ok", pace_s=0.002) as server,
        out.open("wb") as said,
        subprocess.Popen(
            [*line, "--source", server.url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        deadline = time.monotonic() + PATIENCE_S
        while b"fast enough" not in out.read_bytes():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        before = table.stat().st_size
        while table.stat().st_size < before + 1000:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < STOPPED_S
        written = process.stdout.read()
    assert "records did not get there" in out.read_text()
    for document in written.splitlines()[:-1]:  # whole lines, but for the last
        assert json.loads(document)["schema"] == "fer-edge.camera/1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_while_a_broker_is_waited_for(number: int, tmp_path: Path) -> None:
    """What listens there accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent, mjpeg_server("ok") as server:
        silent.settimeout(PATIENCE_S)
        broker = f"mqtt://127.0.0.1:{silent.getsockname()[1]}/door"
        with command(tmp_path, "--source", server.url, "--mqtt", broker) as runner:
            with silent.accept()[0]:
                code, seconds = runner.end(number)
            assert code == (130 if number == signal.SIGINT else 0)
            assert seconds < STOPPED_S
            assert runner.events()[-1] == "stopping"
            assert frames_of(runner.documents) == []


def test_a_lost_terminal_ends_a_film_whole(tmp_path: Path) -> None:
    with (
        mjpeg_server("ok", pace_s=0.03) as server,
        command(tmp_path, "--source", server.url, "--save", str(tmp_path / "a.mp4")) as runner,
    ):
        runner.wait_for_frames(20)
        assert runner.end(signal.SIGHUP)[0] == 0
    assert sum(1 for _ in read_frames(tmp_path / "a.mp4")) >= 5


def test_a_fault_is_said_where_nothing_else_shows_it(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    line = [sys.executable, "-m", "fer_edge", "camera", *READ, "--quiet", "--csv", str(table)]
    with mjpeg_server("ok*20 drop", "ok*20", pace_s=0.03) as server:
        done = subprocess.run(
            [*line, "--source", server.url, "--frames", "25"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0
    said = [text.partition(":")[0] for text in done.stderr.splitlines()]
    assert said[:4] == ["started", "lost", "reopening", "back"]


def test_a_pipe_that_nobody_reads_ends_it(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "fer_edge", "camera", *READ, "--json", "-"]
    with (
        mjpeg_server("ok", pace_s=0.03) as server,
        subprocess.Popen(
            [*line, "--source", server.url],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["schema"] == "fer-edge.camera/1"
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 0
        assert "Traceback" not in process.stderr.read().decode()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--source", "77"], "77", id="no such camera"),
        pytest.param(["--source", "nowhere.mp4"], "nowhere.mp4", id="no such file"),
        pytest.param(["--source", "ftp://host/stream"], "ftp", id="no such scheme"),
        pytest.param(["--source", "-"], "ended before one picture", id="nothing on stdin"),
        pytest.param(["--size", "640by480"], "640x480", id="no size"),
        pytest.param(["--quiet"], "Nobody would see", id="no output"),
        pytest.param(["--csv", "a", "--json", "a"], "a file for each output", id="one file twice"),
        pytest.param(["--source", "http//joe:secret@cam"], "***@cam", id="a mistyped address"),
        pytest.param(["--every", "inf"], "interval", id="never again"),
        pytest.param(["--model", "huge"], "huge", id="no such model"),
        pytest.param(["--detector", "hog"], "haar, yunet:PATH or none", id="no such detector"),
        pytest.param(["--on", "bored=true"], "bored", id="no such emotion"),
        pytest.param(["--on", "happy=no-such-program"], "no-such-program", id="no such program"),
        pytest.param(["--mqtt", "mqtt://127.0.0.1:1/a"], "127.0.0.1:1", id="no broker"),
        pytest.param(["--mqtt", "broker/a"], "mqtt://", id="no broker's address"),
        pytest.param(["--save", "film.gif"], ".avi or .mp4", id="no such film"),
        pytest.param(["--preview", "--host", "1.2.3.4"], "1.2.3.4", id="not an own address"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    with mjpeg_server("ok") as server:
        source = [] if "--source" in arguments else ["--source", server.url]
        line = [sys.executable, "-m", "fer_edge", "camera", *READ, *source, *arguments]
        done = subprocess.run(
            line,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert "secret" not in done.stderr
