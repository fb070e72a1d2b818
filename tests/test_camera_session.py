"""What a command line's words come to: limits of a source, and where records may go."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.camera.health import Limits
from fer_edge.camera.session import Destinations, Origin
from fer_edge.errors import ConfigError
from tests.test_cli import invoke


@pytest.mark.parametrize(
    ("origin", "stall_s", "frozen_s"),
    [
        pytest.param(Origin("0"), 2.0, 2.0, id="a camera"),
        pytest.param(Origin("rtsp://cam/1"), 2.0, 60.0, id="a coder repeats a still scene"),
        pytest.param(Origin("rtsp://cam/1", frozen_s=5.0), 2.0, 5.0, id="as asked"),
        pytest.param(Origin("0", frozen_s=7.0), 2.0, 7.0, id="of a camera, too"),
        pytest.param(Origin("0", fps=30.0), 2.0, 2.0, id="a usual rate"),
        pytest.param(Origin("0", fps=0.1), 30.0, 2.0, id="a frame in ten seconds is no stall"),
    ],
)
def test_the_limits_of_a_source(origin: Origin, stall_s: float, frozen_s: float) -> None:
    assert origin.limits == Limits(stall_s=stall_s, frozen_s=frozen_s)


@pytest.mark.parametrize("output", ["json", "csv", "video"])
def test_no_output_goes_over_the_source(output: str, tmp_path: Path) -> None:
    (film := tmp_path / "clip.avi").touch()
    other_name = tmp_path / "folder" / ".." / "clip.avi"
    wanted = Destinations(**{output: other_name})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="outputs beside the source"):
        wanted.check(str(film))
    wanted.check(str(tmp_path / "another.avi"))
    wanted.check("0")


def test_each_output_has_a_file_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a file for each output"):
        Destinations(json=tmp_path / "a", csv=tmp_path / "a").check("0")
    with pytest.raises(ConfigError, match="Nobody would see"):
        Destinations().check("0")


@pytest.mark.parametrize(
    ("every", "code", "says"),
    [("0.5", 1, "no-film.mp4"), ("0.5s", 1, "no-film.mp4"), ("soon", 2, "0.5 or 0.5s")],
)
def test_seconds_may_say_that_they_are(every: str, code: int, says: str) -> None:
    done = invoke("camera", "--source", "no-film.mp4", "--every", every)
    assert done.exit_code == code
    assert says in done.stderr


@pytest.mark.parametrize("option", ["--model", "--detector", "--csv", "--save"])
def test_a_name_that_is_too_long_is_one_clear_line(option: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 48, 3), np.uint8))
    name = ("yunet:" if option == "--detector" else "") + 300 * "x" + ".avi"
    done = invoke("camera", "--source", tmp_path / "a.png", "--model", "nano", option, name)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "File name too long" in done.stderr
