"""`fer-edge demo`: what its server gives and refuses, where it listens, and how it ends."""

import http.client
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from fer_edge import site
from fer_edge.cli import app
from fer_edge.errors import ConfigError, MissingProgramError
from fer_edge.site import find_page, serve_page, url_of, warning_of
from tests.pages import FILES, demo_process, write_page

ROOT = Path(__file__).parents[1]
SECRET = b"nobody's business"
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Permissions-Policy": "camera=(self)",
}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page, with something beside it that must not come out."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (folder := tmp_path / "page").mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return write_page(folder)


@pytest.fixture
def url(page: Path) -> Iterator[str]:
    """The address of a server of the page."""
    with serve_page(page, "127.0.0.1", 0, print) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield url_of("127.0.0.1", server.server_port)
        server.shutdown()
        thread.join()


def request(
    url: str, path: str, method: str = "GET", body: bytes | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Sends a path as it stands, which `urlopen` might not, and returns the answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_page(name: str, url: str) -> None:
    with urlopen(url + name, timeout=30) as answer:  # noqa: S310  (our own address)
        assert answer.read() == FILES[name]
        assert {key: answer.headers[key] for key in HEADERS} == HEADERS
        assert answer.headers["Content-Length"] == str(len(FILES[name]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.tflite", "application/octet-stream"),
        ("a.bin", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_types(name: str, kind: str, page: Path, url: str) -> None:
    (page / name).write_bytes(b"x")
    assert request(url, f"/{name}")[2]["Content-Type"] == kind


@pytest.mark.parametrize("path", ["/", "/?a=b", "/index.html?a=../secret.txt", "/%69ndex.html"])
def test_the_root_is_the_index(path: str, url: str) -> None:
    status, content, headers = request(url, path)
    assert (status, content) == (200, FILES["index.html"])
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_folder_with_an_index(url: str) -> None:
    assert request(url, "/verify/")[:2] == (200, b"the harness")


@pytest.mark.parametrize(
    "path",
    [
        "/absent.html",
        "/assets",
        "/assets/",
        "/index.html/",
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "../secret.txt",
        "/link.txt",
        "/%00",
        "/index.html%00",
        "/" + "a" * 5000,
        "/{absolute}",
        "/%2f{absolute}",
        "/{quoted}",
        "{absolute}",
    ],
)
def test_what_is_not_of_the_page_is_not_there(path: str, page: Path, url: str) -> None:
    secret = str(page.parent / "secret.txt")
    path = path.format(absolute=secret, quoted=quote(secret, safe=""))
    status, content, headers = request(url, path)
    assert status == 404
    assert SECRET not in content
    assert {key: headers[key] for key in HEADERS} == HEADERS


def test_a_file_that_the_client_has_is_not_sent_again(page: Path, url: str) -> None:
    tag = request(url, "/licenses.txt")[2]["ETag"]
    asking = Request(f"{url}licenses.txt", headers={"If-None-Match": f'"other", {tag}'})  # noqa: S310
    with pytest.raises(HTTPError) as refused:
        urlopen(asking, timeout=30)  # noqa: S310  (our own address)
    with refused.value as not_modified:
        assert (not_modified.code, not_modified.read()) == (304, b"")
        assert not_modified.headers["ETag"] == tag
    (page / "licenses.txt").write_bytes(b"xyz")  # as long, and another
    with urlopen(asking, timeout=30) as answer:  # noqa: S310
        assert answer.read() == b"xyz"


def test_head_is_get_without_its_body(url: str) -> None:
    status, content, headers = request(url, "/licenses.txt", "HEAD")
    assert (status, content, headers["Content-Length"]) == (200, b"", "3")
    assert request(url, "/absent", "HEAD")[:2] == (404, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_is_taken_in(method: str, page: Path, url: str) -> None:
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(f"{url}licenses.txt", b"x", method=method), timeout=30)  # noqa: S310
    with caught.value as answer:
        assert answer.code == 501
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (page / "licenses.txt").read_bytes() == FILES["licenses.txt"]


def test_a_client_that_goes_away_is_no_error(
    page: Path, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with (page / "large.bin").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    n_threads = threading.active_count()
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as client:
        client.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
        assert client.recv(4) == b"HTTP"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 30
    while threading.active_count() > n_threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == n_threads
    assert capfd.readouterr().err == ""
    assert request(url, "/")[0] == 200


def test_sigterm_ends_it_at_once(page: Path) -> None:
    options = ("--no-open", "--port", "0", "--page", str(page))
    with demo_process(*options, cwd=ROOT) as (process, address):
        assert urlsplit(address).hostname == "127.0.0.1"
        assert request(address, "/")[1] == FILES["index.html"]
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (-signal.SIGTERM, "", "")


def test_ctrl_c_exits_130(page: Path) -> None:
    options = ("--no-open", "--port", "0", "--page", str(page))
    with demo_process(*options, cwd=ROOT) as (process, address):
        assert request(address, "/")[0] == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "Interrupted.\n")
    with pytest.raises(ConnectionRefusedError):
        request(address, "/")


@pytest.mark.parametrize("option", ["--no-open", "--host=localhost"])
def test_it_opens_the_users_browser(option: str, page: Path, tmp_path: Path) -> None:
    """BROWSER names a program that fetches the page and keeps the address."""
    opened = tmp_path / "opened.txt"
    (program := tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" >{opened}.part\n')
    program.chmod(0o755)
    with program.open("a") as file:
        file.write(f"mv {opened}.part {opened}\n")
    extra = {"BROWSER": f"{program} %s"}
    options = (option, "--port", "0", "--page", str(page))
    with demo_process(*options, cwd=ROOT, extra=extra) as (process, address):
        assert request(address, "/")[0] == 200
        deadline = time.monotonic() + (20 if option != "--no-open" else 1)
        while not opened.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.terminate()
    if option == "--no-open":
        assert not opened.exists()
    else:
        assert opened.read_text() == f"{address}\n"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken(taken: int, page: Path) -> None:
    says = f"Port {taken} of 127.0.0.1 is taken .* leave --port out"
    with pytest.raises(ConfigError, match=says):
        serve_page(page, "127.0.0.1", taken, print).server_close()


def test_the_default_port_gives_way(
    taken: int, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "PORT", taken)
    said: list[str] = []
    with serve_page(page, "127.0.0.1", None, said.append) as server:
        assert server.server_port not in (0, taken)
    assert said == [f"Port {taken} is taken by another program; this is a free one."]


def test_the_default_port_is_taken_where_it_is_free(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        free = listening.getsockname()[1]
    monkeypatch.setattr(site, "PORT", free)
    said: list[str] = []
    with serve_page(page, "127.0.0.1", None, said.append) as server:
        assert (server.server_port, said) == (free, [])


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "é" * 70])
def test_a_host_that_is_not_this_machines(host: str, page: Path) -> None:
    with pytest.raises(ConfigError, match=f"Cannot listen on {host!r}, port 0"):
        serve_page(page, host, 0, print).server_close()


def test_it_listens_on_ipv6_too(page: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as exc:
        pytest.skip(f"no IPv6 here: {exc}")
    with serve_page(page, "::1", 0, print) as server:
        assert server.server_address[0] == "::1"


@pytest.mark.parametrize(
    ("address", "url", "is_warned_of"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/", False),
        ("127.0.0.2", "http://127.0.0.2:80/", False),
        ("::1", "http://[::1]:80/", False),
        ("0.0.0.0", "http://localhost:80/", True),  # noqa: S104
        ("::", "http://localhost:80/", True),
        ("192.0.2.1", "http://192.0.2.1:80/", True),
    ],
)
def test_addresses(address: str, url: str, is_warned_of: bool) -> None:
    assert url_of(address, 80) == url
    warning = warning_of(address, 80)
    assert ("HTTPS" in warning, "adb reverse tcp:80 tcp:80" in warning) == (is_warned_of,) * 2


def test_a_page_that_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "PLACES", (tmp_path / "wheel", tmp_path / "checkout"))
    done = CliRunner().invoke(app, ["demo", "--no-open", "--port", "0"])
    assert done.exit_code == 1
    assert "page is not built" in done.stderr
    assert "npm run build" in done.stderr


def test_the_wheels_page_comes_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, checkout = tmp_path / "wheel", tmp_path / "checkout"
    monkeypatch.setattr(site, "PLACES", (wheel, checkout))
    write_page(checkout)
    assert (find_page(), find_page("verify")) == (checkout, checkout)
    (wheel / "verify").mkdir(parents=True)
    (wheel / "verify" / "index.html").write_bytes(b"")
    assert (find_page(), find_page("verify")) == (checkout, wheel)
    (wheel / "index.html").write_bytes(b"")
    assert find_page() == wheel
    with pytest.raises(MissingProgramError, match="not built"):
        find_page("absent")


def test_where_the_page_is_looked_for() -> None:
    assert site.PLACES == (ROOT / "fer_edge" / "_web", ROOT / "web_demo" / "dist")
