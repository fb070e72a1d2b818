"""The preview's server: what it sends, whom it lets in, how many, and how it ends."""

import http.client
import json
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from fer_edge.camera import latest
from fer_edge.camera.latest import Latest, Seen
from fer_edge.camera.preview import Preview
from fer_edge.camera.preview_server import N_CONNECTIONS, N_VIEWERS
from fer_edge.errors import ConfigError
from tests.camera_records import (
    EMOTIONS,
    FRAME_LINE,
    STATUS_LINE,
    face,
    frame,
    picture,
    status,
)

ENOUGH_S = 60.0
TOKEN = "a-token_of_24-characters"  # noqa: S105  (of a server on loopback, for a test's length)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + ENOUGH_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def previewing(**options: Any) -> Iterator[Preview]:
    preview = Preview(EMOTIONS, **{"port": 0, **options})
    try:
        yield preview
    finally:
        preview.close()


@pytest.fixture
def preview() -> Iterator[Preview]:
    """One that shows frames."""
    with previewing(shows_images=True) as made:
        yield made


def ask(
    preview: Preview, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Sends a request that is answered at once, and returns the answer."""
    connection = http.client.HTTPConnection(urlsplit(preview.url).netloc, timeout=ENOUGH_S)
    connection.request(method, path, headers=dict(headers or {}))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


class Viewer:
    """Somebody who watches a stream: `read` returns what came, up to and with an end."""

    def __init__(self, preview: Preview, path: str, headers: str = "") -> None:
        parts = urlsplit(preview.url)
        self.line = socket.create_connection((parts.hostname, parts.port), timeout=ENOUGH_S)
        self.line.sendall(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n{headers}\r\n".encode())
        self.file = self.line.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = http.client.parse_headers(self.file)

    def event(self) -> tuple[str, str]:
        name, data, _ = (self.file.readline().decode().rstrip("\n") for _ in range(3))
        return name.removeprefix("event: "), data.removeprefix("data: ")

    def jpeg(self) -> bytes:
        length = 0
        while (line := self.file.readline().strip()) or not length:
            if line.startswith(b"Content-Length: "):
                length = int(line.split()[1])
        return self.file.read(length)

    @property
    def has_more(self) -> bool:
        return bool(select.select([self.line], [], [], 0.3)[0])

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.line.close()


@pytest.mark.parametrize(
    ("path", "kind", "begins"),
    [
        ("/", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/index.html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/preview.js", "text/javascript; charset=utf-8", b"// The preview page"),
        ("/preview.css", "text/css; charset=utf-8", b"/* Warm paper"),
        ("/icon.svg", "image/svg+xml", b"<svg"),
    ],
)
def test_the_page(path: str, kind: str, begins: bytes, preview: Preview) -> None:
    code, content, headers = ask(preview, path)
    assert (code, headers["Content-Type"], content[: len(begins)]) == (200, kind, begins)
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "path", ["/preview.py", "/preview.html", "/../preview.py", "/%2e%2e/null", "/frames.py", "/x"]
)
def test_there_are_no_other_files(path: str, preview: Preview) -> None:
    assert ask(preview, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_taken_in(method: str, preview: Preview) -> None:
    assert ask(preview, "/", method)[0] == 501


# Events


def test_events_are_the_documents(preview: Preview) -> None:
    preview.write(status())
    with Viewer(preview, "/events") as viewer:
        assert viewer.headers["Content-Type"] == "text/event-stream"
        assert viewer.event() == ("hello", '{"emotions": ["sad", "happy"], "images": true}')
        assert viewer.event() == ("status", STATUS_LINE)  # of before it came
        preview.write(frame(face()), picture())
        assert viewer.event() == ("frame", FRAME_LINE)
        preview.write(status())
        assert viewer.event() == ("status", STATUS_LINE)
        preview.close()
        assert viewer.event() == ("end", "{}")
        assert viewer.file.read() == b""


def test_the_last_words_come_before_the_end(preview: Preview) -> None:
    with Viewer(preview, "/events") as viewer:
        viewer.event()
        preview.write(frame(face()))
        preview.write(status())
        preview.close()
        rest: list[str] = []
        while not rest or rest[-1] != "end":
            rest.append(viewer.event()[0])
    assert sorted(rest) == ["end", "frame", "status"]


def test_who_is_slow_misses_frames_and_few_statuses() -> None:
    newest = Latest(EMOTIONS)
    for number in range(1000):
        newest.put(frame(number=number), None)
        newest.put(status(str(number)), None)
    seen, records = newest.news(Seen(), 0)
    assert [getattr(item, "message", None) for item in records[:-1]] == [
        str(number) for number in range(980, 1000)
    ]
    assert records[-1].frame == 999  # type: ignore[union-attr]
    assert newest.news(seen, 0.01) == (seen, [])
    newest.put(frame(number=1000), None)
    assert [getattr(item, "frame", None) for item in newest.news(seen, 0)[1]] == [1000]


# Pictures


def test_pictures_have_the_faces_drawn_in(preview: Preview) -> None:
    with Viewer(preview, "/stream.mjpg") as viewer:
        assert viewer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        for faces in [(), (face(),)]:
            preview.write(frame(*faces), picture(240, 320))
            shown = cv2.imdecode(np.frombuffer(viewer.jpeg(), np.uint8), cv2.IMREAD_COLOR)
            assert shown is not None
            assert shown.shape == (240, 320, 3)
            is_drawn = np.abs(shown.astype(int) - 90).max() > 40
            assert is_drawn == bool(faces)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures were encoded, as a list of their widths; the encoder itself is real."""
    widths: list[int] = []
    encode = latest._encode

    def noted(image: Any) -> bytes:
        widths.append(image.shape[1])
        return encode(image)

    monkeypatch.setattr(latest, "_encode", noted)
    return widths


def test_pictures_are_encoded_for_viewers_and_once(preview: Preview, encoded: list[int]) -> None:
    for _ in range(10):
        preview.write(frame(), picture())
    assert encoded == []
    with Viewer(preview, "/stream.mjpg") as one, Viewer(preview, "/stream.mjpg") as two:
        assert one.jpeg() == two.jpeg()  # the newest of before
        for n in range(2, 5):
            preview.write(frame(), picture())
            assert one.jpeg() == two.jpeg()
            assert len(encoded) == n
    wait_for(lambda: not any(viewers()))
    preview.write(frame(), picture())
    time.sleep(0.1)
    assert len(encoded) == 4


def viewers() -> list[threading.Thread]:
    """Returns the threads that answer somebody now."""
    return [thread for thread in threading.enumerate() if "process_request" in thread.name]


def test_a_viewer_that_does_not_read_gets_the_newest_later(
    preview: Preview, encoded: list[int]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)  # over 300 KB
    with Viewer(preview, "/stream.mjpg") as viewer:
        for number in range(200):
            preview.write(frame(number=number), noise)
            time.sleep(0.002)
        assert len(encoded) < 150  # else all 60 MB went somewhere
        small = picture()
        preview.write(frame(number=200), small)
        while True:
            jpeg = viewer.jpeg()
            shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert shown is not None
            if shown.shape == small.shape:
                break


def test_no_picture_leaves_unless_that_was_asked_for(encoded: list[int]) -> None:
    with previewing() as preview:
        preview.write(frame(face()), picture())
        assert ask(preview, "/stream.mjpg")[0] == 404
        assert ask(preview, "/stream.mjpg", "HEAD")[0] == 404
        assert preview._latest._picture is None
        with Viewer(preview, "/events") as viewer:
            assert json.loads(viewer.event()[1])["images"] is False
    assert encoded == []


# Who is let in


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("evil.example:{port}", 403),
        ("127.0.0.1.evil.example:{port}", 403),
        ("127.0.0.1", 403),
        ("localhost:1", 403),
        ("192.168.0.7:{port}", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/preview.js", "/events"])
def test_a_name_that_was_made_to_mean_loopback(
    path: str, host: str, code: int, preview: Preview
) -> None:
    host = host.format(port=urlsplit(preview.url).port)
    answer = ask(preview, path, "HEAD", {"Host": host})
    assert answer[0] == code
    if path == "/" and code == 403:
        assert b"fer-edge" not in ask(preview, path, "GET", {"Host": host})[1]


@pytest.fixture(scope="module")
def open_preview() -> Iterator[Preview]:
    """One that others on the network reach; all that ask it leave it as it is."""
    with previewing(host="0.0.0.0", token=TOKEN, shows_images=True) as made:  # noqa: S104
        yield made


@pytest.mark.parametrize("path", ["/", "/preview.css", "/events", "/stream.mjpg", "/absent"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("query", "cookie"),
    [
        ("", ""),
        ("?token=", ""),
        ("?token=a-token_of_24-character", ""),
        ("?token=a-token_of_24-characters2", ""),
        ("?token=%C3%A9", ""),
        ("?other=a-token_of_24-characters", ""),
        ("", "{cookie}="),
        ("", "{cookie}=a-token_of_24-characterz"),
        ("", "fer_edge_preview_1=a-token_of_24-characters"),
        ("", "{cookie}=\x7f\xe9; =;;,"),
    ],
)
def test_without_the_token_nothing_is_told(
    path: str, method: str, query: str, cookie: str, open_preview: Preview
) -> None:
    name = f"fer_edge_preview_{urlsplit(open_preview.url).port}"
    headers = {"Cookie": cookie.format(cookie=name)} if cookie else {}
    code, content, answered = ask(open_preview, path + query, method, headers)
    assert code == 403
    assert "Set-Cookie" not in answered
    assert answered["Content-Security-Policy"] == POLICY
    assert TOKEN.encode() not in content
    assert (b"Open the address with its token" in content) == (method == "GET")


def test_the_token_is_given_once_and_kept_in_a_cookie(open_preview: Preview) -> None:
    parts = urlsplit(open_preview.url)
    assert parts.query == f"token={TOKEN}"
    code, _, headers = ask(open_preview, f"/?{parts.query}")
    assert code == 200
    name = f"fer_edge_preview_{parts.port}"
    assert headers["Set-Cookie"] == f"{name}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    kept = f"other=1; {name}={TOKEN}"
    code, _, headers = ask(open_preview, "/preview.js", headers={"Cookie": kept})
    assert (code, "Set-Cookie" in headers) == (200, False)
    with Viewer(open_preview, "/events", f"Cookie: {kept}\r\n") as viewer:
        assert viewer.event()[0] == "hello"
    # By whatever name it is reached: who knows the token is no page from elsewhere.
    answer = ask(open_preview, "/", headers={"Host": "kitchen.local", "Cookie": kept})
    assert answer[0] == 200


def test_a_token_is_made_where_others_reach_it() -> None:
    with previewing(host="0.0.0.0") as one, previewing(host="0.0.0.0") as two:  # noqa: S104
        tokens = {urlsplit(made.url).query.removeprefix("token=") for made in (one, two)}
        assert not one.is_loopback
        assert one.name == f"preview {one.url.partition('?')[0]}"
    assert len(tokens) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_loopback_asks_for_a_token_if_told_to() -> None:
    with previewing(token=TOKEN) as preview:
        assert preview.is_loopback
        assert ask(preview, "/")[0] == 403
        assert ask(preview, f"/?token={TOKEN}")[0] == 200


@pytest.mark.parametrize("token", ["", "short", "with space in the middle", "a" * 300, "é" * 20])
def test_tokens_that_are_none(token: str) -> None:
    with pytest.raises(ConfigError, match="at least 16 letters"):
        Preview(EMOTIONS, port=0, token=token)


# How many


@pytest.mark.parametrize("path", ["/events", "/stream.mjpg"])
def test_four_may_watch(path: str, preview: Preview) -> None:
    watching = [Viewer(preview, path) for _ in range(N_VIEWERS)]
    assert [viewer.status for viewer in watching] == [200] * 4
    code, content, _ = ask(preview, path)
    assert code == 503
    assert b"4 viewers are watching already" in content
    assert ask(preview, path, "HEAD")[0] == 503
    assert ask(preview, "/")[0] == 200
    with watching.pop():  # one goes, which is noticed though no frame comes
        pass

    def may_watch() -> bool:
        with Viewer(preview, path) as viewer:
            return viewer.status == 200

    wait_for(may_watch)
    for viewer in watching:
        with viewer:
            pass


def test_who_only_connects_does_not_use_it_up(preview: Preview) -> None:
    parts = urlsplit(preview.url)
    silent = [
        socket.create_connection((parts.hostname, parts.port), timeout=ENOUGH_S)
        for _ in range(N_CONNECTIONS + 10)
    ]
    wait_for(lambda: sum(bool(select.select([line], [], [], 0)[0]) for line in silent) == 10)
    assert len(viewers()) == N_CONNECTIONS
    for line in silent:
        line.close()
    wait_for(lambda: not viewers())
    assert ask(preview, "/")[0] == 200


# Where it listens, and how it ends


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("127.0.0.1", None, "Address already in use"),
        ("192.0.2.1", 0, "Cannot assign|cannot listen on '192.0.2.1'"),
        ("a..b", 0, "cannot listen on 'a..b'"),
        ("127.0.0.1", 70000, "cannot listen on '127.0.0.1', port 70000"),
    ],
)
def test_where_it_cannot_listen(host: str, port: int | None, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if port is None else port
        with pytest.raises(ConfigError, match=says):
            Preview(EMOTIONS, host=host, port=port)


def test_closing_ends_viewers_and_frees_the_port() -> None:
    preview = Preview(EMOTIONS, port=0, shows_images=True)
    port = urlsplit(preview.url).port
    with Viewer(preview, "/events") as events, Viewer(preview, "/stream.mjpg") as pictures:
        before = time.monotonic()
        preview.close()
        assert time.monotonic() - before < 5  # a second is meant
        events.file.read()
        pictures.file.read()
    Preview(EMOTIONS, port=port or 0).close()
