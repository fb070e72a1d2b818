"""scripts/compare.py: what tells two networks apart on the same faces."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fer_edge.data.split import Dataset
from fer_edge.data.write import write_folders
from fer_edge.errors import ConfigError
from fer_edge.runs import Run
from tests.load_script import load_script

PAGE = "# Title\n\n<!-- pairs: begin -->\nbygone\n<!-- pairs: end -->\n\nrest\n"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return load_script("compare")


@pytest.fixture
def faces(drawn: Dataset, tmp_path: Path) -> Path:
    """The drawn faces as folders."""
    write_folders(drawn, tmp_path / "faces")
    return tmp_path / "faces"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with marks for the table."""
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_what_became_right_and_wrong_is_counted_apart(compare: ModuleType) -> None:
    truth = compare.Labels(np.zeros(100, np.uint8), 2)
    sure, unsure = np.log([0.9, 0.1]), np.log([0.4, 0.6])
    before = np.array([sure] * 60 + [unsure] * 40)
    after = np.array([unsure] * 5 + [sure] * 75 + [unsure] * 20)
    found = dict(zip(compare.COLUMNS[2:], compare.cells(before, after, truth), strict=False))
    assert found["top-1 %, before"].startswith("60.0 (")
    assert (found["right now"], found["wrong now"]) == ("20", "5")
    assert float(found["p"]) == pytest.approx(0.0041, abs=1e-4)  # 2 P(X <= 5), X of 25 halves
    losses = compare.cells(before, after, truth)[-3:]
    assert [float(x) for x in losses[:2]] == pytest.approx(
        [-0.6 * np.log(0.9) - 0.4 * np.log(0.4), -0.75 * np.log(0.9) - 0.25 * np.log(0.4)], abs=6e-4
    )
    assert losses[2].startswith("-0.122 (-0.")


def test_a_network_beside_itself_and_another(
    compare: ModuleType, run: Run, drawn: Dataset, faces: Path, page: Path
) -> None:
    folder = str(run.folder)
    pairs = ["--pair", folder, folder, "--pair", "nano", folder]
    compare.main([*pairs, "--data", str(faces), "--page", str(page)])
    text = page.read_text()
    same, other = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if folder in line
    )
    assert same[:2] == [f"`{folder}`"] * 2
    assert same[2] == same[3]
    assert same[4:8] == ["0", "0", "1", "+0.0 (+0.0 to +0.0)"]
    assert other[:2] == ["`nano`", f"`{folder}`"]
    n = len(drawn.split("validation"))
    shares = [float(cell.split()[0]) for cell in other[2:4]]
    assert shares[0] != shares[1]
    assert 100 * (int(other[4]) - int(other[5])) / n == pytest.approx(
        shares[1] - shares[0], abs=0.1
    )
    assert f"validation split, n = {n}" in text
    assert "bygone" not in text
    assert text.endswith("<!-- pairs: end -->\n\nrest\n")


def test_networks_of_other_emotions_are_refused(
    compare: ModuleType, run: Run, faces: Path, page: Path
) -> None:
    pair = ["--pair", str(run.folder), "base-ferplus"]
    with pytest.raises(ConfigError, match=r"base-ferplus answers .*contempt"):
        compare.main([*pair, "--data", str(faces), "--page", str(page)])
    assert page.read_text() == PAGE
