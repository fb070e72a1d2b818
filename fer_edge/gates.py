"""Gates: `int8.top1>=0.65,int8.agreement>=0.98`, checked against a benchmark's figures."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_edge.bench import Bench, Result
from fer_edge.errors import ConfigError, GateError
from fer_edge.metrics import Interval

COMPARISONS: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}
_GATE = re.compile(r"^(?P<model>.+)\.(?P<figure>\w+)(?P<sign>>=|<=)(?P<bound>\d+(\.\d+)?)$")


@dataclass(frozen=True)
class Gate:
    """A bound on one figure of one model.

    Attributes:
        text: As it was written.
        model: Name or variant.
        figure: A key of FIGURES.
        sign: A key of COMPARISONS.
        bound: The number.
    """

    text: str
    model: str
    figure: str
    sign: str
    bound: float


@dataclass(frozen=True)
class Verdict:
    """One gate and what was measured.

    Attributes:
        gate: The gate.
        found: The measured figure.
        passed: Whether it holds; a figure that does not exist never does.
    """

    gate: Gate
    found: float
    passed: bool


def parse_gates(text: str) -> list[Gate]:
    """Returns the gates in a comma-separated list; none in an empty one.

    Raises:
        ConfigError: A gate is not of the form MODEL.FIGURE>=NUMBER.
    """
    return [_parse(part.strip()) for part in text.split(",") if part.strip()]


def check_names(gates: Sequence[Gate], names: Sequence[tuple[str, str]]) -> None:
    """Raises ConfigError when a gate's model is not exactly one of (name, variant)."""
    for gate in gates:
        if sum(gate.model in pair for pair in names) != 1:
            known = ", ".join(name for name, _ in names)
            raise ConfigError(f"Gate {gate.text!r}: expected one of the models {known}.")


def check_gates(gates: Sequence[Gate], bench: Bench) -> list[Verdict]:
    """Returns the verdict of each gate.

    Raises:
        ConfigError: A gate names a model that was not measured, or several.
    """
    return [_check(gate, bench) for gate in gates]


def raise_missed(verdicts: Sequence[Verdict]) -> None:
    """Raises GateError when a gate was missed, naming each with what was found."""
    missed = [f"{v.gate.text} (found {v.found:.4f})" for v in verdicts if not v.passed]
    if missed:
        raise GateError(f"Missed: {', '.join(missed)}.")


def _parse(text: str) -> Gate:
    match = _GATE.match(text)
    if match is None or match["figure"] not in FIGURES:
        raise ConfigError(
            f"Expected a gate such as int8.top1>=0.65, found {text!r}. "
            f"Figures: {', '.join(FIGURES)}; signs: >= and <=."
        )
    return Gate(text, match["model"], match["figure"], match["sign"], float(match["bound"]))


def _check(gate: Gate, bench: Bench) -> Verdict:
    check_names([gate], [(r.name, r.variant) for r in bench.results])
    (result,) = [r for r in bench.results if gate.model in (r.name, r.variant)]
    found = FIGURES[gate.figure](result)
    return Verdict(gate, found, COMPARISONS[gate.sign](found, gate.bound))


def _value(interval: Interval | None) -> float:
    return interval.value if interval else float("nan")


def _agreement(result: Result) -> float:
    against = result.evaluation.against_float
    return _value(against.agreement if against else None)


def _p50_ms(result: Result) -> float:
    """Returns the median of the run alone, on one thread (or as many as the runtime chooses)."""
    for latency in result.latency:
        if latency.what == "invoke" and latency.n_threads <= 1:
            return latency.p50_ms.value
    return float("nan")


FIGURES: dict[str, Callable[[Result], float]] = {
    "top1": lambda result: result.evaluation.top1.value,
    "macro_f1": lambda result: result.evaluation.macro_f1.value,
    "ece": lambda result: result.evaluation.ece.value,
    "leak_free_top1": lambda result: _value(result.evaluation.leak_free_top1),
    "agreement": _agreement,
    "size_kib": lambda result: result.size_bytes / 1024,
    "p50_ms": _p50_ms,
}
