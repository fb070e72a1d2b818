"""Documents to an MQTT broker. What cannot be sent yet waits, and the oldest of too many goes."""

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.broker import Broker, parse_broker
from fer_edge.camera.documents import shown, status_document, to_document, to_json
from fer_edge.camera.fanout import WaitingError
from fer_edge.camera.frames import Record, StatusRecord, now
from fer_edge.errors import ConfigError, MissingExtraError, OutputError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

N_WAITING = 1000
SLICE_S = 0.2  # that is waited before somebody is asked whether to wait on
KEEPALIVE_S = 15  # a broker that says nothing for one and a half of it is gone
LONGEST_RECONNECT_S = 30
FLUSH_S, GOODBYE_S, STOP_S = 0.5, 0.2, 0.2  # parts of the second that closing may take
OFFLINE = "The camera's process has ended, or cannot be reached."


@dataclass(frozen=True)
class _Message:
    """One document on its way: a status is kept by the broker and confirmed, a frame is neither."""

    payload: str
    is_status: bool


class Mqtt:
    """Publishes frames to TOPIC/faces (QoS 0) and statuses to TOPIC/status (QoS 1, retained).

    It connects by itself, and again and again. On TOPIC/status the broker keeps `online`, then the
    last status, and `offline` once the process has gone, by a last will if need be.

    Args:
        url: `mqtt://[user:password@]host[:port]/topic`, or `mqtts://` for TLS.
        emotions: The model's class names in label order.
        changes_only: Leave out frames that show the same faces with the same emotions as the last.
        ca_file: Of who signed the broker's certificate, where the system does not know them.
        n_waiting: Documents that are kept while they cannot be sent.

    Raises:
        ConfigError: The address is none, or the certificate's file cannot be used.
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(
        self,
        url: str,
        emotions: Sequence[str],
        *,
        changes_only: bool = False,
        ca_file: Path | None = None,
        n_waiting: int = N_WAITING,
    ) -> None:
        self._broker = parse_broker(url)
        self.name = f"mqtt {self._broker.url}"
        self._emotions, self._changes_only, self._n_waiting = emotions, changes_only, n_waiting
        self._changed = threading.Condition()  # guards all below
        self._waiting: deque[_Message] = deque()
        self._n_lost = 0
        self._shown: object = None
        self._last_status: _Message | None = None
        self._is_connected = self._is_closing = False
        self._trouble: str | None = None
        self._client = self._start(_make_client(self._broker, ca_file))
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()

    def connect(self, timeout_s: float, *, is_given_up: Callable[[], bool] = lambda: False) -> None:
        """Waits for the first attempt to connect, to tell of a wrong address or password at once.

        Args:
            timeout_s: For how long.
            is_given_up: Asked on the way whether to wait no longer, and to say nothing of it.

        Raises:
            OutputError: It failed, or there is no answer yet. The output is closed.
        """
        with self._changed:
            deadline = time.monotonic() + timeout_s
            while not (self._is_connected or self._trouble or time.monotonic() > deadline):
                if is_given_up():
                    return
                self._changed.wait(min(SLICE_S, timeout_s))
            if self._is_connected:
                return
            trouble = self._trouble or f"no answer within {timeout_s:g} s"
        self.close()
        raise OutputError(
            f"Cannot connect to {self._broker.url}: {trouble}. Expected an MQTT broker there; "
            "check host, port, user and password."
        )

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:  # noqa: ARG002
        """Puts a record's document where it waits to be sent.

        Raises:
            WaitingError: There is no connection, or more waits than is kept.
        """
        is_status = isinstance(record, StatusRecord)
        with self._changed:
            is_full = False
            if is_status or self._is_wanted(record):
                message = _Message(to_json(to_document(record, self._emotions)), is_status)
                self._last_status = message if is_status else self._last_status
                is_full = self._put(message)
            if is_full or (self._trouble and not self._is_connected):
                why = self._trouble or "the broker takes less than comes"
                raise WaitingError(
                    f"{why}. Up to {self._n_waiting} documents wait.", n_lost=self._n_lost
                )
            self._n_lost = 0

    def close(self) -> None:
        """Sends what waits and says goodbye, all within a second."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._sender.join(FLUSH_S)
        if self._is_connected:
            goodbye = self._publish_status(_offline("The camera's process has ended."))
            with contextlib.suppress(RuntimeError, ValueError):
                goodbye.wait_for_publish(GOODBYE_S)
        self._client.disconnect()
        # It may be in the middle of an attempt to connect, which takes longer than we have.
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(STOP_S)

    def _is_wanted(self, record: Any) -> bool:
        before, self._shown = self._shown, shown(record)
        return not self._changes_only or before != self._shown

    def _put(self, message: _Message) -> bool:
        """Lets a message wait; tells whether the oldest had to go for it."""
        is_full = len(self._waiting) >= self._n_waiting
        if is_full:
            self._waiting.popleft()
            self._n_lost += 1
        self._waiting.append(message)
        self._changed.notify_all()
        return is_full

    def _send_all(self) -> None:
        """Sends what waits, one at a time, until the output is closed."""
        while (message := self._next()) is not None:
            if not self._send(message):
                with self._changed:
                    if len(self._waiting) < self._n_waiting:
                        self._waiting.appendleft(message)
                    else:
                        self._n_lost += 1

    def _next(self) -> _Message | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closing or (self._is_connected and self._waiting)
            )
            can_send = self._is_connected and bool(self._waiting)
            return self._waiting.popleft() if can_send else None

    def _send(self, message: _Message) -> bool:
        """Tells whether a message went out; of a status, whether the broker has confirmed it.

        One at a time: behind a line that is stuck, paho would keep any number.
        """
        topic = f"{self._broker.topic}/faces"
        sent = (
            self._publish_status(message)
            if message.is_status
            else self._client.publish(topic, message.payload)
        )
        try:
            while not sent.is_published():
                sent.wait_for_publish(0.2)
                if self._is_closing and not self._is_connected:
                    return False
        except (RuntimeError, ValueError):  # the connection was lost meanwhile
            time.sleep(0.05)  # until it is known to be
            return False
        return True

    def _publish_status(self, message: _Message) -> Any:
        return self._client.publish(
            f"{self._broker.topic}/status", message.payload, qos=1, retain=True
        )

    def _start(self, client: "Client") -> "Client":
        """Has paho's thread connect, and again whenever that fails or ends."""
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.will_set(f"{self._broker.topic}/status", _offline(OFFLINE).payload, 1, retain=True)
        client.reconnect_delay_set(1, LONGEST_RECONNECT_S)
        client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        client.loop_start()
        return client

    def _on_connect(self, client: "Client", _: Any, __: Any, reason: Any, *___: Any) -> None:
        with self._changed:
            if reason.is_failure:
                self._trouble = f"the broker refused: {str(reason).lower()}"
            else:
                self._client = client  # this may run before the constructor has it
                self._greet()
                self._is_connected, self._trouble = True, None
            self._changed.notify_all()

    def _greet(self) -> None:
        """Says `online`, and again what `online` would hide: a status from before."""
        online = status_document("online", "The camera's process is connected.", now())
        self._publish_status(_Message(to_json(online), True))
        if self._last_status and not any(message.is_status for message in self._waiting):
            self._publish_status(self._last_status)

    def _on_connect_fail(self, *_: Any) -> None:
        reason = sys.exception()  # paho calls this from where it caught it
        with self._changed:
            self._trouble = f"no connection: {getattr(reason, 'strerror', None) or reason}"
            self._changed.notify_all()

    def _on_disconnect(self, _: Any, __: Any, ___: Any, reason: Any, *____: Any) -> None:
        with self._changed:
            if self._is_connected:  # else it is known why there was none
                self._trouble = f"the connection was lost: {str(reason).lower()}"
            self._is_connected = False
            self._changed.notify_all()


def _make_client(broker: Broker, ca_file: Path | None) -> "Client":
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as exc:
        raise MissingExtraError(
            "paho-mqtt", needed_for="publishing to an MQTT broker", extra="mqtt"
        ) from exc
    client = Client(CallbackAPIVersion.VERSION2)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.is_tls:
        try:
            client.tls_set(ca_certs=None if ca_file is None else str(ca_file))
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigError(
                f"Cannot use {ca_file} as the certificate of an authority: "
                f"{exc.strerror or exc}. Expected a PEM file."
            ) from exc
    return client


def _offline(message: str) -> _Message:
    return _Message(to_json(status_document("offline", message, now())), True)
