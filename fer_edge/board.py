"""What Linux tells of a small board: its name, heat, throttling, memory and cameras.

Everything is read below a root, so that a tree of files is a board. Nothing is judged here.
"""

import grp
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
VCGENCMD = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")
FIRMWARE = "sys/devices/platform/soc*/soc*firmware/get_throttled"
TIMEOUT_S = 5

# Bits of `vcgencmd get_throttled`; each stands 16 higher for what has been since the start.
# Source: Raspberry Pi documentation, "vcgencmd".
THROTTLING = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
SINCE_START = 16

# Devices of a Raspberry Pi that take or give video and are no cameras.
NO_CAMERAS = ("bcm2835-codec", "bcm2835-isp", "pispbe", "rpivid", "rpi-hevc-dec", "vc4-")
RIBBON = ("unicam", "rp1-cfe")  # what receives from a camera on the ribbon


@dataclass(frozen=True)
class Throttling:
    """What slows a board down, in words of `THROTTLING`.

    Attributes:
        now: What does.
        since_start: What did at least once.
    """

    now: tuple[str, ...]
    since_start: tuple[str, ...]


@dataclass(frozen=True)
class Camera:
    """A device that gives frames.

    Attributes:
        device: As in `/dev/video0`.
        name: What its driver calls it.
        is_on_ribbon: Whether it is a Raspberry Pi's own and wants libcamera.
        is_allowed: Whether this user may open it.
        group: Whose members may, as a number.
    """

    device: str
    name: str
    is_on_ribbon: bool
    is_allowed: bool
    group: int


def read_board(root: Path = ROOT) -> str:
    """Returns the board's name, as `Raspberry Pi 4 Model B Rev 1.4`; "" where there is none."""
    return read_text(root / "proc/device-tree/model").rstrip("\0").strip()


def read_release(root: Path = ROOT) -> dict[str, str]:
    """Returns the fields of `os-release`, without their quotes."""
    lines = read_text(root / "etc/os-release").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def read_page_bytes(root: Path = ROOT) -> int | None:
    """Returns the size of the kernel's pages: 4096, and 16384 on a Pi 5; None where unknown."""
    return _kib(root / "proc/self/smaps", "KernelPageSize")


def read_memory_bytes(root: Path = ROOT) -> tuple[int, int] | None:
    """Returns the memory that there is, and what programs can still get; None where unknown."""
    meminfo = root / "proc/meminfo"
    total, available = _kib(meminfo, "MemTotal"), _kib(meminfo, "MemAvailable")
    return None if total is None or available is None else (total, available)


def limits_memory(root: Path = ROOT) -> bool | None:
    """Tells whether the kernel can limit a service's memory; None where control groups are old."""
    controllers = read_text(root / "sys/fs/cgroup/cgroup.controllers").split()
    return "memory" in controllers if controllers else None


def read_temperature_c(root: Path = ROOT) -> float | None:
    """Returns the processor's temperature in °C; None where nothing measures it."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    zones.sort(key=lambda zone: "cpu" not in read_text(zone / "type"))  # stable: zone 0 is next
    for zone in zones:
        text = read_text(zone / "temp").strip()
        if text.removeprefix("-").isdecimal():
            return int(text) / 1000
    return None


def read_throttling(root: Path = ROOT) -> Throttling | None:
    """Returns what slows a board down; None where nothing tells, as away from a Raspberry Pi."""
    text = _ask_firmware(root).strip().removeprefix("throttled=")
    try:
        return decode_throttling(int(text, 16))
    except ValueError:
        return None


def decode_throttling(word: int) -> Throttling:
    """Returns what the bits of `vcgencmd get_throttled` mean."""

    def named(first: int) -> tuple[str, ...]:
        return tuple(name for bit, name in enumerate(THROTTLING) if word >> first + bit & 1)

    return Throttling(named(0), named(SINCE_START))


def find_cameras(root: Path = ROOT) -> list[Camera]:
    """Returns what gives frames, by V4L2; one entry for each device, so several for a camera."""
    found = []
    for entry in sorted((root / "sys/class/video4linux").glob("video*"), key=_number):
        name = read_text(entry / "name").strip()
        if name.startswith(NO_CAMERAS) or _index(entry) > 0:
            continue
        is_allowed, group = _permission(root / "dev" / entry.name)
        is_on_ribbon = name.startswith(RIBBON)
        found.append(Camera(f"/dev/{entry.name}", name, is_on_ribbon, is_allowed, group))
    return found


def may_open(mode: int, owner: int, group: int, user: int, groups: set[int]) -> bool:
    """Tells whether a user may read and write a file.

    Args:
        mode: The file's.
        owner: The file's.
        group: The file's.
        user: Who asks; 0 may all.
        groups: That the user is in.
    """
    both = stat.S_IROTH | stat.S_IWOTH
    shift = 6 if user == owner else 3 if group in groups else 0
    return user == 0 or mode >> shift & both == both


def group_name(group: int) -> str:
    """Returns a group's name; its number where it has none here, as in containers."""
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def how_to_join(group: int) -> str:
    """Returns what lets a user open what belongs to a group."""
    name = group_name(group)
    if group == 0:
        return f"its group is {name}, which nobody should join: give it to another with chgrp video"
    return f"its group is {name}. Run: sudo usermod -aG {name} $USER, then log in again"


def read_text(path: Path) -> str:
    """Returns a file's text; "" where it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _permission(device: Path) -> tuple[bool, int]:
    try:
        found = device.stat()
    except OSError:  # in a container, which has /sys but not the device
        return False, -1
    groups = {os.getegid(), *os.getgroups()}
    return may_open(found.st_mode, found.st_uid, found.st_gid, os.geteuid(), groups), found.st_gid


def _ask_firmware(root: Path) -> str:
    # The program first: reading the kernel's file clears what has been since the start.
    for program in VCGENCMD:
        if (path := root / program).is_file():
            try:
                return subprocess.run(
                    [str(path), "get_throttled"],
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT_S,
                    check=False,
                ).stdout
            except (OSError, subprocess.TimeoutExpired):
                break
    return next((read_text(path) for path in root.glob(FIRMWARE)), "")


def _kib(path: Path, name: str) -> int | None:
    """Returns the first `name: 12 kB` of a file of /proc, in bytes."""
    for line in read_text(path).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return None


def _number(entry: Path) -> int:
    digits = entry.name.removeprefix("video")
    return int(digits) if digits.isdecimal() else 0


def _index(entry: Path) -> int:
    """Returns the number of a device among those of its camera; the first gives the frames."""
    text = read_text(entry / "index").strip()
    return int(text) if text.isdecimal() else 0
