"""`data audit`: planted faults come out by name, in the tables, the JSON and the picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.data.sample import draw_face
from fer_edge.data.split import Source
from fer_edge.examine import examine
from fer_edge.images import encode_image, read_image, to_gray
from tests.test_cli import invoke


def write(path: Path, image: NDArray[np.uint8]) -> None:
    path.write_bytes(encode_image(image, ".png"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three emotions, twelve drawn faces each, and in `happy` what is wrong."""
    rng = np.random.default_rng(4)
    folder = tmp_path / "photos"
    for emotion in ("happy", "sad", "fear"):
        (folder / emotion).mkdir(parents=True)
        for number in range(12):
            write(folder / emotion / f"{number:02d}.png", draw_face(emotion, rng))
    first, second = (to_gray(read_image(folder / "happy" / f"0{k}.png")) for k in (0, 1))
    write(folder / "sad" / "zz same pixels.png", first)
    write(folder / "happy" / "zz mirrored.png", second[:, ::-1])
    write(folder / "happy" / "zz blank.png", np.full((48, 48), 9, np.uint8))
    return folder


def test_findings_name_files(photos: Path, tmp_path: Path) -> None:
    done = invoke("data", "audit", photos, "--json", "--sheet", tmp_path / "worst.png")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema_version"], document["kind"]) == (1, "audit")
    found = {finding["name"]: finding for finding in document["audit"]["findings"]}
    names = {
        name: {document["files"][str(i)] for i in finding["ids"]} for name, finding in found.items()
    }
    assert names["blank"] == {"happy/zz blank.png"}
    assert names["conflicting labels"] == {"happy/00.png", "sad/zz same pixels.png"}
    near = set().union(*(files for name, files in names.items() if "near" in name))
    assert near == {"happy/01.png", "happy/zz mirrored.png"}
    assert document["suspects"] is None
    assert read_image(tmp_path / "worst.png").shape[1] > 600


def test_tables_and_files(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit.json"
    done = invoke("data", "audit", photos, "--out", out)
    assert "happy/zz blank.png" in done.stdout
    assert "largest / smallest" in done.stdout
    assert "it gives no splits" in done.stderr
    assert json.loads(out.read_text())["audit"]["n"] == 39
    again = invoke("data", "audit", photos, "--out", out)
    assert (again.exit_code, "--force" in again.stderr) == (1, True)


@pytest.mark.slow
def test_mislabels_are_a_finding_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for emotion in ("happy", "surprise"):
        (tmp_path / emotion).mkdir()
        for number in range(60):
            write(tmp_path / emotion / f"{number}.png", draw_face(emotion, rng))
    for number in range(3):
        write(tmp_path / "happy" / f"surprised {number}.png", draw_face("surprise", rng))
    found = examine(Source(str(tmp_path)), mislabels=True)
    assert found.suspects
    finding = found.audit.findings[-1]
    assert (finding.name, finding.ids) == ("likely mislabelled", [s.id for s in found.suspects])
    suspected = {found.dataset.names[s.id] for s in found.suspects if s.label == "happy"}
    assert suspected & {f"happy/surprised {number}.png" for number in range(3)}


@pytest.mark.slow
def test_the_real_rows(fer2013: Path) -> None:
    """The figures that the data's README states."""
    votes = fer2013.parent / "fer2013new_train_public.csv"
    done = invoke("data", "audit", fer2013, "--ferplus", votes, "--json")
    document = json.loads(done.stdout)
    found = {finding["name"]: finding for finding in document["audit"]["findings"]}
    assert found["repeated in train"]["n"] == 1236
    assert found["validation also in train"]["n"] == 280
    assert len(found["conflicting labels"]["groups"]) == 47
    assert found["blank"]["ids"] == [
        *(6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601, 30002)
    ]
    assert round(document["ferplus"]["agreement"]["value"], 3) == 0.657
    assert document["files"] == {}
