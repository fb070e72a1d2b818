"""The preview's HTTP: who is let in, the page, its pictures and its events."""

import contextlib
import ipaddress
import json
import os
import secrets
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fer_edge.camera.documents import to_document, to_json
from fer_edge.camera.latest import Latest, Seen
from fer_edge.site import Handler, Server, Site, url_of

STREAMS = (PICTURES, EVENTS) = ("/stream.mjpg", "/events")
N_VIEWERS = 4
N_CONNECTIONS = 32
POLL_S = 1.0  # after which a viewer that left is noticed while nothing comes
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_BESIDE = Path(__file__).with_name("preview.html")
FILES = {"index.html": ".html", "preview.js": ".js", "preview.css": ".css", "icon.svg": ".svg"}
_NOWHERE = Path(os.devnull)  # a folder of no files: the page has these four and no others


class PreviewServer(Server):
    """Serves the page, and the newest of everything to up to four viewers.

    Args:
        latest: What is new.
        emotions: The model's class names in label order.
        host: Name or address to listen on.
        port: 0 for a free one.
        shows_images: Whether frames may be seen, and not only what was read in them.
        token: What viewers have to know; None to make one where others reach the address, and to
            ask for none on loopback.

    Raises:
        OSError: It cannot listen there.
    """

    def __init__(
        self,
        latest: Latest,
        emotions: Sequence[str],
        *,
        host: str,
        port: int,
        shows_images: bool,
        token: str | None,
    ) -> None:
        files = {name: _BESIDE.with_suffix(suffix).read_bytes() for name, suffix in FILES.items()}
        super().__init__(Site(_NOWHERE, files, HEADERS), host, port, _Viewer)
        self.latest, self.emotions, self.shows_images = latest, emotions, shows_images
        self.address = str(self.server_address[0])
        self.is_loopback = ipaddress.ip_address(self.address).is_loopback
        self.token = token if token or self.is_loopback else secrets.token_urlsafe()
        self.cookie = f"fer_edge_preview_{self.server_port}"  # cookies do not know ports
        self.watching: list[str] = []  # the stream of each viewer that watches one
        self.lock = threading.Lock()  # guards it
        self._connections = threading.Semaphore(N_CONNECTIONS)

    @property
    def url(self) -> str:
        """What to open on this machine, with the token."""
        query = f"?token={self.token}" if self.token else ""
        return url_of(self.address, self.server_port) + query

    @property
    def hosts(self) -> set[str]:
        """What browsers that mean a loopback address call this server."""
        own = urlsplit(url_of(self.address, self.server_port)).netloc
        port = self.server_port
        return {own, *(f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]"))}

    def serve_forever(self, poll_interval: float = 0.1) -> None:
        """Answers until `shutdown`, which has to be quick: an output may take a second to close."""
        super().serve_forever(poll_interval)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread, unless too many are connected already."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers, and makes room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()


class _Viewer(Handler):
    """Answers one request of a viewer that is let in."""

    server: PreviewServer
    timeout = 10  # seconds that a viewer may say nothing, or take for one picture

    def do_GET(self) -> None:
        """Sends a file of the page, or pictures or events for as long as they come."""
        if not self._is_let_in():
            return
        if self._path not in STREAMS:
            super().do_GET()
            return
        with self._room() as has_room:
            if has_room and self._path == PICTURES:
                self._send_pictures()
            elif has_room:
                self._send_events()

    def do_HEAD(self) -> None:
        """Sends what the answer to GET begins with: so a page learns why it gets no events."""
        if not self._is_let_in():
            return
        if self._path not in STREAMS:
            super().do_HEAD()
            return
        with self._room() as has_room:
            if has_room:
                self.send_response(HTTPStatus.OK)
                self.end_headers()

    def end_headers(self) -> None:
        """Ends the headers, with the cookie for who brought the token in the address."""
        if self._token and _is_same(self._token, self.server.token):
            self.send_header(
                "Set-Cookie",
                f"{self.server.cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/",
            )
        super().end_headers()

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    @property
    def _token(self) -> str | None:
        """What the address gives as the token."""
        path = getattr(self, "path", "")  # a request may be refused before it has one
        tokens = parse_qs(path.partition("?")[2]).get("token")
        return tokens[0] if tokens else None

    def _is_let_in(self) -> bool:
        """Tells whether to answer; else it has answered already."""
        server = self.server
        if server.is_loopback and self.headers.get("Host", "").lower() not in server.hosts:
            # A page from elsewhere whose name was made to mean this machine.
            self._refuse(f"This server is called {', '.join(sorted(server.hosts))}.")
            return False
        if server.token is None:
            return True
        if _is_same(self._token, server.token) or _is_same(self._known(), server.token):
            return True
        self._refuse("Open the address with its token, as it was printed at the start.")
        return False

    def _known(self) -> str | None:
        """Returns the token that the viewer's cookie holds."""
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return None
        return cookies[self.server.cookie].value if self.server.cookie in cookies else None

    def _refuse(self, why: str) -> None:
        self.send_error(HTTPStatus.FORBIDDEN, explain=why)

    @contextlib.contextmanager
    def _room(self) -> Iterator[bool]:
        """Yields whether one more viewer of this stream is taken; else it has answered already."""
        if self._path == PICTURES and not self.server.shows_images:
            self.send_error(HTTPStatus.NOT_FOUND, explain="Frames stay with the camera.")
            yield False
            return
        with self.server.lock:
            has_room = self.server.watching.count(self._path) < N_VIEWERS
            if has_room:
                self.server.watching.append(self._path)
        if not has_room:
            self.send_error(
                HTTPStatus.SERVICE_UNAVAILABLE, explain=f"{N_VIEWERS} viewers are watching already."
            )
            yield False
            return
        try:
            yield True
        finally:
            with self.server.lock:
                self.server.watching.remove(self._path)

    def _begin(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _send_pictures(self) -> None:
        """Sends each newest frame, faces drawn in, until the viewer or the camera goes."""
        self._begin("multipart/x-mixed-replace; boundary=frame")
        self.wfile.write(b"--frame\r\n")
        n_seen = 0
        while not self.server.latest.is_over and not _has_left(self.connection):
            if picture := self.server.latest.jpeg(n_seen, POLL_S):
                n_seen, jpeg = picture
                head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
                # Browsers show a picture once they see the next one's boundary.
                self.wfile.write(head + jpeg + b"\r\n--frame\r\n")

    def _send_events(self) -> None:
        """Sends `hello`, then each `frame` and `status` as it comes, and `end`."""
        self._begin("text/event-stream")
        server, seen = self.server, Seen()
        hello = {"emotions": list(server.emotions), "images": server.shows_images}
        self._send_event("hello", json.dumps(hello))
        while not _has_left(self.connection):
            is_over = server.latest.is_over  # asked first, so that nothing before the end is missed
            seen, records = server.latest.news(seen, POLL_S)
            for record in records:
                document = to_document(record, server.emotions)
                self._send_event(document["type"], to_json(document))
            if is_over:
                self._send_event("end", "{}")
                return

    def _send_event(self, name: str, data: str) -> None:
        self.wfile.write(f"event: {name}\ndata: {data}\n\n".encode())


def _is_same(given: str | None, token: str | None) -> bool:
    """Compares in a time that does not tell how much is right."""
    return bool(given and token) and secrets.compare_digest(
        str(given).encode("utf-8", "replace"), str(token).encode()
    )


def _has_left(connection: socket.socket) -> bool:
    """Tells whether a viewer has closed its side; none of them says anything after its request."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
