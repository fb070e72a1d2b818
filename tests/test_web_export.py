"""`export --web`: the built page with another model in it, and what its worker then lists."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fer_edge import site
from fer_edge.catalog import SHIPPED
from fer_edge.cli import app
from fer_edge.contract import Manifest, describe_file, read_manifest, write_manifest
from fer_edge.errors import ConversionError, ModelFormatError
from fer_edge.runs import Run
from fer_edge.web import find_web_page, write_model, write_web
from tests.load_script import load_script
from tests.pages import AFTER, BEFORE, FILES, files_of, write_page

WEB_DEMO = Path(__file__).parents[1] / "web_demo"
SMALL = (SHIPPED / "small" / "int8.tflite").read_bytes()
MODEL = {
    "int8.tflite": SMALL,
    "tfjs/model.json": b'{"new": 1}',
    "tfjs/group1-shard1of1.bin": b"new",
}
REPLACED = {name for name in FILES if name.startswith(("model/", "verify/"))}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built page, where it is looked for."""
    monkeypatch.setattr(site, "PLACES", (tmp_path / "page",))
    return write_page(tmp_path / "page")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export's folder with more in it than the page takes."""
    folder = tmp_path / "export"
    (folder / "tfjs").mkdir(parents=True)
    for name, content in {**MODEL, "float32.tflite": b"float", "labels.txt": b""}.items():
        (folder / name).write_bytes(content)
    entries = {name: describe_file(folder / name) for name in (*MODEL, "float32.tflite")}
    manifest = Manifest("mine", ("böse", "froh"), entries, confidence={"unsure_below": 0.5})
    write_manifest(folder, manifest)
    write_manifest(folder / "tfjs", manifest.part("tfjs"))
    return folder


def listed(page: Path) -> dict[str, str]:
    """Returns what a page's worker lists; all else of it has to be as it was."""
    worker = (page / "sw.js").read_text()
    assert worker.startswith(f"{BEFORE}const FILES = ")
    assert worker.endswith(f";{AFTER}")
    found: dict[str, str] = json.loads(
        worker.removeprefix(f"{BEFORE}const FILES = ").removesuffix(f";{AFTER}")
    )
    return found


def test_the_page_gets_the_exports_model(page: Path, export: Path) -> None:
    before = files_of(page)
    write_web(page, export)
    found = files_of(export / "web")
    model = {f"model/{name}": content for name, content in MODEL.items()}
    kept = {name: content for name, content in FILES.items() if name not in REPLACED}
    assert set(found) == {*kept, *model, "model/manifest.json", "sw.js"}
    assert {name: found[name] for name in (*kept, *model)} == kept | model
    assert files_of(page) == before


def test_its_manifest_lists_what_is_there(page: Path, export: Path) -> None:
    write_web(page, export)
    manifest, whole = read_manifest(export / "web" / "model"), read_manifest(export)
    assert set(manifest.files) == set(MODEL)
    for name, content in MODEL.items():
        assert manifest.read_file(export / "web" / "model", name) == content
    assert (manifest.emotions, manifest.confidence) == (whole.emotions, whole.confidence)


def test_the_worker_lists_the_new_model(page: Path, export: Path) -> None:
    before = listed(page)
    write_web(page, export)
    after, found = listed(export / "web"), files_of(export / "web")
    of_model = {"manifest.json", "tfjs/model.json", "tfjs/group1-shard1of1.bin"}
    kept = {name for name in before if not name.startswith("model/")}
    assert set(after) == kept | {f"model/{name}" for name in of_model}
    assert len(kept) > 5
    for name, digest in after.items():
        assert digest == hashlib.sha256(found[name]).hexdigest()[:16], name
    assert after["model/tfjs/model.json"] != before["model/tfjs/model.json"]


def test_the_page_of_an_export_can_be_the_next_ones(page: Path, export: Path) -> None:
    write_web(page, export)
    first = files_of(export / "web")
    (export / "web").rename(again := page.parent / "again")
    write_web(again, export)
    assert files_of(export / "web") == first


@pytest.mark.parametrize("name", ["int8.tflite", "tfjs/model.json", "tfjs/group1-shard1of1.bin"])
def test_a_damaged_model_is_refused(name: str, export: Path, tmp_path: Path) -> None:
    (export / name).write_bytes(b"damaged")
    with pytest.raises(ModelFormatError, match="is not the file that its manifest describes"):
        write_model(export, tmp_path / "model")


def test_an_export_without_tfjs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"lists no tfjs/model\.json"):
        write_model(SHIPPED / "small", tmp_path / "model")


@pytest.mark.parametrize(
    ("worker", "says"),
    [
        (None, "No such file"),
        ("", "0 of them"),
        (" const FILES = {};", "0 of them"),
        ("const FILES = {};\nconst FILES = {};", "2 of them"),
        ("const FILES = {'a': 'b'};", "Expecting property name"),
        ("const FILES = [];", r"\[\]"),
        ("const FILES = {\n};", "Expecting property name"),
    ],
)
def test_another_worker_is_refused(worker: str | None, says: str, page: Path) -> None:
    (page / "sw.js").unlink()
    if worker is not None:
        (page / "sw.js").write_text(worker)
    with pytest.raises(ConversionError, match=rf"expected one line .*found .*{says}"):
        find_web_page()


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_nothing_is_converted_without_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "PLACES", (tmp_path / "absent",))
    done = invoke("small", "--web", "--out", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "page is not built" in done.stderr
    assert "converting" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_is_all_but_web_without_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.json").write_text("{}")  # taken: so nothing is converted here
    assert "left out" not in invoke("small", "--all", "--out", tmp_path).stderr
    monkeypatch.setattr(site, "PLACES", (tmp_path / "absent",))
    done = invoke("small", "--all", "--out", tmp_path)
    assert "web is left out. The browser's page is not built." in " ".join(done.stderr.split())
    assert "--force" in done.stderr


def test_nothing_is_converted_for_another_worker(page: Path, tmp_path: Path) -> None:
    (page / "sw.js").write_text("// nothing")
    done = invoke("small", "--web", "--out", tmp_path / "out")
    assert (done.exit_code, "Build the page again" in done.stderr) == (1, True)
    assert "converting" not in done.stderr
    assert list(tmp_path.iterdir()) == [page]


def test_the_demos_model_is_the_shipped_one() -> None:
    """`scripts/web_model.py` writes it anew where this fails."""
    folder = WEB_DEMO / "model"
    manifest, shipped = read_manifest(folder), read_manifest(SHIPPED / "small")
    assert set(files_of(folder)) == {*manifest.files, "manifest.json"}
    assert {name.partition("/")[0] for name in manifest.files} == {"int8.tflite", "tfjs"}
    for name in manifest.files:
        manifest.read_file(folder, name)
    assert (folder / "int8.tflite").read_bytes() == SMALL
    assert manifest.training == shipped.training
    assert (manifest.emotions, manifest.confidence) == (shipped.emotions, shipped.confidence)


@pytest.mark.slow
@pytest.mark.network
def test_a_run_becomes_a_page(page: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = invoke(run.folder, "--web", "--out", out)
    assert done.exit_code == 0, done.output
    assert f"fer-edge demo --page {out / 'web'}" in done.stderr
    whole, manifest = read_manifest(out), read_manifest(out / "web" / "model")
    of_page = {name for name in whole.files if name.startswith("web/")}
    assert of_page == {f"web/{name}" for name in files_of(out / "web")}
    others = of_page | {"float32.tflite", "tfjs/manifest.json"}
    assert set(manifest.files) == set(whole.files) - others
    assert set(manifest.files) >= {"int8.tflite", "tfjs/model.json"}
    found = files_of(out / "web")
    for name, digest in listed(out / "web").items():
        assert digest == hashlib.sha256(found[name]).hexdigest()[:16], name
    assert found["model/int8.tflite"] == (out / "int8.tflite").read_bytes()
    assert found["index.html"] == (page / "index.html").read_bytes()


@pytest.mark.slow
@pytest.mark.network
def test_the_script_writes_the_demos_model(tmp_path: Path) -> None:
    """The same bytes again, but for the versions in the manifest."""
    load_script("web_model").main(["--into", str(tmp_path / "model")])
    made, there = files_of(tmp_path / "model"), files_of(WEB_DEMO / "model")
    assert made.keys() == there.keys()
    for name in made.keys() - {"manifest.json"}:
        assert made[name] == there[name], f"{name} is stale"
