"""What the page asks of the network: itself, once, and from anywhere."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fer_edge.site import HEADERS, Handler, Site
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
    sent: list[str] = []

    class Counting(Handler):
        """Notes what goes over the line: not what a browser is told that it has already."""

        def send_response(self, code: int, message: str | None = None) -> None:
            super().send_response(code, message)
            if code == 200:
                sent.append(self.path.removeprefix("/") or "index.html")

    context = browser.new_context()
    with serving(Site(dist, headers=HEADERS), Counting) as url:
        page = visit(context, url)
        page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
    context.close()
    assert set(files_of_first_visit(dist)) <= set(sent)
    n_bytes = sum(len(gzip.compress((dist / name).read_bytes())) for name in sent)
    assert 10**6 < n_bytes <= FIRST_VISIT_BYTES, sorted(sent)
    assert not any(name.startswith("litert/") for name in sent)
    twice = {name for name in sent if sent.count(name) > 1}
    assert twice <= {"model/manifest.json"}  # fetched whole: the others are held to it


def test_another_model_at_the_same_address_is_seen(
    context: "BrowserContext", dist: Path, tmp_path: Path
) -> None:
    """On a server that names no age, as Python's: browsers then guess one from the file's date."""
    for path in dist.iterdir():
        if path.name not in ("model", "sw.js"):
            (tmp_path / path.name).symlink_to(path)
    shutil.copytree(dist / "model", tmp_path / "model")
    shutil.copyfile(dist / "sw.js", tmp_path / "sw.js")
    _make_old(tmp_path, years=1)
    with plain_server(tmp_path) as url:
        page = visit(context, url)
        page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=READY_MS)
        _replace_model(tmp_path)
        _make_old(tmp_path, years=2)  # a copy that keeps its date may be older than the last one
        for _ in range(2):  # from the browser's own cache, and from the newer worker's
            page.reload()
            page.wait_for_selector("html[data-ready=true]", state="attached", timeout=READY_MS)
            assert page.is_hidden("#trouble")
            found = results(page)
            assert found["model"]["name"] == "mine"
    # And the threshold is its own: nothing is sure enough.
    assert [face["unsure"] for face in found["faces"]] == [True] * 3
    assert page.locator("#boxes > .unsure").count() == 3
    assert page.inner_text("#boxes > div:first-child span").startswith("unsure, happy")
    assert page.inner_text("#top") == "Unsure"
    assert page.inner_text("#top-note").startswith("perhaps happy, ")
    assert page.inner_text("#spoken").startswith("unsure, happy")


def _replace_model(page: Path) -> None:
    """Writes another model into a page, as `fer-edge export --web` does, its worker's list too."""
    weights = page / "model/tfjs/group1-shard1of1.bin"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1  # the last bit of a float16
    weights.write_bytes(content)
    manifest = json.loads((page / "model/manifest.json").read_text())
    manifest["name"] = "mine"
    manifest["confidence"]["unsure_below"] = 1.0
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"]["tfjs/group1-shard1of1.bin"]["sha256"] = digest
    (page / "model/manifest.json").write_text(json.dumps(manifest))
    worker = (page / "sw.js").read_text()
    (page / "sw.js").write_text(
        worker.replace('"model/manifest.json":"', '"model/manifest.json":"x')
    )


def _make_old(folder: Path, *, years: int) -> None:
    then = time.time() - years * 365 * 86400
    for path in [folder / "sw.js", *(folder / "model").rglob("*")]:
        os.utime(path, (then, then))


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
    with plain_server(tmp_path) as url:
        page = visit(context, f"{url}some/demo/")
        assert len(results(page)["faces"]) == 3


@contextmanager
def plain_server(folder: Path) -> Iterator[str]:
    """Serves a folder with `python -m http.server`; yields its address."""
    command = ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--directory", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split("port ")[1].split()[0]
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
