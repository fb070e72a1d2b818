"""What systemd is told: by a real socket, as sd_notify(3) has it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge.camera.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def test_states_arrive(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.say("READY=1", "STATUS=reading")
    notifier.show("two\nlines")
    notifier.show("two\nlines")
    assert heard(manager) == ["READY=1\nSTATUS=reading", "STATUS=two lines"]


def test_an_abstract_name() -> None:
    name = f"@fer-edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name[1:])
        listening.settimeout(5)
        Notifier({"NOTIFY_SOCKET": name}).say("STOPPING=1")
        assert listening.recv(64) == b"STOPPING=1"


def test_three_beats_a_period(manager: socket.socket) -> None:
    now = [100.0]
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "9000000"}
    notifier = Notifier(environment | {"WATCHDOG_PID": str(os.getpid())}, lambda: now[0])
    for _ in range(90):  # 9 s, ten rounds a second
        notifier.beat()
        now[0] += 0.1
    assert heard(manager) == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"},
    ],
    ids=["no watchdog", "none asked for", "no number", "another process's"],
)
def test_no_beat_is_sent_where_nobody_waits(
    environment: dict[str, str], manager: socket.socket
) -> None:
    Notifier({"NOTIFY_SOCKET": manager.getsockname(), **environment}).beat()
    assert heard(manager) == []


@pytest.mark.parametrize("name", ["", "/nowhere/at/all"])
def test_without_a_manager_nothing_happens(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1"})
    notifier.say("READY=1")
    notifier.beat()


def test_a_manager_that_does_not_read_holds_nothing_up(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    for number in range(5000):
        notifier.say(f"STATUS={number}")
    assert 0 < len(heard(manager)) < 5000
