"""Markdown pages of which commands write parts, each between its own marks."""

import re
from pathlib import Path

from fer_edge import files
from fer_edge.errors import OutputError

_PART = re.compile(r"<!-- (?P<name>.+?): begin -->\n.*?<!-- (?P=name): end -->\n?", re.DOTALL)


def has_part(page: Path, name: str) -> bool:
    """Tells whether a page has the marks of a part."""
    return name in _parts(page)


def check_page(page: Path, name: str) -> None:
    """Raises OutputError unless a part of that name can be written into a page."""
    marks = [_read(page).count(f"<!-- {name}: {end} -->") for end in ("begin", "end")]
    if marks not in ([0, 0], [1, 1]) or (any(marks) and name not in _parts(page)):
        raise OutputError(
            f"{page} has the marks of the part {name!r} {' and '.join(map(str, marks))} times. "
            f"Expected <!-- {name}: begin --> and behind it <!-- {name}: end -->, or neither."
        )


def write_part(page: Path, name: str, text: str) -> None:
    """Replaces a part of a page; where it has no marks yet, the part comes at its end.

    Raises:
        OutputError: As `check_page`, or the page cannot be written.
    """
    check_page(page, name)
    part = f"<!-- {name}: begin -->\n\n{text}\n<!-- {name}: end -->\n"
    before, parts = _read(page), _parts(page)
    if name in parts:
        after = before.replace(parts[name], part)
    else:
        after = f"{before.rstrip()}\n\n{part}" if before else part
    files.write_text(page, after)


def keep_parts(page: Path, text: str) -> str:
    """Returns a page's new text, with the parts that others wrote into the old one at its end."""
    return "\n".join([text, *_parts(page).values()])


def _parts(page: Path) -> dict[str, str]:
    """Returns the parts of a page with their marks, by name; none where there is no page."""
    return {part["name"]: part[0] for part in _PART.finditer(_read(page))}


def _read(page: Path) -> str:
    """Returns a page's text; empty where there is no page."""
    try:
        return page.read_text("utf-8") if page.exists() else ""
    except (OSError, UnicodeDecodeError) as exc:
        raise OutputError(f"{page} is no page of UTF-8 text: {exc}. Choose another.") from exc
