"""All that a command line asks of the camera: opened in order, closed again whatever happens."""

import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import TextIOBase
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.capture import Camera, Retry
from fer_edge.camera.fanout import Outputs
from fer_edge.camera.film import VideoFile
from fer_edge.camera.frames import Output, Record, StatusRecord
from fer_edge.camera.health import Limits
from fer_edge.camera.hook import Hook
from fer_edge.camera.loop import FrameReader, Loop, Pace, Summary
from fer_edge.camera.mqtt import Mqtt
from fer_edge.camera.outputs import Csv, JsonLines
from fer_edge.camera.preview import HOST, PORT, Preview
from fer_edge.camera.smoothing import SMOOTHING_S
from fer_edge.camera.sources import check_source, name_source, open_source, resolve_source
from fer_edge.camera.terminal import Terminal
from fer_edge.errors import ConfigError
from fer_edge.predictor import Predictor, open_predictor

CONNECT_S = 5.0  # that a broker has to answer at the start
VIDEO_FPS = 15.0
STILL_S = 60.0
SLOW_FRAMES = 3  # of a camera that was asked to be slow; when none has come, it has stalled


@dataclass(frozen=True)
class Origin:
    """Where frames come from.

    Attributes:
        spec: One of `sources.SOURCES`.
        size: Width and height, where the source can be asked.
        fps: Frames a second, likewise.
        retry: What happens when it fails.
        frozen_s: How long a camera may give the same picture; None for what suits the source.
    """

    spec: str = "auto"
    size: tuple[int, int] | None = None
    fps: float | None = None
    retry: Retry = field(default_factory=Retry)
    frozen_s: float | None = None

    @property
    def limits(self) -> Limits:
        """What counts as a fault of it."""
        # A film's coder repeats a still scene to the bit, where a sensor's noise would not.
        own_s = STILL_S if self.spec.startswith("rtsp") else Limits.frozen_s
        stall_s = max(Limits.stall_s, SLOW_FRAMES / (self.fps or math.inf))
        return Limits(stall_s=stall_s, frozen_s=own_s if self.frozen_s is None else self.frozen_s)


@dataclass(frozen=True)
class Reading:
    """How frames are read.

    Attributes:
        model: A name or path, as everywhere.
        detector: Likewise.
        detect_every: Frames from one in which faces are looked for to the next.
        smoothing_s: Time constant of the probabilities.
        pace: How much is read.
    """

    model: str
    detector: str = "haar"
    detect_every: int = 1
    smoothing_s: float = SMOOTHING_S
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True)
class Destinations:
    """Where records go, each where it is named.

    Attributes:
        terminal: For lines that people read.
        json: A file, or a stream.
        csv: A file.
        mqtt: A broker's address.
        mqtt_changes_only: Leave out what says the same as before.
        mqtt_ca: Who signed the broker's certificate; None for whom the system knows.
        video: A file for annotated frames.
        has_preview: Whether a page shows all live.
        preview_host: That it listens on.
        preview_port: Likewise.
        preview_token: That viewers need; None for a random one where one is needed.
        rules: Of commands to run, `happy=CMD`.
        shows_images: Whether the page may show frames.
        force: Whether a video that is there may be replaced.
    """

    terminal: TextIO | None = None
    json: Path | TextIO | None = None
    csv: Path | None = None
    mqtt: str = ""
    mqtt_changes_only: bool = False
    mqtt_ca: Path | None = None
    video: Path | None = None
    has_preview: bool = False
    preview_host: str = HOST
    preview_port: int = PORT
    preview_token: str | None = None
    rules: tuple[str, ...] = ()
    shows_images: bool = False
    force: bool = False

    def check(self, source: str) -> None:
        """Raises ConfigError when records go nowhere, two into one file, or one over the source."""
        where = (self.terminal, self.json, self.csv, self.mqtt, self.video, self.rules)
        if not (any(where) or self.has_preview):
            raise ConfigError(
                "Nobody would see what is read: expected an output beside --quiet, such as --json "
                "FILE, found none."
            )
        named = (self.json, self.csv, self.video)
        files = [path.resolve() for path in named if isinstance(path, Path)]
        if len(set(files)) < len(files):
            raise ConfigError(f"Expected a file for each output, found {files[0]} twice.")
        if Path(source).exists() and Path(source).resolve() in files:
            raise ConfigError(
                f"Expected outputs beside the source, found {source} as both. It was left as it is."
            )


@dataclass(frozen=True)
class Ended:
    """How it ended.

    Attributes:
        summary: What was read.
        by: The signal that ended it; None for the source's own end.
    """

    summary: Summary
    by: int | None


def run_camera(
    origin: Origin, reading: Reading, destinations: Destinations, *, say: Callable[[str], None]
) -> Ended:
    """Reads a camera until it ends, or SIGINT, SIGTERM or SIGHUP comes.

    Args:
        origin: Where frames come from.
        reading: How they are read.
        destinations: Where records go.
        say: Told what people need to know at once: the page's address, trouble with an output.

    Raises:
        FerEdgeError: What was asked for cannot be had, or `CameraGoneError`: it went away.
    """
    destinations.check(origin.spec)
    spec = resolve_source(origin.spec)
    stop = threading.Event()
    with ExitStack() as opened:
        came = opened.enter_context(_set_by_signals(stop))
        check_source(spec, size=origin.size, fps=origin.fps)
        predictor = open_predictor(reading.model, reading.detector)
        outputs = _open_outputs(destinations, predictor, opened, say, stop)
        camera = Camera(
            lambda: open_source(spec, size=origin.size, fps=origin.fps),
            name=name_source(spec),
            limits=origin.limits,
            retry=origin.retry,
        )
        reader = FrameReader(
            predictor, detect_every=reading.detect_every, smoothing_s=reading.smoothing_s
        )
        loop = Loop(camera, reader, outputs, pace=reading.pace, stop=stop)
        with camera:
            summary = loop.run()
    return Ended(summary, came[0] if came else None)


def _open_outputs(
    wanted: Destinations,
    predictor: Predictor,
    opened: ExitStack,
    say: Callable[[str], None],
    stop: threading.Event,
) -> Outputs:
    """Opens what is wanted; what was opened before a failure is closed by the stack."""
    plain: list[Output] = []
    with_images: list[Output] = []
    emotions = predictor.emotions
    closing = ExitStack()
    opened.push(closing)  # until all are there: then one call closes them beside one another

    def add(output: Output, to: list[Output] = plain) -> None:
        closing.callback(output.close)
        to.append(output)

    terminal = Terminal(wanted.terminal, emotions) if wanted.terminal else None
    if terminal:
        add(terminal)
    elif not isinstance(wanted.json, TextIOBase):
        add(_Said(say))
    if wanted.json:
        add(JsonLines(wanted.json, emotions))
    if wanted.csv:
        add(Csv(wanted.csv, emotions))
    for rule in wanted.rules:
        add(Hook(rule, emotions))
    if wanted.video:
        add(VideoFile(wanted.video, VIDEO_FPS, emotions, force=wanted.force), with_images)
    if wanted.mqtt:
        broker = Mqtt(
            wanted.mqtt,
            emotions,
            changes_only=wanted.mqtt_changes_only,
            ca_file=wanted.mqtt_ca,
        )
        add(broker)
        broker.connect(CONNECT_S, is_given_up=stop.is_set)
    if wanted.has_preview:
        page = _open_preview(wanted, emotions)
        add(page, with_images if wanted.shows_images else plain)
        say(f"Preview: {page.url}")
        if not page.is_loopback:
            say(
                "Who has this address may watch, unencrypted. Elsewhere this machine is "
                f"{socket.gethostname()}, not localhost."
            )

    def tell(text: str) -> None:
        if not terminal or outputs.has_ended(terminal):  # which shows what becomes of the others
            say(text)

    outputs = Outputs(plain, with_images=with_images, say=tell)
    closing.pop_all()
    opened.callback(outputs.close)
    return outputs


def _open_preview(wanted: Destinations, emotions: Sequence[str]) -> Preview:
    return Preview(
        emotions,
        shows_images=wanted.shows_images,
        host=wanted.preview_host,
        port=wanted.preview_port,
        token=wanted.preview_token,
    )


class _Said:
    """What happens to the camera, in words, where no other output shows it to people."""

    name = "messages"

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Says a status; of outputs the fan-out speaks."""
        if isinstance(record, StatusRecord) and not record.event.startswith("output-"):
            self._say(f"{record.event}: {record.message}")

    def close(self) -> None:
        """Does nothing."""


@contextmanager
def _set_by_signals(stop: threading.Event) -> Iterator[list[int]]:
    """Has SIGINT, SIGTERM and SIGHUP set an event; yields those that came, in order.

    A second SIGINT is as without this: it interrupts whatever goes on. A SIGHUP that was ignored,
    as under nohup, still is.
    """
    came: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)

    def end(number: int, _frame: Any) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
