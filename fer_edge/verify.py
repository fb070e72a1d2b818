"""The same answers on every runtime, or which one differs, where and by how much.

Every runtime gets the same inputs, faces and patterns that no face is like, and is compared with
one that it should equal, within what `engines` allows and says why. A runtime that is not installed
is not run, and never passed.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.catalog import Model
from fer_edge.engines import REFERENCE, Allowed, Runtime, find_runtimes
from fer_edge.errors import (
    ConversionError,
    EngineError,
    EnvironmentNotMadeError,
    GateError,
    MissingExtraError,
    MissingProgramError,
    ModelFormatError,
)
from fer_edge.golden import Golden, golden_inputs, is_face
from fer_edge.material import collect
from fer_edge.metrics import Interval, agreement

SCHEMA_VERSION = 1
INT8_ALONE = "int8 was compared with itself only, so nothing is proven of what it was made from"


@dataclass(frozen=True)
class Verdict:
    """What a comparison found.

    Attributes:
        runtime: Its name.
        against: What it was compared with; empty for the first, which nothing stands before.
        allowed: What was expected.
        not_run: Why it was not run; empty where it was.
        not_compared: Why it was run and compared with nothing; empty where it was.
        failed: Why it could not run the model; empty where it could.
        passed: Whether it was run and is within what is allowed.
        max_difference: Largest difference of a probability, on the inputs that are judged by it.
        mean_difference: Mean one, on all.
        same_top1: How often the most likely emotion is the same.
        beyond_margin: Inputs whose most likely emotion differs though it should not.
        is_bit_equal: Whether all probabilities are the same.
        worst: The input with the largest difference.
        unjudged_difference: Largest difference on the other inputs.
    """

    runtime: str
    against: str
    allowed: Allowed
    not_run: str = ""
    not_compared: str = ""
    failed: str = ""
    passed: bool = False
    max_difference: float = 0.0
    mean_difference: float = 0.0
    same_top1: Interval | None = None
    beyond_margin: tuple[str, ...] = ()
    is_bit_equal: bool = False
    worst: str = ""
    unjudged_difference: float = 0.0


@dataclass(frozen=True)
class Verification:
    """All comparisons of one model.

    Attributes:
        model: Its name.
        n: Inputs.
        verdicts: In the order in which the runtimes ran.
        has_float: Whether the model comes with a float network or its conversion.
    """

    model: str
    n: int
    verdicts: tuple[Verdict, ...]
    has_float: bool = True

    @property
    def is_int8_alone(self) -> bool:
        """Whether int8 ran, and nothing of it was compared with a float network."""
        ran = [v for v in self.verdicts if v.runtime == REFERENCE and not v.not_run]
        return bool(ran) and not any(v.against and not v.not_compared for v in ran)

    def to_json(self) -> str:
        """Returns it as a versioned document."""
        document = {"schema_version": SCHEMA_VERSION, "kind": "verify", **dataclasses.asdict(self)}
        return json.dumps(document, indent=1) + "\n"


def verify(
    model: Model, *, progress: Callable[[str, float], None] = lambda _what, _share: None
) -> Verification:
    """Runs a model on every runtime there is.

    Args:
        model: With an int8 file. What its export lacks is made of its float network for this.
        progress: Told what runs and the share that is done.

    Raises:
        ModelFormatError: It has no int8 file, or one is not what its manifest says.
        GateError: Its labels stand in one order here, and in another there.
    """
    progress("preparing", 0.0)
    golden = golden_inputs()
    material = collect(model, lambda text: progress(text, 0.0))
    runtimes = find_runtimes(material, lambda text: progress(text, 1.0))
    verdicts = run_all(runtimes, golden, progress=progress)
    has_float = isinstance(material.network, Path) or isinstance(material.float32, bytes)
    return Verification(model.name, len(golden.images), verdicts, has_float)


def run_all(
    runtimes: Sequence[Runtime],
    golden: Golden,
    *,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> tuple[Verdict, ...]:
    """Returns how each runtime compares with the one that it is compared with, run before it."""
    answers: dict[str, NDArray[np.floating]] = {}
    verdicts = []
    for number, runtime in enumerate(runtimes):
        progress(runtime.name, number / len(runtimes))
        verdicts.append(_run(runtime, golden, answers))
    return tuple(verdicts)


def raise_differing(found: Verification) -> None:
    """Raises what keeps this from being a proof.

    Raises:
        GateError: A runtime that ran differs; it names the input and the difference.
        MissingProgramError: No two runtimes could be compared, or int8 with no float one although
            the model has a float file.
    """
    differing = [_fault(v) for v in found.verdicts if not (v.passed or v.not_run or v.not_compared)]
    if differing:
        raise GateError(f"{'; '.join(differing)}.")
    if not any(v.passed and v.against for v in found.verdicts):
        raise MissingProgramError(
            "Nothing was compared: expected two runtimes at least, found none beside one another. "
            "What each lacks is said above."
        )
    if found.is_int8_alone and found.has_float:
        raise MissingProgramError(
            f"{INT8_ALONE}: expected Keras or float32.tflite to run as well. What each lacks is "
            "said above."
        )


def _fault(verdict: Verdict) -> str:
    if verdict.failed:
        return f"{verdict.runtime} could not run the model: {verdict.failed}"
    allowed, beyond, how = verdict.allowed, verdict.beyond_margin, []
    if verdict.max_difference > allowed.difference:
        how.append(
            f"by {verdict.max_difference:.4f} on {verdict.worst!r}, "
            f"{allowed.difference:.4f} is allowed"
        )
    if verdict.mean_difference > allowed.mean:
        how.append(f"in the mean by {verdict.mean_difference:.4f}, {allowed.mean:.4f} is allowed")
    if beyond:
        how.append(
            f"in the emotion on {len(beyond)} of the inputs, such as {beyond[0]!r}, whose first "
            f"two are more than {allowed.margin:.4f} apart"
        )
    return f"{verdict.runtime} differs from {verdict.against} {'; '.join(how)}"


def compare(
    reference: NDArray[np.floating],
    answers: NDArray[np.floating],
    runtime: Runtime,
    names: Sequence[str],
) -> Verdict:
    """Returns how far answers are from a reference's, both (n, k).

    Args:
        reference: Of the runtime that it is compared with.
        answers: Of the runtime.
        runtime: What is allowed.
        names: Of the inputs.
    """
    allowed = runtime.allowed
    difference = np.abs(answers.astype(np.float64) - reference)
    difference = np.nan_to_num(difference, nan=1.0, posinf=1.0)  # as far as can be
    judged = np.array([is_face(name) or not allowed.of_faces for name in names])
    each, others = np.where(judged, difference.max(axis=1), 0), difference[~judged]
    second, first = np.sort(reference, axis=1)[:, -2:].T
    otherwise = answers.argmax(axis=1) != reference.argmax(axis=1)
    beyond = judged & otherwise & (first - second > allowed.margin)
    is_near = each.max() <= allowed.difference and difference.mean() <= allowed.mean
    return Verdict(
        runtime.name,
        runtime.against,
        allowed,
        passed=bool(is_near and not beyond.any()),
        max_difference=float(each.max()),
        mean_difference=float(difference.mean()),
        same_top1=agreement(reference, answers),
        beyond_margin=tuple(name for name, is_so in zip(names, beyond, strict=True) if is_so),
        is_bit_equal=bool((answers == reference).all()),
        worst=names[int(each.argmax())],
        unjudged_difference=float(others.max(initial=0)),
    )


def _run(runtime: Runtime, golden: Golden, answers: dict[str, NDArray[np.floating]]) -> Verdict:
    """Runs one runtime, keeps what it answers, and returns how that compares."""
    runtime = runtime if runtime.against in answers else _with_other(runtime, answers)
    reference = answers.get(runtime.against)
    blank = Verdict(runtime.name, runtime.against, runtime.allowed)
    try:
        found = answers[runtime.name] = runtime.answer(golden.images)
    except (EnvironmentNotMadeError, MissingExtraError, MissingProgramError) as exc:
        return dataclasses.replace(blank, not_run=str(exc))
    except (ConversionError, EngineError, ModelFormatError) as exc:
        return dataclasses.replace(blank, failed=str(exc))
    if runtime.against and reference is None:  # others may still be compared with it
        why = f"{runtime.against}, which it is compared with, did not run"
        return dataclasses.replace(blank, not_compared=why)
    return compare(found if reference is None else reference, found, runtime, golden.names)


def _with_other(runtime: Runtime, answers: dict[str, NDArray[np.floating]]) -> Runtime:
    """Returns a runtime that is compared with what stands in for its first choice, if that ran."""
    if runtime.instead not in answers:
        return runtime
    reason = f"{runtime.allowed.reason}; {runtime.against} did not run"
    allowed = dataclasses.replace(runtime.allowed, reason=reason)
    return dataclasses.replace(runtime, against=runtime.instead, allowed=allowed)
