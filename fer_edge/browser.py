"""Runs models in a real browser: the built page on a loopback server, Chromium without a window.

The page gets a model and faces from the server and posts its answers back; nothing else is reached.
"""

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, Any, Literal
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import EngineError, MissingProgramError
from fer_edge.site import Handler, Server, Site, file_at, find_page, running

Engine = Literal["tfjs-wasm", "tfjs-cpu", "litert"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
)
TIMEOUT_S = 120.0
LAST_WORDS = 500  # bytes of what a browser that ended had said
PART = "verify"  # of the page; the addresses below are relative to it


@dataclass
class Visit:
    """What comes back from a page.

    Attributes:
        posted: Its answers.
        arrived: Set when they did.
        is_opened: Whether a browser asked for anything.
    """

    posted: bytes = b""
    arrived: threading.Event = field(default_factory=threading.Event)
    is_opened: bool = False


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
    files = {f"{PART}/model/{name}": content for name, content in model.items()}
    site = Site(find_page(PART), files | {f"{PART}/faces.bin": faces.tobytes()})
    entry = "model.tflite" if engine == "litert" else "model.json"
    query = {"engine": engine, "model": f"model/{entry}", "faces": "faces.bin"}
    outcome = ask_page(site, f"{PART}/", query, f"{engine} in the browser")
    return np.array(outcome["answers"], np.float64)


def ask_page(
    site: Site, path: str, query: Mapping[str, str], what: str, *, timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """Returns what a page posts back, once it was opened in a browser.

    Args:
        site: Is served on loopback.
        path: Of the page in it.
        query: For the page, which is told where to post as `result`.
        what: Is asked, for messages.
        timeout_s: How long the page may take.

    Raises:
        MissingProgramError: There is no such page, no browser, or what has its name ended without
            opening a page.
        EngineError: The page posted an error, or nothing in time, or the browser ended.
    """
    if site.read(file_at(path)) is None:
        raise MissingProgramError(
            f"{what} has no page: expected {file_at(path)} in {site.folder}, found none. It is "
            "built in web_demo of a checkout, by npm."
        )
    browser, visit = find_browser(), Visit()
    with running(Server(site, "127.0.0.1", 0, _taking(visit))) as port:
        address = f"http://127.0.0.1:{port}/{path}?{urlencode({**query, 'result': 'result'})}"
        ended = _open(browser, address, visit, timeout_s)
    if not visit.arrived.is_set():
        if ended and not visit.is_opened:
            raise MissingProgramError(
                f"{browser} ended without opening a page: {ended}. A stand-in for a package that "
                "is not installed does that. Install Chromium itself."
            )
        raise EngineError(
            f"{what} did not answer: the browser ended. {ended}"
            if ended
            else f"{what} did not answer within {timeout_s:.0f} s. Run it again on a machine that "
            "does less."
        )
    outcome: dict[str, Any] = json.loads(visit.posted)
    if "error" in outcome:
        raise EngineError(f"{what} failed: {outcome['error'][:500]}")
    return outcome


def _open(browser: str, address: str, visit: Visit, timeout_s: float) -> str:
    """Opens a page and waits for what it posts; returns how the browser ended, "" if it did not."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryFile() as said,
    ):
        command = [browser, *FLAGS, f"--user-data-dir={profile}", address]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process:
            try:
                ends = time.monotonic() + timeout_s
                while not visit.arrived.wait(0.5) and time.monotonic() < ends:
                    if process.poll() is not None:
                        return f"exit {process.returncode}, {_last_words(said)}"
            finally:
                process.terminate()
    return ""


def _last_words(said: IO[bytes]) -> str:
    """Returns the end of what a program wrote."""
    said.seek(0)
    return " ".join(said.read()[-LAST_WORDS:].decode("utf-8", "replace").split()) or "no words"


def _taking(visit: Visit) -> type[Handler]:
    """Returns what answers as a site does, and takes what its page posts."""

    class TakingHandler(Handler):
        def do_GET(self) -> None:
            visit.is_opened = True
            super().do_GET()

        def do_POST(self) -> None:
            visit.posted = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
            visit.arrived.set()

    return TakingHandler
