"""Chromium and the built page, for the tests of this folder; without either they are skipped."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fer_edge.browser import find_browser
from fer_edge.errors import MissingProgramError
from fer_edge.site import HEADERS, Site, find_page
from tests.web_demo.page import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader")

Launch = Callable[..., "Browser"]


@pytest.fixture(scope="module")
def dist() -> Path:
    """The built page's folder."""
    try:
        find_browser()
        return find_page()
    except MissingProgramError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="module")
def address(dist: Path) -> Iterator[str]:
    """Where the page is served, with the headers of `fer-edge demo`."""
    with serving(Site(dist, headers=HEADERS)) as url:
        yield url


@pytest.fixture(scope="module")
def launch(address: str) -> Iterator[Launch]:
    """Starts a browser with flags; all of them end with the module."""
    assert address  # without a page there is nothing to browse
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium, program = playwright.chromium, find_browser()
        yield lambda *flags: chromium.launch(executable_path=program, args=[*FLAGS, *flags])


@pytest.fixture(scope="module")
def browser(launch: Launch) -> Iterator["Browser"]:
    """A browser without a camera."""
    opened = launch()
    yield opened
    opened.close()


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    """Somebody who comes for the first time, and lets the page use the clipboard."""
    opened = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()
