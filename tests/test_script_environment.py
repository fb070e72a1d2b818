"""A stand-alone program's environment: made once, mended, and what is said where it cannot be."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge import script_environment
from fer_edge.converter import converter_path, run_program
from fer_edge.errors import ConversionError, EnvironmentNotMadeError
from tests.conftest import mounted_disk, write_program

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """import json, os, signal, sys
import six
if not hasattr(six, "__version__"):  # as a library that is cut short does
    os.kill(os.getpid(), signal.SIGBUS)
if "fail" in sys.argv:
    raise ValueError("a wrong network")
print(json.dumps({"six": six.__version__, "path": sys.path}))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with one small dependency that is not installed here, and uv's cache empty."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return write_program(tmp_path / "tiny.py", "six==1.16.0", PROGRAM)


@pytest.mark.parametrize(
    ("name", "n_mb"),
    [("tflite", 640), ("tfjs", 640), ("android", 640), ("mediapipe_answers", 140)],
)
def test_each_converter_says_what_it_downloads(
    name: str, n_mb: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sums of the wheels that `uv lock --script` lists; here nothing may be downloaded."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setattr(script_environment, "is_met_here", lambda _pins: False)
    said: list[str] = []
    with pytest.raises(EnvironmentNotMadeError):
        script_environment.python_for(converter_path(name), said.append)
    [line] = said
    assert f"has not got yet, {n_mb} MB in all, once" in line


def test_pins_decide_where_a_converter_runs() -> None:
    pins = script_environment.pinned_dependencies(converter_path("tflite"))
    assert script_environment.is_met_here(pins)
    assert not script_environment.is_met_here([*pins, "tensorflow==1.0.0"])
    assert not script_environment.is_met_here(["no-such-package==1.0"])


def test_the_pins_are_those_of_the_train_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = script_environment.pinned_dependencies(converter_path("tflite"))
    assert set(pins) <= set(project["optional-dependencies"]["train"])


def test_a_program_without_pins_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text("print('{}')\n")
    with pytest.raises(EnvironmentNotMadeError, match="states no dependencies"):
        run_program(tmp_path / "bare.py", [])


@pytest.mark.network
def test_it_is_made_once_and_then_needs_no_network(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # uv is beside this Python, not on the path
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)  # the system's certificates are found
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    said: list[str] = []
    answer = run_program(program, [], say=said.append)
    assert answer["six"] == "1.16.0"
    assert "/nowhere" not in answer["path"]
    assert len(said) == 1
    assert "six==1.16.0" in said[0]
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert run_program(program, [], say=said.append) == answer
    assert len(said) == 1


@pytest.mark.network
@pytest.mark.parametrize("damage", ["emptied", "removed", "no Python"])
def test_a_damaged_one_is_mended(program: Path, damage: str) -> None:
    run_program(program, [])
    python = script_environment.python_for(program, lambda _text: None)
    [module] = python.parent.parent.glob("lib/*/site-packages/six.py")
    if damage == "emptied":
        module.write_bytes(b"")
    else:
        (module if damage == "removed" else python).unlink()
    said: list[str] = []
    assert run_program(program, [], say=said.append)["six"] == "1.16.0"
    if damage != "no Python":  # which uv sees by itself
        assert len(said) == 1
        assert "six.py is not what its package installed" in said[0]


@pytest.mark.network
def test_a_program_that_fails_in_a_whole_one_is_not_run_again(program: Path) -> None:
    said: list[str] = []
    with pytest.raises(ConversionError, match="a wrong network") as caught:
        run_program(program, ["fail"], say=said.append)
    assert not isinstance(caught.value, EnvironmentNotMadeError)
    assert len(said) == 1


@pytest.mark.parametrize("setting", ["UV_OFFLINE=1", "UV_DEFAULT_INDEX=http://127.0.0.1:9/simple"])
def test_without_a_network_it_says_so(
    program: Path, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*setting.split("="))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(EnvironmentNotMadeError, match="Run it once with a network"):
        run_program(program, [])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB: uv wants more to begin with than the other tests' disk."""
    with mounted_disk(tmp_path / "disk", "2m") as folder:
        yield folder


@pytest.mark.network
def test_a_full_disk_is_named(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(small_disk))
    program = write_program(tmp_path / "large.py", "setuptools==80.1.0", PROGRAM)
    with pytest.raises(EnvironmentNotMadeError, match=f"the disk is full.*{small_disk}"):
        run_program(program, [])


def test_without_uv_it_says_how_to_get_it(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(EnvironmentNotMadeError, match="pip install uv"):
        run_program(program, [])


@pytest.mark.network
def test_a_package_that_does_not_exist_is_in_the_error(program: Path) -> None:
    write_program(program, "setuptools==0.0.0.1", PROGRAM)
    with pytest.raises(EnvironmentNotMadeError, match=r"setuptools==0\.0\.0\.1"):
        run_program(program, [])
