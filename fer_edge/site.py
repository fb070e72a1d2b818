"""The built web page: where it lies, and a server for folders like it.

Files outside a site do not exist, nothing is taken in, and every answer carries the site's headers.
"""

import errno
import hashlib
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fer_edge.errors import ConfigError, MissingProgramError

PORT = 8000
INDEX = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Permissions-Policy": "camera=(self)",
}

_PACKAGE = Path(__file__).resolve().parent
PLACES = (_PACKAGE / "_web", _PACKAGE.parent / "web_demo" / "dist")  # in the wheel, in the checkout


@dataclass(frozen=True)
class Site:
    """What a server gives.

    Attributes:
        folder: Its files stand under the root.
        files: More of them, by path without the first slash.
        headers: Of every answer.
    """

    folder: Path
    files: Mapping[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """Returns a file; None without one."""
        if path in self.files:
            return self.files[path]
        try:
            file = (self.folder / path).resolve()
            is_of_site = file.is_relative_to(self.folder.resolve()) and file.is_file()
            return file.read_bytes() if is_of_site else None
        except (OSError, ValueError):  # a name too long for a file, or with a NUL in it
            return None


def file_at(path: str) -> str:
    """Returns the file that a path stands for: a folder's index where it ends in a slash."""
    return path + INDEX if path.endswith("/") or not path else path


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with a site's files; `http.server` refuses every other method."""

    protocol_version = "HTTP/1.1"  # of an older one browsers do not use the tags
    timeout = 60  # seconds that a client may be silent

    def __init__(self, site: Site, *arguments: Any) -> None:
        self.site = site  # before the base class, which answers while it is made
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Sends a file."""
        self.wfile.write(self._send_head())

    def do_HEAD(self) -> None:
        """Sends what a file's answer begins with."""
        self._send_head()

    def _send_head(self) -> bytes:
        """Sends an answer up to its body, which it returns; of an error all that there is.

        A browser that has the file already is told so, and gets no body.
        """
        path = file_at(unquote(self.path.partition("?")[0]).removeprefix("/"))
        content = self.site.read(path)
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return b""
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if tag in self.headers.get("If-None-Match", ""):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", tag)
            self.end_headers()
            return b""
        self.send_response(HTTPStatus.OK)
        self.send_header("ETag", tag)
        self.send_header("Content-Type", TYPES.get(Path(path).suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def end_headers(self) -> None:
        """Ends the headers of any answer, an error's too, with the site's own."""
        if not self.close_connection:
            self.send_header("Connection", "close")  # so that no thread waits for the next request
        for name, value in self.site.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing: what a page loads is nobody's business."""


class Server(ThreadingHTTPServer):
    """Serves a site; a client that goes away is no error.

    It listens once it is made, and answers while its `serve_forever` runs.

    Args:
        site: What it gives.
        host: Name or address to listen on.
        port: 0 for a free one.
        handler: What answers.
    """

    allow_reuse_port = False  # some Pythons say True, and two servers then share a port unnoticed

    def __init__(self, site: Site, host: str, port: int, handler: type[Handler] = Handler) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), partial(handler, site))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Shows an error of ours, and none of the line."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def running(server: Server) -> Iterator[int]:
    """Has a server answer beside what goes on; yields its port, and ends it after."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def find_page(part: str = "") -> Path:
    """Returns the folder of the built page: in the wheel, else in the checkout.

    Args:
        part: A page in it that has to be there, `verify`; the demo itself by default.

    Raises:
        MissingProgramError: It is not built.
    """
    for place in PLACES:
        if (place / part / INDEX).is_file():
            return place
    raise MissingProgramError(
        "The browser's page is not built. In web_demo of a checkout: "
        "npm ci --ignore-scripts && npm run build"
    )


def check_page(folder: Path) -> Path:
    """Returns a folder that a page can be served from.

    Raises:
        ConfigError: It holds none.
    """
    if (folder / INDEX).is_file():
        return folder
    raise ConfigError(
        f"{folder} holds no {INDEX}. Expected the folder `web` of an export; make one with: "
        "fer-edge export RUN --web"
    )


def serve_page(folder: Path, host: str, port: int | None, say: Callable[[str], None]) -> Server:
    """Returns a server of a page, which listens already.

    Args:
        folder: Of the page.
        host: Name or address to listen on.
        port: 0 for a free one; None for 8000, or a free one where that is taken.
        say: Told that it was taken.

    Raises:
        ConfigError: It cannot listen there.
    """
    wanted = PORT if port is None else port
    try:
        return Server(Site(folder, headers=HEADERS), host, wanted)
    except (OSError, TypeError) as exc:  # of a name that can be none
        if getattr(exc, "errno", 0) != errno.EADDRINUSE:
            raise ConfigError(
                f"Cannot listen on {host!r}, port {wanted}: "
                f"{getattr(exc, 'strerror', None) or exc}. Expected an address of this machine "
                "and a port that you may use: by default --host 127.0.0.1 --port 8000."
            ) from exc
        if port is not None:
            raise ConfigError(
                f"Port {port} of {host} is taken by another program. Choose another with --port, "
                "or leave --port out to get a free one."
            ) from exc
    say(f"Port {PORT} is taken by another program; this is a free one.")
    return serve_page(folder, host, 0, say)


def url_of(address: str, port: int) -> str:
    """Returns what a browser on this machine opens for an address that is listened on."""
    found = ipaddress.ip_address(address)
    name = f"[{found}]" if found.version == 6 else str(found)
    return f"http://{'localhost' if found.is_unspecified else name}:{port}/"


def warning_of(address: str, port: int) -> str:
    """Returns what to know of an address that others reach; "" for loopback."""
    if ipaddress.ip_address(address).is_loopback:
        return ""
    return (
        "Others on the network reach this page now. Browsers give a page the camera, and keep it "
        "for later, only by HTTPS or from the machine itself: for theirs, put a server with HTTPS "
        f"in front of it. An Android phone on a cable needs none: adb reverse tcp:{port} "
        f"tcp:{port}, and there http://localhost:{port}/."
    )
