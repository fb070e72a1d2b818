"""Networks and model files as tables of text."""

import math
from collections import Counter
from collections.abc import Sequence

from fer_edge.inspect import Graph, Inspection, Operator, Quantization, Tensor
from fer_edge.model_cost import LayerCost
from fer_edge.tables import Table, percent, size
from fer_edge.verify import Verdict, Verification


def model_table(arch: str, costs: Sequence[LayerCost]) -> Table:
    """Returns a network as a table of layers with a last row of totals."""
    rows = [
        (
            cost.name,
            cost.kind,
            " × ".join(map(str, cost.output)),
            f"{cost.n_parameters:,}",
            f"{cost.macs:,}",
            f"{cost.activation_bytes / 1024:.1f}",
        )
        for cost in costs
    ]
    totals = (
        "total",
        "",
        "",
        f"{sum(cost.n_parameters for cost in costs):,}",
        f"{sum(cost.macs for cost in costs):,}",
        f"{max(cost.activation_bytes for cost in costs) / 1024:.1f} (largest)",
    )
    columns = ("layer", "kind", "output", "parameters", "MACs", "activations, KiB in int8")
    return Table(arch, columns, (*rows, totals))


def inspection_tables(found: Inspection) -> list[Table]:
    """Returns what a model file eats and answers, and its operators."""
    return [_edges(found), _operators(found.graph)]


def verdict(found: Inspection) -> str:
    """Returns which operators are not integer, and whether the file keeps the contract."""
    floating = Counter(operator.partition(" ")[0] for operator in found.not_integer)
    return (
        f"not integer: {', '.join(f'{n} {name}' for name, n in floating.items()) or 'nothing'}\n"
        f"contract: {'; '.join(found.contract_faults) or 'holds'}"
    )


def verification_table(found: Verification) -> Table:
    """Returns which runtimes give the same answers."""
    title = (
        f"{found.model}: every runtime on the same {found.n} inputs; differences of a probability; "
        "another emotion is allowed only where the first two are closer than the margin"
    )
    columns = (
        *("runtime", "against", "largest", "mean", "same emotion %", "bits"),
        *("allowed", "mean allowed", "margin", "because", "verdict"),
    )
    return Table(title, columns, tuple(map(_verdict_row, found.verdicts)), (0, 1, 5, 9, 10))


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    allowed = verdict.allowed
    limits = (
        f"{allowed.difference:.4f}" + (" on faces" if allowed.of_faces else ""),
        f"{allowed.mean:.4f}" if allowed.mean < 1 else "–",
        f"{allowed.margin:.4f}",
        allowed.reason,
    )
    if not verdict.same_top1:
        word = (
            "not run" if verdict.not_run else "not compared" if verdict.not_compared else "FAILED"
        )
        return (verdict.runtime, verdict.against, "–", "–", "–", "–", *limits, word)
    if not verdict.against:
        return (verdict.runtime, *("–",) * 9, "reference")
    elsewhere = f" (patterns {verdict.unjudged_difference:.2g})" if allowed.of_faces else ""
    return (
        verdict.runtime,
        verdict.against,
        f"{verdict.max_difference:.2g}{elsewhere}",
        f"{verdict.mean_difference:.2g}",
        percent(verdict.same_top1),
        "equal" if verdict.is_bit_equal else "differ",
        *limits,
        "agrees" if verdict.passed else "DIFFERS",
    )


def _edges(found: Inspection) -> Table:
    graph = found.graph
    title = (
        f"{found.name}: {size(found.size_bytes)}, SHA-256 {found.sha256[:16]}…, "
        f"{found.n_parameters:,} parameters, {found.macs:,} MACs"
    )
    rows = [
        (edge, tensor.name, _shape(tensor), tensor.dtype, _meaning(tensor.quantization))
        for edge, tensors in (("input", graph.inputs), ("output", graph.outputs))
        for tensor in tensors
    ]
    return Table(title, ("", "name", "shape", "type", "a step, zero"), tuple(rows), (0, 1, 2, 3))


def _operators(graph: Graph) -> Table:
    rows = [
        (
            str(number),
            operator.name,
            _shape(operator.outputs[0]) if operator.outputs else "–",
            operator.outputs[0].dtype if operator.outputs else "–",
            _kernel(operator),
            f"{operator.macs:,}" if operator.macs else "",
        )
        for number, operator in enumerate(graph.operators)
    ]
    columns = ("", "operator", "output", "type", "weights", "MACs")
    return Table(f"{len(rows)} operators", columns, tuple(rows), (1, 2, 3, 4))


def _kernel(operator: Operator) -> str:
    """Returns an operator's weights: their type, shape, and how they are quantized."""
    weights = operator.weights
    if weights is None:
        return ""
    quantization = weights.quantization
    scales = f", {len(quantization.scales)} scales" if quantization else ""
    return f"{weights.dtype} {_shape(weights)}{scales}"


def _shape(tensor: Tensor) -> str:
    return " × ".join("?" if side < 0 else str(side) for side in tensor.shape) or "scalar"


def _meaning(quantization: Quantization | None) -> str:
    """Returns a tensor's scale and zero point; a dash where its values mean themselves."""
    if quantization is None:
        return "–"
    [scale, *_], [zero_point, *_] = quantization.scales, quantization.zero_points
    inverse = 1 / scale if scale else math.inf
    written = f"1/{inverse:.0f}" if scale < 1 and inverse == round(inverse) else f"{scale:g}"
    return f"{written}, {zero_point}"
