"""How much memory a model takes at work on a microcontroller: its tensor arena, estimated.

Sources: tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc for the activations; for the
rest, what TensorFlow Lite Micro's recording allocator says of models of ours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fer_edge.inspect import Graph, Operator, Tensor

ALIGNMENT = 16  # bytes, of tensors in the arena and of the model
# What TensorFlow Lite Micro keeps for each, in bytes where a pointer has 8; boards have 4.
PER_TENSOR, PER_OPERATOR, PER_CHANNEL, FIXED = 24, 160, 8, 1024
ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4}


@dataclass(frozen=True)
class Arena:
    """What a model takes at work, in bytes; an estimate, and no measurement.

    Attributes:
        activations: Tensors that pass between operators, placed as TensorFlow Lite Micro's greedy
            planner places them.
        persistent: What it keeps for tensors, operators and channels.
        scratch: What optimised kernels may want beside: two bytes for each weight of the widest
            depthwise kernel.
    """

    activations: int
    persistent: int
    scratch: int

    @property
    def total(self) -> int:
        """All of it, in whole KiB."""
        return -(-(self.activations + self.persistent + self.scratch) // 1024) * 1024


def plan_arena(graph: Graph) -> Arena:
    """Returns what a model takes at work in TensorFlow Lite Micro."""
    tensors = {t.name: t for op in graph.operators for t in (*op.inputs, *op.outputs)}
    kernels = [op.weights for op in graph.operators if op.weights]
    n_channels = sum(len(k.quantization.scales) for k in kernels if k.quantization)
    persistent = (
        PER_TENSOR * len(tensors)
        + PER_OPERATOR * len(graph.operators)
        + PER_CHANNEL * n_channels
        + FIXED
    )
    depthwise = [op.weights for op in graph.operators if op.name == "DEPTHWISE_CONV_2D"]
    scratch = max((2 * math.prod(kernel.shape) for kernel in depthwise if kernel), default=0)
    return Arena(_place(_lifetimes(graph)), persistent, scratch)


def _lifetimes(graph: Graph) -> list[tuple[int, int, int]]:
    """Returns size, first and last operator of each tensor that is not stored in the model."""
    first = {tensor.name: 0 for tensor in graph.inputs}
    last: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for number, operator in enumerate(graph.operators):
        for tensor in _moving(operator):
            first.setdefault(tensor.name, number)
            last[tensor.name] = number
            n_bytes = math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]
            sizes[tensor.name] = -(-n_bytes // ALIGNMENT) * ALIGNMENT
    last |= {tensor.name: len(graph.operators) - 1 for tensor in graph.outputs}
    return [(sizes[name], first[name], last[name]) for name in sizes]


def _moving(operator: Operator) -> list[Tensor]:
    return [t for t in (*operator.inputs, *operator.outputs) if not t.is_constant]


def _place(buffers: Sequence[tuple[int, int, int]]) -> int:
    """Returns the bytes that buffers take, the largest placed first, each in the first gap."""
    placed: list[tuple[int, int, int, int]] = []  # offset, size, first, last
    for size, first, last in sorted(buffers, key=lambda buffer: -buffer[0]):
        offset = 0
        for start, other, begins, ends in sorted(placed):
            if begins <= last and ends >= first:
                if offset + size <= start:
                    break
                offset = max(offset, start + other)
        placed.append((offset, size, first, last))
    return max((offset + size for offset, size, _, _ in placed), default=0)
