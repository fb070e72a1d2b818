"""What goes wrong in a browser: each is said in words, and the page stays usable."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from fer_edge.site import HEADERS, Site
from tests.web_demo.page import (
    READY_MS,
    Lossy,
    png,
    results,
    scene,
    serving,
    still_works,
    upload,
    visit,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a picture", "no picture that the browser can read"),
        (b"", "no picture that the browser can read"),
        (png(np.zeros((64, 64, 3), np.uint8))[:60], "no picture that the browser can read"),
    ],
    ids=["text", "nothing", "truncated"],
)
def test_a_file_that_is_no_image_is_refused_in_words(
    content: bytes, said: str, context: "BrowserContext", address: str
) -> None:
    page = visit(context, address)
    upload(page, content)
    page.wait_for_selector("#trouble:not([hidden])")
    results(page)  # what is asked for besides takes nothing away that is still to be read
    assert said in page.inner_text("#trouble")
    assert still_works(page)
    assert page.is_hidden("#trouble")


def test_an_image_of_thirty_megapixels_is_read(
    context: "BrowserContext", address: str, tmp_path: Path
) -> None:
    page = visit(context, address)
    large = cv2.resize(scene(3, "surprise"), (6400, 4800), interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(tmp_path / "large.jpg"), large)
    page.set_input_files("#file", tmp_path / "large.jpg")
    found = results(page)
    assert found["picture"]["width"] * found["picture"]["height"] <= 16e6
    assert [face["emotion"] for face in found["faces"]] == ["surprise"]


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("model/tfjs/group1-shard1of1.bin", lambda old: old[:1000], "is damaged: expected"),
        ("model/tfjs/group1-shard1of1.bin", lambda old: bytes(len(old)), "SHA-256 differs"),
        ("model/manifest.json", lambda _old: b"{}", "names no emotions"),
        ("model/manifest.json", lambda _old: b"<html>", "is no JSON"),
        ("detector/blazeface.bin", lambda old: old[:-4], "expected weights of"),
    ],
    ids=["truncated", "other bytes", "empty manifest", "no manifest", "detector"],
)
def test_a_damaged_file_is_named(
    path: str,
    change: Callable[[bytes], bytes],
    said: str,
    context: "BrowserContext",
    dist: Path,
) -> None:
    files = {path: change((dist / path).read_bytes())}
    with serving(Site(dist, files, HEADERS)) as url:
        page = visit(context, url, outcome="failed")
        assert said in page.inner_text("#trouble")
        assert page.is_visible("#again")


def test_a_page_without_its_model_can_be_tried_again(context: "BrowserContext", dist: Path) -> None:
    site = Lossy(dist, headers=HEADERS)
    site.gone.add("model/manifest.json")
    with serving(site) as url:
        page = visit(context, url, outcome="failed")
        assert "manifest.json is missing: the server answered 404" in page.inner_text("#trouble")
        assert page.get_attribute("#frame", "aria-busy") == "false"
        assert page.inner_text("#top") == "No model"
        assert page.is_hidden("#drop")
        assert page.is_hidden("#camera")
        site.gone.clear()
        site.gone.add(".wasm")  # and the next trouble
        page.focus("#again")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-ready=true]", state="attached", timeout=READY_MS)
        assert page.evaluate("document.activeElement.id") == "camera"
        assert page.is_hidden("#again")
        assert ".wasm is missing: the server answered 404" in page.inner_text("#trouble")
        found = results(page)
        assert found["engine"] in ("tfjs-webgl", "tfjs-cpu")
        assert len(found["faces"]) == 3
        site.gone.clear()
        page.select_option("#engine", "tfjs-wasm")
        page.wait_for_selector("#status:has-text('answers now')", timeout=READY_MS)
        assert page.is_hidden("#trouble")
        assert results(page)["engine"] == "tfjs-wasm"


def test_a_page_without_its_program_says_so(
    context: "BrowserContext", browser: "Browser", dist: Path
) -> None:
    site = Lossy(dist, headers=HEADERS)
    (program,) = re.findall(r'src="\./(assets/index[^"]*)"', (dist / "index.html").read_text())
    site.gone.add(program)
    with serving(site) as url:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#trouble:has-text('cannot be loaded')", timeout=READY_MS)
        assert program in page.inner_text("#trouble")
        assert page.is_hidden("#hint")
        off = browser.new_context(java_script_enabled=False)
        page = off.new_page()
        page.goto(url)
        assert "JavaScript, which is off" in page.inner_text("main")
        off.close()


def test_a_choice_is_used_and_kept_if_it_runs(context: "BrowserContext", dist: Path) -> None:
    context.add_init_script(GPU)
    site = Lossy(dist, headers=HEADERS)
    site.gone.add("_internal.js")  # LiteRT.js's programs
    kept = "JSON.parse(localStorage.getItem('fer-edge.engine'))?.[0]"
    with serving(site) as url:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#status:has-text('Measuring')", timeout=READY_MS)
        page.select_option("#engine", "tfjs-cpu")
        page.wait_for_selector("html[data-ready=true]", state="attached", timeout=READY_MS)
        page.wait_for_selector("#status:has-text('answers now')", timeout=READY_MS)
        assert results(page)["engine"] == "tfjs-cpu"
        assert page.evaluate(kept) == "tfjs-cpu"
        page.select_option("#engine", "litert")
        page.wait_for_selector("#trouble:has-text('_internal.js is missing')", timeout=READY_MS)
        page.wait_for_selector("#status:empty", state="attached", timeout=READY_MS)
        assert page.evaluate(kept) == "tfjs-cpu"
        site.gone.clear()
        page.select_option("#engine", "litert")
        page.wait_for_selector("#status:has-text('answers now')", timeout=READY_MS)
        assert page.is_hidden("#trouble")
        assert page.evaluate(kept) == "litert"


# An emulated GPU that says it is none, so that it is worth measuring.
GPU = """
  const get = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, how = {}) {
    return get.call(this, kind, { ...how, failIfMajorPerformanceCaveat: false });
  };
  WebGL2RenderingContext.prototype.getParameter = ((get) => function (name) {
    return name === 0x9246 ? 'A fast GPU' : get.call(this, name);
  })(WebGL2RenderingContext.prototype.getParameter);
"""


def test_where_wasm_is_blocked_it_says_so_and_goes_on(
    context: "BrowserContext", dist: Path
) -> None:
    policy = HEADERS["Content-Security-Policy"].replace(" 'wasm-unsafe-eval'", "")
    assert "wasm" not in policy
    site = Site(dist, headers=HEADERS | {"Content-Security-Policy": policy})
    with serving(site) as url:
        page = visit(context, url)
        assert "WebAssembly is blocked" in page.inner_text("#trouble")
        found = results(page)
    assert found["engine"] in ("tfjs-webgl", "tfjs-cpu")
    assert len(found["faces"]) == 3


def test_a_lost_webgl_context_is_survived(context: "BrowserContext", address: str) -> None:
    context.add_init_script(
        """window.contexts = [];
        for (const kind of [HTMLCanvasElement, OffscreenCanvas]) {
          const get = kind.prototype.getContext;
          kind.prototype.getContext = function (name, ...rest) {
            const found = get.call(this, name, ...rest);
            if (String(name).startsWith('webgl') && found) window.contexts.push(found);
            return found;
          };
        }"""
    )
    page = visit(context, address)
    page.select_option("#engine", "tfjs-webgl")
    page.wait_for_selector("#status:has-text('answers now')", timeout=READY_MS)
    assert results(page)["engine"] == "tfjs-webgl"
    page.click("#sample")  # and while it is read
    page.evaluate(
        "window.contexts.forEach((gl) => gl.getExtension('WEBGL_lose_context')?.loseContext())"
    )
    page.wait_for_selector("#trouble:has-text('WebGL context was lost')", timeout=READY_MS)
    page.wait_for_selector("#facts:has-text('WASM')", timeout=READY_MS)
    assert still_works(page)
    assert results(page)["engine"] == "tfjs-wasm"
    page.select_option("#engine", "tfjs-webgl")  # it stays lost
    page.wait_for_selector("#trouble:has-text('Reload the page')", timeout=READY_MS)
    assert results(page)["engine"] == "tfjs-wasm"
    page.wait_for_timeout(2_000)  # the picture is read again meanwhile
    assert "clipboard" in page.inner_text("#status")
