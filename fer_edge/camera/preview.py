"""A page in the browser that shows what the camera reads, while it reads it."""

import contextlib
import re
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.frames import Record
from fer_edge.camera.latest import Latest
from fer_edge.camera.preview_server import PreviewServer
from fer_edge.errors import ConfigError
from fer_edge.site import running

HOST = "127.0.0.1"
PORT = 8000
LAST_WORDS_S = 0.2
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}")  # as it stands, in an address and in a cookie


class Preview:
    """Serves the page from its making to `close`; `url` is what to open.

    On loopback it asks for nothing. Where others reach it, it asks for a token, which `url` holds:
    keep that to those who may watch, and know that HTTP is not encrypted.

    Args:
        emotions: The model's class names in label order.
        shows_images: Whether frames may be seen; without, boxes on an empty ground are.
        host: Name or address to listen on.
        port: 0 for a free one.
        token: What viewers have to know; by default a random one, and none on loopback.

    Raises:
        ConfigError: It cannot listen there, or the token is too easily guessed.
    """

    def __init__(
        self,
        emotions: Sequence[str],
        *,
        shows_images: bool = False,
        host: str = HOST,
        port: int = PORT,
        token: str | None = None,
    ) -> None:
        if token is not None and not TOKEN.fullmatch(token):
            raise ConfigError(
                "Expected a token of at least 16 letters, digits, - and _, found another. Leave "
                "it out to get a random one."
            )
        self._latest, self._shows_images = Latest(emotions), shows_images
        try:
            self._server = PreviewServer(
                self._latest,
                emotions,
                host=host,
                port=port,
                shows_images=shows_images,
                token=token,
            )
        except (OSError, OverflowError, TypeError, UnicodeError) as exc:  # of a name of none
            raise ConfigError(
                f"The preview cannot listen on {host!r}, port {port}: "
                f"{getattr(exc, 'strerror', None) or exc}. Expected an address of this machine "
                "and a port that no other program has; 0 takes a free one."
            ) from exc
        self.url, self.is_loopback = self._server.url, self._server.is_loopback
        self.name = f"preview {self.url.partition('?')[0]}"
        self._running = contextlib.ExitStack()
        self._running.enter_context(running(self._server))

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:
        """Shows a record, and with it the frame where that was asked for."""
        self._latest.put(record, image if self._shows_images else None)

    def close(self) -> None:
        """Tells the viewers that it has ended, and stops serving."""
        self._latest.end()
        deadline = time.monotonic() + LAST_WORDS_S
        while self._server.watching and time.monotonic() < deadline:
            time.sleep(0.01)  # the viewers' threads say it
        self._running.close()
