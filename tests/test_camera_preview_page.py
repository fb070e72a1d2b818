"""The preview's page in a real browser: what it shows, says and asks for."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from fer_edge.browser import find_browser
from fer_edge.camera.frames import FrameRecord, Latency, TrackedFace
from fer_edge.camera.preview import Preview
from fer_edge.camera.preview_server import N_VIEWERS
from fer_edge.contract import EMOTIONS as ALL_EMOTIONS
from fer_edge.data.sample import draw_scene
from fer_edge.errors import MissingProgramError
from fer_edge.faces import FaceBox
from tests.camera_records import status
from tests.test_camera_preview import ENOUGH_S, TOKEN, Viewer, previewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium; without it the tests of the page are skipped."""
    try:
        program = find_browser()
    except MissingProgramError as exc:
        pytest.skip(str(exc))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        opened = playwright.chromium.launch(executable_path=program, args=flags)
        yield opened
        opened.close()


class Play:
    """A film of two drawn people, played to a preview."""

    def __init__(self, preview: Preview) -> None:
        self.preview = preview
        self.scene = draw_scene(["happy", "sad"], np.random.default_rng(3))
        self.n = 0
        self.shown = 2
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def record(self) -> FrameRecord:
        faces = []
        people = zip(self.scene.emotions, self.scene.boxes.tolist(), strict=True)
        for number, (emotion, (x, y, width, height)) in enumerate(people, start=1):
            label = ALL_EMOTIONS.index(emotion)
            shares = np.full(len(ALL_EMOTIONS), 0.05, np.float32)
            shares[label] = 0.7
            box = FaceBox(x, y, width, height, 1.0)
            faces.append(TrackedFace(number, box, shares, label, is_unsure=number == 2))
        latency = Latency(8.25 if self.n % 5 == 0 else None, 0.61, 34.2)
        return FrameRecord(
            2 * self.n, self.n / 20, 640, 480, tuple(faces[: self.shown]), latency, self.n
        )

    def _play(self) -> None:
        while not self._is_over.wait(0.05):
            self.preview.write(self.record(), self.scene.image)
            self.n += 1

    def __enter__(self) -> "Play":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def until(page: "Page", condition: str) -> None:
    """Waits for an expression; Playwright's own way to is refused by the page's policy."""
    deadline = time.monotonic() + ENOUGH_S
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


@contextmanager
def visiting(browser: "Browser", url: str, **options: Any) -> Iterator[tuple["Page", list[str]]]:
    """Yields a page and what went wrong in it: refused by its policy, failed, or from elsewhere."""
    context = browser.new_context(**options)
    page, wrong = context.new_page(), list[str]()
    own = urlsplit(url).netloc

    def note_strange(sent: "Request") -> None:
        if urlsplit(sent.url).netloc != own:
            wrong.append(sent.url)

    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", note_strange)
    page.goto(url, wait_until="domcontentloaded")
    yield page, wrong
    context.close()


@pytest.mark.parametrize("shows_images", [True, False], ids=["pictures", "boxes"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_what_is_read(
    scheme: str, shows_images: bool, browser: "Browser", tmp_path: Any
) -> None:
    preview = Preview(ALL_EMOTIONS, port=0, shows_images=shows_images)
    preview.write(status("<b>no frame</b> for 5 s"))
    view = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    with Play(preview) as play, visiting(browser, preview.url, **view) as (page, wrong):
        until(page, "fps.textContent !== '–'")
        assert page.locator("#state").inner_text() == "Live"
        assert page.locator("#hint").is_hidden()
        assert page.locator("#faces .number").all_inner_texts() == ["#1", "#2"]
        assert page.locator("#faces .emotion").all_inner_texts() == ["happy", "unsure (sad?)"]
        assert page.locator("#faces .percent").all_inner_texts() == ["70%", "70%"]
        bars = page.get_by_role("list", name="What face 1 may show").get_by_role("listitem")
        assert bars.count() == 7
        widths = [bars.nth(n).locator(".track span").bounding_box()["width"] for n in range(7)]  # type: ignore[index]
        assert widths[3] > 5 * widths[0] > 0
        assert 0 < float(page.locator("#fps").inner_text()) < 25  # 20, less on a busy machine
        figures = [
            page.locator(f"#{name}").inner_text() for name in ("total", "detect", "classify")
        ]
        assert figures == ["34", "8.3", "0.6"]
        assert int(page.locator("#dropped").inner_text()) > 0
        assert page.locator("#log li").all_inner_texts()[0].endswith("<b>no frame</b> for 5 s")
        assert "face 1: happy; face 2: unsure, perhaps sad" in page.locator("#spoken").inner_text()
        assert page.locator("#picture").is_visible() == shows_images
        assert page.locator("#boxes > div").count() == (0 if shows_images else 2)
        if shows_images:
            until(page, "picture.naturalWidth === 640")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.screenshot(path=tmp_path / f"{scheme}-{shows_images}.png", full_page=True)
        play.shown = 0
        page.get_by_text("Nobody is seen.").wait_for()
        assert page.locator("#faces li").count() == 0
        preview.close()
        page.get_by_text("The stream has ended.").wait_for()
        assert page.locator("#state").inner_text() == "Ended"
        wrong = [text for text in wrong if "ERR_" not in text]  # of what it tries after the end
    assert wrong == []


def test_the_page_goes_on_when_the_camera_does(browser: "Browser") -> None:
    preview = Preview(ALL_EMOTIONS, port=0)
    with visiting(browser, preview.url) as (page, _):
        page.get_by_text("Waiting for the first frame").wait_for()
        with Play(preview):
            until(page, "state.textContent === 'Live'")
        until(page, "state.textContent === 'No new frames'")
        preview.close()
        until(page, "state.textContent === 'Ended'")
        again = Preview(ALL_EMOTIONS, port=urlsplit(preview.url).port or 0)
        with Play(again):
            until(page, "state.textContent === 'Live'")
        again.close()


def test_the_page_says_why_it_gets_nothing(browser: "Browser") -> None:
    with previewing() as preview:
        watching = [Viewer(preview, "/events") for _ in range(N_VIEWERS)]
        with visiting(browser, preview.url) as (page, _):
            page.get_by_text("Enough viewers are watching already").wait_for()
            for viewer in watching:
                with viewer:
                    pass
            page.get_by_text("Waiting for the first frame").wait_for()


def test_the_token_leaves_the_address_and_works_on(browser: "Browser") -> None:
    open_preview = Preview(ALL_EMOTIONS, port=0, token=TOKEN, shows_images=True)
    with Play(open_preview), visiting(browser, open_preview.url) as (page, wrong):
        until(page, "state.textContent === 'Live'")
        assert TOKEN not in page.url
        page.reload(wait_until="domcontentloaded")
        until(page, "state.textContent === 'Live'")
        until(page, "picture.naturalWidth === 640")
        assert page.evaluate("document.cookie") == ""  # no script reads it
    open_preview.close()
    assert wrong == []
