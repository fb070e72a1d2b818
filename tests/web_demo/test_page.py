"""The page itself: what it shows, how it looks, who can use it."""

import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fer_edge.contract import EMOTIONS
from tests.web_demo.page import READY_MS, ROOT, SCREENS, png, results, scene, upload, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.slow

AXE = ROOT / "web_demo/node_modules/axe-core/axe.min.js"


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


def test_an_image_from_a_file_is_read(context: "BrowserContext", address: str) -> None:
    page = visit(context, address)
    upload(page, png(scene(3, "happy")))
    found = results(page)
    assert found["picture"] == {"width": 640, "height": 480}
    assert [face["emotion"] for face in found["faces"]] == ["happy"]
    assert page.inner_text("#top") == "Happy"


def test_a_picture_without_a_face_says_so(context: "BrowserContext", address: str) -> None:
    page = visit(context, address)
    upload(page, png(np.full((200, 300, 3), 128, np.uint8)))
    page.wait_for_selector("#top:has-text('No face')")
    assert page.locator("#boxes > div").count() == 0


def test_the_int8_file_answers_beside_it(context: "BrowserContext", address: str) -> None:
    page = visit(context, address)
    page.click("#compare")
    page.wait_for_selector("#compared table", timeout=READY_MS)
    rows = page.locator("#compared tr")
    assert rows.count() == 4
    assert "LiteRT.js" in rows.nth(2).inner_text()
    apart = rows.nth(3).locator("td").last.inner_text()
    assert 0 < float(apart.removesuffix(" points")) < 10
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


def test_the_keyboard_reaches_everything(context: "BrowserContext", address: str) -> None:
    page = visit(context, address)
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    links = [""]  # to the licences
    assert reached == ["camera", "open", "sample", "engine", "compare", "copy", *links]
    upload(page, png(scene(3, "surprise")))
    results(page)
    assert page.inner_text("#spoken").startswith("surprise")
    page.focus("#sample")
    page.keyboard.press("Enter")
    results(page)
    assert page.inner_text("#spoken").startswith("happy")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("desktop", {"viewport": {"width": 1280, "height": 860}}),
        ("dark", {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}),
    ],
)
def test_screens(name: str, options: Any, browser: "Browser", address: str) -> None:
    """Pictures for people to look at; asserted is that nothing is cut off or covered."""
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
    context.close()


def test_the_unit_tests_pass() -> None:
    if not (ROOT / "web_demo/node_modules/vitest").is_dir():
        pytest.skip("the npm packages are not installed")
    done = subprocess.run(
        ["npm", "test", "--silent"], cwd=ROOT / "web_demo", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
