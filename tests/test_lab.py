"""The recipe lab: rows are compared image by image, and what is trained is not trained again."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fer_edge.data.sample import sample_dataset
from fer_edge.data.write import write_folders
from tests.load_script import load_script

ROOT = Path(__file__).parents[1]
PAGE = "# Title\n\n<!-- lab: begin -->\nbygone\n<!-- lab: end -->\n\nrest\n"


@pytest.fixture(scope="module")
def lab() -> ModuleType:
    return load_script("lab")


def test_the_ablations_rows_differ_in_one_thing(lab: ModuleType) -> None:
    read = lab.read_lab(ROOT / "docs" / "ablation.toml")
    assert len(read.seeds) >= 2
    assert Path(read.recipe) == ROOT / "docs" / "lab.toml"
    assert read.rows[0].options == ()
    assert len({row.options for row in read.rows}) == len({row.name for row in read.rows}) >= 10
    several = [row.name for row in read.rows if sum(o.startswith("--") for o in row.options) > 1]
    assert several == ["one teacher and second head"]  # each of which is a row as well


def test_the_difference_is_taken_image_by_image(lab: ModuleType) -> None:
    baseline = np.array([[True] * 60 + [False] * 40] * 2)
    row = baseline.copy()
    row[:, 60:70] = True  # ten images more, with both seeds
    found = lab.paired_difference(row, baseline)
    assert found.value == pytest.approx(0.1)
    # Ten of a hundred differ by one: the deviation is 0.3015, and the half width 1.96 tenths of it.
    assert (found.low, found.high) == pytest.approx((0.1 - 0.0591, 0.1 + 0.0591), abs=1e-4)
    assert lab.verdict(row, baseline) == "better"
    assert lab.verdict(baseline, row) == "worse"
    shuffled = np.roll(baseline, 40, axis=1)  # as many hits, on other images
    assert lab.paired_difference(shuffled, baseline).value == 0
    assert lab.paired_difference(shuffled, baseline).high > 0.1
    assert lab.verdict(shuffled, baseline) == "not told apart"


def test_seeds_that_disagree_tell_nothing(lab: ModuleType) -> None:
    baseline = np.array([[True] * 500 + [False] * 500] * 2)
    row = baseline.copy()
    row[0, 500:600] = True
    row[1, 490:500] = False  # the mean is over the baseline all the same
    assert lab.paired_difference(row, baseline).low > 0
    assert lab.verdict(row, baseline) == "not told apart"


def test_a_lab_writes_its_table_and_goes_on_where_it_was(
    lab: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        'recipe = "quickstart"\nseeds = [0]\n[[rows]]\nname = "short"\n'
        'options = ["--set", "epochs=1"]\n[[rows]]\nname = "long"\n'
        'options = ["--set", "epochs=3"]\n'
    )
    (tmp_path / "rows.toml").write_text(rows)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write_folders(sample_dataset(n_per_class=(10, 5, 1)), tmp_path / "faces")
    arguments = ["lab", str(tmp_path / "rows.toml"), "--data", str(tmp_path / "faces")]
    arguments += ["--out", str(tmp_path / "out"), "--page", str(page)]
    monkeypatch.setattr("sys.argv", arguments)
    lab.main()
    text = page.read_text()
    assert text.startswith("# Title\n\n<!-- lab: begin -->\n")
    assert text.endswith("<!-- lab: end -->\n\nrest\n")
    assert "bygone" not in text
    assert "Validation, n = 35 images, means over 1 seeds" in text
    [short, long] = [line for line in text.splitlines() if line.startswith(("| short", "| long"))]
    assert long.split("|")[6].strip() in ("better", "not told apart", "worse")
    assert "`--set epochs=3`" in long
    assert short.split("|")[5].strip() == ""
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/model.keras")}
    assert {path.parent.name for path in trained} == {"short-0", "long-0"}
    lab.main()
    assert trained == {path: path.stat().st_mtime_ns for path in trained}
    assert page.read_text() == text

    (tmp_path / "rows.toml").write_text(rows.replace("epochs=1", "epochs=2"))
    lab.main()
    again = {path.parent.name for path, then in trained.items() if path.stat().st_mtime_ns != then}
    assert again == {"short-0"}


def test_a_page_without_marks_is_left_alone(
    lab: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is trained for it."""
    rows, page = tmp_path / "rows.toml", tmp_path / "page.md"
    rows.write_text('recipe = "quickstart"\nseeds = [0]\n[[rows]]\nname = "short"\noptions = []\n')
    page.write_text("nothing here")
    arguments = ["lab", str(rows), "--data", "sample", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", [*arguments, "--page", str(page)])
    with pytest.raises(SystemExit, match="no marks"):
        lab.main()
    assert page.read_text() == "nothing here"
    assert not (tmp_path / "out").exists()
