"""Tells systemd that the service runs, and that its loop still turns.

Does nothing where no service manager listens. Source of the protocol: sd_notify(3).
"""

import os
import socket
import time
from collections.abc import Callable, Mapping

BEATS = 3  # in the time after which systemd gives the service up


class Notifier:
    """Sends states to the socket that the service manager named.

    Args:
        environment: Where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked for.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval_s = _watchdog_s(environment) / BEATS
        self._next_beat = clock()
        self._last = ""

    def say(self, *states: str) -> None:
        """Sends states such as `READY=1`; a manager that does not listen is none of our trouble."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            try:
                channel.sendto("\n".join(states).encode(), self._address)
            except OSError:
                return

    def show(self, status: str) -> None:
        """Sends the line that `systemctl status` shows, where it is another than the last."""
        if status != self._last:
            self._last = status
            self.say(f"STATUS={' '.join(status.split())}")

    def beat(self) -> None:
        """Says that the loop turns; called in every round, sent a few times a watchdog's period."""
        if self._interval_s and self._clock() >= self._next_beat:
            self._next_beat = self._clock() + self._interval_s
            self.say("WATCHDOG=1")


def _address(name: str) -> str:
    """Returns what a datagram is sent to; `@` stands for the NUL of an abstract name."""
    return "\0" + name[1:] if name.startswith("@") else name


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Returns how long the manager waits for a beat, in seconds; 0 for ever."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    period = environment.get("WATCHDOG_USEC", "0")
    return int(period) / 1e6 if period.isdecimal() else 0.0
