"""The page itself: what it shows, how it looks, who can use it."""

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from fer_edge.contract import EMOTIONS
from tests.web_demo.page import READY_MS, ROOT, SCREENS, drop, png, results, scene, upload, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

AXE = ROOT / "web_demo/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def open_page(browser: "Browser", address: str) -> Iterator["Page"]:
    """The page, opened once for tests that show it a picture of their own."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield visit(context, address)
    context.close()


def test_the_sample_is_read_without_a_word_on_the_console(
    context: "BrowserContext", address: str
) -> None:
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda said_now: said.append(f"{said_now.type}: {said_now.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_selector("html[data-ready=true]", state="attached", timeout=READY_MS)
    said = [line for line in said if not line.endswith("No available adapters.")]  # no GPU here
    assert said == []
    assert page.locator("#boxes > div").count() == 3
    found = results(page)
    assert [face["emotion"] for face in found["faces"]] == ["happy", "surprise", "angry"]
    assert page.locator("#bars li").count() == len(EMOTIONS)
    assert 1 <= found["detection_ms"]["n"] <= 10  # as many as a second allows
    assert "top-1" in page.inner_text("#score")


def test_an_image_is_drawn_once_and_the_page_lives_while_it_is_read(open_page: "Page") -> None:
    open_page.evaluate(
        """() => {
          window.taken = 0;
          window.painted = new Set(); // figures that are to be seen while more is read
          const take = CanvasRenderingContext2D.prototype.getImageData;
          CanvasRenderingContext2D.prototype.getImageData = function (...rectangle) {
            if (rectangle[2] === 640) window.taken++;
            return take.apply(this, rectangle);
          };
          const [frame, facts] = ['frame', 'facts'].map((id) => document.getElementById(id));
          const paint = () => {
            const isBusy = frame.ariaBusy === 'true';
            if (isBusy) window.painted.add(facts.textContent);
            requestAnimationFrame(paint);
          };
          paint();
        }"""
    )
    upload(open_page, png(scene(3, "happy")))
    found = results(open_page)
    assert found["picture"] == {"width": 640, "height": 480}
    assert [face["emotion"] for face in found["faces"]] == ["happy"]
    assert open_page.inner_text("#top") == "Happy"
    assert open_page.evaluate("window.taken") == 1
    if found["detection_ms"]["n"] > 1:  # else the first reading took over a second
        assert open_page.evaluate("window.painted.size") >= 2  # the last picture's, and a first one
    before = found["faces"][0]["id"]
    upload(open_page, png(scene(3, "sad")))  # where the first one was
    assert results(open_page)["faces"][0]["id"] != before


def test_an_image_that_is_dropped_is_read(open_page: "Page") -> None:
    over = "document.body.classList.contains('dropping')"
    image = png(scene(4, "surprise"))
    drop(open_page, "dragover", content=image)
    assert open_page.evaluate(over)
    drop(open_page, "drop", content=image)
    assert not open_page.evaluate(over)
    open_page.wait_for_selector("#top:text-is('Surprise')", timeout=READY_MS)
    drop(open_page, "dragover", content=None)
    assert not open_page.evaluate(over)
    drop(open_page, "drop", content=None)
    open_page.wait_for_selector("#trouble:has-text('That was no file')")
    results(open_page)  # a click on Copy is about something else
    assert open_page.is_visible("#trouble")


def test_an_image_is_turned_as_its_camera_says(open_page: "Page") -> None:
    lying = cv2.rotate(scene(3, "happy"), cv2.ROTATE_90_COUNTERCLOCKWISE)
    jpeg = cv2.imencode(".jpg", lying)[1].tobytes()
    # EXIF with one entry, big endian: orientation (0x0112), a short, 6: turn it to the right.
    entry = bytes.fromhex("0112 0003 00000001 0006 0000")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + bytes(4)
    upload(open_page, jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    found = results(open_page)
    assert found["picture"] == {"width": 640, "height": 480}
    assert [face["emotion"] for face in found["faces"]] == ["happy"]


def test_the_label_of_a_face_close_up_is_in_the_picture(open_page: "Page") -> None:
    near = scene(3, "happy", face_px=220)[130:390, 200:440]  # its box leaves it
    upload(open_page, png(near))
    assert len(results(open_page)["faces"]) == 1
    label = open_page.locator("#boxes span").bounding_box()
    frame = open_page.locator("#frame").bounding_box()
    assert label
    assert frame
    for at, size in (("x", "width"), ("y", "height")):
        assert label[at] >= frame[at] - 0.5  # type: ignore[literal-required]
        assert label[at] + label[size] <= frame[at] + frame[size] + 0.5  # type: ignore[literal-required]


@pytest.mark.parametrize(("width", "height"), [(300, 200), (3, 9000), (9000, 3)])
def test_a_picture_without_a_face_says_so(width: int, height: int, open_page: "Page") -> None:
    upload(open_page, png(np.full((height, width, 3), 128, np.uint8)))
    open_page.wait_for_selector("#top:has-text('No face')")
    results(open_page)
    assert open_page.locator("#boxes > div").count() == 0
    assert open_page.inner_text("#spoken") == "No face"
    frame = open_page.locator("#frame").bounding_box()
    assert frame
    # Also around a line of pixels.
    assert min(frame["width"], frame["height"]) > 100
    assert max(frame["width"], frame["height"]) < 1280


def test_the_int8_file_answers_beside_it(context: "BrowserContext", address: str) -> None:
    page = visit(context, address)
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("#compare")
    page.wait_for_selector("#compared table", timeout=READY_MS)
    rows = page.locator("#compared tr")
    assert rows.count() == 4
    assert "LiteRT.js" in rows.nth(2).inner_text()
    apart = rows.nth(3).locator("td").last.inner_text()
    assert 0 < float(apart.removesuffix(" points")) < 10
    table, card = page.locator("#compared table"), page.locator("#compared")
    assert table.evaluate("e => e.scrollWidth") <= card.evaluate("e => e.clientWidth")
    page.select_option("#engine", "litert")
    page.wait_for_selector("#status:has-text('answers now')", timeout=READY_MS)
    found = results(page)
    assert found["engine"] == "litert"
    assert len(found["faces"]) == 3
    steps = np.array(found["faces"][0]["probabilities"]) * 256
    assert np.abs(steps - np.rint(steps)).max() < 1e-6  # uint8 probabilities: the int8 file's


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(scheme: Any, browser: "Browser", address: str) -> None:
    if not AXE.is_file():
        pytest.skip("the npm packages are not installed: no axe")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = visit(context, address)
    page.add_script_tag(path=AXE)
    found = page.evaluate("async () => (await axe.run(document)).violations")
    context.close()
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in serious] == []


def test_the_keyboard_reaches_everything(open_page: "Page") -> None:
    page = open_page
    page.evaluate("document.activeElement.blur()")
    page.click("h1")  # where Tab starts from
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    links = [""]  # to the licences
    assert reached == ["camera", "open", "sample", "engine", "compare", "copy", *links]
    upload(page, png(scene(3, "surprise")))
    results(page)
    assert page.inner_text("#spoken") == "surprise"  # and no number, which would be said again
    assert page.get_attribute("#still", "aria-label") == "The picture that is read: surprise"
    page.focus("#sample")
    page.keyboard.press("Enter")
    results(page)
    assert page.inner_text("#spoken") == "happy, the largest of 3 faces"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("desktop", {"viewport": {"width": 1280, "height": 860}}),
        ("dark", {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}),
        ("forced", {"viewport": {"width": 1280, "height": 860}, "forced_colors": "active"}),
    ],
)
def test_screens(name: str, options: Any, browser: "Browser", address: str) -> None:
    """Pictures for people to look at; asserted is that nothing is cut off, covered or invisible."""
    context = browser.new_context(**options)
    page = visit(context, address)
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # The paper's edge on the right as on the left, whatever stands in the cards.
    sides = page.evaluate(
        "[...document.querySelectorAll('main > *')].map(e => e.getBoundingClientRect())"
        ".map(e => [e.left, innerWidth - e.right])"
    )
    assert min(left for left, _ in sides) <= min(right for _, right in sides) + 1
    boxes = [label.bounding_box() for label in page.locator("#boxes span").all()]
    spans = [(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in boxes if b]
    assert len(spans) == 3
    for i, a in enumerate(spans):  # no label lies on another
        for b in spans[i + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    colours = page.evaluate(
        """() => {
          const all = (which, property) =>
            [...document.querySelectorAll(which)].map((e) => getComputedStyle(e)[property]);
          const [bars, boxes, tracks] = [
            all('.track i', 'backgroundColor'),
            all('#boxes > div', 'borderTopColor'),
            all('.track', 'backgroundColor'),
          ];
          return { bars, boxes, track: tracks[0] };
        }"""
    )
    assert len({*colours["bars"], colours["track"]}) == len(EMOTIONS) + 1
    assert set(colours["boxes"]) <= set(colours["bars"])  # a box has its emotion's colour
    context.close()


def test_the_unit_tests_pass() -> None:
    if not (ROOT / "web_demo/node_modules/vitest").is_dir():
        pytest.skip("the npm packages are not installed")
    done = subprocess.run(
        ["npm", "test", "--silent"], cwd=ROOT / "web_demo", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
