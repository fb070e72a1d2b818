"""The live loop's speed on a board: what is measured, and results of several boards in one file."""

import dataclasses
import json
from pathlib import Path

import pytest

from fer_edge import board_bench
from fer_edge.board_bench import (
    BoardBench,
    Look,
    add_result,
    measure_board,
    read_results,
    to_json,
)
from fer_edge.errors import ConfigError, DataError
from fer_edge.predictor import open_predictor
from fer_edge.tables import board_table
from tests.test_cli import invoke

LOOKS = [
    Look(1.0, 20.0, 61.4, ()),
    Look(2.0, 15.0, 80.2, ("throttled",)),
    Look(2.5, 17.5, None, None),
]
MS = 1_000_000


def result(board: str = "Pi 4", model: str = "small") -> BoardBench:
    samples = {
        "detect": [30 * MS] * 9 + [50 * MS],
        "crop": [MS // 10] * 10,
        "classify": [MS] * 10,
        "frame": [40 * MS] * 10,
    }
    return BoardBench(
        board,
        model,
        "00",
        "haar",
        2,
        "XNNPACK",
        1,
        samples,
        24.5,
        50 * 2**20,
        LOOKS,
        {"cpu": board},
    )


def test_what_is_measured() -> None:
    found = measure_board(
        open_predictor("nano", "haar"),
        model="nano",
        model_sha256="00",
        detector="haar",
        seconds=0.2,
    )
    assert found.n_faces == 1
    n = len(found.samples_ns["frame"])
    assert [len(samples) for samples in found.samples_ns.values()] == [n, n, n, n]
    for detect, crop, classify, frame in zip(*found.samples_ns.values(), strict=True):
        assert 0 < detect + classify <= frame + 1000
        assert crop > 0
    assert found.frames_per_s == pytest.approx(n / sum(found.samples_ns["frame"]) * 1e9)
    assert found.peak_memory_bytes > 10 * 2**20
    assert found.looks[-1].at_s >= 0.2


def test_the_board_is_looked_at_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_bench, "LOOK_EVERY_S", 0.05)
    predictor = open_predictor("nano", "haar")
    found = measure_board(predictor, model="", model_sha256="", detector="", seconds=0.5)
    assert len(found.looks) > 1
    at_s = [look.at_s for look in found.looks]
    assert at_s == sorted(set(at_s))
    assert all(look.frames_per_s > 0 for look in found.looks)


def test_the_table_tells_the_worst_of_the_heat() -> None:
    row = dict(zip(board_table([result()]).columns, board_table([result()]).rows[0], strict=True))
    assert row["detect"] == "30.0 / 32.0"  # the 90th percentile lies a tenth of the way to 50
    assert (row["°C"], row["throttled"], row["frames/s"], row["n"]) == (
        "80",
        "throttled",
        "24.5",
        "10",
    )
    unknown = dataclasses.replace(result(), looks=[Look(1.0, 1.0, None, None)])
    assert board_table([unknown]).rows[0][-2:] == ("–", "–")
    cool = dataclasses.replace(result(), looks=[Look(1.0, 1.0, 40.0, ())])
    assert board_table([cool]).rows[0][-2:] == ("40", "no")


def test_boards_come_together_in_one_file_and_each_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "boards.json"
    add_result(path, result("Pi 4"))
    add_result(path, result("Pi 5"))
    add_result(path, result("Pi 4", "nano"))
    again = dataclasses.replace(result("Pi 4"), frames_per_s=25.0)
    assert len(add_result(path, again)) == 3
    read = read_results(path)
    other_system = dataclasses.replace(result("Pi 4"), delegate="none")
    assert len(add_result(path, other_system)) == 4
    assert [(r.board, r.model, r.frames_per_s) for r in read] == [
        ("Pi 5", "small", 24.5),
        ("Pi 4", "nano", 24.5),
        ("Pi 4", "small", 25.0),
    ]
    assert read[2] == again


DAMAGED = '{"schema_version": 1, "kind": "device-bench", "results": [{"samples_ns": {}}]}'


NO_NUMBERS = to_json([result()]).replace(str(30 * MS), '"fast"', 1)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema_version": 1, "kind": "bench"}', DAMAGED, NO_NUMBERS]
)
def test_another_file_is_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "boards.json"
    path.write_text(content)
    with pytest.raises(DataError, match="holds no results of boards"):
        add_result(path, result())
    assert path.read_text() == content


def test_a_detector_that_finds_nothing_measures_nothing() -> None:
    class Blind:
        def detect(self, _image: object) -> list[object]:
            return []

    predictor = dataclasses.replace(open_predictor("nano", "haar"), detector=Blind())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="finds no face in the drawn picture"):
        measure_board(predictor, model="nano", model_sha256="", detector="blind", seconds=1)
    with pytest.raises(ConfigError, match="over 0 seconds"):
        measure_board(predictor, model="nano", model_sha256="", detector="blind", seconds=0)


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "boards.json"
    done = invoke("bench", "--device", "nano", "--seconds", "0.2", "--out", out, "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], document["schema_version"]) == ("device-bench", 1)
    assert [entry["model"] for entry in document["results"]] == ["nano"]
    assert json.loads(out.read_text()) == document
    assert len(document["results"][0]["model_sha256"]) == 64
    assert document["results"][0]["delegate"] == "XNNPACK"
    assert invoke("bench").exit_code == 2
    assert invoke("bench", "--device", "--gate", "int8.top1>=0.5").exit_code == 2
