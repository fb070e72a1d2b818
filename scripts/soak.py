"""A long run of the live loop, from memory: `python scripts/soak.py --frames 1000000`.

A live source gives frames faster than they are read; the loop reads so many of them, and what the
process holds is looked at on the way: memory, threads, descriptors, and whether each frame that was
captured is accounted for. Exits 3 where memory grows by over 5 MiB after the first tenth, a thread
or descriptor stays, or a frame is missing.
"""

import argparse
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.capture import Camera
from fer_edge.camera.fanout import Outputs
from fer_edge.camera.frames import Record
from fer_edge.camera.loop import FrameReader, Loop, Pace
from fer_edge.camera.outputs import JsonLines
from fer_edge.data.sample import draw_scene
from fer_edge.predictor import Predictor, open_predictor

MAX_GROWTH_BYTES = 5 * 2**20
WARM_UP = 0.1  # of the frames
N_LOOKS = 20


@dataclass(frozen=True)
class Look:
    """What the process holds at a moment.

    Attributes:
        n_read: Frames that were read by then.
        rss_bytes: Memory.
        n_threads: Running.
        n_descriptors: Open.
    """

    n_read: int
    rss_bytes: int
    n_threads: int
    n_descriptors: int

    @classmethod
    def now(cls, n_read: int) -> "Look":
        """Returns what this process holds."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        n_descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count, no paths)
        rss_bytes = pages * os.sysconf("SC_PAGE_SIZE")
        return cls(n_read, rss_bytes, threading.active_count(), n_descriptors)


class Memory:
    """A live source of a few pictures that were made before, each a little brighter each time."""

    is_live = True

    def __init__(self, pictures: list[NDArray[np.uint8]], pace_s: float) -> None:
        self._pictures, self._pace_s, self._number = pictures, pace_s, 0

    def read(self) -> tuple[NDArray[np.uint8], float | None]:
        """Returns the next."""
        if self._pace_s:
            time.sleep(self._pace_s)
        self._number += 1
        image = self._pictures[self._number % len(self._pictures)].copy()
        image[0, 0] = np.frombuffer(self._number.to_bytes(3, "little"), np.uint8)
        return image, None

    def close(self) -> None:
        """Does nothing."""


class Watcher:
    """An output that looks at the process now and then."""

    name = "looks"

    def __init__(self, n_frames: int) -> None:
        self.looks: list[Look] = []
        self._every, self._n_read = max(1, n_frames // N_LOOKS), 0

    def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Counts a record."""
        self._n_read += 1
        if self._n_read % self._every == 0:
            self.looks.append(Look.now(self._n_read))

    def close(self) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class Soak:
    """What a run came to.

    Attributes:
        n_read: Frames that were read.
        n_captured: Frames that the source gave.
        n_missing: Frames that were neither read, dropped nor waiting at the end.
        elapsed_s: In all.
        growth_bytes: Of memory, from the end of the first tenth to the most after it.
        n_threads_left: That the run began and did not end.
        n_descriptors_left: Likewise.
        looks: On the way.
    """

    n_read: int
    n_captured: int
    n_missing: int
    elapsed_s: float
    growth_bytes: int
    n_threads_left: int
    n_descriptors_left: int
    looks: list[Look]

    @property
    def faults(self) -> list[str]:
        """What should not be."""
        found = {
            f"memory grew by {self.growth_bytes / 2**20:.1f} MiB": self.growth_bytes
            > MAX_GROWTH_BYTES,
            f"{self.n_threads_left} threads stayed": self.n_threads_left > 0,
            f"{self.n_descriptors_left} descriptors stayed": self.n_descriptors_left > 0,
            f"{self.n_missing} frames are missing": self.n_missing != 0,
        }
        return [text for text, is_so in found.items() if is_so]


def soak(
    predictor: Predictor, n_frames: int, *, size: tuple[int, int], pace_s: float = 0.0
) -> Soak:
    """Reads so many frames of a source in memory, their records to a file that is thrown away.

    Args:
        predictor: What reads them.
        n_frames: To read.
        size: Of frames: width, height.
        pace_s: Between frames.
    """
    scenes = [
        draw_scene(("happy",), np.random.default_rng(n), face_px=min(size) // 2).image
        for n in range(4)
    ]
    pictures = [np.ascontiguousarray(scene[: size[1], : size[0]]) for scene in scenes]
    watcher = Watcher(n_frames)
    before = Look.now(0)
    started = time.monotonic()
    outputs = Outputs(
        [JsonLines(Path(os.devnull), predictor.emotions), watcher],
        say=lambda text: print(text, file=sys.stderr),
    )
    camera = Camera(lambda: Memory(pictures, pace_s), name="memory")
    with camera:
        loop = Loop(camera, FrameReader(predictor), outputs, pace=Pace(n_frames=n_frames))
        summary = loop.run()
    outputs.close()
    counts = camera.counts
    accounted = counts.delivered + counts.dropped
    after = Look.now(n_frames)
    warm = [look for look in watcher.looks if look.n_read >= WARM_UP * n_frames]
    return Soak(
        summary.n_read,
        counts.captured,
        max(0, counts.captured - accounted - 1) + max(0, accounted - counts.captured),
        time.monotonic() - started,
        max(look.rss_bytes for look in warm) - warm[0].rss_bytes,
        after.n_threads - before.n_threads,
        after.n_descriptors - before.n_descriptors,
        watcher.looks,
    )


def main() -> int:
    """Runs, prints what was found, and writes it where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--detector", default="none")
    parser.add_argument("--size", default="160x120")
    parser.add_argument("--pace", type=float, default=2e-4, help="Seconds between frames.")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    predictor = open_predictor(options.model, options.detector)
    found = soak(predictor, options.frames, size=(width, height), pace_s=options.pace)
    for look in found.looks:
        print(
            f"{look.n_read:>10,} frames  {look.rss_bytes / 2**20:6.1f} MiB  "
            f"{look.n_threads} threads  {look.n_descriptors} descriptors"
        )
    print(
        f"{found.n_read:,} read of {found.n_captured:,} captured in {found.elapsed_s:.0f} s; "
        f"{found.n_missing} missing; memory {found.growth_bytes / 2**20:+.1f} MiB"
    )
    if options.out:
        options.out.write_text(json.dumps(asdict(found), indent=1) + "\n")
    for fault in found.faults:
        print(fault, file=sys.stderr)
    return 3 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
