"""Accuracy and latency of models side by side: raw samples in, judged figures out.

Latency is taken in rounds: each round times one block of calls of every model in a fresh order,
so that a machine that drifts is fair to all. A block repeats a call until it lasts about a
millisecond; a sample is the block's time per call.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge import files, metrics
from fer_edge.candidates import Candidate, Runner
from fer_edge.coldstart import ColdStart, measure_cold_start
from fer_edge.evaluate import Evaluation, EvaluationSet, check_answers, evaluate
from fer_edge.machine import describe_machine
from fer_edge.metrics import Interval

SCHEMA_VERSION = 1
BLOCK_NS = 1_000_000
WARMUP_CALLS = 20
MIN_FOR_P99 = 100
UNSTABLE_SPREAD = 0.10
FLOAT_REFERENCES = ("keras", "float32")

What = Literal["invoke", "with preprocessing"]


@dataclass(frozen=True)
class Latency:
    """How long one call takes.

    Attributes:
        what: `invoke` alone, or `with preprocessing`: face crop from a 640 x 480 picture, input,
            run, output.
        n_threads: 0 where the runtime chooses.
        calls_per_sample: Calls in a block.
        samples_ns: Time per call, one a round, in order.
        p50_ms: Median with its interval.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile; None under 100 samples.
        spread: Interquartile range over the median.
    """

    what: What
    n_threads: int
    calls_per_sample: int
    samples_ns: list[float]
    p50_ms: Interval
    p90_ms: float
    p99_ms: float | None
    spread: float

    @property
    def is_unstable(self) -> bool:
        """Tells whether the samples spread too much for their figures to be quoted."""
        return self.spread > UNSTABLE_SPREAD


@dataclass(frozen=True)
class Result:
    """All that was measured of one model.

    Attributes:
        name: In tables and gates.
        variant: `int8`, `float32`, …, `keras`.
        file: Name of its file.
        sha256: Of the file.
        size_bytes: Of the file.
        n_parameters: Values that the file holds: before the fold, batch-norm's among them.
        macs: Multiply-accumulates of one run.
        delegate: What ran it: `XNNPACK`, `none` (LiteRT's own kernels), or Keras's backend.
        evaluation: Accuracy.
        latency: By thread count and by what is timed.
        cold_start: Of a fresh process; None when it was not asked for.
    """

    name: str
    variant: str
    file: str
    sha256: str
    size_bytes: int
    n_parameters: int
    macs: int
    delegate: str
    evaluation: Evaluation
    latency: list[Latency]
    cold_start: ColdStart | None


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        machine: What it ran on.
        data: Source, hash, split, n and how many images leak from Training, None if unknown.
        results: In the order that was asked for.
    """

    machine: dict[str, Any]
    data: dict[str, Any]
    results: list[Result]

    def to_json(self) -> str:
        """Returns the versioned document, raw samples included."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Writes the document, whole or not at all."""
        files.write_text(path, self.to_json())


@dataclass(frozen=True)
class Timer:
    """What `bench` times and how often.

    Attributes:
        rounds: Samples a model.
        cold_start: Whether to start a fresh process for each model as well.
        seed: Of the order within a round, and of the pictures.
    """

    rounds: int = 200
    cold_start: bool = True
    seed: int = 0


def run_bench(
    candidates: Sequence[Candidate],
    data: EvaluationSet,
    timer: Timer,
    *,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> Bench:
    """Measures candidates on one split.

    Args:
        candidates: Each family's float reference is its Keras network, else its float32 file.
        data: The split.
        timer: How to time.
        progress: Told what is being done and the share that is done.
    """
    answers, delegates = {}, {}
    for number, candidate in enumerate(candidates):
        progress(f"accuracy of {candidate.name}", number / len(candidates))
        runner = candidate.open(1)
        answers[candidate.name] = runner.probabilities(data.split.images)
        check_answers(answers[candidate.name], data)
        delegates[candidate.name] = runner.delegate
    latencies = time_candidates(candidates, data.split.images, timer, progress)
    results = []
    for number, candidate in enumerate(candidates):
        progress(f"cold start of {candidate.name}", number / len(candidates))
        reference = _float_reference(candidate, candidates)
        results.append(
            Result(
                candidate.name,
                candidate.variant,
                candidate.path.name,
                candidate.sha256,
                candidate.size_bytes,
                candidate.n_parameters,
                candidate.macs,
                delegates[candidate.name],
                evaluate(
                    answers[candidate.name],
                    data,
                    reference=answers[reference.name] if reference else None,
                ),
                latencies[candidate.name],
                measure_cold_start(candidate.path) if timer.cold_start else None,
            )
        )
    description = {
        "source": data.source,
        "sha256": data.sha256,
        "split": data.name,
        "n": len(data.split),
        "n_leaked": None if data.leaked is None else int(data.leaked.sum()),
    }
    return Bench(describe_machine(), description, results)


def time_candidates(
    candidates: Sequence[Candidate],
    images: NDArray[np.uint8],
    timer: Timer,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> dict[str, list[Latency]]:
    """Returns each candidate's latencies, timed interleaved; images are uint8 (n, 48, 48)."""
    stations = [
        _Station(candidate.name, what, n_threads, candidate.open(n_threads), images)
        for candidate in candidates
        for n_threads in candidate.threads
        for what in ("invoke", "with preprocessing")
    ]
    for station in stations:
        station.warm_up()
    rng = np.random.default_rng(timer.seed)
    for number in range(timer.rounds):
        progress("latency", number / timer.rounds)
        for index in rng.permutation(len(stations)):
            stations[index].take_sample()
    latencies: dict[str, list[Latency]] = {candidate.name: [] for candidate in candidates}
    for station in stations:
        latencies[station.name].append(station.latency())
    return latencies


class _Station:
    """One thing that is timed over and over."""

    def __init__(
        self, name: str, what: str, n_threads: int, runner: Runner, images: NDArray[np.uint8]
    ) -> None:
        self.name, self._what, self._n_threads = name, what, n_threads
        self._call = _invoke(runner, images) if what == "invoke" else _end_to_end(runner, images)
        self._calls = 1
        self._samples_ns: list[float] = []

    def warm_up(self) -> None:
        """Runs until caches and thread pools are warm, and sets how long a block is."""
        for _ in range(WARMUP_CALLS):
            self._call()
        once = min(self._timed(1) for _ in range(5))
        self._calls = max(1, math.ceil(BLOCK_NS / once))

    def take_sample(self) -> None:
        """Times one block."""
        self._samples_ns.append(self._timed(self._calls) / self._calls)

    def latency(self) -> Latency:
        """Returns the figures of the samples so far."""
        samples = np.array(self._samples_ns)
        median = metrics.median_interval(samples / 1e6)
        quarter, three = (metrics.percentile(samples, p) for p in (25, 75))
        return Latency(
            what="invoke" if self._what == "invoke" else "with preprocessing",
            n_threads=self._n_threads,
            calls_per_sample=self._calls,
            samples_ns=[round(sample, 1) for sample in self._samples_ns],
            p50_ms=median,
            p90_ms=metrics.percentile(samples, 90) / 1e6,
            p99_ms=metrics.percentile(samples, 99) / 1e6 if len(samples) >= MIN_FOR_P99 else None,
            spread=(three - quarter) / 1e6 / median.value,
        )

    def _timed(self, calls: int) -> int:
        call = self._call
        started = time.perf_counter_ns()
        for _ in range(calls):
            call()
        return time.perf_counter_ns() - started


def _invoke(runner: Runner, images: NDArray[np.uint8]) -> Callable[[], None]:
    runner.set_input(runner.prepare(images[0]))
    return runner.invoke


def _end_to_end(runner: Runner, images: NDArray[np.uint8]) -> Callable[[], None]:
    """Returns a call that takes a face from a picture: crop, input, run, output."""
    import cv2

    from fer_edge.faces import FaceBox, crop_face

    picture = np.full((480, 640, 3), 127, np.uint8)
    face = np.asarray(cv2.resize(images[0], (200, 200)))
    picture[120:320, 200:400] = face[..., None]
    box = FaceBox(200.0, 120.0, 200.0, 200.0, 1.0)

    def call() -> None:
        runner.set_input(runner.prepare(crop_face(picture, box)))
        runner.invoke()
        runner.get_output()

    return call


def _float_reference(candidate: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """Returns the float model that a candidate is compared with; None for that model itself."""
    family = {other.variant: other for other in candidates if other.family == candidate.family}
    for variant in FLOAT_REFERENCES:
        if variant in family:
            return None if candidate.variant == variant else family[variant]
    return None
