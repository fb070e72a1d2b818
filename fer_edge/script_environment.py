"""The Python that a stand-alone program runs in: this one, or one that uv makes for it.

A program states its dependencies in a PEP 723 block. Where this Python has just those, it will do;
else uv installs them into an environment in its cache, once, and needs no network after that.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fer_edge.errors import EnvironmentNotMadeError

Say = Callable[[str], None]

TIMEOUT_S = 1800
NO_SPACE = ("No space left on device", "Disk quota exceeded", "not enough space on the disk")
NO_NETWORK = ("network was disabled", "connectivity is disabled", "error sending request")
UNTRUSTED = "invalid peer certificate"
SYSTEM_CERTIFICATES = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}  # its name today and before
_PEP723 = re.compile(r"^# /// script\n(?P<body>(?:#.*\n)+?)# ///$", re.MULTILINE)


def pinned_dependencies(program: Path) -> list[str]:
    """Returns the requirements that a program states in its PEP 723 block.

    Raises:
        EnvironmentNotMadeError: It states none.
    """
    return [str(pin) for pin in _header(program)["dependencies"]]


def download_size(program: Path) -> str:
    """Returns what a program's dependencies take as it states it, as ", 640 MB in all"; else ""."""
    n_mb = _header(program).get("tool", {}).get("fer-edge", {}).get("download-mb")
    return f", {n_mb} MB in all" if n_mb else ""


def _header(program: Path) -> dict[str, Any]:
    """Returns a program's PEP 723 block."""
    found = _PEP723.search(program.read_text("utf-8"))
    if found is None:
        raise EnvironmentNotMadeError(f"{program} states no dependencies (PEP 723).")
    lines = [line.removeprefix("#").removeprefix(" ") for line in found["body"].splitlines()]
    return tomllib.loads("\n".join(lines))


def is_met_here(pins: Sequence[str]) -> bool:
    """Tells whether each `name==version` is what this Python has installed."""
    for pin in pins:
        name, _, version = pin.partition("==")
        try:
            if metadata.version(name) != version:
                return False
        except metadata.PackageNotFoundError:
            return False
    return True


def python_for(program: Path, say: Say) -> Path:
    """Returns a Python that has a program's dependencies.

    Args:
        program: With a PEP 723 block.
        say: Told, before anything is downloaded, what and why.

    Raises:
        EnvironmentNotMadeError: uv is absent, or could not install them.
    """
    pins = pinned_dependencies(program)
    if is_met_here(pins):
        return Path(sys.executable)
    if _uv("sync", "--offline", "--script", str(program)).returncode:
        say(
            f"{program.name} runs in an environment of its own with {', '.join(pins)}; uv "
            f"downloads what it has not got yet{download_size(program)}, once"
        )
        _install(program)
    return Path(_uv("python", "find", "--script", str(program)).stdout.strip())


def mend(program: Path, python: Path, say: Say) -> bool:
    """Installs a program's environment again if files of it are missing or cut short.

    Args:
        program: Which failed.
        python: What it ran in.
        say: Told which file, and what happens.

    Returns:
        Whether it did.

    Raises:
        EnvironmentNotMadeError: uv could not install it.
    """
    if python == Path(sys.executable) or (damaged := find_damage(python)) is None:
        return False
    say(f"{damaged} is not what its package installed; the environment is installed again")
    _install(program, "--reinstall")
    return True


def find_damage(python: Path) -> Path | None:
    """Returns a file of an environment that is not as long as its package recorded, or None."""
    for site in python.parent.parent.glob("[Ll]ib/**/site-packages"):
        for package in metadata.distributions(path=[str(site)]):
            for file in package.files or ():
                path = Path(str(file.locate()))
                is_whole = path.is_file() and file.size in (None, path.stat().st_size)
                if not is_whole and path.suffix != ".pyc":
                    return path
    return None


def _install(program: Path, *options: str) -> None:
    sync = ("sync", *options, "--script", str(program))
    done = _uv(*sync)
    if UNTRUSTED in done.stderr:  # a network whose own authority only the system knows
        done = _uv(*sync, settings=SYSTEM_CERTIFICATES)
    if done.returncode:
        raise EnvironmentNotMadeError(_what_to_do(program, done.stderr))


def _what_to_do(program: Path, stderr: str) -> str:
    """Returns an error text from what uv said."""
    said = "\n".join(stderr.strip().splitlines()[-4:])
    what = f"The environment of {program.name} could not be made"
    if any(words in stderr for words in NO_SPACE):
        cache = _uv("cache", "dir").stdout.strip()
        return (
            f"{what}: the disk is full. Expected 2.5 GB free for uv's cache, {cache}. Make "
            f"room, or set UV_CACHE_DIR to a larger disk, and run it again. uv said:\n{said}"
        )
    if any(words in stderr for words in NO_NETWORK):
        return (
            f"{what}: not all of its packages are in uv's cache, and the package index was not "
            f"reached. Run it once with a network; after that it needs none. uv said:\n{said}"
        )
    return f"{what}. uv said:\n{said}"


def variables() -> dict[str, str]:
    """Returns the environment variables without those that would reach into another Python."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _uv(
    *arguments: str, settings: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [find_uv(), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            env={**variables(), **settings},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise EnvironmentNotMadeError(f"uv did not finish: {exc}. Run it again.") from exc


def find_uv() -> str:
    """Returns uv's program, beside this Python or on the path.

    Raises:
        EnvironmentNotMadeError: There is none.
    """
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as exc:
        if found := shutil.which("uv"):
            return found
        raise EnvironmentNotMadeError(
            "uv is needed to install a converter's own dependencies, and it was not found. "
            "Install it with: pip install uv"
        ) from exc
