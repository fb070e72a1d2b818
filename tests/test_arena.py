"""The tensor arena's plan, on graphs whose numbers a reader can add up; test_mcu asks a board's."""

import pytest

from fer_edge.arena import plan_arena
from fer_edge.inspect import Graph, Operator, Quantization, Tensor


def tensor(name: str, shape: tuple[int, ...], dtype: str, *, is_constant: bool = False) -> Tensor:
    return Tensor(name, shape, dtype, is_constant)


BIG = tensor("big", (1, 24), "int32")  # 96 bytes, at work in the first operator alone
LONG = tensor("long", (1, 9), "uint8")  # 9, so 16; at work in both
LEFT = tensor("left", (1, 16), "int16")  # 32, in the second alone
RIGHT = tensor("right", (1, 32), "int8")  # 32, likewise


def test_each_tensor_takes_the_first_gap_in_its_time() -> None:
    """`left` and `right` lie where `big` was, and `long` beside all three: 96 + 16."""
    first, second = Operator("A", (BIG, LONG), (), 0), Operator("B", (LONG, LEFT, RIGHT), (), 0)
    assert plan_arena(Graph((first, second), (BIG, LONG), ())).activations == 112


def test_a_gap_that_is_just_wide_enough_is_taken() -> None:
    """`b` is gone when `d` comes, which fits into its place before `c`; `a` lies behind them."""
    a, b = tensor("a", (32,), "int8"), tensor("b", (64,), "int8")
    c, d = tensor("c", (64,), "int8"), tensor("d", (64,), "int8")
    steps = (Operator("A", (a,), (b,), 0), Operator("B", (b,), (c,), 0))
    last = Operator("C", (c, a), (d,), 0)
    assert plan_arena(Graph((*steps, last), (a,), (d,))).activations == 64 + 64 + 32


@pytest.mark.parametrize(("dtype", "n_bytes"), [("int8", 32), ("float32", 128), ("int64", 256)])
def test_a_value_takes_its_types_bytes(dtype: str, n_bytes: int) -> None:
    image = tensor("image", (1, 32), dtype)
    assert plan_arena(Graph((Operator("A", (image,), (), 0),), (image,), ())).activations == n_bytes


def test_what_the_interpreter_keeps_and_what_kernels_want() -> None:
    """3 tensors of 24 bytes, an operator of 160, 5 channels of 8, and 1,024; twice the kernel."""
    scales = Quantization((0.1,) * 5, (0,) * 5, 3)
    kernel = Tensor("kernel", (1, 3, 3, 5), "int8", is_constant=True, quantization=scales)
    image, answer = tensor("image", (1, 4, 4, 5), "int8"), tensor("answer", (1, 2, 2, 5), "int8")
    operator = Operator("DEPTHWISE_CONV_2D", (image, kernel), (answer,), 0)
    arena = plan_arena(Graph((operator,), (image,), (answer,)))
    assert arena.persistent == 3 * 24 + 160 + 5 * 8 + 1024
    assert arena.scratch == 2 * 3 * 3 * 5
    assert arena.activations == 80 + 32
    assert arena.total == 2048  # 1,296 + 90 + 112, in whole KiB
