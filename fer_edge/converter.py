"""Runs the stand-alone converter programs: which Python, which versions, what came back."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_edge.errors import ConversionError

TIMEOUT_S = 1800
_PEP723 = re.compile(r"^# /// script\n(?P<body>(?:#.*\n)+?)# ///$", re.MULTILINE)


def converter_path(name: str) -> Path:
    """Returns where a converter program lies: in the wheel, else at the top of the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_converters", package.parent / "converters"):
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise ConversionError(f"The converter {name}.py is not part of this install. Reinstall.")


def pinned_dependencies(program: Path) -> list[str]:
    """Returns the requirements that a program states in its PEP 723 block."""
    found = _PEP723.search(program.read_text())
    if found is None:
        raise ConversionError(f"{program} states no dependencies (PEP 723).")
    lines = [line.removeprefix("#").removeprefix(" ") for line in found["body"].splitlines()]
    return [str(pin) for pin in tomllib.loads("\n".join(lines))["dependencies"]]


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


def run_converter(
    name: str, arguments: Sequence[str], *, say: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """Runs a converter program to its end and returns its JSON line.

    Args:
        name: Of the program, `tflite`.
        arguments: Its command line.
        say: Told, before anything is downloaded, what and why.

    Raises:
        ConversionError: It failed, was killed or said nothing; the message carries its last words.
    """
    program = converter_path(name)
    command = [*_python_for(program, say), str(program), *arguments]
    with tempfile.TemporaryDirectory() as scratch:
        # A sitting PYTHONPATH would reach into uv's environment and bring the wrong packages.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                env={**environment, "TMPDIR": scratch},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise ConversionError(f"The {name} converter did not finish: {exc}.") from exc
    if done.returncode:
        raise ConversionError(_last_words(name, done.returncode, done.stderr))
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as exc:
        raise ConversionError(f"The {name} converter ended without a result.") from exc
    return answer


def _python_for(program: Path, say: Callable[[str], None]) -> list[str]:
    """Returns the command that runs a program with its pinned dependencies."""
    pins = pinned_dependencies(program)
    if is_met_here(pins):
        return [sys.executable]
    uv = shutil.which("uv")
    if uv is None:
        raise ConversionError(
            f"The {program.stem} converter needs {', '.join(pins)}, and this Python has other "
            "versions. Install those, or install uv (pip install uv), which runs the converter "
            "in an environment of its own."
        )
    say(
        f"The {program.stem} converter runs in an environment of its own with {', '.join(pins)}; "
        "uv downloads what it has not got yet (about 700 MB the first time)."
    )
    return [uv, "run", "--quiet", "--script"]


def _last_words(name: str, returncode: int, stderr: str) -> str:
    """Returns an error text from how a converter ended."""
    if returncode < 0:
        return (
            f"The {name} converter was killed (signal {-returncode}) before it finished; "
            "nothing was written. Signal 9 is often a lack of memory. Run the export again."
        )
    operator = re.search(r"\bop(?:erator|code)?:? '?([A-Z][A-Z0-9_]{2,})", stderr)
    named = f" It stumbled over the operator {operator[1]}." if operator else ""
    tail = "\n".join(stderr.strip().splitlines()[-8:])
    return f"The {name} converter failed (exit {returncode}).{named} Its last words:\n{tail}"
