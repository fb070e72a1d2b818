"""What lies in an export's folder: each file described, and none deleted that is not its own."""

from collections.abc import Mapping
from pathlib import Path

from fer_edge import files, pi, web
from fer_edge.catalog import TFLITE_VARIANTS
from fer_edge.contract import (
    MANIFEST_NAME,
    Artifact,
    describe_file,
    has_manifest,
    read_manifest,
)
from fer_edge.errors import OutputError
from fer_edge.quantization import check_contract
from fer_edge.runtime import Interpreter
from fer_edge.targets import ANDROID_FILE, SAVED_MODEL


def refuse_folder(folder: Path, *, force: bool) -> None:
    """Refuses a folder that holds something; `force` replaces an export and no more.

    Raises:
        OutputError: It holds an export and not `force`, or something that is none of its files.
        ModelFormatError: Its manifest is damaged, so nobody knows what is of the export.
    """
    files.refuse_existing(folder, force=force)
    if folder.exists() and any(folder.iterdir()) and not has_manifest(folder):
        raise OutputError(
            f"{folder} holds something that is no export of fer-edge; it was left as it is. "
            "Choose another folder."
        )
    if not has_manifest(folder):
        return
    ours = {*read_manifest(folder).files, MANIFEST_NAME}
    foreign = [name for name in _names_in(folder) if name not in ours and not _is_known(name)]
    if foreign:
        raise OutputError(
            f"{folder} holds {', '.join(foreign[:5])}{' and more' * (len(foreign) > 5)}, which its "
            "manifest does not list, and replacing the export would delete them. Move them, or "
            "choose another folder."
        )


def describe_files(folder: Path, n_classes: int) -> dict[str, Artifact]:
    """Checks every file against the contract, and returns their manifest entries."""
    entries = {}
    opened = {f"{variant}.tflite": variant for variant in TFLITE_VARIANTS} | {ANDROID_FILE: ""}
    for name, variant in opened.items():
        path = folder / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if variant:
            check_contract(content, variant, n_classes)
        model = Interpreter(content)
        entries[name] = describe_file(path, input=model.input, output=model.output)
    return {**entries, **describe_rest(folder, entries)}


def describe_rest(folder: Path, known: Mapping[str, Artifact]) -> dict[str, Artifact]:
    """Returns the entries of the files that have none yet; the manifest itself never has one."""
    return {
        name: describe_file(folder / name)
        for name in _names_in(folder)
        if name not in known and name != MANIFEST_NAME
    }


def _names_in(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def find_not_reproducible(folder: Path) -> dict[str, str]:
    """Returns the files that another export of the same would write with other bytes, and why."""
    saved = [name for name in _names_in(folder) if name.startswith(f"{SAVED_MODEL}/")]
    why = dict.fromkeys(saved, "TensorFlow writes identifiers into a SavedModel that it draws")
    return {**why, MANIFEST_NAME: f"it lists the SHA-256 of {SAVED_MODEL}"} if saved else {}


def _is_known(name: str) -> bool:
    """Tells whether a file is of an export whose manifest, an older one, does not list it."""
    first, _, last = name.partition("/")
    return first in (web.FOLDER, pi.FOLDER, pi.ARCHIVE) or last == MANIFEST_NAME
