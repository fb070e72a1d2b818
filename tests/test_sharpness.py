"""scripts/sharpness.py: faces moved between pixels, and what networks make of them."""

from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from fer_edge.data.split import Dataset
from fer_edge.data.write import write_folders
from fer_edge.runs import Run
from tests.load_script import load_script

PAGE = "# Title\n\n<!-- sharpness: begin -->\n<!-- sharpness: end -->\n\nrest\n"


@pytest.fixture(scope="module")
def sharpness() -> ModuleType:
    return load_script("sharpness")


def test_half_a_pixel_blurs_and_a_whole_one_does_not(sharpness: ModuleType) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (8, 48, 48)).astype(np.uint8)
    np.testing.assert_array_equal(sharpness.moved(faces, 0.0), faces)
    np.testing.assert_array_equal(sharpness.moved(faces, 1.0)[:, 1:, 1:], faces[:, :-1, :-1])
    detail = [
        np.mean([cv2.Laplacian(image, cv2.CV_64F).var() for image in sharpness.moved(faces, px)])
        for px in (0.0, 0.1, 0.25, 0.5)
    ]
    assert detail == sorted(detail, reverse=True)
    assert detail[3] < 0.3 * detail[0]


def test_the_table_goes_into_the_page(
    sharpness: ModuleType, run: Run, drawn: Dataset, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write_folders(drawn, tmp_path / "faces")
    sharpness.main([str(run.folder), "--data", str(tmp_path / "faces"), "--page", str(page)])
    text = page.read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if str(run.folder) in line]
    assert [row[1].strip() for row in rows] == ["as they are", "0.1 px", "0.25 px", "0.5 px"]
    losses = [float(row[3]) for row in rows]
    assert len(set(losses)) > 1  # the faces were moved
    for row, loss in zip(rows[1:], losses[1:], strict=True):
        assert float(row[4].split()[0]) == pytest.approx(loss - losses[0], abs=2e-3)
    assert text.startswith("# Title\n")
    assert text.endswith("<!-- sharpness: end -->\n\nrest\n")
