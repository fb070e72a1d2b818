"""The only place that opens a LiteRT / TFLite interpreter.

Models are handed over as bytes that were read and checked before, never as a path: LiteRT maps
files into memory, and replacing a mapped file kills the process.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import TensorSpec
from fer_edge.errors import MissingExtraError, ModelFormatError
from fer_edge.quiet import quiet_stderr

Kernels = Literal["xnnpack", "builtin", "reference"]


class Interpreter:
    """One model, opened once and run many times.

    Attributes:
        input: Its input tensor.
        output: Its output tensor.
        n_threads: Threads that it was opened with.
        kernels: `xnnpack` (LiteRT's default), `builtin` (its own optimised kernels) or
            `reference` (plain ones: the same bits on every CPU).
    """

    def __init__(self, content: bytes, *, n_threads: int = 1, kernels: Kernels = "xnnpack") -> None:
        """Opens a model from a `.tflite` file's bytes.

        Raises:
            ModelFormatError: The bytes are no runnable model with one input and one output.
            MissingExtraError: Neither LiteRT nor tflite-runtime is installed.
        """
        self.n_threads, self.kernels = n_threads, kernels
        module = _interpreter_module()
        resolver = {
            "xnnpack": module.OpResolverType.AUTO,
            "builtin": module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            "reference": module.OpResolverType.BUILTIN_REF,
        }[kernels]
        if content[4:8] != b"TFL3":
            raise ModelFormatError(
                "Expected a .tflite model (identifier TFL3), found something else."
            )
        try:
            with quiet_stderr():
                self._interpreter = module.Interpreter(
                    model_content=content,
                    num_threads=n_threads,
                    experimental_op_resolver_type=resolver,
                )
                self._interpreter.allocate_tensors()
            (input_details,) = self._interpreter.get_input_details()
            (output_details,) = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as exc:
            raise ModelFormatError(
                f"LiteRT cannot open the model: {str(exc).strip()[:300]}. "
                "The file is damaged, or is no model with one input and one output."
            ) from exc
        self._input_index = input_details["index"]
        self._output_index = output_details["index"]
        self.input, self.output = _spec(input_details), _spec(output_details)

    @property
    def delegate(self) -> str:
        """What really runs the model: `XNNPACK`, or `none` for LiteRT's own kernels."""
        details = self._interpreter._get_ops_details()
        return "XNNPACK" if any(op["op_name"] == "DELEGATE" for op in details) else "none"

    @property
    def logits_step(self) -> float:
        """One step of the quantized logits that the last softmax reads; 0.0 where none is."""
        ops = [op for op in self._interpreter._get_ops_details() if op["op_name"] == "SOFTMAX"]
        logits = ops[-1]["inputs"][0] if ops else None
        steps = {t["index"]: t["quantization"][0] for t in self._interpreter.get_tensor_details()}
        return float(steps.get(logits, 0.0))

    def set_input(self, values: NDArray[Any]) -> None:
        """Sets the input; shape and dtype are those of `input`."""
        self._interpreter.set_tensor(self._input_index, values)

    def invoke(self) -> None:
        """Runs the model once."""
        self._interpreter.invoke()

    def get_output(self) -> NDArray[Any]:
        """Returns a copy of the raw output, without the batch."""
        return np.asarray(self._interpreter.get_tensor(self._output_index)[0])

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Returns float32 (n, k): the answers to inputs, (n, h, w, c) of the input's dtype."""
        n, k = len(inputs), self.output.shape[1]
        raw = np.empty((n, k), self.output.dtype)
        for row in range(n):
            self.set_input(inputs[row : row + 1])
            self.invoke()
            raw[row] = self.get_output()
        if not self.output.scale:
            return raw.astype(np.float32)
        steps = raw.astype(np.float32) - np.float32(self.output.zero_point)
        return steps * np.float32(self.output.scale)


def runtime_version() -> str:
    """Returns the runtime's name and version, as `ai-edge-litert 2.3.0`."""
    from importlib import metadata

    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "none"


def _interpreter_module() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        try:
            from tflite_runtime import interpreter  # 32-bit ARM has no LiteRT wheel
        except ImportError as exc:
            raise MissingExtraError(
                "ai-edge-litert", needed_for="running models", extra=""
            ) from exc
    return interpreter


def _spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"])
    return TensorSpec(shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))
