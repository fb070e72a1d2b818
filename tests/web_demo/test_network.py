"""What the page asks of the network: itself, once, and from anywhere."""

import gzip
import json
import subprocess
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fer_edge.site import HEADERS, Site
from fer_edge.web import files_of_first_visit
from tests.web_demo.page import READY_MS, png, results, scene, serving, upload, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.slow

FIRST_VISIT_BYTES = 3 * 2**20


def test_nothing_is_asked_of_the_network_but_the_page_and_nothing_after_it(
    context: "BrowserContext", address: str
) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = visit(context, address)
    page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
    own = [url for url in asked if url.startswith((address, "blob:", "data:"))]
    assert own == asked
    assert len(asked) > 10
    asked.clear()
    upload(page, png(scene(3, "happy")))
    page.wait_for_selector("#top:text-is('Happy')")
    page.click("#sample")
    page.wait_for_selector("#boxes > div:nth-child(3)")
    results(page)
    assert [url for url in asked if not url.startswith("blob:")] == []


def test_it_works_with_the_network_off(context: "BrowserContext", dist: Path) -> None:
    with serving(Site(dist, headers=HEADERS)) as url:
        page = visit(context, url)
        page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
    # The server is gone now, and so is the network.
    context.set_offline(True)
    page.reload()
    page.wait_for_selector("html[data-ready=true]", state="attached", timeout=READY_MS)
    assert len(results(page)["faces"]) == 3


def test_the_first_visit_is_under_three_mebibytes(browser: "Browser", dist: Path) -> None:
    context = browser.new_context()
    counting = Counting(dist, headers=HEADERS)
    with serving(counting) as url:
        page = visit(context, url)
        page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
    context.close()
    assert set(files_of_first_visit(dist)) <= set(counting.asked)
    n_bytes = sum(len(gzip.compress((dist / name).read_bytes())) for name in counting.asked)
    assert 10**6 < n_bytes <= FIRST_VISIT_BYTES, sorted(counting.asked)
    assert not any(name.startswith("litert/") for name in counting.asked)


class Counting(Site):
    """A site that notes what it was asked for, as often as it was."""

    @cached_property
    def asked(self) -> list[str]:
        return []

    def read(self, path: str) -> bytes | None:
        content = super().read(path)
        if content is not None:
            self.asked.append(path)
        return content


def test_another_model_at_the_same_address_is_seen(context: "BrowserContext", dist: Path) -> None:
    files: dict[str, bytes] = {}
    with serving(Site(dist, files, HEADERS)) as url:
        page = visit(context, url)
        page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
        manifest = json.loads((dist / "model/manifest.json").read_text())
        files["model/manifest.json"] = json.dumps({**manifest, "name": "mine"}).encode()
        page.reload()
        page.wait_for_selector("html[data-ready=true]", state="attached", timeout=READY_MS)
        assert results(page)["model"]["name"] == "mine"


def test_a_stranger_at_the_same_address_is_left_alone(
    context: "BrowserContext", dist: Path
) -> None:
    files: dict[str, bytes] = {}
    with serving(Site(dist, files, HEADERS)) as url:
        page = visit(context, url)
        page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
        files["index.html"] = b"<!doctype html><title>another project</title><p id=theirs>theirs"
        page.goto(url)
        assert page.inner_text("#theirs") == "theirs"


def test_it_works_from_a_subfolder_of_a_plain_server(
    context: "BrowserContext", dist: Path, tmp_path: Path
) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "demo").symlink_to(dist)
    command = ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--directory", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split("port ")[1].split()[0]
            page = visit(context, f"http://127.0.0.1:{port}/some/demo/")
            assert len(results(page)["faces"]) == 3
        finally:
            server.terminate()
