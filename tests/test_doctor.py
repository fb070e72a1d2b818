"""The doctor: what a tree of /proc and /sys tells of a board, and what is made of it."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fer_edge.board import (
    Throttling,
    decode_throttling,
    find_cameras,
    how_to_join,
    limits_memory,
    may_open,
    read_board,
    read_memory_bytes,
    read_page_bytes,
    read_release,
    read_temperature_c,
    read_throttling,
)
from fer_edge.camera.sources import resolve_source
from fer_edge.catalog import SHIPPED
from fer_edge.cli.doctor import doctor
from fer_edge.cli.options import guarded
from fer_edge.doctor import (
    Check,
    check_cameras,
    check_memory,
    check_model,
    check_numpy,
    check_opencv,
    check_system,
    check_throttling,
    examine,
)

PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n',
    "proc/self/smaps": "5500-5600 r-xp 0 00:00 0\nSize: 132 kB\nKernelPageSize:        4 kB\n",
    "proc/meminfo": "MemTotal:        3884952 kB\nMemFree: 1 kB\nMemAvailable:    3000000 kB\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/class/video4linux/video0/name": "unicam-image\n",
    "sys/class/video4linux/video0/index": "0\n",
    "sys/class/video4linux/video1/name": "unicam-embedded\n",
    "sys/class/video4linux/video1/index": "1\n",
    "sys/class/video4linux/video10/name": "bcm2835-codec-decode\n",
    "sys/class/video4linux/video10/index": "0\n",
    "sys/class/video4linux/video2/name": "HD Pro Webcam C920\n",
    "sys/class/video4linux/video2/index": "0\n",
    "dev/video0": "",
    "dev/video2": "",
}


def lay(root: Path, files: dict[str, str]) -> Path:
    """Writes files below a root, and returns it."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    return lay(tmp_path, PI_4)


def write_vcgencmd(root: Path, body: str) -> None:
    path = lay(root, {"usr/bin/vcgencmd": f"#!/bin/sh\n{body}\n"}) / "usr/bin/vcgencmd"
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("word", "now", "since_start"),
    [
        (0x0, (), ()),
        (0x1, ("under-voltage",), ()),
        (0x2, ("frequency capped",), ()),
        (0x4, ("throttled",), ()),
        (0x8, ("soft temperature limit",), ()),
        (0x10000, (), ("under-voltage",)),
        (0x20000, (), ("frequency capped",)),
        (0x40000, (), ("throttled",)),
        (0x80000, (), ("soft temperature limit",)),
        (0x50005, ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        (0xFFF0FFF0, (), ()),
    ],
)
def test_each_bit_of_throttling(
    word: int, now: tuple[str, ...], since_start: tuple[str, ...]
) -> None:
    assert decode_throttling(word) == Throttling(now, since_start)


def test_throttling_is_asked_of_the_firmwares_program_first(pi: Path) -> None:
    """Reading the kernel's file clears what has been since the start."""
    lay(pi, {"sys/devices/platform/soc/soc:firmware/get_throttled": "20002\n"})
    assert read_throttling(pi) == Throttling(("frequency capped",), ("frequency capped",))
    write_vcgencmd(pi, '[ "$*" = get_throttled ] && echo throttled=0x50000')
    assert read_throttling(pi) == Throttling((), ("under-voltage", "throttled"))


@pytest.mark.parametrize("answer", ["echo VCHI initialization failed", "exit 1"])
def test_a_board_that_does_not_tell_is_not_throttled_by_guess(answer: str, pi: Path) -> None:
    write_vcgencmd(pi, answer)
    assert read_throttling(pi) is None


def test_what_linux_tells(pi: Path) -> None:
    assert read_board(pi) == "Raspberry Pi 4 Model B Rev 1.4"
    assert read_release(pi)["PRETTY_NAME"] == "Debian GNU/Linux 12 (bookworm)"
    assert read_page_bytes(pi) == 4096
    assert read_memory_bytes(pi) == (3884952 * 1024, 3000000 * 1024)
    assert read_temperature_c(pi) == 48.312
    assert limits_memory(pi) is False


def test_an_empty_tree_tells_nothing(tmp_path: Path) -> None:
    assert (read_board(tmp_path), read_release(tmp_path)) == ("", {})
    assert read_page_bytes(tmp_path) is None
    assert read_memory_bytes(tmp_path) is None
    assert read_temperature_c(tmp_path) is None
    assert read_throttling(tmp_path) is None
    assert limits_memory(tmp_path) is None
    assert find_cameras(tmp_path) == []


def test_the_processors_heat_counts_and_not_the_first_zone(pi: Path) -> None:
    zones = "sys/class/thermal/thermal_zone"
    lay(pi, {f"{zones}0/type": "acpitz", f"{zones}0/temp": "20000"})
    lay(pi, {f"{zones}1/type": "cpu-thermal", f"{zones}1/temp": "-1500"})
    assert read_temperature_c(pi) == -1.5


def test_cameras_are_the_first_devices_of_what_is_no_codec(pi: Path) -> None:
    found = [(camera.device, camera.is_on_ribbon) for camera in find_cameras(pi)]
    assert found == [("/dev/video0", True), ("/dev/video2", False)]
    assert all(camera.is_allowed for camera in find_cameras(pi))
    (pi / "dev/video2").unlink()  # a container without the device
    assert [camera.is_allowed for camera in find_cameras(pi)] == [True, False]


def test_auto_is_the_first_webcam_that_may_be_used(pi: Path, tmp_path_factory: Any) -> None:
    assert resolve_source("auto", pi) == "/dev/video2"
    lay(pi, {"sys/class/video4linux/video4/name": "C270\n", "dev/video4": ""})
    assert resolve_source("auto", pi) == "/dev/video2"
    (pi / "dev/video2").unlink()
    assert resolve_source("auto", pi) == "/dev/video4"
    assert resolve_source("auto", tmp_path_factory.mktemp("bare")) == "0"
    assert resolve_source("7", pi) == "7"


@pytest.mark.parametrize(
    ("group", "says"), [(0, "chgrp video"), (1, "usermod -aG daemon $"), (54321, "-aG 54321 $")]
)
def test_how_a_device_becomes_ones_own(group: int, says: str) -> None:
    assert says in how_to_join(group)


@pytest.mark.parametrize(
    ("mode", "user", "groups", "may"),
    [
        (0o20660, 1000, {44}, True),  # in the group video
        (0o20660, 1000, {1000}, False),
        (0o20660, 7, {1000}, True),  # the owner
        (0o20640, 1000, {44}, False),  # may only read
        (0o20666, 1000, set[int](), True),
        (0o20600, 0, set[int](), True),
    ],
)
def test_who_may_open_a_camera(mode: int, user: int, groups: set[int], may: bool) -> None:
    assert may_open(mode, 7, 44, user, groups) == may


def states(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


@pytest.mark.parametrize(
    ("machine", "codename", "state"),
    [
        ("aarch64", "bookworm", "ok"),
        ("aarch64", "trixie", "ok"),
        ("aarch64", "bullseye", "warning"),
        ("armv6l", "bookworm", "problem"),
        ("x86_64", "noble", "ok"),
    ],
)
def test_the_system(machine: str, codename: str, state: str, pi: Path) -> None:
    lay(pi, {"etc/os-release": f"VERSION_CODENAME={codename}\n"})
    assert states(list(check_system(pi, machine)))["system"] == state


@pytest.mark.parametrize(("kib", "state"), [(4, "ok"), (16, "ok"), (64, "ok"), (256, "warning")])
def test_the_kernels_pages(kib: int, state: str, pi: Path) -> None:
    lay(pi, {"proc/self/smaps": f"KernelPageSize: {kib} kB\n"})
    assert states(list(check_system(pi, "aarch64")))["kernel pages"] == state


def test_a_ribbon_camera_without_picamera2_is_a_problem(pi: Path) -> None:
    """Nobody has picamera2 here, where the tests run."""
    checks = list(check_cameras(pi))
    assert states(checks) == {"camera": "ok", "picamera2": "problem"}
    assert "python3-picamera2" in checks[-1].advice


def test_no_camera_is_a_problem(tmp_path: Path) -> None:
    (check,) = check_cameras(tmp_path)
    assert (check.state, check.found) == ("problem", "none")


def test_a_device_that_may_not_be_opened_is_a_problem_unless_another_may(pi: Path) -> None:
    (pi / "dev/video0").unlink()
    assert [check.state for check in check_cameras(pi)][:2] == ["warning", "ok"]
    (pi / "dev/video2").unlink()
    assert [check.state for check in check_cameras(pi)][:2] == ["problem", "problem"]


def test_what_slows_a_board_down_is_said_once_with_what_to_do(pi: Path) -> None:
    write_vcgencmd(pi, "echo throttled=0x50005")
    lay(pi, {"sys/class/thermal/thermal_zone0/temp": "84000"})
    power, heat = check_throttling(pi)
    assert power.found == "under-voltage now, throttled now"
    assert power.advice.count("power supply") == 1
    assert (power.state, heat.state, heat.found) == ("warning", "warning", "84.0 °C")


def test_a_cool_board_with_good_power_is_well(pi: Path) -> None:
    write_vcgencmd(pi, "echo throttled=0x0")
    assert [(check.state, check.advice) for check in check_throttling(pi)] == [("ok", "")] * 2


@pytest.mark.parametrize(("kib", "state"), [(150_000, "warning"), (300_000, "ok")])
def test_memory(kib: int, state: str, pi: Path) -> None:
    lay(pi, {"proc/meminfo": f"MemTotal: 500000 kB\nMemAvailable: {kib} kB\n"})
    assert states(list(check_memory(pi)))["memory"] == state


def test_a_kernel_that_limits_no_memory_is_told_of(pi: Path) -> None:
    assert states(list(check_memory(pi)))["memory limit"] == "warning"
    lay(pi, {"sys/fs/cgroup/cgroup.controllers": "cpu io memory pids\n"})
    assert "memory limit" not in states(list(check_memory(pi)))


def test_the_model_really_runs(tmp_path: Path) -> None:
    check = check_model(str(SHIPPED / "small"))
    assert check.state == "ok"
    assert "XNNPACK" in check.found
    shutil.copyfile(SHIPPED / "small" / "int8.tflite", tmp_path / "int8.tflite")
    nameless = check_model(str(tmp_path / "int8.tflite"))  # the camera refuses it, too
    assert (nameless.state, "manifest.json" in nameless.advice) == ("problem", True)
    shutil.copyfile(SHIPPED / "small" / "manifest.json", tmp_path / "manifest.json")
    assert check_model(str(tmp_path)).state == "ok"
    (tmp_path / "int8.tflite").write_bytes(b"no model")
    broken = check_model(str(tmp_path))
    assert (broken.state, "int8.tflite" in broken.advice) == ("problem", True)


def test_opencv_and_its_cascade() -> None:
    assert check_opencv().state == "ok"


def test_a_numpy_that_hides_debians_is_told_of(pi: Path) -> None:
    assert check_numpy(pi).state == "ok"
    (pi / "usr/lib/python3/dist-packages/numpy").mkdir(parents=True)
    assert check_numpy(pi).state == "warning"


def test_all_of_a_board(pi: Path) -> None:
    write_vcgencmd(pi, "echo throttled=0x0")
    names = [check.name for check in examine(root=pi)]
    assert names == [
        "board",
        "system",
        "kernel pages",
        "Python",
        "camera",
        "camera",
        "picamera2",
        "model",
        "OpenCV",
        "NumPy",
        "power",
        "heat",
        "memory",
        "memory limit",
        "disk",
    ]


@pytest.mark.parametrize("option", ["--json", "--model=small"])
def test_the_command_exits_1_exactly_where_there_is_a_problem(option: str) -> None:
    app = typer.Typer()
    app.command()(guarded(doctor))
    done = CliRunner().invoke(app, [option])
    has_problem = '"problem"' in done.output or "problem  " in done.output
    assert done.exit_code == int(has_problem)
    if option == "--json":
        document = json.loads(done.stdout)
        assert document["kind"] == "doctor"
        assert document["ok"] is not has_problem
        assert {"name", "state", "found", "advice"} == document["checks"][0].keys()


def test_a_model_that_is_not_there_ends_with_1() -> None:
    app = typer.Typer()
    app.command()(guarded(doctor))
    done = CliRunner().invoke(app, ["--model", os.devnull])
    assert done.exit_code == 1
