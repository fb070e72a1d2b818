"""Runs the stand-alone converter programs and reads what came back."""

import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_edge.errors import ConversionError
from fer_edge.script_environment import Say, mend, python_for, variables

TIMEOUT_S = 1800


def converter_path(name: str) -> Path:
    """Returns where a converter program lies: in the wheel, else at the top of the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_converters", package.parent / "converters"):
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise ConversionError(f"The converter {name}.py is not part of this install. Reinstall.")


def run_converter(
    name: str, arguments: Sequence[str], *, say: Say = lambda _text: None
) -> dict[str, Any]:
    """Runs a converter program to its end and returns its JSON line.

    Args:
        name: Of the program, `tflite`.
        arguments: Its command line.
        say: Told, before anything is downloaded, what and why.

    Raises:
        EnvironmentNotMadeError: Its dependencies could not be installed.
        ConversionError: It failed, was killed or said nothing; the message carries its last words.
    """
    return run_program(converter_path(name), arguments, say=say)


def run_program(
    program: Path, arguments: Sequence[str], *, say: Say = lambda _text: None
) -> dict[str, Any]:
    """Runs any program with a PEP 723 block as `run_converter` does one of ours."""
    python = python_for(program, say)
    done = _run(python, program, arguments)
    is_stopped = done.returncode in (-signal.SIGKILL, -signal.SIGTERM)
    if done.returncode and not is_stopped and mend(program, python, say):
        done = _run(python, program, arguments)
    if done.returncode:
        raise ConversionError(_last_words(program.stem, done.returncode, done.stderr))
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as exc:
        raise ConversionError(f"The {program.stem} converter ended without a result.") from exc
    return answer


def _run(python: Path, program: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return subprocess.run(
                [str(python), str(program), *arguments],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT_S,
                env={**variables(), "TMPDIR": scratch},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise ConversionError(f"The {program.stem} converter did not finish: {exc}.") from exc


def _last_words(name: str, returncode: int, stderr: str) -> str:
    """Returns an error text from how a converter ended."""
    if returncode < 0:
        return (
            f"The {name} converter was killed (signal {-returncode}) before it finished; "
            "nothing was written. Signal 9 is often a lack of memory. Run it again."
        )
    operator = re.search(r"\bop(?:erator|code)?:? '?([A-Z][A-Z0-9_]{2,})", stderr)
    named = f" It stumbled over the operator {operator[1]}." if operator else ""
    tail = "\n".join(stderr.strip().splitlines()[-8:])
    return f"The {name} converter failed (exit {returncode}).{named} Its last words:\n{tail}"
