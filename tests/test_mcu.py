"""The microcontroller's sources: they compile, hold the model, and run in TensorFlow Lite Micro."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import interpreter as litert
from numpy.typing import NDArray
from typer.testing import CliRunner

from fer_edge.arena import plan_arena
from fer_edge.catalog import SHIPPED
from fer_edge.cli import app
from fer_edge.contract import EMOTIONS, read_manifest
from fer_edge.data.sample import sample_dataset
from fer_edge.errors import ConfigError, ConversionError
from fer_edge.export import Export
from fer_edge.inspect import Graph, Operator, read_graph
from fer_edge.mcu import RESOLVER_METHODS, draw_goldens, mcu_sources, operator_methods
from fer_edge.runs import Run
from fer_edge.runtime import Interpreter
from fer_edge.script_environment import find_uv
from tests.one_operator import one_operator

SMALL = (SHIPPED / "small" / "int8.tflite").read_bytes()
TFLITE_MICRO = "tflite-micro==0.dev20261023182759"

MAIN = """
#include <cstdio>
#include <cstring>

#include "golden.h"

struct Recorder {
  int room;
  int n = 0;
  int add(const char* name) {
    std::fprintf(stderr, "%s\\n", name);
    return n++ < room ? 0 : 1;
  }
  METHODS
};

int main() {
  Recorder recorder{fer_edge::kOperators}, cramped{fer_edge::kOperators - 1};
  if (!fer_edge::AddOperators(recorder) || fer_edge::AddOperators(cramped)) return 1;
  if (reinterpret_cast<std::uintptr_t>(fer_edge::kModel) % 16) return 2;
  std::fwrite(fer_edge::kModel, 1, fer_edge::kModelBytes, stdout);
  std::fwrite(fer_edge::kGoldenFaces, 1, sizeof(fer_edge::kGoldenFaces), stdout);
  std::fwrite(fer_edge::kGoldenAnswers, 1, sizeof(fer_edge::kGoldenAnswers), stdout);
  for (const char* name : fer_edge::kEmotionNames) std::fwrite(name, 1, std::strlen(name), stdout);
  return 0;
}
"""

ON_A_BOARD = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(open(sys.argv[1], "rb").read())
answers = []
for face in np.load(sys.argv[2]):
    interpreter.set_input(face[None, :, :, None], 0)
    interpreter.invoke()
    answers.append(interpreter.get_output(0)[0])
np.save(sys.argv[3], np.array(answers))
interpreter.print_allocations()
"""


EACH_TENSOR = """
import sys
import numpy as np
from tflite_micro import runtime
keep = runtime.InterpreterConfig.kPreserveAllTensors
interpreter = runtime.Interpreter.from_file("model.tflite", intrepreter_config=keep)
found = {index: [] for index in sys.argv[1:]}
for face in np.load("faces.npy"):
    interpreter.set_input(face[None, :, :, None], 0)
    interpreter.invoke()
    for index in found:
        found[index].append(interpreter.GetTensor(int(index), 0)["tensor_data"].copy())
np.savez("tensors.npz", **found)
"""


EACH_OPERATOR = """
import sys
import numpy as np
from tflite_micro import runtime
inputs = np.load("inputs.npy")
for name in sys.argv[1:]:
    try:
        interpreter = runtime.Interpreter.from_file(name + ".tflite")
    except RuntimeError:
        print(name)
        continue
    shape = interpreter.get_input_details(0)["shape"]
    interpreter.set_input(inputs.reshape(shape), 0)
    interpreter.invoke()
    np.save(name + ".npy", interpreter.get_output(0)[0])
"""


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("g++") or shutil.which("c++")
    if found is None:
        pytest.skip("no C++ compiler is installed (g++)")
    return found


@pytest.mark.parametrize("emotions", [EMOTIONS, ("a\nb", '"', "é😀", "\\", "%s", "??/", "*/")])
def test_the_sources_hold_the_model(
    emotions: tuple[str, ...], compiler: str, tmp_path: Path
) -> None:
    goldens = draw_goldens(SMALL)
    sources = mcu_sources(SMALL, "a\nname */", emotions, goldens)
    methods = [f'int {m}() {{ return add("{m}"); }}' for m in operator_methods(read_graph(SMALL))]
    sources["main.cc"] = MAIN.replace("METHODS", "\n  ".join(methods))
    for name, text in sources.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert "alignas(16) const unsigned char kModel" in sources["model.cc"]
    files = ["main.cc", "model.cc", "golden.cc"]
    strict = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wno-trigraphs"]
    subprocess.run([compiler, *strict, *files, "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)
    names = "".join(emotions).encode()
    assert done.stdout == SMALL + goldens.faces.tobytes() + goldens.answers.tobytes() + names
    said = done.stderr.decode().split()
    assert said[:7] == operator_methods(read_graph(SMALL))


def test_the_goldens_are_what_reference_kernels_answer() -> None:
    goldens = draw_goldens(SMALL)
    assert goldens.faces.shape == (7, 48, 48)
    answers = Interpreter(SMALL, kernels="reference").probabilities(goldens.faces[..., None])
    np.testing.assert_array_equal(goldens.answers, answers * 256)
    assert len(np.unique(goldens.answers)) > 20


def test_the_resolvers_methods_are_named_as_tensorflow_names_them() -> None:
    """AddConv2D for CONV_2D; a method that is not there shows on the user's compiler only."""
    for operator, method in RESOLVER_METHODS.items():
        words = "".join(word.capitalize() for word in operator.split("_"))
        assert method == f"Add{words.replace('2d', '2D')}"


@pytest.mark.network
def test_tensorflow_lite_micro_runs_each_operator_in_int8(micro: Path, tmp_path: Path) -> None:
    """And not EXP, which ELU is made of: its kernel takes float32 alone."""
    faces = np.random.default_rng(0).integers(-128, 128, (1, 4, 4, 8)).astype(np.int8)
    np.save(tmp_path / "inputs.npy", faces)
    for name in (*RESOLVER_METHODS, "EXP"):
        (tmp_path / f"{name}.tflite").write_bytes(one_operator(name))
    done = subprocess.run(
        [sys.executable, "-c", EACH_OPERATOR, *RESOLVER_METHODS, "EXP"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(micro)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["EXP"], done.stderr
    for name in RESOLVER_METHODS:
        model = Interpreter(one_operator(name), kernels="reference")
        model.set_input(faces.reshape(model.input.shape))
        model.invoke()
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), model.get_output(), name)


@pytest.fixture(scope="module")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TensorFlow Lite Micro's own interpreter, in a folder of its own."""
    site = tmp_path_factory.mktemp("micro")
    install = [find_uv(), "pip", "install", "--python", sys.executable, "--no-deps", "--target"]
    done = subprocess.run(
        [*install, str(site), TFLITE_MICRO], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{TFLITE_MICRO} is not to be had here: {done.stderr.strip()[-200:]}")
    return site


@pytest.mark.network
@pytest.mark.parametrize("name", ["small", "nano"])
def test_tensorflow_lite_micro_gives_the_same_answers(
    name: str, micro: Path, exported: Run, tmp_path: Path
) -> None:
    content = SMALL if name == "small" else (exported.export / "int8.tflite").read_bytes()
    (tmp_path / "model.tflite").write_bytes(content)
    faces = sample_dataset(n_per_class=(1, 1, 8)).split("test").images
    np.save(tmp_path / "faces.npy", faces)
    done = subprocess.run(
        [sys.executable, "-c", ON_A_BOARD, "model.tflite", "faces.npy", "answers.npy"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(micro)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = Interpreter(content, kernels="reference").probabilities(faces[..., None]) * 256
    micros = np.load(tmp_path / "answers.npy")
    _check_each_tensor(content, faces, micros, expected, micro=micro, folder=tmp_path)

    told = done.stdout + done.stderr
    head, tail = (
        int(re.findall(rf"Arena allocation {part} (\d+) bytes", told)[0])
        for part in ("head", "tail")
    )
    arena = plan_arena(read_graph(content))
    assert arena.activations == head
    assert 0.9 * tail < arena.persistent
    assert tail <= arena.persistent
    assert arena.total >= head + tail
    assert arena.total % 1024 == 0


def _check_each_tensor(
    content: bytes,
    faces: NDArray[np.uint8],
    answers: NDArray[np.uint8],
    expected: NDArray[np.float32],
    *,
    micro: Path,
    folder: Path,
) -> None:
    """Every bit is the same but in the dense layer, which rounds a few logits to the next step."""
    reference = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    reference.allocate_tensors()
    (image,) = reference.get_input_details()
    operators = reference._get_ops_details()
    outputs = {int(op["outputs"][0]): op["op_name"] for op in operators}
    subprocess.run(
        [sys.executable, "-c", EACH_TENSOR, *map(str, outputs)],
        cwd=folder,
        env={"PYTHONPATH": str(micro)},
        check=True,
        capture_output=True,
    )
    kinds = list(outputs.values())
    last = kinds.index("FULLY_CONNECTED")
    assert kinds[last + 1 :] == ["SOFTMAX", "QUANTIZE"]
    same = []
    with np.load(folder / "tensors.npz") as tensors:
        for n, face in enumerate(faces):
            reference.set_tensor(image["index"], face[None, :, :, None])
            reference.invoke()
            steps = [
                np.abs(tensors[str(i)][n].astype(int) - reference.get_tensor(i)).max()
                for i in outputs
            ]
            assert not any(steps[:last]), kinds[int(np.argmax(steps))]
            assert steps[last] <= 1
            same.append(steps[last] == 0)
    assert np.mean(same) >= 0.9
    np.testing.assert_array_equal(answers[same], expected[same])


def test_an_operator_that_a_board_lacks_is_named() -> None:
    names = ("STFT", "ADD", "EXP")  # ELU becomes EXP, which is there in float32 alone
    graph = Graph(tuple(Operator(name, (), (), 0) for name in names), (), ())
    with pytest.raises(ConversionError, match="knows for EXP, STFT"):
        operator_methods(graph)


def test_a_board_runs_int8() -> None:
    assert Export(("mcu",)).takes_int8
    assert not Export(("tfjs",)).takes_int8
    with pytest.raises(ConfigError, match="Add --int8"):
        Export(("mcu",), analyze=True)


def test_export_leaves_the_sources(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", str(run.folder), "--mcu", "--out", str(out)])
    assert done.exit_code == 0, done.output
    names = {
        f"mcu/{file}" for file in ("model.h", "model.cc", "golden.h", "golden.cc", "README.md")
    }
    manifest = read_manifest(out)
    assert names < set(manifest.files)
    content = manifest.read_file(out, "int8.tflite")
    assert f"kModelBytes = {len(content)};" in (out / "mcu" / "model.h").read_text()
    assert "fer_edge::kArenaBytes" in (out / "mcu" / "README.md").read_text()
