"""The web page of an export: the built demo, in which the model is the export's."""

import hashlib
import json
import shutil
from pathlib import Path

from fer_edge.contract import INT8_FILE, MANIFEST_NAME, read_manifest, write_manifest
from fer_edge.errors import ConversionError, MissingProgramError
from fer_edge.site import find_page

FOLDER = "web"
MODEL = "model"  # its folder in the page
LEFT_OUT = (MODEL, "verify")
WORKER = "sw.js"
TFJS = "tfjs/"
DIGITS = 16  # of a SHA-256 in the worker's list
_LIST = "const FILES = "


def find_web_page() -> Path:
    """Returns the folder of the built page, whose worker lists its files.

    Raises:
        MissingProgramError: It is not built.
        ConversionError: Its worker is not one of ours.
    """
    page = find_page()
    _list_line(page)
    return page


def why_no_page() -> str:
    """Returns what is missing for `web` and what to do; "" where the page is built."""
    try:
        find_page()
    except MissingProgramError as exc:
        return str(exc)
    return ""


def write_web(page: Path, export: Path) -> None:
    """Leaves a page with an export's model in its folder `web`.

    Args:
        page: The built one.
        export: Holds int8, TF.js and the manifest.

    Raises:
        ModelFormatError: Something of the model is missing or damaged.
    """
    web = export / FOLDER
    for path in sorted(page.rglob("*")):
        name = path.relative_to(page)
        if path.is_file() and name.parts[0] not in LEFT_OUT:
            (web / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, web / name)
    write_model(export, web / MODEL)
    _rewrite_worker(web)


def write_model(export: Path, folder: Path) -> None:
    """Writes a model as the page takes it: int8, TF.js, and a manifest of just these.

    Args:
        export: Holds them and more.
        folder: Is made.

    Raises:
        ModelFormatError: Something of the model is missing or damaged.
    """
    manifest = read_manifest(export)
    graph = {name for name in manifest.files if name.startswith(TFJS)} - {TFJS + MANIFEST_NAME}
    names = {INT8_FILE, f"{TFJS}model.json", *graph}
    (folder / TFJS).mkdir(parents=True)
    for name in sorted(names):
        (folder / name).write_bytes(manifest.read_file(export, name))
    write_manifest(folder, manifest.of_files({n: manifest.files[n] for n in sorted(names)}))


def _rewrite_worker(page: Path) -> None:
    """Makes a page's worker list the model that is there; int8 is loaded when it is asked for."""
    line = _list_line(page)
    listed = {n: digest for n, digest in _files_in(line).items() if not n.startswith(f"{MODEL}/")}
    for path in sorted((page / MODEL).rglob("*")):
        if path.is_file() and path.name != INT8_FILE:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            listed[path.relative_to(page).as_posix()] = digest[:DIGITS]
    written = f"{_LIST}{json.dumps(listed, separators=(',', ':'))};"
    worker = (page / WORKER).read_bytes().decode()
    (page / WORKER).write_bytes(worker.replace(line, written).encode())


def files_of_first_visit(page: Path) -> list[str]:
    """Returns the paths of what a page's worker keeps from the first visit on.

    Raises:
        ConversionError: It is not one of ours.
    """
    return sorted(_files_in(_list_line(page)))


def _list_line(page: Path) -> str:
    """Returns the line of a page's worker that lists its files."""
    try:
        worker = (page / WORKER).read_bytes().decode()
        lines = [line for line in worker.split("\n") if line.startswith(_LIST)]
        if len(lines) != 1:
            raise ValueError(f"{len(lines)} of them")
        _files_in(lines[0])
    except (OSError, ValueError) as exc:
        raise ConversionError(
            f"{page / WORKER} is not the worker of this page: expected one line "
            f"`{_LIST}{{…}};`, found {exc}. Build the page again; in web_demo: npm run build"
        ) from exc
    return lines[0]


def _files_in(line: str) -> dict[str, str]:
    """Returns the digests in the worker's list, by path; raises ValueError for another line."""
    files = json.loads(line.removeprefix(_LIST).rstrip().removesuffix(";"))
    if not isinstance(files, dict):
        raise ValueError(f"{files!r:.40}")
    return {str(name): str(digest) for name, digest in files.items()}
