"""Stands in for Debian's picamera2 in a process of its own: a camera by script, that may hang.

CAMERA_SCRIPTS holds a script of `tests.cameras.FakeCameras` an opening, `;` between them.
"""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.cameras import fake_cameras

_open = fake_cameras(*os.environ["CAMERA_SCRIPTS"].split(";"), pace_s=0.03)


class Picamera2:
    """What fer-edge uses of it."""

    def __init__(self) -> None:
        self._camera = _open()

    @staticmethod
    def global_camera_info() -> list[dict[str, str]]:
        return [{"Model": "by script"}]

    def create_video_configuration(self, **_asked: Any) -> dict[str, Any]:
        return {}

    def configure(self, _configuration: dict[str, Any]) -> None:
        pass

    def start(self) -> None:
        pass

    def capture_array(self, _name: str) -> NDArray[np.uint8]:
        given = self._camera.read()
        assert given is not None
        return given[0]

    def stop(self) -> None:
        self._camera.close()

    def close(self) -> None:
        pass
