"""A Raspberry Pi's bundle: what is in it, what it would install, and that its parts work."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge import __version__
from fer_edge.catalog import SHIPPED, find_model
from fer_edge.contract import read_manifest
from fer_edge.data.sample import draw_scene
from fer_edge.errors import ModelFormatError
from fer_edge.pi import ARCHIVE, FOLDER, IN_ARCHIVE, pack, write_pi
from fer_edge.wheel import FILE, slim_wheel

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
BUNDLE = ROOT / "fer_edge" / "pi_bundle"
UNIT = "fer-edge-camera.service"
BOARDS = ("aarch64-bookworm", "aarch64-trixie", "armv7l-bookworm")
MAX_BYTES = 3 * 2**20
MAX_EXPOSURE = 2.5


def made_of(name: str, export: Path) -> Path:
    """Returns an export's folder with a shipped model and the bundle made of it."""
    export.mkdir(parents=True)
    for file in ("int8.tflite", "manifest.json"):
        shutil.copyfile(SHIPPED / name / file, export / file)
    write_pi(export)
    return export


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_of("small", tmp_path_factory.mktemp("pi") / "export")


@pytest.fixture(scope="module")
def bundle(export: Path) -> Path:
    return export / FOLDER


def test_the_bundle_holds_what_a_board_needs(bundle: Path) -> None:
    found = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert found == {
        "README.md",
        "backoff.conf",
        FILE,
        UNIT,
        "install.sh",
        "int8.tflite",
        "manifest.json",
        *(f"pins/{board}.txt" for board in BOARDS),
        "run.py",
    }
    assert list(read_manifest(bundle).files) == ["int8.tflite"]
    shipped = (SHIPPED / "small" / "int8.tflite").read_bytes()
    assert find_model(str(bundle)).file("int8").read_bytes() == shipped
    readme = (bundle / "README.md").read_text()
    assert readme.startswith("# small on a Raspberry Pi\n")
    assert "angry, disgust, fear" in readme
    assert "@" not in readme.replace("pi@raspberrypi.local", "")


def test_what_is_made_of_a_damaged_model_is_nothing(tmp_path: Path) -> None:
    shutil.copyfile(SHIPPED / "small" / "manifest.json", tmp_path / "manifest.json")
    (tmp_path / "int8.tflite").write_bytes(b"damaged")
    with pytest.raises(ModelFormatError, match="not the file that its manifest describes"):
        write_pi(tmp_path)


@pytest.mark.parametrize("name", ["small", "base"])
def test_the_archive_is_small_and_unpacks_to_the_bundle(name: str, tmp_path: Path) -> None:
    export = made_of(name, tmp_path / "export")
    assert (export / ARCHIVE).stat().st_size < MAX_BYTES
    with tarfile.open(export / ARCHIVE) as tar:
        assert {(entry.mtime, entry.uid, entry.gid) for entry in tar} == {(0, 0, 0)}
    subprocess.run(["tar", "-xf", export / ARCHIVE, "-C", tmp_path], check=True)
    unpacked = tmp_path / IN_ARCHIVE
    for path in filter(Path.is_file, (export / FOLDER).rglob("*")):
        assert (unpacked / path.relative_to(export / FOLDER)).read_bytes() == path.read_bytes()
    programs = {path.name for path in unpacked.iterdir() if path.stat().st_mode & stat.S_IXUSR}
    assert programs - {"pins"} == {"install.sh", "run.py"}
    for name_ in ("install.sh", "run.py"):
        assert (export / FOLDER / name_).stat().st_mode & 0o777 == 0o755


def test_an_older_wheel_that_lies_there_is_left_aside(bundle: Path, tmp_path: Path) -> None:
    """As after unpacking a newer bundle over an older one."""
    shutil.copytree(bundle, here := tmp_path / "fer-edge")
    (here / "fer_edge-0.0.1-py3-none-any.whl").touch()
    (here / "fer_edge-99.0-py3-none-any.whl").touch()
    command = [str(here / "install.sh"), "--plan", "--board", BOARDS[0]]
    plan = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in plan.splitlines() if line.startswith("wheel")] == [FILE]
    assert "fer_edge-*.whl" not in re.sub(r"rm -rf .*", "", (here / "install.sh").read_text())


def test_a_name_stays_on_its_line(tmp_path: Path) -> None:
    (export := tmp_path / "export").mkdir()
    manifest = json.loads((SHIPPED / "small" / "manifest.json").read_text())
    shutil.copyfile(SHIPPED / "small" / "int8.tflite", export / "int8.tflite")
    (export / "manifest.json").write_text(json.dumps({**manifest, "name": "a\n# b"}))
    write_pi(export)
    assert (export / FOLDER / "README.md").read_text().startswith("# a\\n# b on a Raspberry Pi\n")


def test_the_same_export_gives_the_same_bytes(export: Path, tmp_path: Path) -> None:
    again = made_of("small", tmp_path / "again")
    os.utime(again / FOLDER / "run.py", (1, 1))
    (again / FOLDER / "run.py").chmod(0o700)
    assert pack(again / FOLDER) == (export / ARCHIVE).read_bytes()


def test_the_wheel_is_code_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(slim_wheel())) as wheel:
        names = set(wheel.namelist())
    assert {"fer_edge/cli/predict.py", "fer_edge/runtime.py", "fer_edge/py.typed"} <= names
    of_camera = [path for path in (ROOT / "fer_edge/camera").rglob("*") if path.suffix != ".pyc"]
    files = {path.relative_to(ROOT).as_posix() for path in of_camera if path.is_file()}
    assert {"fer_edge/camera/preview.html", "fer_edge/camera/camera.schema.json"} <= files <= names
    assert not [n for n in names if n.endswith((".tflite", ".keras", ".toml", ".npz", ".pyc"))]
    assert not [n for n in names if re.match(r"fer_edge/(_web|_converters|pi_bundle|models)/", n)]


def test_the_wheels_record_lists_each_file_with_its_hash() -> None:
    with zipfile.ZipFile(io.BytesIO(slim_wheel())) as wheel:
        info = f"fer_edge-{__version__}.dist-info"
        rows = list(csv.reader(wheel.read(f"{info}/RECORD").decode().splitlines()))
        assert [row[0] for row in rows] == wheel.namelist()
        assert rows.pop() == [f"{info}/RECORD", "", ""]
        for name, digest, size in rows:
            content = wheel.read(name)
            expected = urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={expected}", str(len(content))), name
        required = wheel.read(f"{info}/METADATA").decode()
    assert "Requires-Dist: numpy>=1.23.5\n" in required
    assert "tensorflow" not in required


def test_the_wheel_installs_and_runs_away_from_the_checkout(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(slim_wheel())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", tmp_path / "site", tmp_path / FILE], check=True)
    (tmp_path / "site" / "bin" / "fer-edge").unlink()  # its first line is this Python's
    program = "import fer_edge; print(fer_edge.__file__); from fer_edge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        str(tmp_path / "site/fer_edge/__init__.py"),
        f"fer-edge {__version__}",
    ]


def run_bundle(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(bundle / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_runner_reads_a_picture_with_the_bundles_model(bundle: Path, tmp_path: Path) -> None:
    scene = draw_scene(["happy"], np.random.default_rng(3))
    cv2.imwrite(str(tmp_path / "p.png"), scene.image)
    done = run_bundle(bundle, "predict", str(tmp_path / "p.png"), "--json")
    (face,) = json.loads(done.stdout)["faces"]
    assert list(face["probabilities"]) == list(read_manifest(bundle).emotions)


def test_the_runner_takes_another_model_when_it_is_named(bundle: Path, tmp_path: Path) -> None:
    done = run_bundle(bundle, "predict", str(tmp_path), "--model=nothing")
    assert "There is no model 'nothing'" in done.stderr


def test_the_runner_measures_the_board_with_the_bundles_model(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "boards.json"
    done = run_bundle(bundle, "bench", "--seconds", "0.2", "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(out.read_text())["results"]
    assert (result["model"], result["detector"]) == ("small", "haar")


def test_the_runner_refuses_what_is_no_command(bundle: Path) -> None:
    done = run_bundle(bundle, "nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert "camera, predict, doctor, bench" in done.stderr


def test_the_runner_is_the_camera_without_a_command(bundle: Path) -> None:
    done = run_bundle(bundle, "--source", "no-such-film.mp4", "--json", "-")
    assert done.returncode == 1
    assert "no-such-film.mp4" in done.stderr


def plan(bundle: Path, board: str) -> subprocess.CompletedProcess[str]:
    command = [str(bundle / "install.sh"), "--plan", "--board", board]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("board", BOARDS)
def test_the_plan_of_a_board(board: str, bundle: Path) -> None:
    assert plan(bundle, board).stdout == (GOLDEN / f"pi_plan_{board}.txt").read_text()


@pytest.mark.parametrize(
    ("board", "reason"),
    [
        ("armv7l-trixie", "tflite-runtime ends at Python 3.11"),
        ("armv6l-bookworm", "ARMv6"),
        ("aarch64-bullseye", "found bullseye"),
        ("aarch64-noble", "found noble"),
        ("x86_64-bookworm", "found x86_64"),
    ],
)
def test_a_board_that_cannot_is_refused_with_the_reason(
    board: str, reason: str, bundle: Path
) -> None:
    done = plan(bundle, board)
    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["--no-such"], ["--plan", "--board"]])
def test_a_wrong_option_is_usage(arguments: list[str], bundle: Path) -> None:
    command = [str(bundle / "install.sh"), *arguments]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("board", BOARDS)
def test_pins_are_those_of_the_workstation_but_for_debians_numpy(board: str) -> None:
    pins = (BUNDLE / "pins" / f"{board}.txt").read_text()
    versions = dict(re.findall(r"^([a-z0-9-]+)==(\S+) --hash=sha256:[0-9a-f]{64}$", pins, re.M))
    assert len(versions) == len(pins.splitlines())
    everywhere = (ROOT / "constraints.txt").read_text()
    older = {n for n, v in versions.items() if f"\n{n}=={v} " not in everywhere}
    asks_for_numpy_2 = {"opencv-python-headless", "ml-dtypes"}
    # paho-mqtt is no part of what constraints.txt is made for.
    assert older - {"paho-mqtt"} == (asks_for_numpy_2 if board == "aarch64-bookworm" else set())
    assert "numpy" not in versions
    assert "://" not in pins


FAKES = {
    "apt-get": "",
    "apt-cache": "echo Package: $2",
    "apt-mark": "",
    "dpkg": "echo arm64",
    "dpkg-query": "exit 1",
    "sudo": "exit 9",  # a prefix needs none
    "systemctl": '[ "$1" != --version ] || echo "systemd ${SYSTEMD:-252} (252.39)"',
    # A Python that makes an environment whose Python says which NumPy it has.
    # Makes an environment whose Python says which NumPy it has.
    "python3": """
mkdir -p "$4/bin"
cat >"$4/bin/python" <<END
#!/bin/sh
echo "python \\$*" >>"$LOG"
case "\\$*" in *numpy.__version__*) echo 1.24.2 ${HIDDEN:-False};; esac
END
chmod +x "$4/bin/python"
""",
}


class FakeBoard:
    """A board's programs, which write down how they were called, and its files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.root, self.log, programs = folder / "root", folder / "log", folder / "bin"
        programs.mkdir()
        for name, body in FAKES.items():
            path = programs / name
            path.write_text(f'#!/bin/bash\necho "{name} $*" >>"$LOG"\n{body}\n')
            path.chmod(0o755)
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "LOG": str(self.log),
            "FER_EDGE_ROOT": str(self.root),
        }

    def install(self, bundle: Path, *options: str, **extra: str) -> str:
        """Runs install.sh; returns what it called, a line a call. Raises where it fails."""
        self.log.write_text("")
        subprocess.run(
            [bundle / "install.sh", *options],
            env={**self.environment, **extra},
            capture_output=True,
            text=True,
            check=True,
        )
        return self.log.read_text()

    def files(self) -> dict[str, bytes]:
        """Returns the board's files."""
        found = filter(Path.is_file, self.root.rglob("*"))
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    return FakeBoard(tmp_path)


def test_installing_twice_is_installing_once_and_uninstalling_leaves_nothing(
    bundle: Path, board: FakeBoard
) -> None:
    before = board.files()
    calls = board.install(bundle, "--service")
    assert "apt-get install --yes --no-install-recommends python3-numpy python3-venv " in calls
    assert "--require-hashes -r" in calls
    after = board.files()
    home = "opt/fer-edge"
    assert after[f"{home}/int8.tflite"] == (bundle / "int8.tflite").read_bytes()
    assert after[f"{home}/system.txt"] == b"numpy==1.24.2\n"
    assert after[f"{home}/venv/pip.conf"].endswith(f"{home}/system.txt\n".encode())
    assert after[f"etc/systemd/system/{UNIT}"] == (bundle / UNIT).read_bytes()
    again = board.install(bundle, "--service")
    assert len(again.splitlines()) <= len(calls.splitlines())
    assert board.files().keys() == after.keys()
    removed = board.install(bundle, "--uninstall")
    assert f"systemctl disable --now {UNIT}" in removed
    assert "apt-mark auto python3-numpy python3-venv python3-picamera2" in removed
    assert board.files() == before


def test_the_plan_calls_nothing_that_changes_the_board(bundle: Path, board: FakeBoard) -> None:
    before = board.files()
    calls = board.install(bundle, "--plan", "--service")
    assert {line.split()[0] for line in calls.splitlines()} == {"dpkg"}
    assert board.files() == before


def test_a_numpy_that_hides_debians_ends_the_installation(bundle: Path, board: FakeBoard) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        board.install(bundle, HIDDEN="True")
    assert "hides Debian's" in caught.value.stderr


@pytest.mark.parametrize(("systemd", "grows"), [("252", False), ("254", True), ("257", True)])
def test_pauses_grow_where_systemd_knows_how(
    systemd: str, grows: bool, bundle: Path, board: FakeBoard
) -> None:
    board.install(bundle, "--service", SYSTEMD=systemd)
    assert (f"etc/systemd/system/{UNIT}.d/backoff.conf" in board.files()) == grows


def test_the_installer_passes_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not here")
    scripts = [BUNDLE / "install.sh", ROOT / "scripts/pi_emulation", ROOT / "scripts/arm64"]
    subprocess.run(["shellcheck", *scripts], check=True)


def test_the_service_is_well_formed_and_locked_in(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    unit = (BUNDLE / UNIT).read_text()
    # Of what it names only Python has to be there.
    unit = unit.replace("/opt/fer-edge/venv/bin/python", "/bin/true")
    (tmp_path / UNIT).write_text(unit)
    verify = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=yes", str(tmp_path / UNIT)]
    told = subprocess.run(security, capture_output=True, text=True, check=False).stdout
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", told)
    assert exposure
    assert float(exposure[1]) <= MAX_EXPOSURE
