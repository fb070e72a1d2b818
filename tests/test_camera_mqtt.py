"""Documents at a real MQTT broker: what arrives, what is kept, and what happens without it."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from fer_edge.camera.broker import Broker, parse_broker
from fer_edge.camera.fanout import Outputs, WaitingError
from fer_edge.camera.frames import Record
from fer_edge.camera.mqtt import Mqtt
from fer_edge.errors import ConfigError, MissingExtraError, OutputError
from tests.camera_records import EMOTIONS, FRAME_LINE, STATUS_LINE, check, face, frame, status

ENOUGH_S = 60.0
PASSWORD = "s3cret/@:#"  # noqa: S105  (of a broker on loopback, for the length of a test)
QUOTED = "s3cret%2F%40%3A%23"


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + ENOUGH_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Mosquitto:
    """A broker on loopback that can be stopped and started again."""

    def __init__(self, folder: Path, *settings: str) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            pytest.skip("mosquitto is not installed here (Debian: apt install mosquitto)")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}/home/kitchen"
        config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "user root", "log_dest none", *settings]
        config.write_text("\n".join(lines) + "\n")
        self.command = [program, "-c", str(config)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.answers)

    def answers(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    started = Mosquitto(tmp_path, "allow_anonymous true")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def locked_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """One that asks for a password."""
    started = Mosquitto(tmp_path, f"password_file {tmp_path / 'users'}")
    command = ["mosquitto_passwd", "-b", "-c", str(tmp_path / "users"), "maker", PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    started.start()
    yield started
    started.stop()


class Listener:
    """What somebody who listens at a broker hears."""

    def __init__(self, broker: Mosquitto, topic: str = "home/#") -> None:
        self.heard: list[tuple[str, bytes, int, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", broker.port)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.subscribe(topic, qos=1)
        self._client.loop_start()
        assert ready.wait(ENOUGH_S)

    def _hear(self, _: Any, __: Any, message: Any) -> None:
        self.heard.append((message.topic, message.payload, message.qos, message.retain))

    def of(self, topic: str) -> list[Any]:
        return [json.loads(payload) for at, payload, *_ in self.heard if at.endswith(topic)]

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def retained(broker: Mosquitto) -> list[str]:
    """Returns the events that the broker has kept for who comes later."""
    with Listener(broker) as listener:
        wait_for(lambda: listener.heard)  # what is said just now may be among it
        kept = [payload for _, payload, _, is_retained in listener.heard if is_retained]
        return [json.loads(payload)["event"] for payload in kept]


def test_what_arrives(broker: Mosquitto) -> None:
    with Listener(broker) as listener:
        output = Mqtt(broker.url, EMOTIONS)
        output.connect(ENOUGH_S)
        output.write(frame(face()))
        output.write(status())
        wait_for(lambda: len(listener.heard) == 3)
        output.close()
        wait_for(lambda: len(listener.heard) == 4)
    online, shown, stalled, offline = listener.heard
    assert shown == ("home/kitchen/faces", FRAME_LINE.encode(), 0, False)
    assert stalled == ("home/kitchen/status", STATUS_LINE.encode(), 1, False)
    for (topic, payload, qos, _), event in [(online, "online"), (offline, "offline")]:
        assert (topic, qos, json.loads(payload)["event"]) == ("home/kitchen/status", 1, event)
        check(json.loads(payload))
    assert retained(broker) == ["offline"]


def test_the_last_status_is_kept(broker: Mosquitto) -> None:
    output = Mqtt(broker.url, EMOTIONS)
    output.connect(ENOUGH_S)
    output.write(frame())
    wait_for(lambda: retained(broker) == ["online"])
    output.write(status())
    wait_for(lambda: retained(broker) == ["stalled"])
    output.close()


def test_a_killed_process_is_offline_by_its_will(broker: Mosquitto) -> None:
    script = (
        "import os\nfrom fer_edge.camera.mqtt import Mqtt\n"
        f"output = Mqtt({broker.url!r}, ['sad'])\noutput.connect(60)\ninput()\nos._exit(9)\n"
    )
    with (
        Listener(broker) as listener,
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process,
    ):
        wait_for(lambda: listener.of("status"))
        process.communicate(b"\n", ENOUGH_S)
        wait_for(lambda: len(listener.of("status")) == 2)
    last = listener.of("status")[1]
    check(last)
    assert (last["event"], process.returncode) == ("offline", 9)
    assert last["message"] == "The camera's process has ended, or cannot be reached."
    assert retained(broker) == ["offline"]


def test_changes_only(broker: Mosquitto) -> None:
    with Listener(broker) as listener:
        output = Mqtt(broker.url, EMOTIONS, changes_only=True)
        output.connect(ENOUGH_S)
        same = [frame(face(happy=0.7), number=n) for n in range(3)]
        rest: list[Record] = [frame(number=3), frame(number=4), frame(face(), number=5), status()]
        for record in [*same, *rest]:
            output.write(record)
        wait_for(lambda: len(listener.of("status")) == 2)
        output.close()
    assert [document["frame"] for document in listener.of("faces")] == [0, 3, 5]


def written(output: Mqtt, number: int) -> WaitingError | None:
    try:
        output.write(frame(number=number))
    except WaitingError as exc:
        return exc
    return None


def test_a_broker_that_goes_and_comes_back(broker: Mosquitto) -> None:
    output = Mqtt(broker.url, EMOTIONS, n_waiting=5)
    output.connect(ENOUGH_S)
    output.write(status())
    wait_for(lambda: retained(broker) == ["stalled"])
    broker.stop()
    wait_for(lambda: written(output, 0))
    last = [written(output, number) for number in range(1, 101)][-1]
    assert last is not None
    assert "Up to 5 documents wait." in str(last)
    assert last.n_lost >= 95  # 101 and more, of which five wait
    broker.start()
    with Listener(broker) as listener:
        wait_for(lambda: len(listener.of("faces")) == 5)
        assert [document["frame"] for document in listener.of("faces")] == [96, 97, 98, 99, 100]
        wait_for(lambda: written(output, 101) is None)
        wait_for(lambda: len(listener.of("faces")) >= 6)
    assert retained(broker) == ["stalled"]  # not the `online` of coming back
    output.close()
    assert retained(broker) == ["offline"]


def test_the_fan_out_tells_of_a_spell_once(broker: Mosquitto) -> None:
    said: list[str] = []
    output = Mqtt(broker.url, EMOTIONS)
    output.connect(ENOUGH_S)
    outputs = Outputs([output], say=said.append)
    outputs.write(frame())
    broker.stop()

    def turned(n: int) -> bool:
        outputs.write(frame())
        return len(said) == n

    wait_for(lambda: turned(1))
    for _ in range(20):
        assert turned(1)
    broker.start()
    wait_for(lambda: turned(2))
    outputs.close()
    assert said[0].startswith(f"mqtt {broker.url}: the connection was lost")
    assert said[1] == f"mqtt {broker.url} works again; nothing was lost."


def test_a_broker_that_comes_later_gets_what_waits(tmp_path: Path) -> None:
    late = Mosquitto(tmp_path, "allow_anonymous true")
    output = Mqtt(late.url, EMOTIONS)
    error = []
    wait_for(lambda: error.append(written(output, 0)) or error[-1])  # type: ignore[func-returns-value]
    assert "no connection: Connection refused" in str(error[-1])
    late.start()
    with Listener(late) as listener:
        wait_for(lambda: len(listener.of("faces")) == len(error))
    output.close()
    late.stop()


def test_a_broker_that_takes_nothing_blocks_nobody() -> None:
    """It says yes to the connection, then never reads again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        output = Mqtt(f"mqtt://127.0.0.1:{server.getsockname()[1]}/t", EMOTIONS, n_waiting=10)
        line, _ = server.accept()
        line.recv(1)
        line.sendall(b"\x20\x02\x00\x00")
        output.connect(ENOUGH_S)
        many = frame(*(face(number) for number in range(1, 200)))  # 20 KB
        errors = []
        wait_for(lambda: errors.append(fails(output, many)) or errors[-1])  # type: ignore[func-returns-value]
        assert "the broker takes less than comes" in str(errors[-1])
        assert len(output._waiting) == 10
        before = time.monotonic()
        output.close()
        assert time.monotonic() - before < 3  # a second is meant
        line.close()


def fails(output: Mqtt, record: Any) -> WaitingError | None:
    try:
        output.write(record)
    except WaitingError as exc:
        return exc
    return None


def test_a_password(locked_broker: Mosquitto) -> None:
    url = locked_broker.url.replace("//", f"//maker:{QUOTED}@")
    output = Mqtt(url, EMOTIONS)
    output.connect(ENOUGH_S)
    output.close()
    assert output.name == f"mqtt {locked_broker.url}"


@pytest.mark.parametrize("user", ["maker:wr0ng@", "stranger:wr0ng@", ""])
def test_who_is_not_let_in(user: str, locked_broker: Mosquitto) -> None:
    output = Mqtt(locked_broker.url.replace("//", f"//{user}"), EMOTIONS)
    with pytest.raises(OutputError, match=r"the broker refused: .*not auth") as caught:
        output.connect(ENOUGH_S)
    assert "wr0ng" not in f"{caught.value} {output.name} {output._broker}"
    assert str(caught.value).startswith(f"Cannot connect to {locked_broker.url}: ")


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("no-such-host.invalid", "no connection: "),
        ("127.0.0.1:1", "no connection: Connection refused"),
    ],
)
def test_where_no_broker_is(host: str, says: str) -> None:
    with pytest.raises(OutputError, match=rf"Cannot connect to mqtt://.*{says}"):
        Mqtt(f"mqtt://maker:wr0ng@{host}/t", EMOTIONS).connect(ENOUGH_S)


def test_who_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}/t"
        with pytest.raises(OutputError, match=r"no answer within 0.2 s"):
            Mqtt(url, EMOTIONS).connect(0.2)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of loopback that nobody but itself has signed; its key lies beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed here")
    made, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return made


def test_tls(certificate: Path, tmp_path: Path) -> None:
    key = certificate.with_name("key.pem")
    broker = Mosquitto(
        tmp_path, "allow_anonymous true", f"certfile {certificate}", f"keyfile {key}"
    )
    broker.start()
    url = broker.url.replace("mqtt", "mqtts", 1)
    # In a process of its own: paho leaves a line open when it refuses the certificate.
    script = f"from fer_edge.camera.mqtt import Mqtt; Mqtt({url!r}, ['sad']).connect(60)"
    refused = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert b"OutputError: Cannot connect to mqtts://127.0.0.1" in refused.stderr
    assert b"certificate verify failed" in refused.stderr
    with pytest.raises(ConfigError, match="Expected a PEM file"):
        Mqtt(url, EMOTIONS, ca_file=tmp_path / "absent.pem")
    with pytest.raises(ConfigError, match="Expected a PEM file"):
        Mqtt(url, EMOTIONS, ca_file=tmp_path / "mosquitto.conf")
    output = Mqtt(url, EMOTIONS, ca_file=certificate)
    output.connect(ENOUGH_S)
    output.close()
    broker.stop()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fer-edge\[mqtt\]'"):
        Mqtt("mqtt://127.0.0.1/t", EMOTIONS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker.local/faces", Broker(False, "broker.local", 1883, "faces")),
        ("mqtts://h/a/b/", Broker(True, "h", 8883, "a/b")),
        ("mqtt://u:p%40ss@h:77/a", Broker(False, "h", 77, "a", "u", "p@ss")),
        ("mqtt://u@[::1]/caf%C3%A9", Broker(False, "::1", 1883, "café", "u")),
    ],
)
def test_addresses(url: str, expected: Broker) -> None:
    assert parse_broker(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker.local/faces",
        "http://u:wr0ng@h/t",
        "mqtt://u:wr0ng@h",
        "mqtt://u:wr0ng@h/",
        "mqtt:///t",
        "mqtt://u:wr0ng@/t",
        "mqtt://:wr0ng@h/t",
        "mqtt://u:wr0ng@h:0/t",
        "mqtt://u:wr0ng@h:99999/t",
        "mqtt://u:wr0ng@h:port/t",
        "mqtt://u:wr0ng@[::1/t",
        "mqtt://u:wr0ng@h/a/#",
        "mqtt://u:wr0ng@h/a%23",
        "mqtt://u:wr0ng@h/a/+/b",
        "mqtt://u:wr0ng@h/a?qos=1",
        "mqtt://u:wr0ng@h/%00",
        "mqtt://u:wr0ng@h/" + "a" * 1001,
    ],
)
def test_addresses_that_name_no_broker(url: str) -> None:
    with pytest.raises(ConfigError, match=r"Expected mqtt://\[USER:PASSWORD@\]HOST") as caught:
        parse_broker(url)
    assert "wr0ng" not in str(caught.value)
