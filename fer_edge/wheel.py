"""fer-edge as a small wheel of its own code, for a board that cannot clone.

Models, recipes, converters and the demo stay at home. The same code gives the same bytes.
"""

import base64
import hashlib
import io
import re
import zipfile
from importlib import metadata
from pathlib import Path

from fer_edge import __version__
from fer_edge.errors import ConversionError

NAME = "fer_edge"
FILE = f"{NAME}-{__version__}-py3-none-any.whl"
EXTRAS = ("mqtt",)  # what a board may want; the others train
PACKAGE = Path(__file__).resolve().parent
ASIDE = ("__pycache__", "_converters", "pi_bundle")  # run or copied elsewhere, never imported

_DIST_INFO = f"{NAME}-{__version__}.dist-info"
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can hold
_WHEEL = "Wheel-Version: 1.0\nGenerator: fer-edge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COMMANDS = "[console_scripts]\nfer-edge = fer_edge.cli:main\n"


def slim_wheel() -> bytes:
    """Returns a wheel of the modules that are running, which `pip install --no-deps` takes.

    Source: the binary distribution format of the Python packaging specifications.

    Raises:
        ConversionError: This fer-edge runs without having been installed.
    """
    files = {f"{NAME}/{path}": (PACKAGE / path).read_bytes() for path in _modules()}
    files[f"{_DIST_INFO}/METADATA"] = _metadata().encode()
    files[f"{_DIST_INFO}/WHEEL"] = _WHEEL.encode()
    files[f"{_DIST_INFO}/entry_points.txt"] = _COMMANDS.encode()
    files[f"{_DIST_INFO}/RECORD"] = _record(files).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix: else the permissions mean nothing
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)
    return archive.getvalue()


def _modules() -> list[str]:
    """Returns the package's modules and the camera's page, relative to the package, in order."""
    found = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in found
        if (path.suffix == ".py" or path.parts[0] == "camera" or path.name == "py.typed")
        and not set(ASIDE) & set(path.parts)
    )


def _metadata() -> str:
    """Returns what the installed fer-edge asks for, less the extras that need a workstation."""
    try:
        required = metadata.requires("fer-edge") or []
        python = metadata.metadata("fer-edge")["Requires-Python"]
    except metadata.PackageNotFoundError as exc:
        raise ConversionError(
            "A Raspberry Pi's bundle carries this fer-edge, and it does not know what it needs: "
            "expected it to be installed, found a folder on Python's path. Install it with: "
            "pip install ."
        ) from exc
    lines = ["Metadata-Version: 2.1", "Name: fer-edge", f"Version: {__version__}"]
    lines += ["License: MIT", f"Requires-Python: {python}"]
    lines += [f"Provides-Extra: {extra}" for extra in EXTRAS]
    lines += [f"Requires-Dist: {line}" for line in sorted(required) if _is_for_a_board(line)]
    return "\n".join(lines) + "\n"


def _is_for_a_board(requirement: str) -> bool:
    extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
    return extra is None or extra[1] in EXTRAS


def _record(files: dict[str, bytes]) -> str:
    """Returns the list of a wheel's files with their hashes; its own line has none."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{_DIST_INFO}/RECORD,,"]) + "\n"
