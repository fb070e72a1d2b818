"""Writes docs/COMMANDS.md from the commands' own help; `--check` fails where it is stale."""

import os
import sys
from pathlib import Path

os.environ.update(COLUMNS="100", TERM="dumb", NO_COLOR="1", _TYPER_FORCE_DISABLE_TERMINAL="1")

from typer.testing import CliRunner

from fer_edge.cli import app

TARGET = Path(__file__).resolve().parents[1] / "docs" / "COMMANDS.md"


def commands() -> list[str]:
    """Returns every command and group, as they are listed in the help."""
    names = [str(command.name) for command in app.registered_commands]
    for group in app.registered_groups:
        inner = group.typer_instance.registered_commands if group.typer_instance else []
        names += [str(group.name), *(f"{group.name} {command.name}" for command in inner)]
    return names


def reference() -> str:
    """Returns the document."""
    parts = ["# Commands\n\nWritten by `scripts/reference.py` from `--help`; not edited by hand.\n"]
    for command in commands():
        text = CliRunner().invoke(app, [*command.split(), "--help"]).stdout
        lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
        parts.append(f"\n## fer-edge {command}\n\n```text\n{lines}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    if "--check" not in sys.argv:
        TARGET.write_text(reference())
    elif not TARGET.exists() or TARGET.read_text() != reference():
        sys.exit("docs/COMMANDS.md is stale. Write it with: .venv/bin/python scripts/reference.py")
