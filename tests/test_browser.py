"""Programs with a browser's name that are none, or end early: said at once, with their words."""

import sys
from pathlib import Path

import pytest

from fer_edge.browser import ask_page
from fer_edge.errors import EngineError, MissingProgramError
from fer_edge.site import Site
from tests.pages import write_page

SH = "#!/bin/sh\n"
SNAP = f"{SH}echo 'requires the chromium snap to be installed.' >&2; exit 1\n"
FETCHES = f"""#!{sys.executable}
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(sys.argv[-1]).read()
print('GPU process gone', file=sys.stderr)
sys.exit(5)
"""


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        pytest.param(SNAP, MissingProgramError, "exit 1, .*requires the chromium snap", id="stub"),
        pytest.param(f"{SH}exit 0", MissingProgramError, "exit 0, no words", id="silent stub"),
        pytest.param(FETCHES, EngineError, "the browser ended. exit 5, GPU process", id="crash"),
        pytest.param(f"{SH}exec sleep 60", EngineError, "did not answer within 1 s", id="slow"),
    ],
)
def test_how_a_browser_ends_is_said_at_once(
    script: str,
    error: type[Exception],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "chromium"
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    site = Site(write_page(tmp_path / "page"))
    with pytest.raises(error, match=said):
        ask_page(site, "verify/", {}, "the engine", timeout_s=1 if "sleep" in script else 30)


def test_a_page_that_is_not_built_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(MissingProgramError, match=r"expected bench/index\.html in .*, found none"):
        ask_page(Site(tmp_path), "bench/", {}, "the bench", timeout_s=30)
