"""Keeps native libraries that greet on stderr from doing so, for as long as a block runs."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Sends what C++ writes to descriptor 2 nowhere; exceptions come through as always.

    TensorFlow and LiteRT log from C++ before, or regardless of, any setting of theirs.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
