"""`fer-edge camera`: faces and emotions live, on a laptop or a Raspberry Pi."""

import contextlib
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import INTERRUPTED, Detector, Force, Model

ANY_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


def _seconds(text: str | float) -> float:
    """Returns the seconds in `0.5` or `0.5s`."""
    try:
        return float(str(text).removesuffix("s"))
    except ValueError:
        raise typer.BadParameter(f"Expected seconds, as in 0.5 or 0.5s, found {text!r}.") from None


def camera(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            "-s",
            help="auto, picamera2, a number or /dev/video0, a video or a folder of pictures, an "
            "http://, https:// or rtsp:// address, or - for frames on standard input.",
        ),
    ] = "auto",
    model: Model = None,
    detector: Detector = "haar",
    size: Annotated[
        str,
        typer.Option(
            help="Of frames: what a camera is asked for, and what comes on -.", metavar="WxH"
        ),
    ] = "",
    fps: Annotated[
        float | None, typer.Option(help="Frames a second that a camera is asked for.", min=0.1)
    ] = None,
    detect_every: Annotated[
        int, typer.Option(help="Look for faces in every k-th frame; follow them in between.", min=1)
    ] = 1,
    every: Annotated[
        float,
        typer.Option(
            help="Seconds from one frame that is read to the next, as in 0.5s.",
            parser=_seconds,
            metavar="SECONDS",
        ),
    ] = 0.0,
    fps_limit: Annotated[
        float, typer.Option(help="Read no more frames a second; 0 for no limit.", min=0.0)
    ] = 0.0,
    frames: Annotated[int, typer.Option(help="End after so many; 0 for never.", min=0)] = 0,
    smoothing: Annotated[
        float,
        typer.Option(help="Seconds over which probabilities are averaged; 0 for none.", min=0.0),
    ] = 0.26,
    json_to: Annotated[
        str, typer.Option("--json", help="JSON Lines into a file, or - for stdout.", metavar="FILE")
    ] = "",
    csv: Annotated[Path | None, typer.Option(help="A row a face into a CSV file.")] = None,
    mqtt: Annotated[
        str,
        typer.Option(
            help="Publish to mqtt://[user:password@]host[:port]/topic, or mqtts://.",
            metavar="URL",
            envvar="FER_EDGE_MQTT",  # a command line is seen by everybody on the machine
        ),
    ] = "",
    mqtt_ca: Annotated[
        Path | None, typer.Option(help="Who signed the broker's certificate: a PEM file.")
    ] = None,
    mqtt_changes: Annotated[
        bool,
        typer.Option("--mqtt-changes", help="Publish a frame only when faces or emotions change."),
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="Store frames with their faces drawn in: .avi or .mp4.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show it live on a page.")] = False,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="The page shows frames, not only boxes.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address that the page listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port; 0 for a free one.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help="What viewers have to know, where others reach the page.",
            show_default="random",
            envvar="FER_EDGE_TOKEN",
        ),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="Run CMD, without a shell, when a face becomes happy; also any=, none=, status=.",
            metavar="happy=CMD",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No lines on stdout.")] = False,
    give_up_after: Annotated[
        float,
        typer.Option(
            help="Seconds without a healthy frame after which it ends with exit code 4; 0: never.",
            min=0.0,
        ),
    ] = 60.0,
    frozen_after: Annotated[
        float | None,
        typer.Option(
            help="Seconds of the same picture after which a camera counts as frozen.",
            min=0.5,
            show_default="2; RTSP: 60",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Read faces and emotions live, until Ctrl-C. Needs no TensorFlow.

    Frames are never stored or sent unless --save or --images asks for it. A camera that hangs, goes
    away, or gives black or frozen pictures is reported and opened again.

    Example: `fer-edge camera`

    Example: `fer-edge camera --source 0 --preview --images`

    Example: `fer-edge camera --json - --every 0.5 | jq .faces`

    Example: `fer-edge camera --source clip.mp4 --detector yunet:FILE --save seen.avi`
    """
    from fer_edge.camera.capture import Retry
    from fer_edge.camera.loop import Pace
    from fer_edge.camera.session import Destinations, Origin, Reading, run_camera
    from fer_edge.catalog import default_model

    if images and not preview:
        raise typer.BadParameter("wants --preview.", param_hint="--images")
    if mqtt_changes and not mqtt:
        raise typer.BadParameter("wants --mqtt.", param_hint="--mqtt-changes")
    interval_s = max(every, 1 / fps_limit if fps_limit else 0.0)
    say = _say_on_stderr()
    ended = run_camera(
        Origin(
            source,
            _size(size),
            fps,
            Retry(give_up_after_s=give_up_after or float("inf")),
            frozen_after,
        ),
        Reading(
            model or default_model(), detector, detect_every, smoothing, Pace(interval_s, frames)
        ),
        Destinations(
            terminal=None if quiet or json_to == "-" else sys.stdout,
            json=sys.stdout if json_to == "-" else Path(json_to) if json_to else None,
            csv=csv,
            mqtt=mqtt,
            mqtt_changes_only=mqtt_changes,
            mqtt_ca=mqtt_ca,
            video=save,
            has_preview=preview,
            preview_host=host,
            preview_port=port,
            preview_token=token,
            rules=tuple(on or ()),
            shows_images=images,
            force=force,
        ),
        say=say,
    )
    read = ended.summary
    told = f"{read.n_read:,} frames read in {read.elapsed_s:.1f} s"
    say(f"{told}; {read.n_dropped:,} more were captured.")
    if ended.by == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


def _say_on_stderr() -> Callable[[str], None]:
    """Returns what writes a line to stderr, and drops it where nobody reads: the loop goes on."""
    from fer_edge.camera.lines import LineStream
    from fer_edge.errors import OutputError

    if sys.stderr is None or sys.stderr.closed:  # as after 2>&-
        return lambda _text: None
    lines = LineStream(sys.stderr, "messages", patience_s=0.0)

    def say(text: str) -> None:
        with contextlib.suppress(OutputError):
            lines.write(f"{text}\n")

    return say


def _size(text: str) -> tuple[int, int] | None:
    """Returns the width and height in `640x480`, None for nothing."""
    from fer_edge.errors import ConfigError

    found = ANY_SIZE.fullmatch(text)
    if text and not found:
        raise ConfigError(f"Expected --size as 640x480, found {text!r}.")
    return (int(found[1]), int(found[2])) if found else None
