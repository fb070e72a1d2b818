"""The camera: a clip plays as one, and every way of having none."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.web_demo.page import (
    PORTRAITS,
    READY_MS,
    SCREENS,
    decoded,
    png,
    results,
    scene,
    still_works,
    upload,
    visit,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

Launch = Callable[..., "Browser"]
HEAD = b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg\n"


def flags_of(clip: Path) -> tuple[str, ...]:
    """What makes a browser play a clip as its camera, and ask nobody."""
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    )


def camera_context(launch: Launch, *flags: str) -> "BrowserContext":
    """Returns somebody who comes for the first time, with a camera of a kind."""
    browser = launch(*flags)
    return browser.new_context(permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture(scope="module")
def aside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a drawn face that keeps to one side."""
    frame = np.hstack(
        [scene(5, "happy", face_px=180)[:, 130:510], np.full((480, 260, 3), 90, np.uint8)]
    )
    path = tmp_path_factory.mktemp("aside") / "camera.y4m"
    planes = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes()
    path.write_bytes(HEAD + (b"FRAME\n" + planes) * 5)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera's clip, y4m 640 x 480: a portrait that moves, or drawn faces where there is none."""
    portrait = PORTRAITS / "obama-720p.jpg"
    still = decoded(portrait.read_bytes()) if portrait.is_file() else None
    path = tmp_path_factory.mktemp("clip") / "camera.y4m"
    with path.open("wb") as file:
        file.write(HEAD)
        for i in range(30):
            frame = (
                scene(5, "happy", face_px=200)
                if still is None
                else still[:, 320 + 2 * min(i, 30 - i) :]
            )
            frame = frame[:, : len(frame) * 4 // 3]
            small = cv2.resize(frame, (640, 480), interpolation=cv2.INTER_AREA)
            planes = cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420)
            file.write(b"FRAME\n" + planes.tobytes())
    return path


def test_the_camera_is_read_until_it_is_paused(launch: Launch, address: str, clip: Path) -> None:
    context = camera_context(launch, *flags_of(clip))
    page = visit(context, address)
    page.click("#camera")
    page.wait_for_selector("#past:not([hidden])", timeout=READY_MS)
    page.wait_for_selector("#frame.mirrored", timeout=READY_MS)
    page.wait_for_selector("#boxes > div span:has-text('%')", timeout=READY_MS)
    page.wait_for_selector("#top:text-matches('[a-z]')")
    first = results(page)
    page.wait_for_timeout(3000)
    live = results(page)
    assert live["picture"] == {"width": 640, "height": 480}
    assert live["frames_per_second"] > 0
    assert [face["id"] for face in live["faces"]] == [face["id"] for face in first["faces"]]
    assert live["detection_ms"]["n"] > first["detection_ms"]["n"]
    is_on = "() => document.getElementById('video').srcObject?.active ?? false"
    assert page.evaluate(is_on)
    _hide(page, hidden=True)
    assert not page.evaluate(is_on)
    _hide(page, hidden=False)
    page.wait_for_selector("#pause:not([hidden])", timeout=READY_MS)
    page.wait_for_timeout(500)
    assert page.evaluate(is_on)
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / "camera.png")
    seen = page.evaluate(COLUMNS)
    assert seen > 0
    page.click("#mirror")
    assert page.locator("#frame.mirrored").count() == 0
    page.focus("#mirror")
    page.evaluate("document.getElementById('pause').click()")
    assert not page.evaluate(is_on)
    assert page.evaluate("document.activeElement.id") == "camera"
    assert page.is_visible("#past")  # and not as if nothing had been
    assert page.evaluate(COLUMNS) >= seen
    assert page.locator("#facts div").last.inner_text().endswith("–")  # no frames go by
    assert "The last 30 seconds: " in str(page.get_attribute("#timeline", "aria-label"))
    page.screenshot(path=SCREENS / "paused.png")

    page.click("#camera")
    page.wait_for_selector("#facts dd:has-text('second')", timeout=READY_MS)
    assert page.locator("#frame.mirrored").count() == 0  # as it was chosen
    assert page.evaluate(COLUMNS) >= seen
    track = "document.getElementById('video').srcObject.getTracks()[0]"
    page.evaluate(f"{track}.dispatchEvent(new Event('ended'))")
    assert "The camera went away" in page.inner_text("#trouble")
    page.click("#sample")
    results(page)
    assert page.is_hidden("#past")
    page.click("#camera")
    page.wait_for_selector("#facts dd:has-text('second')", timeout=READY_MS)
    assert page.evaluate(COLUMNS) < seen  # another source was between


def test_boxes_are_mirrored_with_the_picture(launch: Launch, address: str, aside: Path) -> None:
    page = visit(camera_context(launch, *flags_of(aside)), address)
    page.click("#camera")
    page.wait_for_selector("#frame.mirrored", timeout=READY_MS)  # the sample's boxes are gone
    page.wait_for_selector("#boxes > div span:has-text('%')", timeout=READY_MS)
    sides = []
    for _ in range(2):
        page.wait_for_timeout(500)
        box, frame = (page.locator(e).bounding_box() for e in ("#boxes > div", "#frame"))
        assert box
        assert frame
        sides.append((box["x"] + box["width"] / 2 - frame["x"]) / frame["width"])
        page.click("#mirror")
    mirrored, plain = sides
    assert mirrored == pytest.approx(1 - plain, abs=0.02)
    assert abs(plain - 0.5) > 0.1
    # What is opened while nobody looks is there afterwards, and not the camera.
    _hide(page, hidden=True)
    upload(page, png(np.full((200, 300, 3), 128, np.uint8)))
    results(page)
    _hide(page, hidden=False)
    page.wait_for_timeout(500)
    assert results(page)["picture"] == {"width": 300, "height": 200}
    assert page.is_visible("#camera")


COLUMNS = """() => {
  const canvas = document.getElementById('timeline');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, height - 1, width, 1);
  return Array.from({ length: width }, (_, i) => data[4 * i + 3] > 0).filter(Boolean).length;
}"""


def test_impatience_leaves_no_camera_on(launch: Launch, address: str, clip: Path) -> None:
    context = camera_context(launch, *flags_of(clip))
    context.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.streams = [];
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          const stream = await ask(wanted);
          window.streams.push(stream);
          return stream;
        };"""
    )
    page = visit(context, address)
    twice = "const button = document.getElementById('camera'); button.click(); button.click();"
    page.evaluate(twice)
    page.wait_for_selector("#frame.mirrored", timeout=READY_MS)
    page.click("#pause")
    page.wait_for_timeout(1000)
    streams = page.evaluate("window.streams.map((stream) => stream.active)")
    assert len(streams) >= 1
    assert not any(streams)
    assert page.is_visible("#camera")
    assert page.is_hidden("#trouble")
    found = results(page)  # of the last frame, which stays
    assert found["picture"] == {"width": 640, "height": 480}
    assert found["frames_per_second"] is None


def test_a_camera_that_is_waited_for_is_not_mirrored(
    launch: Launch, address: str, clip: Path
) -> None:
    context = camera_context(launch, *flags_of(clip))
    context.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        const granted = new Promise((resolve) => { window.grant = resolve; });
        navigator.mediaDevices.getUserMedia = (wanted) => granted.then(() => ask(wanted));"""
    )
    page = visit(context, address)
    page.click("#camera")
    page.click("#mirror")
    assert page.is_hidden("#video")  # and not an empty one
    assert page.get_attribute("#mirror", "aria-pressed") == "true"
    assert "Waiting for the camera" in page.inner_text("#hint")
    page.evaluate("window.grant()")
    page.wait_for_selector("#frame.mirrored", timeout=READY_MS)
    page.click("#pause")


def _hide(page: "Page", *, hidden: bool) -> None:
    """Has the page think that its tab was hidden or shown, which headless tabs never are."""
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--use-fake-device-for-media-stream", "--deny-permission-prompts"), "was not allowed"),
        (("--use-fake-ui-for-media-stream",), "No camera was found"),
    ],
    ids=["denied", "none"],
)
def test_without_a_camera_the_page_says_why_and_stays_usable(
    flags: tuple[str, ...], said: str, launch: Launch, address: str
) -> None:
    context = camera_context(launch, *flags)
    page = visit(context, address)
    page.click("#camera")
    page.wait_for_selector("#trouble:not([hidden])", timeout=READY_MS)
    assert said in page.inner_text("#trouble")
    assert still_works(page)
    assert page.is_hidden("#trouble")
