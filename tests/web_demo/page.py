"""What tests do with the page: serve it, open it, give it pictures, take its results."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.sample import draw_scene
from fer_edge.site import Handler, Server, Site, running

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).parents[2]
PORTRAITS = ROOT.parent / "shared/data/portraits"
SCREENS = ROOT / ".cache/screens"
READY_MS = 90_000


@contextmanager
def serving(site: Site, handler: type[Handler] = Handler) -> Iterator[str]:
    """Serves a site on loopback; yields its address."""
    with running(Server(site, "127.0.0.1", 0, handler)) as port:
        yield f"http://127.0.0.1:{port}/"


class Lossy(Site):
    """A site from which files can be gone for a while."""

    @cached_property
    def gone(self) -> set[str]:
        """What their paths end in."""
        return set()

    def read(self, path: str) -> bytes | None:
        """Returns a file that is not gone."""
        return None if path.endswith(tuple(self.gone)) else super().read(path)


def visit(context: "BrowserContext", address: str, outcome: str = "true") -> "Page":
    """Opens the page and waits until it is ready, or has said why it is not."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(f"html[data-ready={outcome}]", state="attached", timeout=READY_MS)
    return page


def results(page: "Page") -> dict[str, Any]:
    """Returns what "Copy results as JSON" copies, once the picture was read."""
    page.wait_for_selector("#frame[aria-busy=false]", timeout=READY_MS)
    page.click("#copy")
    page.wait_for_selector("#status:has-text('clipboard')", timeout=READY_MS)
    found: dict[str, Any] = json.loads(page.evaluate("navigator.clipboard.readText()"))
    return found


def upload(page: "Page", content: bytes) -> None:
    """Chooses an image in the page."""
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": content})


def drop(page: "Page", kind: str, *, content: bytes | None) -> None:
    """Drags an image, or without one a text, over the page: `dragover` or `drop`."""
    carried = page.evaluate_handle(
        """(base64) => {
          const carried = new DataTransfer();
          const bytes = base64 && Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          if (bytes) carried.items.add(new File([bytes], 'a.png', { type: 'image/png' }));
          else carried.items.add('https://example.org/a.png', 'text/uri-list');
          return carried;
        }""",
        None if content is None else base64.b64encode(content).decode(),
    )
    page.dispatch_event("body", kind, {"dataTransfer": carried})


def still_works(page: "Page") -> bool:
    """Whether the page reads another picture: one with one face, and then the sample's three."""
    upload(page, png(scene(3, "happy")))
    one = results(page)["faces"]
    page.click("#sample")
    three = results(page)["faces"]
    return [face["emotion"] for face in one] == ["happy"] and len(three) == 3


def decoded(content: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def scene(seed: int, *emotions: str, face_px: int = 150) -> NDArray[np.uint8]:
    drawn = draw_scene(emotions, np.random.default_rng(seed), face_px=face_px).image
    return np.asarray(drawn, np.uint8)
