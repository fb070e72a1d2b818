"""An int8 model as C++ sources for TensorFlow Lite Micro.

The model's bytes, the operators to register, how much memory it takes at work, and faces with the
answers that a board has to give.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.arena import ALIGNMENT, Arena, plan_arena
from fer_edge.contract import INPUT_SHAPE, OUTPUT_SCALE
from fer_edge.data.sample import sample_dataset
from fer_edge.errors import ConversionError
from fer_edge.inspect import Graph, read_graph
from fer_edge.runtime import Interpreter

# Source: tensorflow/lite/micro/micro_mutable_op_resolver.h, those with int8 kernels: a test runs
# each. EXP, which ELU needs, has one in float32 alone.
RESOLVER_METHODS = {
    "ADD": "AddAdd",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "FULLY_CONNECTED": "AddFullyConnected",
    "HARD_SWISH": "AddHardSwish",
    "LEAKY_RELU": "AddLeakyRelu",
    "LOGISTIC": "AddLogistic",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MAXIMUM": "AddMaximum",
    "MEAN": "AddMean",
    "MINIMUM": "AddMinimum",
    "MUL": "AddMul",
    "PAD": "AddPad",
    "QUANTIZE": "AddQuantize",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "RESHAPE": "AddReshape",
    "SOFTMAX": "AddSoftmax",
    "SUB": "AddSub",
    "TANH": "AddTanh",
}


@dataclass(frozen=True)
class Goldens:
    """Faces and what a board has to answer.

    Attributes:
        faces: uint8 (n, 48, 48).
        answers: uint8 (n, k), of LiteRT's reference kernels, which round as TensorFlow Lite
            Micro's do.
    """

    faces: NDArray[np.uint8]
    answers: NDArray[np.uint8]


def mcu_sources(
    content: bytes, name: str, emotions: Sequence[str], goldens: Goldens
) -> dict[str, str]:
    """Returns the files for a microcontroller, by name.

    Args:
        content: Of an int8 `.tflite` file that keeps the contract.
        name: Of the model.
        emotions: What its answers mean.
        goldens: To test a board with.

    Raises:
        ConversionError: TensorFlow Lite Micro lacks an operator of the model.
    """
    graph = read_graph(content)
    origin = (
        f"// {_plain(name)}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}."
        "\n// Written by fer-edge export --mcu; not edited by hand."
    )
    return {
        "model.h": f"{origin}\n{_model_header(len(content), emotions, graph)}",
        "model.cc": f"{origin}\n{_model_source(content)}",
        "golden.h": f"{origin}\n{_golden_header(goldens)}",
        "golden.cc": f"{origin}\n{_golden_source(goldens)}",
        "README.md": _readme(name, plan_arena(graph)),
    }


def write_mcu(folder: Path, name: str, emotions: Sequence[str]) -> None:
    """Leaves the sources of an export's int8 model in its folder `mcu`.

    Args:
        folder: Holds `int8.tflite`.
        name: Of the model.
        emotions: What its answers mean.

    Raises:
        ConversionError: As `mcu_sources`.
    """
    content = (folder / "int8.tflite").read_bytes()
    sources = mcu_sources(content, name, emotions, draw_goldens(content))
    (folder / "mcu").mkdir()
    for file, text in sources.items():
        (folder / "mcu" / file).write_text(text, "utf-8")


def draw_goldens(content: bytes) -> Goldens:
    """Returns a drawn face an emotion, and what a model answers to them with reference kernels."""
    faces = sample_dataset(n_per_class=(1, 1, 1)).split("test").images
    probabilities = Interpreter(content, kernels="reference").probabilities(faces[..., None])
    return Goldens(faces, np.rint(probabilities / OUTPUT_SCALE).astype(np.uint8))


def operator_methods(graph: Graph) -> list[str]:
    """Returns the resolver's methods that register a model's operators, sorted.

    Raises:
        ConversionError: TensorFlow Lite Micro lacks one.
    """
    names = {operator.name for operator in graph.operators}
    if absent := sorted(names - RESOLVER_METHODS.keys()):
        raise ConversionError(
            f"TensorFlow Lite Micro has no int8 kernel that fer-edge knows for {', '.join(absent)}."
            " Replace the layer, or leave out --mcu; in the place of --all, name the other targets."
        )
    return sorted(RESOLVER_METHODS[name] for name in names)


def _model_header(n_bytes: int, emotions: Sequence[str], graph: Graph) -> str:
    arena, methods = plan_arena(graph), operator_methods(graph)
    calls = "\n".join(f"  ok = (resolver.{method}() == 0) && ok;" for method in methods)
    return f"""#pragma once

#include <cstddef>
#include <cstdint>

namespace fer_edge {{

// The .tflite file, aligned to {ALIGNMENT} bytes.
extern const unsigned char kModel[];
constexpr std::size_t kModelBytes = {n_bytes};

// An estimate: {arena.activations} for activations, placed as the greedy memory planner does,
// {arena.persistent} for what the interpreter keeps where a pointer has 8 bytes, and
// {arena.scratch} for kernels that want scratch memory. What a board takes is told by
// tflite::MicroInterpreter::arena_used_bytes().
constexpr std::size_t kArenaBytes = {arena.total};

// In: uint8, one gray face, 0-255, row by row. Out: uint8 probabilities in steps of 1/256.
constexpr int kSide = {INPUT_SHAPE[1]};
constexpr int kEmotions = {len(emotions)};
constexpr const char* kEmotionNames[kEmotions] = {{
{_lines(map(_literal, emotions))}
}};

// For tflite::MicroMutableOpResolver<kOperators>.
constexpr int kOperators = {len(methods)};

// Registers what the model needs; false where a resolver has no room for it.
template <typename Resolver>
bool AddOperators(Resolver& resolver) {{
  bool ok = true;
{calls}
  return ok;
}}

}}  // namespace fer_edge
"""


def _model_source(content: bytes) -> str:
    return f"""#include "model.h"

namespace fer_edge {{

alignas({ALIGNMENT}) const unsigned char kModel[kModelBytes] = {{
{_bytes(content)}
}};

}}  // namespace fer_edge
"""


def _golden_header(goldens: Goldens) -> str:
    return f"""#pragma once

#include <cstdint>

#include "model.h"

namespace fer_edge {{

// Drawn faces, and the model's answers to them with reference kernels. Others, TensorFlow Lite
// Micro's own among them, may differ by a few steps of 1/256.
constexpr int kGoldens = {len(goldens.faces)};
extern const std::uint8_t kGoldenFaces[kGoldens][kSide * kSide];
extern const std::uint8_t kGoldenAnswers[kGoldens][kEmotions];

}}  // namespace fer_edge
"""


def _golden_source(goldens: Goldens) -> str:
    faces = ",\n".join(f"{{\n{_bytes(face.tobytes())}\n}}" for face in goldens.faces)
    answers = ",\n".join(f"{{{', '.join(map(str, row))}}}" for row in goldens.answers)
    return f"""#include "golden.h"

namespace fer_edge {{

const std::uint8_t kGoldenFaces[kGoldens][kSide * kSide] = {{
{faces}
}};

const std::uint8_t kGoldenAnswers[kGoldens][kEmotions] = {{
{answers}
}};

}}  // namespace fer_edge
"""


def _readme(name: str, arena: Arena) -> str:
    return f"""# {_plain(name)} for TensorFlow Lite Micro

Add `model.cc` to your project, and `golden.cc` to test the board. Both take flash, the arena RAM.

```cpp
#include "model.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

alignas({ALIGNMENT}) static std::uint8_t arena[fer_edge::kArenaBytes];

static tflite::MicroMutableOpResolver<fer_edge::kOperators> resolver;
fer_edge::AddOperators(resolver);
static tflite::MicroInterpreter interpreter(
    tflite::GetModel(fer_edge::kModel), resolver, arena, sizeof(arena));
interpreter.AllocateTensors();

std::memcpy(interpreter.input(0)->data.uint8, face, fer_edge::kSide * fer_edge::kSide);
interpreter.Invoke();
const std::uint8_t* answer = interpreter.output(0)->data.uint8;  // probability = answer[i] / 256.0
```

`face` is gray, {INPUT_SHAPE[1]} × {INPUT_SHAPE[2]}, 0–255, as it is: nothing is normalised.

The arena's {arena.total:,} bytes are an estimate: {arena.activations:,} for activations,
{arena.persistent:,} for what the interpreter keeps on a 64-bit machine (boards need less), and
{arena.scratch:,} for scratch memory of optimised kernels. `interpreter.arena_used_bytes()` tells
what yours takes.
"""


def _bytes(content: bytes) -> str:
    """Returns bytes as lines of C integers."""
    lines = (content[start : start + 16] for start in range(0, len(content), 16))
    return ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in line) for line in lines)


def _lines(items: Iterable[str]) -> str:
    return ",\n".join(f"    {item}" for item in items)


def _literal(text: str) -> str:
    """Returns a text as a C++ string; JSON's own escapes are C++'s up to U+FFFF only."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isascii() else f"\\U{ord(char):08x}" for char in quoted)


def _plain(text: str) -> str:
    """Returns a text that stays on its line, in a comment too."""
    return text.encode("unicode_escape").decode("ascii")
