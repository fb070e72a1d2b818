"""Whether a board can run the camera: what was found, how that is, and what to do about it."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fer_edge import board
from fer_edge.catalog import BOARDS, default_model
from fer_edge.contract import INPUT_SHAPE
from fer_edge.errors import FerEdgeError
from fer_edge.predictor import open_predictor
from fer_edge.runtime import runtime_version

State = Literal["ok", "warning", "problem"]

MIB = 2**20
LITTLE_MEMORY = 200 * MIB  # what the runner takes twice
LITTLE_DISK = 200 * MIB
HOT_C = 80.0  # where the firmware begins to slow the processor down
# Wheels for ARM are aligned to 64 KiB; kernels of boards have these.
PAGES = (4096, 16384, 65536)
DEBIAN = "usr/lib/python3/dist-packages"
IMPORT_TIMEOUT_S = 60
FACE = INPUT_SHAPE[:3]  # one, (1, 48, 48)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: `problem` where the runner cannot work like that.
        found: What is there.
        advice: What to do; "" where all is well.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def examine(model: str | None = None, root: Path = board.ROOT) -> list[Check]:
    """Returns what there is to know before the camera runs.

    Args:
        model: To try: as `fer-edge camera` takes it; the shipped one by default.
        root: Of /proc, /sys, /dev and /etc.
    """
    return [
        *check_system(root),
        check_python(),
        *check_cameras(root),
        check_model(model),
        check_opencv(),
        check_numpy(root),
        *check_throttling(root),
        *check_memory(root),
        check_disk(root),
    ]


def check_system(root: Path, machine: str = platform.machine()) -> Iterator[Check]:
    """Yields board, system and kernel."""
    name = board.read_board(root)
    yield Check("board", "ok", name or "no Raspberry Pi")
    release = board.read_release(root)
    system = f"{release.get('PRETTY_NAME', 'unknown system')}, {machine}"
    if machine == "armv6l":
        advice = "There is no runtime for ARMv6. The smallest board that works is a Pi Zero 2 W."
        yield Check("system", "problem", system, advice)
    elif machine in BOARDS and release.get("VERSION_CODENAME") not in ("bookworm", "trixie"):
        advice = "Put Raspberry Pi OS Bookworm or Trixie on the card: install.sh knows these."
        yield Check("system", "warning", system, advice)
    else:
        yield Check("system", "ok", system)
    pages = board.read_page_bytes(root)
    if pages not in (None, *PAGES):
        advice = "The wheels may not load; boot the system's own kernel."
        yield Check("kernel pages", "warning", f"{pages} bytes", advice)
    elif pages:
        yield Check("kernel pages", "ok", f"{pages // 1024} KiB")


def check_python() -> Check:
    """Returns the Python that runs."""
    return Check("Python", "ok", f"{platform.python_version()} in {sys.prefix}")


def check_cameras(root: Path) -> Iterator[Check]:
    """Yields each camera, and the library of those on the ribbon."""
    cameras = board.find_cameras(root)
    for camera in cameras:
        found = f"{camera.device}: {camera.name}"
        if camera.is_allowed:
            yield Check("camera", "ok", found)
        else:
            state: State = "warning" if any(c.is_allowed for c in cameras) else "problem"
            told = f"{found}, which this user may not open"
            yield Check("camera", state, told, board.how_to_join(camera.group).capitalize())
    on_ribbon = any(camera.is_on_ribbon for camera in cameras)
    if not cameras:
        advice = (
            "Plug a USB camera in, or push the ribbon's contacts to the socket's and lock it; then "
            "rpicam-hello --list-cameras has to show it. Films and pictures run without one."
        )
        yield Check("camera", "problem", "none", advice)
    if on_ribbon or board.read_board(root):
        yield check_picamera(needed=on_ribbon)


def check_picamera(*, needed: bool) -> Check:
    """Returns whether libcamera and picamera2 can be imported, tried in a process of its own.

    Args:
        needed: Whether a camera hangs on the ribbon.
    """
    program = "import libcamera, picamera2"
    try:  # apart: an extension that is built for another NumPy may crash
        done = subprocess.run(
            [sys.executable, "-s", "-c", program],
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
        trouble = (done.stderr.strip().splitlines() or ["it crashed"])[-1]
        if done.returncode == 0:
            return Check("picamera2", "ok", "libcamera and picamera2")
    except subprocess.TimeoutExpired:
        trouble = f"no answer in {IMPORT_TIMEOUT_S} s"
    advice = "sudo apt install python3-picamera2, and run ./install.sh again: its environment sees "
    advice += "Debian's packages. Cameras on USB need none of it."
    return Check("picamera2", "problem" if needed else "warning", trouble[:200], advice)


def check_model(model: str | None) -> Check:
    """Returns whether a model really runs, and by which kernels."""
    import numpy as np

    try:
        named = model or default_model()
        predictor = open_predictor(named, "none")
        total = float(predictor.classify(np.zeros(FACE, np.uint8)).sum())
    except FerEdgeError as exc:
        return Check("model", "problem", runtime_version(), str(exc))
    delegate = predictor.interpreter.delegate
    found = f"{named} runs on {runtime_version()}, delegate {delegate}"
    if not 0.9 < total < 1.1:
        advice = f"Its probabilities sum to {total:.2f}. Export the model again."
        return Check("model", "problem", found, advice)
    if delegate != "XNNPACK":
        advice = "It works, and slower than it could. " + (
            "The 32-bit runtime has no XNNPACK; a 64-bit system's has."
            if runtime_version().startswith("tflite-runtime")
            else "Without /proc/cpuinfo XNNPACK is off: see that the container shows it."
        )
        return Check("model", "warning", found, advice)
    return Check("model", "ok", found)


def check_opencv() -> Check:
    """Returns whether OpenCV and its face cascade are there."""
    import cv2

    from fer_edge.faces import HaarDetector

    found = f"{cv2.__version__} in {Path(cv2.__file__).parent}"
    try:
        HaarDetector()
    except FerEdgeError as exc:
        return Check("OpenCV", "problem", found, str(exc))
    return Check("OpenCV", "ok", f"{found}, with the face cascade")


def check_numpy(root: Path) -> Check:
    """Returns NumPy, and whether it hides the one that Debian's picamera2 is built for."""
    import numpy as np

    place = Path(np.__file__).resolve().parent
    debian = root / DEBIAN / "numpy"
    found = f"{np.__version__} in {place}"
    if debian.is_dir() and place != debian.resolve() and board.read_board(root):
        advice = f"It hides Debian's. Run: {sys.executable} -m pip uninstall numpy"
        return Check("NumPy", "warning", found, advice)
    return Check("NumPy", "ok", found)


def check_throttling(root: Path) -> Iterator[Check]:
    """Yields power and heat, where a board tells them."""
    advice = {
        "under-voltage": "Use the board's own power supply and a short cable.",
        "frequency capped": "Heat or power holds the processor back.",
        "throttled": "Heat or power holds the processor back.",
        "soft temperature limit": "Cool the board: a heat sink, a fan, air.",
    }
    throttling = board.read_throttling(root)
    if throttling:
        found = [f"{name} now" for name in throttling.now]
        found += [f"{n} since the start" for n in throttling.since_start if n not in throttling.now]
        told = dict.fromkeys(advice[n] for n in (*throttling.now, *throttling.since_start))
        state: State = "warning" if found else "ok"
        yield Check("power", state, ", ".join(found) or "never throttled", " ".join(told))
    temperature_c = board.read_temperature_c(root)
    if temperature_c is not None:
        is_hot = temperature_c >= HOT_C
        cool = advice["soft temperature limit"] if is_hot else ""
        yield Check("heat", "warning" if is_hot else "ok", f"{temperature_c:.1f} °C", cool)


def check_memory(root: Path) -> Iterator[Check]:
    """Yields memory, and whether a service's can be limited."""
    memory = board.read_memory_bytes(root)
    if memory:
        total, available = memory
        is_little = available < LITTLE_MEMORY
        found = f"{available // MIB} MiB of {total // MIB} MiB free"
        advice = "End other programs, or boot without the desktop." if is_little else ""
        yield Check("memory", "warning" if is_little else "ok", found, advice)
    if board.read_board(root) and board.limits_memory(root) is False:
        advice = "Add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and reboot."
        found = "off: the service's MemoryMax has no effect"
        yield Check("memory limit", "warning", found, advice)


def check_disk(root: Path) -> Check:
    """Returns the room on the card."""
    free = shutil.disk_usage(root).free
    advice = (
        "Make room: sudo apt clean, journalctl --vacuum-size=50M." if free < LITTLE_DISK else ""
    )
    return Check("disk", "warning" if advice else "ok", f"{free // MIB} MiB free", advice)
