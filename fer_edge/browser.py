"""Runs models in a real browser: the built page on a loopback server, Chromium without a window.

The page gets a model and faces from the server and posts its answers back; nothing else is reached.
"""

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import EngineError, MissingProgramError

Engine = Literal["tfjs-wasm", "tfjs-cpu", "litert"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
)
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
TIMEOUT_S = 120.0


@dataclass
class Site:
    """What the server gives and takes.

    Attributes:
        page: Folder of the page; its files stand under the root.
        files: More of them, by path without the first slash.
        posted: What came in.
        arrived: Set when it did.
    """

    page: Path
    files: Mapping[str, bytes]
    posted: bytes = b""
    arrived: threading.Event = field(default_factory=threading.Event)

    def read(self, path: str) -> bytes | None:
        """Returns a file, or None where there is none."""
        if path in self.files:
            return self.files[path]
        file = (self.page / path).resolve()
        is_of_page = file.is_file() and file.is_relative_to(self.page.resolve())
        return file.read_bytes() if is_of_page else None


def find_browser() -> str:
    """Returns the browser's program.

    Raises:
        MissingProgramError: There is none.
    """
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise MissingProgramError(
        f"Expected one of {', '.join(BROWSERS)}, found none. Install Chromium: on Debian and "
        "Ubuntu, apt install chromium."
    )


def find_page() -> Path:
    """Returns the folder of the built page: in the wheel, else in the checkout.

    Raises:
        MissingProgramError: It is not built.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_web" / "verify", package.parent / "web_demo" / "dist" / "verify"):
        if (folder / "index.html").is_file():
            return folder
    raise MissingProgramError(
        "The browser's page is not built. In web_demo: npm ci --ignore-scripts && npm run build"
    )


def classify_in_browser(
    engine: Engine, model: Mapping[str, bytes], faces: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Returns (n, k) probabilities of a model in a browser's engine.

    Args:
        engine: TF.js on WASM or on plain JavaScript, or LiteRT.js.
        model: Files by name: `model.json` and its shards for TF.js, `model.tflite` for LiteRT.js.
        faces: uint8 (n, 48, 48).

    Raises:
        MissingProgramError: There is no browser, or no built page.
        EngineError: The engine refused the model, or did not answer in time.
    """
    browser, page = find_browser(), find_page()
    files = {f"model/{name}": content for name, content in model.items()}
    site = Site(page, files | {"faces.bin": faces.tobytes()})
    entry = "model.tflite" if engine == "litert" else "model.json"
    query = {
        "engine": engine,
        "model": f"model/{entry}",
        "faces": "faces.bin",
        "result": "result",
    }
    with _serving(site) as port:
        _visit(browser, f"http://127.0.0.1:{port}/index.html?{urlencode(query)}", site)
    return _answers(engine, site)


def _answers(engine: Engine, site: Site) -> NDArray[np.float64]:
    if not site.arrived.is_set():
        raise EngineError(
            f"{engine} in the browser did not answer within {TIMEOUT_S:.0f} s. Run it again on a "
            "machine that does less."
        )
    outcome: dict[str, Any] = json.loads(site.posted)
    if "error" in outcome:
        raise EngineError(f"{engine} in the browser failed: {outcome['error'][:500]}")
    return np.array(outcome["answers"], np.float64)


def _visit(browser: str, address: str, site: Site) -> None:
    """Opens a page and waits for what it posts, or for the browser's end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", address]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                site.arrived.wait(TIMEOUT_S)
            finally:
                process.terminate()


@contextmanager
def _serving(site: Site) -> Iterator[int]:
    """Serves a site on loopback; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.removeprefix("/")
            content = site.read(path)
            self.send_response(404 if content is None else 200)
            self.send_header(
                "Content-Type", TYPES.get(Path(path).suffix, "application/octet-stream")
            )
            self.end_headers()
            self.wfile.write(content or b"")

        def do_POST(self) -> None:
            site.posted = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            site.arrived.set()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
