"""Kaggle's sets, through kagglehub itself, from a server on this machine that answers as Kaggle's.

kagglehub knows no port but its own, so the server is its HTTP proxy: KAGGLE_API_ENVIRONMENT sends
it to http://localhost, and every address it then asks for arrives here.
"""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fer_edge.data.kaggle import KAGGLE_SETS, cached_folder, download, fetch
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset
from fer_edge.errors import DataError
from tests.conftest import csv_text

CHUNK = 2**20  # kagglehub writes, and draws its bar, by the MiB
ROOT = Path(__file__).parents[1]
CSV = "fer2013/fer2013/fer2013.csv"
CHALLENGE = KAGGLE_SETS["fer-challenge"].handle


class Kaggle(ThreadingHTTPServer):
    """Kaggle's API and the storage that it sends a download on to.

    Attributes:
        archive: What the storage has.
        status: What the API answers instead, where it is not 302.
        md5: The hash that the storage tells of; none where it is empty.
        breaks_after: The bytes after which the next connection breaks; none where it is 0.
        asked: The API's calls, their bodies and their authorizations.
        ranges: What parts were asked of the storage; "" for all.
        second: Set by a second call; a first download waits for it where `is_slow`.
    """

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.archive = archive
        self.status = 302
        self.md5 = base64.b64encode(hashlib.md5(archive, usedforsecurity=False).digest()).decode()
        self.breaks_after = 0
        self.asked: list[tuple[str, dict[str, object], str]] = []
        self.ranges: list[str] = []
        self.is_slow = False
        self.second = threading.Event()

    def stop(self) -> None:
        """Refuses connections from here on."""
        self.shutdown()
        self.server_close()


class Answers(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Kaggle

    def do_POST(self) -> None:
        """The API: sends a download on, or refuses it in JSON."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = self.path.rpartition("/")[2]
        self.server.asked.append((call, body, self.headers.get("Authorization", "")))
        if len(self.server.asked) == 2:
            self.server.second.set()
        refusal = b"" if self.server.status == 302 else b'{"code": %d, "message": "no"}'
        self.send_response(self.server.status)
        self.send_header("Location", "http://storage.invalid/archive.zip")
        self.send_header("Content-Type", "application/json" if refusal else "text/html")
        self.end_headers()
        self.wfile.write(refusal and refusal % self.server.status)

    def do_GET(self) -> None:
        """The storage: the archive, or what is left of it."""
        if self.server.is_slow:
            self.server.second.wait(1)
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        content = self.server.archive[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        if self.server.md5:
            self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={self.server.md5}")
        self.end_headers()
        stop, self.server.breaks_after = self.server.breaks_after, 0
        self.wfile.write(content[:stop] if stop else content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="session")
def archive(drawn: Dataset) -> bytes:
    """What Kaggle packs for fer2013: the CSV in two folders, here of drawn faces, 2.8 MiB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(CSV, csv_text(drawn))
    assert 2 * CHUNK < len(packed.getvalue()) < 3 * CHUNK
    return packed.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of kagglehub's and a home without credentials."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE", "TBE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home" / ".kaggle"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def kaggle(archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    """A Kaggle that has fer2013, where kagglehub looks for it."""
    server = Kaggle(archive)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.stop()
    thread.join()


def unpacked(folder: Path, archive: bytes) -> bool:
    """Tells whether a folder has the archive's file whole."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return (folder / CSV).read_bytes() == file.read(CSV)


def test_a_fetched_set_loads_with_the_server_stopped(
    kaggle: Kaggle, cache: Path, drawn: Dataset, capfd: pytest.CaptureFixture[str]
) -> None:
    shares: list[float] = []
    folder = fetch("fer2013", progress=lambda _what, share: shares.append(share))
    size = len(kaggle.archive)
    assert shares == sorted(shares)
    assert set(shares) == {0, CHUNK / size, 2 * CHUNK / size, 1}
    assert capfd.readouterr() == ("", "")
    assert folder == (
        cache / "datasets/ashishpatel26/facial-expression-recognitionferchallenge/versions/1"
    )
    ((call, body, authorization),) = kaggle.asked
    assert (call, authorization) == ("DownloadDataset", "")
    assert body["datasetVersionNumber"] == 1
    assert [path.name for path in cache.parent.iterdir()] == ["cache"]
    kaggle.stop()
    assert fetch("fer2013") == cached_folder("fer2013") == folder
    loaded = load_dataset("fer2013")
    for name, split in drawn.splits.items():
        np.testing.assert_array_equal(loaded.split(name).images, split.images)


def test_a_broken_download_goes_on_where_it_stopped(kaggle: Kaggle) -> None:
    kaggle.breaks_after = CHUNK * 3 // 2
    with pytest.raises(DataError) as caught:
        fetch("fer2013")
    handle = "ashishpatel26/facial-expression-recognitionferchallenge"
    assert f"expected {handle}/versions/1 from Kaggle." in str(caught.value)
    assert "Try again: the 1.0 MiB that came are kept" in str(caught.value)
    assert f"https://www.kaggle.com/datasets/{handle} and pass the zip" in str(caught.value)
    assert cached_folder("fer2013") is None
    download("fer2013")
    assert unpacked(KAGGLE_SETS["fer2013"].folder, kaggle.archive)
    # The second try asks for all to learn its size, and leaves that unread for the rest.
    assert kaggle.ranges == ["", "", f"bytes={CHUNK}-"]


def test_a_wrong_checksum_leaves_nothing_behind(kaggle: Kaggle) -> None:
    good, kaggle.md5 = kaggle.md5, base64.b64encode(bytes(16)).decode()
    with pytest.raises(DataError, match=r"damaged: .* MD5 .* It was removed; try again\."):
        download("fer2013")
    assert cached_folder("fer2013") is None
    assert not KAGGLE_SETS["fer2013"].beside(".archive").exists()
    kaggle.md5 = good
    download("fer2013")
    assert unpacked(KAGGLE_SETS["fer2013"].folder, kaggle.archive)
    assert kaggle.ranges == ["", ""]


def test_what_is_no_archive_leaves_nothing_behind(kaggle: Kaggle) -> None:
    good, kaggle.archive, kaggle.md5 = kaggle.archive, b"<html>busy</html>", ""
    with pytest.raises(DataError, match="damaged: Unsupported archive type"):
        download("fer2013")
    kaggle.archive = good
    download("fer2013")
    assert unpacked(KAGGLE_SETS["fer2013"].folder, good)


SIGN_IN = "https://www.kaggle.com/settings/api and set KAGGLE_API_TOKEN"
RULES = f"Accept the rules at https://www.kaggle.com/competitions/{CHALLENGE}/rules"
ANSWERS = {
    # name, status, token, what the message says
    "gone": ("fer2013", 404, "", ["not there (404)"]),
    "closed": ("fer2013", 403, "", ["an account, or was withdrawn (403)", SIGN_IN]),
    "private": ("fer2013", 403, "t", ["refuses your account (403)", "owner"]),
    "bad-token": ("fer2013", 401, "t", ["not accept your token or key (401)", SIGN_IN]),
    "busy": ("fer2013", 503, "", ["answered 503. Try again later"]),
    "rules": ("fer-challenge", 403, "t", ["refuses your account (403)", RULES]),
    "no-account": ("fer-challenge", 302, "", ["takes an account", SIGN_IN, RULES]),
}


@pytest.mark.parametrize(("name", "status", "token", "said"), ANSWERS.values(), ids=ANSWERS)
def test_a_refusal_says_what_to_do(
    kaggle: Kaggle,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    status: int,
    token: str,
    said: list[str],
) -> None:
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    kaggle.status = status
    with pytest.raises(DataError) as caught:
        download(name)
    for words in said:
        assert words in str(caught.value)
    assert cached_folder(name) is None


def test_a_competition_is_fetched_with_a_token(
    kaggle: Kaggle, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "abc")
    download("fer-challenge")
    assert [(call, token) for call, _, token in kaggle.asked] == [
        ("DownloadDataFiles", "Bearer abc")
    ]
    assert cached_folder("fer-challenge") == cache / "competitions" / CHALLENGE
    assert unpacked(cache / "competitions" / CHALLENGE, kaggle.archive)


def test_damaged_credentials_are_not_a_damaged_download(kaggle: Kaggle, cache: Path) -> None:
    kaggle.breaks_after = CHUNK * 3 // 2
    with pytest.raises(DataError, match="kept"):
        download("fer2013")
    settings = cache.parent / "home" / ".kaggle"
    settings.mkdir(parents=True)
    (settings / "kaggle.json").write_text("{")
    with pytest.raises(DataError, match=r"credentials cannot be read: .*kaggle\.json"):
        download("fer2013")
    assert KAGGLE_SETS["fer2013"].beside(".archive").stat().st_size == CHUNK


def test_without_network(kaggle: Kaggle) -> None:
    kaggle.stop()
    with pytest.raises(DataError, match=r"no answer \(ProxyError\)\. Check the network"):
        download("fer2013")


def test_without_network_a_copy_that_lacks_its_mark_is_named(kaggle: Kaggle) -> None:
    kaggle.stop()
    chosen = KAGGLE_SETS["fer2013"]
    chosen.folder.mkdir(parents=True)
    with pytest.raises(DataError) as caught:
        download("fer2013")
    assert f"make the empty file {chosen.beside('.complete')}" in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.usefixtures("kaggle")
def test_a_full_disk(cache: Path) -> None:
    archive = KAGGLE_SETS["fer2013"].beside(".archive")
    archive.parent.mkdir(parents=True)
    archive.symlink_to("/dev/full")
    with pytest.raises(
        DataError, match=f"{cache} cannot be written: No space left.*KAGGLEHUB_CACHE"
    ):
        download("fer2013")


def test_what_kagglehub_dies_of_is_said(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "MARS")
    with pytest.raises(DataError, match=r"Unrecognized value in KAGGLE_API_ENV.*--data"):
        fetch("fer2013")
    assert kaggle.asked == []


def test_of_two_at_once_one_downloads(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the competition, for which kagglehub would ask again even where it is cached."""
    monkeypatch.setenv("KAGGLE_API_TOKEN", "abc")
    kaggle.is_slow = True
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(fetch, ["fer-challenge", "fer-challenge"])
    assert len(kaggle.asked) == 1
    assert first == second
    assert unpacked(first, kaggle.archive)


DATASET = "datasets/msambare/fer2013"
BY_HAND = {
    # name, the files in the cache, the folder that is whole
    "whole": ("fer2013-folders", ["1.complete", "versions/1/train/happy/0.jpg"], "versions/1"),
    "unmarked": ("fer2013-folders", ["versions/1/train/happy/0.jpg"], ""),
    "arriving": ("fer2013-folders", ["1.archive", "versions/1/train/happy/0.jpg"], ""),
    "only-marked": ("fer2013-folders", ["1.complete"], ""),
    "another": ("fer2013-folders", ["2.complete", "versions/2/train/happy/0.jpg"], ""),
    "competition": (
        "fer-challenge",
        [f"{CHALLENGE}.complete", f"{CHALLENGE}/train.csv"],
        CHALLENGE,
    ),
}


@pytest.mark.parametrize(("name", "files", "folder"), BY_HAND.values(), ids=BY_HAND)
def test_a_cache_filled_by_hand(cache: Path, name: str, files: list[str], folder: str) -> None:
    place = cache / ("competitions" if name == "fer-challenge" else DATASET)
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).touch()
    assert cached_folder(name) == (place / folder if folder else None)
    if folder:
        assert fetch(name) == place / folder


def test_an_unknown_name_lists_the_known_ones(cache: Path) -> None:
    for ask in (cached_folder, fetch):
        with pytest.raises(DataError, match=r"'fer2014'.* fer2013, face-expression, .*challenge"):
            ask("fer2014")
    assert not cache.exists()


def test_without_kagglehub(cache: Path) -> None:
    """A Python without any package finds what is cached and says what fetching needs."""
    chosen = KAGGLE_SETS["fer2013-folders"]
    chosen.folder.mkdir(parents=True)
    chosen.beside(".complete").touch()
    code = (
        "from fer_edge.data.kaggle import cached_folder, fetch\n"
        "print(fetch('fer2013-folders'))\n"
        "fetch('fer2013')"
    )
    bare = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=bare, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{cache / DATASET / 'versions/1'}\n"
    assert "MissingExtraError: kagglehub is needed for" in done.stderr
    assert "pip install 'fer-edge[train]'" in done.stderr
