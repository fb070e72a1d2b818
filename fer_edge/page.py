"""Markdown pages of which commands write parts, each between its own marks."""

import re
from pathlib import Path

from fer_edge import files
from fer_edge.errors import OutputError

_PART = re.compile(r"<!-- (?P<name>[^>]+): begin -->\n.*?<!-- (?P=name): end -->\n?", re.DOTALL)


def has_part(page: Path, name: str) -> bool:
    """Tells whether a page has the marks of a part."""
    return name in _parts(page)


def write_part(page: Path, name: str, text: str) -> None:
    """Replaces a part of a page; where it has no marks yet, the part comes at its end.

    Raises:
        OutputError: The page has one of the two marks alone, or cannot be written.
    """
    part = f"<!-- {name}: begin -->\n\n{text}\n<!-- {name}: end -->\n"
    before = page.read_text("utf-8") if page.exists() else ""
    parts = _parts(page)
    if name in parts:
        after = before.replace(parts[name], part)
    elif f"<!-- {name}: " in before:
        raise OutputError(
            f"{page} has one mark of {name!r} alone. Expected {part.splitlines()[0]} and "
            f"{part.splitlines()[-1]}, or neither."
        )
    else:
        after = f"{before.rstrip()}\n\n{part}" if before else part
    files.write_text(page, after)


def keep_parts(page: Path, text: str) -> str:
    """Returns a page's new text, with the parts that others wrote into the old one at its end."""
    return "\n".join([text, *_parts(page).values()])


def _parts(page: Path) -> dict[str, str]:
    """Returns the parts of a page with their marks, by name; none where there is no page."""
    text = page.read_text("utf-8") if page.exists() else ""
    return {part["name"]: part[0] for part in _PART.finditer(text)}
