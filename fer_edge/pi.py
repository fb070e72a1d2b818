"""An int8 model as a Raspberry Pi takes it: one folder, or one archive, that installs itself."""

import gzip
import io
import shutil
import tarfile
from pathlib import Path

from fer_edge.contract import INT8_FILE, read_manifest, write_manifest
from fer_edge.wheel import FILE as WHEEL
from fer_edge.wheel import slim_wheel

FOLDER = "pi"
ARCHIVE = "pi.tar.gz"
IN_ARCHIVE = "fer-edge"  # the folder that it unpacks to
TEMPLATES = Path(__file__).resolve().parent / "pi_bundle"
PROGRAMS = ("install.sh", "run.py")


def write_pi(export: Path) -> None:
    """Leaves an export's bundle for a board in its folder `pi`, and the same as `pi.tar.gz`.

    It holds the int8 model, its manifest, fer-edge's own code as a wheel, and what installs and
    runs them. The same export gives the same bytes.

    Args:
        export: Holds int8 and the manifest.

    Raises:
        ModelFormatError: Something of the model is missing or damaged.
        ConversionError: This fer-edge runs without having been installed.
    """
    bundle = export / FOLDER
    shutil.copytree(TEMPLATES, bundle, ignore=shutil.ignore_patterns("__pycache__"))
    (bundle / WHEEL).write_bytes(slim_wheel())
    manifest = read_manifest(export)
    (bundle / INT8_FILE).write_bytes(manifest.read_file(export, INT8_FILE))
    only_int8 = {INT8_FILE: manifest.files[INT8_FILE]}
    write_manifest(bundle, manifest.of_files(only_int8))
    readme = bundle / "README.md"
    text = readme.read_text("utf-8").replace("@NAME@", _plain(manifest.name))
    readme.write_text(text.replace("@EMOTIONS@", ", ".join(manifest.emotions)), "utf-8")
    installer = bundle / "install.sh"
    installer.write_text(installer.read_text("utf-8").replace("@WHEEL@", WHEEL), "utf-8")
    for path in _files(bundle):
        path.chmod(_mode(path))
    (export / ARCHIVE).write_bytes(pack(bundle))


def pack(bundle: Path) -> bytes:
    """Returns a bundle's folder as a `.tar.gz` without times or owners, the same on any day."""
    archive = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", compresslevel=9, filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in _files(bundle):
            entry = tarfile.TarInfo(f"{IN_ARCHIVE}/{path.relative_to(bundle).as_posix()}")
            entry.size, entry.mode = path.stat().st_size, _mode(path)
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return archive.getvalue()


def _files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.rglob("*") if path.is_file())


def _mode(path: Path) -> int:
    return 0o755 if path.name in PROGRAMS else 0o644


def _plain(text: str) -> str:
    """Returns a text that stays on its line."""
    return text.encode("unicode_escape").decode("ascii")
