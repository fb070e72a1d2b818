"""The recipe lab: rows are compared image by image, and what is trained is not trained again."""

import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fer_edge.data.sample import sample_dataset
from fer_edge.data.write import write_folders
from fer_edge.errors import ConfigError
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
    assert several == [
        "one teacher and second head",
        "two teachers",
        "three teachers",
        "base, asked about each varied image",
    ]
    by_name = {row.name: row for row in read.rows}
    for row in read.rows[1:]:  # each is the row that it is compared with, and one option more
        before = by_name[row.against].options
        assert row.options[: len(before)] == before
        assert sum(o.startswith("--") for o in row.options[len(before) :]) == 1


def test_a_row_is_compared_with_one_that_is_there(lab: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "rows.toml"
    for against in ("strong", "better"):  # misspelt, and itself
        file.write_text(
            'recipe = "quickstart"\nseeds = [0]\n[[rows]]\nname = "plain"\n[[rows]]\n'
            f'name = "better"\nagainst = "{against}"\n'
        )
        with pytest.raises(ConfigError, match="Expected another of its rows: plain, better"):
            lab.read_lab(file)


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


def test_macro_f1_is_compared_on_the_same_images(lab: ModuleType) -> None:
    truth = lab.Labels(np.repeat(np.arange(2, dtype=np.uint8), [90, 10]), 2)
    baseline = np.zeros((2, 100), np.int64)  # never class 1: F1 0 there, and 180 / 190 for class 0
    row = baseline.copy()
    row[:, 90:95] = 1  # precision 1, recall 1 / 2: 2 / 3; and 180 / 185
    before, after = (lab.macro_f1_samples(answers, truth) for answers in (baseline, row))
    found = lab.percentiles(after, 100)
    assert found.value == pytest.approx((2 / 3 + 180 / 185) / 2)
    assert before[0] == pytest.approx(180 / 190 / 2)
    assert 0.5 < found.low < found.value < found.high < 1
    assert not lab.percentiles(before - before, 100).high
    # A seed that is as the baseline halves the gain, and what is drawn does not differ by row.
    half = lab.macro_f1_samples(np.stack([row[0], baseline[0]]), truth)
    np.testing.assert_allclose(half - before, (after - before) / 2)


def test_a_row_is_compared_with_the_one_that_it_names(lab: ModuleType) -> None:
    truth = lab.Labels(np.repeat(np.arange(2, dtype=np.uint8), 50), 2)
    names = {"plain": "", "one more": "plain", "two more": "one more"}
    right = dict(zip(names, (50, 70, 90), strict=True))
    outcomes = [
        lab.Outcome(
            lab.Row(name, (), ferplus=False, against=against),
            np.array([[0] * 50 + [1] * (right[name] - 50) + [0] * (100 - right[name])] * 2),
            1.0,
        )
        for name, against in names.items()
    ]
    by_name = {o.row.name: (o, lab.macro_f1_samples(o.answers, truth)) for o in outcomes}
    plain, one, two = (
        lab._cells(lab.Lab("r", (0, 1), ()), outcome, by_name, truth) for outcome in outcomes
    )
    assert plain[3:6] == ("", "", "")
    assert (one[3], two[3]) == ("plain", "one more")
    assert one[4].startswith("+20.0 (")
    assert two[4].startswith("+20.0 (")  # and not 40, which it is before the first
    assert (one[5], two[5]) == ("better", "better")
    f1 = [float(cells[6].split()[0]) for cells in (plain, one, two)]
    gained = [float(cells[7].split()[0]) for cells in (one, two)]
    assert gained == pytest.approx(np.diff(f1), abs=0.11)


def test_another_teacher_under_the_same_name_is_another_training(
    lab: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "soft.npz"
    row = lab.Row("r", ("--teacher", str(file), "--set", "ema=0"), ferplus=False, against="")
    found = []
    for content in (b"one", b"two"):
        file.write_bytes(content)
        found.append(lab.teachers_of(row))
    assert list(found[0]) == [str(file)]
    assert found[0] != found[1]


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
        'options = ["--set", "epochs=3"]\n[[rows]]\nname = "longest"\nagainst = "long"\n'
        'options = ["--set", "epochs=4"]\n'
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
    short, long, longest = (
        [cell.strip() for cell in line.split("|")]
        for line in text.splitlines()
        if line.startswith(("| short", "| long"))
    )
    assert long[6] in ("better", "not told apart", "worse")
    assert "`--set epochs=3`" in long
    assert [short[at] for at in (4, 5, 6, 8)] == ["", "", "", ""]
    assert all(" (" in long[at] for at in (5, 7, 8))
    assert (long[4], longest[4]) == ("short", "long")
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/model.keras")}
    assert {path.parent.name for path in trained} == {"short-0", "long-0", "longest-0"}
    lab.main()
    assert trained == {path: path.stat().st_mtime_ns for path in trained}
    assert page.read_text() == text

    (tmp_path / "rows.toml").write_text(rows.replace("epochs=1", "epochs=2"))
    lab.main()
    again = {path.parent.name for path, then in trained.items() if path.stat().st_mtime_ns != then}
    assert again == {"short-0"}

    (tmp_path / "rows.toml").write_text(rows.replace("epochs=1", "epochz=2"))
    for _ in range(2):  # the second time no other row's network is taken for this one's
        with pytest.raises(subprocess.CalledProcessError):
            lab.main()
        assert not (tmp_path / "out/short-0/model.keras").exists()


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
