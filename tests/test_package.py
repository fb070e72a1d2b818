"""What is shipped: the wheel works outside the repository, the README on a new machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

import pytest

from fer_edge.runs import Run
from tests.pages import FILES, demo_process, files_of, write_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def run_in(folder: Path, command: Sequence[str], **extra: str) -> str:
    """Runs a command away from the repository, and returns its output; shows it when it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **extra},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    run_in(ROOT, [sys.executable, "-c", build, str(folder)])
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_what_the_commands_need(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "fer_edge/_converters/tflite.py" in names
    assert "fer_edge/recipes/small.toml" in names
    assert "fer_edge/models/small/int8.tflite" in names
    assert "fer_edge/models/small/manifest.json" in names
    assert "fer_edge/py.typed" in names
    assert not [name for name in names if name.startswith("tests")]


def test_the_installed_wheel_exports(wheel: Path, exported: Run, tmp_path: Path) -> None:
    """Outside the repository, with this environment's packages and the wheel's own code."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    shutil.copytree(exported.folder, tmp_path / "run", ignore=shutil.ignore_patterns("export"))
    paths = {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    where = [sys.executable, "-c", "import fer_edge; print(fer_edge.__file__)"]
    assert run_in(tmp_path, where, **paths).startswith(str(site))
    run_in(tmp_path, [sys.executable, "-m", "fer_edge", "export", "run", "--int8"], **paths)
    manifest = json.loads((tmp_path / "run/export/manifest.json").read_text())
    assert set(manifest["files"]) == {"float32.tflite", "int8.tflite"}


def built(project: Path, what: str, into: Path) -> Path:
    """Returns a distribution of a project: a `wheel`, an `sdist` or an `editable`."""
    build = f"import sys, hatchling.build as b; print(b.build_{what}(sys.argv[1]))"
    name = run_in(project, [sys.executable, "-c", build, str(into)]).splitlines()[-1]
    return into / name


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a wheel is made of, without a built page."""
    folder = tmp_path / "project"
    for name in ("fer_edge", "converters"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".gitignore", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("by", ["checkout", "sdist"])
def test_the_wheel_carries_the_built_page(by: str, project: Path, tmp_path: Path) -> None:
    """From a checkout, and from a source distribution as `python -m build` makes one."""
    page = write_page(project / "web_demo" / "dist")
    (project / "web_demo" / "node_modules").mkdir()
    (project / "web_demo" / "node_modules" / "a.js").write_text("")
    if by == "sdist":
        sdist = built(project, "sdist", tmp_path / "sdist")
        (tmp_path / "unpacked").mkdir()
        subprocess.run(["tar", "-xf", sdist, "-C", tmp_path / "unpacked"], check=True)
        (project,) = (tmp_path / "unpacked").iterdir()
        assert not (project / "web_demo" / "node_modules").exists()
    with zipfile.ZipFile(built(project, "wheel", tmp_path / "wheel")) as archive:
        archive.extractall(tmp_path / "site")
    assert files_of(tmp_path / "site" / "fer_edge" / "_web") == files_of(page)
    assert not (tmp_path / "site" / "web_demo").exists()
    extra = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    with (
        demo_process("--no-open", "--port", "0", cwd=tmp_path, extra=extra) as (_, address),
        urlopen(f"{address}assets/index-1a.js", timeout=30) as answer,  # noqa: S310
    ):
        assert answer.read() == FILES["assets/index-1a.js"]


def test_a_wheel_without_the_page_says_so(project: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built(project, "wheel", tmp_path / "wheel")) as archive:
        archive.extractall(tmp_path / "site")
    assert not (tmp_path / "site" / "fer_edge" / "_web").exists()
    command = [sys.executable, "-m", "fer_edge", "demo", "--no-open", "--port", "0"]
    paths = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    with pytest.raises(AssertionError, match="page is not built"):
        run_in(tmp_path, command, **paths)


def test_an_editable_install_has_the_checkouts_page(project: Path, tmp_path: Path) -> None:
    write_page(project / "web_demo" / "dist")
    with zipfile.ZipFile(built(project, "editable", tmp_path / "wheel")) as archive:
        assert not [name for name in archive.namelist() if "_web" in name]
        (path,) = (name for name in archive.namelist() if name.endswith(".pth"))
        assert archive.read(path).decode().strip() == str(project)


def test_constraints_hold_hashes_and_no_addresses() -> None:
    for name in ("constraints.txt", "constraints-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z0-9-]+==\S+", text, re.MULTILINE)
        assert len(pins) > 40
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_readme_opens_with_the_two_commands() -> None:
    first, second = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)[:2]
    assert first == "scripts/install && .venv/bin/fer-edge quickstart"
    assert second in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.slow
@pytest.mark.network
def test_the_readmes_first_command_in_a_new_environment(tmp_path: Path) -> None:
    """A clone without history, a new environment, the line as it stands."""
    clone = tmp_path / "clone"
    tracked = run_in(ROOT, ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    (first,) = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)[:1]
    output = run_in(clone, ["sh", "-c", first], PYTHON=sys.executable)
    assert re.search(r"int8 .*9\d\.\d", output)
    assert (clone / "runs/quickstart/export/int8.tflite").is_file()
    bench = json.loads((clone / "runs/quickstart/bench.json").read_text())
    top1 = {result["name"]: result["evaluation"]["top1"] for result in bench["results"]}
    assert top1["int8"]["value"] > 0.9
    assert top1["int8"]["n"] == 420


@pytest.mark.slow
@pytest.mark.network
def test_the_base_install_predicts(wheel: Path, tmp_path: Path) -> None:
    """Only what the wheel itself asks for: no TensorFlow anywhere."""
    venv.create(tmp_path / "edge", with_pip=True)
    python = str(tmp_path / "edge/bin/python")
    constraints = tmp_path / "constraints.txt"  # pip takes no hashes for a wheel of ours
    pins = re.findall(
        r"^[a-z0-9-]+==[^\s\\]+(?: ;[^\\]*)?", (ROOT / "constraints.txt").read_text(), re.M
    )
    constraints.write_text("\n".join(pins))
    run_in(tmp_path, [python, "-m", "pip", "install", "-q", "-c", str(constraints), str(wheel)])
    listed = run_in(tmp_path, [python, "-m", "pip", "list"])
    assert "tensorflow" not in listed
    draw = (
        "import cv2, numpy as np; from fer_edge.data.sample import draw_scene; "
        "cv2.imwrite('p.png', draw_scene(['happy'], np.random.default_rng(3)).image)"
    )
    run_in(tmp_path, [python, "-c", draw])
    output = run_in(tmp_path, [str(tmp_path / "edge/bin/fer-edge"), "predict", "p.png", "--json"])
    (face,) = json.loads(output)["faces"]
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=0.03)
